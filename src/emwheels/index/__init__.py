"""Wheels -> the index that micropip, pip, uv and loadPackage install from, in a folder or wherever it is published."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from emwheels.index.compressed import COPIES, compressed_copies
from emwheels.index.lockfile import Release, bare_release, read_release
from emwheels.index.model import PROVENANCE, STATEMENT, now, project_name, project_of
from emwheels.index.places.folder import Folder
from emwheels.index.rebuild import read_or_rebuild
from emwheels.index.statement import with_statement
from emwheels.index.update import add, beside, names_of_wheel, wheel_files, write
from emwheels.index.wheelfile import check_filename, read_wheel
from emwheels.store import sha256_of

if TYPE_CHECKING:
    from pathlib import Path

    from emwheels.index.model import Catalogue, File
    from emwheels.index.places.place import Source

__all__ = ["Release", "bare_release", "publish", "read_release", "withdraw"]


def publish(
    dist: Path, wheel: Path, filename: str, *, release: Release | None = None, sha256: str = "", key: str = ""
) -> bool:
    """Put ``wheel`` into the index in the folder ``dist`` as ``filename``, and tell whether that changed it.

    ``dist`` is a working index: a wheel that was built anew takes the place of the one of the same name. One whose
    members are not compressed gets compressed copies beside it. With the ``release`` that it was built for, the index
    has a lock of that release. ``sha256`` is the wheel's, where the caller has verified it a moment ago. With ``key``,
    the key of its build, it gets the statement of that build: only who built it may give one. Raises `IndexingError`.
    """
    check_filename(filename)
    place = Folder(dist)
    with place.changing():
        catalogue = read_or_rebuild(place)
        project = catalogue.projects.get(project_name(filename))
        known = project.file(filename) if project else None
        files: dict[str, Source] = {}
        if known is None or not _is_there(dist, known, sha256 or sha256_of(wheel)):
            files = _bring(place, catalogue, wheel, filename, key)
        elif key and not known.statement_sha256:
            files = _state(catalogue, known, wheel, key)
        new = [release] if release else []
        changed = bool(files or catalogue.pending or any(each.name not in catalogue.releases for each in new))
        if changed:
            write(place, catalogue, changed=[project_name(filename)] if files else [], files=[files], releases=new)
    return changed


def _is_there(dist: Path, known: File, sha256: str) -> bool:
    """Tell whether the index has a file with these bytes, and these are in the folder."""
    published = dist / "wheels" / known.filename
    return published.is_file() and known.sha256 == sha256 == sha256_of(published)


def _bring(place: Folder, catalogue: Catalogue, wheel: Path, filename: str, key: str) -> dict[str, Source]:
    """Take a wheel into the catalogue, and return its files. One that was only damaged keeps its statement."""
    read = read_wheel(wheel, filename, uploaded=now())
    read = with_statement(read, key) if key else read
    project = add(catalogue, read.file, replacing=True)
    if same := project == catalogue.projects.get(project.name):
        read = replace(read, statement=b"")
    catalogue.put(project)
    # What belongs to the wheel before would be sent in place of this one, or with it.
    place.remove(f"wheels/{filename}{suffix}" for suffix in (*COPIES, *(() if same else (STATEMENT, PROVENANCE))))
    copies = compressed_copies(wheel)
    return wheel_files(read, wheel) | {f"wheels/{filename}{suffix}": data for suffix, data in copies.items()}


def _state(catalogue: Catalogue, known: File, wheel: Path, key: str) -> dict[str, Source]:
    """Give a file that an index has already the statement of its build, and return what stands beside it."""
    read = with_statement(read_wheel(wheel, known.filename, uploaded=known.uploaded), key)
    if not read.statement:
        return {}
    file = replace(known, statement_sha256=read.file.statement_sha256)
    catalogue.put(catalogue.project(project_of(file)).with_files([file]))
    return beside(read)


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
