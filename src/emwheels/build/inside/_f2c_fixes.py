"""Stands before pyodide-build's module of this name (0.39.2), which changes sources by the name of their package.

A compiler's wrapper imports ``NAME_fixes`` of it for a package NAME, and has that rewrite each C file before it is
compiled. Here sources are compiled as they are: what a package needs is in its recipe.
"""

from __future__ import annotations

from typing import Any


def __getattr__(name: str) -> Any:
    """Return what changes nothing, for a fix by a package's name. Raises AttributeError for anything else."""
    if not name.endswith("_fixes"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return lambda _arguments: None
