"""The Brotli C library: streams of RFC 7932 and its test data, every quality, damage, streaming."""

import copy
import pickle
import random

import _brotli
import brotli
import pytest

DATA = {
    "empty": b"",
    "one byte": b"x",
    "zeros": bytes(500_000),
    "text": b"the quick brown fox jumps over the lazy dog\n" * 5_000,
    "noise": random.Random(12345).randbytes(100_000),
}


def test_c_extension_is_in_use():
    assert _brotli.__file__.endswith((".so", ".pyd"))
    assert brotli.version == brotli.__version__
    assert brotli.Compressor is _brotli.Compressor


@pytest.mark.parametrize(
    ("packed", "data"),
    [
        ("06", b""),  # the empty stream with a window of 16 bits (RFC 7932, 9.1)
        ("0b028048656c6c6f03", b"Hello"),  # what the reference encoder gives for it
    ],
)
def test_known_streams(packed, data):
    assert brotli.decompress(bytes.fromhex(packed)) == data


@pytest.mark.parametrize("quality", range(12))
@pytest.mark.parametrize("name", DATA)
def test_round_trip_in_every_quality(quality, name):
    packed = brotli.compress(DATA[name], quality=quality)
    assert brotli.decompress(packed) == DATA[name]
    assert len(packed) < len(DATA[name]) + 1000


@pytest.mark.parametrize("mode", [brotli.MODE_GENERIC, brotli.MODE_TEXT, brotli.MODE_FONT])
@pytest.mark.parametrize("lgwin", [10, 16, 24])
def test_modes_and_windows(mode, lgwin):
    data = DATA["text"] + DATA["noise"]
    assert brotli.decompress(brotli.compress(data, mode=mode, lgwin=lgwin)) == data


def test_the_dictionary_of_the_format_is_there():
    # Words of the built-in dictionary (RFC 7932, appendix A): without it this would not shrink.
    text = b"international government information department"
    assert len(brotli.compress(text)) < len(text) * 0.6


def test_streaming():
    compressor = brotli.Compressor(quality=5)
    packed = b"".join(compressor.process(DATA["text"][i : i + 1000]) for i in range(0, len(DATA["text"]), 1000))
    packed += compressor.flush() + compressor.finish()
    decompressor = brotli.Decompressor()
    assert b"".join(decompressor.process(packed[i : i + 3]) for i in range(0, len(packed), 3)) == DATA["text"]
    assert decompressor.is_finished()


def test_output_can_be_limited():
    decompressor = brotli.Decompressor()
    out = decompressor.process(brotli.compress(DATA["zeros"]), output_buffer_limit=1000)
    assert 0 < len(out) < len(DATA["zeros"])
    while not decompressor.is_finished():
        out += decompressor.process(b"", output_buffer_limit=50_000)
    assert out == DATA["zeros"]


def test_damage():
    packed = bytearray(brotli.compress(DATA["text"]))
    for broken in (packed[:-3], b"", b"\xff" * 20):
        with pytest.raises(brotli.error):
            brotli.decompress(bytes(broken))
    with pytest.raises(brotli.error):
        brotli.compress(b"x", quality=12)


# RFC 7932, 9.2: a window of 16 bits, three bytes of metadata, which say nothing, "Hello" uncompressed, the end.
BY_HAND = bytes.fromhex("2c01616263" + "200008" + "48656c6c6f" + "03")


def test_stream_written_by_hand():
    assert brotli.decompress(BY_HAND) == b"Hello"
    decompressor = brotli.Decompressor()
    assert [decompressor.process(BY_HAND[i : i + 1]) for i in range(8, 13)] == [b""] * 5
    decompressor = brotli.Decompressor()
    assert b"".join(decompressor.process(bytes([byte])) for byte in BY_HAND) == b"Hello"
    assert decompressor.is_finished()


@pytest.mark.parametrize(
    ("lgwin", "bits"), [(10, "0100001"), (16, "0"), (17, "0000001"), (18, "0011"), (22, "1011"), (24, "1111")]
)
def test_window_that_the_stream_begins_with(lgwin, bits):
    # RFC 7932, 9.1.
    compressor = brotli.Compressor(quality=5, lgwin=lgwin, lgblock=16)
    assert f"{(compressor.process(DATA['text']) + compressor.finish())[0]:08b}".endswith(bits)


def test_what_is_flushed_comes_out_at_once():
    compressor, decompressor = brotli.Compressor(mode=brotli.MODE_TEXT), brotli.Decompressor()
    for part in (b"one", b"", b"two" * 1000, DATA["noise"][:5000]):
        assert decompressor.process(compressor.process(part) + compressor.flush()) == part
        assert not decompressor.is_finished()
    assert decompressor.process(compressor.finish()) == b""
    assert decompressor.is_finished()


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_buffers(kind):
    compressor, decompressor = brotli.Compressor(), brotli.Decompressor()
    packed = compressor.process(kind(b"buffers")) + compressor.finish()
    assert decompressor.process(kind(packed)) == brotli.decompress(kind(packed)) == b"buffers"


def test_no_more_input_while_output_waits():
    decompressor = brotli.Decompressor()
    # In a window of a kilobyte the decoder cannot take everything in at once.
    packed = brotli.compress(DATA["noise"], lgwin=10)
    out = decompressor.process(packed, output_buffer_limit=100)
    assert DATA["noise"].startswith(out)
    assert not decompressor.can_accept_more_data()
    with pytest.raises(brotli.error, match=r"called with data when 'can_accept_more_data\(\)' is False"):
        decompressor.process(b"x")
    with pytest.raises(brotli.error, match="decoder is unhealthy"):
        decompressor.process(b"")
    with pytest.raises(brotli.error, match="decoder is unhealthy"):
        decompressor.is_finished()
    with pytest.raises(brotli.error, match="decoder is unhealthy"):
        decompressor.can_accept_more_data()


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"mode": 3}, brotli.error, "invalid mode"),
        ({"quality": 12}, brotli.error, "invalid quality"),
        ({"lgwin": 9}, brotli.error, "invalid lgwin"),
        ({"lgwin": 25}, brotli.error, "invalid lgwin"),
        ({"lgblock": 15}, brotli.error, "invalid lgblock"),
        ({"quality": 256}, OverflowError, "greater than maximum"),
        ({"quality": -1}, OverflowError, "less than minimum"),
        ({"quality": "5"}, TypeError, "str"),
        ({"speed": 1}, TypeError, "speed"),
    ],
)
def test_wrong_arguments(arguments, error, message):
    class Derived(brotli.Compressor):
        pass

    for kind in (brotli.Compressor, Derived):
        with pytest.raises(error, match=message):
            kind(**arguments)


def test_an_encoder_that_ended_says_so():
    compressor = brotli.Compressor()
    assert brotli.decompress(compressor.process(b"x") + compressor.finish()) == b"x"
    with pytest.raises(brotli.error, match="encoder failed"):
        compressor.process(b"more")
    for call in (compressor.flush, compressor.finish, lambda: compressor.process(b"")):
        with pytest.raises(brotli.error, match="encoder is unhealthy"):
            call()


def test_what_is_no_buffer():
    class Broken:
        def __buffer__(self, _flags):
            raise LookupError("refused")

    for wrong in ("text", 5, None, memoryview(bytes(10))[::2], Broken()):
        for call in (brotli.decompress, brotli.Compressor().process, brotli.Decompressor().process):
            with pytest.raises(TypeError, match="C-contiguous buffer"):
                call(wrong)


def test_states_cannot_be_copied_but_errors_can():
    for state in (brotli.Compressor(), brotli.Decompressor()):
        for again in (copy.copy, copy.deepcopy, pickle.dumps):
            with pytest.raises(TypeError, match="cannot pickle"):
                again(state)
    with pytest.raises(brotli.error) as caught:
        brotli.decompress(b"\xff")
    for again in (copy.copy, lambda error: pickle.loads(pickle.dumps(error))):
        assert type(again(caught.value)) is brotli.error
        assert str(again(caught.value)) == "brotli: decoder failed"
