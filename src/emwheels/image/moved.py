"""Compilers that took the place of the pinned one, on this machine: which, and what they have proven."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

from packaging.specifiers import SpecifierSet
from packaging.version import InvalidVersion, Version

from emwheels.atomic import read_regular, write_atomically
from emwheels.image.debian import image_folder, read_record

if TYPE_CHECKING:
    from pathlib import Path

    from emwheels.target import BuildImagePins

PROGRAMS, PACKAGES = "programs", "packages"
"""The two proofs: programs in the image, and packages in all engines, which another minor version needs."""


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A compiler in place of the pinned one."""

    emscripten: str
    llvm: str
    needs: str
    """The proof that it has to pass."""
    proven: str = ""
    """The proof that it passed."""

    @property
    def to_prove(self) -> bool:
        """Whether the proof with packages is still to come."""
        return self.needs == PACKAGES != self.proven

    def pins(self, pins: BuildImagePins) -> BuildImagePins:
        """Return the pins of its image."""
        return replace(pins, emscripten=self.emscripten, llvm=self.llvm)


def _file(cache: Path, pins: BuildImagePins) -> Path:
    folder = image_folder(cache, pins)
    return folder.with_name(f"{folder.name}.moved.json")


def remember(cache: Path, pins: BuildImagePins, candidate: Candidate) -> None:
    """Note that ``candidate`` may take the place of what ``pins`` ask for."""
    path = _file(cache, pins)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, json.dumps(asdict(candidate), indent=1).encode())


def candidate_for(cache: Path, pins: BuildImagePins) -> Candidate | None:
    """Return what was noted for ``pins``, if its image is there; None for nothing, and for a damaged note."""
    try:
        candidate = Candidate(**json.loads(read_regular(_file(cache, pins), limit=1 << 16)))
    except (OSError, ValueError, TypeError, RecursionError):
        return None
    if not all(isinstance(text, str) for text in asdict(candidate).values()):
        return None
    if not is_accepted(candidate.emscripten, pins):  # targets.toml may have changed since
        return None
    return candidate if read_record(image_folder(cache, candidate.pins(pins))) is not None else None


def is_accepted(emscripten: str, pins: BuildImagePins) -> bool:
    """Tell whether a version of Emscripten may take the place of the pinned one, once it is proven."""
    try:
        return Version(emscripten) in SpecifierSet(pins.accepted or f"=={pins.emscripten}")
    except InvalidVersion:
        return False


def in_force(cache: Path, pins: BuildImagePins) -> tuple[BuildImagePins, Candidate | None]:
    """Return the pins of the image that is used here: those given, where it is there or nothing took its place."""
    if read_record(image_folder(cache, pins)) is not None:
        return pins, None
    candidate = candidate_for(cache, pins)
    return (candidate.pins(pins), candidate) if candidate else (pins, None)
