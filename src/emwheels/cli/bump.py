"""``emwheels bump``: what is newer than the recipes, and recipes of a newer version once that builds and passes."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING, Any

from emwheels.author.bump import bump, changed
from emwheels.author.newer import FAILED, NEWER, Standing, asked_for, published, standings
from emwheels.cli.bump_report import LookReport, add_advisories, advisories_of
from emwheels.cli.bump_steps import noted, steps_of
from emwheels.cli.opening import add_profile, open_environment
from emwheels.errors import EmwheelsError, FetchError, UsageError
from emwheels.fetch.download import PATIENCE, Downloader
from emwheels.fetch.registries import Registries
from emwheels.harness.engines import ENGINES
from emwheels.recipe.load import find_recipe, load_recipes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from emwheels.author.bump import Bumped
    from emwheels.checkout import Checkout
    from emwheels.pipeline.environment import Environment
    from emwheels.recipe.model import Recipe
    from emwheels.target import Targets

SOMETHING_NEWER = 11
"""The exit status of a look that found something to do."""
_EXAMPLES = f"""examples:
  emwheels bump --check                  what is newer than each recipe, on the package index and in Debian
  emwheels bump --check --advisories DIR the same, and which pinned versions have known vulnerabilities
  emwheels bump --published              for which recipes upstream publishes a wheel for the target by now
  emwheels bump regex                    the newest version: rewrite, lock, build, test; undone if anything fails
  emwheels bump regex --to 2026.11.19    that version
  emwheels bump --all --no-build         rewrite and lock every recipe that has something newer

exit status: 0 nothing to do, or all is done; {SOMETHING_NEWER} --check found something newer or vulnerable;
  otherwise that of the first failure, such as 3 recipe or patch, 4 a registry, 6 build, 8 tests
"""


def add_bump(verbs: Any, parents: list[argparse.ArgumentParser]) -> None:
    """Add the verb's parser."""
    parser = verbs.add_parser(
        "bump",
        parents=parents,
        help="find newer versions of what recipes build, and change recipes to them",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="a recipe")
    parser.add_argument("--all", action="store_true", help="every recipe")
    parser.add_argument("--check", action="store_true", help="only say what is newer; all recipes without a name")
    parser.add_argument("--published", action="store_true", help="only say which recipes upstream has a wheel of")
    parser.add_argument("--to", metavar="VERSION", help="this version of the source instead of the newest")
    parser.add_argument("--no-build", action="store_true", help="rewrite and lock only")
    parser.add_argument("--keep", action="store_true", help="keep the rewritten recipe even if something fails")
    parser.add_argument("--engine", action="append", choices=ENGINES, help="test in this engine only; may be repeated")
    add_profile(parser)
    add_advisories(parser)


def run_bump(arguments: argparse.Namespace, project: Checkout, targets: Targets) -> int:
    """Look, or change recipes, print what came of it, and return the exit status."""
    _check_options(arguments)
    recipes = load_recipes(project.shelves)
    own = [recipe for recipe in recipes.values() if project.is_own(recipe.folder)]
    chosen = [find_recipe(name, recipes, project.shelves) for name in arguments.names] or own
    if arguments.check or arguments.published:
        return _look(arguments, targets, chosen, recipes)
    for recipe in chosen:
        project.check_own(recipe.folder, "bump")
    environment = open_environment(arguments, project, targets)
    named: dict[str, Recipe] = {recipe.name: recipe for recipe in chosen}
    stand = [asked_for(chosen[0], arguments.to)] if arguments.to else _standings(arguments, targets, chosen)
    results = [_bump_one(arguments, environment, named[each.name], each) for each in stand if _shown(arguments, each)]
    if arguments.json:
        print(json.dumps(results, indent=1))
    return next((row["status"] for row in results if row["status"]), 0)


def _check_options(arguments: argparse.Namespace) -> None:
    looking = arguments.check or arguments.published
    if arguments.names and arguments.all:
        raise UsageError("give names or --all, not both")
    if not (arguments.names or arguments.all or looking):
        raise UsageError("name a recipe, or give --all", hint="to see first what is newer: emwheels bump --check")
    if arguments.to and (len(arguments.names) != 1 or looking):
        raise UsageError("--to is for one recipe, named", hint="for example: emwheels bump NAME --to VERSION")
    if arguments.check and arguments.published:
        raise UsageError("give --check or --published, not both")
    if arguments.offline:
        raise UsageError("bump asks package indexes and mirrors", hint="leave --offline away")


def _look(arguments: argparse.Namespace, targets: Targets, chosen: list[Recipe], recipes: Mapping[str, Recipe]) -> int:
    target = targets.get(arguments.target)
    if arguments.published:
        registries, platforms = Registries(Downloader(patience=PATIENCE)), [target.platform_tag]
        stand = published(chosen, registries, python=target.python, platforms=platforms)
        LookReport(standings=stand, looked=None, published=True, target=target.name).show(as_json=arguments.json)
        return 0
    looked = advisories_of(arguments, chosen, recipes)  # first, as a path that is not there is said at once
    stand = _standings(arguments, targets, chosen)
    report = LookReport(standings=stand, looked=looked, published=False, target=target.name)
    report.show(as_json=arguments.json)
    return _status(report, stand)


def _standings(arguments: argparse.Namespace, targets: Targets, chosen: list[Recipe]) -> list[Standing]:
    registries, python = Registries(Downloader(patience=PATIENCE)), targets.get(arguments.target).python
    return standings(chosen, registries, suite=targets.image.suite, python=python)


def _status(report: LookReport, stand: list[Standing]) -> int:
    """Return what --check ends with: something to do counts more than a registry that did not answer."""
    if report.findings or any(each.state == NEWER for each in stand):
        return SOMETHING_NEWER
    return FetchError.exit_code if any(each.state == FAILED for each in stand) else 0


def _shown(arguments: argparse.Namespace, standing: Standing) -> bool:
    """Tell whether there is anything to say of a recipe: with --all, not of those that are the newest."""
    return bool(arguments.names) or standing.state in (NEWER, FAILED)


def _bump_one(
    arguments: argparse.Namespace, environment: Environment, recipe: Recipe, standing: Standing
) -> dict[str, Any]:
    """Change one recipe, say what came of it, and return that for JSON."""
    row: dict[str, Any] = {"name": recipe.name, "from": recipe.version, "to": standing.newest, "state": standing.state}
    if standing.state != NEWER:
        row["status"] = FetchError.exit_code if standing.state == FAILED else 0
        return _said(arguments, row, standing.note)
    try:
        with environment.store.lock(f"bump-{recipe.name}"):
            done = bump(
                environment.project.root,
                recipe,
                changed(recipe, standing.newest),
                sha256=lambda url: environment.fetcher.fetch(url, None).sha256,
                steps=steps_of(arguments, environment, recipe),
                parts=[environment.project.recipes, environment.project.patches, environment.project.targets_file],
                folder=environment.project.cache / "bump" / recipe.name,
                also=[noted(recipe)],
                keep=arguments.keep,
            )
    except EmwheelsError as error:
        return _said(arguments, row | {"state": "failed", "status": error.exit_code}, _words(error))
    return _told(arguments, environment, done)


def _words(error: EmwheelsError) -> str:
    return f"{error.message}\n  {error.hint}" if error.hint else error.message


def _said(arguments: argparse.Namespace, row: dict[str, Any], note: str) -> dict[str, Any]:
    if not arguments.json:
        words = note or "nothing is newer"
        print(f"{row['name']} {row['from']}: {words}")
    return row | {"note": note, "steps": [], "diff": "", "written": False}


def _told(arguments: argparse.Namespace, environment: Environment, done: Bumped) -> dict[str, Any]:
    """Print what came of a recipe that was tried, and return that for JSON."""
    state = "bumped" if done.error is None else "failed"
    kept = environment.project.cache / "bump" / done.name
    if not arguments.json:
        print(f"{done.name} {done.before} -> {done.after}: {state}")
        print("".join(f"  {name}: {words}\n" for name, words in done.steps), end="")
        if done.error is not None:
            what = "was kept all the same" if done.written else "is as it was"
            print(f"  {_words(done.error)}\n  the recipe {what}; what was tried is in {kept}; meta.yaml there:")
        print(done.diff, end="")
        if done.written:
            print(f"To publish it: emwheels build {done.name}; to write its rows: emwheels tables {done.name}")
    return {
        "name": done.name,
        "from": done.before,
        "to": done.after,
        "state": state,
        "note": _words(done.error) if done.error else "",
        "status": done.error.exit_code if done.error else 0,
        "steps": [{"name": name, "said": words} for name, words in done.steps],
        "diff": done.diff,
        "written": done.written,
    }
