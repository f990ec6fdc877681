"""Object files, and archives of them: which symbols each defines, and which it leaves to others (Linking.md)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from emwheels.audit.wasm.module import declarations, split
from emwheels.audit.wasm.reader import WasmError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from emwheels.audit.wasm.module import Import
    from emwheels.audit.wasm.reader import Reader

ARCHIVE = b"!<arch>\n"
_HEADER = 60
_VERSION, _SYMBOL_TABLE = 2, 8
_KINDS = ("function", "data", "global", "section", "tag", "table")
_DATA, _SECTION = 1, 3
_WEAK, _LOCAL, _UNDEFINED, _EXPLICIT_NAME = 0x1, 0x2, 0x10, 0x40


@dataclass(frozen=True, kw_only=True)
class Symbol:
    """One symbol of an object file that others can see or have to give."""

    name: str
    kind: str
    defined: bool
    weak: bool


def read_symbols(data: bytes) -> tuple[Symbol, ...]:
    """Return the symbols of an object file, local ones left out. Raises `WasmError` for whatever is not one."""
    custom, known = split(data)
    if "linking" not in custom:
        raise WasmError("it has no section `linking`: it is no object file")
    _, imports, _ = declarations(known)
    reader = custom["linking"]
    if (version := reader.number()) != _VERSION:
        raise WasmError(f"its section `linking` is of version {version}; {_VERSION} is understood")
    symbols: list[Symbol | None] = []
    while not reader.at_end:
        kind = reader.byte()
        part = reader.part(reader.number())
        if kind == _SYMBOL_TABLE:
            symbols += [_symbol(part, imports) for _ in range(part.count())]
    return tuple(symbol for symbol in symbols if symbol is not None)


def _symbol(reader: Reader, imports: tuple[Import, ...]) -> Symbol | None:
    """Read one entry of the symbol table; None for a local symbol, or a section's."""
    number, flags = reader.byte(), reader.number()
    if number >= len(_KINDS):
        raise WasmError(f"unknown kind {number} of symbol at byte {reader.position}")
    defined = not flags & _UNDEFINED
    name = ""
    if number == _SECTION:
        reader.number()
        return None
    if number == _DATA:
        name = reader.name()
        for _ in range(3 if defined else 0):
            reader.number()
    else:
        index = reader.number()
        own = defined or flags & _EXPLICIT_NAME
        name = reader.name() if own else _imported(_KINDS[number], index, imports)
    if flags & 0x3 == _LOCAL:
        return None
    return Symbol(name=name, kind=_KINDS[number], defined=defined, weak=flags & 0x3 == _WEAK)


def _imported(kind: str, index: int, imports: tuple[Import, ...]) -> str:
    """Return the name of an import, by its index among those of its kind."""
    names = [entry.name for entry in imports if entry.kind == kind]
    if index >= len(names):
        raise WasmError(f"a symbol is {kind} {index} of those imported, there are {len(names)}")
    return names[index]


def archive_members(data: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield name and content of each object in an archive of ar(1), GNU's long names resolved. Raises `WasmError`."""
    position, names = len(ARCHIVE), b""
    while position < len(data):
        header = data[position : position + _HEADER]
        size = header[48:58].strip()
        if len(header) != _HEADER or header[58:] != b"`\n" or not size.isdigit():
            raise WasmError(f"it is damaged at byte {position}: that is no header of an archive's member")
        content = data[position + _HEADER : position + _HEADER + int(size)]
        if len(content) != int(size):
            raise WasmError(f"it ends early, in the member at byte {position}")
        position += _HEADER + int(size) + int(size) % 2
        name = header[:16].rstrip()
        if name == b"//":
            names = content
        elif name not in (b"/", b"/SYM64/"):
            yield _member_name(name, names), content


def _member_name(name: bytes, names: bytes) -> str:
    if name.startswith(b"/") and name[1:].isdigit():
        name = names[int(name[1:]) :].partition(b"\n")[0]
    return name.rstrip(b"/").decode(errors="replace")
