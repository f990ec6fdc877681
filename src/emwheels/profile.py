"""What links get in every profile, and what a recipe adds to one."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from emwheels.errors import RecipeError

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from emwheels.recipe.model import Recipe

LINK_OPTIONS = ("-Wl,-Bsymbolic",)
"""What links get besides pyodide-build's options, in every profile.

-Bsymbolic binds a module's symbols to its own definitions, as Python's way of loading modules does natively.
``build/inside/vague_linkage.py`` carries it out, except for what has to be one across modules.
"""

RUST_OPTIONS = ("-Clink-arg=-Wl,--experimental-pic", *(f"-Clink-arg={option}" for option in LINK_OPTIONS))
"""What rustc gets in every profile. It calls emcc itself, and gives it what a side module needs."""
_RUST_FEATURES = {"-msimd128": "+simd128", "-mrelaxed-simd": "+relaxed-simd"}
_ENVIRONMENT_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def rust_flags(flags: Sequence[str]) -> list[str]:
    """Return what rustc gets for the flags of a profile, beside its level of optimisation, which cargo has."""
    features = [_RUST_FEATURES[flag] for flag in flags if flag in _RUST_FEATURES]
    return [f"-Ctarget-feature={','.join(features)}"] if features else []


def profile_environment(recipe: Recipe, lineage: Sequence[str], known: Collection[str]) -> dict[str, str]:
    """Return the variables that a recipe's build script gets in one profile only.

    ``lineage`` is that profile with those that it is based on, the last one wins (`emwheels.target.profiles.lineage`);
    ``known`` are all that there are. The variables are ``extra.emwheels.profiles.PROFILE.environment`` of meta.yaml;
    pyodide-build does not read ``extra``. Raises `RecipeError` for anything there that is not a mapping of names to
    text.
    """
    variables: dict[str, str] = {}
    for profile in lineage:
        variables |= _environment_in(recipe, profile, known)
    return variables


def _environment_in(recipe: Recipe, profile: str, known: Collection[str]) -> dict[str, str]:
    where = "extra"
    variables: Any = recipe.extra
    for key in ("emwheels", "profiles", profile, "environment"):
        if not isinstance(variables, Mapping):
            break
        if key == profile and (unknown := set(variables) - set(known)):
            raise _profile_error(recipe, where, f"there is no profile {min(unknown)}")
        where, variables = f"{where}.{key}", variables.get(key)
        if variables is None:
            return {}
    if not isinstance(variables, Mapping):
        raise _profile_error(recipe, where, "must be a mapping")
    for name, value in variables.items():
        if not _ENVIRONMENT_NAME.fullmatch(str(name)) or not isinstance(value, str):
            raise _profile_error(recipe, f"{where}.{name}", "must be a variable's name with text in quotes")
    return dict(variables)


def _profile_error(recipe: Recipe, where: str, message: str) -> RecipeError:
    return RecipeError(
        f"{recipe.folder / 'meta.yaml'}: {where}: {message}",
        hint='write extra: {emwheels: {profiles: {size: {environment: {NAME: "text"}}}}}',
    )
