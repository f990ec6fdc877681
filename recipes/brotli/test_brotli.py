"""The Brotli C library: streams of RFC 7932 and its test data, every quality, damage, streaming."""

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
