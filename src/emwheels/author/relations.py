"""What recipes need and what needs them, as data, as text for Graphviz and as a picture that needs no program."""

from __future__ import annotations

import html
import json
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING, Literal

from emwheels.atomic import write_atomically
from emwheels.errors import RecipeError
from emwheels.recipe.graph import all_requirements

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from pathlib import Path

    from emwheels.recipe.model import Recipe

_ROW, _COLUMN, _BOX_HEIGHT, _BOX_WIDTH, _MARGIN = 30, 240, 22, 170, 12
_LONGEST_NAME = 24
_SWEEPS = 6
"""How often the rows are put in the order of their neighbours; more changes nothing that one sees."""


@dataclass(frozen=True, kw_only=True)
class Need:
    """An arrow: ``name`` needs ``other``, to compile (``host``) or at run time (``run``)."""

    name: str
    other: str
    kind: Literal["host", "run"]


@dataclass(frozen=True, kw_only=True)
class Relations:
    """Recipes, and packages that no recipe builds, with all arrows between them."""

    titles: Mapping[str, str]
    """Name -> what is shown when the mouse is over it."""
    foreign: frozenset[str]
    """Those that no recipe builds: pure Python from an index."""
    needs: tuple[Need, ...]


def needed(names: Iterable[str], recipes: Mapping[str, Recipe]) -> list[str]:
    """Return what ``names`` need, directly or not, recipes or not; sorted, without ``names`` themselves."""
    return _reached(names, {name: all_requirements(recipe.requirements) for name, recipe in recipes.items()})


def needing(names: Iterable[str], recipes: Mapping[str, Recipe]) -> list[str]:
    """Return the recipes that need ``names``, directly or not; sorted, without ``names`` themselves."""
    back: dict[str, list[str]] = {}
    for name, recipe in recipes.items():
        for other in all_requirements(recipe.requirements):
            back.setdefault(other, []).append(name)
    return _reached(names, back)


def _reached(names: Iterable[str], arrows: Mapping[str, Collection[str]]) -> list[str]:
    start = set(names)
    seen: set[str] = set()
    waiting = list(start)
    while waiting:
        for other in arrows.get(waiting.pop(), ()):
            if other not in seen:
                seen.add(other)
                waiting.append(other)
    return sorted(seen - start)


def relations(names: Iterable[str], recipes: Mapping[str, Recipe]) -> Relations:
    """Return ``names`` and all that they need."""
    chosen = sorted({*names, *needed(names, recipes)})
    needs = [
        Need(name=name, other=other, kind=kind)
        for name in chosen
        if name in recipes
        for kind, others in _by_kind(recipes[name])
        for other in dict.fromkeys(others)
    ]
    return Relations(
        titles={name: _title(name, recipes) for name in chosen},
        foreign=frozenset(name for name in chosen if name not in recipes),
        needs=tuple(needs),
    )


def _by_kind(recipe: Recipe) -> tuple[tuple[Literal["host", "run"], tuple[str, ...]], ...]:
    return ("host", recipe.requirements.host), ("run", recipe.requirements.run)


def _title(name: str, recipes: Mapping[str, Recipe]) -> str:
    users = needing([name], recipes)
    used = f"needed by {', '.join(users)}" if users else "nothing needs it"
    if name not in recipes:
        return f"{name}: pure Python from an index; {used}"
    recipe = recipes[name]
    summary = f": {recipe.about.summary}" if recipe.about.summary else ""
    return f"{name} {recipe.version}{summary}; {used}"


def write_graph(graph: Relations, file: Path) -> None:
    """Write the graph as a picture, or in Graphviz's language to a file whose name ends in ``.dot``."""
    write_atomically(file, (dot(graph) if file.suffix == ".dot" else svg(graph)).encode())


def dot(graph: Relations) -> str:
    """Return the graph in Graphviz's language."""
    lines = ["digraph recipes {", "  rankdir=RL;", "  node [shape=box];"]
    for name, title in graph.titles.items():
        style = ", style=dashed" if name in graph.foreign else ""
        lines.append(f"  {json.dumps(name)} [tooltip={json.dumps(title, ensure_ascii=False)}{style}];")
    for need in graph.needs:
        style = "" if need.kind == "host" else " [style=dashed]"
        lines.append(f"  {json.dumps(need.name)} -> {json.dumps(need.other)}{style};")
    return "\n".join([*lines, "}", ""])


def _columns(graph: Relations) -> list[list[str]]:
    """Return the names by how long the longest chain of what they need is. Raises `RecipeError` for a ring."""
    sorter = TopologicalSorter({name: [] for name in graph.titles})
    others: dict[str, list[str]] = {name: [] for name in graph.titles}
    for need in graph.needs:
        sorter.add(need.name, need.other)
        others[need.name].append(need.other)
    depth: dict[str, int] = {}
    try:
        for name in sorter.static_order():
            depth[name] = max((depth[other] + 1 for other in others[name]), default=0)
    except CycleError as error:
        ring = " -> ".join(error.args[1][::-1])
        raise RecipeError(f"these recipes need each other: {ring}", hint="take one of them out of the other") from None
    columns: list[list[str]] = [[] for _ in range(max(depth.values(), default=-1) + 1)]
    for name in sorted(depth):
        columns[depth[name]].append(name)
    return columns


def _ordered(columns: list[list[str]], graph: Relations) -> dict[str, tuple[float, int]]:
    """Return the row and column of each name: near the rows of its neighbours, so that few arrows cross."""
    tallest = max(map(len, columns), default=0)
    near: dict[str, list[str]] = {name: [] for name in graph.titles}
    for need in graph.needs:
        near[need.name].append(need.other)
        near[need.other].append(need.name)
    rows: dict[str, float] = {}
    for column in columns:
        rows |= {name: float(row) for row, name in enumerate(sorted(column, key=lambda name: (not near[name], name)))}
    for _ in range(_SWEEPS):
        for column in columns:
            column.sort(key=lambda name: _mean([rows[other] for other in near[name]], rows[name]))
            first = (tallest - len(column)) / 2
            rows |= {name: first + row for row, name in enumerate(column)}
    return {name: (rows[name], number) for number, column in enumerate(columns) for name in column}


def _mean(rows: list[float], otherwise: float) -> float:
    return sum(rows) / len(rows) if rows else otherwise + 1000  # what stands alone goes below the rest


def svg(graph: Relations) -> str:
    """Return a picture of the graph as one SVG file; each box and arrow says more when the mouse is over it."""
    columns = _columns(graph)
    places = {
        name: (_MARGIN + column * _COLUMN, _MARGIN + row * _ROW)
        for name, (row, column) in _ordered(columns, graph).items()
    }
    width = 2 * _MARGIN + max(len(columns) - 1, 0) * _COLUMN + _BOX_WIDTH
    height = 2 * _MARGIN + max(map(len, columns), default=0) * _ROW
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" viewBox="0 0 {width} {height}" width="{width}"',
        ' font-family="sans-serif" font-size="13">',
        f"<title>What {len(graph.titles)} packages need</title>",
        f"<style>{_STYLE}</style>",
        *(_arrow(need, places) for need in graph.needs),
        *(_box(name, places[name], graph) for name in graph.titles),
    ]
    return "\n".join([*parts, "</svg>", ""])


_STYLE = (
    "path{fill:none;stroke:#8a93a6;stroke-width:1.2}path.run{stroke-dasharray:4 3}"
    "path:hover{stroke:#c2410c;stroke-width:2.5}rect{fill:#eef2ff;stroke:#4f5d75}"
    ".foreign rect{fill:#fff;stroke-dasharray:4 3}g:hover rect{fill:#fde68a}text{fill:#1f2937}"
)


def _arrow(need: Need, places: Mapping[str, tuple[float, float]]) -> str:
    (x, y), (other_x, other_y) = places[need.name], places[need.other]
    start, end = f"{x} {y + _BOX_HEIGHT / 2:g}", f"{other_x + _BOX_WIDTH} {other_y + _BOX_HEIGHT / 2:g}"
    bend = (x - other_x - _BOX_WIDTH) / 2
    curve = f"M{start}C{x - bend:g} {y + _BOX_HEIGHT / 2:g} {other_x + _BOX_WIDTH + bend:g} "
    how = "is compiled against" if need.kind == "host" else "needs at run time"
    words = html.escape(f"{need.name} {how} {need.other}")
    return f'<path class="{need.kind}" d="{curve}{other_y + _BOX_HEIGHT / 2:g} {end}"><title>{words}</title></path>'


def _box(name: str, place: tuple[float, float], graph: Relations) -> str:
    x, y = place
    shown = name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…"
    kind = "foreign" if name in graph.foreign else "recipe"
    return (
        f'<g class="{kind}"><title>{html.escape(graph.titles[name])}</title>'
        f'<rect x="{x}" y="{y:g}" width="{_BOX_WIDTH}" height="{_BOX_HEIGHT}" rx="4"/>'
        f'<text x="{x + _BOX_WIDTH / 2:g}" y="{y + 15:g}" text-anchor="middle">{html.escape(shown)}</text></g>'
    )
