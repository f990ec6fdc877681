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
