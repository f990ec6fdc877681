"""The command line in a build's log that failed, where the log shows one."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_MOST_BYTES = 8 << 20
"""Of the end of a log that are looked at."""
_LONGEST = 100_000
_ESCAPE = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_COMMAND = re.compile(
    r"(?:\[\d+/\d+\]\s+)?(?P<line>(?:\S*/)?(?:cc|c\+\+|gcc|g\+\+|emcc|em\+\+|clang|clang\+\+|gfortran|ar|emar|ld)\s.*)"
)
"""As setuptools, make, and ninja's verbose mode print them."""
_FAULT = re.compile(
    r": (?:fatal )?error: |^error: command |^(?:em\+\+|emcc|wasm-ld|clang)\S*: error: |\*\*\* .*Error \d"
    r"|undefined symbol: "
)
_NINJA = re.compile(r"FAILED: ")


def failed_command(log: Path) -> str:
    """Return the command that failed first, as the build ran it; an empty text if the log has none."""
    try:
        with log.open("rb") as stream:
            stream.seek(max(0, log.stat().st_size - _MOST_BYTES))
            text = stream.read(_MOST_BYTES).decode(errors="replace")
    except OSError:
        return ""
    return command_in(_ESCAPE.sub("", text).splitlines())


def command_in(lines: Sequence[str]) -> str:
    """Return what failed first in the lines of a log. Ninja repeats it; else it is the last one before the fault."""
    last = ""
    for number, line in enumerate(lines):
        if _NINJA.match(line) and number + 1 < len(lines):
            return _alone(lines[number + 1])
        if match := _COMMAND.match(_alone(line)):
            last = match["line"][:_LONGEST]
        elif last and _FAULT.search(line):
            return last
    return ""


def _alone(line: str) -> str:
    """Return the command of a line such as CMake's ``cd FOLDER && COMMAND`` or ``: && COMMAND && :``."""
    parts = [part.strip() for part in line[:_LONGEST].split(" && ")]
    return next((part for part in parts if _COMMAND.match(part)), parts[0])
