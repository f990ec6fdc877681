"""What a recipe lays before the Python modules of a build: ``extra.emwheels.python-path`` of meta.yaml."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from emwheels.errors import RecipeError

if TYPE_CHECKING:
    from pathlib import Path

    from emwheels.recipe.model import Recipe

_TAKEN = "sitecustomize.py"
"""emwheels's own; see ``build/inside``."""


def python_path(recipe: Recipe) -> dict[str, Path]:
    """Return the recipe's modules that each Python of its build imports before any other of that name.

    With these a recipe changes what a program of the build does, one of pyodide-build's modules for example. Raises
    `RecipeError` for an entry that is no module in the recipe's folder.
    """
    own = recipe.extra.get("emwheels", {})
    names = own.get("python-path", []) if isinstance(own, Mapping) else []
    if not isinstance(names, list):
        raise _error(recipe, "", "must be a list")
    return {str(name): _module(recipe, f"[{number}]", name) for number, name in enumerate(names)}


def _module(recipe: Recipe, where: str, name: object) -> Path:
    if not isinstance(name, str) or not name.endswith(".py") or not name.removesuffix(".py").isidentifier():
        raise _error(recipe, where, f"{name!r} is not the file name of a module")
    if name == _TAKEN:
        raise _error(recipe, where, f"{_TAKEN} is emwheels's own")
    path = recipe.folder / name
    if path.is_symlink() or not path.is_file():
        raise _error(recipe, where, f"there is no file {name} in the recipe's folder")
    return path


def _error(recipe: Recipe, where: str, message: str) -> RecipeError:
    return RecipeError(
        f"{recipe.folder / 'meta.yaml'}: extra.emwheels.python-path{where}: {message}",
        hint="write extra: {emwheels: {python-path: [module.py]}}, and put module.py beside meta.yaml",
    )
