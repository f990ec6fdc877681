"""What running processes use of a store, so that garbage collection in another process leaves it alone."""

from __future__ import annotations

import contextlib
import fcntl
import os
import threading
import uuid
import weakref
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_FOLDER = "leases"
_GATE = "gate"


class Lease:
    """The list of what this process has touched in the store at ``root``.

    It is a file that names paths relative to ``root`` and is locked (flock) for as long as the process lives, so no
    clock and no process id is needed to tell a lease in use from one that a killed process left.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._used: set[Path] = set()
        self._lock = threading.Lock()
        self._file: int | None = None

    def use(self, path: Path) -> None:
        """Note ``path``, below ``root``, as in use until this process ends; also when it is not there yet.

        Call it before looking whether the file is there: from then on no collection removes it.
        """
        if path in self._used:
            return
        with self._lock:
            if self._file is None:
                self._file = self._open()
            with _gate(self._root, fcntl.LOCK_SH):
                os.write(self._file, f"{path.relative_to(self._root)}\n".encode())
            self._used.add(path)
        # When an entry was used last decides what a collection removes first. Another user's file stays as it is.
        with contextlib.suppress(FileNotFoundError, PermissionError):
            os.utime(path)

    def _open(self) -> int:
        folder = self._root / _FOLDER
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{uuid.uuid4().hex}.lease"
        # Under the gate, or a collection could take a lease that is not locked yet for one left behind.
        with _gate(self._root, fcntl.LOCK_SH):
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o644)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        weakref.finalize(self, _end, path, descriptor, os.getpid())
        return descriptor


def _end(path: Path, descriptor: int, owner: int) -> None:
    if os.getpid() == owner:  # not in a child that was forked
        path.unlink(missing_ok=True)
    os.close(descriptor)


@contextlib.contextmanager
def nothing_new_in_use(root: Path) -> Iterator[set[Path]]:
    """Give what living processes use of the store at ``root``; until the block ends, none of them can use more.

    Leases of processes that ended are removed.
    """
    with _gate(root, fcntl.LOCK_EX):
        used: set[Path] = set()
        for path in (root / _FOLDER).glob("*.lease"):
            with contextlib.suppress(FileNotFoundError):
                if _abandoned(path):
                    path.unlink()
                else:
                    used.update(root / line for line in path.read_text().splitlines())
        yield used


def _abandoned(path: Path) -> bool:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    else:
        return True
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _gate(root: Path, operation: int) -> Iterator[None]:
    folder = root / _FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder / _GATE, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(descriptor, operation)
        yield
    finally:
        os.close(descriptor)
