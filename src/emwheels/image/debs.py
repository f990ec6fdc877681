"""Debian's packages as files: which of them an image is made of (pinned by hash), and what a suite offers now."""

from __future__ import annotations

import hashlib
import importlib.resources
import re
import tomllib
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from emwheels.errors import ImageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from emwheels.target import ImagePins

PINNED = "debian-packages.toml"
"""The file of this room that pins them; ``emwheels image pin`` writes it."""
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
"""What Linux calls a machine -> what Debian does."""


@dataclass(frozen=True, kw_only=True, order=True)
class Deb:
    """One version of a package, and its file."""

    name: str
    version: str
    """With its epoch, which the file's name leaves out (Debian Policy Manual 4.7, 5.6.12)."""
    path: str
    """Where it is below a mirror, e.g. ``pool/main/a/apt/apt_3.3.3_amd64.deb``."""
    size: int
    """Bytes."""
    sha256: str

    @property
    def filename(self) -> str:
        """The last part of its path."""
        return PurePosixPath(self.path).name


@dataclass(frozen=True, kw_only=True)
class DebSet:
    """All that an image is made of."""

    installed: tuple[Deb, ...]
    taken: tuple[Deb, ...] = ()
    """Those of which files are taken and nothing is installed; see `debian.taken_packages`."""

    def __iter__(self) -> Iterator[Deb]:
        yield from self.installed
        yield from self.taken

    @property
    def digest(self) -> str:
        """The hash of all their hashes."""
        return hashlib.sha256("\n".join(sorted(deb.sha256 for deb in self)).encode()).hexdigest()

    @property
    def versions(self) -> dict[str, str]:
        """The version of each package that is installed."""
        return {deb.name: deb.version for deb in self.installed}


_LINE = re.compile(
    r"(?P<name>[a-z0-9][a-z0-9+.-]*) (?P<version>[A-Za-z0-9.+:~-]+) "
    r"(?P<path>pool(?:/[A-Za-z0-9][A-Za-z0-9.+~%_-]*)+\.deb) (?P<size>[0-9]{1,12}) (?P<sha256>[0-9a-f]{64})"
)
"""A line of `PINNED`. No part of the path begins with a dot, so that none leads up."""


def _deb(fields: Mapping[str, str]) -> Deb:
    line = " ".join(fields.get(each, "") for each in ("name", "version", "path", "size", "sha256"))
    match = _LINE.fullmatch(line)
    if match is None:
        raise ValueError(f"{line[:200]!r} is not a Debian package's name, version, path, size and sha256")
    given: dict[str, Any] = match.groupdict() | {"size": int(match["size"])}
    return Deb(**given)


def pinned(pins: ImagePins, machine: str, text: str | None = None) -> DebSet | None:
    """Return the packages that are pinned for an image on a machine; None where none are, or those of other pins.

    ``text`` is what `write_pins` wrote, that of this version of emwheels by default. Raises `ImageError` for another.
    """
    text = _shipped() if text is None else text
    return _sets(text).get((pins.part, made_for(pins, machine)))


@cache
def _shipped() -> str:
    return importlib.resources.files("emwheels.image").joinpath(PINNED).read_text()


@lru_cache(maxsize=2)
def _sets(text: str) -> dict[tuple[str, str], DebSet]:
    """Return the sets of packages by the part and what they were `made_for`."""
    try:
        tables = tomllib.loads(text)
        return {(part, str(table.get("made_for"))): _set(table) for part, table in tables.items()}
    except RecursionError as error:
        raise ImageError(f"{PINNED}: its lists lie too deep in each other", hint=_AGAIN) from error
    except (ValueError, TypeError, AttributeError) as error:
        raise ImageError(f"{PINNED}: {error}", hint=_AGAIN) from error


_AGAIN = "write it again: emwheels image pin"


def _set(table: Mapping[str, Any]) -> DebSet:
    return DebSet(**{name: tuple(map(_parsed, table.get(name, ()))) for name in ("installed", "taken")})


def _parsed(line: object) -> Deb:
    names = ("name", "version", "path", "size", "sha256")
    return _deb(dict(zip(names, str(line).split(" "), strict=False)))


def made_for(pins: ImagePins, machine: str) -> str:
    """Return in one line what a set of packages belongs to: suite, architecture and the packages asked for."""
    return " ".join([pins.suite, ARCHITECTURES.get(machine, machine), *sorted(pins.packages)])


def write_pins(sets: Sequence[tuple[ImagePins, DebSet]], machine: str) -> str:
    """Return the content of `PINNED` for images and what they are made of."""
    lines = [
        "# The Debian packages that the images are made of: name, version, path below a mirror, bytes, sha256.",
        "# `emwheels image pin` writes this file. What no mirror has any more comes from a snapshot, or the suite is",
        "# taken as it is: see docs/images.md.",
    ]
    for pins, debs in sets:
        lines += ["", f"[{pins.part}]", f'made_for = "{made_for(pins, machine)}"']
        for name, group in (("installed", debs.installed), ("taken", debs.taken)):
            lines += [f"{name} = [", *(f'  "{_line(deb)}",' for deb in sorted(group)), "]"]
    return "".join(f"{line}\n" for line in lines)


def _line(deb: Deb) -> str:
    return f"{deb.name} {deb.version} {deb.path} {deb.size} {deb.sha256}"


_FIELDS = {"Package": "name", "Version": "version", "Filename": "path", "Size": "size", "SHA256": "sha256"}


def read_records(text: str) -> tuple[Deb, ...]:
    """Return the packages of a list in the form of ``apt-cache show`` and of a mirror's Packages file.

    Raises `ImageError` for a record without path, size or sha256.
    """
    debs: dict[str, Deb] = {}
    for paragraph in re.split(r"\n{2,}", text.strip()):
        pairs = (line.partition(": ") for line in paragraph.splitlines() if not line[:1].isspace())
        fields = {_FIELDS[key]: value.strip() for key, _, value in pairs if key in _FIELDS}
        if fields:
            try:
                deb = _deb(fields)
            except ValueError as error:
                raise ImageError(f"a record of the suite cannot be used: {error}") from error
            debs.setdefault(deb.name, deb)
    return tuple(sorted(debs.values()))


def moved(before: DebSet, after: Iterable[Deb]) -> list[str]:
    """Return the names of packages that are not the same in both, gone and new ones too."""
    old, new = set(before), set(after)
    return sorted({deb.name for deb in old ^ new})
