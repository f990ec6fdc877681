"""``emwheels tables``: the pages of docs/ that are made from what was built and tested."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from emwheels.package import Options
from emwheels.recipe import load_recipes
from emwheels.tables import packages_page, upstream_page
from emwheels.upstream import read_result
from emwheels.verbs.opening import open_pipeline

if TYPE_CHECKING:
    import argparse

    from emwheels.project import Project
    from emwheels.target import Targets


def add_tables(verbs: Any, common: argparse.ArgumentParser) -> None:
    """Add the verb's parser."""
    verbs.add_parser(
        "tables", parents=[common], help="write docs/packages.md and docs/upstream-tests.md; builds and tests nothing"
    )


def run_tables(arguments: argparse.Namespace, project: Project, targets: Targets) -> int:
    """Write the pages, print their names, and return the exit status."""
    pipeline = open_pipeline(arguments, project, targets)
    options = Options()
    recipes = load_recipes(project.recipes, patches=project.patches)
    results = [read_result(path) for path in sorted((project.root / "docs" / "upstream-tests").glob("*.json"))]
    suites = {result.package: result for result in results if result.package in recipes}
    pages = {
        "packages.md": packages_page(
            recipes,
            pipeline.survey((), options),
            suites,
            target=pipeline.target.name,
            profile=options.profile,
            date=datetime.now(UTC).date().isoformat(),
        ),
        "upstream-tests.md": upstream_page(suites.values()),
    }
    for name, text in pages.items():
        path = project.root / "docs" / name
        path.write_text(text, encoding="utf-8")
        print(path.relative_to(project.root))
    return 0
