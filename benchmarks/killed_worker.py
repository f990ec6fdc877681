"""The whole recipe set on two Dask workers with stores of their own, of which one is killed half-way.

    python benchmarks/killed_worker.py                   every recipe
    python benchmarks/killed_worker.py numpy --ccache    some, and what they need; objects come out of the user's ccache

Expects that this machine has built all of it already: what the cluster makes has to be byte for byte that, and the exit
status says whether it is. Builds go from worker to worker through a registry (Debian's docker-registry, of the build
image). A worker is killed with all that it has started, while it builds, once half of the packages are done. The bound
is the larger of the longest way through the graph and all work divided by the workers, with the times that the
builds took; both workers share the cores of this machine.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from caches import IMAGE, SOURCES, make_cache
from two_workers import cluster, environment

from emwheels.errors import EmwheelsError
from emwheels.pipeline.environment import Environment, environment_here
from emwheels.pipeline.model import Options
from emwheels.recipe.graph import required_recipes
from emwheels.recipe.load import load_recipes
from emwheels.schedule import Task, critical_path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "support"))

from registry import LocalRegistry

from emwheels.pipeline.run import make_run
from emwheels.pipeline.survey import survey

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass
class Killer:
    """Kills one of the workers, once ``half`` of the builds are in their stores."""

    folders: list[Path]
    workers: list[subprocess.Popen[bytes]]
    half: int
    victim: str = ""
    """What the worker that was killed was building."""
    after: int = 0
    """Builds that were done by then."""

    def run(self) -> None:
        """Watch, kill and return."""
        while True:
            done = [len(list((folder / "store" / "records" / "builds").rglob("*.json"))) for folder in self.folders]
            busy = [sorted(path.name for path in (folder / "work").glob("*-*")) for folder in self.folders]
            for worker, at_work in zip(self.workers, busy, strict=True):
                builds = [name for name in at_work if not name.startswith("jobserver")]
                if max(done) >= self.half and builds:
                    self.victim, self.after = builds[0].rpartition("-")[0], max(done)
                    os.killpg(worker.pid, signal.SIGKILL)
                    return
            time.sleep(0.2)


def main() -> int:
    """Build, kill, compare and return the status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("packages", nargs="*", help="recipes (default: all)")
    parser.add_argument("--ccache", action="store_true", help="share the user's compiler cache")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    arguments = parser.parse_args()
    here = environment_here(Path(__file__).parent)
    try:
        expected = outputs_here(here, arguments.packages)
    except EmwheelsError as error:
        print(f"{error.message}\n  {error.hint}", file=sys.stderr)
        return error.exit_code
    with tempfile.TemporaryDirectory(prefix="killed-worker-") as name:
        registry = LocalRegistry(here.service_image, Path(name) / "registry").start()
        try:
            result = run(Path(name), here, expected, arguments, registry.url)
        finally:
            registry.kill()
    print(json.dumps(result, indent=1) if arguments.json else "\n".join(f"{key}: {result[key]}" for key in result))
    return 0 if not result["other bytes"] else 1


def outputs_here(environment: Environment, names: list[str]) -> dict[str, str]:
    """Return the sha256 of each package as this machine built it. Raises `EmwheelsError` if one is missing."""
    found = {}
    for outcome in survey(make_run(environment, names, Options(test=False))):
        if outcome.output is None:
            raise EmwheelsError(f"{outcome.name} is not built here", hint="nox -s build-package -- --all --no-test")
        found[outcome.name] = outcome.output.sha256
    return found


def run(
    folder: Path, here: Environment, expected: Mapping[str, str], arguments: argparse.Namespace, remote: str
) -> dict[str, Any]:
    """Build on a cluster that loses a worker, and return what came of it."""
    real = here.project
    shared = (*IMAGE, *SOURCES, *(("ccache",) if arguments.ccache else ()))
    with cluster(folder, real.cache, 2, shared) as (address, workers):
        folders = [folder / f"worker{number}" / "cache" for number in range(2)]
        killer = Killer(folders, workers, half=len(expected) // 2)
        threading.Thread(target=killer.run, daemon=True).start()
        client = make_cache(folder / "client" / "cache", real.cache, shared)
        command = [sys.executable, "-m", "emwheels", "--project", str(real.root), "build", "--no-test", "--json"]
        command += ["--scheduler", address, "--remote", remote, *(arguments.packages or ["--all"])]
        began = time.monotonic()
        done = subprocess.run(command, env=environment(client), check=False, stdout=subprocess.PIPE)
        wall = time.monotonic() - began
    if done.returncode or not killer.victim:
        raise SystemExit(
            f"the cluster's build ended with status {done.returncode}, killed: {killer.victim or 'nothing'}"
        )
    rows = {row["name"]: row for row in json.loads(done.stdout)}
    took = {name: sum(row["phases"].values()) for name, row in rows.items()}
    recipes = load_recipes(real.shelves, names=list(rows))
    tasks = [
        Task(identity=name, needs=tuple(required_recipes(recipes[name], recipes)), seconds=took[name]) for name in rows
    ]
    longest = max(critical_path(tasks).values())
    return {
        "packages": len(rows),
        "killed while it built": killer.victim,
        "builds done by then": killer.after,
        "other bytes": sorted(name for name in expected if rows[name]["output"]["sha256"] != expected[name]),
        "wall s": round(wall, 1),
        "all builds s": round(sum(took.values()), 1),
        "longest way s": round(longest, 1),
        "bound s": round(max(longest, sum(took.values()) / 2), 1),
    }


if __name__ == "__main__":
    sys.exit(main())
