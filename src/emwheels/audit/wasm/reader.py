"""A WebAssembly binary as bytes, numbers and sections. The input is hostile until proved otherwise."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_T = TypeVar("_T")

MAGIC = b"\0asm"
_VERSION = b"\x01\0\0\0"
_LAST_SECTION = 13


class WasmError(ValueError):
    """The bytes are not a WebAssembly module, or one with something that this reader does not know."""


class Reader:
    """A cursor over part of a buffer; whatever would leave that part is a `WasmError`."""

    __slots__ = ("data", "end", "position")

    def __init__(self, data: bytes, position: int, end: int) -> None:
        self.data = data
        self.position = position
        self.end = end

    @property
    def at_end(self) -> bool:
        """Tell whether nothing is left."""
        return self.position >= self.end

    def byte(self) -> int:
        """Read one byte."""
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

    def signed(self) -> int:
        """Read a signed 32-bit number."""
        start = self.position
        value = self._leb(5)
        bits = 7 * (self.position - start)
        return value - (1 << bits) if value >> (bits - 1) else value

    def long_number(self) -> int:
        """Read a 64-bit number, e.g. a limit of a 64-bit memory or a heap type."""
        return self._leb(10)

    def part(self, size: int) -> Reader:
        """Split off the next ``size`` bytes and step over them."""
        start = self.position
        if size > self.end - start:
            raise WasmError(f"{size} bytes are announced at byte {start}, {self.end - start} are there")
        self.position = start + size
        return Reader(self.data, start, self.position)

    def name(self) -> str:
        """Read a length and that many bytes of UTF-8."""
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
        """Read a length and that many of what ``item`` reads."""
        return tuple([item() for _ in range(self.count())])


def sections(data: bytes) -> Iterator[tuple[int, Reader]]:
    """Yield number and content of each section. Raises `WasmError`."""
    if data[:4] != MAGIC or data[4:8] != _VERSION:
        raise WasmError("it does not start as a WebAssembly module of version 1")
    reader = Reader(data, 8, len(data))
    while not reader.at_end:
        section = reader.byte()
        if section > _LAST_SECTION:
            raise WasmError(f"unknown section {section} at byte {reader.position - 1}")
        yield section, reader.part(reader.number())
