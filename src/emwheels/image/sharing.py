"""Files that two images have alike are kept once."""

from __future__ import annotations

import filecmp
import os
from contextlib import suppress
from stat import S_ISREG
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_SMALLEST = 4096
"""Bytes below which a file is left alone: a block is the least that a link saves."""
_COPY = ".emwheels-link"


def share_files(root: Path, others: Sequence[Path]) -> int:
    """Make files of ``root`` hard links to the same files of ``others``, and return the bytes that this saves.

    The same are files at one place with one owner, one mode, one time and one content. All of these folders have to be
    finished: what is written to a file afterwards is written to all. Where links cannot be made, as between two
    file systems, nothing changes.
    """
    saved = 0
    for folder, _, names in os.walk(root):
        inside = os.path.relpath(folder, root)
        for name in names:
            path = os.path.join(folder, name)  # noqa: PTH118  (a hundred thousand files: pathlib takes three times as long)
            status = os.lstat(path)
            if not S_ISREG(status.st_mode) or status.st_size < _SMALLEST or status.st_nlink > 1:
                continue
            for other in others:
                place = os.path.join(other, inside, name)  # noqa: PTH118
                if _same(status, place) and _equal(path, place):
                    try:
                        os.link(place, path + _COPY)
                        os.replace(path + _COPY, path)  # noqa: PTH105
                    except OSError:
                        with suppress(OSError):
                            os.unlink(path + _COPY)  # noqa: PTH108
                        return saved
                    saved += status.st_size
                    break
    filecmp.clear_cache()
    return saved


def _equal(path: str, place: str) -> bool:
    try:
        return filecmp.cmp(path, place, shallow=False)
    except OSError:  # the other image is being removed
        return False


def _same(status: os.stat_result, place: str) -> bool:
    try:
        other = os.lstat(place)
    except OSError:
        return False
    attributes = ("st_mode", "st_uid", "st_gid", "st_size", "st_mtime_ns")
    return S_ISREG(other.st_mode) and all(getattr(status, name) == getattr(other, name) for name in attributes)
