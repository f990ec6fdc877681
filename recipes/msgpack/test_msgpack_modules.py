"""Every method of msgpack's C Packer and Unpacker, what one gives the other, and the same from its Python code."""

import copy
import datetime
import io
import pickle
import random

import msgpack
import pytest
from msgpack import _cmsgpack, fallback

FEW_BYTES = bytes.fromhex("9301a3" + "74776f" + "c40300ff80")
FEW = [1, "two", b"\x00\xff\x80"]
LAST = datetime.datetime.max.replace(tzinfo=datetime.UTC)


def something(rng, depth=4):
    """Return a random value of the types that MessagePack knows."""
    make = [
        lambda: rng.choice([None, True, False]),
        lambda: rng.getrandbits(rng.choice([6, 8, 16, 32, 63])) * rng.choice([1, -1]),
        lambda: rng.random() * 10.0 ** rng.randint(-300, 300),
        lambda: rng.choice(["a", "é", "\u20ac", "\U0001f600"]) * rng.randint(0, 300),
        lambda: rng.randbytes(rng.randint(0, 300)),
        lambda: msgpack.ExtType(rng.randint(0, 127), rng.randbytes(rng.randint(0, 20))),
        lambda: msgpack.Timestamp(rng.randint(-(2**60), 2**60), rng.randint(0, 999_999_999)),
        lambda: [something(rng, depth - 1) for _ in range(rng.randint(0, 20))],
        lambda: {str(something(rng, 0)): something(rng, depth - 1) for _ in range(rng.randint(0, 20))},
    ]
    return rng.choice(make if depth else make[:-2])()


def test_the_c_and_the_python_code_read_what_the_other_wrote():
    rng = random.Random(3)
    for _ in range(50):
        value = something(rng)
        packed = _cmsgpack.Packer().pack(value)
        assert packed == fallback.Packer().pack(value)
        assert _cmsgpack.unpackb(packed) == fallback.unpackb(packed) == value
        ours, theirs = (
            _cmsgpack.Unpacker(io.BytesIO(packed * 2), read_size=7),
            fallback.Unpacker(io.BytesIO(packed * 2)),
        )
        assert list(ours) == list(theirs) == [value] * 2


def test_headers_and_parts_of_the_packer():
    packer = msgpack.Packer(buf_size=1)
    assert packer.pack_array_header(15) == bytes.fromhex("9f")
    assert packer.pack_array_header(2**32 - 1) == bytes.fromhex("ddffffffff")
    assert packer.pack_map_header(16) == bytes.fromhex("de0010")
    assert packer.pack_map_header(2**32 - 1) == bytes.fromhex("dfffffffff")
    assert packer.pack_map_pairs([(1, 2), (1, [3])]) == bytes.fromhex("82" + "0102" + "019103")
    assert packer.pack_ext_type(5, b"ab") == bytes.fromhex("d5056162")
    assert packer.pack_ext_type(-1, b"a") == bytes.fromhex("d4ff61")
    for call in (packer.pack_array_header, packer.pack_map_header):
        for size in (-1, 2**32):
            with pytest.raises(ValueError):  # noqa: PT011 - the words differ
                call(size)
        with pytest.raises(OverflowError):
            call(2**63)
    with pytest.raises(OverflowError):
        packer.pack_ext_type(200, b"")
    assert packer.pack(FEW) == FEW_BYTES


def test_buffer_of_a_packer_goes_to_an_unpacker():
    packer = msgpack.Packer(autoreset=False)
    assert packer.pack(FEW) is None
    assert packer.bytes() == bytes(packer) == FEW_BYTES
    view = packer.getbuffer()
    for call in (packer.reset, lambda: packer.pack(1), lambda: packer.pack_map_pairs([])):
        with pytest.raises(BufferError, match="cannot be changed"):
            call()
    assert msgpack.unpackb(view) == msgpack.unpackb(packer) == FEW
    unpacker = msgpack.Unpacker()
    unpacker.feed(view)
    unpacker.feed(packer)
    assert list(unpacker) == [FEW, FEW]
    view.release()
    packer.reset()
    assert packer.bytes() == b""


def test_every_method_of_the_unpacker():
    unpacker = msgpack.Unpacker()
    unpacker.feed(bytes.fromhex("ddffffffff" + "de0002" + "81c0c3" + "a161") + FEW_BYTES + b"raw")
    assert unpacker.read_array_header() == 2**32 - 1
    with pytest.raises(ValueError, match="Unexpected type header"):
        unpacker.read_array_header()
    assert unpacker.read_map_header() == 2
    assert unpacker.skip() is None
    assert unpacker.tell() == 11
    assert unpacker.unpack() == "a"
    assert next(unpacker) == FEW
    assert unpacker.read_bytes(5) == b"raw"
    for call in (unpacker.unpack, unpacker.skip, unpacker.read_array_header, unpacker.read_map_header):
        with pytest.raises(msgpack.OutOfData):
            call()
    with pytest.raises(StopIteration):
        next(unpacker)
    assert unpacker.tell() == 13 + len(FEW_BYTES) + 3
    unpacker.feed(b"\x92\x01")
    with pytest.raises(msgpack.OutOfData):
        unpacker.unpack()
    with pytest.raises(ValueError, match="Cannot switch"):
        unpacker.skip()
    unpacker.feed(b"\x02")
    assert unpacker.unpack() == [1, 2]


def test_unpacker_is_not_entered_twice():
    def hook(_value):
        with pytest.raises(RuntimeError, match="in progress"):
            unpacker.feed(b"")
        with pytest.raises(RuntimeError, match="in progress"):
            unpacker.read_bytes(1)
        with pytest.raises(RuntimeError, match="in progress"):
            unpacker.__init__()
        return unpacker.unpack()

    unpacker = msgpack.Unpacker(list_hook=hook)
    unpacker.feed(b"\x90\x01")
    with pytest.raises(RuntimeError, match="recursively"):
        unpacker.unpack()


@pytest.mark.parametrize(
    ("packed", "seconds", "nanoseconds"),
    [
        ("d6ffffffffff", 2**32 - 1, 0),
        ("d7ff7735940000000001", 1, 500_000_000),
        ("c70cff" + "3b9ac9ff" + "ffffffffffffffff", -1, 999_999_999),
        ("c70cff" + "00000000" + "fffffff1886e0900", -62135596800, 0),  # 0001-01-01
    ],
)
def test_timestamps_in_every_form(packed, seconds, nanoseconds):
    packed = bytes.fromhex(packed)
    epoch = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
    assert msgpack.unpackb(packed, timestamp=0) == msgpack.Timestamp(seconds, nanoseconds)
    assert msgpack.unpackb(packed, timestamp=1) == nanoseconds / 10**9 + seconds
    assert msgpack.unpackb(packed, timestamp=2) == seconds * 10**9 + nanoseconds
    moment = epoch + datetime.timedelta(seconds=seconds, microseconds=nanoseconds // 1000)
    assert msgpack.unpackb(packed, timestamp=3) == moment
    assert (msgpack.packb(moment, datetime=True) == packed) is (nanoseconds % 1000 == 0)


def test_timestamps_that_no_datetime_holds():
    packed = msgpack.packb(msgpack.Timestamp(2**63 - 1))
    assert packed == bytes.fromhex("c70cff" + "00000000" + "7fffffffffffffff")
    assert msgpack.unpackb(packed, timestamp=2) == (2**63 - 1) * 10**9
    for seconds in (2**63 - 1, -(2**63), 253402300800):
        with pytest.raises(OverflowError):
            msgpack.unpackb(msgpack.packb(msgpack.Timestamp(seconds)), timestamp=3)
    assert msgpack.unpackb(msgpack.packb(LAST, datetime=True), timestamp=3) == LAST
    with pytest.raises(ValueError, match="tzinfo=None"):
        msgpack.packb(datetime.datetime(2000, 1, 1), datetime=True)  # noqa: DTZ001
    for wrong in ("c70cff" + "3b9aca00" + "0000000000000000", "c702ff0000"):
        with pytest.raises(ValueError, match=r"nanoseconds|length 2"):
            msgpack.unpackb(bytes.fromhex(wrong))


def test_text_that_is_no_unicode():
    with pytest.raises(UnicodeEncodeError):
        msgpack.packb("\ud800")
    assert msgpack.packb("\ud800", unicode_errors="surrogatepass") == b"\xa3\xed\xa0\x80"
    assert msgpack.unpackb(b"\xa1\xff", unicode_errors="surrogateescape") == "\udcff"
    assert msgpack.unpackb(b"\xa1\xff", raw=True) == b"\xff"
    assert msgpack.packb(b"\xff", use_bin_type=False) == b"\xa1\xff"


def test_buffers():
    assert msgpack.packb(memoryview(b"0123")[1:]) == b"\xc4\x03123"
    assert msgpack.packb(bytearray(b"123")) == b"\xc4\x03123"
    assert msgpack.unpackb(memoryview(b"\x92\x00\x01\x00\x02")[::2]) == [1, 2]
    with pytest.raises(BufferError, match="multi-byte"):
        msgpack.unpackb(memoryview(bytes(8)).cast("I"))


def test_errors_of_files_buffers_and_hooks_come_through():
    class Broken:
        def __buffer__(self, _flags):
            raise LookupError("refused")

        def read(self, _count):
            raise LookupError("refused")

        def items(self):
            raise LookupError("refused")

        def __call__(self, *_arguments):
            raise LookupError("refused")

    class Mapping(dict, Broken):
        items = Broken.items

    wrong = Broken()
    for call in (
        lambda: msgpack.unpackb(wrong),
        lambda: msgpack.Unpacker().feed(wrong),
        lambda: msgpack.Unpacker(wrong).unpack(),
        lambda: next(msgpack.Unpacker(wrong)),
        lambda: msgpack.packb(Mapping(a=1)),
        lambda: msgpack.unpackb(b"\x91\x80", object_hook=wrong),
        lambda: msgpack.unpackb(b"\x81\xa1a\x80", object_pairs_hook=wrong),
        lambda: msgpack.unpackb(b"\x91\x90", list_hook=wrong),
        lambda: msgpack.unpackb(b"\x91\xd4\x05\x00", ext_hook=wrong),
    ):
        for _ in range(3):
            with pytest.raises(LookupError, match="refused"):
                call()


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda: msgpack.packb(object()), TypeError),
        (lambda: msgpack.packb(object(), default=lambda value: value), TypeError),
        (lambda: msgpack.packb(1, default=1), TypeError),
        (lambda: msgpack.Packer(nothing=1), TypeError),
        (lambda: msgpack.unpackb("text"), TypeError),
        (lambda: msgpack.unpackb(b"\x81\x91\xc0\xc0", strict_map_key=False), TypeError),
        (lambda: msgpack.Unpacker(read_size=2, max_buffer_size=1), ValueError),
        (lambda: msgpack.Unpacker(5), AttributeError),
        (lambda: msgpack.Unpacker(io.BytesIO()).feed(b""), AssertionError),
        (lambda: msgpack.unpackb(b"\x92\x91"), ValueError),
    ],
)
def test_errors(call, error):
    with pytest.raises(error):
        call()


@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, lambda value: pickle.loads(pickle.dumps(value))])
def test_copies(again):
    for value in (msgpack.ExtType(5, b"x"), msgpack.Timestamp(-1, 2)):
        assert type(again(value)) is type(value)
        assert again(value) == value
        assert msgpack.packb(again(value)) == msgpack.packb(value)
    assert again(msgpack.ExtraData([1], b"x")).args == msgpack.ExtraData([1], b"x").args
    for value in (msgpack.Packer(), msgpack.Unpacker()):
        with pytest.raises(TypeError):
            again(value)
