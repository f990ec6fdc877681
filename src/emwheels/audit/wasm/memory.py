"""A side module's binary -> what its memory holds once it is loaded: words, texts, pointers, and what they point to.

wasm-ld (LLVM 21) writes the data of a side module without the addresses in it, and a function that stores those when
the module is loaded: ``__wasm_apply_data_relocs``, straight-line code of additions to ``__memory_base`` and
``__table_base`` (tool-conventions, ``DynamicLinking.md``). That function is carried out here with the two bases left
open, as far as it is understood; what is not is left out.
"""

from __future__ import annotations

import struct
from bisect import bisect_right
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from emwheels.audit.wasm.module import declarations, split, value_type, vector
from emwheels.audit.wasm.reader import Reader, WasmError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from emwheels.audit.wasm.module import Import, Signature

_EXPORT, _ELEMENT, _CODE, _DATA = 7, 9, 10, 11
_APPLY = "__wasm_apply_data_relocs"
_MEMORY_BASE, _TABLE_BASE = "env.__memory_base", "env.__table_base"
_END, _CALL, _LOCAL_GET, _LOCAL_SET, _LOCAL_TEE, _GLOBAL_GET = 0x0B, 0x10, 0x20, 0x21, 0x22, 0x23
_I32_STORE, _I32_CONST, _I32_ADD, _I32_SUB = 0x36, 0x41, 0x6A, 0x6B
_ADDRESS = 0xFFFFFFFF


@dataclass(frozen=True, kw_only=True)
class Memory:
    """Addresses are those in the module's own memory, which starts at 0, whatever it is loaded at."""

    segments: Sequence[tuple[int, bytes]] = ()
    """First address and bytes, by address."""
    pointers: Mapping[int, int] = field(default_factory=dict)
    """Address of a pointer -> address in this memory that it has."""
    functions: Mapping[int, Signature] = field(default_factory=dict)
    """Address of a pointer -> type of the module's own function that it calls."""
    imported: Mapping[int, str] = field(default_factory=dict)
    """Address of a pointer -> what the loader looks up for it, e.g. ``GOT.mem.environ``."""
    foreign: frozenset[int] = frozenset()
    """Addresses of pointers to what other modules have, or to what was not understood."""

    def word(self, address: int) -> int | None:
        """Return the 32 bits there before anything is stored; None outside the data."""
        if (place := self._find(address)) is None or place[1] + 4 > len(place[0]):
            return None
        return int(struct.unpack_from("<I", *place)[0])

    def text(self, address: int, most: int) -> str | None:
        """Return the printable text of ``most`` bytes or fewer there, up to its zero; None if there is no such."""
        if (place := self._find(address)) is None:
            return None
        data, start = place
        end = data.find(0, start, start + most + 1)
        text = data[start:end].decode("utf-8", "replace") if end > start else ""
        return text if text.isprintable() and text else None

    def plain(self, address: int) -> int | None:
        """Return the word there if it is no pointer; None if it is one, or outside the data."""
        return None if self.is_pointer(address) else self.word(address)

    def is_pointer(self, address: int) -> bool:
        """Tell whether something is stored there when the module is loaded."""
        return address in self.pointers or address in self.functions or address in self.foreign

    def _find(self, address: int) -> tuple[bytes, int] | None:
        i = bisect_right(self.segments, address, key=lambda segment: segment[0]) - 1
        if i < 0 or address - self.segments[i][0] >= len(self.segments[i][1]):
            return None
        start, data = self.segments[i]
        return data, address - start


class _Value(NamedTuple):
    """A constant of 32 bits, added to what a global holds if ``base`` names one; "?" is what is not known."""

    base: str
    constant: int


_UNKNOWN = _Value("?", 0)


def read_memory(data: bytes) -> Memory:
    """Read a WebAssembly binary. Raises `WasmError`, and nothing else, for whatever is not one.

    Time and memory are linear in ``len(data)``.
    """
    _, known = split(data)
    _, imports, functions = declarations(known)
    globals_ = [f"{entry.module}.{entry.name}" for entry in imports if entry.kind == "global"]
    stored: dict[int, _Value] = {}
    start = _exported_function(known)
    if start is not None and _CODE in known:
        code = known[_CODE]
        bodies = code.vector(lambda: code.part(code.number()))
        _Execution(bodies, _count_functions(imports), globals_, stored).run(start)
    table = _elements(known, globals_)
    pointers = {address: value.constant for address, value in stored.items() if value.base == _MEMORY_BASE}
    called = {
        address: functions[index]
        for address, value in stored.items()
        if value.base == _TABLE_BASE and (index := table.get(value.constant)) is not None and index < len(functions)
    }
    imported = {address: value.base for address, value in stored.items() if value.base.startswith("GOT.")}
    return Memory(
        segments=sorted(_segments(known, globals_)),
        imported=imported,
        pointers=pointers,
        functions=called,
        foreign=frozenset(stored.keys() - pointers.keys() - called.keys()),
    )


def _count_functions(imports: Sequence[Import]) -> int:
    return sum(entry.kind == "function" for entry in imports)


def _exported_function(known: dict[int, Reader]) -> int | None:
    reader = known.get(_EXPORT)
    if reader is None:
        return None
    for _ in range(reader.count()):
        name, kind, index = reader.name(), reader.byte(), reader.number()
        if name == _APPLY and kind == 0:
            return index
    return None


class _Execution:
    """Carries out functions without branches; what it does not understand ends it."""

    def __init__(
        self, bodies: Sequence[Reader], imported: int, globals_: Sequence[str], stored: dict[int, _Value]
    ) -> None:
        self._bodies = bodies
        self._imported = imported
        self._globals = globals_
        self._stored = stored

    def run(self, function: int) -> None:
        """Carry out ``function`` and then what it calls; wasm-ld splits the stores over several functions."""
        queue, seen = [function], {function}
        for index in queue:
            if 0 <= index - self._imported < len(self._bodies):
                called = self._body(self._bodies[index - self._imported])
                queue += (other for other in dict.fromkeys(called) if other not in seen)
                seen.update(called)

    def _body(self, reader: Reader) -> list[int]:
        for _ in range(reader.count()):
            reader.number()
            value_type(reader)
        stack: list[_Value] = []
        variables: dict[int, _Value] = {}
        called: list[int] = []

        def pop() -> _Value:
            return stack.pop() if stack else _UNKNOWN

        while not reader.at_end:
            operation = reader.byte()
            if operation == _GLOBAL_GET:
                index = reader.number()
                stack.append(_Value(self._globals[index], 0) if index < len(self._globals) else _UNKNOWN)
            elif operation == _I32_CONST:
                stack.append(_Value("", reader.signed()))
            elif operation in {_I32_ADD, _I32_SUB}:
                right, left = pop(), pop()
                stack.append(_added(left, right) if operation == _I32_ADD else _subtracted(left, right))
            elif operation == _LOCAL_GET:
                stack.append(variables.get(reader.number(), _UNKNOWN))
            elif operation in {_LOCAL_SET, _LOCAL_TEE}:
                variables[reader.number()] = value = pop()
                if operation == _LOCAL_TEE:
                    stack.append(value)
            elif operation == _I32_STORE:
                reader.number()
                offset, value, address = reader.number(), pop(), pop()
                if address.base == _MEMORY_BASE:
                    self._stored[(address.constant + offset) & _ADDRESS] = value
            elif operation == _CALL:
                called.append(reader.number())
            elif operation != _END:
                break
        return called


def _added(left: _Value, right: _Value) -> _Value:
    if left.base and right.base:
        return _UNKNOWN
    return _Value(left.base or right.base, (left.constant + right.constant) & _ADDRESS)


def _subtracted(left: _Value, right: _Value) -> _Value:
    if right.base and (left.base != right.base or right.base == "?"):
        return _UNKNOWN
    return _Value("" if right.base else left.base, (left.constant - right.constant) & _ADDRESS)


def _offset(reader: Reader, globals_: Sequence[str]) -> _Value:
    """Read a constant expression."""
    stack: list[_Value] = []
    while (operation := reader.byte()) != _END:
        if operation == _GLOBAL_GET:
            index = reader.number()
            stack.append(_Value(globals_[index], 0) if index < len(globals_) else _UNKNOWN)
        elif operation == _I32_CONST:
            stack.append(_Value("", reader.signed()))
        elif operation == _I32_ADD and len(stack) > 1:
            stack.append(_added(stack.pop(), stack.pop()))
        else:
            raise WasmError(f"unknown operation 0x{operation:02x} in the offset at byte {reader.position - 1}")
    return stack[-1] if stack else _UNKNOWN


def _elements(known: dict[int, Reader], globals_: Sequence[str]) -> dict[int, int]:
    """Return place in the module's part of the table -> function. Segments of other kinds end the reading."""
    table: dict[int, int] = {}
    reader = known.get(_ELEMENT)
    if reader is None:
        return table
    for _ in range(reader.count()):
        if reader.number() != 0:
            break
        offset = _offset(reader, globals_)
        entries = reader.vector(reader.number)
        if offset.base == _TABLE_BASE:
            table.update(enumerate(entries, offset.constant))
    return table


def _segments(known: dict[int, Reader], globals_: Sequence[str]) -> tuple[tuple[int, bytes], ...]:
    def segment(reader: Reader) -> tuple[int, bytes] | None:
        mode = reader.number()
        if mode > 2:
            raise WasmError(f"unknown kind {mode} of data at byte {reader.position - 1}")
        if mode == 2:
            reader.number()
        offset = _UNKNOWN if mode == 1 else _offset(reader, globals_)
        part = reader.part(reader.number())
        content = part.data[part.position : part.end]
        return (offset.constant & _ADDRESS, content) if offset.base == _MEMORY_BASE else None

    return tuple(entry for entry in vector(known, _DATA, segment) if entry is not None)
