"""Reads ``extra.emwheels.provides`` of meta.yaml: the names under which sources look for a library.

The key reaches no compiler and is in no build key.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from emwheels.errors import RecipeError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from emwheels.recipe.model import Recipe


@dataclass(frozen=True, kw_only=True)
class Provides:
    """What a library can be asked for by."""

    pkg_config: tuple[str, ...] = ()
    """Names of .pc files, without the suffix."""
    cmake: tuple[str, ...] = ()
    """Names for ``find_package``: of CMake's own modules, and of the configuration files that the library installs."""
    headers: tuple[str, ...] = ()
    """Headers as ``#include`` names them; patterns (fnmatch)."""
    libraries: tuple[str, ...] = ()
    """Names for ``-l``."""

    def answers(self, kind: str, name: str) -> bool:
        """Tell whether a source that looks for ``name`` finds it here; ``kind`` is one of `KINDS`."""
        match kind:
            case "headers":
                return any(fnmatchcase(name, pattern) for pattern in self.headers)
            case "cmake":
                return name.casefold() in map(str.casefold, self.cmake)
            case _:
                return name in (self.pkg_config if kind == "pkg-config" else self.libraries)


KINDS = ("pkg-config", "cmake", "headers", "libraries")


def provides(recipe: Recipe) -> Provides:
    """Return what ``recipe`` provides. Raises `RecipeError` for a key that there is not, and for no list of texts."""
    table = recipe.own.get("provides", {})
    if not isinstance(table, dict):
        raise _error(recipe, "", "must be a mapping")
    if unknown := sorted(map(str, table.keys() - set(KINDS))):
        raise _error(recipe, f".{unknown[0]}", f"is not one of {', '.join(KINDS)}")
    for key, names in table.items():
        if not isinstance(names, list) or not all(isinstance(name, str) and name for name in names):
            raise _error(recipe, f".{key}", "must be a list of texts")
    return Provides(**{field.name: tuple(table.get(field.name.replace("_", "-"), ())) for field in fields(Provides)})


def providers(recipes: Mapping[str, Recipe], kind: str, name: str) -> list[str]:
    """Return the names of those ``recipes`` in which a source that looks for ``name`` finds it, sorted."""
    return sorted(recipe for recipe, each in recipes.items() if provides(each).answers(kind, name))


def with_needs(names: Iterable[str], recipes: Mapping[str, Recipe]) -> list[str]:
    """Return recipes and the libraries inside them: what links one links the others as well."""
    found: dict[str, None] = {}
    waiting = list(names)
    while waiting:
        name = waiting.pop(0)
        if name in recipes and name not in found:
            found[name] = None
            waiting += [need for need in recipes[name].requirements.host if need in recipes]
    return list(found)


def _error(recipe: Recipe, where: str, message: str) -> RecipeError:
    return RecipeError(
        f"{recipe.folder / 'meta.yaml'}: extra.emwheels.provides{where}: {message}",
        hint="write extra: {emwheels: {provides: {pkg-config: [zlib], headers: [zlib.h], libraries: [z]}}}",
    )
