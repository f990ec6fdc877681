"""The working index -> where people install from. What is there already is not sent again."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING

from emwheels.errors import IndexingError, UsageError, without_secrets
from emwheels.index.close import check_closed
from emwheels.index.compressed import COPIES, is_copy
from emwheels.index.lockfile import load_release
from emwheels.index.places.folder import Folder
from emwheels.index.places.objects import SCHEMES, Bucket
from emwheels.index.places.rsync import Rsync
from emwheels.index.places.web import Web
from emwheels.index.update import Changed, combine, read_catalogue, release_file, write
from emwheels.store import sha256_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from emwheels.index.lockfile import Release
    from emwheels.index.model import Catalogue, File
    from emwheels.index.places.place import Place, Source
    from emwheels.index.runtime import RuntimeFiles

_BATCH = 100
"""Wheels that are sent at once; what an interrupted run has to send again is no more than this."""
_REMOTE = re.compile(r"(rsync://.+|[\w.@\[\]:-]+?:(?!//).+)")
_URL = re.compile(r"https?://[^/?#]+(/[^?#]*)?")


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What publishing would do."""

    wheels: tuple[File, ...]
    projects: tuple[str, ...]
    bytes: int


def place_of(text: str, headers: Callable[[str], Mapping[str, str]] = lambda _name: {}) -> Place:
    """Return the place that a destination names: a bucket's URL, ``host:folder``, ``rsync://…``, or a folder.

    As for rsync and scp, a name with a colon before any slash is on another machine. ``headers`` is for a `Bucket`.
    Raises `UsageError`.
    """
    if text.startswith(SCHEMES):
        if not text.partition("://")[2].strip("/"):
            raise UsageError(f"{text!r} names no bucket", hint="for example s3://bucket/folder")
        return Bucket(text, headers)
    if text.startswith("rsync://") or (_REMOTE.fullmatch(text) and "/" not in text.partition(":")[0]):
        return Rsync(text)
    if "://" in text:
        raise UsageError(
            f"{text!r} is no place to publish to", hint="a folder, user@host:folder, rsync://… or s3://bucket/folder"
        )
    return Folder(Path(text).expanduser().resolve())


def source_of(text: str, headers: Callable[[str], Mapping[str, str]] = lambda _name: {}) -> Place:
    """Return the place that can be read at ``text``: as `place_of`, or a published index by its URL."""
    return Web(text) if text.startswith(("http://", "https://")) else place_of(text, headers)


def check_base_url(text: str) -> str:
    """Return the address that an index is served at, with a final slash. Raises `UsageError`."""
    if not _URL.fullmatch(text):
        raise UsageError(f"{text!r} is not the address of an index", hint="write https://wheels.example.org/")
    if without_secrets(text) != text:
        raise UsageError(
            f"{text!r} has a user or password in it, which the pages would show to everybody", hint="leave them away"
        )
    return text.rstrip("/") + "/"


def publish_to(
    source: Folder,
    destination: Place,
    *,
    base_url: str | None = None,
    opened: bool = False,
    assumed: Sequence[Release] = (),
    runtimes: Sequence[RuntimeFiles] = (),
    dry_run: bool = False,
    say: Callable[[str], None] = lambda _text: None,
) -> tuple[Plan, Changed | None]:
    """Bring ``destination`` up to what is in ``source``. What only the destination has stays.

    ``base_url`` is where the destination is served, with a final slash; None keeps what it has. Unless it may be
    ``opened``, the destination has to be closed afterwards, for the releases that it has a lock for; where it has none,
    for those ``assumed``. ``runtimes`` come in besides. Raises `IndexingError`: for an open index, for a file that is
    published with other bytes, for a wheel that is not the one that was indexed.
    """
    if destination.where == source.where:
        raise UsageError(f"{source.where} is the working index itself: publish to another place")
    with destination.changing():
        offered = read_catalogue(source)
        if not offered.projects:
            raise IndexingError(f"{source.where} has no index", hint="build something first: emwheels build NAME")
        catalogue = read_catalogue(destination)
        known = {file.filename: file for project in catalogue.projects.values() for file in project.files}
        changed = combine(catalogue, offered, destination.where)
        merged = [file for name in sorted(changed) for file in catalogue.projects[name].files]
        new = [file for file in merged if file.filename not in known]
        if base_url is not None and base_url != catalogue.base_url:
            catalogue.base_url = base_url
            changed = set(catalogue.projects)
        before = catalogue.foreign
        catalogue.foreign = None if opened else tuple(sorted({*(before or ()), *(offered.foreign or ())}))
        fresh = [runtime for runtime in runtimes if runtime.name not in catalogue.runtimes]
        catalogue.runtimes |= {runtime.name: runtime.release.name for runtime in fresh}
        releases = _new_releases(source, offered, destination, catalogue, fresh)
        if not opened:
            releases_then = _releases_then(destination, catalogue, releases)
            check_closed(catalogue, releases_then or assumed, catalogue.projects.keys())
        plan = Plan(wheels=tuple(new), projects=tuple(sorted(changed)), bytes=sum(file.size for file in new))
        if dry_run:
            return plan, None
        if not (changed or releases or fresh or catalogue.pending or catalogue.foreign != before):
            return plan, None
        wheels = _batches(source, [file for file in merged if _lacks(known, file)], known, say)
        batches = chain((runtime.files for runtime in fresh), wheels)
        done = write(destination, catalogue, changed=changed, files=batches, releases=releases)
        return plan, replace(done, wheels=tuple(file.filename for file in new))


def _new_releases(
    source: Place, offered: Catalogue, destination: Place, catalogue: Catalogue, runtimes: Sequence[RuntimeFiles]
) -> list[Release]:
    """Return the releases that the destination has no lock of, or one of another content."""
    releases = {}
    for name in offered.releases:
        data = source.read(release_file(name))
        if data and (name not in catalogue.releases or destination.read(release_file(name)) != data):
            releases[name] = load_release(data, release_file(name))
    for release in (runtime.release for runtime in runtimes):
        if release.name not in catalogue.releases:
            releases.setdefault(release.name, release)
    return list(releases.values())


def _releases_then(destination: Place, catalogue: Catalogue, new: Sequence[Release]) -> list[Release]:
    """Return the releases that the destination will have a lock for."""
    releases = {release.name: release for release in new}
    for name in catalogue.releases:
        if name not in releases and (data := destination.read(release_file(name))):
            releases[name] = load_release(data, release_file(name))
    return list(releases.values())


def _lacks(known: Mapping[str, File], file: File) -> dict[str, str]:
    """Return suffix -> sha256 of those files of a wheel that the destination does not have."""
    there = known[file.filename].hashes if file.filename in known else {}
    return {suffix: sha256 for suffix, sha256 in file.hashes.items() if suffix not in there}


def _batches(
    source: Folder, files: Sequence[File], known: Mapping[str, File], say: Callable[[str], None]
) -> Iterator[Mapping[str, Source]]:
    waiting, done = iter(files), 0
    while batch := list(islice(waiting, _BATCH)):
        yield {name: path for file in batch for name, path in _paths(source, file, _lacks(known, file))}
        done += len(batch)
        say(f"{done} of {len(files)} wheels")


def _paths(source: Folder, file: File, wanted: Mapping[str, str]) -> Iterator[tuple[str, Source]]:
    """Yield the files of a wheel with these suffixes and hashes, a wheel itself with its compressed copies.

    Raises `IndexingError` for one that is not as it was indexed.
    """
    for suffix, sha256 in wanted.items():
        name = f"wheels/{file.filename}{suffix}"
        path = source.root / name
        if not path.is_file() or sha256_of(path) != sha256:
            raise IndexingError(
                f"{path} is not the file that was indexed", hint="restore it, or run `emwheels index build`"
            )
        yield name, path
    for suffix in COPIES if "" in wanted else ():
        name = f"wheels/{file.filename}{suffix}"
        path = source.root / name
        if path.is_file():
            if not is_copy(path, suffix, file.sha256):
                raise IndexingError(
                    f"{path} is no compressed copy of {file.filename}",
                    hint="remove it: it would be sent in place of the wheel",
                )
            yield name, path
