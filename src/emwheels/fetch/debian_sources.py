"""Which source packages a Debian suite has, by its own list, and the order of Debian's versions."""

from __future__ import annotations

import lzma
import re
import tempfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from emwheels.errors import FetchError, without_secrets
from emwheels.fetch.download import Downloader, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

LIST_LIMIT = 128 << 20
"""Bytes of a list as it is sent; that of Debian 14 has 11 million."""
UNPACKED_LIMIT = 1 << 30
_ENTRY_LIMIT = 4 << 20
_MEMORY = 256 << 20
_PIECE = 1 << 20
_VERSION = re.compile(r"[A-Za-z0-9.+:~-]{1,200}")
_ARCHIVE = re.compile(r"^ ([0-9a-f]{64}) [0-9]+ (\S+\.orig\.tar\.(?:xz|gz|bz2|zst))$", re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class SourcePackage:
    """One version of a source package in a suite."""

    name: str
    version: str
    """With epoch and revision (Debian Policy 5.6.12)."""
    archives: Mapping[str, str]
    """Upstream's archives, by file name, with their sha256; none for a package that is Debian's own."""

    @property
    def upstream(self) -> str:
        """The version without epoch and revision, as it stands in the name of the archive."""
        return upstream_version(self.version)


def upstream_version(version: str) -> str:
    """Return a Debian version without epoch and revision."""
    rest = version.partition(":")[2] or version
    return rest.rpartition("-")[0] or rest


def version_order(version: str) -> tuple[int, tuple[object, ...], tuple[object, ...]]:
    """Return a key that orders versions as dpkg does (Debian Policy 5.6.12). Raises `ValueError` for none."""
    if not _VERSION.fullmatch(version):
        raise ValueError(f"{version[:80]!r} is not a Debian version")
    epoch, _, rest = version.rpartition(":")
    if epoch and not epoch.isdecimal():
        raise ValueError(f"{version[:80]!r} is not a Debian version")
    upstream, _, revision = rest.rpartition("-") if "-" in rest else (rest, "", "")
    return int(epoch or 0), _order(upstream), _order(revision)


def _order(text: str) -> tuple[object, ...]:
    """Return words and numbers in turn; the end of a word comes before every character but the tilde."""
    parts: list[object] = []
    for word, number in re.findall(r"([^0-9]*)([0-9]*)", text):
        parts += [(*map(_rank, word), 0), int(number or 0)]
    return tuple(parts)


def _rank(character: str) -> int:
    if character == "~":
        return -1
    return ord(character) if character.isalpha() else ord(character) + 256


def suite_sources(
    mirrors: Sequence[str], suite: str, names: Collection[str], downloader: Downloader
) -> dict[str, list[SourcePackage]]:
    """Return what a suite has of the source packages ``names``, from the first mirror that has the list.

    The list comes without a check of its signature: what is pinned is the hash of the archive. Raises `FetchError`.
    """
    found: dict[str, list[SourcePackage]] = {name: [] for name in names}
    for package in _listed(mirrors, suite, downloader, frozenset(names)):
        found[package.name].append(package)
    return found


def _listed(
    mirrors: Sequence[str], suite: str, downloader: Downloader, names: frozenset[str]
) -> Sequence[SourcePackage]:
    lists = [
        (f"{mirror}/dists/{suite}/main/source/Sources.{suffix}", suffix) for mirror in mirrors for suffix in _KINDS
    ]
    for url, suffix in lists:
        with tempfile.TemporaryDirectory(prefix="emwheels-sources-") as folder:
            path = Path(folder) / "Sources"
            try:
                downloader.save(url, path, lambda _done, _total: None, limit=LIST_LIMIT)
                return list(read_sources(_unpacked(path, suffix), names))
            except NotFoundError:
                continue
            except (ValueError, EOFError, lzma.LZMAError, zlib.error) as error:
                raise FetchError(f"{without_secrets(url)} is no list of Debian's sources: {error}") from error
    raise FetchError(
        f"no mirror has a list of the sources of Debian {suite}",
        hint="name one in EMWHEELS_DEBIAN_MIRROR that has source packages",
    )


_KINDS = ("xz", "gz")


def _unpacked(path: Path, suffix: str) -> Iterator[bytes]:
    """Yield what is in a compressed file, piece by piece. Raises `ValueError` for more than `UNPACKED_LIMIT`."""
    stream = lzma.LZMADecompressor(memlimit=_MEMORY) if suffix == "xz" else zlib.decompressobj(wbits=31)
    done = 0
    with path.open("rb") as file:
        rest = b""
        while not stream.eof:
            given = rest or (b"" if _has_more(stream) else file.read(_PIECE))
            piece = stream.decompress(given, _PIECE)
            rest = b"" if isinstance(stream, lzma.LZMADecompressor) else stream.unconsumed_tail
            if not given and not piece and not stream.eof:
                raise EOFError("it ends too early")
            done += len(piece)
            if done > UNPACKED_LIMIT:
                raise ValueError(f"it unpacks to more than {UNPACKED_LIMIT:,} bytes")
            yield piece


def _has_more(stream: object) -> bool:
    return isinstance(stream, lzma.LZMADecompressor) and not stream.needs_input


def read_sources(pieces: Iterable[bytes], names: Collection[str]) -> Iterator[SourcePackage]:
    """Yield the packages ``names`` of a list of sources; those that are there only for others' sake are left out.

    Raises `ValueError` for an entry that is too long, or of a version that is none.
    """
    wanted = {name.encode() for name in names}
    rest = b""
    for piece in pieces:
        *entries, rest = (rest + piece).split(b"\n\n")
        if len(rest) > _ENTRY_LIMIT:
            raise ValueError(f"an entry of more than {_ENTRY_LIMIT:,} bytes")
        yield from _wanted(entries, wanted)
    yield from _wanted([rest], wanted)


def _wanted(entries: Iterable[bytes], wanted: set[bytes]) -> Iterator[SourcePackage]:
    for entry in entries:
        first = entry.lstrip(b"\n").partition(b"\n")[0]
        if first.removeprefix(b"Package: ") in wanted and b"\nExtra-Source-Only: yes" not in entry:
            text = entry.decode(errors="replace").strip("\n")
            version = re.search(r"^Version: (\S+)$", text, re.MULTILINE)
            if version is None:
                raise ValueError("an entry without a version")
            version_order(version[1])
            name = first.removeprefix(b"Package: ").decode()
            archives = {file: sha256 for sha256, file in _ARCHIVE.findall(text)}
            yield SourcePackage(name=name, version=version[1], archives=archives)
