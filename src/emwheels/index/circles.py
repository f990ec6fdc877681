"""Packages that need each other in a circle: Pyodide would wait for each of them for ever."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def without_circles(depends: Mapping[str, Sequence[str]]) -> tuple[dict[str, list[str]], tuple[str, ...]]:
    """Return what each package needs, less what would close a circle, and a remark for each need that is left out.

    ``loadPackage`` of pyodide 314.0.7 installs a package once all that it needs are installed, so that a circle never
    ends. The need that leads back is left out: seen from those packages that nothing in a circle needs, then by name.
    """
    asked = {need for needs in depends.values() for need in needs}
    kept = {name: list(needs) for name, needs in depends.items()}
    remarks: list[str] = []
    done: set[str] = set()
    for start in sorted(depends, key=lambda name: (name in asked, name)):
        for name, need in _back_edges(start, depends, done):
            kept[name].remove(need)
            remarks.append(f"{name} needs {need}, which needs {name}: load {need}, which brings both")
    return kept, tuple(remarks)


def _back_edges(start: str, depends: Mapping[str, Sequence[str]], done: set[str]) -> list[tuple[str, str]]:
    """Walk from ``start`` and return the needs that lead back to where the walk is; ``done`` are walked already."""
    found: list[tuple[str, str]] = []
    if start in done:
        return found
    path = {start: iter(depends[start])}
    while path:
        name = next(reversed(path))
        need = next(path[name], None)
        if need is None:
            path.popitem()
            done.add(name)
        elif need in path:
            found.append((name, need))
        elif need not in done and need in depends:
            path[need] = iter(depends[need])
    return found
