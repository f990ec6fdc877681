"""The end of a log, for a diagnosis."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

MOST_BYTES = 2 << 20


def end_of(log: Path) -> str:
    """Return the end of a log, at most `MOST_BYTES`; empty if there is none, or something that is no regular file."""
    try:
        descriptor = os.open(log, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return ""
    with os.fdopen(descriptor, "rb") as stream:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            return ""
        stream.seek(max(0, status.st_size - MOST_BYTES))
        return stream.read(MOST_BYTES).decode(errors="replace")
