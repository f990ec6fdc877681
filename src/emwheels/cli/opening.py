"""What the options of a verb ask for: the environment, and what was built before."""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import TYPE_CHECKING

from emwheels.errors import RecipeError, UsageError, without_secrets
from emwheels.image.toolchain import TOOLCHAINS
from emwheels.outputs.builds import Builds
from emwheels.pipeline.environment import Environment
from emwheels.progress import Board
from emwheels.recipe.load import Recipes, read_recipes, recipe_folders
from emwheels.recipe.overrides import Aim
from emwheels.target.limits import LIMITS, default_limits

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from emwheels.checkout import Checkout
    from emwheels.recipe.load import RecipeProblems
    from emwheels.target import Targets


DOCUMENTED_PROFILE = "speed"
"""The default, and the one that docs/ is about."""


def local_path(text: str) -> Path:
    """Return the path that an argument is, for argparse. An address would become a folder with its password."""
    if _ADDRESS.match(text):
        raise argparse.ArgumentTypeError(f"{without_secrets(text)} is an address; give a path of this machine")
    if not text:
        raise argparse.ArgumentTypeError("it is empty; give a path")
    return Path(text)


_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:/")


def add_profile(
    parser: argparse.ArgumentParser,
    words: str = "how to optimise: speed (default), size, debug, or a profile of targets.toml",
) -> None:
    """Add ``--profile``, which is for what ``words`` say."""
    parser.add_argument("--profile", metavar="NAME", default=None, help=words)


def dist_of(project: Checkout, profile: str) -> Path:
    """Return the working index of a profile."""
    return project.dist_of(profile)


def closing_lock_of(project: Checkout, profile: str) -> Path:
    """Return the file that pins what the working index of a profile has from elsewhere."""
    return project.root / ("index.lock" if profile == DOCUMENTED_PROFILE else f"index.{profile}.lock")


def add_limits(parser: argparse.ArgumentParser) -> None:
    """Add ``--limit`` and ``--build-seconds``."""
    parser.add_argument(
        "--limit",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help=f"what a build may use, e.g. memory=8G, time=2h or idle=none; may be repeated. Names: {', '.join(LIMITS)}",
    )
    parser.add_argument("--build-seconds", metavar="S", help="limit for one build; the same as --limit time=S")


def limits_given(arguments: argparse.Namespace) -> dict[str, str]:
    """Return the limits of the command line. Raises `UsageError` for one that is none."""
    texts = [*arguments.limit, *([f"time={arguments.build_seconds}"] if arguments.build_seconds else [])]
    limits: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        try:
            if not equals:
                raise ValueError("write NAME=VALUE")  # noqa: TRY301
            default_limits().with_texts({name: value})
        except ValueError as error:
            raise UsageError(f"--limit {text}: {error}", hint="for example --limit memory=8G") from error
        limits[name] = value
    return limits


def open_environment(arguments: argparse.Namespace, project: Checkout, targets: Targets) -> Environment:
    """Return the environment for ``--target``, ``--toolchain`` and ``--offline``. Raises `UsageError`.

    Says which recipes the project has instead of others.
    """
    _say_overrides(project)
    return Environment(
        project,
        targets,
        targets.get(arguments.target),
        board=Board(),
        offline=arguments.offline,
        toolchain_name=arguments.toolchain,
    )


NAMES = 'a recipe, a pattern ("py*"), tag:TAG, or one of these after "!" to leave it out; several after commas'
"""What a verb says of its argument NAME."""


def open_recipes(
    arguments: argparse.Namespace, project: Checkout, targets: Targets, names: Iterable[str] = ()
) -> tuple[Recipes, Recipes]:
    """Return the recipes that ``names`` pick with what they need, and all; each as for ``--target``.

    Without names, all recipes of the project itself are picked.

    Of bad ones that are neither picked nor needed a line is said. Raises `UsageError` for a name that no recipe has.
    """
    aim = Aim(target=targets.get(arguments.target).name, abis=targets.abis)
    every = read_recipes(project.shelves, aim=aim)
    asked = list(names)
    picked = every
    if asked or len(project.shelves) > 1:
        picked = read_recipes(project.shelves, names=asked or None, aim=aim, of_first=True)
    warn_of_bad({name: problems for name, problems in every.bad.items() if name not in picked.bad})
    return picked, every


def _say_overrides(project: Checkout) -> None:
    """Say in a line which recipes the project has in place of those of further folders."""
    others = project.shelves[1:]
    if others and (both := sorted(recipe_folders(project.recipes).keys() & recipe_folders(others).keys())):
        Board().say("recipes", f"of this project, instead of the standard ones: {', '.join(both)}")


def warn_of_bad(bad: Mapping[str, RecipeProblems]) -> None:
    """Say in a line that these recipes are left out."""
    if bad:
        Board().say("recipes", f"warning: {', '.join(bad)} left out, as {_ERRORS[len(bad) > 1]}; see: emwheels list")


def say_bad(bad: Mapping[str, RecipeProblems]) -> int:
    """Say all that is wrong with these recipes, and return the exit status that this means."""
    for name, problems in bad.items():
        Board().say(name, f"bad recipe: {problems.message}\n  {problems.hint}")
    return RecipeError.exit_code if bad else 0


_ERRORS = ("its recipe has errors", "their recipes have errors")


def is_documented(arguments: argparse.Namespace, targets: Targets) -> bool:
    """Tell whether the options ask for the wheels that docs/ is about: default target, toolchain and profile."""
    return (
        targets.get(arguments.target).name == targets.default
        and arguments.toolchain == TOOLCHAINS[0]
        and getattr(arguments, "profile", DOCUMENTED_PROFILE) == DOCUMENTED_PROFILE
    )


def open_builds(arguments: argparse.Namespace, environment: Environment) -> Builds:
    """Return the builds of the local store, backed by ``--remote``. Raises `UsageError` for one that cannot be used."""
    address = getattr(arguments, "remote", "")
    push = bool(address) and arguments.push
    if arguments.offline and address:
        environment.board.say("store", "offline: the remote store is not asked")
    remote = None
    if address and not arguments.offline:
        from emwheels.outputs.remote.open import open_remote

        remote = open_remote(address)
    if remote and push and not remote.writable:
        raise UsageError(f"{remote.url} is read-only", hint="leave --push away, or give a registry: oci://HOST/NAME")
    return Builds(environment.store, remote, push=push, say=lambda text: environment.board.say("store", text))
