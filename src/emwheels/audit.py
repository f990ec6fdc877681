"""A wheel -> findings: everything that would make it fail, mislead or leak once it is published.

How names are resolved was read in ``pyodide.asm.mjs`` of Pyodide 314.0.7 and 315.0.0-alpha.2 (Emscripten's
``libdylink.js``): one table, ``wasmImports``, holds the JavaScript functions, and `mergeLibSymbols` adds the exports of
the main module and of global libraries where the table has no such name yet. A side module looks there first, then in
the libraries it needs, then in its own exports; only ``__memory_base`` and ``__table_base`` are made for it.
"""

from __future__ import annotations

import base64
import csv
import email.parser
import hashlib
import io
import json
import re
import stat
import struct
import zipfile
import zlib
from dataclasses import asdict, dataclass, field
from lzma import LZMAError
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Literal

from packaging.metadata import parse_email
from packaging.tags import Tag, parse_tag
from packaging.utils import (
    InvalidWheelFilename,
    NormalizedName,
    canonicalize_name,
    canonicalize_version,
    parse_wheel_filename,
)

from emwheels import wasm
from emwheels.errors import AuditError, UsageError
from emwheels.members import REPORT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from packaging.version import Version

    from emwheels.target import Target
    from emwheels.wasm import Signature

Severity = Literal["error", "warning"]
Rule = Literal["tag", "unresolved-import", "signature", "build-path", "record", "size", "archive"]

_GIB = 1 << 30
_MAX_UNPACKED = 4 * _GIB
_MAX_MEMBER = _GIB
_MAX_RATIO, _RATIO_FREE = 200, 64 << 20
_SIZE_TOLERANCE = 1.05
_SHOWN_NAMES = 20
_MAX_TAG = 256
"""Characters; a longer compressed tag set could expand to millions of tags."""

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
_INTERPRETER_SUFFIX = re.compile(r"\.((?:cpython-|cp\d|pypy|graalpy|abi\d)[^.]*\.so)\Z")
_HOME_PATH = re.compile(rb"(?<![\w.~-])/(?:root|home/[\w.-]+|tmp/(?:pip-|build|cibw|tmp)[\w.-]*)/[\w.-]+")
_LOADER_PROVIDED = frozenset({"__memory_base", "__table_base"})
_RESOLVED_MODULES = frozenset({"env", "wasi_snapshot_preview1", "GOT.func", "GOT.mem"})

_JS_TABLE = re.compile(r"\bwasmImports\s*=\s*\{([^{}]*)\}")
_JS_ENTRY = re.compile(r"""\s*(["']?)([\w$]+)\1\s*(?::\s*([\w$.]+)\s*)?""")
_JS_COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)
_JS_ADDITION = re.compile(r"""\bwasmImports\[(["'])([\w$]+)\1\]\s*=(?!=)""")
_JS_STUB = re.compile(r"([\w$]+)\.stub\s*=\s*(?:true|!0)")


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that is wrong; ``message`` says what, and what to do."""

    severity: Severity
    rule: Rule
    member: str
    """Path in the wheel, or the wheel's own file name."""
    message: str


@dataclass(frozen=True, kw_only=True)
class Runtime:
    """What Pyodide's main module offers to a side module."""

    exports: Mapping[str, Signature | None]
    """Exports of ``pyodide.asm.wasm``; the value is None for what is no function."""
    javascript_names: frozenset[str]
    """Keys of the ``wasmImports`` table of ``pyodide.asm.mjs``, less those that are stubs of undefined symbols."""

    @classmethod
    def read(cls, folder: Path) -> Runtime:
        """Read ``pyodide.asm.wasm`` and ``pyodide.asm.mjs`` from ``folder``. Raises `AuditError`."""
        binary, script = folder / "pyodide.asm.wasm", folder / "pyodide.asm.mjs"
        try:
            module = wasm.parse(binary.read_bytes())
            text = script.read_text(encoding="utf-8")
        except (OSError, ValueError) as error:
            raise AuditError(
                f"the runtime in {folder} cannot be read: {error}",
                hint="unpack the target's npm package `pyodide` there again",
            ) from error
        exports = {export.name: export.signature for export in module.exports}
        return cls(exports=exports, javascript_names=_javascript_names(text, script))


@dataclass(frozen=True, kw_only=True)
class ModuleInfo:
    """What one shared library of the wheel is."""

    member: str
    size: int
    """Bytes, unpacked."""
    imports: int
    exports: int
    simd: bool
    needed: tuple[str, ...]
    """File names of the libraries that it is linked to."""


@dataclass(frozen=True, kw_only=True)
class Report:
    """The outcome of an audit."""

    wheel: str
    """File name."""
    sha256: str
    """In hexadecimal digits."""
    size: int
    """Bytes."""
    findings: tuple[Finding, ...]
    modules: tuple[ModuleInfo, ...]

    @property
    def errors(self) -> tuple[Finding, ...]:
        """The findings that forbid publishing."""
        return tuple(finding for finding in self.findings if finding.severity == "error")

    def to_json(self) -> str:
        """Return the report as a JSON object with the fields of this class."""
        return json.dumps(asdict(self), indent=2, ensure_ascii=False) + "\n"


@dataclass(frozen=True, kw_only=True)
class _Contents:
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
        self.findings.append(Finding(severity=severity, rule=rule, member=member, message=message))


def audit_wheel(
    wheel: Path,
    *,
    target: Target,
    runtime: Runtime,
    dependencies: Sequence[Path] = (),
    build_paths: Sequence[str] = (),
    accepted_size: int | None = None,
) -> Report:
    """Audit ``wheel`` for ``target``; nothing is unpacked or changed.

    ``dependencies`` are wheels whose shared libraries it may use, ``build_paths`` folders of the build machine that
    must not be named in it, ``accepted_size`` the bytes of the last accepted build. A wheel with a finding of the rule
    ``archive`` is not looked at any further. Raises `AuditError` if a file cannot be opened, `UsageError` for a build
    path that would match everything.
    """
    needles = [_needle(path) for path in build_paths]
    size, digest = _identity(wheel)
    contents = _read(wheel, needles)
    if all(finding.rule != "archive" for finding in contents.findings):
        _check_tags(wheel.name, contents, target)
        _check_record(wheel.name, contents)
        _check_libraries(contents, dependencies, runtime)
    _check_size(wheel.name, size, accepted_size, contents)
    modules = tuple(_info(member, contents.libraries[member], module) for member, module in contents.modules.items())
    return Report(wheel=wheel.name, sha256=digest, size=size, findings=tuple(contents.findings), modules=modules)


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What a wheel holds, without what it is for: no target is needed to tell."""

    sha256: str
    size: int
    members: tuple[str, ...]
    """Paths of its files."""
    metadata: bytes
    """Its METADATA; empty when there is none, which is a finding."""
    findings: tuple[Finding, ...]
    """Of the rules ``archive`` and ``record``."""


def read_manifest(wheel: Path, filename: str) -> Manifest:
    """Read the wheel at ``wheel`` that is called ``filename``; nothing is unpacked. Raises `AuditError`."""
    size, digest = _identity(wheel)
    contents = _read(wheel, ())
    if all(finding.rule != "archive" for finding in contents.findings):
        _check_record(filename, contents)
    return Manifest(
        sha256=digest,
        size=size,
        members=tuple(contents.digests),
        metadata=_metadata_file(contents, "METADATA") or b"",
        findings=tuple(finding for finding in contents.findings if finding.rule in {"archive", "record"}),
    )


def _needle(path: str) -> bytes:
    if len(path.rstrip("/")) < 2:
        raise UsageError(f"the build path {path!r} is too short to look for", hint="name the folder of the build")
    return path.rstrip("/").encode()


def _identity(wheel: Path) -> tuple[int, str]:
    try:
        with wheel.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
            return stream.tell(), digest
    except OSError as error:
        raise AuditError(
            f"{wheel} cannot be read: {error.strerror}", hint="build the wheel, or name another"
        ) from error


def _info(member: str, size: int, module: wasm.Module) -> ModuleInfo:
    return ModuleInfo(
        member=member,
        size=size,
        imports=len(module.imports),
        exports=len(module.exports),
        simd=module.uses_simd,
        needed=module.dylink.needed if module.dylink else (),
    )


def _javascript_names(text: str, script: Path) -> frozenset[str]:
    """Read the keys of the one object literal that is assigned to ``wasmImports``, and single additions to it."""
    table = _JS_TABLE.search(text)
    entries = _JS_COMMENT.sub("", table[1]).split(",") if table else []
    parsed = [_JS_ENTRY.fullmatch(entry) for entry in entries if entry.strip()]
    if not parsed or None in parsed:
        raise AuditError(
            f"{script} has no table `wasmImports` that can be read",
            hint="if this is a new Pyodide, see how its loader resolves symbols and adapt emwheels.audit",
        )
    stubs = set(_JS_STUB.findall(text))
    names = {entry[2] for entry in parsed if entry and (entry[3] or entry[2]) not in stubs}
    return frozenset(names.union(match[2] for match in _JS_ADDITION.finditer(text)))


def _read(wheel: Path, needles: Sequence[bytes]) -> _Contents:
    """Make the one pass over the archive. What cannot be read becomes a finding."""
    contents = _Contents()
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


def _check_names(members: Sequence[zipfile.ZipInfo], contents: _Contents) -> None:
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


def _is_bounded(wheel: Path, members: Sequence[zipfile.ZipInfo], contents: _Contents) -> bool:
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
    archive: zipfile.ZipFile, member: zipfile.ZipInfo, contents: _Contents, needles: Sequence[bytes]
) -> None:
    name = member.filename
    try:
        data = archive.read(member)
    except _ZIP_ERRORS as error:
        contents.report("archive", name, f"it cannot be unpacked ({error}): build the wheel again")
        return
    contents.digests[name] = (_record_digest(data), len(data))
    _check_paths(name, data, contents, needles)
    if native := _native_format(data):
        contents.report("tag", name, f"it is {native} of the build machine: build it with the cross compiler")
    elif _SHARED_LIBRARY.search(name):
        _read_library(name, data, contents)
    elif PurePosixPath(name).match("*.dist-info/*") and name.count("/") == 1:
        contents.metadata[name] = data


def _record_digest(data: bytes) -> str:
    """Return the hash as RECORD writes it (binary distribution format of PyPA's specifications, PEP 427)."""
    return "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()


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


def _read_library(name: str, data: bytes, contents: _Contents) -> None:
    contents.libraries[name] = len(data)
    try:
        module = wasm.parse(data)
    except wasm.WasmError as error:
        contents.report("tag", name, f"it is no WebAssembly module ({error}): see how the build linked it")
        return
    contents.modules[name] = module
    if module.dylink is None:
        contents.report("tag", name, "it has no dylink.0 section, so it cannot be loaded: link it with -sSIDE_MODULE")


def _check_paths(name: str, data: bytes, contents: _Contents, needles: Sequence[bytes]) -> None:
    if name.endswith(f".dist-info/{REPORT}"):
        return  # it holds the recipe, whose script may speak of the build folder
    for needle in needles:
        if count := data.count(needle):
            what = f"names the build folder {needle.decode()}, {count} times"
            advice = "map it away with -ffile-prefix-map, or patch what writes it"
            contents.report("build-path", name, f"{what}: {advice}")
    homes = {match[0] for match in _HOME_PATH.finditer(data)}
    homes = {home for home in homes if not any(needle in home or home in needle for needle in needles)}
    if homes:
        shown = ", ".join(sorted(home.decode() for home in homes)[:3])
        message = f"names what looks like a folder of a build machine ({shown}): see that it leaks nothing"
        contents.report("build-path", name, message, "warning")


def _libraries(dependency: Path, contents: _Contents) -> Iterator[tuple[str, wasm.Module]]:
    """Yield the shared libraries of a wheel that this one depends on; a broken one is a finding."""
    _identity(dependency)
    read = _read(dependency, ())
    for finding in read.findings:
        if finding.rule == "archive":
            contents.report("archive", dependency.name, f"this dependency is broken: {finding.message}")
    yield from read.modules.items()


def _check_tags(wheel: str, contents: _Contents, target: Target) -> None:
    try:
        tags = parse_wheel_filename(wheel)[3]
    except InvalidWheelFilename as error:
        contents.report("tag", wheel, f"{error}: rename it as the binary distribution format (PEP 427) says")
        return
    declared = _declared_tags(contents)
    if declared is not None and declared != tags:
        difference = ", ".join(sorted(str(tag) for tag in declared ^ tags))
        contents.report(
            "tag", wheel, f"its name and its WHEEL file disagree on {difference}: retag it with `wheel tags`"
        )
    if contents.libraries:
        _check_platform_tags(wheel, tags, contents, target)
    elif Tag("py3", "none", "any") not in tags:
        contents.report(
            "tag", wheel, "it has no shared library and is not tagged py3-none-any: did the build lose its extensions?"
        )
    for member in contents.libraries:
        _check_suffix(member, contents, target)


def _declared_tags(contents: _Contents) -> frozenset[Tag] | None:
    text = _metadata_file(contents, "WHEEL")
    if text is None:
        return None
    lines = email.parser.BytesParser().parsebytes(text).get_all("Tag", [])
    return frozenset(tag for line in lines for tag in _expand(str(line)))


def _expand(line: str) -> frozenset[Tag]:
    """Expand a compressed tag set; what is none is kept as it stands, so that it equals no tag of a file name."""
    if line.count("-") == 2 and len(line) < _MAX_TAG:
        return parse_tag(line)
    return frozenset({Tag(line, "", "")})


def _check_platform_tags(wheel: str, tags: Iterable[Tag], contents: _Contents, target: Target) -> None:
    for tag in sorted(tags, key=str):
        if tag.platform != target.platform_tag:
            message = f"tag {tag} is for another platform than Pyodide {target.name}'s {target.platform_tag}"
            contents.report("tag", wheel, f"{message}: build for this target")
        elif not _fits_interpreter(tag, target):
            wanted = f"{target.python_tag}-{target.python_tag}, or abi3 of that version or an older one"
            contents.report("tag", wheel, f"tag {tag} is for another interpreter: Pyodide {target.name} takes {wanted}")


def _fits_interpreter(tag: Tag, target: Target) -> bool:
    if tag.abi == "abi3":
        older = re.fullmatch(r"cp3(\d+)", tag.interpreter)
        return older is not None and int(older[1]) <= int(target.python_minor.split(".")[1])
    return tag.interpreter == tag.abi == target.python_tag


def _check_suffix(member: str, contents: _Contents, target: Target) -> None:
    """Hold the file name against the target's `importlib.machinery.EXTENSION_SUFFIXES`."""
    importable = {f"cpython-{target.python_tag.removeprefix('cp')}-wasm32-emscripten.so", "abi3.so"}
    suffix = _INTERPRETER_SUFFIX.search(member)
    if suffix and suffix[1] not in importable:
        wanted = ", ".join(sorted(importable))
        contents.report("tag", member, f"Pyodide {target.name} does not import .{suffix[1]}, only {wanted} and .so")


def _metadata_file(contents: _Contents, name: str) -> bytes | None:
    found = [data for path, data in contents.metadata.items() if PurePosixPath(path).name == name]
    return found[0] if len(found) == 1 else None


def _check_record(wheel: str, contents: _Contents) -> None:
    for name in ("METADATA", "RECORD", "WHEEL"):
        if _metadata_file(contents, name) is None:
            contents.report("record", wheel, f"it has no {name}, or several, in a .dist-info folder: build it again")
    record = next((path for path in contents.metadata if path.endswith("/RECORD")), None)
    if record:
        _check_entries(record, contents)
    _check_identity(wheel, contents)


def _check_entries(record: str, contents: _Contents) -> None:
    try:
        rows = [row for row in csv.reader(io.StringIO(contents.metadata[record].decode(), newline="")) if row]
    except (UnicodeDecodeError, csv.Error) as error:
        contents.report("record", record, f"it cannot be read ({error}): build the wheel again")
        return
    unlisted = {*contents.digests} - {record, f"{record}.jws", f"{record}.p7s"}
    listed: set[str] = set()
    for row in rows:
        path, digest, size = [*row, "", ""][:3]
        if path in listed:
            contents.report("record", path, "RECORD lists it twice: write RECORD anew with `wheel pack`")
        elif path in unlisted and (digest, size) != (contents.digests[path][0], str(contents.digests[path][1])):
            contents.report(
                "record", path, "its sha256 or size is not the one in RECORD: it was changed after the build"
            )
        elif path not in contents.digests:
            contents.report("record", path, "RECORD lists it and it is not there: write RECORD anew with `wheel pack`")
        listed.add(path)
    for path in sorted(unlisted - listed):
        contents.report("record", path, "it is not listed in RECORD: write RECORD anew with `wheel pack`")


def _check_identity(wheel: str, contents: _Contents) -> None:
    """Hold name and version in METADATA and in the .dist-info folder against the file name."""
    text = _metadata_file(contents, "METADATA")
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
            found = f"{raw.get('name')} {raw.get('version')}"
            message = f"METADATA is that of {found}, the file name that of {name} {version}: see the project's metadata"
            contents.report("record", wheel, message)


def _is_same(name: str, version: str, wanted_name: NormalizedName, wanted_version: Version) -> bool:
    return canonicalize_name(name) == wanted_name and canonicalize_version(version) == canonicalize_version(
        wanted_version
    )


def _check_libraries(contents: _Contents, dependencies: Sequence[Path], runtime: Runtime) -> None:
    others = {f"{path.name}:{name}": module for path in dependencies for name, module in _libraries(path, contents)}
    others |= contents.modules
    for member, module in contents.modules.items():
        _check_imports(member, module, others, runtime, contents)


def _check_imports(
    member: str, module: wasm.Module, others: Mapping[str, wasm.Module], runtime: Runtime, contents: _Contents
) -> None:
    """Resolve each import as the loader does, and report what is missing, doubtful or of another type."""
    needed = _needed_libraries(member, module, others, contents)
    providers = _providers(module, needed, runtime)
    missing = []
    for entry in module.imports:
        if entry.module in _RESOLVED_MODULES and entry.name in providers:
            _check_signature(member, entry, *providers[entry.name], contents)
        elif not (module.dylink and module.dylink.is_weak(entry.name)):
            missing.append(entry)
    if missing:
        exporters = {export.name: path for path, other in others.items() for export in other.exports}
        _report_missing(member, missing, exporters, contents)


def _needed_libraries(
    member: str, module: wasm.Module, others: Mapping[str, wasm.Module], contents: _Contents
) -> list[wasm.Module]:
    """Return the libraries that are loaded with ``module``, through other libraries too."""
    by_name = {PurePosixPath(path).name: other for path, other in others.items()}
    found: dict[str, wasm.Module] = {}
    queue = list(module.dylink.needed) if module.dylink else []
    for library in queue:
        if library not in by_name:
            message = f"it needs {library}, which neither the wheel nor a dependency has: ship it or link it statically"
            contents.report("unresolved-import", member, message)
        elif library not in found:
            found[library] = by_name[library]
            queue += dylink.needed if (dylink := found[library].dylink) else ()
    return list(found.values())


def _providers(
    module: wasm.Module, needed: Iterable[wasm.Module], runtime: Runtime
) -> dict[str, tuple[str, Signature | None]]:
    """Map each name that is resolved to who provides it and its type; the loader's first choice comes last here."""
    em_js = "__em_js__"  # EM_JS functions are compiled from the strings behind these exports when the module is loaded
    own = {export.name: ("the module itself", export.signature) for export in module.exports}
    own |= {name.removeprefix(em_js): ("the module itself", None) for name in own if name.startswith(em_js)}
    libraries = {export.name: ("a needed library", export.signature) for other in needed for export in other.exports}
    main = {name: ("pyodide.asm.wasm", signature) for name, signature in runtime.exports.items()}
    loader = dict.fromkeys(runtime.javascript_names | _LOADER_PROVIDED, ("the loader", None))
    return own | libraries | main | loader


def _check_signature(
    member: str, entry: wasm.Import, provider: str, signature: Signature | None, contents: _Contents
) -> None:
    if entry.signature and signature and entry.signature != signature:
        types = f"it imports {entry.name} as {entry.signature}, {provider} has it as {signature}"
        contents.report("signature", member, f"{types}: mend the declaration, a call would fail or not even link")


def _report_missing(
    member: str, missing: Sequence[wasm.Import], exporters: Mapping[str, str], contents: _Contents
) -> None:
    lost: dict[str, set[str]] = {}
    for entry in missing:
        if entry.module in _RESOLVED_MODULES and entry.name in exporters:
            message = f"{entry.name} is only in {exporters[entry.name]}, which it is not linked to"
            advice = "link to it, or see that it is always loaded before, and globally"
            contents.report("unresolved-import", member, f"{message}: {advice}", "warning")
        else:
            lost.setdefault(_consequence(entry), set()).add(entry.name)
    for consequence, names in lost.items():
        shown = ", ".join(sorted(names)[:_SHOWN_NAMES]) + (", …" if len(names) > _SHOWN_NAMES else "")
        contents.report("unresolved-import", member, f"nothing provides {shown} ({len(names)} in all): {consequence}")


def _consequence(entry: wasm.Import) -> str:
    """Say what happens to an import that nothing provides, and what mends it."""
    if entry.module not in _RESOLVED_MODULES:
        return f"the loader has no import module {entry.module!r}; build without what uses it"
    if entry.name.startswith("invoke_"):
        return "it was built for JavaScript exceptions; compile and link with -fwasm-exceptions -sSUPPORT_LONGJMP=wasm"
    if entry.kind == "function":
        return "a call raises an error; link the library that defines it, or build without what calls it"
    return "importing the module fails; link the library that defines it, or build without what uses it"


def _check_size(wheel: str, size: int, accepted: int | None, contents: _Contents) -> None:
    if accepted is not None and size > accepted * _SIZE_TOLERANCE:
        growth = f"{size} bytes, {size / accepted - 1:.0%} more than the {accepted} accepted last"
        contents.report("size", wheel, f"{growth}: find what grew, or accept the new size", "warning")
