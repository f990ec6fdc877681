"""What recipes need, and in which order."""

from __future__ import annotations

from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING, TypeVar

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from emwheels.errors import RecipeError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from packaging.utils import NormalizedName

    from emwheels.recipe.model import Recipe, Requirements

_T = TypeVar("_T")


def matching(requirements: Iterable[NormalizedName], known: Mapping[str, _T]) -> list[_T]:
    """Return what ``known`` has for each of ``requirements``, in their order."""
    return [known[name] for name in requirements if name in known]


def all_requirements(requirements: Requirements) -> tuple[NormalizedName, ...]:
    """Return what is needed to build (host) and at run time."""
    return (*requirements.host, *requirements.run)


def host_recipes(recipe: Recipe, recipes: Mapping[str, Recipe]) -> list[str]:
    """Return the names of those ``recipes`` that ``recipe`` is compiled against, in its own order."""
    return matching(recipe.requirements.host, {name: name for name in recipes})


def cross_requirements(recipe: Recipe, recipes: Mapping[str, Recipe]) -> list[Recipe]:
    """Return the host requirements of ``recipe`` that are packages to compile against, in the recipe's order."""
    return [host for host in matching(recipe.requirements.host, recipes) if host.build.cross_build_env]


def pinned_to_recipes(requirements: Iterable[str], cross: Sequence[Recipe]) -> list[str]:
    """Return ``requirements`` less those that name a package of ``cross``, which is added at the recipe's version.

    ``requirements`` are those of PEP 508. pyodide-build exchanges them in the same way when it builds.
    """
    names = {recipe.name for recipe in cross}
    others = [text for text in requirements if canonicalize_name(Requirement(text).name) not in names]
    return others + [f"{recipe.name}=={recipe.version}" for recipe in cross]


def required_recipes(recipe: Recipe, recipes: Mapping[str, Recipe]) -> list[str]:
    """Return the names of those ``recipes`` that ``recipe`` needs, at build (host) or at run time; sorted."""
    return sorted(set(matching(all_requirements(recipe.requirements), {name: name for name in recipes})))


def foreign_requirements(recipe: Recipe, recipes: Collection[str]) -> list[str]:
    """Return what ``recipe`` needs at run time that none of ``recipes`` (names) is: packages from the index."""
    return [name for name in recipe.requirements.run if name not in recipes]


def run_closure(name: str, recipes: Mapping[str, Recipe]) -> list[str]:
    """Return ``name`` and every recipe it needs at run time."""
    closure: list[str] = []
    waiting = [name]
    while waiting:
        current = waiting.pop()
        if current in recipes and current not in closure:
            closure.append(current)
            waiting += recipes[current].requirements.run
    return closure


def recipes_for_tests(recipe: Recipe, recipes: Mapping[str, Recipe]) -> list[str]:
    """Return the names of those ``recipes`` that the recipe's own tests need beside it."""
    return matching(recipe.own_tests.required.values(), {name: name for name in recipes})


def closure_for_tests(name: str, recipes: Mapping[str, Recipe]) -> list[str]:
    """Return ``name``, the recipes that its own tests need, and every recipe that these need at run time."""
    names = (name, *recipes_for_tests(recipes[name], recipes)) if name in recipes else ()
    return list(dict.fromkeys(need for each in names for need in run_closure(each, recipes)))


def dependency_order(recipes: Mapping[str, Recipe]) -> list[str]:
    """Return the names so that each comes after all that it needs, the same for the same recipes.

    Raises `RecipeError` if some recipes need each other.
    """
    graph = {name: required_recipes(recipes[name], recipes) for name in sorted(recipes)}
    try:
        return list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        ring: list[str] = error.args[1][:0:-1]  # graphlib repeats the first and points from the needed to the needing
        start = ring.index(min(ring))
        ring = [*ring[start:], *ring[:start], ring[start]]
        raise RecipeError(
            f"these recipes need each other: {' -> '.join(ring)}",
            hint="take one of them out of another's requirements.host or requirements.run",
        ) from None
