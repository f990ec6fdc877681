"""Caches of their own for benchmarks, which share what takes long to fetch or to make with the user's."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

IMAGE = ("images", "npm", "xbuildenvs")
"""What the build image and the engines need."""
SOURCES = ("store/files/sources", "store/records/fetched")
"""What was fetched."""


def make_cache(cache: Path, real: Path, shared: Sequence[str] = IMAGE) -> Path:
    """Make the folder ``cache``, in which ``shared`` are links into ``real``, the user's, and return it."""
    for name in shared:
        (cache / name).parent.mkdir(parents=True, exist_ok=True)
        (real / name).mkdir(parents=True, exist_ok=True)
        (cache / name).symlink_to(real / name)
    return cache
