"""A WebAssembly binary -> what a dynamic linker needs to know of it.

Sections and encodings are those of the WebAssembly core specification 3.0, "Binary Format"; ``dylink.0`` and
``target_features`` are those of WebAssembly/tool-conventions, ``DynamicLinking.md`` and ``Linking.md``. The input is
hostile until proved otherwise: every count is bounded by the bytes that are there.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeVar

from emwheels.audit.wasm.reader import Reader, WasmError, sections

if TYPE_CHECKING:
    from collections.abc import Callable

_T = TypeVar("_T")

Kind = Literal["function", "table", "memory", "global", "tag"]

_KINDS: tuple[Kind, ...] = ("function", "table", "memory", "global", "tag")
_VALUE_TYPES = {
    0x7F: "i32",
    0x7E: "i64",
    0x7D: "f32",
    0x7C: "f64",
    0x7B: "v128",
    0x70: "funcref",
    0x6F: "externref",
    0x69: "exnref",
}
_TYPED_REFERENCES = {0x63: "ref null", 0x64: "ref"}
_CUSTOM, _TYPE, _IMPORT, _FUNCTION, _EXPORT, _CODE = 0, 1, 2, 3, 7, 10
_FUNCTION_TYPE = 0x60
_NEEDED, _EXPORT_INFO, _IMPORT_INFO, _RUNTIME_PATH = 2, 3, 4, 5
_BINDING_MASK, _BINDING_WEAK = 0x3, 0x1


@dataclass(frozen=True, kw_only=True)
class Signature:
    """The type of a function: value types in WebAssembly's text names, e.g. ``i32``."""

    parameters: tuple[str, ...]
    results: tuple[str, ...]

    def __str__(self) -> str:
        return f"({', '.join(self.parameters)}) -> ({', '.join(self.results)})"


@dataclass(frozen=True, kw_only=True)
class Import:
    """One import; ``signature`` is there for functions only."""

    module: str
    name: str
    kind: Kind
    signature: Signature | None


@dataclass(frozen=True, kw_only=True)
class Export:
    """One export; ``signature`` is there for functions only."""

    name: str
    kind: Kind
    signature: Signature | None


@dataclass(frozen=True, kw_only=True)
class Dylink:
    """The ``dylink.0`` section: what makes a module a shared library.

    The flags of ``exports`` and ``imports`` are the symbol flags of tool-conventions' ``Linking.md``. Imports are keyed
    by field name alone, as Emscripten's loader does (``getDylinkMetadata`` in its ``libdylink.js``).
    """

    needed: tuple[str, ...] = ()
    runtime_paths: tuple[str, ...] = ()
    exports: dict[str, int] = field(default_factory=dict)
    imports: dict[str, int] = field(default_factory=dict)

    def is_weak(self, name: str) -> bool:
        """Tell whether the import called ``name`` may stay unresolved (``WASM_SYM_BINDING_WEAK``)."""
        return self.imports.get(name, 0) & _BINDING_MASK == _BINDING_WEAK


@dataclass(frozen=True, kw_only=True)
class Module:
    """What `parse` found in one binary. ``dylink`` is None if it is no shared library."""

    dylink: Dylink | None
    types: tuple[Signature, ...]
    imports: tuple[Import, ...]
    exports: tuple[Export, ...]
    custom_sections: tuple[str, ...]
    target_features: frozenset[str]
    """Names that the producer marked as used, e.g. ``simd128``; linkers often drop this section."""
    vector_locals: bool
    """Whether any function has a local variable of type v128."""

    @property
    def uses_simd(self) -> bool:
        """Whether the code holds SIMD instructions, as far as a look at types can tell.

        Vectorised code keeps vectors in locals; a module that only loads a vector to store it at once is not noticed.
        """
        return (
            self.vector_locals
            or "simd128" in self.target_features
            or any("v128" in (*signature.parameters, *signature.results) for signature in self.types)
        )


def value_type(reader: Reader) -> str:
    """Read the type of a value. Raises `WasmError`."""
    code = reader.byte()
    if code in _VALUE_TYPES:
        return _VALUE_TYPES[code]
    if code in _TYPED_REFERENCES:
        return f"{_TYPED_REFERENCES[code]} {reader.long_number()}"
    raise WasmError(f"unknown value type 0x{code:02x} at byte {reader.position - 1}")


def _value_types(reader: Reader) -> tuple[str, ...]:
    return reader.vector(lambda: value_type(reader))


def _type(reader: Reader) -> Signature:
    form = reader.byte()
    if form != _FUNCTION_TYPE:
        raise WasmError(f"type form 0x{form:02x} at byte {reader.position - 1}: only function types are understood")
    return Signature(parameters=_value_types(reader), results=_value_types(reader))


def _skip_limits(reader: Reader) -> None:
    """Step over limits: bit 0 announces a maximum, bits 1 and 2 are shared and 64-bit, bit 3 a page size."""
    flags = reader.byte()
    if flags > 0xF:
        raise WasmError(f"unknown limits 0x{flags:02x} at byte {reader.position - 1}")
    for present in (1, flags & 1, flags & 8):
        if present:
            reader.long_number()


def _kind(reader: Reader) -> Kind:
    code = reader.byte()
    if code >= len(_KINDS):
        raise WasmError(f"unknown kind {code} of import or export at byte {reader.position - 1}")
    return _KINDS[code]


def _signature(types: tuple[Signature, ...], index: int) -> Signature:
    if index >= len(types):
        raise WasmError(f"type {index} is used, there are {len(types)}")
    return types[index]


def _skip_description(reader: Reader, kind: Kind) -> None:
    """Step over the type of an import that is no function."""
    if kind == "tag":
        reader.byte()
        reader.number()
        return
    if kind in {"table", "global"}:
        value_type(reader)
    if kind == "global":
        reader.byte()
    else:
        _skip_limits(reader)


def _import(reader: Reader, types: tuple[Signature, ...]) -> Import:
    module, name, kind = reader.name(), reader.name(), _kind(reader)
    if kind == "function":
        return Import(module=module, name=name, kind=kind, signature=_signature(types, reader.number()))
    _skip_description(reader, kind)
    return Import(module=module, name=name, kind=kind, signature=None)


def _export(reader: Reader, functions: list[Signature]) -> Export:
    name, kind, index = reader.name(), _kind(reader), reader.number()
    if kind != "function":
        return Export(name=name, kind=kind, signature=None)
    if index >= len(functions):
        raise WasmError(f"export {name!r} is function {index}, there are {len(functions)}")
    return Export(name=name, kind=kind, signature=functions[index])


def _flagged_names(reader: Reader, *, qualified: bool) -> dict[str, int]:
    """Read the entries of an export or import info subsection; those of imports name a module first."""
    flags: dict[str, int] = {}
    for _ in range(reader.count()):
        if qualified:
            reader.name()
        name = reader.name()
        flags[name] = reader.number()
    return flags


def _dylink(reader: Reader) -> Dylink:
    needed: tuple[str, ...] = ()
    runtime_paths: tuple[str, ...] = ()
    exports: dict[str, int] = {}
    imports: dict[str, int] = {}
    while not reader.at_end:
        kind = reader.byte()
        part = reader.part(reader.number())
        if kind == _NEEDED:
            needed += part.vector(part.name)
        elif kind == _EXPORT_INFO:
            exports |= _flagged_names(part, qualified=False)
        elif kind == _IMPORT_INFO:
            imports |= _flagged_names(part, qualified=True)
        elif kind == _RUNTIME_PATH:
            runtime_paths += part.vector(part.name)
    return Dylink(needed=needed, runtime_paths=runtime_paths, exports=exports, imports=imports)


def _used_features(reader: Reader) -> frozenset[str]:
    features = reader.vector(lambda: (reader.byte(), reader.name()))
    return frozenset(name for prefix, name in features if prefix in b"+=")


def _has_vector_locals(reader: Reader) -> bool:
    """Look at the local declarations of each function body, and at nothing else of it."""
    for _ in range(reader.count()):
        body = reader.part(reader.number())
        for _ in range(body.count()):
            body.number()
            if value_type(body) == "v128":
                return True
    return False


def split(data: bytes) -> tuple[dict[str, Reader], dict[int, Reader]]:
    """Return the custom sections by name, the first of each, and the others by number. Raises `WasmError`."""
    custom: dict[str, Reader] = {}
    known: dict[int, Reader] = {}
    for section, reader in sections(data):
        if section == _CUSTOM:
            custom.setdefault(reader.name(), reader)
        elif known.setdefault(section, reader) is not reader:
            raise WasmError(f"section {section} is there twice")
    return custom, known


def declarations(known: dict[int, Reader]) -> tuple[tuple[Signature, ...], tuple[Import, ...], list[Signature]]:
    """Read types, imports, and the type of every function, imported ones first. Raises `WasmError`."""
    types = vector(known, _TYPE, _type)
    imports = vector(known, _IMPORT, lambda reader: _import(reader, types))
    functions = [entry.signature for entry in imports if entry.signature]
    functions += vector(known, _FUNCTION, lambda reader: _signature(types, reader.number()))
    return types, imports, functions


def parse(data: bytes) -> Module:
    """Read a WebAssembly binary. Raises `WasmError`, and nothing else, for whatever is not one.

    Time and memory are linear in ``len(data)``; instructions and data are skipped, so that 10 MB take well under half a
    second.
    """
    custom, known = split(data)
    types, imports, functions = declarations(known)
    return Module(
        dylink=_dylink(custom["dylink.0"]) if "dylink.0" in custom else None,
        types=types,
        imports=imports,
        exports=vector(known, _EXPORT, lambda reader: _export(reader, functions)),
        custom_sections=tuple(custom),
        target_features=_used_features(custom["target_features"]) if "target_features" in custom else frozenset(),
        vector_locals=_CODE in known and _has_vector_locals(known[_CODE]),
    )


def vector(known: dict[int, Reader], section: int, item: Callable[[Reader], _T]) -> tuple[_T, ...]:
    """Read a section that is one vector, or nothing if the module has no such section."""
    if section not in known:
        return ()
    reader = known[section]
    return reader.vector(lambda: item(reader))
