"""Files that two images have alike are kept once."""

from __future__ import annotations

import contextlib
import filecmp
import os
from stat import S_ISREG
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_SMALLEST = 4096
"""Bytes below which a file is left alone: a block is the least that a link saves."""
_COPY = ".emwheels-link"
"""What a link is called before it takes the place of a file."""


def share_files(root: Path, others: Sequence[Path]) -> int:
    """Make files of ``root`` hard links to the same files of ``others``, and return the bytes that this saves.

    The same are files at one place with one owner, one mode, one time and one content. All of these folders have to be
    finished: what is written to a file afterwards is written to all. Where links cannot be made, as between two
    file systems, nothing changes. Of ``others`` anything may vanish meanwhile.
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
                if _same(status, path, place):
                    try:
                        _link(place, path)
                    except FileNotFoundError:
                        continue
                    except OSError:
                        return saved
                    saved += status.st_size
                    break
    filecmp.clear_cache()
    return saved


def _same(status: os.stat_result, path: str, place: str) -> bool:
    facts = ("st_mode", "st_uid", "st_gid", "st_size", "st_mtime_ns")
    try:
        other = os.lstat(place)
        alike = S_ISREG(other.st_mode) and all(getattr(status, name) == getattr(other, name) for name in facts)
        return alike and filecmp.cmp(path, place, shallow=False)
    except OSError:  # it vanished, or cannot be read
        return False


def _link(place: str, path: str) -> None:
    """Make ``path`` a link to ``place``. Raises `OSError`, and has then changed nothing."""
    copy = os.path.join(os.path.dirname(path), _COPY)  # noqa: PTH118, PTH120
    try:
        os.link(place, copy)
        os.replace(copy, path)  # noqa: PTH105
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(copy)  # noqa: PTH108
