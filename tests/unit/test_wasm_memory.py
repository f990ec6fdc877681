"""emwheels.audit.wasm.memory, on binaries encoded here as wasm-ld 21 writes side modules."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wasm_encoding import HEADER, I32, code, function_type, name, number, section, sized, vector

from emwheels.audit.wasm import Memory, Signature, WasmError, read_memory

ONE = Signature(parameters=("i32",), results=("i32",))
NOTHING = Signature(parameters=(), results=())
END, ADD, SUB = b"\x0b", b"\x6a", b"\x6b"
MEMORY_BASE, TABLE_BASE, FOREIGN = b"\x23\x00", b"\x23\x01", b"\x23\x02"


def constant(value: int) -> bytes:
    """Encode ``i32.const``, whose number is signed."""
    encoded = bytearray()
    while not -64 <= value < 64:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    return b"\x41" + bytes([*encoded, value & 0x7F])


def store(offset: int, address: bytes, value: bytes) -> bytes:
    return address + value + b"\x36\x02" + number(offset)


def call(function: int) -> bytes:
    return b"\x10" + number(function)


def side_module(*bodies: bytes, data: bytes = b"abcd\x01\x02\x03\x04text\0\xff", locals_: bytes = b"\0") -> bytes:
    """Return a module with one imported function, ``bodies`` after it, and one of type ONE that is in the table."""
    functions = [b"\x01"] * len(bodies) + [b"\0"]
    return (
        HEADER
        + section(1, vector(function_type([I32], [I32]), function_type([], [])))
        + section(
            2,
            vector(
                name("env") + name("__memory_base") + b"\x03\x7f\0",
                name("env") + name("__table_base") + b"\x03\x7f\0",
                name("GOT.func") + name("PyObject_Free") + b"\x03\x7f\x01",
                name("env") + name("other") + b"\0\x01",
            ),
        )
        + section(3, vector(*functions))
        + section(7, vector(name("__wasm_apply_data_relocs") + b"\0\x01"))
        + section(9, vector(b"\0" + TABLE_BASE + END + vector(number(0), number(len(bodies) + 1))))
        + code(*(locals_ + body + END for body in bodies), b"\0\x41\0\x0b")
        + section(11, vector(b"\0" + MEMORY_BASE + constant(100) + ADD + END + sized(data), b"\x01" + sized(b"x")))
    )


def test_words_and_texts():
    memory = read_memory(side_module(b""))
    assert memory.word(104) == 0x04030201
    assert [memory.word(address) for address in (99, 110, 111, 5)] == [None, 0xFF007478, None, None]
    assert memory.text(108, 10) == "text"
    assert [memory.text(*arguments) for arguments in ((108, 3), (112, 9), (104, 9), (113, 9), (0, 9))] == [None] * 5


def test_addresses_of_data_and_functions():
    stores = store(104, MEMORY_BASE, MEMORY_BASE + constant(108) + ADD)
    stores += store(0, MEMORY_BASE + constant(100) + ADD, TABLE_BASE + constant(1) + ADD)
    stores += store(108, MEMORY_BASE, TABLE_BASE)
    stores += store(112, MEMORY_BASE, FOREIGN)
    memory = read_memory(side_module(stores))
    assert memory.pointers == {104: 108}
    assert memory.functions == {100: ONE, 108: NOTHING}
    assert memory.foreign == {112}
    assert memory.plain(104) is None
    assert memory.plain(105) == memory.word(105)


def test_what_the_loader_looks_up():
    stores = store(100, MEMORY_BASE, FOREIGN)
    stores += store(104, MEMORY_BASE, FOREIGN + constant(8) + ADD)  # as a typeinfo has its vtable's
    stores += store(108, MEMORY_BASE, MEMORY_BASE) + store(112, MEMORY_BASE, TABLE_BASE + constant(99) + ADD)
    stores += store(116, MEMORY_BASE, FOREIGN + FOREIGN + ADD) + store(120, MEMORY_BASE, FOREIGN)
    stores += store(120, MEMORY_BASE, MEMORY_BASE)
    memory = read_memory(side_module(stores))
    assert memory.imported == dict.fromkeys((100, 104), "GOT.func.PyObject_Free")
    assert memory.foreign == {100, 104, 112, 116}


def test_variables_negative_numbers_and_further_functions():
    first = MEMORY_BASE + constant(200) + ADD + b"\x22\x00" + TABLE_BASE + constant(-3) + SUB + constant(-2) + ADD
    first += b"\x36\x02\0" + call(2) + call(1)
    second = MEMORY_BASE + constant(-4) + SUB + b"\x21\x00" + store(96, b"\x20\x00", b"\x20\x00")
    memory = read_memory(side_module(first, second, locals_=vector(b"\x01\x7f")))
    assert memory.functions == {200: ONE}
    assert memory.pointers == {100: 4}


def test_numbers_keep_32_bits():
    """A hostile module doubles a number as often as it has bytes for."""
    doubled = b"\x20\x00\x20\x00" + ADD + b"\x21\x00"
    body = constant(3) + b"\x21\x00" + doubled * 31 + store(100, MEMORY_BASE, MEMORY_BASE + b"\x20\x00" + ADD)
    body += doubled * 100_000 + store(104, MEMORY_BASE, MEMORY_BASE + b"\x20\x00" + ADD)
    memory = read_memory(side_module(body, locals_=vector(b"\x01\x7f")))
    assert memory.pointers == {100: 1 << 31, 104: 0}


@pytest.mark.parametrize(
    "body",
    [
        store(100, MEMORY_BASE, MEMORY_BASE + TABLE_BASE + ADD),
        store(100, MEMORY_BASE, TABLE_BASE + constant(99) + ADD),
        store(100, MEMORY_BASE, b"\x20\x07"),
        store(100, MEMORY_BASE, constant(1) + MEMORY_BASE + SUB),
    ],
)
def test_what_is_not_understood_is_foreign(body):
    memory = read_memory(side_module(body))
    assert memory.foreign == {100}
    assert not memory.pointers


@pytest.mark.parametrize(
    "body", [store(0, TABLE_BASE, constant(1)), b"\x36\x02\0", b"\x01" + store(100, MEMORY_BASE, FOREIGN)]
)
def test_what_is_no_store_to_this_memory_is_left_out(body):
    memory = read_memory(side_module(body))
    assert not memory.foreign
    assert not memory.pointers


def test_a_module_without_data():
    assert read_memory(HEADER) == Memory(segments=[])


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "does not start"),
        (HEADER + section(11, vector(b"\x03")), "unknown kind 3 of data"),
        (HEADER + section(11, vector(b"\0\x42\0\x0b")), "unknown operation 0x42"),
        (HEADER + section(11, vector(b"\0\x0b\x05a")), "5 bytes are announced"),
        (HEADER + section(9, vector(b"\0\x0b\x05a")), "5 items are announced"),
    ],
)
def test_what_is_wrong_is_said(data, message):
    with pytest.raises(WasmError, match=message):
        read_memory(data)


MODULE = side_module(store(100, MEMORY_BASE, TABLE_BASE) + call(2), store(104, MEMORY_BASE, MEMORY_BASE))


@given(st.lists(st.tuples(st.integers(8, len(MODULE) - 1), st.integers(0, 255)), max_size=4), st.integers(0))
def test_mutations_are_read_or_refused(changes, length):
    data = bytearray(MODULE)
    for position, value in changes:
        data[position] = value
    with contextlib.suppress(WasmError):
        read_memory(bytes(data[: length % (2 * len(data))]))


@given(st.sampled_from([7, 9, 10, 11]), st.binary(max_size=100))
def test_arbitrary_content_is_read_or_refused(identifier, data):
    with contextlib.suppress(WasmError):
        read_memory(HEADER + section(identifier, data))
