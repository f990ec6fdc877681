"""msgpack's C implementation against the byte strings of the MessagePack specification."""

import datetime
import math
import struct

import msgpack
import pytest
from msgpack import _cmsgpack


def test_c_extension_is_in_use():
    assert msgpack.Packer is _cmsgpack.Packer
    assert msgpack.Unpacker is _cmsgpack.Unpacker
    assert _cmsgpack.__file__.endswith((".so", ".pyd"))


@pytest.mark.parametrize(
    ("value", "packed"),
    [
        (None, "c0"),
        (False, "c2"),
        (True, "c3"),
        (0, "00"),
        (127, "7f"),
        (128, "cc80"),
        (255, "ccff"),
        (256, "cd0100"),
        (2**16 - 1, "cdffff"),
        (2**16, "ce00010000"),
        (2**32 - 1, "ceffffffff"),
        (2**32, "cf0000000100000000"),
        (2**64 - 1, "cfffffffffffffffff"),
        (-1, "ff"),
        (-32, "e0"),
        (-33, "d0df"),
        (-128, "d080"),
        (-129, "d1ff7f"),
        (-(2**15), "d18000"),
        (-(2**15) - 1, "d2ffff7fff"),
        (-(2**31), "d280000000"),
        (-(2**31) - 1, "d3ffffffff7fffffff"),
        (-(2**63), "d38000000000000000"),
        (1.5, "cb3ff8000000000000"),
        (-0.0, "cb8000000000000000"),
        ("", "a0"),
        ("é", "a2c3a9"),
        (b"\x00\xff", "c40200ff"),
        ([], "90"),
        ([1, [2, None]], "92019202c0"),
        ({"compact": True, "schema": 0}, "82a7636f6d70616374c3a6736368656d6100"),
    ],
)
def test_specification_encodings_both_ways(value, packed):
    assert msgpack.packb(value) == bytes.fromhex(packed)
    assert msgpack.unpackb(bytes.fromhex(packed)) == value


@pytest.mark.parametrize(
    ("length", "text", "binary", "array", "mapping"),
    [
        (15, "af", "c40f", "9f", "8f"),
        (16, "b0", "c410", "dc0010", "de0010"),
        (31, "bf", "c41f", "dc001f", "de001f"),
        (32, "d920", "c420", "dc0020", "de0020"),
        (255, "d9ff", "c4ff", "dc00ff", "de00ff"),
        (256, "da0100", "c50100", "dc0100", "de0100"),
        (65535, "daffff", "c5ffff", "dcffff", "deffff"),
        (65536, "db00010000", "c600010000", "dd00010000", "df00010000"),
    ],
)
def test_length_prefixes_change_at_the_specified_sizes(length, text, binary, array, mapping):
    values = ["x" * length, b"x" * length, [0] * length, dict.fromkeys(range(length))]
    for value, prefix in zip(values, (text, binary, array, mapping), strict=True):
        packed = msgpack.packb(value)
        assert packed.startswith(bytes.fromhex(prefix))
        assert msgpack.unpackb(packed, strict_map_key=False) == value


def test_floats_keep_their_bits():
    for value in (5e-324, 1.7976931348623157e308, math.inf, -math.inf, 0.1):
        assert msgpack.packb(value) == b"\xcb" + struct.pack(">d", value)
        assert struct.pack(">d", msgpack.unpackb(msgpack.packb(value))) == struct.pack(">d", value)
    assert math.isnan(msgpack.unpackb(msgpack.packb(math.nan)))
    assert msgpack.packb(1.5, use_single_float=True) == bytes.fromhex("ca3fc00000")
    assert msgpack.unpackb(bytes.fromhex("ca3fc00000")) == 1.5


def test_integers_beyond_64_bits_are_refused():
    for value in (2**64, -(2**63) - 1):
        with pytest.raises(OverflowError):
            msgpack.packb(value)
    assert msgpack.packb(2**64, default=str) == msgpack.packb(str(2**64))


def test_extension_types_and_sizes():
    for size, prefix in ((1, "d4"), (2, "d5"), (4, "d6"), (8, "d7"), (16, "d8"), (3, "c703"), (256, "c80100")):
        value = msgpack.ExtType(42, b"z" * size)
        packed = msgpack.packb(value)
        assert packed == bytes.fromhex(prefix) + b"\x2a" + b"z" * size
        assert msgpack.unpackb(packed) == value
    decoded = msgpack.unpackb(bytes.fromhex("d405aa"), ext_hook=lambda code, data: (code, data))
    assert decoded == (5, b"\xaa")


@pytest.mark.parametrize(
    ("packed", "seconds", "nanoseconds"),
    [
        ("d6ff00000001", 1, 0),
        ("d6ffffffffff", 2**32 - 1, 0),
        ("d7ff0000000500000001", 2**32 + 1, 1),
        ("c70cff3b9ac9ffffffffffffffffff", -1, 999_999_999),
    ],
)
def test_timestamps(packed, seconds, nanoseconds):
    data = bytes.fromhex(packed)
    decoded = msgpack.unpackb(data)
    assert isinstance(decoded, msgpack.Timestamp)
    assert decoded.seconds == seconds
    assert decoded.nanoseconds == nanoseconds
    assert msgpack.packb(decoded) == data


def test_datetimes_round_trip():
    moment = datetime.datetime(2038, 1, 19, 3, 14, 8, 250_000, tzinfo=datetime.UTC)
    packed = msgpack.packb(moment, datetime=True)
    assert packed == bytes.fromhex("d7ff") + struct.pack(">Q", 250_000_000 << 34 | 2**31)
    assert msgpack.unpackb(packed, timestamp=3) == moment


def test_streaming_byte_by_byte():
    values = [1, "two", [3.0, None], {"four": b"\x04" * 300}]
    stream = b"".join(msgpack.packb(value) for value in values)
    unpacker, seen = msgpack.Unpacker(), []
    for i in range(len(stream)):
        unpacker.feed(stream[i : i + 1])
        seen.extend(unpacker)
    assert seen == values
    assert unpacker.tell() == len(stream)


def test_nesting_limit_is_an_exception_not_a_crash():
    deep = b"\x91" * 100_000 + b"\xc0"
    with pytest.raises(msgpack.StackError):
        msgpack.unpackb(deep)
    # No deeper: CPython itself needs the engine's stack to free nested lists, and 5000 of them overflow that of a
    # Chromium worker without msgpack having any part in it.
    value = None
    for _ in range(2000):
        value = [value]
    with pytest.raises(ValueError, match="recursion limit"):
        msgpack.packb(value)
    shallow = b"\x91" * 500 + b"\xc0"
    value = msgpack.unpackb(shallow)
    assert msgpack.packb(value) == shallow


def test_limits_are_enforced():
    with pytest.raises(ValueError, match="max_str_len"):
        msgpack.unpackb(msgpack.packb("x" * 11), max_str_len=10)
    with pytest.raises(ValueError, match="max_array_len"):
        msgpack.unpackb(msgpack.packb([0] * 11), max_array_len=10)
    unpacker = msgpack.Unpacker(max_buffer_size=16)
    with pytest.raises(msgpack.BufferFull):
        unpacker.feed(bytes(17))


@pytest.mark.parametrize("claim", ["dbffffffff", "c6ffffffff", "ddffffffff", "dfffffffff", "c9ffffffff01"])
def test_a_huge_claimed_length_does_not_allocate(claim):
    with pytest.raises(ValueError):  # noqa: PT011 - the words differ by type
        msgpack.unpackb(bytes.fromhex(claim))


def test_malformed_input():
    with pytest.raises(ValueError, match="incomplete"):
        msgpack.unpackb(b"\x92\x01")
    with pytest.raises(msgpack.ExtraData) as caught:
        msgpack.unpackb(b"\x01\x02")
    assert caught.value.unpacked == 1
    assert caught.value.extra == b"\x02"
    with pytest.raises(msgpack.FormatError):
        msgpack.unpackb(b"\xc1")
    with pytest.raises(UnicodeDecodeError):
        msgpack.unpackb(b"\xa1\xff")
    with pytest.raises(ValueError, match="map key"):
        msgpack.unpackb(b"\x81\x01\x02")


def test_exceptions_of_callbacks_come_through():
    def refuse(_value):
        raise LookupError("refused")

    with pytest.raises(LookupError, match="refused"):
        msgpack.packb(object(), default=refuse)
    with pytest.raises(LookupError, match="refused"):
        msgpack.unpackb(b"\x90", list_hook=refuse)


def test_hooks_and_tuples():
    packed = msgpack.packb([{"b": 1, "a": (1, 2)}])
    assert msgpack.unpackb(packed, use_list=False) == ({"b": 1, "a": (1, 2)},)
    assert msgpack.unpackb(packed, object_pairs_hook=list) == [[("b", 1), ("a", [1, 2])]]
    with pytest.raises(TypeError):
        msgpack.packb((1, 2), strict_types=True)
