"""A picture of what the wheels weigh and how long they take to build: two bars a package, as SVG."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from emwheels.status.model import StatusRow

ROW = 44
LABEL = 140
BAR = 150
WIDTH = LABEL + BAR + 90
_LONGEST_NAME = 18
"""Characters: a phone shows the whole picture without making the text too small."""
_SHORTEST = 2


def picture(built: Sequence[StatusRow]) -> str:
    """Return an SVG element with, for each wheel, a bar for its size and one for its build time.

    Each kind of bar has a scale of its own, from 0 to its largest; the numbers are written beside the bars.
    """
    largest = max((row.size for row in built), default=0) or 1
    longest = max((row.seconds or 0.0 for row in built), default=0.0) or 1.0
    height = ROW * len(built) + 8
    parts = [
        f'<svg class="picture" role="img" aria-labelledby="picture-title picture-text" viewBox="0 0 {WIDTH} {height}"',
        'xmlns="http://www.w3.org/2000/svg">',
        '<title id="picture-title">Size and build time of each wheel</title>',
        f'<desc id="picture-text">{html.escape(_described(built))}</desc>',
    ]
    for number, row in enumerate(built):
        top = number * ROW + 8
        parts += _text("name", top + 14, _shortened(row.name)) + _text("target", top + 30, row.target)
        parts += _bar("size", top, row.size / largest, size_text(row.size))
        if row.seconds is not None:
            parts += _bar("time", top + 17, row.seconds / longest, time_text(row.seconds))
    return "\n".join([*parts, "</svg>"])


def _shortened(name: str) -> str:
    return name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…"


def _text(kind: str, bottom: int, text: str) -> list[str]:
    return [f'<text class="{kind}" x="{LABEL - 8}" y="{bottom}" text-anchor="end">{html.escape(text)}</text>']


def _bar(kind: str, top: int, share: float, text: str) -> list[str]:
    width = max(_SHORTEST, round(BAR * share))
    return [
        f'<rect class="{kind}" x="{LABEL}" y="{top}" width="{width}" height="14" rx="2"/>',
        f'<text class="value" x="{LABEL + width + 6}" y="{top + 12}">{text}</text>',
    ]


def size_text(size: int) -> str:
    """Write a number of bytes for people, in powers of ten."""
    if size < 1_000_000:
        return f"{size / 1000:.0f} kB" if size >= 1000 else f"{size} B"
    return f"{size / 1_000_000:.1f} MB"


def time_text(seconds: float) -> str:
    """Write a time for people."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02} s"


def _described(built: Sequence[StatusRow]) -> str:
    return "; ".join(
        f"{row.name} for {row.target}: {size_text(row.size)}" + (f", {time_text(row.seconds)}" if row.seconds else "")
        for row in built
    )
