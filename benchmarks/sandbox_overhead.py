"""What the sandbox costs: a command that does nothing, and compilations one after the other.

    python benchmarks/sandbox_overhead.py [--rounds N] [--files N] [--json]

Two ways into the same image, in turns: bubblewrap with nothing but the image and a process namespace, and `Image.run`
with all that emwheels asks for. The compilations are of C files by the image's clang, as most of a build's time is.
Prints medians, and their ratio to the first way.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from emwheels.image.model import Mount
from emwheels.image.rootfs import RootFs
from emwheels.pipeline.environment import environment_here
from emwheels.progress import print_table

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

FUNCTION = """\
double f@N@(double *x, int n) {
    double sum = 0;
    for (int i = 0; i < n; i++) for (int j = i; j < n; j++) sum += x[i] * x[j] / (1.0 + @N@ * x[i] * x[i]);
    return sum;
}
"""
ENV = {"PATH": "/usr/bin:/bin", "HOME": "/tmp"}
INSIDE = "/mnt/work"


def bare(root: Path, work: Path, argv: Sequence[str]) -> None:
    """Run a command in the image by bubblewrap alone."""
    command = ["bwrap", "--ro-bind", str(root), "/", "--dev", "/dev", "--proc", "/proc", "--tmpfs", "/tmp"]
    command += ["--tmpfs", "/mnt", "--bind", str(work), INSIDE, "--unshare-pid", "--chdir", INSIDE]
    subprocess.run([*command, *argv], check=True, env=ENV)


def ways(image: RootFs, work: Path) -> dict[str, Callable[[Sequence[str]], object]]:
    """Return the ways to run a command, by name."""
    mounts = [Mount(host=work, inside=INSIDE, writable=True)]

    def ours(argv: Sequence[str]) -> None:
        done = image.run(argv, mounts=mounts, env=ENV, cwd=INSIDE)
        if done.status:
            raise SystemExit(f"{argv[0]} ended with {done.status} {done.reached}")

    return {"bubblewrap alone": lambda argv: bare(image.root, work, argv), "emwheels": ours}


def timed(action: Callable[[Sequence[str]], object], argv: Sequence[str]) -> float:
    """Return the wall time of a command in seconds."""
    began = time.perf_counter()
    action(argv)
    return time.perf_counter() - began


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--files", type=int, default=12, help="files that a compilation is of (12)")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    image = environment_here().image
    if not isinstance(image, RootFs) or image.method != "bwrap":
        sys.exit("this compares ways by bubblewrap, which is not how the image is entered here")
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        work.chmod(0o777)
        for number in range(arguments.files):
            text = "".join(FUNCTION.replace("@N@", f"1{number:02}{each:02}") for each in range(60))
            (work / f"{number}.c").write_text(text)
        compiling = f"for i in $(seq 0 {arguments.files - 1}); do clang-21 -O3 -c $i.c -o /tmp/$i.o || exit 1; done"
        commands = {"nothing": ["/usr/bin/true"], "compilations": ["/bin/sh", "-c", compiling]}
        results: dict[str, dict[str, list[float]]] = {name: {} for name in commands}
        for _ in range(arguments.rounds):
            for name, argv in commands.items():
                for way, action in ways(image, work).items():
                    results[name].setdefault(way, []).append(timed(action, argv))
    medians = {name: {way: statistics.median(times) for way, times in ways_.items()} for name, ways_ in results.items()}
    if arguments.json:
        print(json.dumps(medians, indent=1))
        return 0
    rows = [
        (name, way, f"{seconds * 1000:,.1f}", f"{seconds / of_ways['bubblewrap alone']:.3f}")
        for name, of_ways in medians.items()
        for way, seconds in of_ways.items()
    ]
    print_table(("command", "way", "ms", "ratio"), rows, right=("ms", "ratio"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
