"""Known vulnerabilities of what is pinned, from files in OSV's format (schema 1.7). The files are anybody's."""

from __future__ import annotations

import re
import zipfile
import zlib
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from packaging.utils import canonicalize_name
from packaging.version import Version

from emwheels.atomic import read_regular
from emwheels.author.newer import PYPI
from emwheels.errors import UsageError
from emwheels.fetch.debian_sources import version_order
from emwheels.fetch.documents import parse_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

_LARGEST = 16 << 20
"""Bytes of one file; a list of advisories may have as many."""
_MOST_FILES = 1_000_000
_MOST_VALUES = 500_000
_MOST_BYTES = 16 << 30
"""Of all that is read."""
_LONGEST = 200
"""Characters of an identifier, a name or a version."""
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9:._-]{0,99}")
_SUMMARY = 200
_EVENTS = ("introduced", "fixed", "last_affected", "limit")
_FIRST_AT_SAME = {"introduced": 0, "fixed": 1, "last_affected": 1, "limit": 1}


@dataclass(frozen=True, kw_only=True, order=True)
class PinnedVersion:
    """A version that something is pinned to."""

    ecosystem: str
    name: str
    version: str
    places: tuple[str, ...] = ()
    """Where it is pinned, or what is made of it."""


@dataclass(frozen=True, kw_only=True)
class KnownVulnerability:
    """An advisory that a pinned version is affected by."""

    identity: str
    aliases: tuple[str, ...]
    summary: str
    fixed: tuple[str, ...]
    """The versions with which that ends, as far as the advisory says."""
    pin: PinnedVersion


@dataclass(frozen=True, kw_only=True)
class Looked:
    """What came of looking."""

    findings: tuple[KnownVulnerability, ...]
    advisories: int
    """How many were about a project that is pinned."""
    faults: tuple[str, ...]
    """A line for each file that could not be used."""


def look(paths: Iterable[Path], pins: Sequence[PinnedVersion]) -> Looked:
    """Hold ``pins`` against the advisories in files, folders and archives (``all.zip``). Bad files cost themselves.

    Raises `UsageError` for a path that is not there.
    """
    by_name, faults = _by_name(pins)
    mentions = _mentions({name for _, name in by_name})
    findings: dict[tuple[str, PinnedVersion], KnownVulnerability] = {}
    count, total = 0, 0
    for label, read in _documents(paths):
        try:
            data = read()
            total += len(data)
            if total > _MOST_BYTES:
                raise UsageError(f"{label}: the advisories are larger than {_MOST_BYTES:,} bytes", hint=_FEWER)
            if not mentions(data):
                continue
            for document in _each(parse_json(data, values=_MOST_VALUES)):
                found, about = _findings(document, by_name)
                count += about
                findings |= {(finding.identity, finding.pin): finding for finding in found}
        except _UNUSABLE as error:
            faults.append(f"{label}: not used: {str(error)[:_LONGEST]}")
    ordered = sorted(findings.values(), key=lambda finding: (finding.pin.name, finding.identity, finding.pin))
    return Looked(findings=tuple(ordered), advisories=count, faults=tuple(faults))


def _by_name(pins: Sequence[PinnedVersion]) -> tuple[dict[tuple[str, str], list[PinnedVersion]], list[str]]:
    """Return what is pinned by ecosystem and name, and a line for each version that cannot be compared."""
    by_name: dict[tuple[str, str], list[PinnedVersion]] = {}
    faults = []
    for pin in pins:
        try:
            _own(pin)
            by_name.setdefault((pin.ecosystem, _name(pin.ecosystem, pin.name)), []).append(pin)
        except ValueError as error:
            faults.append(f"{', '.join(pin.places[:3])}: {pin.name} is not looked at: {error}")
    return by_name, faults


_FEWER = "give the advisories of one ecosystem only"
_UNUSABLE = (OSError, ValueError, EOFError, RuntimeError, NotImplementedError, zipfile.BadZipFile, zlib.error)


def _name(ecosystem: str, name: str) -> str:
    return canonicalize_name(name) if ecosystem == PYPI else name


def _mentions(names: set[str]) -> Callable[[bytes], bool]:
    """Return what tells of a file whether any of the names is in it, which is quicker than to read it."""
    alike = bytes.maketrans(b"._", b"--")
    words = sorted({re.sub("[-_.]+", "-", name.lower()) for name in names})
    pattern = re.compile(b'"(?:' + b"|".join(re.escape(word.encode()) for word in words) + b')"')
    return lambda data: pattern.search(data.lower().translate(alike)) is not None or b"\\u" in data


def _documents(paths: Iterable[Path]) -> Iterator[tuple[str, Callable[[], bytes]]]:
    count = 0
    for path in paths:
        for label, read in _in(path):
            count += 1
            if count > _MOST_FILES:
                raise UsageError(f"{path}: more than {_MOST_FILES:,} advisories", hint=_FEWER)
            yield label, read


def _in(path: Path) -> Iterator[tuple[str, Callable[[], bytes]]]:
    if path.is_dir():
        for file in sorted(path.rglob("*")):
            if file.suffix in (".json", ".zip") and not file.is_dir():
                yield from _in(file)
    elif not path.exists():
        raise UsageError(f"{path} does not exist", hint="give a file, a folder or an archive of advisories")
    elif path.suffix == ".zip":
        yield from _archived(path)
    else:
        yield str(path), partial(read_regular, path, limit=_LARGEST)


def _archived(path: Path) -> Iterator[tuple[str, Callable[[], bytes]]]:
    try:
        if not path.is_file():
            raise ValueError("is no regular file")
        with zipfile.ZipFile(path) as archive:
            for member in archive.infolist():
                if member.filename.endswith(".json"):
                    yield f"{path}: {member.filename[:_LONGEST]}", partial(_member, archive, member)
    except _UNUSABLE as error:
        fault = error

        def fail() -> bytes:
            raise ValueError(f"no archive that can be read: {fault}")

        yield str(path), fail


def _member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    with archive.open(member) as stream:
        data = stream.read(_LARGEST + 1)
    if len(data) > _LARGEST:
        raise ValueError(f"larger than {_LARGEST:,} bytes")
    return data


def _each(document: Any) -> Iterator[Mapping[str, Any]]:
    """Yield the advisories of a file: one, a list, or what OSV's service answers."""
    if isinstance(document, dict) and "id" not in document:
        document = document.get("vulns")
    for entry in document if isinstance(document, list) else [document]:
        if not isinstance(entry, dict):
            raise ValueError("an advisory that is no object")  # noqa: TRY004  whatever is wrong is ValueError
        yield entry


def _findings(
    document: Mapping[str, Any], by_name: Mapping[tuple[str, str], Sequence[PinnedVersion]]
) -> tuple[list[KnownVulnerability], bool]:
    """Return what an advisory says of pinned versions, and whether it is about any of the projects."""
    identity = document.get("id")
    if not isinstance(identity, str) or not _ID.fullmatch(identity):
        raise ValueError("an advisory without an id")
    if document.get("withdrawn"):
        return [], False
    entries: dict[tuple[str, str], list[tuple[float, Mapping[str, Any]]]] = {}
    for affected in _objects(document, "affected"):
        package = affected.get("package", {})
        if not isinstance(package, dict):
            raise ValueError(f"{identity}: affected.package is no object")  # noqa: TRY004
        ecosystem, _, release = str(package.get("ecosystem", "")).partition(":")
        key = (ecosystem, _name(ecosystem, str(package.get("name", ""))[:_LONGEST]))
        if key in by_name:
            entries.setdefault(key, []).append((_release(release), affected))
    found = []
    for key, given in entries.items():
        newest = max(release for release, _ in given)  # of Debian: what is built here comes from its newest
        chosen = [affected for release, affected in given if release == newest]
        for pin in by_name[key]:
            hit = any(is_affected(pin, affected) for affected in chosen)
            found += [_finding(identity, document, chosen, pin)] if hit else []
    return found, bool(entries)


def _release(text: str) -> float:
    return float(text) if re.fullmatch(r"[0-9]{1,4}(\.[0-9]{1,4})?", text) else float("inf")


def _finding(
    identity: str, document: Mapping[str, Any], chosen: Sequence[Mapping[str, Any]], pin: PinnedVersion
) -> KnownVulnerability:
    events = [event for affected in chosen for each in _ranges(affected) for event in each]
    aliases = document.get("aliases", [])
    summary = document.get("summary") or document.get("details") or ""
    return KnownVulnerability(
        identity=identity,
        aliases=tuple(str(alias)[:_LONGEST] for alias in aliases[:10]) if isinstance(aliases, list) else (),
        summary=" ".join(str(summary)[: 4 * _SUMMARY].split())[:_SUMMARY],
        fixed=tuple(dict.fromkeys(at for kind, at in events if kind == "fixed")),
        pin=pin,
    )


def is_affected(pin: PinnedVersion, affected: Mapping[str, Any]) -> bool:
    """Tell whether a version is one of those of an entry of ``affected`` (OSV schema, evaluation).

    Raises `ValueError` for an entry that is not as the schema says.
    """
    order, version = _orders(pin.ecosystem), _own(pin)
    versions = affected.get("versions", [])
    if not isinstance(versions, list):
        raise ValueError("affected.versions is no list")  # noqa: TRY004
    if pin.ecosystem == PYPI and any(_equal(order, text, version) for text in versions):
        return True
    return any(_in_range(order, version, events) for events in _ranges(affected))


def _orders(ecosystem: str) -> Callable[[str], Any]:
    return Version if ecosystem == PYPI else lambda text: version_order(text.partition(":")[2] or text)


def _own(pin: PinnedVersion) -> Any:
    """Return the pinned version as it is compared.

    Of Debian it is upstream's archive, without Debian's patches: what a first revision has, and no later one. An epoch
    is in no url, so it is left away on both sides.
    """
    return Version(pin.version) if pin.ecosystem == PYPI else version_order(f"{pin.version}-1")


def _equal(order: Callable[[str], Any], text: object, version: Any) -> bool:
    try:
        return bool(order(_text(text)) == version)
    except ValueError:  # a version of old that PEP 440 does not know is not ours
        return False


def _in_range(order: Callable[[str], Any], version: Any, events: Sequence[tuple[str, str]]) -> bool:
    def place(event: tuple[str, str]) -> tuple[bool, Any, int]:
        kind, at = event
        first = at == "0" and kind == "introduced"
        return not first, () if first else order(at), _FIRST_AT_SAME[kind]

    hit = False
    for kind, at in sorted((event for event in events if event != ("limit", "*")), key=place):
        if kind == "introduced":
            hit = hit or at == "0" or order(at) <= version
        elif order(at) < version or (kind != "last_affected" and order(at) == version):
            hit = False
    return hit


def _ranges(affected: Mapping[str, Any]) -> Iterator[list[tuple[str, str]]]:
    """Yield the events of each range of versions; those of commits are left out."""
    for each in _objects(affected, "ranges"):
        events = [
            (kind, _text(at)) for event in _objects(each, "events") for kind, at in event.items() if kind in _EVENTS
        ]
        if each.get("type") in ("ECOSYSTEM", "SEMVER"):
            yield events


def _objects(holder: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    entries = holder.get(key, [])
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise ValueError(f"{key} is no list of objects")
    return entries


def _text(value: object) -> str:
    if not isinstance(value, str) or len(value) > _LONGEST:
        raise ValueError("a version that is no text, or too long")
    return value
