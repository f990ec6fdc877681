"""Unpacks archives that may be hostile: a source distribution, a Debian or npm tarball, a wheel.

Nothing is ever written through a symlink, because symlinks are made after everything else and then each is followed to
see where it ends. `tarfile.data_filter` is not used: it rewrites absolute names where they should be refused, and the
one in Python 3.11.7 can be led out of the folder (CVE-2025-4517).
"""

from __future__ import annotations

import bz2
import calendar
import errno
import gzip
import importlib
import lzma
import os
import shutil
import stat
import tarfile
import tempfile
import zipfile
import zlib
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING, Literal, cast

from emwheels.errors import FetchError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_NAME_LIMIT = 1024  # keeps every path well under PATH_MAX, past which os.path.realpath stops looking
_HEADER_LIMIT = 64 << 20  # a tar header that asks for more memory than this is an attack
_CHUNK = 1 << 20
_SHOWN_NAMES = 10


def _of_zstd() -> tuple[type[Exception], ...]:
    try:
        return (importlib.import_module("compression.zstd").ZstdError,)
    except ModuleNotFoundError:  # before Python 3.14
        return ()


DAMAGE: tuple[type[Exception], ...] = (
    *_of_zstd(),
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    OSError,
    ValueError,
    RuntimeError,
    LookupError,
    ArithmeticError,
)
"""What reading a damaged archive raises; `tarfile` has the last two for sparse files that end too early."""

_Kind = Literal["file", "directory", "symlink", "hardlink", "special"]


@dataclass(frozen=True, kw_only=True)
class _Member:
    """What both formats have in common."""

    name: str
    kind: _Kind
    size: int
    mtime: float
    executable: bool = False
    target: str = ""
    open: Callable[[], IO[bytes]]


class NoFolderError(FetchError):
    """The archive does not have the folder that was asked for."""


class RefusedError(Exception):
    """The archive is understood, and is not to be unpacked."""


def unpack(
    archive: Path,
    destination: Path,
    *,
    limit_bytes: int = 8 << 30,
    limit_members: int = 500_000,
    strip_single_top: bool = False,
    only: str = "",
) -> Path:
    """Unpack a tar (plain, gz, bz2, xz, zst), zip or wheel into ``destination``, and return that.

    ``destination`` may not exist yet, or be an empty folder; it appears whole or not at all. Executable bits and times
    are kept, owners and other mode bits are not. ``strip_single_top`` leaves out a folder that holds everything, as a
    source distribution has, and of one that has the folder ``only``, nothing but what is in that is kept. Raises
    `FetchError`, naming archive and member, for a path or link that leaves the folder, for a device or fifo, for more
    than ``limit_bytes`` bytes or ``limit_members`` members, and for a damaged archive, and `NoFolderError` for one
    without the folder ``only``.
    """
    if destination.exists() and (not destination.is_dir() or any(destination.iterdir())):
        raise FetchError(f"{destination} exists, so {archive.name} is not unpacked there", hint="remove it first")
    destination.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{destination.name}-", dir=destination.parent))
    try:
        root = temporary / "root"
        root.mkdir()
        top = _Unpacking(archive, root, limit_bytes, limit_members).run(strip_single_top=strip_single_top, only=only)
        top.replace(destination)
    finally:
        shutil.rmtree(temporary)
    return destination


def read_member(archive: Path, name: str, *, limit: int) -> bytes | None:
    """Return the first ``limit`` bytes of the file called ``name`` in an archive; None without such a file.

    Raises `FetchError` for a damaged archive.
    """
    try:
        with _open(archive) as members:
            for member in members:
                if member.name == name and member.kind == "file":
                    with member.open() as source:
                        return source.read(limit)
    except RefusedError as refused:
        raise FetchError(f"{archive.name}: {name!r} {refused}") from None
    except DAMAGE as error:
        raise FetchError(f"{archive.name}: {name!r} cannot be read: {error}") from error
    return None


class _Unpacking:
    def __init__(self, archive: Path, root: Path, limit_bytes: int, limit_members: int) -> None:
        self.archive = archive
        self.root = root
        self.limit_bytes = limit_bytes
        self.limit_members = limit_members
        self.count = 0
        self.written = 0
        self.links: dict[Path, _Member] = {}
        self.directories: dict[Path, float] = {}

    def run(self, *, strip_single_top: bool, only: str) -> Path:
        """Write everything and return the folder that is to be kept."""
        member: _Member | None = None
        try:
            with ExitStack() as stack:
                members = stack.enter_context(_open(self.archive))
                for member in members:
                    self._extract(member)
            for path, member in self.links.items():
                path.parent.mkdir(parents=True, exist_ok=True)
                path.symlink_to(member.target)
            inside = self._folder(only) if only else _single_top(self.root) if strip_single_top else self.root
            for path, member in self.links.items():  # noqa: B007  (named in the message below)
                _check_link(path, inside if path.is_relative_to(inside) else self.root)
        except RefusedError as refused:
            where = f"{self.archive.name}: {member.name!r}" if member else self.archive.name
            raise FetchError(f"{where} {refused}", hint="it was not unpacked; check where it came from") from None
        except DAMAGE as error:
            where = f"{self.archive.name}: after {member.name!r}:" if member else f"{self.archive.name}:"
            full = isinstance(error, OSError) and error.errno == errno.ENOSPC
            hint = "free some space, then run the same command again" if full else "it may be damaged: fetch it again"
            raise FetchError(f"{where} cannot be unpacked: {error}", hint=hint) from error
        for path, mtime in sorted(self.directories.items(), reverse=True):  # children before parents
            os.utime(path, (mtime, mtime))
        return inside

    def _folder(self, name: str) -> Path:
        path = self.root
        for part in PurePosixPath(name).parts:
            path /= part
            if part == ".." or path.is_symlink() or not path.is_dir():
                there = sorted(entry.name for entry in self.root.iterdir())[:_SHOWN_NAMES]
                raise NoFolderError(
                    f"{self.archive.name} has no folder {name!r}", hint=f"at its top are: {', '.join(there)}"
                )
        return path

    def _extract(self, member: _Member) -> None:
        self.count += 1
        if self.count > self.limit_members:
            raise RefusedError(f"is past the limit of {self.limit_members} members")
        path = self._path(member.name)
        if member.kind == "special":
            raise RefusedError("is a device or a fifo")
        if member.kind == "symlink":
            self._note_link(path, member)
        elif path in self.links:
            raise RefusedError("is in the archive as a symlink too")
        elif member.kind == "directory":
            path.mkdir(parents=True, exist_ok=True)
            self.directories[path] = member.mtime
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.unlink(missing_ok=True)  # as in tar, the last of two wins
            if member.kind == "hardlink":
                self._hardlink(path, member.target)
            else:
                self._write(path, member)

    def _note_link(self, path: Path, member: _Member) -> None:
        if path == self.root or len(member.target) > _NAME_LIMIT:
            raise RefusedError("is a symlink that no source needs")
        if PurePosixPath(member.target).is_absolute():
            raise RefusedError(f"is a symlink to the absolute path {member.target!r}")
        self.links[path] = member

    def _hardlink(self, path: Path, target: str) -> None:
        source = self._path(target)
        if not source.is_file():
            raise RefusedError(f"is a hard link to {target!r}, which is not a file before it in the archive")
        path.hardlink_to(source)

    def _write(self, path: Path, member: _Member) -> None:
        self._account(member.size, commit=False)
        with member.open() as source, path.open("xb") as out:
            while chunk := source.read(_CHUNK):
                self._account(len(chunk), commit=True)
                out.write(chunk)
        path.chmod(0o755 if member.executable else 0o644)
        os.utime(path, (member.mtime, member.mtime))

    def _account(self, size: int, *, commit: bool) -> None:
        if self.written + size > self.limit_bytes:
            raise RefusedError(f"takes the unpacked size over the limit of {self.limit_bytes} bytes")
        if commit:
            self.written += size

    def _path(self, name: str) -> Path:
        pure = PurePosixPath(name)
        if pure.is_absolute() or ".." in pure.parts:
            raise RefusedError("leads out of the folder")
        if len(os.fsencode(name)) > _NAME_LIMIT or "\0" in name:
            raise RefusedError("has a name that no source needs")
        return self.root / pure


def _check_link(path: Path, inside: Path) -> None:
    real = Path(os.path.realpath(path))
    if not real.is_relative_to(os.path.realpath(inside)):
        raise RefusedError(f"is a symlink that leads out of the folder, to {str(path.readlink())!r}")


def _single_top(root: Path) -> Path:
    entries = list(root.iterdir())
    if len(entries) == 1 and entries[0].is_dir() and not entries[0].is_symlink():
        return entries[0]
    return root


@contextmanager
def _open(archive: Path) -> Iterator[Iterator[_Member]]:
    with archive.open("rb") as raw:
        magic = raw.read(6)
        raw.seek(0)
        if magic.startswith(b"PK"):
            with zipfile.ZipFile(raw) as file:
                yield (_zip_member(file, info) for info in file.infolist())
        else:
            with (
                decompressed(raw, magic) as stream,
                tarfile.open(fileobj=cast("IO[bytes]", _Bounded(stream)), mode="r:") as tar,
            ):
                yield (_tar_member(tar, info) for info in tar)


def decompressed(raw: IO[bytes], magic: bytes) -> IO[bytes]:
    """Return what is in a stream that starts with ``magic``. Raises `RefusedError` for zstd before Python 3.14."""
    if magic.startswith(b"\x1f\x8b"):
        return cast("IO[bytes]", gzip.GzipFile(fileobj=raw))
    if magic.startswith(b"BZh"):
        return bz2.BZ2File(raw)
    if magic.startswith(b"\xfd7zXZ\0"):
        return lzma.LZMAFile(raw)
    if magic.startswith(b"\x28\xb5\x2f\xfd"):
        try:
            zstd = importlib.import_module("compression.zstd")
        except ModuleNotFoundError:
            raise RefusedError("is compressed with zstd, which Python reads from version 3.14 on") from None
        return cast("IO[bytes]", zstd.ZstdFile(raw))
    return raw


class _Bounded:
    """A stream that refuses to hand out more memory at once than an honest archive needs."""

    def __init__(self, stream: IO[bytes]) -> None:
        self.seek = stream.seek
        self.tell = stream.tell
        self._stream = stream

    def read(self, size: int) -> bytes:
        if not 0 <= size <= _HEADER_LIMIT:
            raise RefusedError(f"has a header of {size} bytes")
        return self._stream.read(size)


def _time(seconds: float) -> float:
    return min(max(seconds, 0), 1 << 33)  # what every file system can hold


def _tar_member(tar: tarfile.TarFile, info: tarfile.TarInfo) -> _Member:
    kind: _Kind = "special"
    if info.isreg():
        kind = "file"
    elif info.isdir():
        kind = "directory"
    elif info.issym():
        kind = "symlink"
    elif info.islnk():
        kind = "hardlink"
    return _Member(
        name=info.name,
        kind=kind,
        size=info.size,
        mtime=_time(info.mtime),
        executable=bool(info.mode & 0o100),
        target=info.linkname,
        open=lambda: cast("IO[bytes]", tar.extractfile(info)),
    )


def _zip_member(file: zipfile.ZipFile, info: zipfile.ZipInfo) -> _Member:
    mode = info.external_attr >> 16
    kind: _Kind = "file"
    if info.is_dir():
        kind = "directory"
    elif stat.S_ISLNK(mode):
        kind = "symlink"
    elif stat.S_IFMT(mode) not in {0, stat.S_IFREG}:
        kind = "special"
    return _Member(
        name=info.filename,
        kind=kind,
        size=info.file_size,
        mtime=_time(calendar.timegm((*info.date_time, 0, 0, 0))),
        executable=bool(mode & 0o100),
        target=file.read(info).decode() if kind == "symlink" and info.file_size <= _NAME_LIMIT else "",
        open=lambda: file.open(info),
    )
