"""``emwheels lock``: what a recipe's build, wheel and upstream tests require, pinned by hash."""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emwheels.cli.opening import open_environment
from emwheels.errors import UsageError
from emwheels.fetch.archive import unpack
from emwheels.fetch.download import Downloader
from emwheels.fetch.lock import lock_build_requirements, lock_pure_requirements, read_build_requirements
from emwheels.fetch.pip_configuration import pip_configuration
from emwheels.fetch.registries import Registries
from emwheels.recipe.graph import cross_requirements, foreign_requirements, pinned_to_recipes
from emwheels.recipe.load import find_recipe, load_recipes
from emwheels.upstream import LOCK_FILE, read_suite, split_requirements

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from emwheels.checkout import Checkout
    from emwheels.pipeline.environment import Environment
    from emwheels.recipe.model import Recipe
    from emwheels.target import Targets


def add_lock(verbs: Any, common: argparse.ArgumentParser) -> None:
    """Add the verb's parser."""
    lock = verbs.add_parser("lock", parents=[common], help="pin build, run and upstream-test requirements by hash")
    lock.add_argument("names", nargs="+", metavar="NAME", help="a recipe")


def run_lock(arguments: argparse.Namespace, project: Checkout, targets: Targets) -> int:
    """Lock, print the names of the files that were written, and return the exit status."""
    environment = open_environment(arguments, project, targets)
    recipes = load_recipes(project.recipes, patches=project.patches, names=arguments.names)
    everything = load_recipes(project.recipes, patches=project.patches)
    versions = {name: recipe.version for name, recipe in everything.items() if recipe.build.type == "package"}
    pythons = sorted({target.python_minor for target in targets.targets.values()})
    index, wheels = pip_configuration(), Registries(Downloader()).wheel_hashes
    lock_pure = partial(lock_pure_requirements, recipes=versions, pythons=pythons, index=index, wheels=wheels)
    for name in arguments.names:
        recipe = find_recipe(name, recipes, project.recipes)
        if recipe.source.url is None or recipe.build.type != "package":
            raise UsageError(f"{name} has no build requirements of its own: it is a {recipe.build.type}")
        with environment.board.phase(name, "lock"):
            asked = _build_requirements(environment, recipe, recipe.source.url)
        asked = pinned_to_recipes(asked, cross_requirements(recipe, recipes))
        destination = recipe.folder / "requirements.build.txt"
        lock_build_requirements(asked, destination, pythons=pythons, index=index, wheels=wheels)
        print(destination.relative_to(project.root))
        suite = read_suite(recipe.folder)
        for file, requirements in (
            ("requirements.run.txt", foreign_requirements(recipe, versions)),
            (LOCK_FILE, split_requirements(suite, versions)[1] if suite else []),
        ):
            _lock_pure(environment, recipe.folder / file, requirements, lock_pure)
    return 0


def _build_requirements(environment: Environment, recipe: Recipe, url: str) -> list[str]:
    with tempfile.TemporaryDirectory() as folder:
        fetched = environment.fetcher.fetch(url, recipe.source.sha256)
        named = Path(folder) / fetched.filename
        named.symlink_to(fetched.path)
        tree = unpack(named, Path(folder) / "tree", strip_single_top=True)
        return [*read_build_requirements(tree), *recipe.requirements.build_extras]


def _lock_pure(
    environment: Environment, file: Path, requirements: list[str], lock_pure: Callable[[list[str], Path], None]
) -> None:
    if not requirements:
        file.unlink(missing_ok=True)
        return
    lock_pure(requirements, file)
    environment.pure_wheels(file)  # now, as one that is not pure Python is a mistake in the recipe
    print(file.relative_to(environment.project.root))
