"""Which wheels the figures of a document are of: a line in it for programs, and one for readers.

Below a table stands a comment that names the wheels and the day, with the first digits of their content::

    <!-- wheels: numpy=0123456789ab opencv-python=? 2026-11-22 -->

``?`` stands for what nobody noted. The line after it says the same in words, and is written by `emwheels.tables`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from packaging.utils import parse_wheel_filename

from emwheels.status.ledger import SHORT, UNKNOWN, Ledger, RecordedResult
from emwheels.wheel import content_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

_STAMP = re.compile(r"<!-- wheels: (?P<wheels>[^>]*?) (?P<date>\d{4}-\d\d-\d\d) -->")
_SAID = re.compile(r"\*Of [^\n]*\*\Z")


def stamp(contents: Mapping[str, str], date: str) -> str:
    """Return the comment for wheels with these contents."""
    wheels = " ".join(f"{name}={content[:SHORT]}" for name, content in sorted(contents.items()))
    return f"<!-- wheels: {wheels} {date} -->"


def contents_of(wheels: Iterable[Path]) -> dict[str, str]:
    """Return the content of each wheel by the name of its project."""
    return {parse_wheel_filename(wheel.name)[0]: content_of(wheel) for wheel in wheels}


def read_stamps(name: str, text: str) -> Iterator[RecordedResult]:
    """Yield a result for each stamp of the document called ``name``, named after the heading above it."""
    heading, seen = "", 0
    for line in text.splitlines():
        if line.startswith("#"):
            heading, seen = re.sub(r"[^\w\- ]", "", line.lstrip("# ").lower()).replace(" ", "-"), 0
        elif match := _STAMP.fullmatch(line.strip()):
            seen += 1
            pairs = [pair.partition("=") for pair in match["wheels"].split()]
            number = f"-{seen}" if seen > 1 else ""
            wheels = {wheel: content for wheel, _, content in pairs}
            yield RecordedResult(name=f"{name}#{heading}{number}", date=match["date"], wheels=wheels)


def with_stamps(text: str, ledger: Ledger) -> str:
    """Return the document with what each stamp says in words in the line below it."""
    lines: list[str] = []
    warned = False
    for line in text.splitlines():
        if warned and _SAID.fullmatch(line.strip()):
            warned = False
            continue
        warned = False
        lines.append(line)
        if _STAMP.fullmatch(line.strip()):
            (result,) = read_stamps("", line)
            lines.append(_in_words(result, ledger))
            warned = True
    return "\n".join([*lines, ""])


def _in_words(result: RecordedResult, ledger: Ledger) -> str:
    others = ledger.others(result.wheels)
    present = [name for name in sorted(result.wheels) if name not in others]
    parts = [f"the present {', '.join(present)}"] if present else []
    parts += [f"**an earlier** {', '.join(others)}"] if others else []
    shown = ", ".join(f"`{content}`" for _, content in sorted(result.wheels.items()) if content != UNKNOWN)
    return f"*Of {' and '.join(parts)}; {result.date}{f'; content {shown}' if shown else ''}.*"
