"""What is in a wheel that a recipe made, for whoever works on that recipe."""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING

from emwheels.wheel import UNREADABLE

if TYPE_CHECKING:
    from pathlib import Path

_BESIDE = (".dist-info", ".data", ".libs")
"""How folders of a wheel end from which nothing is imported."""


def unpacked(wheel: Path) -> list[tuple[str, int]] | None:
    """Return the name and the unpacked size of each file in a wheel; None for one that cannot be read."""
    try:
        with zipfile.ZipFile(wheel) as archive:
            return [(member.filename, member.file_size) for member in archive.infolist()]
    except UNREADABLE:
        return None


def top_level(wheel: Path) -> frozenset[str] | None:
    """Return the top-level names that users can import of a wheel; None for one that cannot be read."""
    files = unpacked(wheel)
    if files is None:
        return None
    tops = [name.split("/")[0] for name, _ in files]
    return frozenset(top.partition(".")[0] for top in tops if not top.endswith(_BESIDE))
