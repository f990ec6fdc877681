"""The Zstandard C backend: frames of RFC 8878, levels, dictionaries, streams, damage."""

import io
import random
import struct

import pytest
import zstandard
from zstandard import backend_c

DATA = {
    "empty": b"",
    "one byte": b"x",
    "zeros": bytes(1_000_000),
    "text": b"the quick brown fox jumps over the lazy dog\n" * 20_000,
    "noise": random.Random(12345).randbytes(300_000),
}


def test_c_backend_is_in_use():
    assert zstandard.backend == "cext"
    assert backend_c.__file__.endswith((".so", ".pyd"))
    assert zstandard.ZstdCompressor is backend_c.ZstdCompressor
    assert zstandard.ZSTD_VERSION >= (1, 5, 7)


@pytest.mark.parametrize(("kind", "content", "data"), [(0, b"Hello678", b"Hello678"), (1, b"Z", b"ZZZZZZZZ")])
def test_raw_and_rle_blocks_of_the_format(kind, content, data):
    # RFC 8878, 3.1.1: magic, single segment without checksum, content size, then the only block's header.
    frame = bytes.fromhex("28b52ffd2008") + (1 | kind << 1 | 8 << 3).to_bytes(3, "little") + content
    assert zstandard.decompress(frame) == data


@pytest.mark.parametrize("level", [-5, 1, 3, 9, 15, 19, 22])
@pytest.mark.parametrize("name", DATA)
def test_round_trip(level, name):
    data = DATA[name] if level < 15 else DATA[name][:200_000]
    packed = zstandard.ZstdCompressor(level=level, write_checksum=True).compress(data)
    assert packed[:4] == bytes.fromhex("28b52ffd")
    assert zstandard.frame_content_size(packed) == len(data)
    assert zstandard.ZstdDecompressor().decompress(packed) == data


def test_checksum_is_checked():
    packed = bytearray(zstandard.ZstdCompressor(write_checksum=True).compress(DATA["text"]))
    packed[-1] ^= 1
    with pytest.raises(zstandard.ZstdError, match="checksum"):
        zstandard.ZstdDecompressor().decompress(bytes(packed))
    with pytest.raises(zstandard.ZstdError):
        zstandard.ZstdDecompressor().decompress(b"not a frame at all")


def test_dictionary():
    samples = [b"name=%d;colour=%s;size=%d" % (i, (b"red", b"blue", b"green")[i % 3], i * i) for i in range(2000)]
    dictionary = zstandard.train_dictionary(4096, samples)
    with_it = zstandard.ZstdCompressor(dict_data=dictionary).compress(samples[77])
    without = zstandard.ZstdCompressor().compress(samples[77])
    assert len(with_it) < len(without)
    assert zstandard.ZstdDecompressor(dict_data=dictionary).decompress(with_it) == samples[77]
    with pytest.raises(zstandard.ZstdError):
        zstandard.ZstdDecompressor().decompress(with_it)


def test_streams():
    target = io.BytesIO()
    with zstandard.ZstdCompressor(level=3).stream_writer(target, closefd=False) as writer:
        for start in range(0, len(DATA["text"]), 9999):
            writer.write(DATA["text"][start : start + 9999])
    reader = zstandard.ZstdDecompressor().stream_reader(io.BytesIO(target.getvalue()))
    parts = []
    while part := reader.read(777):
        parts.append(part)
    assert b"".join(parts) == DATA["text"]


def test_iterators_and_objects():
    packed = b"".join(zstandard.ZstdCompressor().read_to_iter(io.BytesIO(DATA["noise"])))
    assert b"".join(zstandard.ZstdDecompressor().read_to_iter(io.BytesIO(packed))) == DATA["noise"]
    decompressor = zstandard.ZstdDecompressor().decompressobj()
    assert decompressor.decompress(packed + b"more") == DATA["noise"]
    assert decompressor.unused_data == b"more"


def test_long_distance_matching():
    noise = DATA["noise"]
    parameters = zstandard.ZstdCompressionParameters.from_level(3, enable_ldm=True, window_log=22)
    packed = zstandard.ZstdCompressor(compression_params=parameters).compress(noise + bytes(900_000) + noise)
    assert len(packed) < len(noise) * 1.1
    assert zstandard.ZstdDecompressor().decompress(packed) == noise + bytes(900_000) + noise


def test_buffers_of_many_frames():
    frames = [zstandard.compress(bytes([i]) * 1000) for i in range(10)]
    segments = zstandard.BufferWithSegments(
        b"".join(frames),
        b"".join(struct.pack("=QQ", sum(map(len, frames[:i])), len(frames[i])) for i in range(10)),
    )
    result = zstandard.ZstdDecompressor().multi_decompress_to_buffer(segments)
    assert [part.tobytes() for part in result] == [bytes([i]) * 1000 for i in range(10)]


def test_memory_limit():
    packed = zstandard.ZstdCompressor(
        compression_params=zstandard.ZstdCompressionParameters.from_level(19, window_log=25)
    ).compressobj()
    frame = packed.compress(DATA["text"]) + packed.flush()
    with pytest.raises(zstandard.ZstdError, match="memory"):
        zstandard.ZstdDecompressor(max_window_size=1 << 20).stream_reader(io.BytesIO(frame)).read(10)
