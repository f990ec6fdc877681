"""How long ``emwheels run`` takes to start, against Pyodide in bare Node in the same image.

    python benchmarks/run_start.py [--rounds N] [--with NAME ...] [--json]

In turns: `node` with a script that loads Pyodide and runs one line of Python, in bubblewrap alone; and ``emwheels run
-c`` with that line, as a command. With ``--with``, the latter installs these wheels of dist/ as well. Prints medians of
wall time, and their ratio.
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

from emwheels.image.places import NODE, RUNTIME
from emwheels.image.rootfs import RootFs
from emwheels.pipeline.environment import environment_here
from emwheels.progress import print_table

SCRIPT = f"""\
import {{ loadPyodide }} from "{RUNTIME}/pyodide.mjs";
const pyodide = await loadPyodide({{ indexURL: "{RUNTIME}/" }});
pyodide.runPython("print(1 + 1)");
"""


def seconds(command: list[str]) -> float:
    """Return the wall time of a command that has to print 2."""
    began = time.perf_counter()
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode or done.stdout.strip() != "2":
        raise SystemExit(f"{command[0]} ended with {done.returncode}: {done.stderr[:500]}")
    return time.perf_counter() - began


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--with", nargs="*", default=[], dest="requirements", metavar="NAME")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    environment = environment_here()
    image = environment.test_image
    if not isinstance(image, RootFs):
        raise SystemExit("a container engine enters the image here: it has no bare way to compare with")
    root = image.root
    asked = [word for name in arguments.requirements for word in ("--with", name)]
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "script.mjs"
        script.write_text(SCRIPT)
        bare = ["bwrap", "--ro-bind", str(root), "/", "--dev", "/dev", "--proc", "/proc", "--tmpfs", "/tmp"]
        bare += ["--tmpfs", "/mnt", "--ro-bind", str(environment.runtime), RUNTIME, "--ro-bind", folder, "/mnt/script"]
        bare += ["--unshare-pid", NODE, "/mnt/script/script.mjs"]
        ours = [sys.executable, "-m", "emwheels", "run", *asked, "-c", "print(1 + 1)"]
        times: dict[str, list[float]] = {"node with Pyodide": [], "emwheels run": []}
        for _ in range(arguments.rounds):
            for name, command in zip(times, (bare, ours), strict=True):
                times[name].append(seconds(command))
    medians = {name: statistics.median(each) for name, each in times.items()}
    first = next(iter(medians.values()))
    if arguments.json:
        print(json.dumps(medians))
    else:
        print_table(
            ("way", "seconds", "ratio"),
            [(name, f"{median:.2f}", f"{median / first:.2f}") for name, median in medians.items()],
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
