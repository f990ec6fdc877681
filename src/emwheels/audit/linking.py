"""Shared libraries: does every import find what it names, with the type that it has.

How names are resolved was read in ``pyodide.asm.mjs`` of Pyodide 314.0.7 and 315.0.0-alpha.2 (Emscripten's
``libdylink.js``): one table, ``wasmImports``, holds the JavaScript functions, and `mergeLibSymbols` adds the exports of
the main module and of global libraries where the table has no such name yet. A side module looks there first, then in
the libraries it needs, then in its own exports; only ``__memory_base`` and ``__table_base`` are made for it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from emwheels.audit import wasm
from emwheels.audit.contents import identity, read_contents
from emwheels.errors import AuditError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from emwheels.audit.contents import Contents
    from emwheels.audit.wasm import Signature

_SHOWN_NAMES = 20
LOADER_PROVIDED = frozenset({"__memory_base", "__table_base"})
RESOLVED_MODULES = frozenset({"env", "wasi_snapshot_preview1", "GOT.func", "GOT.mem"})

_JS_TABLE = re.compile(r"\bwasmImports\s*=\s*\{([^{}]*)\}")
_JS_ENTRY = re.compile(r"""\s*(["']?)([\w$]+)\1\s*(?::\s*([\w$.]+)\s*)?""")
_JS_COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)
_JS_ADDITION = re.compile(r"""\bwasmImports\[(["'])([\w$]+)\1\]\s*=(?!=)""")
_JS_STUB = re.compile(r"([\w$]+)\.stub\s*=\s*(?:true|!0)")


@dataclass(frozen=True, kw_only=True)
class Runtime:
    """What Pyodide's main module offers to a side module."""

    exports: Mapping[str, Signature | None]
    """Exports of ``pyodide.asm.wasm``; the value is None for what is no function."""
    javascript_names: frozenset[str]
    """Keys of the ``wasmImports`` table of ``pyodide.asm.mjs``, less those that are stubs of undefined symbols."""

    @property
    def names(self) -> frozenset[str]:
        """All that a side module finds there."""
        return self.javascript_names.union(self.exports)

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


def _javascript_names(text: str, script: Path) -> frozenset[str]:
    """Read the keys of the one object literal that is assigned to ``wasmImports``, and single additions to it."""
    table = _JS_TABLE.search(text)
    entries = _JS_COMMENT.sub("", table[1]).split(",") if table else []
    parsed = [_JS_ENTRY.fullmatch(entry) for entry in entries if entry.strip()]
    if not parsed or None in parsed:
        raise AuditError(
            f"{script} has no table `wasmImports` that can be read",
            hint="if this is a new Pyodide, see how its loader resolves symbols and adapt emwheels.audit.linking",
        )
    stubs = set(_JS_STUB.findall(text))
    names = {entry[2] for entry in parsed if entry and (entry[3] or entry[2]) not in stubs}
    return frozenset(names.union(match[2] for match in _JS_ADDITION.finditer(text)))


def _libraries(dependency: Path, contents: Contents) -> Iterator[tuple[str, wasm.Module]]:
    """Yield the shared libraries of a wheel that this one depends on; a broken one is a finding."""
    identity(dependency)
    read = read_contents(dependency, ())
    for finding in read.findings:
        if finding.rule == "archive":
            contents.report("archive", dependency.name, f"this dependency is broken: {finding.message}")
    yield from read.modules.items()


def check_libraries(contents: Contents, dependencies: Sequence[Path], runtime: Runtime) -> None:
    """Report what the wheel's libraries import and do not find, in themselves, ``dependencies`` or ``runtime``."""
    others = {f"{path.name}:{name}": module for path in dependencies for name, module in _libraries(path, contents)}
    others |= contents.modules
    for member, module in contents.modules.items():
        _check_imports(member, module, others, runtime, contents)


def _check_imports(
    member: str, module: wasm.Module, others: Mapping[str, wasm.Module], runtime: Runtime, contents: Contents
) -> None:
    """Resolve each import as the loader does, and report what is missing, doubtful or of another type."""
    needed = _needed_libraries(member, module, others, contents)
    providers = _providers(module, needed, runtime)
    missing = []
    for entry in module.imports:
        if entry.module in RESOLVED_MODULES and entry.name in providers:
            _check_signature(member, entry, *providers[entry.name], contents)
        elif not (module.dylink and module.dylink.is_weak(entry.name)):
            missing.append(entry)
    if missing:
        exporters = {export.name: path for path, other in others.items() for export in other.exports}
        _report_missing(member, missing, exporters, contents)


def _needed_libraries(
    member: str, module: wasm.Module, others: Mapping[str, wasm.Module], contents: Contents
) -> list[wasm.Module]:
    """Return the libraries that are loaded with ``module``, through other libraries too."""
    by_name = {PurePosixPath(path).name: other for path, other in others.items()}
    libraries: dict[str, wasm.Module] = {}
    queue = list(module.dylink.needed) if module.dylink else []
    for library in queue:
        if library not in by_name:
            message = f"it needs {library}, which neither the wheel nor a dependency has: ship it or link it statically"
            contents.report("unresolved-import", member, message)
        elif library not in libraries:
            libraries[library] = by_name[library]
            queue += dylink.needed if (dylink := libraries[library].dylink) else ()
    return list(libraries.values())


def _providers(
    module: wasm.Module, needed: Iterable[wasm.Module], runtime: Runtime
) -> dict[str, tuple[str, Signature | None]]:
    """Map each name that is resolved to who provides it and its type; the loader's first choice comes last here."""
    em_js = "__em_js__"  # EM_JS functions are compiled from the strings behind these exports when the module is loaded
    own = {export.name: ("the module itself", export.signature) for export in module.exports}
    own |= {name.removeprefix(em_js): ("the module itself", None) for name in own if name.startswith(em_js)}
    libraries = {export.name: ("a needed library", export.signature) for other in needed for export in other.exports}
    main = {name: ("pyodide.asm.wasm", signature) for name, signature in runtime.exports.items()}
    loader = dict.fromkeys(runtime.javascript_names | LOADER_PROVIDED, ("the loader", None))
    return own | libraries | main | loader


def _check_signature(
    member: str, entry: wasm.Import, provider: str, signature: Signature | None, contents: Contents
) -> None:
    if entry.signature and signature and entry.signature != signature:
        types = f"it imports {entry.name} as {entry.signature}, {provider} has it as {signature}"
        contents.report("signature", member, f"{types}: mend the declaration, a call would fail or not even link")


def _report_missing(
    member: str, missing: Sequence[wasm.Import], exporters: Mapping[str, str], contents: Contents
) -> None:
    lost: dict[str, set[str]] = {}
    for entry in missing:
        if entry.module in RESOLVED_MODULES and entry.name in exporters:
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
    if entry.module not in RESOLVED_MODULES:
        return f"the loader has no import module {entry.module!r}; build without what uses it"
    if entry.name.startswith("invoke_"):
        return "it was built for JavaScript exceptions; compile and link with -fwasm-exceptions -sSUPPORT_LONGJMP=wasm"
    if entry.kind == "function":
        return "a call raises an error; link the library that defines it, or build without what calls it"
    return "importing the module fails; link the library that defines it, or build without what uses it"
