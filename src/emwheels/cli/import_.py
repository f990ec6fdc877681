"""``emwheels import``: takes over recipes that are written for pyodide-build."""

from __future__ import annotations

import argparse
import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emwheels.author.importing import IMPOSSIBLE, WRONG, foreign_recipes, import_recipes, write_all
from emwheels.cli.opening import local_path
from emwheels.errors import RecipeError, UsageError, visible
from emwheels.progress import print_table
from emwheels.recipe.document import did_you_mean, printable
from emwheels.recipe.load import read_recipes, recipe_folders

if TYPE_CHECKING:
    from collections.abc import Sequence

    from emwheels.author.importing import TakenOver
    from emwheels.checkout import Checkout
    from emwheels.target import Targets

_EXAMPLES = """examples:
  emwheels import ../pyodide-recipes --dry-run       what would come of each of its recipes
  emwheels import ../pyodide-recipes pyyaml regex    these two
  emwheels import ../pyodide-recipes/packages/lz4    the recipe in that folder
  emwheels import ../team/recipes --into recipes     all, into the project's folder of recipes

What is different here is changed, and the output says what. A recipe that needs your hand is written all the same, with
package._disabled and, at its top, what to do. A problem costs its own recipe only.

exit status: 0 done, 3 a recipe is wrong or no build here can make it (the others are written)
"""


def add_import(verbs: Any, common: argparse.ArgumentParser) -> None:
    """Add the verb's parser."""
    parser = verbs.add_parser(
        "import",
        parents=[common],
        help="take over recipes that are written for pyodide-build",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("folder", type=local_path, metavar="FOLDER", help="of one recipe, of many, or a repository")
    parser.add_argument("names", nargs="*", metavar="NAME", help="only these recipes (default: all)")
    parser.add_argument("--dry-run", action="store_true", help="write nothing")
    parser.add_argument(
        "--into", type=local_path, metavar="PLACE", help="where to write (default: the project's own recipes)"
    )


def run_import(arguments: argparse.Namespace, project: Checkout, _targets: Targets) -> int:
    """Take recipes over, print what came of each, and return the exit status."""
    folders = foreign_recipes(arguments.folder)
    for name in arguments.names:
        if name not in folders:
            near = did_you_mean(name, [*folders])
            raise UsageError(
                f"{arguments.folder} has no recipe {printable(name)}{near}", hint="without names, all are taken"
            )
    into = (Path.cwd() / arguments.into).resolve() if arguments.into else project.recipes
    if arguments.into and not into.is_dir():
        raise UsageError(f"{into} is no folder", hint="make it, or leave --into away")
    known = read_recipes(project.shelves).sound
    own = {*recipe_folders(project.recipes), *recipe_folders(into)}
    found = import_recipes(folders, arguments.names, known, own)
    if not arguments.dry_run:
        write_all(found, into)
    if arguments.json:
        print(json.dumps([_plain(each) for each in found], indent=1))
    else:
        _print(found, arguments)
    return RecipeError.exit_code if any(each.state in (IMPOSSIBLE, WRONG) for each in found) else 0


def _plain(each: TakenOver) -> dict[str, Any]:
    return {
        "name": each.name,
        "version": each.version,
        "state": each.state,
        "done": each.done,
        "left": each.left,
        "files": sorted(each.files),
    }


def _print(found: Sequence[TakenOver], arguments: argparse.Namespace) -> None:
    for each in found:
        for word, notes in (("changed", each.done), ("to do" if each.is_written else "why", each.left)):
            for note in notes:
                print(visible(f"{each.name}: {word}: {note}", lines=False))
    print_table(
        ("recipe", "version", "result", "changed", "to do"),
        [(each.name, each.version, each.state, str(len(each.done) or ""), str(len(each.left) or "")) for each in found],
    )
    counts = Counter(each.state for each in found)
    summary = ", ".join(f"{count} {state}" for state, count in counts.items())
    print(summary + ("; nothing was written" if arguments.dry_run else ""))
