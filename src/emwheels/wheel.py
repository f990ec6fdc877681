"""What is in a wheel file."""

from __future__ import annotations

import hashlib
import zipfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path


REPORT = "build-report.json"
SBOM = "sboms/emwheels.cdx.json"
"""Names below ``.dist-info``."""


def changed_members(wheel: Path, other: Path) -> list[str]:
    """Return the paths in ``wheel``, .dist-info left aside, that ``other`` does not have, or has with other bytes."""

    def digests(path: Path) -> dict[str, str]:
        with zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if not name.partition("/")[0].endswith(".dist-info")]
            return {name: hashlib.sha256(archive.read(name)).hexdigest() for name in names}

    there = digests(other)
    return sorted(name for name, digest in digests(wheel).items() if there.get(name) != digest)


def content_of(wheel: Path, members: Collection[str] | None = None) -> str:
    """Return the hash of what a wheel holds, less its build report, SBOM and RECORD; or of some ``members`` alone.

    Those name the build key: they differ between builds that made the same thing of different inputs. A member that is
    not there counts for nothing.
    """
    digest = hashlib.sha256()
    with zipfile.ZipFile(wheel) as archive:
        for name in sorted(archive.namelist()):
            folder, _, rest = name.partition("/")
            own = folder.endswith(".dist-info") and rest in (REPORT, SBOM, "RECORD")
            if not own if members is None else name in members:
                digest.update(f"{name}\n{hashlib.sha256(archive.read(name)).hexdigest()}\n".encode())
    return digest.hexdigest()
