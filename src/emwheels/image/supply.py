"""Where files of Debian's packages come from: a mirror, a snapshot, a folder. Each is verified by its hash."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import shutil
import stat
import subprocess
import tempfile
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import quote, unquote, urlsplit

from emwheels.atomic import read_regular, write_atomically
from emwheels.errors import FetchError, ImageError, keep_secrets_of
from emwheels.fetch.download import Downloader, NotFoundError, UnreachableError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

    from emwheels.image.debs import Deb

MIRROR = "EMWHEELS_IMAGE_MIRROR"
"""The variable that names what ``emwheels image mirror`` wrote: a folder, or an address where it is served."""
SNAPSHOT = "EMWHEELS_DEBIAN_SNAPSHOT"
"""The variable that names a mirror which keeps what Debian's own one has no more, at a moment of it."""
WHEELS = "wheels"
"""The folder of such a mirror that has the wheels of the build image; the packages are in ``pool``, as in Debian's."""
SUMS = "SHA256SUMS"
"""The list in that folder, in the form of sha256sum(1)."""
_THREADS = 8
_SMALL = 8 << 20
_LISTED = re.compile(r"(?m)^([0-9a-f]{64})  ([A-Za-z0-9][A-Za-z0-9._+-]*)$")
_ROOM = "free some space, then run the same command again"
_T = TypeVar("_T")


@dataclass(frozen=True, kw_only=True)
class Place:
    """One that may have the files, by their paths below it."""

    address: str
    """A folder, or ``https://…``; of a machine's apt also ``file:`` and ``copy:``."""
    kind: str
    """In words, for a message."""

    @property
    def folder(self) -> Path | None:
        """The folder of this machine that it is, or None."""
        parts = urlsplit(self.address)
        if parts.scheme in {"file", "copy"}:
            return Path(unquote(parts.path))
        return None if parts.scheme in {"http", "https"} else Path(self.address)

    def url(self, path: str) -> str:
        """Return the address of a file of it."""
        return f"{self.address.rstrip('/')}/{quote(path)}"


def places(debian_mirror: str, *, offline: bool = False) -> list[Place]:
    """Return where packages are looked for, in this order; offline, only folders of this machine.

    First what `MIRROR` names, as somebody chose it, then Debian's own mirror, then what `SNAPSHOT` names. Raises
    `ImageError` for one that is neither a folder nor an address.
    """
    given = [
        Place(address=os.environ.get(MIRROR, ""), kind=MIRROR),
        Place(address=debian_mirror, kind="Debian's mirror"),
        Place(address=os.environ.get(SNAPSHOT, ""), kind=SNAPSHOT),
    ]
    keep_secrets_of(*(place.address for place in given))
    for place in given:
        _check(place)
    return [place for place in given if place.address and not (offline and place.folder is None)]


def _check(place: Place) -> None:
    """Raise `ImageError` for a place that is none. Its address is not repeated: half of it could be a password."""
    try:
        scheme, host = urlsplit(place.address).scheme, urlsplit(place.address).hostname
    except ValueError:
        scheme, host = "?", None
    local = scheme in {"", "file", "copy"}
    if place.address and (not local and (scheme not in {"http", "https"} or not host)):
        raise ImageError(
            f"{place.kind} is no address of a mirror", hint="write it as https://HOST/PATH, or as a folder"
        )
    if place.address and local and place.folder is not None and not place.folder.is_dir():
        raise ImageError(f"{place.kind} names a folder that is not there", hint="write it as a path from the root")


class Supply:
    """Gets files of packages from the first of ``places`` that has them."""

    def __init__(self, places: Sequence[Place], downloader: Downloader | None = None) -> None:
        self.places = list(places)
        self._stopping = threading.Event()
        self._downloader = downloader or Downloader(pause=self._stopping.wait)
        self.faults: dict[str, str] = {}
        """What is wrong with a place, by its kind: it is not asked again."""

    def lacking(self, debs: Iterable[Deb]) -> list[Deb]:
        """Return those that no place has, without downloading any. What is wrong with places is in `faults`."""
        sources = list(self._each(lambda deb: (deb, self._source(deb)), debs))
        return [deb for deb, place in sources if place is None]

    def gather(self, debs: Iterable[Deb], folder: Path, say: Callable[[str], None]) -> None:
        """Put the files into ``folder`` under their paths, each verified. One that is there and right stays.

        Each appears whole or not at all, and none is written through a link. Raises `ImageError` that names what no
        place has, or has with another content.
        """
        by_path = {deb.path: deb for deb in debs}
        steps = _Steps(by_path.values(), say)
        for deb in self._each(lambda deb: self._obtain(deb, folder), by_path.values()):
            steps.done(deb)

    def _each(self, do: Callable[[Deb], _T], debs: Iterable[Deb]) -> Iterator[_T]:
        """Yield what ``do`` returns for each; where this ends early, so does what is under way."""
        with ThreadPoolExecutor(_THREADS) as pool:
            try:
                yield from pool.map(do, debs)
            except BaseException:
                self._stopping.set()
                pool.shutdown(wait=False, cancel_futures=True)
                raise

    def take_listed(self, name: str, hashes: Collection[str], folder: Path) -> bool:
        """Put what the list ``NAME/SHA256SUMS`` of a place has of ``hashes`` into ``folder``.

        Returns whether a list had any of them. Raises `ImageError` for a file that is not as listed.
        """
        for place in self._usable():
            try:
                listed = self._read(place, f"{name}/{SUMS}").decode()
            except (FetchError, OSError, ValueError):
                continue
            taken = [pair for pair in _LISTED.findall(listed) if pair[0] in hashes]
            for sha256, filename in taken:
                try:
                    content = self._read(place, f"{name}/{filename}")
                except (FetchError, OSError) as error:
                    raise ImageError(f"{place.kind} lists {name}/{filename}, which cannot be read: {error}") from error
                if hashlib.sha256(content).hexdigest() != sha256:
                    raise ImageError(f"{place.kind}: {name}/{filename} does not have the sha256 {sha256}")
                (folder / filename).write_bytes(content)
            if taken:
                return True
        return False

    def _read(self, place: Place, path: str) -> bytes:
        if place.folder is not None:
            return read_regular(place.folder / path)
        return self._downloader.get(place.url(path)).content

    def _obtain(self, deb: Deb, folder: Path) -> Deb:
        path = folder / deb.path
        _make_folders(folder, path.parent)
        if path.is_file() and not path.is_symlink() and sha256_of_file(path) == deb.sha256:
            return deb
        faults = []
        for place in self._usable():
            with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".taken-", delete=False) as file:
                part = Path(file.name)
            try:
                if not (fault := self._fault(place, deb, part)):
                    part.chmod(0o644)
                    part.replace(path)
                    return deb
                faults.append(f"{place.kind}: {fault}")
            finally:
                part.unlink(missing_ok=True)
        fault = "; ".join(faults) or "no place is configured that may have it"
        raise ImageError(f"{deb.name} {deb.version}: {fault}", hint=_elsewhere())

    def _fault(self, place: Place, deb: Deb, part: Path) -> str:
        """Take a file from a place; return what is wrong with it. Raises `ImageError` where there is no room for it."""
        try:
            if place.folder is not None:
                _copy(place.folder / deb.path, part, deb.size)
            else:
                self._download(place.url(deb.path), part, deb.size)
            right = sha256_of_file(part) == deb.sha256
        except FetchError as error:
            return error.message
        except OSError as error:
            if error.errno in {errno.ENOSPC, errno.EDQUOT}:
                raise ImageError(f"there is no room in {part.parent} for {deb.filename}", hint=_ROOM) from error
            return f"{error.filename}: {error.strerror}"
        return "" if right else f"it has another file under this name, whose sha256 is not {deb.sha256}"

    def _download(self, url: str, part: Path, size: int) -> None:
        def bounded(done: int, total: int | None) -> None:
            if self._stopping.is_set():
                raise FetchError(f"{url}: it was stopped")
            if max(done, total or 0) > size:
                raise FetchError(f"{url} is larger than the {size:,} bytes that are pinned")

        self._downloader.save(url, part, bounded)

    def _source(self, deb: Deb) -> Place | None:
        return next((place for place in self._usable() if self._has(place, deb)), None)

    def _usable(self) -> list[Place]:
        return [place for place in self.places if place.kind not in self.faults]

    def _has(self, place: Place, deb: Deb) -> bool:
        if place.folder is not None:
            path = place.folder / deb.path
            return path.is_file() and path.stat().st_size == deb.size
        url = place.url(deb.path)
        try:
            self._downloader.retried(url, lambda: self._downloader.send("HEAD", url))
        except NotFoundError:
            return False
        except UnreachableError as error:
            self.faults[place.kind] = error.message
            return False
        except FetchError:  # it may answer no HEAD: whether it has the file shows when that is had
            return True
        return True


def _copy(source: Path, target: Path, size: int) -> None:
    """Copy a regular file of that many bytes. Raises OSError for another: a fifo would wait, a device never end."""
    descriptor = os.open(source, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        facts = os.fstat(descriptor)
        if not stat.S_ISREG(facts.st_mode) or facts.st_size != size:
            raise OSError(errno.EINVAL, f"it is not a file of {size:,} bytes", str(source))
        with target.open("wb") as out:
            shutil.copyfileobj(file, out)


def _make_folders(folder: Path, below: Path) -> None:
    """Make folders down to ``below``. Raises `ImageError` for a link on the way, which may lead elsewhere."""
    place = folder
    for part in below.relative_to(folder).parts:
        place /= part
        place.mkdir(parents=True, exist_ok=True)
        if place.is_symlink():
            raise ImageError(f"{place} is a link, and nothing is written through it", hint="name another folder")


def sha256_of_file(path: Path) -> str:
    """Return the hash of a file's content, 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _elsewhere() -> str:
    return f"name a place that has it in {SNAPSHOT} or {MIRROR}, or load a saved image (emwheels image load FILE)"


class _Steps:
    """Says each fifth of the bytes that came."""

    def __init__(self, debs: Iterable[Deb], say: Callable[[str], None]) -> None:
        self._total = sum(deb.size for deb in debs)
        self._came, self._fifths, self._say = 0, 0, say

    def done(self, deb: Deb) -> None:
        self._came += deb.size
        fifths = 5 * self._came // max(1, self._total)
        if fifths > self._fifths and self._total > _SMALL:
            self._fifths = fifths
            self._say(f"{self._came / 1e6:,.0f} of {self._total / 1e6:,.0f} MB of packages")


def write_repository(folder: Path, debs: Iterable[Deb]) -> None:
    """Write the Packages file of a flat repository (Debian's repository format) of files below ``folder``.

    Each file is given the version that is pinned for it. Raises `ImageError` for a file that is another package's.
    """
    with ThreadPoolExecutor(_THREADS) as pool:
        records = list(pool.map(lambda deb: _record(folder, deb), debs))
    write_atomically(folder / "Packages", "\n".join(records).encode())


def _record(folder: Path, deb: Deb) -> str:
    path = folder / deb.path
    shown = subprocess.run(["dpkg-deb", "--field", str(path)], capture_output=True, text=True, check=False)
    fields = Counter(line for line in shown.stdout.splitlines() if line in _named(deb))
    if shown.returncode or len(fields) != len(_named(deb)):
        raise ImageError(f"{path} is not {deb.name} {deb.version}: {shown.stderr.strip() or 'another package'}")
    place = f"Filename: ./{deb.path}\nSize: {deb.size}\nSHA256: {deb.sha256}\n"
    return shown.stdout.rstrip("\n") + "\n" + place


def _named(deb: Deb) -> tuple[str, str]:
    return f"Package: {deb.name}", f"Version: {deb.version}"
