"""The flags of a profile, and what a recipe adds to one."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from emwheels.errors import RecipeError, UsageError
from emwheels.target.profiles import PROFILES

if TYPE_CHECKING:
    from emwheels.recipe.model import Recipe
    from emwheels.target import Target

__all__ = ["LINK_OPTIONS", "PROFILES", "flags_of", "profile_environment", "profile_names"]

LINK_OPTIONS = ("-Wl,-Bsymbolic",)
"""What links get besides pyodide-build's options, in every profile.

-Bsymbolic binds a module's symbols to its own definitions, as Python's way of loading modules does natively.
``build/inside/vague_linkage.py`` carries it out, except for what has to be one across modules.
"""


def profile_names(target: Target) -> list[str]:
    """Return all profiles that there are: those of emwheels, then the project's own."""
    return [*PROFILES, *target.profiles]


def flags_of(profile: str, target: Target) -> tuple[str, ...]:
    """Return the optimisation flags of a profile. Raises `UsageError` for one that there is not."""
    if profile in PROFILES:
        return PROFILES[profile]
    own = target.profiles.get(profile)
    if own is None:
        raise UsageError(
            f"there is no profile {profile!r}",
            hint=f"there are {', '.join(profile_names(target))}; a table [profiles.NAME] of targets.toml makes another",
        )
    return (*flags_of(own.based_on, target), *own.flags)


_ENVIRONMENT_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def profile_environment(recipe: Recipe, profile: str, target: Target | None = None) -> dict[str, str]:
    """Return the variables that a recipe's build script gets in one profile only.

    A profile of the project's own, which ``target`` knows, has those of the one it is based on, and its own on top.
    They are ``extra.emwheels.profiles.PROFILE.environment`` of meta.yaml; pyodide-build does not read ``extra``.
    Raises `RecipeError` for anything there that is not a mapping of names to text.
    """
    own = target.profiles.get(profile) if target else None
    base = profile_environment(recipe, own.based_on, target) if own else {}
    known = {*PROFILES, *(target.profiles if target else ())}
    where = "extra"
    variables: Any = recipe.extra
    for key in ("emwheels", "profiles", profile, "environment"):
        if not isinstance(variables, Mapping):
            break
        if key == profile and (unknown := set(variables) - known):
            raise _profile_error(recipe, where, f"there is no profile {min(unknown)}")
        where, variables = f"{where}.{key}", variables.get(key)
        if variables is None:
            return base
    if not isinstance(variables, Mapping):
        raise _profile_error(recipe, where, "must be a mapping")
    for name, value in variables.items():
        if not _ENVIRONMENT_NAME.fullmatch(str(name)) or not isinstance(value, str):
            raise _profile_error(recipe, f"{where}.{name}", "must be a variable's name with text in quotes")
    return base | dict(variables)


def _profile_error(recipe: Recipe, where: str, message: str) -> RecipeError:
    return RecipeError(
        f"{recipe.folder / 'meta.yaml'}: {where}: {message}",
        hint='write extra: {emwheels: {profiles: {size: {environment: {NAME: "text"}}}}}',
    )
