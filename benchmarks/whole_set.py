"""How long a set of recipes takes together: cold, with a warm compiler cache, and with a warm store.

    python benchmarks/whole_set.py                            every recipe
    python benchmarks/whole_set.py numpy msgpack --jobs 2     some, and what they need
    python benchmarks/whole_set.py --cache /var/tmp/emwheels  keep the cache that it builds in

Cold: nothing is in the store and nothing in ccache; sources and the image are there. Warm ccache: all of it is built
again. Warm store: a command of its own finds everything there. Nothing is tested. The times of the packages are those
of their compile phases, which share the machine. What comes out warm has to be byte for byte what came out cold.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from caches import IMAGE, SOURCES, make_cache

from emwheels.pipeline.environment import Environment, environment_here, environment_of
from emwheels.pipeline.model import Options
from emwheels.pipeline.run import make_run, outputs_of, run_packages
from emwheels.progress import print_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from emwheels.pipeline.model import Outcome


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("packages", nargs="*", help="recipes (default: all)")
    parser.add_argument("--profile", default="speed")
    parser.add_argument("--jobs", type=int, default=0, help="cores for all builds together (those of the machine)")
    parser.add_argument("--cache", type=Path, help="an empty folder to build in, and to keep")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    arguments = parser.parse_args()
    real = environment_here(Path(__file__).parent).project
    with ExitStack() as kept:
        folder = arguments.cache or Path(kept.enter_context(tempfile.TemporaryDirectory()))
        if (folder / "store" / "records" / "builds").exists():
            parser.error(f"{folder}: something was built there already, which would not be cold")
        project = replace(real, cache=make_cache(folder.resolve(), real.cache, (*IMAGE, *SOURCES)))
        options = Options(profile=arguments.profile, test=False, jobs=arguments.jobs)
        cold, cold_seconds = run(environment_of(project), arguments.packages, options)
        warm, warm_seconds = run(environment_of(project), arguments.packages, replace(options, rebuild=True))
        began = time.monotonic()
        command = [sys.executable, "-m", "emwheels", "--project", str(project.root), "build", "--no-test"]
        command += ["--profile", arguments.profile, *(arguments.packages or ["--all"])]
        environment = {**os.environ, "EMWHEELS_CACHE": str(project.cache)}
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=environment)
        store_seconds = time.monotonic() - began
    result: dict[str, Any] = {
        "seconds": {
            "cold": round(cold_seconds, 1),
            "warm ccache": round(warm_seconds, 1),
            "warm store": round(store_seconds, 2),
        },
        "packages": {one.name: package(one, other) for one, other in zip(cold, warm, strict=True)},
    }
    if arguments.json:
        print(json.dumps(result, indent=1))
    else:
        show(result)
    return 0 if all(row["same bytes"] for row in result["packages"].values()) else 1


def run(environment: Environment, names: Sequence[str], options: Options) -> tuple[list[Outcome], float]:
    """Build and return what came of it, and the wall seconds. Raises the first error of a package."""
    began = time.monotonic()
    outcomes = run_packages(make_run(environment, names, options))
    seconds = time.monotonic() - began
    outputs_of(outcomes)
    return outcomes, seconds


def package(cold: Outcome, warm: Outcome) -> dict[str, Any]:
    """Return one row."""
    one, other = cold.phases["compile"], warm.phases["compile"]
    assert cold.output is not None
    assert warm.output is not None
    return {
        "cold": one,
        "warm ccache": other,
        "warm / cold": round(other / one, 2),
        "from ccache": str(warm.ccache),
        "bytes": cold.output.size,
        "same bytes": cold.output.sha256 == warm.output.sha256,
    }


def show(result: dict[str, Any]) -> None:
    """Print a table of the packages, the longest first, and one of the whole."""
    rows = sorted(result["packages"].items(), key=lambda item: -item[1]["cold"])
    headings = ("package", "cold s", "warm ccache s", "/ cold", "from ccache", "same bytes")
    cells = (
        (
            name,
            f"{row['cold']:.1f}",
            f"{row['warm ccache']:.1f}",
            f"{row['warm / cold']:.2f}",
            row["from ccache"],
            "yes" if row["same bytes"] else "NO",
        )
        for name, row in rows
    )
    print_table(headings, cells, right=headings[1:])
    print(", ".join(f"{what} {seconds:,.1f} s" for what, seconds in result["seconds"].items()))


if __name__ == "__main__":
    sys.exit(main())
