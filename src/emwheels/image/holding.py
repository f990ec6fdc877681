"""Images in use: whoever enters one holds it, and one that is held is not replaced."""

from __future__ import annotations

import fcntl
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from emwheels.errors import ImageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def in_use(folder: Path) -> Iterator[None]:
    """Hold an image for the block, beside others that do; one that is not there is not held.

    The lock (flock) is on the folder itself, so that it ends with the process and a cache that cannot be written has it
    too. A file system without such locks holds nothing.
    """
    try:
        descriptor = _locked(folder, fcntl.LOCK_SH)
    except OSError:
        yield
        return
    try:
        yield
    finally:
        os.close(descriptor)


@contextmanager
def nobody_in(folder: Path) -> Iterator[None]:
    """Keep an image free for the block, to replace it. Raises `ImageError` while a command uses it."""
    try:
        descriptor = _locked(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise ImageError(
            f"the image in {folder} is in use and is not replaced",
            hint="run this again when no other emwheels command runs",
        ) from error
    except OSError:  # most of the time: it is not there
        yield
        return
    try:
        yield
    finally:
        os.close(descriptor)


def _locked(folder: Path, kind: int) -> int:
    """Return a descriptor of the locked folder: of the one that has its name once the lock is there."""
    while True:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(descriptor, kind)
            if os.path.samestat(os.fstat(descriptor), folder.stat()):
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)
