"""An index that needs no other place: what its projects need from elsewhere is pinned, fetched and put in.

A client that finds a requirement nowhere in the index takes it from somewhere else, in another version, or fails. So a
closed index has all of it, and its lock for ``loadPackage`` names nothing of Pyodide's own.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from packaging.requirements import InvalidRequirement, Requirement

from emwheels.errors import IndexingError, UsageError, visible
from emwheels.fetch.markers import holds
from emwheels.index.close_lock import ASKED, ClosingLock, PinnedWheel, by_project, read_closing_lock
from emwheels.index.lockfile import best_file, merge, needed_of_pyodide
from emwheels.index.model import now, offered, project_name, required_project
from emwheels.index.rebuild import read_or_rebuild
from emwheels.index.resolve import Finder, resolve_with_needs
from emwheels.index.update import add, names_of_wheel, wheel_files, write
from emwheels.index.wheelfile import read_wheel
from emwheels.store import sha256_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Container, Mapping, Sequence
    from pathlib import Path

    from emwheels.fetch.index_pages import Offer
    from emwheels.index.lockfile import Release
    from emwheels.index.model import Catalogue, Project
    from emwheels.index.places.folder import Folder
    from emwheels.index.places.place import Source
    from emwheels.index.resolve import FoundWheel
    from emwheels.index.update import Changed

_ALWAYS = ("micropip",)
"""What every client starts with."""
SETS: Mapping[str, tuple[str, ...]] = {
    "jupyterlite": ("comm", "ipython", "jedi", "micropip", "packaging"),
    "pyscript": ("micropip", "packaging"),
    "marimo": ("click", "docutils", "jedi", "micropip", "msgspec", "packaging", "platformdirs", "pygments", "pyyaml"),
    "pytest": ("pytest",),
}
"""Client -> what it loads by itself: what jupyterlite-pyodide-kernel 0.8.6, PyScript 0.7.31 and the offline export of
marimo 0.25.2 were seen to ask for."""


@dataclass(frozen=True, kw_only=True)
class Sources:
    """Where wheels come from: a package index, asked by a project's name, and what fetches a file that it offers."""

    offers: Callable[[str], Sequence[Offer]]
    fetch: Callable[[Offer], Path]
    recipes: Container[str] = ()
    """Names of what could be built here."""


@dataclass(frozen=True, kw_only=True)
class Closing:
    """What closing an index did, or would do."""

    lock: ClosingLock
    added: tuple[str, ...]
    """Files that came into the index."""
    removed: tuple[str, ...]
    """Files that an earlier closing brought, and that nothing needs any more."""
    elsewhere: Mapping[str, Mapping[str, str]]
    """Release -> project -> which of our projects, that has no wheel for this release, it needs."""
    changed: Changed | None = None
    """What was written; None if nothing had to be, or was to be."""


def close(
    place: Folder,
    lock_file: Path,
    *,
    releases: Sequence[Release],
    sources: Sources,
    asked: Sequence[str] = (),
    foreign: Sequence[str] = (),
    dry_run: bool = False,
) -> Closing:
    """Bring everything into the index at ``place`` that its projects need on ``releases``, and pin it in ``lock_file``.

    ``asked`` are names of `SETS` and requirements, ``foreign`` names packages of Pyodide's own lock that may stay
    there; both add to those that the lock has. What the lock pins is taken before anything newer. Raises
    `IndexingError` with the chain of requirements that cannot be closed, and `FetchError`; nothing is changed then.
    """
    before = read_closing_lock(lock_file)
    wanted = tuple(dict.fromkeys((*before.asked, *asked)))
    before = replace(before, asked=wanted, foreign=tuple(sorted({*before.foreign, *foreign})))
    with place.changing():
        catalogue = read_or_rebuild(place)
        chosen = [_choose(catalogue, place.root, before, release, sources) for release in releases]
        wheels = {wheel.filename: wheel for each in chosen for wheel in each.wheels}
        lock = _lock(before, wheels, chosen, catalogue)
        old = {wheel.filename: wheel.sha256 for wheel in before.wheels}
        there = {file.filename: file.sha256 for project in catalogue.projects.values() for file in project.files}
        stale = [name for name, sha256 in old.items() if there.get(name) == sha256 and name not in wheels]
        new = [wheel for name, wheel in sorted(wheels.items()) if name not in there]
        closing = Closing(
            lock=lock,
            added=tuple(wheel.filename for wheel in new),
            removed=tuple(stale),
            elsewhere={each.release.name: each.elsewhere for each in chosen if each.elsewhere},
        )
        if dry_run:
            return closing
        # Written first, with what is still to go: whatever ends in between, the index has nothing that no lock names.
        going = [wheel for wheel in before.wheels if wheel.filename in stale]
        replace(lock, wheels=(*lock.wheels, *going)).write(lock_file)
        changed = _change(place, catalogue, new, stale, releases=releases, foreign=before.foreign)
        lock.write(lock_file)
    return replace(closing, changed=changed)


@dataclass(frozen=True, kw_only=True)
class _Chosen:
    """What one release needs from elsewhere."""

    release: Release
    wheels: Sequence[FoundWheel]
    needed_by: Mapping[str, Collection[str]]
    elsewhere: Mapping[str, str]


def _choose(catalogue: Catalogue, dist: Path, before: ClosingLock, release: Release, sources: Sources) -> _Chosen:
    """Resolve everything that one release needs together: a lock has one version of each."""
    brought = {wheel.filename for wheel in before.wheels}
    base = release.lock["packages"]
    if unknown := [name for name in before.foreign if name not in base]:
        raise UsageError(
            f"Pyodide {release.name} has no package {', '.join(unknown)} in its lock, so there is nothing to keep",
            hint="remove the line keep-foreign from index.lock, or correct --keep-foreign",
        )
    elsewhere = not_for(catalogue, release)
    own = [
        Requirement(f"{project.name}=={file.version}")
        for project in catalogue.projects.values()
        if project.name not in elsewhere and (file := best_file(project, release)) and file.filename not in brought
    ]
    pinned = by_project(before.wheels)
    finder = Finder(
        release=release,
        catalogue=catalogue,
        dist=dist,
        offers=sources.offers,
        fetch=sources.fetch,
        pinned=lambda name: pinned.get(name, ()),
        replaceable=brought,
        foreign={name: base[name] for name in needed_of_pyodide(base, before.foreign)},
        recipes=sources.recipes,
    )
    wanted = [Requirement(text) for text in _requirements(before.asked)]
    found, needed_by = resolve_with_needs([*own, *wanted], finder)
    for each in wanted:
        needed_by[required_project(each)].add(ASKED)
    wheels = [
        wheel for wheel in found if wheel.source == "pypi" or (wheel.source == "index" and wheel.filename in brought)
    ]
    return _Chosen(
        release=release,
        wheels=wheels,
        needed_by=needed_by,
        elsewhere=elsewhere,
    )


def _requirements(asked: Sequence[str]) -> list[str]:
    texts = [text for name in asked for text in SETS.get(name, (name,))]
    for text in texts:
        try:
            given = Requirement(text)
        except InvalidRequirement as error:
            raise UsageError(
                f"--with {visible(text, lines=False)!r} is neither a requirement nor one of {', '.join(SETS)}"
            ) from error
        if given.url:
            raise UsageError(f"--with {given.name} is an address", hint="add the wheel: emwheels index add FILE")
    return sorted({*_ALWAYS, *texts})


def _lock(
    before: ClosingLock, wheels: Mapping[str, FoundWheel], chosen: Sequence[_Chosen], catalogue: Catalogue
) -> ClosingLock:
    """Return the new lock. A line stays that only projects need which this index does not have, or not yet."""
    pins = {wheel.filename: wheel.sha256 for wheel in before.wheels}
    lines = []
    for filename, wheel in wheels.items():
        of_it = [each for each in chosen if any(filename == one.filename for one in each.wheels)]
        needers = sorted({needer for each in of_it for needer in each.needed_by.get(wheel.name, (ASKED,))})
        lines.append(
            PinnedWheel(
                filename=filename,
                sha256=pins.get(filename) or sha256_of(wheel.path),
                releases=tuple(each.release.name for each in of_it),
                needed_by=tuple(needers),
            )
        )
    known = {*catalogue.projects, *(wheel.name for wheel in wheels.values()), ASKED}
    absent = [w for w in before.wheels if w.filename not in wheels and not known.issuperset(w.needed_by)]
    return replace(before, wheels=(*lines, *absent))


def _change(
    place: Folder,
    catalogue: Catalogue,
    new: Sequence[FoundWheel],
    stale: Sequence[str],
    *,
    releases: Sequence[Release],
    foreign: tuple[str, ...],
) -> Changed | None:
    unknown = [release for release in releases if release.name not in catalogue.releases]
    if not (new or stale or unknown or catalogue.pending) and catalogue.foreign == foreign:
        return None
    files: dict[str, Source] = {}
    names = set()
    for wheel in new:
        read = read_wheel(wheel.path, wheel.filename, uploaded=now())
        catalogue.put(add(catalogue, read.file, replacing=False))
        files |= wheel_files(read, wheel.path)
        names.add(wheel.name)
    for filename in stale:
        project = catalogue.project(project_name(filename))
        catalogue.put(project.without([filename]))
        names.add(project.name)
    catalogue.foreign = foreign
    gone = [name for filename in stale for name in names_of_wheel(filename)]
    return write(place, catalogue, changed=names, files=[files] if files else [], releases=unknown, gone=gone)


def not_for(catalogue: Catalogue, release: Release) -> dict[str, str]:
    """Return the projects with wheels that need one of ours which has none for ``release``, and which that is.

    A pure wheel fits every release; what it needs is compiled, and may be there for one alone. For this release the
    project is not in the index, which is no gap in it.
    """
    best = {name: file for name, project in catalogue.projects.items() if (file := best_file(project, release))}
    environment = release.environment()
    found: dict[str, str] = {}
    lacking = {name for name, project in catalogue.projects.items() if offered(project)} - best.keys()
    while lacking:
        next_ones = {}
        for name in best.keys() - found.keys():
            needs = [Requirement(text) for text in best[name].requires]
            for need in needs:
                if required_project(need) in lacking and holds(need.marker, environment):
                    next_ones[name] = required_project(need)
                    break
        found |= next_ones
        lacking = set(next_ones)
    return found


def gaps(catalogue: Catalogue, releases: Sequence[Release], names: Collection[str]) -> dict[str, dict[str, str]]:
    """Return release -> project of ``names`` -> what keeps it from being closed; nothing where all is closed."""
    found = {}
    for release in releases:
        elsewhere = not_for(catalogue, release)
        projects: list[Project] = [project for name, project in catalogue.projects.items() if name not in elsewhere]
        left_out = merge(release, projects, foreign=catalogue.foreign or ()).left_out
        if open_ones := {name: why for name, why in left_out.items() if name in names}:
            found[release.name] = open_ones
    return found


def check_closed(catalogue: Catalogue, releases: Sequence[Release], names: Collection[str]) -> None:
    """Raise `IndexingError` that names what the projects ``names`` need and the index lacks."""
    lines = [
        f"  {name} {why} (Pyodide {release})"
        for release, projects in gaps(catalogue, releases, names).items()
        for name, why in projects.items()
    ]
    if lines:
        more = f"\n  and {len(lines) - _SHOWN} more" if len(lines) > _SHOWN else ""
        raise IndexingError(
            "the index is open: who installs these gets something else from another place, or nothing:\n"
            + "\n".join(lines[:_SHOWN])
            + more,
            hint="put in what is missing: emwheels index close; or publish it as it is: --open",
        )


_SHOWN = 20
