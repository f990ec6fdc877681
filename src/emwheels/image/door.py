"""The way back: the one place where the host reads or writes what foreign code could have laid out.

Everything is opened relative to a descriptor, one name at a time and never through a link (openat(2), O_NOFOLLOW), so
that nothing outside of the folder is reached, whatever lies there: links, fifos, devices, mounts. What is read is a
regular file, and bounded.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Self

from emwheels.errors import BuildError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC

MOST_BYTES = 4 << 30
"""The largest file that is taken."""
MOST_FILES = 500_000
DEEPEST = 200
"""Folders within folders."""


class DoorError(BuildError):
    """What was left there cannot be taken: the message says which file, and why."""


@dataclass(frozen=True, kw_only=True)
class Left:
    """One file or link that foreign code left."""

    path: str
    """Relative to the folder."""
    link: str | None
    """Where a link points; None for a regular file."""
    size: int
    executable: bool


class Door:
    """A folder that foreign code could write, by its descriptor. Use it as a context."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._root = os.open(folder, _FOLDER)
        self._device = os.fstat(self._root).st_dev

    def __enter__(self) -> Self:
        """Return the door itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        os.close(self._root)

    @contextmanager
    def opened(self, path: str, *, limit: int = MOST_BYTES) -> Iterator[IO[bytes]]:
        """Open the regular file ``path``. Raises `DoorError` for anything else, and for more than ``limit`` bytes."""
        with self._parent(path) as (folder, name):
            try:
                descriptor = os.open(name, _FILE, dir_fd=folder)
            except OSError as error:
                raise self._error(path, error) from error
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_dev != self._device:
            os.close(descriptor)
            raise DoorError(f"{self.folder.name}/{path} is no regular file")
        with os.fdopen(descriptor, "rb") as stream:
            if status.st_size > limit:
                raise DoorError(f"{self.folder.name}/{path} has {status.st_size:,} bytes; {limit:,} are allowed")
            yield stream

    def read(self, path: str, *, limit: int) -> bytes:
        """Return the content of a regular file. Raises `DoorError` as `opened` does."""
        with self.opened(path, limit=limit) as stream:
            data = stream.read(limit + 1)
        if len(data) > limit:
            raise DoorError(f"{self.folder.name}/{path} has more than {limit:,} bytes")
        return data

    def take(self, path: str, target: Path, *, limit: int = MOST_BYTES) -> None:
        """Copy a regular file to ``target``, which must not be there. Raises `DoorError` as `opened` does."""
        with self.opened(path, limit=limit) as stream, target.open("xb") as copy:
            shutil.copyfileobj(stream, copy)

    def write(self, path: str, data: bytes) -> None:
        """Write a new file, or replace one; folders are made. Raises `DoorError` where a link is in the way."""
        self._make_folders(path)
        with self._parent(path) as (folder, name):
            try:
                if stat.S_ISDIR(_mode(name, folder)):
                    raise DoorError(f"{self.folder.name}/{path} is a folder")
                if _mode(name, folder):
                    os.unlink(name, dir_fd=folder)
                descriptor = os.open(name, _NEW, 0o644, dir_fd=folder)
            except OSError as error:
                raise self._error(path, error) from error
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(data)

    def files(self, path: str = "", *, deep: bool = True) -> Iterator[Left]:
        """Yield the regular files and links below the folder ``path``, sorted by their paths; nothing if it is not one.

        Without ``deep`` only those in the folder itself.
        Fifos, sockets and devices are left out. Raises `DoorError` for more than `MOST_FILES`, or a tree deeper than
        `DEEPEST`.
        """
        yield from sorted(self._walk(path, deep=deep), key=lambda each: each.path)

    def _walk(self, top: str, *, deep: bool) -> Iterator[Left]:
        waiting, count = [top] if self.has_folder(top) else [], 0
        while waiting:
            path = waiting.pop()
            if path.count("/") >= DEEPEST:
                raise DoorError(f"{self.folder.name}/{path[:80]}… is more than {DEEPEST} folders deep")
            for entry, name, status in self._entries(path):
                count += 1
                if count > MOST_FILES:
                    raise DoorError(f"{self.folder.name} has more than {MOST_FILES:,} files")
                kind = stat.S_IFMT(status.st_mode)
                below = f"{path}/{name}" if path else name
                if kind == stat.S_IFDIR:
                    waiting += [below] if deep else []
                elif kind in (stat.S_IFREG, stat.S_IFLNK):
                    link = os.readlink(name, dir_fd=entry) if kind == stat.S_IFLNK else None
                    yield Left(
                        path=below, link=link, size=status.st_size, executable=bool(status.st_mode & stat.S_IXUSR)
                    )

    def _entries(self, path: str) -> Iterator[tuple[int, str, os.stat_result]]:
        with self._folder(path) as folder:
            for name in os.listdir(folder):  # noqa: PTH208  (pathlib takes no descriptor)
                yield folder, name, os.stat(name, dir_fd=folder, follow_symlinks=False)

    def has_folder(self, path: str) -> bool:
        """Tell whether ``path`` is a folder, and no link to one."""
        try:
            with self._folder(path):
                return True
        except DoorError:
            return False

    @contextmanager
    def _folder(self, path: str) -> Iterator[int]:
        """Give a descriptor of the folder ``path``."""
        current = os.dup(self._root)
        try:
            for name in self._names(path):
                try:
                    below = os.open(name, _FOLDER, dir_fd=current)
                except OSError as error:
                    raise self._error(path, error) from error
                os.close(current)
                current = below
                if os.fstat(current).st_dev != self._device:
                    raise DoorError(f"{self.folder.name}/{path} is a mount")
            yield current
        finally:
            os.close(current)

    @contextmanager
    def _parent(self, path: str) -> Iterator[tuple[int, str]]:
        names = self._names(path)
        with self._folder("/".join(names[:-1])) as folder:
            yield folder, names[-1]

    def _make_folders(self, path: str) -> None:
        names = self._names(path)[:-1]
        for depth, name in enumerate(names):
            with self._folder("/".join(names[:depth])) as folder:
                if not _mode(name, folder):
                    os.mkdir(name, 0o755, dir_fd=folder)

    def _names(self, path: str) -> list[str]:
        names = [name for name in path.split("/") if name]
        if path.startswith("/") or ".." in names or "." in names or "\0" in path:
            raise DoorError(f"{path!r} leads out of {self.folder.name}")
        return names

    def _error(self, path: str, error: OSError) -> DoorError:
        link = error.errno in (errno.ELOOP, errno.ENOTDIR, errno.ENXIO)
        reason = "is a link or no regular file" if link else error.strerror
        return DoorError(f"{self.folder.name}/{path}: {reason}")


def _mode(name: str, folder: int) -> int:
    """Return the mode of an entry, a link not followed; 0 if there is none."""
    try:
        return os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode
    except FileNotFoundError:
        return 0


def size_below(folder: Path) -> int:
    """Return the bytes on disk of everything below ``folder``; links are not followed. A tree may change meanwhile."""
    done = subprocess.run(
        ["du", "--summarize", "--block-size=1", "--one-file-system", "--", str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    return int(done.stdout.split("\t")[0] or 0)
