"""``emwheels lock``: what a recipe's build, wheel, own and upstream tests require, pinned by hash."""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emwheels.build.source import unpack_source
from emwheels.cli.opening import NAMES, open_environment, open_recipes, say_bad
from emwheels.errors import UsageError
from emwheels.fetch.download import PATIENCE, Downloader
from emwheels.fetch.lock import lock_build_requirements, lock_pure_requirements, read_build_requirements
from emwheels.fetch.lock_index import LockIndex
from emwheels.fetch.registries import Registries
from emwheels.recipe.graph import cross_requirements, foreign_requirements, pinned_to_recipes
from emwheels.recipe.own_tests import TEST_LOCK
from emwheels.recipe.select import is_selector
from emwheels.upstream import LOCK_FILE, read_suite, split_requirements

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Mapping, Sequence

    from emwheels.checkout import Checkout
    from emwheels.fetch.lock import Pinned
    from emwheels.pipeline.environment import Environment
    from emwheels.recipe.model import Recipe
    from emwheels.target import Targets

    _Lock = Callable[[list[str], Path], Sequence[Pinned]]


def add_lock(verbs: Any, common: argparse.ArgumentParser) -> None:
    """Add the verb's parser."""
    lock = verbs.add_parser("lock", parents=[common], help="pin build, run and test requirements by hash")
    lock.add_argument("names", nargs="+", metavar="NAME", help=NAMES)
    lock.add_argument(
        "--any-index",
        action="append",
        default=[],
        metavar="PROJECT",
        help="take this project from any of pip's indexes, not only from the first that has it; may be repeated",
    )


def run_lock(arguments: argparse.Namespace, project: Checkout, targets: Targets) -> int:
    """Lock, print the names of the files that were written, and return the exit status."""
    environment = open_environment(arguments, project, targets)
    read, every = open_recipes(arguments, project, targets, arguments.names)
    recipes, bad = read.sound, say_bad(read.bad)
    versions = {name: recipe.version for name, recipe in every.sound.items() if recipe.build.type == "package"}
    patterns = any(map(is_selector, arguments.names))  # which may pick libraries, too
    chosen = [recipes[name] for name in read.names if name in recipes and not (patterns and name not in versions)]
    pythons = sorted({target.python_minor for target in targets.targets.values()})
    downloader = Downloader(patience=PATIENCE)
    with LockIndex(Registries(downloader), downloader) as index:
        options = {"pythons": pythons, "index": index, "any_index": arguments.any_index}
        lock_build = partial(lock_build_requirements, **options)
        lock_pure = partial(lock_pure_requirements, recipes=versions, **options)
        for recipe in chosen:
            _lock_build(environment, recipe, recipes, lock_build)
            suite = read_suite(recipe.folder)
            for file, requirements in (
                ("requirements.run.txt", foreign_requirements(recipe, versions)),
                (LOCK_FILE, split_requirements(suite, versions)[1] if suite else []),
                (TEST_LOCK, recipe.own_tests.to_lock(versions)),
            ):
                _lock_pure(environment, recipe.folder / file, requirements, lock_pure)
    return bad


def _lock_build(environment: Environment, recipe: Recipe, recipes: Mapping[str, Recipe], lock: _Lock) -> None:
    if recipe.source.url is None or recipe.build.type != "package":
        raise UsageError(f"{recipe.name} has no build requirements of its own: it is a {recipe.build.type}")
    with environment.board.phase(recipe.name, "lock"):
        asked = _build_requirements(environment, recipe, recipe.source.url)
    asked = pinned_to_recipes(asked, cross_requirements(recipe, recipes))
    destination = recipe.folder / "requirements.build.txt"
    _tell(environment, destination, lock(asked, destination))


def _build_requirements(environment: Environment, recipe: Recipe, url: str) -> list[str]:
    with tempfile.TemporaryDirectory() as folder:
        fetched = environment.fetcher.fetch(url, recipe.source.sha256)
        tree = unpack_source(recipe, fetched, Path(folder) / "tree")
        label = f"{fetched.filename}: pyproject.toml"
        return [*read_build_requirements(tree, label=label), *recipe.requirements.build_extras]


def _lock_pure(environment: Environment, file: Path, requirements: list[str], lock: _Lock) -> None:
    if not requirements:
        file.unlink(missing_ok=True)
        return
    pinned = lock(requirements, file)
    environment.pure_wheels(file)  # now, as one that is not pure Python is a mistake in the recipe
    _tell(environment, file, pinned)


def _tell(environment: Environment, file: Path, pinned: Sequence[Pinned]) -> None:
    """Print the file, and beside it which index each version came from."""
    for pin in pinned:
        environment.board.say(file.parent.name, f"{pin.name} {pin.version} from {pin.index}")
    print(file.relative_to(environment.project.root))
