"""Wheels -> the index that micropip, pip, uv and loadPackage install from, in a folder or wherever it is published."""

from __future__ import annotations

from typing import TYPE_CHECKING

from emwheels.index.compressed import COPIES, compressed_copies
from emwheels.index.lockfile import Release, read_release
from emwheels.index.model import now, project_name
from emwheels.index.places.folder import Folder
from emwheels.index.rebuild import read_or_rebuild
from emwheels.index.update import add, wheel_files, write
from emwheels.index.wheelfile import check_filename, read_wheel
from emwheels.store import sha256_of

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Release", "publish", "read_release", "withdraw"]


def publish(dist: Path, wheel: Path, filename: str, *, release: Release | None = None, sha256: str = "") -> bool:
    """Put ``wheel`` into the index in the folder ``dist`` as ``filename``, and tell whether that changed it.

    ``dist`` is a working index: a wheel that was built anew takes the place of the one of the same name. One whose
    members are not compressed gets compressed copies beside it. With the
    ``release`` that it was built for, the index has a lock of that release. ``sha256`` is the wheel's, where the caller
    has verified it a moment ago. Raises `IndexingError`.
    """
    check_filename(filename)
    place = Folder(dist)
    published = dist / "wheels" / filename
    with place.changing():
        catalogue = read_or_rebuild(place)
        project = catalogue.projects.get(project_name(filename))
        known = project.file(filename) if project else None
        if (
            known is not None
            and published.is_file()
            and known.sha256 == (sha256 or sha256_of(wheel)) == sha256_of(published)
        ):
            files = {}
        else:
            read = read_wheel(wheel, filename, uploaded=now())
            catalogue.put(add(catalogue, read.file, replacing=True))
            # A copy of the wheel before would be sent in place of this one.
            place.remove(f"wheels/{filename}{suffix}" for suffix in COPIES)
            copies = compressed_copies(wheel)
            files = wheel_files(read, wheel) | {f"wheels/{filename}{suffix}": data for suffix, data in copies.items()}
        new = [release] if release else []
        changed = bool(files or catalogue.pending or any(each.name not in catalogue.releases for each in new))
        if changed:
            write(place, catalogue, changed=[project_name(filename)] if files else [], files=[files], releases=new)
    return changed


def withdraw(dist: Path, filename: str, *, sha256: str) -> bool:
    """Take the wheel ``filename`` with these bytes out of the index in ``dist``, and tell whether it was in there."""
    if not (dist / "wheels" / filename).is_file():
        return False
    place = Folder(dist)
    with place.changing():
        catalogue = read_or_rebuild(place)
        project = catalogue.projects.get(project_name(filename))
        known = project.file(filename) if project else None
        if project is None or known is None or known.sha256 != sha256:
            return False
        catalogue.put(project.without([filename]))
        write(place, catalogue, changed=[project.name], gone=names_of_wheel(filename))
    return True


def names_of_wheel(filename: str) -> list[str]:
    """Return all files that an index has of a wheel: itself, its metadata, compressed copies."""
    return [f"wheels/{filename}{end}" for end in ("", ".metadata", *COPIES)]
