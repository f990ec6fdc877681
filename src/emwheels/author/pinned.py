"""What recipes pin: their sources, those of the libraries in them, and the projects in their lock files."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from emwheels.atomic import read_regular
from emwheels.author.advisories import PinnedVersion
from emwheels.author.newer import PYPI, origin
from emwheels.recipe.graph import host_recipes

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from emwheels.recipe.model import Recipe

_LOCKED = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)(?:\[[^]]*\])?==([^\s;\\]+)", re.MULTILINE)


def pins_of(chosen: Sequence[Recipe], recipes: Mapping[str, Recipe]) -> list[PinnedVersion]:
    """Return what recipes pin: their sources and those of the libraries in them, and what their lock files have.

    The places of a source are the recipe and all that it is compiled into; those of a locked project are the files.
    """
    inside = {recipe.name: _compiled_in(recipe, recipes) for recipe in chosen}
    places: dict[tuple[str, str, str], list[str]] = {}
    for name in sorted({name for names in inside.values() for name in names}):
        if found := origin(recipes[name]):
            users = [user for user, names in inside.items() if name in names and user != name]
            key = (found.registry, found.project, found.version)
            places.setdefault(key, []).extend([name, *users])
    for recipe in chosen:
        for file, project, version in _locked(recipe):
            places.setdefault((PYPI, project, version), []).append(file)
    return [
        PinnedVersion(ecosystem=key[0], name=key[1], version=key[2], places=tuple(dict.fromkeys(where)))
        for key, where in places.items()
    ]


def _compiled_in(recipe: Recipe, recipes: Mapping[str, Recipe]) -> list[str]:
    """Return a recipe and all libraries that are compiled into it."""
    found: list[str] = []
    waiting: list[str] = [recipe.name]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.append(name)
            waiting += [host for host in host_recipes(recipes[name], recipes) if _is_library(recipes[host])]
    return found


def _is_library(recipe: Recipe) -> bool:
    return recipe.build.type != "package"


def _locked(recipe: Recipe) -> Iterator[tuple[str, str, str]]:
    for path in sorted(recipe.folder.glob("requirements*.txt")):
        text = read_regular(path).decode(errors="replace")
        for project, version in _LOCKED.findall(text):
            yield f"{recipe.folder.name}/{path.name}", project, version
