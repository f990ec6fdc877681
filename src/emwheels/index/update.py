"""Changes of an index, in an order in which no reader ever meets a link to a file that is not there.

Files first, then the record, the pages of the projects that changed, the lists, and what is gone at last. A change
that was stopped anywhere leaves an index that is whole for every reader; the record says which pages it may not have
written, and the next change, whatever it is, writes those too.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from emwheels.errors import IndexingError
from emwheels.index import pages
from emwheels.index.compressed import COPIES
from emwheels.index.lockfile import Lock, Release, dump_release, load_release, merge
from emwheels.index.model import (
    METADATA,
    PROVENANCE,
    STATEMENT,
    Catalogue,
    File,
    Project,
    dump,
    load,
    now,
    project_of,
    same_version,
)
from emwheels.index.places.place import RECORD, Place, Source
from emwheels.index.runtime import folder_of_runtime

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from emwheels.index.model import Status
    from emwheels.index.wheelfile import Wheel

LOCK = "pyodide-lock.json"
"""Of the first release that came into the index."""


@dataclass(frozen=True, kw_only=True)
class Changed:
    """What a change did."""

    wheels: tuple[str, ...] = ()
    """Files that were not there before."""
    projects: tuple[str, ...] = ()
    """Projects whose pages were written."""
    left_out: Mapping[str, Mapping[str, str]]
    """Release -> project -> why its lock does not have our wheel."""
    remarks: Mapping[str, tuple[str, ...]]
    """Release -> what its lock says otherwise than the wheels."""
    sent: int = 0
    """Files that were written."""


def read_catalogue(place: Place) -> Catalogue:
    """Return what is in the index at ``place``, an empty catalogue where there is none."""
    data = place.read(RECORD)
    return Catalogue() if data is None else load(data, place.where)


def wheel_files(wheel: Wheel, source: Source) -> dict[str, Source]:
    """Return the files of a wheel: itself, and what stands beside it."""
    return {f"wheels/{wheel.file.filename}": source, **beside(wheel)}


def beside(wheel: Wheel) -> dict[str, Source]:
    """Return what stands beside a wheel: its metadata (PEP 658), and the statement of its build if there is one."""
    name = f"wheels/{wheel.file.filename}"
    statement: dict[str, Source] = {f"{name}{STATEMENT}": wheel.statement} if wheel.statement else {}
    return {f"{name}{METADATA}": wheel.metadata, **statement}


def names_of_wheel(filename: str) -> list[str]:
    """Return all files that an index may have of a wheel: itself, what stands beside it, compressed copies."""
    return [f"wheels/{filename}{end}" for end in ("", METADATA, STATEMENT, PROVENANCE, *COPIES)]


def lock_name(release: str) -> str:
    """Return the name of the lock of one release."""
    return f"pyodide-lock-{release}.json"


def write(
    place: Place,
    catalogue: Catalogue,
    *,
    changed: Collection[str],
    files: Iterable[Mapping[str, Source]] = (),
    releases: Sequence[Release] = (),
    gone: Collection[str] = (),
) -> Changed:
    """Bring the index at ``place`` to what ``catalogue`` says.

    ``changed`` names the projects that differ, ``files`` are wheels with their metadata, in batches, ``releases`` are
    new to the index or changed, ``gone`` are files to be removed. Call it while holding `Place.changing`.
    """
    sent = sum(place.send(batch) for batch in files)
    names = sorted({*changed, *catalogue.pending})
    catalogue.pending = frozenset(names)
    catalogue.releases = tuple(dict.fromkeys((*catalogue.releases, *(release.name for release in releases))))
    sent += place.send({release_file(release.name): dump_release(release) for release in releases})
    sent += place.send({RECORD: dump(catalogue)})
    present = [name for name in names if name in catalogue.projects]
    sent += place.send(_project_pages(catalogue, present))
    locks = make_locks(place, catalogue)
    sent += place.send(_lists(catalogue, locks))
    absent = [name for name in names if name not in catalogue.projects]
    place.remove([*(page for name in absent for page in _pages_of(name)), *gone])
    catalogue.pending = frozenset()
    sent += place.send({RECORD: dump(catalogue)})
    left_out = {name: lock.left_out for name, lock in locks.items() if lock.left_out}
    remarks = {name: lock.remarks for name, lock in locks.items() if lock.remarks}
    return Changed(projects=tuple(names), left_out=left_out, remarks=remarks, sent=sent)


def make_locks(place: Place, catalogue: Catalogue) -> dict[str, Lock]:
    """Return the lock of each release that the index knows."""
    locks = {}
    for name in catalogue.releases:
        data = place.read(release_file(name))
        if data is None:
            raise IndexingError(f"{place.where}/{release_file(name)} is missing", hint="run `emwheels index build`")
        release = load_release(data, release_file(name))
        locks[name] = merge(release, catalogue.projects.values(), foreign=catalogue.foreign)
    return locks


def add(catalogue: Catalogue, file: File, *, replacing: bool) -> Project:
    """Return the project of ``file`` with that file in it.

    The time of a file that is there already stays. Raises `IndexingError` for one of the same name with other bytes,
    unless it is ``replacing`` that.
    """
    name = project_of(file)
    project = catalogue.projects.get(name, Project(name=name))
    known = project.file(file.filename)
    if known is None:
        return project.with_files([file])
    if known.sha256 == file.sha256:
        return project
    if not replacing:
        raise conflict([(known, file)], "this index")
    return project.with_files([replace(file, yanked=known.yanked, marked=known.marked)])


def combine(into: Catalogue, other: Catalogue, where: str) -> set[str]:
    """Take the projects of ``other`` into a catalogue and return the names of those that this changes.

    Files that only ``into`` has stay. Of two marks (yanked, status) the later one counts. Raises `IndexingError` that
    names every file which both have with different bytes.
    """
    changed, conflicts = set(), []
    for name, theirs in other.projects.items():
        ours = into.projects.get(name, Project(name=theirs.name))
        known = {file.filename: file for file in ours.files}
        merged = []
        for file in theirs.files:
            have = known.get(file.filename)
            if have is not None and have.sha256 != file.sha256:
                conflicts.append((have, file))
            elif have is None:
                merged.append(file)
            elif (after := _joined(have, file)) != have:
                merged.append(after)
        project = ours.with_files(merged) if merged else ours
        if theirs.marked > ours.marked:
            project = replace(project, status=theirs.status, reason=theirs.reason, marked=theirs.marked)
        if project != ours:
            into.put(project)
            changed.add(name)
    if conflicts:
        raise conflict(conflicts, where)
    return changed


def _joined(have: File, other: File) -> File:
    """Return the record of a file with what another index knows of it: a later mark, a statement, a signature.

    A statement that is there stays, as it is published; a signature comes along only with the statement that it signs.
    """
    if other.marked > have.marked:
        have = replace(have, yanked=other.yanked, marked=other.marked)
    if not have.statement_sha256:
        have = replace(have, statement_sha256=other.statement_sha256)
    if not have.provenance_sha256 and have.statement_sha256 == other.statement_sha256:
        have = replace(have, provenance_sha256=other.provenance_sha256)
    return have


def conflict(pairs: Sequence[tuple[File, File]], where: str) -> IndexingError:
    """Return the error for files that are published with other bytes."""
    lines = "\n".join(
        f"  {old.filename}: published with sha256 {old.sha256[:16]}…, now it is {new.sha256[:16]}…"
        for old, new in pairs[:20]
    )
    more = f"\n  and {len(pairs) - 20} more" if len(pairs) > 20 else ""
    return IndexingError(
        f"a published file never changes, and {where} has these with other bytes:\n{lines}{more}",
        hint="give the recipe a new version, such as 1.0.post1, and build it; or take the old file away first: "
        f"emwheels index remove {project_of(pairs[0][0])} {pairs[0][0].version} --at DESTINATION",
    )


def yank(project: Project, version: str, why: str | None) -> Project:
    """Return the project with the files of ``version`` yanked for the reason ``why``, or not yanked any more."""
    files = files_of(project, version)
    marked = now()
    return project.with_files([replace(file, yanked=why, marked=marked) for file in files])


def set_status(project: Project, status: Status, why: str) -> Project:
    """Return the project with a status (PEP 792)."""
    return replace(project, status=status, reason=why, marked=now())


def files_of(project: Project, version: str) -> list[File]:
    """Return the files of ``version``. Raises `IndexingError` when there are none."""
    matching = [file for file in project.files if same_version(str(file.version), version)]
    if not matching:
        versions = ", ".join(dict.fromkeys(str(file.version) for file in project.files))
        raise IndexingError(f"{project.name} has no version {version!r} in the index", hint=f"it has: {versions}")
    return matching


def _project_pages(catalogue: Catalogue, names: Iterable[str]) -> dict[str, Source]:
    files: dict[str, Source] = {}
    for name in names:
        project = catalogue.projects[name]
        html, json = _pages_of(name)
        files[html] = pages.project_html(project, catalogue.base_url)
        if catalogue.base_url:
            files[json] = pages.project_json(project, catalogue.base_url)
    return files


def _lists(catalogue: Catalogue, locks: Mapping[str, Lock]) -> dict[str, Source]:
    files: dict[str, Source] = {"simple/index.html": pages.root_html(catalogue.projects)}
    if catalogue.base_url:
        files["simple/index.json"] = pages.root_json(catalogue.projects)
    for number, (name, lock) in enumerate(locks.items()):
        files[lock_name(name)] = lock.dump()
        if number == 0:
            files[LOCK] = files[lock_name(name)]
    if locks:
        files["all.json"] = pages.all_json(lock.document for lock in locks.values())
    for name, release in catalogue.runtimes.items():
        folder = folder_of_runtime(name)
        if release in locks:
            files[f"{folder}/{LOCK}"] = locks[release].below(folder).dump()
    return files


def _pages_of(name: str) -> tuple[str, str]:
    return f"simple/{name}/index.html", f"simple/{name}/index.json"


def release_file(name: str) -> str:
    """Return the name of what is kept of a release."""
    return f"releases/{name}.json"
