"""What is known of each published wheel: from the folder itself, the reports in it, and the records of its build."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename

from emwheels.harness import ENGINES
from emwheels.index import write_atomically
from emwheels.package import latest_build
from emwheels.store import StoreError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from packaging.version import Version

    from emwheels.store import Store
    from emwheels.target import Target

LOG_LIMIT = 8 << 20
"""Bytes of a build log that are published."""


@dataclass(frozen=True, kw_only=True)
class EngineTests:
    """What one engine made of the recipe's tests."""

    passed: int
    failed: int
    """Failures and errors."""


@dataclass(frozen=True, kw_only=True)
class Built:
    """A published wheel. Links are relative to the folder that is published; empty if there is nothing to link to."""

    name: str
    version: Version
    target: str
    """Pyodide's version, or the platform tag where no target is known for it."""
    filename: str
    size: int
    """Bytes."""
    changed: datetime
    """When it was published, UTC."""
    seconds: float | None
    """Wall time of the compile phase; None where there is no record."""
    tests: Mapping[str, EngineTests]
    """Engine -> result; an engine that was not run is not in it."""
    log: str = ""
    audit: str = ""
    sbom: str = ""
    reports: Mapping[str, str]
    """Engine -> its log."""


def collect(dist: Path, store: Store, targets: Sequence[Target], *, profile: str) -> list[Built]:
    """Return what is known of every wheel in ``dist/wheels``, by name, newest version and target first.

    The log of a build is copied from the store to its reports, so that it can be linked to.
    """
    by_platform = {target.platform_tag: target for target in targets}
    found = []
    for path in sorted((dist / "wheels").glob("*.whl")):
        try:
            tags = parse_wheel_filename(path.name)[3]
        except InvalidWheelFilename:
            continue
        platforms = sorted({tag.platform for tag in tags})
        target = next((by_platform[platform] for platform in platforms if platform in by_platform), None)
        found.append(_built(dist, path, platforms=platforms, target=target, store=store, profile=profile))
    found.sort(key=lambda built: (built.version, built.target), reverse=True)
    return sorted(found, key=lambda built: built.name)


def _built(
    dist: Path, wheel: Path, *, platforms: Sequence[str], target: Target | None, store: Store, profile: str
) -> Built:
    name, version, _, _ = parse_wheel_filename(wheel.name)
    status = wheel.stat()
    label = target.name if target else platforms[0]
    record = _record(store, name, label, profile, wheel.name)
    folder = _folder(dist / "reports", name)
    audit = folder / f"audit-{label}.json"
    sboms = sorted(folder.glob(f"sbom-{label}*")) + sorted((folder / label).glob("*.cdx.json"))
    # What is published is a record's own only if that is of this very file; a report has no version in it.
    newest = record is not None
    engines = ENGINES if newest else ()
    logs = {engine: folder / label / f"{engine}.log" for engine in engines}
    return Built(
        name=name,
        version=version,
        target=label,
        filename=wheel.name,
        size=status.st_size,
        changed=datetime.fromtimestamp(status.st_mtime, tz=UTC),
        seconds=float(record["output"]["seconds"]) if record else None,
        tests={engine: result for engine in engines if (result := _tests(folder / label / f"{engine}.xml"))},
        log=_link(dist, _log(store, record, folder / label)),
        audit=_link(dist, audit if newest else None),
        sbom=_link(dist, sboms[-1] if sboms and newest else None),
        reports={engine: link for engine, path in logs.items() if (link := _link(dist, path))},
    )


def _folder(reports: Path, name: str) -> Path:
    """Return the folder of a project's reports, which has the recipe's spelling of its name."""
    if reports.is_dir():
        for folder in reports.iterdir():
            if canonicalize_name(folder.name) == name:
                return folder
    return reports / name


def _record(store: Store, name: str, target: str, profile: str, filename: str) -> dict[str, Any] | None:
    record = latest_build(store, name, target, profile)
    if record is None or record.get("output", {}).get("filename") != filename:
        return None
    return record


def _tests(path: Path) -> EngineTests | None:
    """Read a JUnit XML report; None if there is none, or none that can be read."""
    try:
        suite = ET.parse(path).getroot().find("testsuite")  # noqa: S314  (written by the harness, which escapes)
        if suite is None:
            return None
        numbers = {key: int(suite.get(key, "0")) for key in ("tests", "failures", "errors", "skipped")}
    except (OSError, ET.ParseError, ValueError):
        return None
    failed = numbers["failures"] + numbers["errors"]
    return EngineTests(passed=numbers["tests"] - failed - numbers["skipped"], failed=failed)


def _log(store: Store, record: Mapping[str, Any] | None, folder: Path) -> Path | None:
    if record is None:
        return None
    try:
        data = store.get("logs", record["log"]).read_bytes()
    except (KeyError, StoreError, ValueError):
        return None
    path = folder / "build.log"
    write_atomically(path, data[-LOG_LIMIT:])
    return path


def _link(dist: Path, path: Path | None) -> str:
    return path.relative_to(dist).as_posix() if path is not None and path.is_file() else ""


def summary(built: Sequence[Built]) -> str:
    """Return the rows as JSON, for a script."""
    rows = [
        {
            "name": row.name,
            "version": str(row.version),
            "target": row.target,
            "filename": row.filename,
            "size": row.size,
            "changed": row.changed.isoformat(timespec="seconds"),
            "seconds": row.seconds,
            "tests": {engine: {"passed": tests.passed, "failed": tests.failed} for engine, tests in row.tests.items()},
        }
        for row in built
    ]
    return json.dumps(rows, indent=1)
