"""Caches of their own for benchmarks, which share what takes long to fetch or to make with the user's."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from emwheels.checkout import Checkout

IMAGE = ("images", "npm", "xbuildenvs")
"""What the build image and the engines need."""
SOURCES = ("store/files/sources", "store/records/fetched")
"""What was fetched."""


def make_cache(cache: Path, real: Checkout, shared: Sequence[str] = IMAGE) -> Path:
    """Make the folder ``cache``, in which ``shared`` are links into the user's cache, and return it."""
    for name in shared:
        (cache / name).parent.mkdir(parents=True, exist_ok=True)
        (real.cache / name).mkdir(parents=True, exist_ok=True)
        (cache / name).symlink_to(real.cache / name)
    return cache
