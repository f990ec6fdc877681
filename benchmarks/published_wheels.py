"""Our wheels against the published ones: their bytes, and the same tests in the same engines.

The published wheels are those that the packages' own projects put on the package index for Pyodide, pinned here by
hash. Ours are built where they are missing. All of them get the dependencies of our `speed` profile.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from emwheels.errors import EmwheelsError
from emwheels.harness import run_tests
from emwheels.harness.engines import ENGINES
from emwheels.pipeline.building import build_package
from emwheels.pipeline.environment import Environment, environment_here
from emwheels.pipeline.known import existing, key_of
from emwheels.pipeline.model import Options, Outcome
from emwheels.pipeline.run import make_run, outputs_of, run_packages
from emwheels.progress import print_table
from emwheels.recipe.load import load_recipes

if TYPE_CHECKING:
    from emwheels.outputs.builds import Output
    from emwheels.recipe.model import Recipe

TARGET = "314.0.7"
PROFILES = ("size", "speed")


@dataclass(frozen=True, kw_only=True)
class Published:
    """A wheel on the package index."""

    version: str
    sha256: str


PUBLISHED = {
    "msgpack": Published(version="1.2.4", sha256="06a0657a4110d563255006b7cb7147432f67827144e429c2cdb1c967548d1817"),
    "xxhash": Published(version="4.1.0", sha256="eb2a048fad81ab55ef3e835b8440a73bb7b8b709140a1e9fe77091863b2172c5"),
    "contourpy": Published(version="1.4.0", sha256="fa1b787362a3856e63dd2b89449f6c384d55ee1beb8f94f4bcc871b40f02462c"),
}


@dataclass(kw_only=True)
class Row:
    """One wheel and what the engines made of it."""

    package: str
    wheel: str
    """``published``, or the profile of ours."""
    bytes: int
    ratio: float
    """Bytes over those of the published wheel."""
    engines: dict[str, str] = field(default_factory=dict)
    """Engine -> ``59/0``: passed and failed."""
    same: bool = True
    """Every test ended in every engine as with the published wheel."""


def main() -> int:
    """Run the comparison, print it, and return 0 if all results are the same."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("packages", nargs="*", metavar="PACKAGE", help=f"of {', '.join(PUBLISHED)} (default: all)")
    parser.add_argument("--json", action="store_true", help="print the rows as JSON")
    arguments = parser.parse_args()
    if unknown := set(arguments.packages) - PUBLISHED.keys():
        parser.error(f"no published wheel is pinned for {', '.join(sorted(unknown))}")
    environment = environment_here(Path(__file__).parent, TARGET)
    try:
        rows = [row for name in arguments.packages or PUBLISHED for row in compare(environment, name)]
    except EmwheelsError as error:
        print(f"{error.message}\n  {error.hint}", file=sys.stderr)
        return error.exit_code
    if arguments.json:
        print(json.dumps([asdict(row) for row in rows], indent=1))
    else:
        print_rows(rows)
    return 0 if all(row.same for row in rows) else 1


def compare(environment: Environment, name: str) -> list[Row]:
    """Return a row for the published wheel and one for each of ours. Raises `EmwheelsError` for a failed build."""
    published = PUBLISHED[name]
    recipe = load_recipes(environment.project.shelves, names=[name])[name]
    if recipe.version != published.version:
        raise EmwheelsError(f"{name}: the recipe builds {recipe.version}, the pinned wheel is {published.version}")
    ours, needed = wheels_of(environment, recipe)
    file_name = ours["size"].filename
    fetched = environment.fetcher.fetch(f"pkg:pypi/{name}@{published.version}?file_name={file_name}", published.sha256)
    rows: list[Row] = []
    reference: dict[tuple[str, str], str] = {}
    with tempfile.TemporaryDirectory() as folder:
        dependencies = [environment.named_wheel(output) for output in needed]
        for kind in ("published", *PROFILES):
            wheel = Path(folder) / kind / file_name
            wheel.parent.mkdir()
            source = fetched.path if kind == "published" else environment.store.get(ours[kind].kind, ours[kind].sha256)
            shutil.copyfile(source, wheel)
            environment.board.say(name, f"tests of the wheel: {kind}")
            results = run_tests(
                image=environment.test_image,
                runtime=environment.runtime,
                playwright_core=environment.playwright_core,
                harness_wheels=environment.harness_wheels,
                wheels=[wheel, *dependencies],
                requirements=[f"{name}=={published.version}"],
                tests=recipe.folder,
                engines=tuple(ENGINES),
                output=environment.logs / "benchmarks" / name / kind,
            )
            ends = {(engine, c.nodeid): c.outcome for engine, result in results.items() for c in result.cases}
            if kind == "published":
                reference = dict(ends)
            size = wheel.stat().st_size
            rows.append(
                Row(
                    package=name,
                    wheel=kind,
                    bytes=size,
                    ratio=round(size / fetched.path.stat().st_size, 4),
                    engines={engine: f"{r.passed}/{r.failed + r.errors}" for engine, r in results.items()},
                    same=ends == reference,
                )
            )
    return rows


def wheels_of(environment: Environment, recipe: Recipe) -> tuple[dict[str, Output], list[Output]]:
    """Return the wheel of ``recipe`` in each profile, and the wheels of what it needs; what is missing is built.

    Only the package itself is built in more than one profile. Raises `EmwheelsError` when something does not build.
    """
    outputs = outputs_of(run_packages(make_run(environment, [recipe.name], Options(profile="speed", test=False))))
    ours = {"speed": outputs.pop(recipe.name)}
    for profile in set(PROFILES) - ours.keys():
        run = make_run(environment, [recipe.name], Options(profile=profile, test=False))
        key = key_of(run, recipe, outputs)
        found = existing(run, key)
        ours[profile] = (
            found[0] if found else build_package(run, recipe, key, outputs, Outcome(name=recipe.name, state="failed"))
        )
    return ours, [output for output in outputs.values() if output.kind == "wheels"]


def print_rows(rows: list[Row]) -> None:
    """Print the rows as a table."""
    cells = []
    for row in rows:
        results = (row.engines[engine] for engine in ENGINES)
        same = "yes" if row.same else "no"
        cells.append((row.package, row.wheel, f"{row.bytes:,}", f"{row.ratio:.4f}", *results, same))
    headings = ("package", "wheel", "bytes", "/ published", *ENGINES, "same results")
    print_table(headings, cells, right=("bytes", "/ published"))
    print("engines: tests passed/failed")


if __name__ == "__main__":
    sys.exit(main())
