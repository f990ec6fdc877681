"""``dist/index.html``: what is published and how it came to be, for people. Reads records and reports, changes none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from emwheels.index import write_atomically
from emwheels.status.collect import Built, collect
from emwheels.status.page import status_page

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from emwheels.store import Store
    from emwheels.target import Target

__all__ = ["Built", "collect", "status_page", "write_status"]


def write_status(dist: Path, store: Store, targets: Sequence[Target], *, profile: str) -> Path:
    """Write ``index.html`` of the folder ``dist``, beside its ``simple/``, and return where it is."""
    page = dist / "index.html"
    write_atomically(page, status_page(collect(dist, store, targets, profile=profile), profile=profile).encode())
    return page
