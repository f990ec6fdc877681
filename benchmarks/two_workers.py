"""A cluster of one worker and one of two, on the same graph of builds, beside what the graph itself allows.

    python benchmarks/two_workers.py                  12 libraries of 8 s, in three layers
    python benchmarks/two_workers.py --seconds 4 --widths 1,6,4

The builds are real (recipe, sandbox, emcc, registry), but each of them sleeps most of its time: workers on one machine
share its cores, so builds that compute would show the machine and not the cluster. Every worker is a process with a
store of its own, builds go through a registry (Debian's docker-registry, of the service image). The bound is the larger
of the longest way through the graph and all work divided by the workers, with the times that the builds took.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import distributed
from caches import IMAGE, make_cache

from emwheels.pipeline.environment import Environment, environment_here, environment_of
from emwheels.schedule import Task, critical_path
from emwheels.store import sha256_of

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "support"))

from loopback import free_port, serving_folder
from packed import tar_gz
from registry import LocalRegistry

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Source = Callable[[str], tuple[str, str]]
META = """\
package:
  name: {name}
  version: "1.0"
source:
  url: {url}
  sha256: {sha256}
build:
  type: static_library
  script: |
    sleep {seconds}
    emcc $SIDE_MODULE_CFLAGS -c one.c -o one.o
    mkdir -p "$WASM_LIBRARY_DIR/lib"
    emar rcsD "$WASM_LIBRARY_DIR/lib/lib{name}.a" one.o
requirements:
  host: [{host}]
"""


def main() -> int:
    """Measure, print and return the status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=8, help="that a build sleeps (8)")
    parser.add_argument("--widths", default="2,6,4", help="libraries of each layer; each needs one of the layer before")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    here = environment_here(Path(__file__).parent)
    image = here.service_image
    needs = graph([int(width) for width in arguments.widths.split(",")])
    rows = []
    for workers in (1, 2):
        with tempfile.TemporaryDirectory(prefix="two-workers-") as folder:
            registry = LocalRegistry(image, Path(folder) / "registry").start()
            try:
                rows.append(
                    run(Path(folder), here, needs, workers=workers, seconds=arguments.seconds, remote=registry.url)
                )
            finally:
                registry.kill()
    if rows[0]["outputs"] != rows[1].pop("outputs"):
        print("the two clusters built different bytes", file=sys.stderr)
        return 1
    del rows[0]["outputs"]
    if arguments.json:
        print(json.dumps(rows, indent=1))
        return 0
    print("  ".join(rows[0]))
    for row in rows:
        print("  ".join(f"{value!s:>{len(key)}}" for key, value in row.items()))
    print(f"two workers against one: {rows[0]['wall s'] / rows[1]['wall s']:.2f} times as fast")
    return 0


def graph(widths: list[int]) -> dict[str, tuple[str, ...]]:
    """Return library -> what it needs: one of the layer before, taken in turn."""
    needs: dict[str, tuple[str, ...]] = {}
    before: list[str] = []
    for layer, width in enumerate(widths):
        names = [f"lib{layer}x{number}" for number in range(width)]
        needs |= {name: (before[number % len(before)],) if before else () for number, name in enumerate(names)}
        before = names
    return needs


def run(
    folder: Path, here: Environment, needs: dict[str, tuple[str, ...]], *, workers: int, seconds: float, remote: str
) -> dict[str, Any]:
    """Build everything on a new cluster of ``workers`` and return what it took."""
    with sources(folder / "sources") as served, cluster(folder, here.project.cache, workers) as (address, _):
        client = make_project(folder / "client", here, needs, seconds, served).project
        command = [sys.executable, "-m", "emwheels", "--project", str(client.root), "build", "--all", "--json"]
        command += ["--scheduler", address, "--remote", remote]
        began = time.monotonic()
        done = subprocess.run(command, env=environment(client.cache), check=True, stdout=subprocess.PIPE)
        wall = time.monotonic() - began
    outcomes = {row["name"]: row for row in json.loads(done.stdout)}
    took = {name: sum(row["phases"].values()) for name, row in outcomes.items()}
    tasks = [Task(identity=name, needs=needs[name], seconds=took[name]) for name in needs]
    longest = max(critical_path(tasks).values())
    bound = max(longest, sum(took.values()) / workers)
    return {
        "workers": workers,
        "builds": len(needs),
        "wall s": round(wall, 1),
        "all builds s": round(sum(took.values()), 1),
        "longest way s": round(longest, 1),
        "bound s": round(bound, 1),
        "wall / bound": round(wall / bound, 2),
        "outputs": {name: row["output"]["sha256"] for name, row in outcomes.items()},
    }


@contextmanager
def sources(folder: Path) -> Iterator[Source]:
    """Serve archives on loopback; give a function that adds one: name -> its URL and sha256."""
    with serving_folder(folder) as address:

        def add(name: str) -> tuple[str, str]:
            path = folder / f"{name}-1.0.tar.gz"
            path.write_bytes(tar_gz({f"{name}-1.0/one.c": f"int {name}(void) {{ return 1; }}\n"}))
            return f"{address}/{path.name}", sha256_of(path)

        yield add


def make_project(
    folder: Path, here: Environment, needs: dict[str, tuple[str, ...]], seconds: float, served: Source
) -> Environment:
    """Write a project with a recipe for each library."""
    real = here.project
    project = replace(real, root=folder / "project", cache=make_cache(folder / "cache", real.cache))
    for name in ("recipes", "patches"):
        (project.root / name).mkdir(parents=True)
    shutil.copyfile(real.targets_file, project.targets_file)
    for name, host in needs.items():
        (project.recipes / name).mkdir()
        url, sha256 = served(name)
        text = META.format(name=name, url=url, sha256=sha256, seconds=seconds, host=", ".join(host))
        (project.recipes / name / "meta.yaml").write_text(text)
    return environment_of(project)


def environment(cache: Path) -> dict[str, str]:
    """Return this process's environment with another cache."""
    direct = f"127.0.0.1,{os.environ.get('no_proxy', '')}"
    return {**os.environ, "EMWHEELS_CACHE": str(cache), "no_proxy": direct, "NO_PROXY": direct}


@contextmanager
def cluster(
    folder: Path, cache: Path, workers: int, shared: Sequence[str] = IMAGE
) -> Iterator[tuple[str, list[subprocess.Popen[bytes]]]]:
    """Start a scheduler and workers, wait until all are there, and give the address and the workers' processes.

    Each is the first of a process group of its own, and has its cache in ``folder``/workerN/cache.
    """
    port = free_port()
    address = f"tcp://127.0.0.1:{port}"
    with contextlib.ExitStack() as running:

        def start(program: str, *arguments: str, env: dict[str, str] | None = None) -> subprocess.Popen[bytes]:
            command = [sys.executable, "-m", f"distributed.cli.dask_{program}", *arguments, "--no-dashboard"]
            quiet = subprocess.DEVNULL
            process = subprocess.Popen(command, env=env, stderr=quiet, stdout=quiet, start_new_session=True)
            running.callback(process.wait)
            running.callback(process.terminate)
            return process

        start("scheduler", "--host", "127.0.0.1", "--port", str(port))
        started = []
        for number in range(workers):
            own = environment(make_cache(folder / f"worker{number}" / "cache", cache, shared))
            options = ["--nthreads", "1", "--no-nanny", "--memory-limit", "0", "--local-directory", str(folder)]
            started.append(start("worker", address, *options, env=own))
        with distributed.Client(address, timeout=60, set_as_default=False) as client:
            client.wait_for_workers(workers, timeout=120)
        yield address, started


if __name__ == "__main__":
    sys.exit(main())
