"""One pass over a wheel: is it a sound archive, and what is in it."""

from __future__ import annotations

import hashlib
import re
import stat
import struct
import zipfile
import zlib
from dataclasses import dataclass, field
from lzma import LZMAError
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from emwheels.audit import wasm
from emwheels.audit.model import Finding
from emwheels.errors import AuditError
from emwheels.wheel import REPORT, record_digest

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from emwheels.audit.model import Rule, Severity

_GIB = 1 << 30
_MAX_UNPACKED = 4 * _GIB
_MAX_MEMBER = _GIB
_MAX_RATIO, _RATIO_FREE = 200, 64 << 20
_ZIP_ERRORS = (
    zipfile.BadZipFile,
    zlib.error,
    LZMAError,
    EOFError,
    OSError,
    NotImplementedError,
    RuntimeError,
    ValueError,
    OverflowError,
    struct.error,
)
"""What `zipfile` raises for an archive that is broken, encrypted or compressed by a method it does not know."""

_SHARED_LIBRARY = re.compile(r"\.so(\.\d+)*\Z")
_HOME_PATH = re.compile(rb"(?<![\w.~-])/(?:root|home/[\w.-]+|tmp/(?:pip-|build|cibw|tmp)[\w.-]*)/[\w.-]+")


@dataclass(frozen=True, kw_only=True)
class Contents:
    """What a single pass over an archive keeps."""

    findings: list[Finding] = field(default_factory=list)
    digests: dict[str, tuple[str, int]] = field(default_factory=dict)
    """Path -> sha256 as RECORD writes it, and size."""
    modules: dict[str, wasm.Module] = field(default_factory=dict)
    libraries: dict[str, int] = field(default_factory=dict)
    """Path -> size of each file that is named as a shared library."""
    metadata: dict[str, bytes] = field(default_factory=dict)
    """Path -> bytes of METADATA, RECORD and WHEEL."""

    def report(self, rule: Rule, member: str, message: str, severity: Severity = "error") -> None:
        """Add a finding."""
        self.findings.append(Finding(severity=severity, rule=rule, member=member, message=message))


def identity(wheel: Path) -> tuple[int, str]:
    """Return size in bytes and sha256 in hexadecimal digits. Raises `AuditError`."""
    if wheel.exists() and not wheel.is_file():
        raise AuditError(f"{wheel} is no regular file", hint="name a wheel")
    try:
        with wheel.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
            return stream.tell(), digest
    except OSError as error:
        raise AuditError(
            f"{wheel} cannot be read: {error.strerror}", hint="build the wheel, or name another"
        ) from error


def read_contents(wheel: Path, needles: Sequence[bytes]) -> Contents:
    """Make the one pass over the archive. What cannot be read becomes a finding."""
    contents = Contents()
    try:
        with zipfile.ZipFile(wheel) as archive:
            members = archive.infolist()
            _check_names(members, contents)
            if _is_bounded(wheel, members, contents):
                for member in members:
                    if not member.filename.endswith("/"):
                        _read_member(archive, member, contents, needles)
    except _ZIP_ERRORS as error:
        contents.report("archive", wheel.name, f"it is not a readable zip archive ({error}): build it again")
    return contents


def _check_names(members: Sequence[zipfile.ZipInfo], contents: Contents) -> None:
    seen: set[str] = set()
    for member in members:
        name = member.orig_filename
        if name in seen:
            contents.report("record", name, "it is in the archive twice: installers disagree on which one counts")
        seen.add(name)
        if _leaves_folder(name):
            contents.report("archive", name, "its path leads out of the folder it is installed to: rename it")
        if stat.S_IFMT(member.external_attr >> 16) not in {0, stat.S_IFREG, stat.S_IFDIR}:
            contents.report("archive", name, "it is a link or a device: wheels hold files only, so copy its target")


def _leaves_folder(name: str) -> bool:
    """Tell whether any system would see more in ``name`` than a plain relative path."""
    parts = name.removesuffix("/").split("/")
    return "\\" in name or "\0" in name or ":" in parts[0] or any(part in {"", ".", ".."} for part in parts)


def _is_bounded(wheel: Path, members: Sequence[zipfile.ZipInfo], contents: Contents) -> bool:
    """Hold the sizes that the archive announces, of which `zipfile` never reads more, against the limits."""
    total = sum(member.file_size for member in members)
    largest = max((member.file_size for member in members), default=0)
    packed = wheel.stat().st_size
    if total > _MAX_UNPACKED or largest > _MAX_MEMBER:
        limits = f"at most {_MAX_UNPACKED >> 30} GiB, {_MAX_MEMBER >> 30} GiB for one file, are read"
        contents.report("archive", wheel.name, f"it unpacks to {total} bytes: {limits}; leave data out of the wheel")
        return False
    if total > _RATIO_FREE and total > _MAX_RATIO * packed:
        ratio = f"{packed} bytes unpack to {total}, more than {_MAX_RATIO} times as many"
        contents.report("archive", wheel.name, f"{ratio}: it looks like a zip bomb, so it was not read")
        return False
    return True


def _read_member(
    archive: zipfile.ZipFile, member: zipfile.ZipInfo, contents: Contents, needles: Sequence[bytes]
) -> None:
    name = member.filename
    try:
        data = archive.read(member)
    except _ZIP_ERRORS as error:
        contents.report("archive", name, f"it cannot be unpacked ({error}): build the wheel again")
        return
    contents.digests[name] = (record_digest(data), len(data))
    _check_paths(name, data, contents, needles)
    if native := _native_format(data):
        contents.report("tag", name, f"it is {native} of the build machine: build it with the cross compiler")
    elif _SHARED_LIBRARY.search(name):
        _read_library(name, data, contents)
    elif PurePosixPath(name).match("*.dist-info/*") and name.count("/") == 1:
        contents.metadata[name] = data


def _native_format(data: bytes) -> str | None:
    """Name the kind of native code by its magic number, static libraries of it included."""
    if data.startswith(b"\x7fELF") or (data.startswith(b"!<arch>\n") and b"`\n\x7fELF" in data):
        return "ELF code"
    if data[:4] in {b"\xfe\xed\xfa\xce", b"\xfe\xed\xfa\xcf", b"\xce\xfa\xed\xfe", b"\xcf\xfa\xed\xfe"}:
        return "Mach-O code"
    if data[:4] == b"\xca\xfe\xba\xbe" and int.from_bytes(data[4:8], "big") < 45:  # from 45 on it is a Java class
        return "Mach-O code"
    header = int.from_bytes(data[60:64], "little")
    if data.startswith(b"MZ") and data[header : header + 4] == b"PE\0\0":
        return "PE code"
    return None


def _read_library(name: str, data: bytes, contents: Contents) -> None:
    contents.libraries[name] = len(data)
    try:
        module = wasm.parse(data)
    except wasm.WasmError as error:
        contents.report("tag", name, f"it is no WebAssembly module ({error}): see how the build linked it")
        return
    contents.modules[name] = module
    if module.dylink is None:
        contents.report("tag", name, "it has no dylink.0 section, so it cannot be loaded: link it with -sSIDE_MODULE")


def _check_paths(name: str, data: bytes, contents: Contents, needles: Sequence[bytes]) -> None:
    if name.endswith(f".dist-info/{REPORT}"):
        return  # it holds the recipe, whose script may speak of the build folder
    for needle in needles:
        if count := data.count(needle):
            what = f"names {needle.decode()} of the build machine, {count} times"
            advice = "map a folder away with -ffile-prefix-map, or patch what writes it"
            contents.report("build-path", name, f"{what}: {advice}")
    homes = {match[0] for match in _HOME_PATH.finditer(data)}
    homes = {home for home in homes if not any(needle in home or home in needle for needle in needles)}
    if homes:
        shown = ", ".join(sorted(home.decode() for home in homes)[:3])
        message = f"names what looks like a folder of a build machine ({shown}): see that it leaks nothing"
        contents.report("build-path", name, message, "warning")


def read_libraries(wheel: Path, contents: Contents) -> Iterator[tuple[str, bytes]]:
    """Yield path and bytes of each library of which `read_contents` made a module, one at a time."""
    with zipfile.ZipFile(wheel) as archive:
        for member in contents.modules:
            yield member, archive.read(member)


def metadata_file(contents: Contents, name: str) -> bytes | None:
    """Return the one file of that name in a .dist-info folder; None if there is none, or several."""
    texts = [data for path, data in contents.metadata.items() if PurePosixPath(path).name == name]
    return texts[0] if len(texts) == 1 else None
