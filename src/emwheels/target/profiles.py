"""The profiles that there are: those of emwheels, and those of a project, ``[profiles.NAME]`` of its targets.toml."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from emwheels.errors import UsageError

PROFILES: dict[str, tuple[str, ...]] = {
    "speed": ("-O3", "-msimd128"),
    "size": ("-Oz",),
    "debug": ("-O1", "-g", "-UNDEBUG"),
}
"""Name -> optimisation flags, at compile and link. ``size`` is what pyodide-build uses by itself. ``debug`` keeps names
and line numbers, which a link without -g strips, and the assertions that -DNDEBUG of Python's own flags leaves out."""

_NAME = re.compile(r"[a-z][a-z0-9-]{0,40}")
_FLAG = re.compile(r"-[A-Za-z0-9_+=.,:/@%^~-]+")
"""No space or quote: flags go through variables that are split at spaces."""
_TAKEN = ("wheels", "simple", "reports", "releases")
"""Names in dist/, where each profile has a folder."""
_KEYS = ("based-on", "flags")


@dataclass(frozen=True, kw_only=True)
class OwnProfile:
    """A profile of a project."""

    based_on: str
    """The profile whose flags come first, and whose variables of recipes it takes where it has none of its own."""
    flags: tuple[str, ...] = ()
    """What comes after those, and so wins over them."""


def own_profiles(table: Mapping[str, Any]) -> dict[str, OwnProfile]:
    """Return the profiles that the table ``profiles`` gives. Raises ValueError, which names the key."""
    profiles = {name: _profile(f"profiles.{name}", name, value) for name, value in table.items()}
    for name, profile in profiles.items():
        seen, base = [name], profile.based_on
        while base not in PROFILES:
            if base not in profiles:
                known = ", ".join([*PROFILES, *profiles])
                raise ValueError(f"profiles.{seen[-1]}.based-on: there is no profile {base!r}; there are {known}")
            if base in seen:
                raise ValueError(f"profiles.{name}.based-on: {' -> '.join([*seen, base])} leads back to itself")
            seen.append(base)
            base = profiles[base].based_on
    return profiles


def _profile(where: str, name: str, table: object) -> OwnProfile:
    if not _NAME.fullmatch(name):
        raise ValueError(f"{where!r}: a profile's name has a-z, 0-9 and hyphens only")
    if name in PROFILES or name in _TAKEN:
        raise ValueError(f"{where}: this name is taken; give it another")
    if not isinstance(table, Mapping):
        raise ValueError(f"{where} must be a table")  # noqa: TRY004  (one kind of error for the file)
    if unknown := sorted(table.keys() - set(_KEYS)):
        raise ValueError(f"{where}.{unknown[0]} is no key; a profile has {', '.join(_KEYS)}")
    based_on, flags = table.get("based-on", "speed"), table.get("flags", [])
    if not isinstance(based_on, str):
        raise ValueError(f"{where}.based-on must be text, the name of a profile")  # noqa: TRY004
    if not isinstance(flags, list) or not flags or not all(isinstance(flag, str) for flag in flags):
        raise ValueError(f'{where}.flags must be a list of texts, such as ["-O2", "-g"]')
    if wrong := [flag for flag in flags if not _FLAG.fullmatch(flag)]:
        raise ValueError(f"{where}.flags: {wrong[0]!r} is no flag: write each as a text of its own, without spaces")
    return OwnProfile(based_on=based_on, flags=tuple(flags))


def profile_names(own: Mapping[str, OwnProfile]) -> list[str]:
    """Return all profiles that there are: those of emwheels, then the project's ``own``."""
    return [*PROFILES, *own]


def lineage(profile: str, own: Mapping[str, OwnProfile]) -> list[str]:
    """Return a profile after those that it is based on, the one of emwheels first."""
    line = [profile]
    while line[0] in own:
        line.insert(0, own[line[0]].based_on)
    return line


def flags_of(profile: str, own: Mapping[str, OwnProfile]) -> tuple[str, ...]:
    """Return the optimisation flags of a profile. Raises `UsageError` for one that there is not."""
    base, *further = lineage(profile, own)
    if base not in PROFILES:
        raise UsageError(
            f"there is no profile {profile!r}",
            hint=f"there are {', '.join(profile_names(own))}; a table [profiles.NAME] of targets.toml makes another",
        )
    return (*PROFILES[base], *(flag for name in further for flag in own[name].flags))
