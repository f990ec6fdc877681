"""What is in a wheel file."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import lzma
import zipfile
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path


REPORT = "build-report.json"
SBOM = "sboms/emwheels.cdx.json"
"""Names below ``.dist-info``."""

UNREADABLE = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError, RuntimeError)
"""What `zipfile` raises for an archive that is damaged, encrypted, or packed in a way that it does not know."""
_MEMBER_LIMIT = 64 << 20
_TAGGED = (".cpython-", ".abi3.")

RecordFault = Literal["not UTF-8", "malformed", "twice", "no hash"]


@dataclass(frozen=True, kw_only=True)
class RecordRow:
    """One line of RECORD."""

    path: str
    digest: str
    """Algorithm and digest as `record_digest` writes them; empty if there is none."""
    size: str
    fault: RecordFault | None
    """``twice`` for every line but the first of a path; ``no hash``, except for RECORD and its signatures."""


@dataclass(frozen=True, kw_only=True)
class WheelRecord:
    """RECORD, line by line."""

    rows: tuple[RecordRow, ...]
    """Empty if RECORD as a whole has a fault."""
    unhashed: frozenset[str]
    """Paths that need no hash, nor a line: RECORD itself and its signatures."""
    fault: RecordFault | None = None
    detail: str = ""
    """What the decoder or the CSV reader said."""


def read_record(path: str, data: bytes) -> WheelRecord:
    """Read the bytes of the RECORD at ``path`` in a wheel (binary distribution format of PyPA's specifications)."""
    unhashed = frozenset({path, f"{path}.jws", f"{path}.p7s"})
    try:
        lines = [line for line in csv.reader(io.StringIO(data.decode(), newline="")) if line]
    except UnicodeDecodeError as error:
        return WheelRecord(rows=(), unhashed=unhashed, fault="not UTF-8", detail=str(error))
    except csv.Error as error:
        return WheelRecord(rows=(), unhashed=unhashed, fault="malformed", detail=str(error))
    rows: list[RecordRow] = []
    listed: set[str] = set()
    for line in lines:
        member, digest, size = [*line, "", ""][:3]
        fault: RecordFault | None = None
        if member in listed:
            fault = "twice"
        elif not digest and member not in unhashed:
            fault = "no hash"
        rows.append(RecordRow(path=member, digest=digest, size=size, fault=fault))
        listed.add(member)
    return WheelRecord(rows=tuple(rows), unhashed=unhashed)


def record_digest(data: bytes) -> str:
    """Return the hash as RECORD writes it (PEP 427)."""
    return "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()


def record_sha256(wheel: Path) -> str | None:
    """Return the sha256 of RECORD's text as `importlib.metadata` reads it once installed; None if there is no RECORD.

    Python reads text with universal newlines, so line ends do not count. Raises `OSError` and `zipfile.BadZipFile`.
    """
    data = metadata_member(wheel, "RECORD")
    if data is None:
        return None
    text = io.StringIO(data.decode(errors="replace"), newline=None).getvalue()
    return hashlib.sha256(text.encode()).hexdigest()


def metadata_member(wheel: Path, name: str) -> bytes | None:
    """Return the first file called ``name`` in a .dist-info folder of ``wheel``; None if it has none.

    Raises one of `UNREADABLE` for an archive that is damaged, and for a file that unpacks to more than any has.
    """
    with zipfile.ZipFile(wheel) as archive:
        for member in archive.namelist():
            if member.count("/") == 1 and member.endswith(f".dist-info/{name}"):
                with archive.open(member) as stream:
                    content = stream.read(_MEMBER_LIMIT + 1)
                if len(content) > _MEMBER_LIMIT:
                    raise zipfile.BadZipFile(f"its {name} has more than {_MEMBER_LIMIT:,} bytes")
                return content
    return None


def modules_of(wheel: Path) -> list[str]:
    """Return what can be imported of ``wheel``: its modules and packages at the top, and every extension module.

    Of a folder without an ``__init__.py`` (a namespace, PEP 420) it is what lies below. A library that is no extension
    (no ``PyInit_`` of its name) is left out. Raises one of `UNREADABLE`.
    """
    modules: set[tuple[str, ...]] = set()
    with zipfile.ZipFile(wheel) as archive:
        placed = {name: parts for name in archive.namelist() if (parts := _in_site_packages(name))}
        packages = {parts[:-1] for parts in placed.values() if parts[-1] == "__init__.py"}
        for name, parts in placed.items():
            stem, _, suffix = parts[-1].partition(".")
            top = next((parts[:end] for end in range(1, len(parts)) if parts[:end] in packages), None)
            if name.endswith(".so"):
                if _is_extension(archive, name, stem):
                    modules.add((*parts[:-1], stem))
            elif suffix == "py" and top is not None:
                modules.add(top)
            elif suffix == "py" and stem != "__main__":
                modules.add((*parts[:-1], stem))
    return sorted(".".join(module) for module in modules if all(part.isidentifier() for part in module))


def _in_site_packages(name: str) -> tuple[str, ...]:
    """Return the parts of the path that a member gets in site-packages; nothing for metadata, scripts and data."""
    parts = tuple(name.split("/"))
    if parts[0].endswith(".data"):
        return parts[2:] if parts[1:2] in (("purelib",), ("platlib",)) else ()
    return () if parts[0].endswith(".dist-info") or not parts[-1] else parts


def _is_extension(archive: zipfile.ZipFile, name: str, stem: str) -> bool:
    """Tell whether a shared library is a module: by the tag of its name, or by the function that makes a module."""
    if any(tag in name.rpartition("/")[2] for tag in _TAGGED):
        return True
    with archive.open(name) as stream:
        return f"PyInit_{stem}".encode() in stream.read(_MEMBER_LIMIT)


def changed_members(wheel: Path, other: Path) -> list[str]:
    """Return the paths in ``wheel``, .dist-info left aside, that ``other`` does not have, or has with other bytes."""

    def digests(path: Path) -> dict[str, str]:
        with zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if not name.partition("/")[0].endswith(".dist-info")]
            return {name: hashlib.sha256(archive.read(name)).hexdigest() for name in names}

    there = digests(other)
    return sorted(name for name, digest in digests(wheel).items() if there.get(name) != digest)


def content_of(wheel: Path, members: Collection[str] | None = None) -> str:
    """Return the hash of what a wheel holds, less its build report, SBOM and RECORD; or of some ``members`` alone.

    Those name the build key: they differ between builds that made the same thing of different inputs. A member that is
    not there counts for nothing.
    """
    digest = hashlib.sha256()
    with zipfile.ZipFile(wheel) as archive:
        for name in sorted(archive.namelist()):
            folder, _, rest = name.partition("/")
            own = folder.endswith(".dist-info") and rest in (REPORT, SBOM, "RECORD")
            if not own if members is None else name in members:
                digest.update(f"{name}\n{hashlib.sha256(archive.read(name)).hexdigest()}\n".encode())
    return digest.hexdigest()
