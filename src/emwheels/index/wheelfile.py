"""A wheel -> its record in an index. The wheel may come from anywhere: what an installer could not trust is refused."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from packaging.markers import default_environment
from packaging.metadata import RawMetadata, parse_email
from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import InvalidWheelFilename, parse_wheel_filename

from emwheels.errors import IndexingError
from emwheels.fetch.markers import holds
from emwheels.index.model import File

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator
    from pathlib import Path

METADATA_LIMIT = 4 << 20
"""Bytes; numpy's METADATA, with its licenses, has 0.1 MB."""
_SHOWN = 10


@dataclass(frozen=True, kw_only=True)
class Wheel:
    """A wheel that may be in an index."""

    file: File
    metadata: bytes
    """Its METADATA, byte for byte: what PEP 658 publishes beside it."""
    report: bytes = b""
    """Its build report, as it says itself; empty if it has none."""
    statement: bytes = b""
    """What is published of how it was built; empty for a wheel that nobody here built."""


def check_filename(filename: str) -> None:
    """Raise `IndexingError` for what is not the plain file name of a wheel (PEP 427)."""
    try:
        parse_wheel_filename(filename)
    except InvalidWheelFilename as error:
        raise IndexingError(f"{filename!r} is not the name of a wheel: {error}") from error
    if not filename.isascii() or any(not (character.isalnum() or character in "._+!-") for character in filename):
        raise IndexingError(f"{filename!r} has characters that no wheel's name may have")


def read_wheel(path: Path, filename: str, *, uploaded: str) -> Wheel:
    """Read the wheel at ``path``, to be published as ``filename`` at the time ``uploaded``.

    Raises `IndexingError` for members that lead out of the folder, a RECORD that does not fit, and metadata that is
    missing, too large, or that of another name or version than the file's.
    """
    from emwheels.audit import read_manifest

    check_filename(filename)
    manifest = read_manifest(path, filename)
    if manifest.findings:
        shown = "\n".join(f"  {f.rule}: {f.member}: {f.message}" for f in manifest.findings[:_SHOWN])
        more = f"\n  and {len(manifest.findings) - _SHOWN} more" if len(manifest.findings) > _SHOWN else ""
        raise IndexingError(f"{filename} must not be in an index:\n{shown}{more}", hint="build it again")
    if len(manifest.metadata) > METADATA_LIMIT:
        raise IndexingError(f"{filename}: its METADATA has {len(manifest.metadata)} bytes, over {METADATA_LIMIT}")
    raw = _parse(manifest.metadata, filename)
    file = File(
        filename=filename,
        sha256=manifest.sha256,
        size=manifest.size,
        uploaded=uploaded,
        metadata_sha256=hashlib.sha256(manifest.metadata).hexdigest(),
        requires_python=_requires_python(raw, filename),
        requires=_requires(raw, filename),
        imports=top_level(manifest.members),
    )
    return Wheel(file=file, metadata=manifest.metadata, report=manifest.report)


def top_level(members: Iterable[str]) -> tuple[str, ...]:
    """Return the names that can be imported from a wheel with these files: modules, extensions, packages.

    Of a folder without ``__init__.py`` (a namespace, PEP 420), which other wheels may share, what lies in it is named
    too: ``google`` and ``google.protobuf``. Pyodide's ``find_imports`` (314.0.7) looks for both. Of the rest, the same
    as pyodide-lock 0.2.1's `parse_top_level_import_name`, which leaves out extension modules.
    """
    paths = [path for member in members if (path := PurePosixPath(member)).suffix in {".py", ".so"}]
    packages = {path.parts[:-1] for path in paths if path.name == "__init__.py"}
    namespaces = {path.parts[:end] for path in paths for end in range(1, len(path.parts))}
    namespaces -= {
        folder for folder in namespaces if any(folder[:end] in packages for end in range(1, len(folder) + 1))
    }
    names = {name for path in paths for name in _modules_of(path, namespaces)}
    return tuple(sorted(".".join(name) for name in names if all(part.isidentifier() for part in name)))


def _modules_of(path: PurePosixPath, namespaces: Container[tuple[str, ...]]) -> Iterator[tuple[str, ...]]:
    """Yield the names on the way to ``path``, up to the first that is more than a namespace."""
    for end in range(1, len(path.parts)):
        yield path.parts[:end]
        if path.parts[:end] not in namespaces:
            return
    yield (*path.parts[:-1], path.name.partition(".")[0])


def _parse(metadata: bytes, filename: str) -> RawMetadata:
    raw, unparsed = parse_email(metadata)
    for key in ("requires-python", "requires-dist", "metadata-version"):
        if key in unparsed:
            raise IndexingError(f"{filename}: METADATA: {key} cannot be read: {unparsed[key]}")
    return raw


def _requires_python(raw: RawMetadata, filename: str) -> str:
    text = raw.get("requires_python", "")
    try:
        SpecifierSet(text)
    except InvalidSpecifier as error:
        raise IndexingError(f"{filename}: METADATA: Requires-Python: {error}") from error
    return text


_ANYWHERE = {**{name: str(value) for name, value in default_environment().items()}, "extra": ""}
"""A marker that can be evaluated in one environment can be in all."""


def _requires(raw: RawMetadata, filename: str) -> tuple[str, ...]:
    for text in raw.get("requires_dist", ()):
        try:
            holds(Requirement(text).marker, _ANYWHERE)
        except (InvalidRequirement, ValueError) as error:
            raise IndexingError(f"{filename}: METADATA: Requires-Dist: {error}") from error
    return tuple(raw.get("requires_dist", ()))
