"""What is known here of how the wheels of an index came to be: from the records of builds, and the reports."""

from __future__ import annotations

import hashlib
import json
import re
import zipfile
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

from packaging.utils import parse_wheel_filename

from emwheels.atomic import write_atomically
from emwheels.harness.engines import ENGINES
from emwheels.harness.model import IMPORT, IMPORTS_ONLY
from emwheels.harness.report import CONTENT
from emwheels.index.model import project_of
from emwheels.outputs.latest import latest_build
from emwheels.status.model import EngineTests, StatusRow
from emwheels.store import StoreError
from emwheels.wheel import SBOM, content_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from emwheels.index.model import Catalogue, File
    from emwheels.store import Store
    from emwheels.target import Target

LOG_LIMIT = 8 << 20
"""Bytes of a build log that are published."""
_SBOM_LIMIT = 8 << 20


def known_builds(
    dist: Path,
    catalogue: Catalogue,
    store: Store,
    targets: Sequence[Target],
    *,
    profile: str,
    tested: Mapping[str, Mapping[str, str]] | None = None,
) -> dict[str, StatusRow]:
    """Return, by sha256, what is known of the wheels in ``dist`` that were built last.

    ``tested`` limits that to its projects; for each it has what a run made of the tests in each engine, as in
    `Outcome.engines`, which goes before reports: they may be of another wheel, or elsewhere.
    The log of a build is copied from the store to its reports, and the SBOM out of the wheel, so that the page can
    link to them.
    """
    builds = {}
    for project in catalogue.projects.values():
        if tested is not None and project.name not in tested:
            continue
        engines = tested[project.name] if tested else {}
        for file in project.files:
            platforms = {tag.platform for tag in file.tags}
            for target in targets:
                if target.platform_tag not in platforms:
                    continue
                record = latest_build(store, project.name, target.name, profile)
                output = record.get("output", {}) if record else {}
                if record and (output.get("filename"), output.get("sha256")) == (file.filename, file.sha256):
                    row = _built(dist, file, target.name, store, record)
                    passed = {engine: tests for engine, text in engines.items() if (tests := _passed(text))}
                    builds[file.sha256] = replace(row, tests={**row.tests, **passed})
    return builds


def _built(dist: Path, file: File, target: str, store: Store, record: Mapping[str, Any]) -> StatusRow:
    name = project_of(file)
    folder = dist / "reports" / name
    logs = {engine: _link(dist, folder / target / f"{engine}.log") for engine in ENGINES}
    reports = {engine: link for engine, link in logs.items() if link}
    log = _link(dist, _log(store, record, folder / target))
    audit = _link(dist, _audit(record, folder / f"audit-{target}.json"))
    sbom = _link(dist, _sbom(dist / "wheels" / file.filename, folder / target))
    content = _content(store, dist, file)
    digest = hashlib.sha256()
    for link in (log, audit, sbom, *reports.values()):
        digest.update((dist / link).read_bytes() if link else b"-")
    return StatusRow(
        name=name,
        version=parse_wheel_filename(file.filename)[1],
        target=target,
        filename=file.filename,
        sha256=file.sha256,
        size=file.size,
        changed=datetime.fromisoformat(file.uploaded).astimezone(UTC),
        seconds=float(record["output"]["seconds"]),
        tests={engine: result for engine in ENGINES if (result := _tests(folder / target / f"{engine}.xml", content))},
        log=log,
        audit=audit,
        sbom=sbom,
        reports=reports,
        digest=digest.hexdigest(),
    )


def _content(store: Store, dist: Path, file: File) -> str:
    """Return the content of a published wheel; empty for one that cannot be read."""
    record = store.get_record("contents", file.sha256)
    try:
        return str(record["content"]) if record else content_of(dist / "wheels" / file.filename)
    except (OSError, zipfile.BadZipFile, KeyError):
        return ""


def _tests(path: Path, content: str) -> EngineTests | None:
    """Read a JUnit XML report of the wheel with this ``content``; None if there is none, or none that can be read."""
    try:
        suite = ET.parse(path).getroot().find("testsuite")  # noqa: S314  (written by the harness, which escapes)
        if suite is None:
            return None
        numbers = {key: int(suite.get(key, "0")) for key in ("tests", "failures", "errors", "skipped")}
    except (OSError, ET.ParseError, ValueError):
        return None
    failed = numbers["failures"] + numbers["errors"]
    names = [case.get("name", "") for case in suite.iter("testcase")]
    of = next((each.get("value", "") for each in suite.iter("property") if each.get("name") == CONTENT), "")
    return EngineTests(
        passed=numbers["tests"] - failed - numbers["skipped"],
        failed=failed,
        stale="" if of == content else suite.get("timestamp", "")[:10] or "another day",
        imports_only=bool(names) and all(name.startswith(IMPORT) for name in names),
    )


def _passed(summary: str) -> EngineTests | None:
    """Read ``12 passed, 1 skipped, 2 failed``."""
    numbers = {word: int(number) for number, word in re.findall(r"(\d+) (passed|failed)", summary)}
    if "passed" not in numbers:
        return None
    only = summary.startswith(IMPORTS_ONLY)
    return EngineTests(passed=numbers["passed"], failed=numbers.get("failed", 0), imports_only=only)


def _log(store: Store, record: Mapping[str, Any], folder: Path) -> Path | None:
    try:
        data = store.get("logs", record["log"]).read_bytes()
    except (KeyError, StoreError, ValueError):
        return None
    path = folder / "build.log"
    write_atomically(path, data[-LOG_LIMIT:])
    return path


def _audit(record: Mapping[str, Any], path: Path) -> Path:
    """Write the report of this very wheel, if there is none of it where it was built."""
    if record.get("audit"):
        write_atomically(path, (json.dumps(record["audit"], indent=2, ensure_ascii=False) + "\n").encode())
    return path


def _sbom(wheel: Path, folder: Path) -> Path | None:
    """Take the SBOM (PEP 770) out of a wheel that was built here."""
    try:
        with zipfile.ZipFile(wheel) as archive:
            member = next(each for each in archive.infolist() if each.filename.endswith(f".dist-info/{SBOM}"))
            if member.file_size > _SBOM_LIMIT:
                return None
            data = archive.read(member)
    except (OSError, zipfile.BadZipFile, StopIteration):
        return None
    path = folder / "sbom.cdx.json"
    write_atomically(path, data)
    return path


def _link(dist: Path, path: Path | None) -> str:
    return path.relative_to(dist).as_posix() if path is not None and path.is_file() else ""
