"""``emwheels fix``: a change of meta.yaml that mends what the last build of a recipe, or its tests, failed at."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from emwheels.atomic import read_regular, write_atomically
from emwheels.author.edit import difference, edited
from emwheels.author.fix import Remedy, remedies
from emwheels.build.diagnosis import diagnose, diagnose_tests, first_error
from emwheels.build.diagnosis.logs import end_of
from emwheels.cli.opening import add_profile, open_environment, open_recipes
from emwheels.errors import BuildError, UsageError, visible
from emwheels.recipe.load import find_recipe

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from emwheels.build.diagnosis import Found
    from emwheels.checkout import Checkout
    from emwheels.pipeline.environment import Environment
    from emwheels.pipeline.model import Run
    from emwheels.recipe.model import Recipe
    from emwheels.target import Targets

_EXAMPLES = """examples:
  emwheels fix pyerfa            why its build or its tests failed last, and a change of meta.yaml that mends it
  emwheels fix pyerfa --apply    write that change; comments stay
  emwheels fix pyerfa --json     the same for a script

It reads the log that the build left. Apply, build, and call it again: one failure often hides the next.

exit status: 0 there is a change, 6 none is known, 2 there is no log of a failure
"""
_SUCCEEDED = "Succeeded building package"
"""The last words of pyodide-build, where it has nothing to complain about."""
_MOST_LOGS = 20
_LARGEST_RECIPE = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Failure:
    """What a recipe failed at last."""

    log: Path
    error: tuple[str, ...]
    found: Found | None
    remedies: tuple[Remedy, ...]


def add_fix(verbs: Any, common: argparse.ArgumentParser) -> None:
    """Add the verb's parser."""
    parser = verbs.add_parser(
        "fix",
        parents=[common],
        help="why a build or its tests failed, and a change of meta.yaml that mends it",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("name", metavar="NAME", help="a recipe")
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--apply", action="store_true", help="write the change into meta.yaml")
    how.add_argument("--dry-run", action="store_true", help="only show it (default)")
    add_profile(parser, "of which build (default: speed)")


def run_fix(arguments: argparse.Namespace, project: Checkout, targets: Targets) -> int:
    """Show or apply the first remedy, and return the exit status."""
    environment = open_environment(arguments, project, targets)
    every = open_recipes(arguments, project, targets)[1].sound
    recipe = find_recipe(arguments.name, every, project.recipes)
    failure = failure_of(environment, recipe, every, arguments.profile)
    if failure is None:
        raise UsageError(
            f"{recipe.name}: there is no log of a failed build or test for {environment.target.name}",
            hint=f"emwheels build {recipe.name} makes one if it fails",
        )
    remedy = next((each for each in failure.remedies if each.edits), None)
    change = change_of(environment, recipe, remedy) if remedy else ""
    if remedy and change and arguments.apply:
        _write(_file(recipe), remedy)
    if arguments.json:
        print(json.dumps(_plain(recipe, failure, remedy, change, applied=bool(change) and arguments.apply), indent=1))
    else:
        _print(recipe, failure, remedy, change, applied=arguments.apply)
    return 0 if change else BuildError.exit_code


def failure_of(environment: Environment, recipe: Recipe, recipes: Mapping[str, Recipe], profile: str) -> Failure | None:
    """Return what the last build failed at, else what its tests did; None if there is nothing of either."""
    log = environment.logs / recipe.name / f"{environment.target.name}-{profile}.log"
    text = end_of(log)
    if text and _SUCCEEDED not in text:
        found = diagnose(text)
        known = remedies(text, recipe, recipes)
        return Failure(log=log, error=first_error(text), found=found, remedies=tuple(known))
    folder = environment.dist(profile) / "reports" / recipe.name / environment.target.name
    for report in sorted(folder.rglob("*.log"))[:_MOST_LOGS] if folder.is_dir() else ():
        text = end_of(report)
        if found := diagnose_tests(text):
            known = remedies(text, recipe, recipes, tests=True)
            return Failure(log=report, error=(), found=found, remedies=tuple(known))
    return None


def change_of(environment: Environment, recipe: Recipe, remedy: Remedy) -> str:
    """Return what a remedy changes, as a unified diff; empty if meta.yaml has it already."""
    file = _file(recipe)
    before = read_regular(file, limit=_LARGEST_RECIPE).decode()
    name = (
        file.relative_to(environment.project.root).as_posix() if file.is_relative_to(environment.project.root) else ""
    )
    return difference(before, edited(before, remedy.edits, str(file)), name or file.name)


def offer_remedies(run: Run, names: Iterable[str]) -> None:
    """Say on standard error what `emwheels fix` would change for the packages ``names``, which did not build."""
    for recipe in (run.recipes[name] for name in names if name in run.recipes):
        failure = failure_of(run.environment, recipe, run.recipes, run.options.profile)
        remedy = next((each for each in failure.remedies if each.edits), None) if failure else None
        if remedy and (change := change_of(run.environment, recipe, remedy)):
            words = f"{recipe.name}: {remedy.words}\n{change}To write this: emwheels fix {recipe.name} --apply"
            print(visible(words), file=sys.stderr)


def _file(recipe: Recipe) -> Path:
    return recipe.folder / "meta.yaml"


def _write(file: Path, remedy: Remedy) -> None:
    before = read_regular(file, limit=_LARGEST_RECIPE).decode()
    write_atomically(file, edited(before, remedy.edits, str(file)).encode())


def _plain(recipe: Recipe, failure: Failure, remedy: Remedy | None, change: str, *, applied: bool) -> dict[str, Any]:
    found = failure.found
    return {
        "name": recipe.name,
        "log": str(failure.log),
        "error": list(failure.error),
        "kind": found.kind.id if found else None,
        "advice": found.advice if found else None,
        "remedy": remedy.words if remedy else None,
        "change": change,
        "applied": applied,
        "wanted": [f"{each.wanted.kind} {each.wanted.name}" for each in failure.remedies if each.wanted],
    }


def _print(recipe: Recipe, failure: Failure, remedy: Remedy | None, change: str, *, applied: bool) -> None:
    for line in failure.error:
        print(f"  | {line}")
    if failure.found:
        print(failure.found.advice)
    print(f"the whole log is {failure.log}")
    for wanted in (each.words for each in failure.remedies if each.wanted):
        print(f"{wanted}: emwheels new-recipe writes one from Debian's sources")
    if not remedy or not change:
        print(f"{recipe.name}: no change of meta.yaml is known that mends this", file=sys.stderr)
        return
    print(f"\n{remedy.words}\n{change}", end="")
    next_step = f"now: emwheels build {recipe.name}" if applied else f"to write it: emwheels fix {recipe.name} --apply"
    print(next_step)
