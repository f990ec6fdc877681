"""RECORD, and whether name and version are the same wherever they stand."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from packaging.metadata import parse_email
from packaging.utils import (
    InvalidWheelFilename,
    NormalizedName,
    canonicalize_name,
    canonicalize_version,
    parse_wheel_filename,
)

from emwheels.audit.contents import metadata_file
from emwheels.wheel import read_record

if TYPE_CHECKING:
    from packaging.version import Version

    from emwheels.audit.contents import Contents
    from emwheels.wheel import RecordRow


def check_record(wheel: str, contents: Contents) -> None:
    """Report files that RECORD does not list as they are, and a name or version that differs from the wheel's."""
    for name in ("METADATA", "RECORD", "WHEEL"):
        if metadata_file(contents, name) is None:
            contents.report("record", wheel, f"it has no {name}, or several, in a .dist-info folder: build it again")
    record = next((path for path in contents.metadata if path.endswith("/RECORD")), None)
    if record:
        _check_entries(record, contents)
    _check_identity(wheel, contents)


_CHANGED = "its sha256 or size is not the one in RECORD: it was changed after the build"


def _check_entries(path: str, contents: Contents) -> None:
    record = read_record(path, contents.metadata[path])
    if record.fault is not None:
        contents.report("record", path, f"it cannot be read ({record.detail}): build the wheel again")
        return
    for row in record.rows:
        if row.fault == "twice":
            contents.report("record", row.path, "RECORD lists it twice: write RECORD anew with `wheel pack`")
        elif row.path not in contents.digests:
            message = "RECORD lists it and it is not there: write RECORD anew with `wheel pack`"
            contents.report("record", row.path, message)
        elif row.path not in record.unhashed and not _is_as_listed(row, contents):
            contents.report("record", row.path, _CHANGED)
    for member in sorted(contents.digests.keys() - record.unhashed - {row.path for row in record.rows}):
        contents.report("record", member, "it is not listed in RECORD: write RECORD anew with `wheel pack`")


def _is_as_listed(row: RecordRow, contents: Contents) -> bool:
    digest, size = contents.digests[row.path]
    return row.fault is None and (row.digest, row.size) == (digest, str(size))


def _check_identity(wheel: str, contents: Contents) -> None:
    """Hold name and version in METADATA and in the .dist-info folder against the file name."""
    text = metadata_file(contents, "METADATA")
    try:
        name, version = parse_wheel_filename(wheel)[:2]
    except InvalidWheelFilename:
        return  # reported with the tags
    for path in sorted({str(PurePosixPath(path).parent) for path in contents.metadata}):
        if not _is_same(*path.removesuffix(".dist-info").partition("-")[::2], name, version):
            contents.report(
                "record", path, f"this folder does not belong to {name} {version}: see the project's metadata"
            )
    if text is not None:
        raw = parse_email(text)[0]
        if not _is_same(raw.get("name", ""), raw.get("version", ""), name, version):
            identity = f"{raw.get('name')} {raw.get('version')}"
            message = (
                f"METADATA is that of {identity}, the file name that of {name} {version}: see the project's metadata"
            )
            contents.report("record", wheel, message)


def _is_same(name: str, version: str, wanted_name: NormalizedName, wanted_version: Version) -> bool:
    return canonicalize_name(name) == wanted_name and canonicalize_version(version) == canonicalize_version(
        wanted_version
    )
