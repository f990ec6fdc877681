"""A WebAssembly binary -> what a dynamic linker needs to know of it.

Sections and encodings are those of the WebAssembly core specification 3.0, "Binary Format"; ``dylink.0`` and
``target_features`` are those of WebAssembly/tool-conventions, ``DynamicLinking.md`` and ``Linking.md``. The input is
hostile until proved otherwise: every count is bounded by the bytes that are there.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_T = TypeVar("_T")

Kind = Literal["function", "table", "memory", "global", "tag"]

MAGIC = b"\0asm"
_VERSION = b"\x01\0\0\0"
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
_LAST_SECTION = 13
_FUNCTION_TYPE = 0x60
_NEEDED, _EXPORT_INFO, _IMPORT_INFO, _RUNTIME_PATH = 2, 3, 4, 5
_BINDING_MASK, _BINDING_WEAK = 0x3, 0x1


class WasmError(ValueError):
    """The bytes are not a WebAssembly module, or one with something that this reader does not know."""


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


class _Reader:
    """A cursor over part of a buffer; whatever would leave that part is a `WasmError`."""

    __slots__ = ("data", "end", "position")

    def __init__(self, data: bytes, position: int, end: int) -> None:
        self.data = data
        self.position = position
        self.end = end

    @property
    def at_end(self) -> bool:
        return self.position >= self.end

    def byte(self) -> int:
        if self.position >= self.end:
            raise WasmError(f"it ends early, at byte {self.position}")
        value = self.data[self.position]
        self.position += 1
        return value

    def _leb(self, length: int) -> int:
        """Read a LEB128 of at most ``length`` bytes without extending its sign."""
        value = shift = 0
        for _ in range(length):
            byte = self.byte()
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
            shift += 7
        raise WasmError(f"a number at byte {self.position} is too long")

    def number(self) -> int:
        """Read an unsigned 32-bit number."""
        value = self._leb(5)
        if value >> 32:
            raise WasmError(f"a number at byte {self.position} has more than 32 bits")
        return value

    def long_number(self) -> int:
        """Read a 64-bit number, e.g. a limit of a 64-bit memory or a heap type."""
        return self._leb(10)

    def part(self, size: int) -> _Reader:
        """Split off the next ``size`` bytes and step over them."""
        start = self.position
        if size > self.end - start:
            raise WasmError(f"{size} bytes are announced at byte {start}, {self.end - start} are there")
        self.position = start + size
        return _Reader(self.data, start, self.position)

    def name(self) -> str:
        part = self.part(self.number())
        try:
            return self.data[part.position : part.end].decode()
        except UnicodeDecodeError as error:
            raise WasmError(f"the name at byte {part.position} is not UTF-8") from error

    def count(self) -> int:
        """Read the length of a vector, each of whose items takes a byte or more."""
        count = self.number()
        if count > self.end - self.position:
            raise WasmError(f"{count} items are announced at byte {self.position}, too many for what follows")
        return count

    def vector(self, item: Callable[[], _T]) -> tuple[_T, ...]:
        return tuple([item() for _ in range(self.count())])


def _value_type(reader: _Reader) -> str:
    code = reader.byte()
    if code in _VALUE_TYPES:
        return _VALUE_TYPES[code]
    if code in _TYPED_REFERENCES:
        return f"{_TYPED_REFERENCES[code]} {reader.long_number()}"
    raise WasmError(f"unknown value type 0x{code:02x} at byte {reader.position - 1}")


def _value_types(reader: _Reader) -> tuple[str, ...]:
    return reader.vector(lambda: _value_type(reader))


def _type(reader: _Reader) -> Signature:
    form = reader.byte()
    if form != _FUNCTION_TYPE:
        raise WasmError(f"type form 0x{form:02x} at byte {reader.position - 1}: only function types are understood")
    return Signature(parameters=_value_types(reader), results=_value_types(reader))


def _skip_limits(reader: _Reader) -> None:
    """Step over limits: bit 0 announces a maximum, bits 1 and 2 are shared and 64-bit, bit 3 a page size."""
    flags = reader.byte()
    if flags > 0xF:
        raise WasmError(f"unknown limits 0x{flags:02x} at byte {reader.position - 1}")
    for present in (1, flags & 1, flags & 8):
        if present:
            reader.long_number()


def _kind(reader: _Reader) -> Kind:
    code = reader.byte()
    if code >= len(_KINDS):
        raise WasmError(f"unknown kind {code} of import or export at byte {reader.position - 1}")
    return _KINDS[code]


def _signature(types: tuple[Signature, ...], index: int) -> Signature:
    if index >= len(types):
        raise WasmError(f"type {index} is used, there are {len(types)}")
    return types[index]


def _skip_description(reader: _Reader, kind: Kind) -> None:
    """Step over the type of an import that is no function."""
    if kind == "tag":
        reader.byte()
        reader.number()
        return
    if kind in {"table", "global"}:
        _value_type(reader)
    if kind == "global":
        reader.byte()
    else:
        _skip_limits(reader)


def _import(reader: _Reader, types: tuple[Signature, ...]) -> Import:
    module, name, kind = reader.name(), reader.name(), _kind(reader)
    if kind == "function":
        return Import(module=module, name=name, kind=kind, signature=_signature(types, reader.number()))
    _skip_description(reader, kind)
    return Import(module=module, name=name, kind=kind, signature=None)


def _export(reader: _Reader, functions: list[Signature]) -> Export:
    name, kind, index = reader.name(), _kind(reader), reader.number()
    if kind != "function":
        return Export(name=name, kind=kind, signature=None)
    if index >= len(functions):
        raise WasmError(f"export {name!r} is function {index}, there are {len(functions)}")
    return Export(name=name, kind=kind, signature=functions[index])


def _flagged_names(reader: _Reader, *, qualified: bool) -> dict[str, int]:
    """Read the entries of an export or import info subsection; those of imports name a module first."""
    flags: dict[str, int] = {}
    for _ in range(reader.count()):
        if qualified:
            reader.name()
        name = reader.name()
        flags[name] = reader.number()
    return flags


def _dylink(reader: _Reader) -> Dylink:
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


def _used_features(reader: _Reader) -> frozenset[str]:
    features = reader.vector(lambda: (reader.byte(), reader.name()))
    return frozenset(name for prefix, name in features if prefix in b"+=")


def _has_vector_locals(reader: _Reader) -> bool:
    """Look at the local declarations of each function body, and at nothing else of it."""
    for _ in range(reader.count()):
        body = reader.part(reader.number())
        for _ in range(body.count()):
            body.number()
            if _value_type(body) == "v128":
                return True
    return False


def _sections(data: bytes) -> Iterator[tuple[int, _Reader]]:
    if data[:4] != MAGIC or data[4:8] != _VERSION:
        raise WasmError("it does not start as a WebAssembly module of version 1")
    reader = _Reader(data, 8, len(data))
    while not reader.at_end:
        section = reader.byte()
        if section > _LAST_SECTION:
            raise WasmError(f"unknown section {section} at byte {reader.position - 1}")
        yield section, reader.part(reader.number())


def parse(data: bytes) -> Module:
    """Read a WebAssembly binary. Raises `WasmError`, and nothing else, for whatever is not one.

    Time and memory are linear in ``len(data)``; instructions and data are skipped, so that 10 MB take well under half a
    second.
    """
    custom: dict[str, _Reader] = {}
    known: dict[int, _Reader] = {}
    for section, reader in _sections(data):
        if section == _CUSTOM:
            custom.setdefault(reader.name(), reader)
        elif known.setdefault(section, reader) is not reader:
            raise WasmError(f"section {section} is there twice")

    types = _vector(known, _TYPE, _type)
    imports = _vector(known, _IMPORT, lambda reader: _import(reader, types))
    functions = [entry.signature for entry in imports if entry.signature]
    functions += _vector(known, _FUNCTION, lambda reader: _signature(types, reader.number()))
    return Module(
        dylink=_dylink(custom["dylink.0"]) if "dylink.0" in custom else None,
        types=types,
        imports=imports,
        exports=_vector(known, _EXPORT, lambda reader: _export(reader, functions)),
        custom_sections=tuple(custom),
        target_features=_used_features(custom["target_features"]) if "target_features" in custom else frozenset(),
        vector_locals=_CODE in known and _has_vector_locals(known[_CODE]),
    )


def _vector(sections: dict[int, _Reader], section: int, item: Callable[[_Reader], _T]) -> tuple[_T, ...]:
    """Read a section that is one vector, or nothing if the module has no such section."""
    if section not in sections:
        return ()
    reader = sections[section]
    return reader.vector(lambda: item(reader))
