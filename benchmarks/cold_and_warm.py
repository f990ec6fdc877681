"""How long a package takes cold, with a warm compiler cache, and with a warm store.

Cold: built without ccache. Warm ccache: built again after a build that filled it. Warm store: a command of its own that
finds the wheel there. What the package needs is built beforehand and not counted; nothing is tested.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from emwheels.errors import EmwheelsError
from emwheels.pipeline.building import build_package
from emwheels.pipeline.environment import Environment, environment_here
from emwheels.pipeline.known import key_of
from emwheels.pipeline.model import Options, Outcome
from emwheels.pipeline.run import make_run, outputs_of, run_packages
from emwheels.progress import print_table
from emwheels.recipe.load import load_recipes


@dataclass(frozen=True, kw_only=True)
class Times:
    """Wall seconds of one package."""

    package: str
    cold: float
    warm_ccache: float
    warm_store: float
    hits: str
    """Objects that came out of ccache in the warm build."""
    ratio: float
    """Warm ccache over cold."""


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("packages", nargs="*", help="recipes (default: all)")
    parser.add_argument("--profile", default="speed")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    arguments = parser.parse_args()
    environment = environment_here(Path(__file__).parent)
    project = environment.project
    names = arguments.packages or list(load_recipes(project.shelves))
    found = []
    for name in names:
        try:
            found.append(measure(environment, name, arguments.profile))
        except EmwheelsError as error:
            print(f"{name}: {error.message}\n  {error.hint}", file=sys.stderr)
    if arguments.json:
        print(json.dumps([asdict(times) for times in found], indent=1))
        return 0
    headings = ("package", "cold", "warm ccache", "/ cold", "objects from ccache", "warm store")
    rows = (
        (
            times.package,
            f"{times.cold:.1f}",
            f"{times.warm_ccache:.1f}",
            f"{times.ratio:.2f}",
            times.hits,
            f"{times.warm_store:.1f}",
        )
        for times in found
    )
    print_table(headings, rows, right=headings[1:])
    return 0 if len(found) == len(names) else 1


def measure(environment: Environment, name: str, profile: str) -> Times:
    """Build ``name`` cold, filling and warm, and look it up in a process of its own."""
    run = make_run(environment, [name], Options(profile=profile, test=False))
    outputs = outputs_of(run_packages(run))
    recipe = run.recipe(name)
    key = key_of(run, recipe, outputs)
    seconds = {}
    last = Outcome(name=recipe.name, state="failed")
    for what, ccache in (("cold", False), ("filling", True), ("warm", True)):
        last = Outcome(name=recipe.name, state="failed")
        started = time.monotonic()
        build_package(replace(run, options=replace(run.options, ccache=ccache)), recipe, key, outputs, last)
        seconds[what] = time.monotonic() - started
    command = [sys.executable, "-m", "emwheels", "--project", str(environment.project.root), "build", name, "--no-test"]
    started = time.monotonic()
    subprocess.run([*command, "--profile", profile], check=True, stdout=subprocess.DEVNULL)
    return Times(
        package=recipe.name,
        cold=round(seconds["cold"], 2),
        warm_ccache=round(seconds["warm"], 2),
        warm_store=round(time.monotonic() - started, 2),
        hits=str(last.ccache),
        ratio=round(seconds["warm"] / seconds["cold"], 3),
    )


if __name__ == "__main__":
    sys.exit(main())
