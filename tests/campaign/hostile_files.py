"""Files and answers of others, as an attacker lays them out: archives, recipes, wheels, leavings of builds, indexes.

No image is needed. Each attack reports what stopped it, or raises: `EmwheelsError` is a clear error, `BrokenError` a
hole, anything else a traceback, which is one as well.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from hostile_archives import archives
from hostile_builds import leavings, patched_sources
from hostile_ground import BrokenError, Ground
from hostile_images import images
from hostile_indexes import indexes
from hostile_recipes import recipes
from hostile_remote import records, stores
from hostile_serve import requests
from hostile_wheels import wheels

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

__all__ = ["BrokenError", "attacks"]


def attacks(folder: Path) -> Iterator[tuple[str, str, Callable[[], str]]]:
    """Yield area, name and attack."""
    ground = Ground(folder)
    for area, source in (
        ("archives", archives), ("recipes", recipes), ("wheels", wheels), ("leavings of builds", leavings),
        ("patched sources", patched_sources), ("remote stores", records), ("remote stores", stores),
        ("indexes", indexes), ("images", images), ("serve", requests),
    ):  # fmt: skip
        for name, attack in source(ground):
            yield area, name, partial(_then_check, ground, attack)


def _then_check(ground: Ground, attack: Callable[[], str]) -> str:
    try:
        return attack()
    finally:
        ground.check()
