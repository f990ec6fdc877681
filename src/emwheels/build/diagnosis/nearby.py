"""What the work folder of a failed build adds to its log: where a header lies, and what a build system wrote there.

Everything there is the build's, and may be anything: it is read by way of `emwheels.image.door`, and little of it.
"""

from __future__ import annotations

import re
from itertools import takewhile
from typing import TYPE_CHECKING

from emwheels.image.door import Door, DoorError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from emwheels.build.diagnosis.kind import Found

_INCLUDE = "build/.libs/include"
_MOST_BYTES = 8 << 20
_WIDTH = 300
_OWN_LOGS = (
    (re.compile(r"configure: error: "), "config.log", re.compile(r"configure:\d+: error: ")),
    (re.compile(r"\S*meson\.build:\d+:\d+: ERROR: "), "meson-log.txt", re.compile(r"\S*meson\.build:\d+:\d+: ERROR: ")),
    (re.compile(r"CMake Error at .*\(message\)"), "CMakeConfigureLog.yaml", None),
)
"""What a tool says, the file that has its reason, and where this ends in it (None: with the file)."""
_CHECK = re.compile(r"configure:\d+: checking |\s+-$|Running compile:|Command line: ")
_REASON = re.compile(
    r"\s*(?!(?:emcc|em\+\+): error: '/)(?:\S+: (?:fatal )?error: |ModuleNotFoundError: |ImportError: |\w+Error: )"
)


def where_it_lies(inside: Path, found: Found) -> str:
    """Return in which folder of the host libraries a header is that was not found; empty if in none, or on the path."""
    if found.kind.id != "header" or not found.what:
        return ""
    name = found.what.rpartition("/")[2]
    try:
        with Door(inside) as door:
            paths = [left.path for left in door.files(_INCLUDE) if left.path.endswith(f"/{name}")]
    except (OSError, DoorError):
        return ""
    folders = [path.removesuffix(found.what).rstrip("/") for path in paths if path.endswith(f"/{found.what}")]
    if not folders:
        return ""
    folder = folders[0].removeprefix(_INCLUDE)
    return f"It is there, in include{folder} of a host library: -I$(WASM_LIBRARY_DIR)/include{folder}."


def own_words(inside: Path, error: Sequence[str]) -> tuple[str, ...]:
    """Return what configure, meson or CMake wrote to its own log of the check that failed last; often that is why.

    None for an ``error`` of another tool, and for a log that has no such reason.
    """
    name, end = next(((name, end) for said, name, end in _OWN_LOGS if any(map(said.match, error))), ("", None))
    if not name:
        return ()
    try:
        with Door(inside) as door:
            path = next((left.path for left in door.files("build") if left.path.endswith(f"/{name}")), "")
            text = door.read(path, limit=_MOST_BYTES).decode(errors="replace") if path else ""
    except (OSError, DoorError):
        return ()
    lines = text.splitlines()
    last = next((at for at, line in enumerate(lines) if end and end.match(line)), len(lines))
    words = _last_reason(lines[:last])
    return (f"{name}, of the last check that failed:", *words) if words else ()


def _last_reason(lines: Sequence[str]) -> list[str]:
    """Return what a compiler said first in the last check of a log in which it said anything."""
    start = next((at for at in reversed(range(len(lines))) if _REASON.match(lines[at])), -1)
    while start > 0 and not _CHECK.match(lines[start - 1]):
        start -= 1
    reasons = (at for at in range(max(start, 0), len(lines)) if _REASON.match(lines[at]))
    first = next(reasons, len(lines))
    after = takewhile(lambda line: re.match(r"\s*\d* +\| ", line), lines[first + 1 : first + 3])
    return [line.strip()[:_WIDTH] for line in (*lines[first : first + 1], *after)]
