"""What the work folder of a failed build adds to its log: where a header lies, and what a build system wrote to its own.

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
_MOST_LINES = 8
_WIDTH = 300
_OWN_LOGS = (
    (re.compile(r"configure: error: "), "config.log"),
    (re.compile(r"\S*meson\.build:\d+:\d+: ERROR: "), "meson-log.txt"),
)
"""What a tool says, and the file that has its reason."""
_REASON = re.compile(r"\S+: (?:fatal )?error: |ModuleNotFoundError: |ImportError: |\w+Error: ")


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
    """Return what the log of configure or meson has of an ``error`` that names no reason; none if it has nothing."""
    name = next((name for said, name in _OWN_LOGS if any(said.match(line) for line in error)), "")
    if not name:
        return ()
    try:
        with Door(inside) as door:
            path = next((left.path for left in door.files("build") if left.path.endswith(f"/{name}")), "")
            text = door.read(path, limit=_MOST_BYTES).decode(errors="replace") if path else ""
    except (OSError, DoorError):
        return ()
    words = _before_the_error(text.splitlines(), error[-1].partition("ERROR: ")[2] or error[-1])
    return (f"{name}:", *words) if words else ()


def _before_the_error(lines: Sequence[str], error: str) -> list[str]:
    """Return what a compiler or Python said last before a log has the line of ``error``."""
    said = error.removeprefix("configure: ")
    end = next((at for at, line in enumerate(lines) if said in line), 0)
    start = next((at for at in reversed(range(max(0, end - 80), end)) if _REASON.match(lines[at])), -1)
    if start < 0:
        return []
    after = takewhile(lambda line: line.startswith("  ") or " | " in line, lines[start + 1 : end])
    return [line[:_WIDTH] for line in (lines[start], *after)][:_MOST_LINES]
