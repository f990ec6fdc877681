"""Whether two caches hold the same bytes for the same build keys: a table of recipes.

    python benchmarks/same_bytes.py /var/tmp/other-cache                    against the user's own
    python benchmarks/same_bytes.py /var/tmp/other-cache --json

Build the other one as differently as you like: in another folder, by another user, on another day, with another number
of jobs, with or without a compiler cache. A recipe that only one of them has is listed as not compared.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from emwheels.pipeline.environment import Environment, environment_here, environment_of
from emwheels.pipeline.model import Options
from emwheels.pipeline.run import make_run
from emwheels.pipeline.survey import survey

if TYPE_CHECKING:
    from emwheels.outputs.builds import Output


def main() -> int:
    """Compare, print, and return 1 if something differs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cache", type=Path, help="another cache folder")
    parser.add_argument("--profile", default="speed")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    arguments = parser.parse_args()
    if not (arguments.cache / "store").is_dir():
        parser.error(f"{arguments.cache} is no cache folder: it has no store")
    here = environment_here(Path(__file__).parent)
    there = environment_of(replace(here.project, cache=arguments.cache.resolve()))
    mine, other = outputs(here, arguments.profile), outputs(there, arguments.profile)
    rows = [
        {"recipe": name, "file": mine[name].filename, "same bytes": mine[name].sha256 == other[name].sha256}
        for name in sorted(mine.keys() & other.keys())
    ]
    if arguments.json:
        print(json.dumps({"compared": rows, "not compared": sorted(mine.keys() ^ other.keys())}, indent=1))
    else:
        table = Table("recipe", "file", "same bytes", box=None, pad_edge=False)
        for row in rows:
            table.add_row(str(row["recipe"]), str(row["file"]), "yes" if row["same bytes"] else "NO")
        Console(highlight=False, width=120).print(table)
        print(f"{sum(bool(row['same bytes']) for row in rows)} of {len(rows)} the same")
        if one := sorted(mine.keys() ^ other.keys()):
            print(f"not compared: {', '.join(one)}")
    return 0 if all(row["same bytes"] for row in rows) else 1


def outputs(environment: Environment, profile: str) -> dict[str, Output]:
    """Return what the store of a project has for its recipes as they are."""
    found = survey(make_run(environment, [], Options(profile=profile, test=False)))
    return {outcome.name: outcome.output for outcome in found if outcome.output is not None}


if __name__ == "__main__":
    sys.exit(main())
