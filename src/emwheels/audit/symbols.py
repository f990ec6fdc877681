"""What the modules of a wheel, a library or an archive want and give, and who gives it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from emwheels.audit import wasm
from emwheels.audit.contents import read_contents
from emwheels.audit.linking import LOADER_PROVIDED, RESOLVED_MODULES
from emwheels.audit.wasm.objects import ARCHIVE, archive_members, read_symbols
from emwheels.errors import AuditError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from emwheels.audit.linking import Runtime

_DAMAGE = "it may be damaged: build it again, or name another"


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """One import of a module."""

    name: str
    module: str
    """The import module, such as ``env``; of an object file there is none."""
    kind: str
    signature: str
    """Of a function, e.g. ``(i32) -> (i32)``."""
    weak: bool
    giver: str
    """Who gives it; empty if nobody does."""


@dataclass(frozen=True, kw_only=True)
class Given:
    """One export of a module."""

    name: str
    kind: str
    signature: str


@dataclass(frozen=True, kw_only=True)
class Symbols:
    """What one module wants and gives."""

    member: str
    needed: Mapping[str, str]
    """The libraries that are loaded with it -> where each is; empty if that is neither here nor in a dependency."""
    imports: tuple[Wanted, ...]
    exports: tuple[Given, ...]


def symbols_of(
    path: Path, data: bytes, *, dependencies: Sequence[Path] = (), runtime: Runtime | None = None
) -> list[Symbols]:
    """Return the symbols of every module in a wheel, a shared library or object file, or an archive of objects.

    ``data`` is what the file at ``path`` has; ``runtime`` is asked for modules that Pyodide loads. Raises `AuditError`
    for a file that is none of these.
    """
    try:
        if data.startswith(ARCHIVE):
            return _of_archive(data)
        if data.startswith(b"PK"):
            return _of_modules(_modules(path), dependencies, runtime)
        module = wasm.parse(data)
        if module.dylink is None and "linking" in module.custom_sections:
            return _of_objects({path.name: data})
        return _of_modules({path.name: module}, dependencies, runtime)
    except wasm.WasmError as error:
        raise AuditError(f"{path}: {error}", hint="name a wheel, a .so, a .wasm, a .o or a .a") from error


def _modules(wheel: Path) -> dict[str, wasm.Module]:
    contents = read_contents(wheel, ())
    for finding in contents.findings:
        if finding.rule == "archive":
            raise AuditError(f"{wheel}: {finding.message}", hint=_DAMAGE)
    return contents.modules


def _of_modules(
    modules: Mapping[str, wasm.Module], dependencies: Sequence[Path], runtime: Runtime | None
) -> list[Symbols]:
    others = {f"{path.name}:{name}": module for path in dependencies for name, module in _modules(path).items()}
    others |= modules
    return [_of_module(member, module, others, runtime) for member, module in modules.items()]


def _of_module(member: str, module: wasm.Module, others: Mapping[str, wasm.Module], runtime: Runtime | None) -> Symbols:
    needed = _needed(module, others)
    givers = _givers(module, {place: others[place] for place in needed.values() if place}, runtime)
    return Symbols(
        member=member,
        needed=needed,
        imports=tuple(
            Wanted(
                name=entry.name,
                module=entry.module,
                kind=entry.kind,
                signature=str(entry.signature or ""),
                weak=bool(module.dylink and module.dylink.is_weak(entry.name)),
                giver=givers.get(entry.name, "") if entry.module in RESOLVED_MODULES else "",
            )
            for entry in module.imports
        ),
        exports=tuple(
            Given(name=each.name, kind=each.kind, signature=str(each.signature or "")) for each in module.exports
        ),
    )


def _needed(module: wasm.Module, others: Mapping[str, wasm.Module]) -> dict[str, str]:
    """Return the libraries that are loaded with a module, through other libraries too."""
    places = {PurePosixPath(path.rpartition(":")[2]).name: path for path in others}
    found: dict[str, str] = {}
    queue = list(module.dylink.needed) if module.dylink else []
    for library in queue:
        if library not in found:
            found[library] = places.get(library, "")
            dylink = others[found[library]].dylink if found[library] else None
            queue += dylink.needed if dylink else ()
    return found


def _givers(module: wasm.Module, libraries: Mapping[str, wasm.Module], runtime: Runtime | None) -> dict[str, str]:
    """Map each name to who gives it; what the loader asks first comes last here, as in `emwheels.audit.linking`."""
    em_js = "__em_js__"
    givers = {export.name.removeprefix(em_js): "the module itself" for export in module.exports}
    givers |= {export.name: "the module itself" for export in module.exports}
    for place, library in libraries.items():
        givers |= {export.name: place for export in library.exports}
    if runtime is not None:
        givers |= dict.fromkeys(runtime.exports, "pyodide.asm.wasm")
        givers |= dict.fromkeys(runtime.javascript_names, "the loader")
    return givers | dict.fromkeys(LOADER_PROVIDED, "the loader")


def _of_archive(data: bytes) -> list[Symbols]:
    members: dict[str, bytes] = {}
    for name, content in archive_members(data):
        members[f"{name} ({len(members) + 1})" if name in members else name] = content
    return _of_objects(members)


def _of_objects(objects: Mapping[str, bytes]) -> list[Symbols]:
    read = {member: read_symbols(data) for member, data in objects.items()}
    givers = {symbol.name: member for member, symbols in read.items() for symbol in symbols if symbol.defined}
    return [
        Symbols(
            member=member,
            needed={},
            imports=tuple(
                Wanted(
                    name=symbol.name,
                    module="",
                    kind=symbol.kind,
                    signature="",
                    weak=symbol.weak,
                    giver=givers.get(symbol.name, ""),
                )
                for symbol in symbols
                if not symbol.defined
            ),
            exports=tuple(Given(name=each.name, kind=each.kind, signature="") for each in symbols if each.defined),
        )
        for member, symbols in read.items()
    ]
