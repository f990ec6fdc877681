"""A recipe of another folder becomes the project's own."""

from __future__ import annotations

import shutil
from functools import partial
from typing import TYPE_CHECKING

from emwheels.atomic import make_once
from emwheels.errors import UsageError
from emwheels.recipe.load import patches_of

if TYPE_CHECKING:
    from pathlib import Path


def copy_recipe(folder: Path, recipes: Path, patches: Path) -> list[Path]:
    """Copy the recipe in ``folder`` below ``recipes`` and its patches below ``patches``; return the new folders.

    Raises `UsageError` where one of them is there already.
    """
    copies = {folder: recipes / folder.name}
    if (patched := patches_of(folder)) is not None:
        copies[patched] = patches / patched.name
    if there := [copy for copy in copies.values() if copy.exists()]:
        raise UsageError(f"{there[0]} is there already", hint="move it away, or edit it")
    for source, copy in reversed(copies.items()):  # patches of no recipe are an error; a recipe without them another
        make_once(copy, partial(shutil.copytree, source, ignore=_LEFT))
    return list(copies.values())


_LEFT = shutil.ignore_patterns("__pycache__")
