"""``emwheels source`` and ``create-patch``: a recipe's source as a folder, and what was changed there as a patch."""

from __future__ import annotations

import argparse
import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emwheels.author.patch import Header
from emwheels.author.source import Origin, changed_files, next_patch, unpack_source, write_patch
from emwheels.cli.opening import local_path, open_environment
from emwheels.errors import RecipeError, UsageError
from emwheels.pipeline.sources import source_of
from emwheels.recipe.load import find_recipe, load_recipes, patches_of

if TYPE_CHECKING:
    from emwheels.checkout import Checkout
    from emwheels.pipeline.environment import Environment
    from emwheels.recipe.model import Recipe
    from emwheels.target import Targets

_SOURCE_EXAMPLES = """examples:
  emwheels source numpy              numpy's source, its patches applied, as ./numpy-VERSION
  emwheels source numpy ~/np         the same, in a folder of yours that is empty or not there
  emwheels create-patch numpy ~/np   make a patch of what you changed there
"""
_PATCH_EXAMPLES = """examples:
  emwheels create-patch lz4                                  asks for name and header, at a terminal
  emwheels create-patch lz4 ~/lz4 --name no-threads-on-wasm  the changes in that folder, as patches/lz4/000N-no-thre…
      --why "…" --reported https://… --until "upstream asks for threads first"
"""
_WORDS = re.compile(r"[a-z0-9][a-z0-9._-]*")
_NOT_A_HEADER = re.compile(r"^(?:---|\+\+\+|\*\*\*|@@|diff|Index:|Prereq:)|[\x00-\x1f\x7f]")
_QUESTIONS = {
    "name": "What does the patch do? A few words, for its name",
    "why": "Why is it needed? What is wrong, and why does it matter for WebAssembly",
    "reported": "Where did you report it? An address; nothing if you did not",
    "until": "It can go when … (go on in your words)",
}


def add_source(verbs: Any, common: argparse.ArgumentParser) -> None:
    """Add the parsers of both verbs."""
    for verb, text, examples in (
        ("source", "unpack the source of a recipe, patches applied, into a folder of yours", _SOURCE_EXAMPLES),
        ("create-patch", "make a patch of what you changed in a folder of emwheels source", _PATCH_EXAMPLES),
    ):
        parser = verbs.add_parser(
            verb,
            parents=[common],
            help=text,
            epilog=examples,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        parser.add_argument("name", metavar="NAME", help="a recipe")
        parser.add_argument(
            "folder", nargs="?", type=local_path, metavar="FOLDER", help="where (default: ./NAME-VERSION)"
        )
        if verb == "create-patch":
            parser.add_argument("--name", dest="words", metavar="WHAT-IT-DOES", help="for the name of the patch")
            parser.add_argument("--why", metavar="TEXT", help="what is wrong, and why it matters for WebAssembly")
            parser.add_argument("--reported", metavar="URL", help="where you reported it (default: not reported yet)")
            parser.add_argument("--until", metavar="TEXT", help='when it can go, e.g. "version 2 is out"')


def run_source(arguments: argparse.Namespace, project: Checkout, targets: Targets) -> int:
    """Unpack, print the folder, and return the exit status."""
    environment = open_environment(arguments, project, targets)
    recipe = _recipe(arguments.name, project)
    folder = _folder(arguments.folder, recipe)
    unpack_source(_origin(environment, recipe), folder)
    if arguments.json:
        print(json.dumps({"folder": str(folder), "patches": [path.name for path in recipe.patches]}))
        return 0
    applied = f", {len(recipe.patches)} patches applied" if recipe.patches else ""
    print(f"{folder}: {recipe.name} {recipe.version}{applied}")
    if recipe.source.path is None:
        print(f"Change what you want there, then: emwheels create-patch {recipe.name} {folder}")
    return 0


def run_create_patch(arguments: argparse.Namespace, project: Checkout, targets: Targets) -> int:
    """Write the patch, print its path, and return the exit status: 1 if nothing was changed."""
    environment = open_environment(arguments, project, targets)
    recipe = _recipe(arguments.name, project)
    project.check_own(recipe.folder, "create-patch")
    if recipe.source.path is not None:
        raise RecipeError(
            f"{recipe.folder / 'meta.yaml'}: source.path is a folder of yours already", hint="change it there"
        )
    if recipe.source.patches:
        raise UsageError(
            f"{recipe.folder / 'meta.yaml'}: source.patches are applied after those in {project.patches}: none can go "
            "after them",
            hint=f"move them to {project.patches / recipe.name}",
        )
    folder, origin = _folder(arguments.folder, recipe), _origin(environment, recipe)
    found = changed_files(origin, folder)
    if not found:
        print(f"{folder}: nothing was changed, so there is nothing to write", file=sys.stderr)
        return 1
    name = "-".join(_answer("name", arguments.words).lower().split())
    if not _WORDS.fullmatch(name):
        raise UsageError(
            f"{name!r} is no name for a patch",
            hint="write words of a-z and 0-9 with hyphens: --name no-threads-on-wasm",
        )
    header = Header(
        title=name.replace("-", " ").capitalize(),
        why=_answer("why", arguments.why),
        reported=_answer("reported", arguments.reported, needed=False),
        until=_answer("until", arguments.until),
    )
    patches = patches_of(recipe.folder) or project.patches / recipe.name
    file = next_patch(patches, name)
    write_patch(origin, folder, found, header=header.text(), file=file)
    files = [change.path for change in found]
    if arguments.json:
        print(json.dumps({"patch": str(file), "files": files}))
        return 0
    print(f"{file.relative_to(project.root)}: {len(files)} files: {', '.join(files[:5])}{', …' if files[5:] else ''}")
    return 0


def _answer(option: str, given: str | None, *, needed: bool = True) -> str:
    """Return what an option says, else what is typed at a terminal. Raises `UsageError`."""
    if given is None and sys.stdin.isatty():
        print(f"{_QUESTIONS[option]}: ", end="", file=sys.stderr, flush=True)
        given = sys.stdin.readline()
    text = (given or "").strip().rstrip(".")
    if needed and not text:
        raise UsageError(f"a patch needs --{option}", hint=f"{_QUESTIONS[option]}?")
    if _NOT_A_HEADER.search(text):
        raise UsageError(f"--{option} {text!r} would be read as a part of the change", hint="write it in other words")
    return text


def _recipe(name: str, project: Checkout) -> Recipe:
    return find_recipe(name, load_recipes(project.shelves, names=[name]), project.shelves)


def _folder(given: Path | None, recipe: Recipe) -> Path:
    return Path.absolute(given or Path(f"{recipe.name}-{recipe.version}"))


def _origin(environment: Environment, recipe: Recipe) -> Origin:
    with environment.board.phase(recipe.name, "fetch"):
        source = source_of(environment, recipe)
    return Origin(recipe=recipe, source=source, image=environment.image, cache=environment.project.cache)
