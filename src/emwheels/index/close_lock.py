"""``index.lock``: the wheels that an index has from elsewhere, so that it needs no other place. One line a wheel."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from packaging.utils import InvalidWheelFilename, NormalizedName, canonicalize_name, parse_wheel_filename

from emwheels.atomic import read_regular, write_atomically
from emwheels.errors import IndexingError, visible
from emwheels.fetch.index_pages import Offer, Resource
from emwheels.index.wheelfile import check_filename

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_LARGEST = 16 << 20
_HEADER = """\
# What this index has from elsewhere, so that nothing in it comes from another place. Keep this file with the project.
# Made by `emwheels index close`; to take newer versions, remove their lines and run it again.
"""
_LINE = re.compile(r"(\S+) sha256=([0-9a-f]{64}) for=(\S+) needed-by=(\S+)")
_HINT = "restore the file, or remove it and run `emwheels index close`"
ASKED = "asked"
"""Who needs a wheel that was asked for by name, or by the name of a set."""


@dataclass(frozen=True, kw_only=True)
class PinnedWheel:
    """A line of the lock."""

    filename: str
    sha256: str
    releases: tuple[str, ...]
    """The Pyodide releases that it was chosen for."""
    needed_by: tuple[str, ...]
    """Projects, by name; `ASKED` where somebody asked for it."""

    @property
    def name(self) -> NormalizedName:
        """The project's name."""
        return parse_wheel_filename(self.filename)[0]

    def line(self) -> str:
        """Return how it stands in the file."""
        releases, needers = ",".join(self.releases), ",".join(self.needed_by)
        return f"{self.filename} sha256={self.sha256} for={releases} needed-by={needers}"

    def offer(self) -> Offer:
        """Return it as an index would offer it."""
        version = str(parse_wheel_filename(self.filename)[1])
        return Offer(resource=Resource(url="", filename=self.filename, sha256=self.sha256), version=version)


@dataclass(frozen=True, kw_only=True)
class ClosingLock:
    """What closed an index."""

    wheels: tuple[PinnedWheel, ...] = ()
    asked: tuple[str, ...] = ()
    """Names of sets, and requirements, that are in the index besides what its projects need."""
    foreign: tuple[str, ...] = ()
    """Packages of Pyodide's own lock that stay there."""

    def dump(self) -> bytes:
        """Return the file."""
        lines = [f"with {text}" for text in sorted(self.asked)]
        lines += [f"keep-foreign {name}" for name in sorted(self.foreign)]
        lines += [wheel.line() for wheel in sorted(self.wheels, key=lambda wheel: wheel.filename)]
        return (_HEADER + "".join(f"{line}\n" for line in lines)).encode()

    def write(self, path: Path) -> None:
        """Write the file, if it is not there as it should be."""
        if not path.is_file() or path.read_bytes() != self.dump():
            write_atomically(path, self.dump())


def read_closing_lock(path: Path) -> ClosingLock:
    """Read ``index.lock``; an empty one where there is none. Raises `IndexingError` that names the line."""
    try:
        lines = read_regular(path, limit=_LARGEST).decode().splitlines()
    except FileNotFoundError:
        return ClosingLock()
    except (OSError, UnicodeDecodeError) as error:
        raise IndexingError(
            f"{path} cannot be read: {error}", hint="restore it, or remove it and close again"
        ) from error
    wheels: dict[str, PinnedWheel] = {}
    words: dict[str, list[str]] = {"with": [], "keep-foreign": []}
    for number, line in enumerate(lines, 1):
        word, _, rest = line.partition(" ")
        if word in words and rest.strip():
            words[word].append(rest.strip())
        elif line.strip() and not line.startswith("#"):
            wheel = _pinned(line, f"{path}:{number}")
            wheels[wheel.filename] = wheel
    return ClosingLock(
        wheels=tuple(wheels.values()),
        asked=tuple(words["with"]),
        foreign=tuple(canonicalize_name(name) for name in words["keep-foreign"]),
    )


def _pinned(line: str, where: str) -> PinnedWheel:
    match = _LINE.fullmatch(line.strip())
    try:
        if match is None:
            raise IndexingError("it is not FILE sha256=… for=RELEASES needed-by=NAMES")  # noqa: TRY301
        check_filename(match[1])
    except (IndexingError, InvalidWheelFilename) as error:
        raise IndexingError(
            f"{where}: {visible(line, lines=False)[:200]!r}: {visible(str(error))}",
            hint=_HINT,
        ) from error
    return PinnedWheel(
        filename=match[1], sha256=match[2], releases=tuple(match[3].split(",")), needed_by=tuple(match[4].split(","))
    )


def by_project(wheels: Iterable[PinnedWheel]) -> dict[str, list[Offer]]:
    """Return project -> what the lock offers of it."""
    found: dict[str, list[Offer]] = {}
    for wheel in wheels:
        found.setdefault(wheel.name, []).append(wheel.offer())
    return found
