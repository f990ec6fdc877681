"""A folder on this machine as the place of an index. Every file appears whole or not at all."""

from __future__ import annotations

import fcntl
import os
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING

from emwheels.errors import IndexingError
from emwheels.store import sha256_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from emwheels.index.places.place import Source

_PART = ".part-"
_MANY = 16
"""Files from which on all are brought to the disk at once: a fsync for each would be most of the time."""


class Folder:
    """The index in the folder ``root``."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.where = str(root)

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Hold the folder against other processes that change it, and remove what a killed one left half-written."""
        self.root.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.root, os.O_RDONLY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            parts = self.root / _PART
            if parts.exists():
                shutil.rmtree(parts)
            yield
        finally:
            os.close(descriptor)

    def read(self, name: str) -> bytes | None:
        """Return the content of a file, None when there is none."""
        path = self.root / name
        if path.exists() and not path.is_file():
            raise IndexingError(f"{path} is no regular file", hint="remove it, or restore what was there")
        try:
            return path.read_bytes()
        except FileNotFoundError:
            return None

    def send(self, files: Mapping[str, Source]) -> int:
        """Write the files that are not there with these bytes, and return how many those were."""
        changed = {name: source for name, source in files.items() if not _is_same(self.root / name, source)}
        if not changed:
            return 0
        parts = self.root / _PART
        parts.mkdir(parents=True)
        many = len(changed) > _MANY
        try:
            for number, source in enumerate(changed.values()):
                _write(parts / str(number), source, sync=not many)
            if many:
                os.sync()
            for number, name in enumerate(changed):
                path = self.root / name
                path.parent.mkdir(parents=True, exist_ok=True)
                (parts / str(number)).replace(path)
        finally:
            shutil.rmtree(parts)
        return len(changed)

    def remove(self, names: Iterable[str]) -> None:
        """Remove files, and folders that this leaves empty."""
        for name in names:
            path = self.root / name
            path.unlink(missing_ok=True)
            for folder in path.parents:
                if folder == self.root or folder.is_symlink() or not folder.is_dir() or any(folder.iterdir()):
                    break
                folder.rmdir()


def _is_same(path: Path, source: Source) -> bool:
    try:
        size = path.stat().st_size
    except FileNotFoundError:
        return False
    if isinstance(source, bytes):
        return size == len(source) and path.read_bytes() == source
    return size == source.stat().st_size and sha256_of(path) == sha256_of(source)


def _write(path: Path, source: Source, *, sync: bool) -> None:
    with path.open("xb") as out:
        if isinstance(source, bytes):
            out.write(source)
        else:
            with source.open("rb") as stream:
                shutil.copyfileobj(stream, out, 1 << 20)
        out.flush()
        if sync:
            os.fsync(out.fileno())
        os.fchmod(out.fileno(), 0o644)
