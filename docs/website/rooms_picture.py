"""The rooms of the library as a picture: boxes by floor, and an arrow for each import from one room to another."""

from __future__ import annotations

import ast
from html import escape
from typing import TYPE_CHECKING

import structure

if TYPE_CHECKING:
    from collections.abc import Collection

_WIDTH, _BOX_HEIGHT, _FLOOR = 1000, 30, 84
_MARGIN = 10
_LETTER = 8.2
_TOP = 14


def page() -> str:
    """Return the page with the picture, and with a table of the same."""
    arrows = structure.arrows()
    rows = []
    for floor in reversed(_floors(arrows)):
        for room in sorted(floor):
            uses = ", ".join(sorted(other for one, other in arrows if one == room)) or "nothing"
            rows.append(f"| `{room}` | {_purpose(room)} | {uses} |")
    return "\n".join([
        "# The rooms",
        "",
        "The library is a house of rooms, each a module or package of `src/emwheels`. An arrow is an import, and every",
        "arrow points down. Programs that use the library stand above it. Point at a room to see its own arrows:",
        "those to what it imports are green, those from what imports it are orange.",
        "",
        "```{raw} html",
        picture(arrows),
        "```",
        "",
        "[How it works](../docs/how-it-works.md) tells what happens in them during a build.",
        "",
        "| room | purpose | imports |",
        "| --- | --- | --- |",
        *rows,
        "",
    ])  # fmt: skip


def picture(arrows: set[tuple[str, str]]) -> str:
    """Return the picture as SVG, to stand in an HTML page whose colours it takes over."""
    floors = _ordered(_floors(arrows), arrows)
    places: dict[str, tuple[float, float, float]] = {}
    for number, floor in enumerate(reversed(floors)):
        widths = {room: len(room) * _LETTER + 18 for room in floor}
        gap = (_WIDTH - 2 * _MARGIN - sum(widths.values())) / len(floor)
        left = _MARGIN + gap / 2
        for room in floor:
            places[room] = (left, _TOP + number * _FLOOR, widths[room])
            left += widths[room] + gap
    height = 2 * _TOP + (len(floors) - 1) * _FLOOR + _BOX_HEIGHT
    lines = [
        f'<svg id="rooms" viewBox="0 0 {_WIDTH} {height}" role="img" xmlns="http://www.w3.org/2000/svg">',
        "<style>",
        "#rooms { width: 100%; font: 14px monospace; }",
        "#rooms path { fill: none; stroke: currentColor; stroke-opacity: .22; }",
        "#rooms rect { fill: var(--color-background-secondary, #f4f4f4); stroke: currentColor; }",
        "#rooms text { fill: currentColor; text-anchor: middle; dominant-baseline: central; }",
    ]
    for name in (_slug(room) for room in places):
        lines.append(f"#rooms:has(#room-{name}:hover) .from-{name} {{ stroke: #2a9d5c; stroke-opacity: 1; }}")
        lines.append(f"#rooms:has(#room-{name}:hover) .to-{name} {{ stroke: #e07b00; stroke-opacity: 1; }}")
    lines.append("</style>")
    for room, other in sorted(arrows):
        (x, y, width), (to_x, to_y, to_width) = places[room], places[other]
        x, to_x, y = x + width / 2, to_x + to_width / 2, y + _BOX_HEIGHT
        bend = (to_y - y) / 2
        lines.append(
            f'<path class="from-{_slug(room)} to-{_slug(other)}" '
            f'd="M{x:.0f} {y:.0f}C{x:.0f} {y + bend:.0f} {to_x:.0f} {to_y - bend:.0f} {to_x:.0f} {to_y:.0f}"/>'
        )
        lines.append(
            f'<path class="from-{_slug(room)} to-{_slug(other)}" '
            f'd="M{to_x - 4:.0f} {to_y - 7:.0f}L{to_x:.0f} {to_y:.0f}L{to_x + 4:.0f} {to_y - 7:.0f}"/>'
        )
    for room, (x, y, width) in places.items():
        lines.append(
            f'<g id="room-{_slug(room)}"><title>{escape(_purpose(room))}</title>'
            f'<rect x="{x:.0f}" y="{y:.0f}" width="{width:.0f}" height="{_BOX_HEIGHT}" rx="5"/>'
            f'<text x="{x + width / 2:.0f}" y="{y + _BOX_HEIGHT / 2:.0f}">{escape(room)}</text></g>'
        )
    return "\n".join([*lines, "</svg>"])


def _slug(room: str) -> str:
    return room.replace(".", "-")


def _floors(arrows: Collection[tuple[str, str]]) -> list[list[str]]:
    """Return the rooms that there are from the ground up, programs last."""
    there = {room for arrow in arrows for room in arrow} | {structure.room_of(path) for path, _ in structure.modules()}
    floors = [[room for room in floor if room in there] for floor in structure.FLOORS]
    return [*filter(None, floors), [program for program in structure.PROGRAMS if program in there]]


def _ordered(floors: list[list[str]], arrows: set[tuple[str, str]]) -> list[list[str]]:
    """Return the floors with rooms near to those that they import and that import them, so that fewer arrows cross."""
    at = {room: (number + 0.5) / len(floor) for floor in floors for number, room in enumerate(floor)}
    near: dict[str, list[str]] = {room: [] for room in at}
    for room, other in arrows:
        near[room].append(other)
        near[other].append(room)
    for _ in range(8):
        for floor in floors:
            floor.sort(key=lambda room: (sum(at[other] for other in near[room]) / max(1, len(near[room])), room))
            at |= {room: (number + 0.5) / len(floor) for number, room in enumerate(floor)}
    return floors


_PROGRAMS = {
    "benchmarks": "Programs that measure.",
    "demo": "The browser application on the wheels that are built here.",
    "ci": "Workflow files, and programs that they run.",
    "noxfile.py": "Sessions: thin callers of the command.",
}


def _purpose(room: str) -> str:
    """Return the first sentence of a room's docstring."""
    if room in _PROGRAMS:
        return _PROGRAMS[room]
    top = structure.SOURCE / "emwheels"
    path = top / room / "__init__.py" if (top / room).is_dir() else top / f"{room}.py"
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return " ".join(text.partition("\n\n")[0].split()).replace("``", "`").replace("|", r"\|")
