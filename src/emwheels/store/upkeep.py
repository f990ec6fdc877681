"""How large a store is, whether it is whole, and how it is made smaller."""

from __future__ import annotations

import os
import shutil
import time
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from stat import S_ISREG
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from emwheels.store.lease import nothing_new_in_use
from emwheels.store.local import TEMPORARY, Store, read_record, sha256_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    FilesOf = Callable[[str, Mapping[str, Any]], Iterable[tuple[str, str]]]
    """Record kind and record -> the (kind, sha256) of every file that the record is of no use without."""

ROOTS = "roots"
"""The kind of the records that `Store.add_root` makes."""
_COPY_DIGITS = 24


@dataclass(kw_only=True)
class Size:
    """How much there is of one kind."""

    entries: int = 0
    bytes: int = 0

    def add(self, size: int) -> None:
        """Count one more entry of ``size`` bytes."""
        self.entries += 1
        self.bytes += size


@dataclass(kw_only=True)
class Verified:
    """What a check of every entry found."""

    files: int = 0
    records: int = 0
    bytes: int = 0
    damaged: list[tuple[Path, Path]] = field(default_factory=list)
    """Where an entry was, and where it was moved to."""
    incomplete: list[tuple[Path, str]] = field(default_factory=list)
    """Records that name a file which is not there, and that file; what they stand for is made again when needed."""


@dataclass(kw_only=True)
class Collected:
    """What a collection of garbage removed, or would remove."""

    removed: dict[str, Size] = field(default_factory=lambda: defaultdict(Size))
    """Kind -> what went."""
    kept: Size = field(default_factory=Size)
    in_use: Size = field(default_factory=Size)
    """The part of ``kept`` that a running process or a published index needs."""

    @property
    def freed(self) -> int:
        """Bytes removed."""
        return sum(size.bytes for size in self.removed.values())


@dataclass(kw_only=True)
class _Entry:
    path: Path
    kind: str
    size: int
    used: float
    """When it was last used, in seconds since 1970."""


def size_below(folder: Path) -> Size:
    """Return how many files there are below a folder, and their bytes."""
    total = Size()
    for path, _, names in os.walk(folder):
        for name in names:
            try:
                status = (Path(path) / name).lstat()
            except FileNotFoundError:
                continue
            total.add(status.st_size)
    return total


def sizes(store: Store) -> dict[str, Size]:
    """Return the size of each kind of file, of all records, of unfinished downloads and of what was set aside."""
    by_kind: dict[str, Size] = defaultdict(Size)
    for entry in (*_files(store), *_records(store), *_loose(store)):
        by_kind[entry.kind].add(entry.size)
    return dict(sorted(by_kind.items()))


def verify(store: Store, files_of: FilesOf, progress: Callable[[int, int], None] | None = None) -> Verified:
    """Hash every file again and read every record; move what is damaged to ``damaged/``.

    ``progress`` is called with the bytes read so far and the bytes there are.
    """
    result = Verified()
    files, records = list(_files(store)), list(_records(store))
    total = sum(entry.size for entry in files)
    for entry in files:
        try:
            whole = sha256_of(entry.path) == entry.path.name
        except FileNotFoundError:  # collected meanwhile
            continue
        result.files += 1
        result.bytes += entry.size
        if not whole:
            result.damaged.append((entry.path, store.move_aside(entry.path)))
        if progress:
            progress(result.bytes, total)
    for entry in records:
        try:
            record = _read(entry.path)
        except FileNotFoundError:
            continue
        result.records += 1
        if record is None:
            result.damaged.append((entry.path, store.move_aside(entry.path)))
            continue
        missing = [(kind, sha256) for kind, sha256 in _files_of(entry, record, files_of) if not store.has(kind, sha256)]
        result.incomplete += [(entry.path, f"{kind}/{sha256}") for kind, sha256 in missing]
    return result


def collect(
    store: Store,
    files_of: FilesOf,
    *,
    older_than: float | None = None,
    max_bytes: int | None = None,
    copies: Path | None = None,
    dry_run: bool = False,
) -> Collected:
    """Remove what was not used for ``older_than`` seconds, then the least recently used down to ``max_bytes``.

    What a living process uses stays, and so do the copies of files below the folders named by `Store.add_root`,
    with the records that name them. Unfinished files of processes that ended go in any case; so do records that
    name a file which is not there. ``copies`` has a folder, named by the first 24 digits of its sha256, for each
    file that is wanted under a name of its own: those of files that are gone go as well. While this works, other
    processes wait before they touch another entry.
    """
    published = _published(store)
    result = Collected()
    with nothing_new_in_use(store.root) as used:
        files = {(entry.kind, entry.path.name): entry for entry in _files(store)}
        pinned = {id(entry) for entry in files.values() if entry.path in used or entry.path.name in published}
        records: list[_Entry] = []
        for entry in _records(store):
            record = _read(entry.path)
            names = [] if record is None else _files_of(entry, record, files_of)
            present = [files[name] for name in names if name in files]
            if entry.path in used or any(file.path.name in published for file in present):
                pinned |= {id(item) for item in (entry, *present)}
            elif record is None or len(present) < len(names):
                entry.used = 0
            for file in present:
                file.used = max(file.used, entry.used)
            records.append(entry)
        loose = [entry for entry in _loose(store) if entry.path not in used]
        entries = [*records, *files.values(), *loose]
        result.in_use = _total(entry for entry in entries if id(entry) in pinned)
        left = sum(entry.size for entry in entries)
        oldest = time.time() - older_than if older_than is not None else 0
        prefixes = {path.name[:_COPY_DIGITS] for path in used}
        # A record sorts before the files it names, so that none is left without its file.
        for entry in sorted(entries, key=lambda item: item.used):
            useless = entry.used == 0 or entry.used < oldest
            if id(entry) in pinned or not (useless or (max_bytes is not None and left > max_bytes)):
                result.kept.add(entry.size)
                prefixes.add(entry.path.name[:_COPY_DIGITS])
            elif dry_run or _remove(store, entry):
                result.removed[entry.kind].add(entry.size)
                left -= entry.size
        for folder in copies.glob("*") if copies else ():
            if folder.name not in prefixes:
                for path in folder.iterdir():
                    result.removed["copies"].add(path.stat().st_size)
                if not dry_run:
                    shutil.rmtree(folder, ignore_errors=True)
    return result


def _total(entries: Iterable[_Entry]) -> Size:
    total = Size()
    for entry in entries:
        total.add(entry.size)
    return total


def _remove(store: Store, entry: _Entry) -> bool:
    if entry.path.parent == store.root / "partial":
        try:
            with FileLock(store.root / "locks" / f"{entry.path.name}.lock", timeout=0):
                entry.path.unlink(missing_ok=True)
        except Timeout:  # being downloaded
            return False
        return True
    entry.path.unlink(missing_ok=True)
    return True


def _published(store: Store) -> set[str]:
    """Return the sha256 of every file below the folders that are roots."""
    published: set[str] = set()
    for path in (store.root / "records" / ROOTS).glob("*.json"):
        record = _read(path)
        folder = Path(str(record["folder"])) if record and "folder" in record else None
        if folder is None or not folder.is_dir():
            path.unlink(missing_ok=True)
            continue
        for file in folder.rglob("*"):
            if file.is_file() and not file.name.startswith("."):
                published.add(sha256_of(file))
    return published


def _files_of(entry: _Entry, record: Mapping[str, Any], files_of: FilesOf) -> list[tuple[str, str]]:
    return list(files_of(entry.path.parent.name, record))


def _files(store: Store) -> Iterator[_Entry]:
    for path in (store.root / "files").glob("*/*/*"):
        yield from _entry(path, path.parts[-3])


def _records(store: Store) -> Iterator[_Entry]:
    for path in (store.root / "records").glob("*/*.json"):
        if path.parent.name != ROOTS:
            yield from _entry(path, "records")


def _loose(store: Store) -> Iterator[_Entry]:
    for path in (store.root / "partial").glob("*"):
        yield from _entry(path, "unfinished")
    for folder in ("files", "records"):
        for path in (store.root / folder).glob(f"*/{TEMPORARY}*"):
            for entry in _entry(path, "unfinished"):
                entry.used = 0  # whoever wrote it is gone, or it would be in use
                yield entry
    for path in (store.root / "damaged").glob("*/*"):
        yield from _entry(path, "damaged")


def _entry(path: Path, kind: str) -> Iterator[_Entry]:
    try:
        status = path.stat()
    except FileNotFoundError:
        return
    yield _Entry(path=path, kind=kind, size=status.st_size, used=max(status.st_mtime, 1.0))


def _read(path: Path) -> dict[str, Any] | None:
    try:
        return read_record(path)
    except ValueError:
        return None


def remove_unused(folder: Path, *, older_than: float, dry_run: bool = False) -> tuple[int, int]:
    """Remove what no build has used for ``older_than`` seconds from the compiler caches of all recipes in ``folder``.

    ccache 4 sets the time of an entry that it hits, and takes one that vanishes for a miss, so builds may go on.
    Returns how many files these are, and their bytes.
    """
    count = freed = 0
    until = time.time() - older_than
    for path in folder.glob("*/**/*"):
        with suppress(FileNotFoundError):
            status = path.lstat()
            if S_ISREG(status.st_mode) and status.st_mtime < until:
                count, freed = count + 1, freed + status.st_size
                if not dry_run:
                    path.unlink()
    return count, freed
