"""``emwheels fix``: a change of meta.yaml that mends what the last build of a recipe, or its tests, failed at."""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING, Any

from emwheels.author.failure import change_of, failure_of, write_change
from emwheels.cli.opening import add_profile, open_environment, open_recipes
from emwheels.errors import BuildError, UsageError, visible
from emwheels.recipe.load import find_recipe

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from emwheels.author.failure import Failure
    from emwheels.author.fix import Remedy
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
    recipe = find_recipe(arguments.name, every, project.shelves)
    failure = failed(environment, recipe, every, arguments.profile)
    if failure is None:
        raise UsageError(
            f"{recipe.name}: there is no log of a failed build or test for {environment.target.name}",
            hint=f"emwheels build {recipe.name} makes one if it fails",
        )
    remedy = failure.remedy
    change = change_of(project.root, recipe, remedy) if remedy else ""
    if arguments.apply:
        project.check_own(recipe.folder, "fix")
    if remedy and change and arguments.apply:
        write_change(recipe, remedy)
    if arguments.json:
        print(json.dumps(_plain(recipe, failure, remedy, change, applied=bool(change) and arguments.apply), indent=1))
    else:
        _print(recipe, failure, remedy, change, applied=arguments.apply)
    return 0 if change else BuildError.exit_code


def failed(environment: Environment, recipe: Recipe, recipes: Mapping[str, Recipe], profile: str) -> Failure | None:
    """Return what the last build of ``recipe`` for a profile, or its tests, failed at."""
    log = environment.logs / recipe.name / f"{environment.target.name}-{profile}.log"
    return failure_of(log, reports_of(environment, recipe.name, profile), recipe, recipes)


def reports_of(environment: Environment, name: str, profile: str) -> Path:
    """Return the folder in which the tests of a package leave their logs."""
    return environment.dist(profile) / "reports" / name / environment.target.name


def offer_remedies(run: Run, names: Iterable[str]) -> None:
    """Say on standard error what `emwheels fix` would change for the packages ``names``, which did not build."""
    for recipe in (run.recipes[name] for name in names if name in run.recipes):
        failure = failed(run.environment, recipe, run.recipes, run.options.profile)
        remedy = failure.remedy if failure else None
        if remedy and (change := change_of(run.environment.project.root, recipe, remedy)):
            words = f"{recipe.name}: {remedy.words}\n{change}To write this: emwheels fix {recipe.name} --apply"
            print(visible(words), file=sys.stderr)


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
