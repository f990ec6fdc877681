"""What recipes need, and in which order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from emwheels.recipe import Recipe


def cross_requirements(recipe: Recipe, recipes: Mapping[str, Recipe]) -> list[Recipe]:
    """Return the host requirements of ``recipe`` that are packages to compile against, in the recipe's order."""
    known = {canonicalize_name(name): found for name, found in recipes.items()}
    found = (known.get(canonicalize_name(name)) for name in recipe.requirements.host)
    return [host for host in found if host is not None and host.build.cross_build_env]


def pinned_to_recipes(requirements: Iterable[str], cross: Sequence[Recipe]) -> list[str]:
    """Return ``requirements`` less those that name a package of ``cross``, which is added at the recipe's version.

    ``requirements`` are those of PEP 508. pyodide-build exchanges them in the same way when it builds.
    """
    names = {canonicalize_name(recipe.name) for recipe in cross}
    kept = [text for text in requirements if canonicalize_name(Requirement(text).name) not in names]
    return kept + [f"{recipe.name}=={recipe.version}" for recipe in cross]
