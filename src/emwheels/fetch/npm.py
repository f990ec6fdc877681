"""npm packages, unpacked in the cache."""

from __future__ import annotations

from typing import TYPE_CHECKING

from emwheels.atomic import make_once
from emwheels.fetch.archive import unpack

if TYPE_CHECKING:
    from pathlib import Path

    from emwheels.fetch.fetcher import Fetcher


def npm_package(purl: str, sha256: str, fetcher: Fetcher, cache: Path) -> Path:
    """Return the unpacked npm package, fetched and verified if it is not there yet."""
    folder = cache / "npm" / sha256[:24]
    if not folder.is_dir():
        fetched = fetcher.fetch(purl, sha256)
        make_once(folder, lambda making: unpack(fetched.path, making, strip_single_top=True))
    return folder
