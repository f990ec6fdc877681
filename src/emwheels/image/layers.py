"""The layers of a published image -> its root file system. A layer may be hostile: nothing outside is ever reached.

Every name is opened relative to a descriptor and never through a link (openat(2), O_NOFOLLOW). A link in the middle of
a path is resolved here, as a process whose root is that file system would: it cannot lead above it. Whiteouts are those
of the OCI image specification 1.1, "Image Layer Filesystem Changeset".
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import stat
import tarfile
from itertools import takewhile
from typing import IO, TYPE_CHECKING, Self, cast

from emwheels.errors import ImageError
from emwheels.fetch.archive import DAMAGE, RefusedError, decompressed
from emwheels.image.manifest import MOST_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

MOST_FILES = 1_000_000
"""Members of all layers together."""
DEEPEST = 128
"""Folders within folders."""
_MOST_LINKS = 40
"""Links in one path (ELOOP of path_resolution(7))."""
_HEADER_LIMIT = 16 << 20
"""Bytes that a member may have before its content, which are held in memory."""
_CHUNK = 1 << 20
_WHITEOUT, _OPAQUE, _META = ".wh.", ".wh..wh..opq", ".wh..wh."
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_MOUNT_POINTS = ("dev", "proc", "sys", "tmp", "mnt")
_MOUNTED_FILES = ("resolv.conf", "passwd", "group")
"""In /etc: the sandbox mounts its own over them."""
_ROOM = "free some space, then run the same command again"


class Layers:
    """A root file system that layers are put into, by its descriptor. Use it as a context, from one thread.

    ``root`` is a new folder, and ``aside`` another one on the same file system, which takes what layers remove.
    """

    def __init__(self, root: Path, aside: Path) -> None:
        self._walk = _Walk(root)
        self._aside = os.open(aside, _FOLDER)
        self._discarded = self._members = self._bytes = 0
        self._own: set[str] = set()
        """What the layer in hand has written: its whiteouts are for the layers below."""
        self._times: dict[str, int] = {}

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self._walk.close()
        os.close(self._aside)

    def add(self, layer: Path, diff_id: str) -> None:
        """Unpack a layer over those before it; ``diff_id`` is the digest of its archive before compression.

        Raises `ImageError`, and has then written something: the root file system is not to be used.
        """
        name, self._own = "", set()
        try:
            with layer.open("rb") as raw:
                magic = raw.read(6)
                raw.seek(0)
                stream = _Forward(decompressed(raw, magic))
                with contextlib.closing(tarfile.open(fileobj=cast("IO[bytes]", stream), mode="r:")) as archive:
                    while (member := stream.header(archive.next)) is not None:
                        archive.members = []  # type: ignore[attr-defined]  # or a million would be remembered
                        name = member.name[:_SHOWN]
                        self._member(archive, member)
                got = stream.finish()
        except RefusedError as refused:
            raise ImageError(f"layer {layer.name[:12]}: {name!r} {refused}", hint=_HINT) from None
        except DAMAGE as error:
            full = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
            raise ImageError(
                f"layer {layer.name[:12]}: after {name!r}: cannot be unpacked: {error}", hint=_ROOM if full else _HINT
            ) from error
        if got != diff_id:
            raise ImageError(f"layer {layer.name[:12]} unpacks to {got} instead of {diff_id}", hint=_HINT)

    def finish(self) -> None:
        """Make the places that the sandbox mounts over, whatever layers have put there, and set the folders' times."""
        for name in (*_MOUNT_POINTS, "etc"):
            self._folder(self._walk.to([]), name, 0o755)
        etc = self._walk.to(["etc"])
        for name in _MOUNTED_FILES:
            if not stat.S_ISREG(_mode(name, etc)):
                self._discard(etc, name)
                os.close(os.open(name, _NEW, 0o644, dir_fd=etc))
        for path, time in sorted(self._times.items(), reverse=True):
            with contextlib.suppress(RefusedError):  # it was removed later
                os.utime(self._walk.to(path.split("/"), make=False), ns=(time, time))

    def has(self, path: str) -> bool:
        """Tell whether there is something at ``path``, links on the way resolved as in the image."""
        *folders, name = _names(path)
        try:
            return bool(_mode(name, self._walk.to(folders, make=False)))
        except RefusedError:
            return False

    def _member(self, archive: tarfile.TarFile, member: tarfile.TarInfo) -> None:
        self._members += 1
        if self._members > MOST_FILES:
            raise RefusedError(f"is past the limit of {MOST_FILES:,} files")
        names = _names(member.name)
        if not names and not member.isdir():
            raise RefusedError("takes the place of the whole file system")
        if not names:
            return
        folder, name = self._walk.to(names[:-1]), names[-1]
        if name.startswith(_WHITEOUT):
            self._white_out(folder, name)
            return
        path = self._walk.path(name)
        self._note(path)
        if member.isdir():
            self._folder(folder, name, member.mode)
            self._times[path] = _time(member.mtime)
        elif member.islnk():
            self._hard_link(member.linkname, names)
        else:
            self._discard(folder, name)
            self._write(archive, member, folder, name)

    def _note(self, path: str) -> None:
        while path and path not in self._own:
            self._own.add(path)
            path = path.rpartition("/")[0]

    def _write(self, archive: tarfile.TarFile, member: tarfile.TarInfo, folder: int, name: str) -> None:
        if member.issym():
            if not 0 < len(os.fsencode(member.linkname)) < _PATH_LIMIT:
                raise RefusedError("is a link to nothing, or has too long a target")
            os.symlink(member.linkname, name, dir_fd=folder)
            time = _time(member.mtime)
            os.utime(name, ns=(time, time), dir_fd=folder, follow_symlinks=False)
        elif member.isreg():
            self._file(archive, member, os.open(name, _NEW, 0o600, dir_fd=folder))
        elif not member.isdev():  # devices and fifos are left out: the sandbox brings its own
            raise RefusedError(f"is of the unknown kind {member.type!r}")

    def _file(self, archive: tarfile.TarFile, member: tarfile.TarInfo, descriptor: int) -> None:
        with os.fdopen(descriptor, "wb") as out:
            self._bytes += member.size
            if member.size < 0 or self._bytes > MOST_BYTES:
                raise RefusedError(f"takes the image over the limit of {MOST_BYTES >> 30} GiB")
            content = cast("IO[bytes]", archive.extractfile(member))
            while chunk := content.read(_CHUNK):
                if member.issparse() and not chunk.strip(b"\0"):
                    out.seek(len(chunk), os.SEEK_CUR)
                else:
                    out.write(chunk)
            out.truncate(member.size)
            os.fchmod(out.fileno(), member.mode & 0o777 | 0o600)
            time = _time(member.mtime)
            os.utime(out.fileno(), ns=(time, time))

    def _hard_link(self, target: str, names: list[str]) -> None:
        """Give a file before it in the image one more name."""
        wanted = _names(target)
        if not wanted or wanted == names:
            raise RefusedError(f"is a hard link to {target!r}")
        source = os.dup(self._walk.to(wanted[:-1], make=False))
        try:
            if stat.S_IFMT(_mode(wanted[-1], source)) not in (stat.S_IFREG, stat.S_IFLNK):
                raise RefusedError(f"is a hard link to {target!r}, which is no file before it in the image")
            folder, name = self._walk.to(names[:-1]), names[-1]
            self._discard(folder, name)
            os.link(wanted[-1], name, src_dir_fd=source, dst_dir_fd=folder, follow_symlinks=False)
        finally:
            os.close(source)

    def _folder(self, parent: int, name: str, mode: int) -> None:
        if not stat.S_ISDIR(_mode(name, parent)):
            self._discard(parent, name)
            os.mkdir(name, dir_fd=parent)
        os.chmod(name, mode & 0o777 | 0o700, dir_fd=parent)

    def _white_out(self, folder: int, name: str) -> None:
        if name == _OPAQUE:
            for entry in os.listdir(folder):
                self._hide(folder, entry, self._walk.path(entry))
        elif not name.startswith(_META):  # others are notes of AUFS
            hidden = name.removeprefix(_WHITEOUT)
            if hidden in ("", ".", ".."):
                raise RefusedError("hides no file")
            self._hide(folder, hidden, self._walk.path(hidden))

    def _hide(self, folder: int, name: str, path: str) -> None:
        """Remove what lower layers have at ``path``, and leave what this one has."""
        if path not in self._own:
            self._discard(folder, name)
        elif stat.S_ISDIR(_mode(name, folder)):
            below = os.open(name, _FOLDER, dir_fd=folder)
            try:
                for entry in os.listdir(below):  # noqa: PTH208
                    self._hide(below, entry, f"{path}/{entry}")
            finally:
                os.close(below)

    def _discard(self, folder: int, name: str) -> None:
        mode = _mode(name, folder)
        if not mode:
            return
        self._walk.forget()
        if stat.S_ISDIR(mode):
            self._discarded += 1
            os.rename(name, str(self._discarded), src_dir_fd=folder, dst_dir_fd=self._aside)
        else:
            os.unlink(name, dir_fd=folder)


class _Walk:
    """Where in a root file system one is: the descriptors from its root to a folder."""

    def __init__(self, root: Path) -> None:
        self._descriptors = [os.open(root, _FOLDER)]
        self._names: list[str] = []
        self._asked: list[str] | None = []

    def close(self) -> None:
        """Close all descriptors."""
        self._up(0)
        os.close(self._descriptors.pop())

    def path(self, name: str) -> str:
        """Return where ``name`` in the folder that was last gone to really is, links resolved."""
        return "/".join([*self._names, name])

    def forget(self) -> None:
        """Go from the root the next time: a folder or link on the way was replaced."""
        self._asked = None

    def to(self, names: list[str], *, make: bool = True) -> int:
        """Return a descriptor of a folder, for use until the next call; what is missing of its path is made.

        Raises `RefusedError` for a path through a file, through too many links, or too deep; without ``make`` also for
        one that is missing.
        """
        if names != self._asked:
            straight = self._asked == self._names
            common = _alike(names, self._names) if straight else 0
            self._asked = None
            self._up(common)
            self._down(names[common:], make=make)
            self._asked = names
        return self._descriptors[-1]

    def _down(self, names: list[str], *, make: bool) -> None:
        waiting, links = names[::-1], 0
        while waiting:
            name = waiting.pop()
            if name == "..":
                self._up(max(len(self._names) - 1, 0))
            elif name not in ("", "."):
                link = self._enter(name, make=make)
                if link is None:
                    continue
                links += 1
                if links > _MOST_LINKS:
                    raise RefusedError("goes through too many links")
                if link.startswith("/"):
                    self._up(0)
                waiting += link.split("/")[::-1]

    def _enter(self, name: str, *, make: bool) -> str | None:
        """Go into a folder; return the target of a link instead."""
        if len(self._names) >= DEEPEST:
            raise RefusedError(f"is more than {DEEPEST} folders deep")
        here = self._descriptors[-1]
        mode = _mode(name, here)
        if stat.S_ISLNK(mode):
            return os.readlink(name, dir_fd=here)
        if not mode and make:
            os.mkdir(name, 0o755, dir_fd=here)
        elif not stat.S_ISDIR(mode):
            raise RefusedError(f"goes through {self.path(name)!r}, which is no folder")
        self._descriptors.append(os.open(name, _FOLDER, dir_fd=here))
        self._names.append(name)
        return None

    def _up(self, depth: int) -> None:
        while len(self._names) > depth:
            self._names.pop()
            os.close(self._descriptors.pop())


class _Forward:
    """What a layer is before compression, read once from its beginning to its end, hashed and bounded."""

    def __init__(self, raw: IO[bytes]) -> None:
        self._raw = raw
        self._digest = hashlib.sha256()
        self._position = 0
        self._allowed = _HEADER_LIMIT
        self._last = b""

    def tell(self) -> int:
        """Return how many bytes were read."""
        return self._position

    def read(self, size: int) -> bytes:
        """Return the next bytes. Raises `RefusedError` for more than a header or an image may have."""
        if not 0 <= size <= self._allowed:
            raise RefusedError(f"has a header of more than {_HEADER_LIMIT >> 20} MiB")
        self._last = self._raw.read(size)
        self._allowed -= len(self._last)
        self._position += len(self._last)
        if self._position > MOST_BYTES:
            raise RefusedError(f"takes the layer over the limit of {MOST_BYTES >> 30} GiB")
        self._digest.update(self._last)
        return self._last

    def seek(self, position: int) -> None:
        """Skip to ``position``. Raises `RefusedError` for one that is behind: an archive with a negative size."""
        if position < self._position:
            raise RefusedError("has a size that makes no sense")
        allowed, self._allowed = self._allowed, _CHUNK
        while self._position < position and self.read(min(position - self._position, _CHUNK)):
            self._allowed = _CHUNK
        self._allowed = allowed

    def header(self, read: Callable[[], tarfile.TarInfo | None]) -> tarfile.TarInfo | None:
        """Return the next member by ``read``, which may not hold more than a header has."""
        self._allowed = _HEADER_LIMIT
        try:
            return read()
        finally:
            self._allowed = MOST_BYTES

    def finish(self) -> str:
        """Return the digest of everything. Raises `RefusedError` for a damaged header, at which `tarfile` ends."""
        while not self._last.strip(b"\0"):
            if not self.read(_CHUNK):
                return f"sha256:{self._digest.hexdigest()}"
        raise RefusedError("is followed by what is no member of an archive")


_PATH_LIMIT = 4096
"""PATH_MAX of Linux."""
_SHOWN = 200
"""How much of a name is shown."""


def _names(path: str) -> list[str]:
    names = [name for name in path.split("/") if name not in ("", ".")]
    if ".." in names:
        raise RefusedError("leads out of the image")
    if len(os.fsencode(path)) >= _PATH_LIMIT:
        raise RefusedError("has too long a name")
    return names


def _alike(names: list[str], others: list[str]) -> int:
    """Return how many names are the same in both, from the first on."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(names, others, strict=False)))


def _mode(name: str, folder: int) -> int:
    """Return the mode of an entry, a link not followed; 0 if there is none."""
    try:
        return os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode
    except FileNotFoundError:
        return 0


def _time(seconds: float) -> int:
    """Return nanoseconds that every file system can hold."""
    whole = int(min(max(seconds, 0), 1 << 33))
    return whole * 10**9 + int(seconds % 1 * 1e9)


_HINT = "the image in the registry is damaged or hostile: publish it again"
