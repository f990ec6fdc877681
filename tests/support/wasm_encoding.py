"""Encodes pieces of WebAssembly binaries."""

from __future__ import annotations

HEADER = b"\0asm\x01\0\0\0"
I32, I64, V128 = 0x7F, 0x7E, 0x7B


def number(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*encoded, value])


def vector(*items: bytes) -> bytes:
    return number(len(items)) + b"".join(items)


def sized(content: bytes) -> bytes:
    return number(len(content)) + content


def name(text: str) -> bytes:
    return sized(text.encode())


def section(identifier: int, content: bytes) -> bytes:
    return bytes([identifier]) + sized(content)


def custom(title: str, content: bytes) -> bytes:
    return section(0, name(title) + content)


def function_type(parameters: list[int], results: list[int]) -> bytes:
    return b"\x60" + sized(bytes(parameters)) + sized(bytes(results))


def code(*bodies: bytes) -> bytes:
    return section(10, vector(*(sized(body) for body in bodies)))


# -- object files and archives of them ---------------------------------------------------------------------------------

FUNCTION, DATA, GLOBAL, SECTION, TAG, TABLE = range(6)
WEAK, LOCAL, HIDDEN, UNDEFINED, EXPORTED, EXPLICIT_NAME, NO_STRIP = 0x1, 0x2, 0x4, 0x10, 0x20, 0x40, 0x80
"""Kinds and flags of symbols (tool-conventions, ``Linking.md``)."""


def symbol(kind: int, flags: int = 0, title: str = "") -> bytes:
    """Encode an entry of a symbol table; an undefined one has its name from what it imports, unless it is explicit."""
    defined = not flags & UNDEFINED
    start = bytes([kind]) + number(flags)
    if kind == DATA:
        return start + name(title) + (number(0) + number(300) + number(4) if defined else b"")
    named = kind != SECTION and (defined or flags & EXPLICIT_NAME)
    return start + number(200) + (name(title) if named else b"")


def object_file(*symbols: bytes) -> bytes:
    """Encode an object file with these symbols, and sections before and after that have to be passed over."""
    subsections = b"\x05" + sized(vector(name(".rodata"))) + b"\x08" + sized(vector(*symbols))
    linking = custom("linking", number(2) + subsections + b"\x07" + sized(vector()))
    return HEADER + custom("producers", b"\x08\x01") + code(b"\0\x0b") + linking + custom("reloc.CODE", b"\x03\0")


def member(title: str, data: bytes) -> bytes:
    """Encode a member of an archive."""
    header = f"{title:<16}{0:<12}{0:<6}{0:<6}{644:<8}{len(data):<10}`\n"
    return header.encode() + data + b"\n" * (len(data) % 2)


def archive(**objects: bytes) -> bytes:
    """Encode an archive in GNU's format: a table of symbols, one of long names, and the objects."""
    members = b"".join(member(f"{title}.o/", data) for title, data in objects.items())
    return b"!<arch>\n" + member("/", b"\0\0\0\x01\0\0\0\x48f") + member("//", b"a_very_long_name.o/\n") + members


def thin_archive(*paths: str) -> bytes:
    """Encode a thin archive, which has no more than the paths of its members: in the header, or in a table."""
    table = "".join(f"{path}/\n" for path in paths if "/" in path)
    titles = [f"/{table.index(path)}" if "/" in path else f"{path}/" for path in paths]
    headers = b"".join(member(title, b"")[:48] + f"{1234:<10}`\n".encode() for title in titles)
    return b"!<thin>\n" + member("/", b"\0\0\0\0\0") + member("//", table.encode()) + headers
