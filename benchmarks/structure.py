"""The house in figures, counted from the code itself, beside the same figures of five projects that read well.

    python benchmarks/structure.py [--json]

A room is a module or package at the top of ``src/emwheels``, or a folder of programs beside it. An arrow is an import
from one room to another, imports for type checkers included. Floors are counted along the longest chain of arrows.
Exits with 1 where a figure is worse than the limit that this project has set itself.
"""

from __future__ import annotations

import argparse
import ast
import json
import sys
from collections import defaultdict
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

CHECKOUT = Path(__file__).resolve().parents[1]
SOURCE = CHECKOUT / "src"
PROGRAMS = ("benchmarks", "demo", "ci", "noxfile.py")
FLOORS = (
    ("errors",),
    ("atomic", "progress", "wheel"),
    ("checkout", "recipe", "schedule", "serve", "store", "target"),
    ("audit", "fetch", "profile"),
    ("image", "index", "outputs", "plan"),
    ("build", "bundle", "harness"),
    ("status", "upstream", "verify"),
    ("author", "pipeline"),
    ("cli",),
)
"""From the ground up, as pyproject.toml has them for import-linter."""

LIMITS = {
    "rooms": 31,
    "floors": 9,
    "arrows": 130,
    "names at the top": 27,
    "arrows up": 0,
    "rings": 0,
    "longest file": 400,
    "function p90": 25,
    "class names twice": 10,
    "imports of inside/": 0,
}

ANCHORS = {
    "nox": {"function median": 9, "function p90": 42, "class names twice": 5},
    "cibuildwheel": {"function median": 12, "function p90": 48},
    "packaging": {"function median": 11, "function p90": 44},
    "pypa/build": {"function median": 10, "function p90": 41},
    "fromager": {"function median": 14, "function p90": 54},
}
"""Counted once from the files of each project in November 2026; constants, so that this needs no network."""


def modules() -> Iterator[tuple[Path, ast.Module]]:
    """Yield every Python file of the library, with its syntax tree."""
    for path in sorted((SOURCE / "emwheels").rglob("*.py")):
        yield path, ast.parse(path.read_text(encoding="utf-8"))


def imported(tree: ast.Module) -> Iterator[tuple[str, ...]]:
    """Yield what a file imports of the library, as the parts of the module's name below ``emwheels``."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == "emwheels":
            yield from ((alias.name,) for alias in node.names if not alias.name.startswith("__"))
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("emwheels."):
            yield tuple((node.module or "").split(".")[1:])


def room_of(path: Path) -> str:
    """Return the room that a file of the library is in; empty for ``__init__`` and ``__main__`` at the top."""
    parts = path.relative_to(SOURCE / "emwheels").with_suffix("").parts
    return "" if parts[0].startswith("__") else parts[0]


def arrows() -> set[tuple[str, str]]:
    """Return which room imports which, programs beside the library included."""
    found = {(room_of(path), names[0]) for path, tree in modules() for names in imported(tree)}
    for program in PROGRAMS:
        top = CHECKOUT / program
        for path in [top] if top.is_file() else top.rglob("*.py"):
            found |= {(program, names[0]) for names in imported(ast.parse(path.read_text(encoding="utf-8")))}
    return {(room, other) for room, other in found if room and room != other}


def floors_and_rings(edges: set[tuple[str, str]]) -> tuple[int, int]:
    """Return the number of floors, and 1 if rooms import each other in a ring."""
    graph = defaultdict(set)
    for room, other in edges:
        graph[room].add(other)
    try:
        order = list(TopologicalSorter(graph).static_order())
    except CycleError:
        return 0, 1
    height: dict[str, int] = {}
    for room in order:
        height[room] = 1 + max((height[other] for other in graph[room]), default=0)
    return max(height.values()), 0


def figures() -> dict[str, int]:
    """Return all figures by name."""
    edges = arrows()
    level = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
    rooms = {room_of(path) for path, _ in modules()} - {""}
    floors, rings = floors_and_rings(edges)
    lengths, classes, files, inside = [], defaultdict(list), [], 0
    for path, tree in modules():
        files.append(len(path.read_text(encoding="utf-8").splitlines()))
        inside += sum("inside" in names for names in imported(tree))
        for node in tree.body:
            if isinstance(node, ast.ClassDef):
                classes[node.name].append(path)
        functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
        lengths += [(function.end_lineno or 0) - function.lineno + 1 for function in functions]
    lengths.sort()
    return {
        "rooms": len(rooms) + len(PROGRAMS),
        "floors": floors,
        "arrows": len(edges),
        "names at the top": len(rooms),
        "arrows up": sum(level[room] < level[other] for room, other in edges if room in level),
        "rings": rings,
        "longest file": max(files),
        "function median": lengths[len(lengths) // 2],
        "function p90": lengths[int(len(lengths) * 0.9)],
        "class names twice": sum(len(paths) > 1 for paths in classes.values()),
        "imports of inside/": inside,
    }


def main() -> int:
    """Print the figures and return 1 if one is worse than its limit."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    arguments = parser.parse_args()
    found = figures()
    worse = [name for name, limit in LIMITS.items() if found[name] > limit]
    if arguments.json:
        print(json.dumps({"emwheels": found, "limits": LIMITS, "anchors": ANCHORS, "worse": worse}, indent=1))
        return bool(worse)
    print(f"{'':20}{'emwheels':>10}{'limit':>10}" + "".join(f"{name:>14}" for name in ANCHORS))
    for name, value in found.items():
        limit = str(LIMITS.get(name, ""))
        print(
            f"{name:20}{value:>10}{limit:>10}" + "".join(f"{anchor.get(name, ''):>14}" for anchor in ANCHORS.values())
        )
    if worse:
        print(f"worse than the limit: {', '.join(worse)}", file=sys.stderr)
    return bool(worse)


if __name__ == "__main__":
    sys.exit(main())
