"""Files and folders that appear whole or not at all, and files that are read whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shutil
import stat
import tempfile
from pathlib import Path
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@contextlib.contextmanager
def replacing(target: Path) -> Iterator[IO[bytes]]:
    """Open a stream whose content becomes ``target`` at the end of the block, unless that raises.

    A reader sees the old file or the new one, and so does the next start after the machine lost its power.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=target.parent, prefix=f".{target.name[:80]}.", delete=False) as stream:
        temporary = Path(stream.name)
        try:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
            os.fchmod(stream.fileno(), 0o644)
            temporary.replace(target)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


def write_atomically(path: Path, data: bytes) -> None:
    """Replace ``path`` by ``data``: a reader sees the old or the new. Leaves a file alone that has these bytes."""
    if path.is_file() and path.stat().st_size == len(data) and path.read_bytes() == data:
        return
    with replacing(path) as stream:
        stream.write(data)


def left_unfinished(parent: Path) -> list[Path]:
    """Return what is left below ``parent`` of calls of `make_once` whose process was killed."""
    found = ((path, re.fullmatch(r"\..+-(\d+)-\w{8}", path.name)) for path in sorted(parent.glob(".*-*-*")))
    return [path for path, match in found if match and path.is_dir() and not Path(f"/proc/{match[1]}").exists()]


def make_once(folder: Path, make: Callable[[Path], object]) -> None:
    """Have ``make`` fill a folder beside ``folder`` and rename it. Does nothing where ``folder`` is there already."""
    if folder.is_dir():
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}-{os.getpid()}-", dir=folder.parent))
    try:
        making = temporary / "made"
        make(making)
        try:
            making.rename(folder)
        except OSError:
            if not folder.is_dir():  # another process may have been first
                raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    os.utime(folder)


class IrregularFileError(OSError):
    """A file is not one to read: a fifo, a device, a folder, or too large."""


def read_regular(path: Path, *, limit: int = 64 << 20) -> bytes:
    """Return the content of a regular file, to which a link may lead.

    Never waits, as opening a fifo would, and never reads more than ``limit`` bytes. Raises OSError that names the file:
    `IrregularFileError` for what is no regular file, or is larger.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise IrregularFileError(errno.EINVAL, "is no regular file", str(path))
        if status.st_size > limit:
            raise IrregularFileError(errno.EFBIG, f"is larger than {limit:,} bytes", str(path))
        with os.fdopen(descriptor, "rb", closefd=False) as stream:
            return stream.read(limit)
    finally:
        os.close(descriptor)
