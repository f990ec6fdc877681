"""What modules, objects and archives want and give, read from files: and bytes that are none."""

from __future__ import annotations

import random
from contextlib import suppress

import pytest

from emwheels.audit import wasm
from emwheels.audit.wasm.objects import ARCHIVE, archive_members, read_symbols
from emwheels.errors import AuditError
from emwheels.pipeline.symbols import file_symbols


def leb(number):
    out = b""
    while True:
        number, low = number >> 7, number & 0x7F
        out += bytes([low | (0x80 if number else 0)])
        if not number:
            return out


def text(name):
    return leb(len(name)) + name.encode()


def section(number, content):
    return bytes([number]) + leb(len(content)) + content


FUNCTIONS = section(1, b"\x01\x60\x01\x7f\x01\x7f") + section(
    2, leb(2) + text("env") + text("asked") + b"\x00\x00" + text("env") + text("renamed") + b"\x00\x00"
)
TABLE = (
    leb(7)
    + b"\x00\x10\x00"  # function 0, undefined: named by its import
    + b"\x00\x50\x01"
    + text("spelled")  # function 1, undefined, with a name of its own
    + b"\x00\x00\x02"
    + text("made")
    + b"\x00\x02\x03"
    + text("local")
    + b"\x01\x01"
    + text("table_of_weak")
    + b"\x00\x00\x04"
    + b"\x01\x11"
    + text("weakly_asked")
    + b"\x03\x00\x00"
)
OBJECT = b"\0asm\x01\0\0\0" + FUNCTIONS + section(0, text("linking") + b"\x02" + b"\x08" + leb(len(TABLE)) + TABLE)


def member(name, data):
    return f"{name:<16}{0:<12}{0:<6}{0:<6}{644:<8}{len(data):<10}`\n".encode() + data + b"\n" * (len(data) % 2)


def test_symbols_of_an_object():
    found = {(each.name, each.kind, each.defined, each.weak) for each in read_symbols(OBJECT)}
    assert found == {
        ("asked", "function", False, False),
        ("spelled", "function", False, False),
        ("made", "function", True, False),
        ("table_of_weak", "data", True, True),
        ("weakly_asked", "data", False, True),
    }


def test_an_archive_with_long_names(tmp_path):
    names = b"a_name_that_is_longer_than_sixteen.o/\n"
    archive = ARCHIVE + member("/", b"\0\0\0\0") + member("//", names) + member("/0", OBJECT) + member("b.o/", OBJECT)
    path = tmp_path / "lib.a"
    path.write_bytes(archive)
    long, short = file_symbols(path)
    assert (long.member, short.member) == ("a_name_that_is_longer_than_sixteen.o", "b.o")
    assert {(each.name, each.giver, each.weak) for each in short.imports} == {
        ("asked", "", False),
        ("spelled", "", False),
        ("weakly_asked", "", True),
    }
    assert [each.name for each in short.exports] == ["made", "table_of_weak"]


@pytest.mark.parametrize("size", [7, 20, 60, 100, 150])
def test_an_archive_that_ends_early(tmp_path, size):
    path = tmp_path / "lib.a"
    path.write_bytes((ARCHIVE + member("b.o/", OBJECT))[:size])
    with pytest.raises(AuditError) as error:
        file_symbols(path)
    assert str(path) in error.value.message


def test_bytes_at_random_are_refused_and_nothing_else():
    chance = random.Random(3)
    for _ in range(3000):
        data = bytearray(OBJECT)
        for _ in range(chance.randint(1, 4)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        with suppress(wasm.WasmError):
            read_symbols(bytes(data))
        archive = bytearray(ARCHIVE + member("b.o/", OBJECT))
        archive[chance.randrange(8, len(archive))] = chance.randrange(256)
        with suppress(wasm.WasmError):
            list(archive_members(bytes(archive)))


@pytest.mark.parametrize("content", [b"", b"text", b"\0asm\x02\0\0\0", b"PK\x03\x04broken"])
def test_a_file_that_is_none_of_these(tmp_path, content):
    path = tmp_path / "file.so"
    path.write_bytes(content)
    with pytest.raises(AuditError, match=r"file\.so"):
        file_symbols(path)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(AuditError, match="cannot be read"):
        file_symbols(tmp_path / "x.whl")
