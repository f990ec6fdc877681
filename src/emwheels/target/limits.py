"""What one command in the sandbox may use: defaults, and how to raise each."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_GIB = 1 << 30
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*([smhd]?)")
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?", re.IGNORECASE)
_BYTES = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
_MOST = 1 << 50


def machine_memory() -> int:
    """Return the bytes of memory of this machine (sysconf(3))."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What one command and everything below it may use. 0 stands for no limit."""

    time: float = 6 * 3600
    """Seconds from start to end."""
    idle: float = 3600
    """Seconds without a byte of output."""
    processes: int = 4096
    """Processes and threads at the same time."""
    memory: int = 0
    """Bytes of memory in use by all processes together."""
    disk: int = 40 * _GIB
    """Bytes that the folders which the command may write grow by, and the largest file."""
    scratch: int = 0
    """Bytes of /tmp, which is in memory."""
    log: int = 256 << 20
    """Bytes of output."""
    files: int = 65536
    """Open files of one process."""

    def with_texts(self, texts: Mapping[str, object]) -> Limits:
        """Return these limits, those named in ``texts`` replaced, e.g. ``{"time": "2h", "memory": "8G"}``.

        Raises ValueError, with the name and what it takes, for a name or a value that is none.
        """
        numbers: dict[str, Any] = {name: _parsed(name, value) for name, value in texts.items()}
        return replace(self, **numbers)


LIMITS = tuple(each.name for each in fields(Limits))
"""The names, as `Limits` has them."""
WORDS = {
    "time": "how long a build may take",
    "idle": "how long a build may say nothing",
    "processes": "how many processes a build may have",
    "memory": "how much memory a build may use",
    "disk": "how much a build may write",
    "scratch": "how large /tmp may get",
    "log": "how long a build's log may get",
    "files": "how many files a process may have open",
}
"""Name -> what it limits, for help and documentation."""
_DURATIONS = ("time", "idle")
_SIZES = ("memory", "disk", "scratch", "log")


def default_limits() -> Limits:
    """Return the limits of a command where nothing else is said: most of this machine's memory, a quarter as /tmp."""
    memory = machine_memory()
    return Limits(memory=memory * 9 // 10, scratch=min(8 * _GIB, memory // 4))


def _parsed(name: str, value: object) -> float | int:
    """Return the number of a limit; none, no, off and 0 stand for no limit."""
    if name not in LIMITS:
        raise ValueError(f"{name!r} is no limit; there are {', '.join(LIMITS)}")
    text = str(value).strip()
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        text = ""
    if text in {"none", "no", "off"}:
        return 0
    pattern, units, example = (
        (_DURATION, _SECONDS, "90, 30m or 2h")
        if name in _DURATIONS
        else (_SIZE, _BYTES, "500M or 8G")
        if name in _SIZES
        else (re.compile(r"(\d+)()"), {"": 1}, "1000")
    )
    match = pattern.fullmatch(text) if text.isascii() and len(text) < 40 else None
    number = float(match[1]) * units[match[2].upper() if units is _BYTES else match[2]] if match else _MOST + 1
    if number > _MOST:
        raise ValueError(f"{name} must be like {example}, or none; {text[:40]!r} is not")
    return number if name in _DURATIONS else int(number)


def shown(name: str, value: float) -> str:
    """Return the value of a limit with its unit, as `Limits.with_texts` reads it: ``2h``, ``8G``, ``4096``."""
    table = _SECONDS if name in _DURATIONS else _BYTES if name in _SIZES else {"": 1}
    if not value:
        return "none"
    for unit, size in sorted(table.items(), key=lambda item: -item[1]):
        if value >= size and unit:
            return f"{value / size:.2f}".rstrip("0").rstrip(".") + unit
    return str(value)
