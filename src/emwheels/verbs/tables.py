"""``emwheels tables``: the pages of docs/ that are made from what was built and tested, and whether they are right."""

from __future__ import annotations

import argparse
import json
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from emwheels.errors import EmwheelsError
from emwheels.package import Options
from emwheels.plan.key import input_digests
from emwheels.recipe.load import load_recipes
from emwheels.status.documents import recorded_results
from emwheels.status.ledger import DUE, WHEELS, Ledger, Wheel, problems, read_due, read_ledger, write_ledger
from emwheels.status.stamps import with_stamps
from emwheels.tables import packages_page, reproduce_page, upstream_page
from emwheels.upstream import SUITE_FILE, read_result
from emwheels.verbs.opening import open_pipeline

if TYPE_CHECKING:
    from pathlib import Path

    from emwheels.checkout import Project
    from emwheels.pipeline import Pipeline
    from emwheels.recipe.model import Recipe
    from emwheels.target import Targets

_EXAMPLES = """examples:
  emwheels tables            write docs/wheels.json and the pages from what is in the store
  emwheels tables --check    what in docs/ is of other wheels than it should be; needs nothing but the checkout

exit status: 0 all is right, or --check found nothing; 1 something is stale and not listed in docs/due.yaml
"""


def add_tables(verbs: Any, common: argparse.ArgumentParser) -> None:
    """Add the verb's parser."""
    parser = verbs.add_parser(
        "tables",
        parents=[common],
        help="write the tables of docs/, or check that they are of the present wheels; builds and tests nothing",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--check", action="store_true", help="write nothing; fail for what is stale and not listed")


def run_tables(arguments: argparse.Namespace, project: Project, targets: Targets) -> int:
    """Write the pages or check them, print what was done, and return the exit status."""
    docs = project.root / "docs"
    recipes = load_recipes(project.recipes, patches=project.patches)
    options, target, pins = Options(), targets.get(arguments.target), targets.image
    compiler = f"Emscripten {pins.emscripten}, LLVM {pins.llvm}, pyodide-build {pins.pyodide_build}"
    inputs = input_digests(recipes, target, profile=options.profile, compiler=compiler)
    ledger = read_ledger(docs / WHEELS)
    if not arguments.check:
        ledger = surveyed(open_pipeline(arguments, project, targets), ledger, options, inputs)
        write_ledger(ledger, docs / WHEELS)
    pages = written_pages(docs, ledger, recipes)
    if not arguments.check:
        for name, text in pages.items():
            (docs / name).write_text(text, encoding="utf-8")
        print("\n".join(f"docs/{name}" for name in (WHEELS, *pages)))
    found = problems(ledger, recorded_results(docs), read_due(docs / DUE), inputs)
    found += _missing_suites(docs, recipes)
    if arguments.check:
        other = [name for name, text in pages.items() if not _holds(docs / name, text)]
        found += [f"{name}: is not what `emwheels tables` writes" for name in other]
    if arguments.json:
        print(json.dumps(found, indent=1))
    else:
        print("".join(f"docs: {line}\n" for line in found), file=sys.stderr, end="")
    if not found or not arguments.check:
        return 0
    raise EmwheelsError(
        f"{len(found)} entries of docs/ are not of the present wheels",
        hint="build and test what is due (emwheels upstream-tests --due; emwheels tables), or list it in docs/due.yaml",
    )


def surveyed(pipeline: Pipeline, before: Ledger, options: Options, inputs: dict[str, str]) -> Ledger:
    """Return the wheels that are in the store for the present recipes; of others, what was known ``before``."""
    wheels = {name: wheel for name, wheel in before.wheels.items() if name in inputs}
    for outcome in pipeline.survey((), options):
        if (output := outcome.output) is not None:
            wheels[output.name] = Wheel(
                name=output.name,
                version=pipeline.recipe(output.name).version,
                kind=output.kind,
                filename=output.filename,
                sha256=output.sha256,
                content=pipeline.content(output),
                bytes=output.size,
                seconds=output.seconds,
                inputs=inputs[output.name],
                engines=outcome.engines,
            )
    date = datetime.now(UTC).date().isoformat()
    return Ledger(target=pipeline.target.name, profile=options.profile, date=date, wheels=wheels)


def written_pages(docs: Path, ledger: Ledger, recipes: dict[str, Recipe]) -> dict[str, str]:
    """Return the generated pages by name, and those of the others that have stamps as they should be."""
    results = [read_result(path) for path in sorted((docs / "upstream-tests").glob("*.json"))]
    suites = {result.package: result for result in results if result.package in recipes}
    reproduced = [json.loads(path.read_text(encoding="utf-8")) for path in sorted((docs / "reproduce").glob("*.json"))]
    pages = {
        "packages.md": packages_page(recipes, ledger, suites),
        "upstream-tests.md": upstream_page(suites.values(), ledger),
        "reproduce.md": reproduce_page(reproduced, ledger),
    }
    for path in sorted(docs.glob("*.md")):
        text = path.read_text(encoding="utf-8")
        if path.name not in pages and "<!-- wheels: " in text:
            pages[path.name] = with_stamps(text, ledger)
    return pages


def _missing_suites(docs: Path, recipes: dict[str, Recipe]) -> list[str]:
    return [
        f"upstream-tests/{name}: the recipe has {SUITE_FILE}, and no result is noted"
        for name, recipe in recipes.items()
        if (recipe.folder / SUITE_FILE).is_file() and not (docs / "upstream-tests" / f"{name}.json").is_file()
    ]


def _holds(path: Path, text: str) -> bool:
    return path.is_file() and path.read_text(encoding="utf-8") == text
