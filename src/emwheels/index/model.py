"""What an index holds: projects and their files, with everything that the pages say about them.

It is kept as ``packages.json`` beside the pages. That file is the index's own record: times and yanks are nowhere else,
and a wheel that is in it is not read again.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal, get_args

from packaging.utils import (
    NormalizedName,
    canonicalize_name,
    canonicalize_version,
    is_normalized_name,
    parse_wheel_filename,
)
from packaging.version import VERSION_PATTERN

from emwheels.errors import IndexingError, without_secrets
from emwheels.fetch.documents import is_modest, parse_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from packaging.requirements import Requirement
    from packaging.tags import Tag
    from packaging.version import Version

FORMAT = 2
"""Of packages.json; raised when an older emwheels could not read it any more."""
_MOST_VALUES = 20_000_000
_READABLE = (1, FORMAT)
"""1 has no statements."""

METADATA = ".metadata"
STATEMENT = ".statement.json"
PROVENANCE = ".provenance"
"""Suffixes, after the wheel's own name, of the files that stand beside it (PEP 658, PEP 740; the statement is ours)."""

Status = Literal["active", "archived", "deprecated", "quarantined"]
"""Project status markers (PEP 792)."""
STATUSES: tuple[Status, ...] = get_args(Status)
_WHEEL = re.compile(
    r"[a-z0-9][a-z0-9._]*-([a-z0-9.!+_]+)(-[0-9][a-z0-9_.]*)?(-[a-z0-9_.]+){3}\.whl", re.IGNORECASE | re.ASCII
)
_RELEASE = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]{0,99}")
_VERSION = re.compile(VERSION_PATTERN, re.VERBOSE | re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class File:
    """One wheel."""

    filename: str
    sha256: str
    size: int
    """Bytes."""
    uploaded: str
    """When it came into the index, UTC, as PEP 700 writes it: ``2026-01-02T03:04:05.000000Z``."""
    metadata_sha256: str
    statement_sha256: str = ""
    """Of the statement of how it was built; empty if there is none."""
    provenance_sha256: str = ""
    """Of the signed form of the statement (PEP 740); empty if nobody signed it."""
    requires_python: str = ""
    requires: tuple[str, ...] = ()
    """Requires-Dist, as METADATA has it."""
    imports: tuple[str, ...] = ()
    """Names of its top-level modules."""
    yanked: str | None = None
    """Why it was yanked (PEP 592), empty without a reason; None when it was not."""
    marked: str = ""
    """When it was yanked or unyanked, as `uploaded`; of two records of one file, the later one counts."""

    @property
    def version(self) -> Version:
        """The version in the file name."""
        return parse_wheel_filename(self.filename)[1]

    @property
    def hashes(self) -> dict[str, str]:
        """Suffix -> sha256 of the files that the index has of it; the wheel itself has an empty suffix."""
        found = {
            "": self.sha256,
            METADATA: self.metadata_sha256,
            STATEMENT: self.statement_sha256,
            PROVENANCE: self.provenance_sha256,
        }
        return {suffix: sha256 for suffix, sha256 in found.items() if sha256}

    @property
    def tags(self) -> frozenset[Tag]:
        """The tags in the file name."""
        return parse_wheel_filename(self.filename)[3]

    @property
    def sort_key(self) -> tuple[Version, int, str]:
        """By version, the higher build first, then by name: the order of a page.

        Of two wheels with the same tags, micropip 0.11.1 takes the one that the page lists first.
        """
        _, version, build, _ = parse_wheel_filename(self.filename)
        return version, -(build[0] if build else -1), self.filename


@dataclass(frozen=True, kw_only=True)
class Project:
    """All files of one name, sorted by version."""

    name: NormalizedName
    files: tuple[File, ...] = ()
    status: Status = "active"
    reason: str = ""
    """Why it has this status."""
    marked: str = ""
    """When the status was set."""

    def file(self, filename: str) -> File | None:
        """Return the file called so."""
        return next((file for file in self.files if file.filename == filename), None)

    def with_files(self, files: Iterable[File]) -> Project:
        """Return the project with ``files`` in place of those of the same name."""
        by_filename = {file.filename: file for file in (*self.files, *files)}
        return replace(self, files=tuple(sorted(by_filename.values(), key=lambda file: file.sort_key)))

    def without(self, filenames: Iterable[str]) -> Project:
        """Return the project without some of its files."""
        gone = set(filenames)
        return replace(self, files=tuple(file for file in self.files if file.filename not in gone))


@dataclass(kw_only=True)
class Catalogue:
    """Everything in one index."""

    base_url: str = ""
    """Where the index is served, with a final slash; without it there are no JSON pages."""
    projects: dict[str, Project] = field(default_factory=dict)
    """By normalised name."""
    releases: tuple[str, ...] = ()
    """Pyodide releases that the index has a lock for."""
    foreign: tuple[str, ...] | None = None
    """Packages of Pyodide's own lock that stay in ours, with their address. None: all of them, the index is open."""
    runtimes: dict[str, str] = field(default_factory=dict)
    """Releases of Pyodide that are in the index -> the release whose lock lies beside each."""
    pending: frozenset[str] = frozenset()
    """Projects whose pages an interrupted change may not have written."""

    def project(self, name: str) -> Project:
        """Return the project called ``name``. Raises `IndexingError` when there is none."""
        project = self.projects.get(canonicalize_name(name))
        if project is None:
            raise IndexingError(f"the index has no project {name!r}", hint=f"it has: {self._some_names()}")
        return project

    def put(self, project: Project) -> None:
        """Replace the project of that name; one without files is removed."""
        if project.files:
            self.projects[project.name] = project
        else:
            self.projects.pop(project.name, None)

    def _some_names(self) -> str:
        names = sorted(self.projects)
        return ", ".join(names[:20]) + (f" and {len(names) - 20} more" if len(names) > 20 else "") or "nothing"


def now() -> str:
    """Return the present time as PEP 700 writes it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def project_of(file: File) -> NormalizedName:
    """Return the name of the project that a file belongs to."""
    return project_name(file.filename)


def project_name(filename: str) -> NormalizedName:
    """Return the normalised name (PEP 503) of the project that a wheel belongs to."""
    return parse_wheel_filename(filename)[0]


def required_project(requirement: Requirement) -> NormalizedName:
    """Return the name of the project that a requirement is about."""
    return canonicalize_name(requirement.name)


def offered(project: Project) -> tuple[File, ...]:
    """Return the files that clients see: none of a project in quarantine (PEP 792)."""
    return () if project.status == "quarantined" else project.files


def same_version(left: str, right: str) -> bool:
    """Tell whether two spellings mean one version (PEP 440)."""
    return canonicalize_version(left) == canonicalize_version(right)


def dump(catalogue: Catalogue) -> bytes:
    """Return packages.json."""
    document: dict[str, Any] = {
        "format": FORMAT,
        "base_url": catalogue.base_url,
        "releases": list(catalogue.releases),
        "pending": sorted(catalogue.pending),
        "projects": {name: _plain(catalogue.projects[name]) for name in sorted(catalogue.projects)},
    }
    if catalogue.runtimes:
        document["runtimes"] = dict(sorted(catalogue.runtimes.items()))
    if catalogue.foreign is not None:
        document["foreign"] = sorted(catalogue.foreign)
    return (json.dumps(document, separators=(",", ":"), ensure_ascii=False) + "\n").encode()


def load(data: bytes, where: str) -> Catalogue:
    """Read packages.json, found at ``where``. Raises `IndexingError` when it is not one that this version wrote."""
    try:
        document: dict[str, Any] = parse_json(data, values=_MOST_VALUES)
        if document["format"] not in _READABLE:
            raise IndexingError(
                f"{where}/packages.json has format {document['format']!r}, this emwheels reads {FORMAT}",
                hint="use the emwheels that wrote it, or a newer one",
            )
        return Catalogue(
            base_url=without_secrets(str(document["base_url"])),
            releases=tuple(document["releases"]),
            pending=frozenset(document["pending"]),
            runtimes=_runtimes(document.get("runtimes", {})),
            foreign=None if document.get("foreign") is None else tuple(map(str, document["foreign"])),
            projects={name: _project(name, entry) for name, entry in document["projects"].items()},
        )
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise IndexingError(
            f"{where}/packages.json is damaged: {error}",
            hint="restore it, or remove it and run `emwheels index build`: upload times and yanks are lost then",
        ) from error


def _plain(project: Project) -> dict[str, Any]:
    entry: dict[str, Any] = {"files": [_sparse(asdict(file)) for file in project.files]}
    if project.marked:
        entry |= {"status": project.status, "reason": project.reason, "marked": project.marked}
    return entry


def _sparse(record: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out what is empty and means nothing; an empty reason for a yank means something."""
    return {key: value for key, value in record.items() if value or (key == "yanked" and value is not None)}


def _project(name: str, entry: Mapping[str, Any]) -> Project:
    if not is_normalized_name(name):
        raise ValueError(f"{name!r} is not a normalised name")
    status = entry.get("status", "active")
    if status not in STATUSES:
        raise ValueError(f"{name}: {status!r} is no status")
    return Project(
        name=NormalizedName(name),
        files=tuple(_file(name, record) for record in entry["files"]),
        status=status,
        reason=entry.get("reason", ""),
        marked=entry.get("marked", ""),
    )


def _runtimes(given: Mapping[str, str]) -> dict[str, str]:
    """Return the runtimes of a record: their names become paths."""
    if wrong := [name for name in given if not _RELEASE.fullmatch(name)]:
        raise ValueError(f"{wrong[0]!r} is no release of Pyodide")
    return {name: str(release) for name, release in given.items()}


def _file(project: str, record: Mapping[str, Any]) -> File:
    lists = {key: tuple(record.get(key, ())) for key in ("requires", "imports")}
    file = File(**{"size": 0, **record, **lists})
    # A name leads to a path and into a page, so it is checked even here; parsing each would take longer than reading.
    name = file.filename
    match = _WHEEL.fullmatch(name)
    if not match or not _VERSION.fullmatch(match[1].replace("_", "-")) or "__" in name[: match.start(1)]:
        raise ValueError(f"{project}: {name!r} is not the name of a wheel")
    if not is_modest(name):
        raise ValueError(f"{project}: {name!r} is too long, or has too many tags")
    hashes = (file.sha256, file.metadata_sha256, file.statement_sha256, file.provenance_sha256)
    texts = (*hashes, file.uploaded, file.requires_python, file.marked, file.yanked or "")
    if not all(isinstance(text, str) for text in (*texts, *file.requires, *file.imports)):
        raise ValueError(f"{project}: the record of {name} has a value that is no text")
    if not isinstance(file.size, int) or file.size < 0:
        raise ValueError(f"{project}: {file.size!r} is not the size of {name}")
    return file
