"""The lock files of a recipe, held against what the recipe asks for: no index is asked, and nothing is fetched."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from emwheels.recipe.graph import cross_requirements, foreign_requirements

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from packaging.utils import NormalizedName

    from emwheels.recipe.model import Recipe

BUILD_LOCK = "requirements.build.txt"
RUN_LOCK = "requirements.run.txt"
FOLLOWED = "# Recipes that these need: "
"""The line of `RUN_LOCK` that names the recipes which its pure packages need at run time."""
_LIMIT = 4 << 20
_PINNED = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)(?:\[[^\]\n]*\])?==([^\s;\\]+)", re.MULTILINE)


def pinned_versions(lock: Path | None) -> dict[NormalizedName, set[str]]:
    """Return the names that a lock file pins, each with its versions; nothing without a file that can be read."""
    pinned: dict[NormalizedName, set[str]] = {}
    for name, version in _PINNED.findall(_text(lock)):
        pinned.setdefault(canonicalize_name(name), set()).add(version)
    return pinned


def followed_recipes(lock: Path | None) -> tuple[NormalizedName, ...]:
    """Return the recipes that the packages of a run lock need at run time, as `FOLLOWED` names them."""
    lines = [line.removeprefix(FOLLOWED) for line in _text(lock).splitlines() if line.startswith(FOLLOWED)]
    return tuple(canonicalize_name(name.strip()) for line in lines for name in line.split(",") if name.strip())


def _text(lock: Path | None) -> str:
    if lock is None:
        return ""
    try:
        with lock.open("rb") as stream:
            return stream.read(_LIMIT).decode(errors="replace")
    except OSError:
        return ""


def lock_needed(recipe: Recipe, recipes: Mapping[str, Recipe]) -> str:
    """Return why the recipe has to be locked again: which file, and which requirement; empty if nothing tells so.

    What the source asks for is not looked at, as that would fetch it.
    """
    if not recipe.takes_wheels:
        return ""
    return next(_faults(recipe, recipes), "")


def _faults(recipe: Recipe, recipes: Mapping[str, Recipe]) -> Iterator[str]:
    if recipe.build_lock is None:
        yield f"there is no {BUILD_LOCK}"
        return
    pinned = pinned_versions(recipe.build_lock)
    cross = cross_requirements(recipe, recipes)
    for each in cross:
        if not any(_same(version, each.version) for version in pinned.get(each.name, ())):
            has = f"pins {each.name} {min(pinned[each.name])}" if each.name in pinned else f"has no {each.name}"
            yield f"{BUILD_LOCK} {has}, and requirements.host has the recipe of {each.name} {each.version}"
    aside = {each.name for each in cross}
    extras, bounds = recipe.requirements.build_extras, recipe.requirements.constraint
    yield from _missing(BUILD_LOCK, pinned, extras, "requirements.build-extras", aside)
    yield from _outside(BUILD_LOCK, pinned, extras, "requirements.build-extras", aside)
    yield from _outside(BUILD_LOCK, pinned, bounds, "requirements.constraint", aside)
    runs = pinned_versions(recipe.run_lock)
    foreign = foreign_requirements(recipe, recipes)
    if foreign and recipe.run_lock is None:
        yield f"there is no {RUN_LOCK}, and requirements.run has {', '.join(foreign)}"
        return
    yield from _missing(RUN_LOCK, runs, foreign, "requirements.run", set())
    yield from _outside(RUN_LOCK, runs, bounds, "requirements.constraint", set())


def _missing(
    file: str, pinned: Mapping[NormalizedName, set[str]], asked: Iterable[str], key: str, aside: set[NormalizedName]
) -> Iterator[str]:
    for each in map(Requirement, asked):
        name = canonicalize_name(each.name)
        if each.marker is None and name not in pinned and name not in aside:
            yield f"{file} has no {name}, which {key} has"


def _outside(
    file: str, pinned: Mapping[NormalizedName, set[str]], asked: Iterable[str], key: str, aside: set[NormalizedName]
) -> Iterator[str]:
    for each in map(Requirement, asked):
        name = canonicalize_name(each.name)
        wrong = [version for version in pinned.get(name, ()) if not each.specifier.contains(version, prereleases=True)]
        if wrong and each.marker is None and name not in aside:
            yield f"{file} pins {name} {wrong[0]}, and {key} has {each}"


def _same(one: str, other: str) -> bool:
    try:
        return Version(one) == Version(other)
    except InvalidVersion:
        return one == other


def build_names(recipe: Recipe) -> set[NormalizedName]:
    """Return the names of what the build asks for and the recipe does not compile against, as far as files tell."""
    asked = {canonicalize_name(Requirement(text).name) for text in recipe.requirements.build_extras}
    return (asked | pinned_versions(recipe.build_lock).keys()) - {recipe.name, *recipe.requirements.host}
