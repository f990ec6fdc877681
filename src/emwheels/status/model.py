"""What the status page says of each wheel, and ``status.json``, which keeps it beside the page."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from packaging.utils import parse_wheel_filename

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from packaging.version import Version

    from emwheels.index.model import Catalogue, File, Project
    from emwheels.target import Target

ROWS = "status.json"
"""Name of the file, beside `PAGE`: what a place knows of its wheels stays known when others publish to it."""
PAGE = "index.html"
_FORMAT = 1
_REPORTS = "reports/"


@dataclass(frozen=True, kw_only=True)
class EngineTests:
    """What one engine made of the recipe's tests."""

    passed: int
    failed: int
    """Failures and errors."""
    stale: str = ""
    """If it is of another wheel, the day of it: ``2026-11-22``, or ``another day`` where nobody noted it."""
    imports_only: bool = False
    """There were no tests: the modules were imported."""


@dataclass(frozen=True, kw_only=True)
class StatusRow:
    """A published wheel. Links are relative to the folder that is published; empty if there is nothing to link to."""

    name: str
    version: Version
    target: str
    """Pyodide's version, or the platform tag where no target is known for it."""
    filename: str
    sha256: str
    size: int
    """Bytes."""
    changed: datetime
    """When it was published, UTC."""
    mark: str = ""
    """What the index says against it: yanked, deprecated, with the reason."""
    seconds: float | None = None
    """Wall time of the compile phase; None where there is no record."""
    tests: Mapping[str, EngineTests] = field(default_factory=dict)
    """Engine -> result; an engine that was not run is not in it."""
    log: str = ""
    audit: str = ""
    sbom: str = ""
    reports: Mapping[str, str] = field(default_factory=dict)
    """Engine -> its log."""
    digest: str = ""
    """Of all files that are linked to."""

    @property
    def links(self) -> tuple[str, ...]:
        """Every file that the page links to for this wheel, beside the wheel."""
        return tuple(link for link in (self.log, self.audit, self.sbom, *self.reports.values()) if link)


def rows_of(catalogue: Catalogue, known: Mapping[str, StatusRow], targets: Sequence[Target]) -> list[StatusRow]:
    """Return what there is to say of every wheel of an index, by name, newest version and target first.

    ``known`` has, by sha256, what is known of how wheels were built and tested. Of two versions that link to one
    report, which has no version in its name, the one that was published later keeps the link.
    """
    by_platform = {target.platform_tag: target.name for target in targets}
    rows = [
        _row(project, file, known.get(file.sha256), by_platform)
        for project in catalogue.projects.values()
        for file in project.files
    ]
    taken: set[str] = set()
    listed = []
    for row in sorted(rows, key=lambda row: row.changed, reverse=True):
        listed.append(row if taken.isdisjoint(row.links) else replace(row, log="", audit="", sbom="", reports={}))
        taken.update(row.links)
    listed.sort(key=lambda row: (row.version, row.target), reverse=True)
    return sorted(listed, key=lambda row: row.name)


def _row(project: Project, file: File, known: StatusRow | None, by_platform: Mapping[str, str]) -> StatusRow:
    """Return what the index says of a file, with what is ``known`` of its build."""
    _, version, _, tags = parse_wheel_filename(file.filename)
    platforms = sorted({tag.platform for tag in tags})
    target = next((by_platform[platform] for platform in platforms if platform in by_platform), platforms[0])
    marks = [f"{project.status}: {project.reason}".rstrip(": ")] if project.status != "active" else []
    marks += [f"yanked: {file.yanked}".rstrip(": ")] if file.yanked is not None else []
    entry: dict[str, Any] = {
        "name": project.name,
        "version": version,
        "target": target,
        "filename": file.filename,
        "size": file.size,
        "changed": datetime.fromisoformat(file.uploaded),
        "mark": "; ".join(marks),
    }
    return replace(known, **entry) if known else StatusRow(sha256=file.sha256, **entry)


def summary(rows: Iterable[StatusRow]) -> list[dict[str, Any]]:
    """Return the rows for a script to read."""
    return [
        vars(row)
        | {
            "version": str(row.version),
            "changed": row.changed.isoformat(),
            "tests": {engine: vars(tests) for engine, tests in row.tests.items()},
        }
        for row in rows
    ]


def dump_rows(rows: Iterable[StatusRow], profile: str) -> bytes:
    """Return status.json."""
    document = {"format": _FORMAT, "profile": profile, "wheels": summary(rows)}
    return (json.dumps(document, separators=(",", ":"), ensure_ascii=False) + "\n").encode()


def load_rows(data: bytes | None) -> tuple[dict[str, StatusRow], str]:
    """Read status.json: sha256 -> row, and the profile. Nothing where there is none, or one that cannot be read."""
    try:
        document = json.loads(data or b"{}")
        if document.get("format") != _FORMAT:
            return {}, ""
        return {row["sha256"]: _load(row) for row in document["wheels"]}, str(document["profile"])
    except (ValueError, LookupError, TypeError, AttributeError):
        return {}, ""


def _load(row: Mapping[str, Any]) -> StatusRow:
    loaded = StatusRow(
        **{
            **row,
            "version": parse_wheel_filename(row["filename"])[1],
            "changed": datetime.fromisoformat(row["changed"]).astimezone(UTC),
            "tests": {engine: EngineTests(**tests) for engine, tests in row["tests"].items()},
        }
    )
    if any(not link.startswith(_REPORTS) or ".." in link.split("/") for link in loaded.links):
        raise ValueError("a link leads out of the reports")
    return loaded
