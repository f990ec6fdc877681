"""A wheel -> findings: everything that would make it fail, mislead or leak once it is published."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from emwheels.audit import wasm
from emwheels.audit.contents import identity, metadata_file, read_contents, read_libraries
from emwheels.audit.linking import Runtime, check_libraries
from emwheels.audit.model import Finding, ModuleInfo, Report
from emwheels.audit.ownership import Owner, check_owner, check_reach
from emwheels.audit.record import check_record
from emwheels.audit.slots import calls_python, check_slots
from emwheels.audit.tags import check_tags
from emwheels.audit.types import check_types, read_types
from emwheels.errors import UsageError
from emwheels.wheel import REPORT, content_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from emwheels.audit.contents import Contents
    from emwheels.target import Target

__all__ = ["Finding", "ModuleInfo", "Owner", "Report", "Runtime", "WheelManifest", "audit_wheel", "read_manifest"]

_SIZE_TOLERANCE = 1.05


def audit_wheel(
    wheel: Path,
    *,
    target: Target,
    runtime: Runtime,
    dependencies: Sequence[Path] = (),
    build_paths: Sequence[str] = (),
    accepted_size: int | None = None,
    accepted_types: Sequence[str] = (),
    owner: Owner | None = None,
    accepted: Sequence[tuple[str, str]] = (),
) -> Report:
    """Audit ``wheel`` for ``target``; nothing is unpacked or changed.

    ``dependencies`` are wheels whose shared libraries it may use, ``build_paths`` folders of the build machine that
    must not be named in it, ``accepted_size`` the bytes of the last accepted build, ``accepted_types`` patterns of the
    C++ types that modules may keep apart. ``owner`` is whose wheel it has to be; without one that is not asked.
    ``accepted`` are rules with patterns (`fnmatch`) of members whose findings are left out. A wheel with a finding of
    the rule ``archive`` is not looked at any further. Raises `AuditError` if a file cannot be opened, `UsageError` for
    a build path that would match everything.
    """
    needles = [_needle(path) for path in build_paths]
    size, digest = identity(wheel)
    contents = read_contents(wheel, needles)
    content = ""
    if all(finding.rule != "archive" for finding in contents.findings):
        content = content_of(wheel)
        check_tags(wheel.name, contents, target)
        check_record(wheel.name, contents)
        check_reach(contents)
        if owner is not None:
            check_owner(wheel.name, contents, owner)
        check_libraries(contents, dependencies, runtime)
        types = {}
        for member, data in read_libraries(wheel, contents):
            if (memory := _memory(member, data, contents)) is not None:
                if calls_python(contents.modules[member]):
                    check_slots(member, memory, contents)
                types[member] = read_types(memory)
        check_types(types, accepted_types, contents)
    _check_size(wheel.name, size, accepted_size, contents)
    modules = tuple(_info(member, contents.libraries[member], module) for member, module in contents.modules.items())
    return Report(
        wheel=wheel.name,
        sha256=digest,
        size=size,
        findings=tuple(finding for finding in contents.findings if not _is_accepted(finding, accepted)),
        modules=modules,
        content=content,
    )


def _is_accepted(finding: Finding, accepted: Sequence[tuple[str, str]]) -> bool:
    return any(finding.rule == rule and fnmatchcase(finding.member, pattern) for rule, pattern in accepted)


def _memory(member: str, data: bytes, contents: Contents) -> wasm.Memory | None:
    try:
        return wasm.read_memory(data)
    except wasm.WasmError as error:
        contents.report("slot", member, f"its data cannot be read ({error}): types in it are not checked", "warning")
        return None


@dataclass(frozen=True, kw_only=True)
class WheelManifest:
    """What a wheel holds, without what it is for: no target is needed to tell."""

    sha256: str
    size: int
    members: tuple[str, ...]
    """Paths of its files."""
    metadata: bytes
    """Its METADATA; empty when there is none, which is a finding."""
    report: bytes
    """Its build report; empty when there is none."""
    findings: tuple[Finding, ...]
    """Of the rules ``archive`` and ``record``."""


def read_manifest(wheel: Path, filename: str) -> WheelManifest:
    """Read the wheel at ``wheel`` that is called ``filename``; nothing is unpacked. Raises `AuditError`."""
    size, digest = identity(wheel)
    contents = read_contents(wheel, ())
    if all(finding.rule != "archive" for finding in contents.findings):
        check_record(filename, contents)
    return WheelManifest(
        sha256=digest,
        size=size,
        members=tuple(contents.digests),
        metadata=metadata_file(contents, "METADATA") or b"",
        report=metadata_file(contents, REPORT) or b"",
        findings=tuple(finding for finding in contents.findings if finding.rule in {"archive", "record"}),
    )


def _needle(path: str) -> bytes:
    if len(path.rstrip("/")) < 2:
        raise UsageError(f"the build path {path!r} is too short to look for", hint="name the folder of the build")
    return path.rstrip("/").encode()


def _info(member: str, size: int, module: wasm.Module) -> ModuleInfo:
    return ModuleInfo(
        member=member,
        size=size,
        imports=len(module.imports),
        exports=len(module.exports),
        simd=module.uses_simd,
        needed=module.dylink.needed if module.dylink else (),
    )


def _check_size(wheel: str, size: int, accepted: int | None, contents: Contents) -> None:
    if accepted is not None and size > accepted * _SIZE_TOLERANCE:
        growth = f"{size} bytes, {size / accepted - 1:.0%} more than the {accepted} accepted last"
        contents.report("size", wheel, f"{growth}: find what grew, or accept the new size", "warning")
