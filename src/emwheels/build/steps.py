"""How far a build is, by the log that it writes: ninja and make tell, other compilations are counted."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_CHUNK = 4 << 20
"""Bytes that are read of a log at a time."""
_NINJA = re.compile(rb"^\[(\d{1,6})/(\d{1,6})\] ", re.MULTILINE)
_PERCENT = re.compile(rb"^\[ {0,2}(\d{1,3})%\] ", re.MULTILINE)
"""Make, by CMake's rules."""
_COMPILED = re.compile(
    rb"^\S*(?:/|^)(?:cc|c\+\+|gcc|g\+\+|emcc|em\+\+|clang|clang\+\+|gfortran) (?:[^\n]* )?-c ", re.MULTILINE
)


@dataclass(frozen=True, kw_only=True)
class Before:
    """The last build of the same recipe."""

    seconds: float
    compiled: int
    """Compilations in its log; 0 if that is not known."""


class Steps:
    """Reads a log that grows."""

    def __init__(self, log: Path, before: Before | None = None) -> None:
        self._log = log
        self._before = before
        self._offset = 0
        self._rest = b""
        self._done = self._total = 0
        self._percent = False
        self.compiled = 0
        """Compilations so far that no build system counts."""

    def look(self) -> None:
        """Read what has come since the last time."""
        try:
            with self._log.open("rb") as stream:
                if stream.seek(0, 2) < self._offset:  # it was begun anew
                    self._offset, self._rest, self.compiled = 0, b"", 0
                stream.seek(self._offset)
                data = stream.read(_CHUNK)
        except OSError:
            return
        self._offset += len(data)
        lines, end, self._rest = (self._rest + data).rpartition(b"\n")
        self._rest = self._rest[-_CHUNK:]
        self._count(lines + end)

    def _count(self, lines: bytes) -> None:
        for pattern in (_NINJA, _PERCENT):
            for match in pattern.finditer(lines):
                self._percent = pattern is _PERCENT
                self._done, self._total = int(match[1]), 100 if self._percent else int(match[2])
        self.compiled += len(_COMPILED.findall(lines))

    def words(self, seconds: float) -> str:
        """Return how far it is after ``seconds``, such as ``112 of 285, about 3 min``; empty if nothing tells."""
        before = self._before
        done, total = self._done, self._total
        if not total:
            done, total = self.compiled, before.compiled if before else 0
        left = seconds / done * (total - done) if 0 < done <= total else before.seconds - seconds if before else 0.0
        if self._percent:
            counted = f"{done} %"
        else:
            counted = f"{done} of {total}" if 0 < done <= total else f"{done} compiled" if done else ""
        return ", ".join(filter(None, (counted, _about(left))))


def _about(seconds: float) -> str:
    """Return a time that is left, as roughly as it is known."""
    if seconds < 5:
        return ""
    return f"about {round(seconds / 60)} min" if seconds >= 90 else f"about {max(1, round(seconds / 10)) * 10} s"


def compiled_in(log: Path) -> int:
    """Return the compilations that the log of a build has."""
    steps = Steps(log)
    steps.look()
    return steps.compiled
