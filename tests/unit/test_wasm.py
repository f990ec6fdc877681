"""emwheels.audit.wasm, on binaries encoded here."""

from __future__ import annotations

import contextlib
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wasm_encoding import HEADER, I32, I64, V128, code, custom, function_type, name, number, section, sized, vector

from emwheels.audit.wasm import Dylink, Export, Import, Signature, WasmError, parse

DYLINK = custom(
    "dylink.0",
    b"\x01"
    + sized(b"\x08\x02\x01\0")
    + b"\x02"
    + sized(vector(name("libgeos.so")))
    + b"\x03"
    + sized(vector(name("thread_local") + number(0x100)))
    + b"\x04"
    + sized(vector(name("env") + name("maybe") + b"\x01", name("GOT.mem") + name("surely") + b"\x10"))
    + b"\x05"
    + sized(vector(name("$ORIGIN/../x.libs")))
    + b"\x63"
    + sized(b"of the future"),
)
TYPES = section(1, vector(function_type([I32, I64], [I32]), function_type([], [])))
IMPORTS = section(
    2,
    vector(
        name("env") + name("table") + b"\x01\x70\0\x05",
        name("env") + name("memory") + b"\x02\x01\x01\x10",
        name("env") + name("call") + b"\0\0",
        name("GOT.mem") + name("data") + b"\x03\x7f\x01",
        name("env") + name("__cpp_exception") + b"\x04\0\0",
    ),
)
FUNCTIONS = section(3, vector(b"\x01"))
EXPORTS = section(7, vector(name("again") + b"\0\0", name("start") + b"\0\x01", name("data") + b"\x03\x05"))
MODULE = HEADER + DYLINK + TYPES + IMPORTS + FUNCTIONS + EXPORTS + code(b"\0\x0b")
CALL = Signature(parameters=("i32", "i64"), results=("i32",))
NOTHING = Signature(parameters=(), results=())


def test_a_side_module_is_read():
    module = parse(MODULE)
    assert module.types == (CALL, NOTHING)
    assert module.imports == (
        Import(module="env", name="table", kind="table", signature=None),
        Import(module="env", name="memory", kind="memory", signature=None),
        Import(module="env", name="call", kind="function", signature=CALL),
        Import(module="GOT.mem", name="data", kind="global", signature=None),
        Import(module="env", name="__cpp_exception", kind="tag", signature=None),
    )
    assert module.exports == (
        Export(name="again", kind="function", signature=CALL),
        Export(name="start", kind="function", signature=NOTHING),
        Export(name="data", kind="global", signature=None),
    )
    assert module.custom_sections == ("dylink.0",)
    assert not module.uses_simd


def test_dylink_section():
    dylink = parse(MODULE).dylink
    assert dylink == Dylink(
        needed=("libgeos.so",),
        runtime_paths=("$ORIGIN/../x.libs",),
        exports={"thread_local": 0x100},
        imports={"maybe": 1, "surely": 0x10},
    )
    assert dylink is not None
    assert dylink.is_weak("maybe")
    assert not dylink.is_weak("surely")
    assert not dylink.is_weak("absent")


def test_an_empty_module_is_no_shared_library():
    module = parse(HEADER)
    assert module.dylink is None
    assert module.exports == module.imports == module.types == ()


def test_signature_reads_like_a_declaration():
    assert str(CALL) == "(i32, i64) -> (i32)"


@pytest.mark.parametrize(
    ("sections", "used"),
    [
        (custom("target_features", vector(b"+" + name("simd128"), b"+" + name("sign-ext"))), True),
        (custom("target_features", vector(b"-" + name("simd128"))), False),
        (section(1, vector(function_type([V128], []))), True),
        (code(b"\0\x0b", vector(b"\x02\x7f", b"\x01\x7b") + b"\x0b"), True),
        (code(vector(b"\x02\x7f") + b"\xfd\x0c\x0b"), False),
    ],
)
def test_simd_is_told_by_features_types_and_locals(sections, used):
    assert parse(HEADER + sections).uses_simd is used


def test_typed_references_and_wide_limits():
    references = section(1, vector(b"\x60" + vector(b"\x63\x70", b"\x64\0") + b"\0"))
    memory = section(2, vector(name("env") + name("memory") + b"\x02\x0f\x01\x80\x80\x04\x10"))
    module = parse(HEADER + references + memory)
    assert module.types[0].parameters == ("ref null 112", "ref 0")
    assert module.imports[0].kind == "memory"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "does not start"),
        (b"\x7fELF" + bytes(60), "does not start"),
        (b"\0asm\x02\0\0\0", "does not start"),
        (HEADER + b"\x01", "ends early"),
        (HEADER + b"\x63\0", "unknown section 99"),
        (HEADER + section(1, b"\0") * 2, "there twice"),
        (HEADER + b"\x01\x05\0", "5 bytes are announced"),
        (HEADER + section(1, b"\xff\xff\xff\xff\x0f"), "4294967295 items are announced"),
        (HEADER + section(1, b"\xff\xff\xff\xff\x7f"), "more than 32 bits"),
        (HEADER + section(1, b"\x80" * 9), "too long"),
        (HEADER + section(1, vector(b"\x5f\0")), "only function types"),
        (HEADER + section(1, vector(b"\x60\x01\x01\0")), "unknown value type 0x01"),
        (HEADER + section(2, vector(name("a") + name("b") + b"\x07")), "unknown kind 7"),
        (HEADER + section(2, vector(name("a") + name("b") + b"\0\x03")), "type 3 is used, there are 0"),
        (HEADER + section(2, vector(name("a") + name("b") + b"\x02\x77")), "unknown limits"),
        (HEADER + section(2, vector(sized(b"\xff") + name("b"))), "not UTF-8"),
        (HEADER + section(7, vector(name("f") + b"\0\0")), "'f' is function 0, there are 0"),
    ],
)
def test_what_is_wrong_is_said(data, message):
    with pytest.raises(WasmError, match=message):
        parse(data)


def parses_or_is_refused(data: bytes) -> None:
    with contextlib.suppress(WasmError):
        parse(data)


@given(st.binary(max_size=300))
def test_arbitrary_sections_are_read_or_refused(data):
    parses_or_is_refused(data)
    parses_or_is_refused(HEADER + data)


@given(st.integers(0, 10), st.binary(max_size=100))
def test_arbitrary_content_is_read_or_refused(identifier, data):
    parses_or_is_refused(HEADER + section(identifier, data))
    parses_or_is_refused(HEADER + custom("dylink.0", data))
    parses_or_is_refused(HEADER + custom("target_features", data))


@given(st.lists(st.tuples(st.integers(8, len(MODULE) - 1), st.integers(0, 255)), max_size=4), st.integers(0))
def test_mutations_are_read_or_refused(changes, length):
    data = bytearray(MODULE)
    for position, value in changes:
        data[position] = value
    parses_or_is_refused(bytes(data))
    parses_or_is_refused(bytes(data[: length % len(data)]))


def test_ten_megabytes_of_code_and_data_take_no_time():
    body = sized(b"\0" + bytes(5_000_000))
    data = HEADER + section(10, vector(body)) + section(11, bytes(5_000_000))
    start = time.perf_counter()
    parse(data)
    assert time.perf_counter() - start < 0.5
