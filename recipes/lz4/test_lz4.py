"""LZ4's C library through its block and frame interfaces, held against the format's own bytes."""

import io
import os
import random
import struct

import lz4.block
import lz4.frame
import pytest
from lz4.block import _block
from lz4.frame import _frame

# `lz4 -c` 1.9.4 (Debian) of b"hello hello hello hello\n", with content checksum.
FRAME = bytes.fromhex("04224d186440a70e0000006868656c6c6f2006000c00506c6c6f0a00000000")


DATA = {
    "empty": b"",
    "one byte": b"x",
    "zeros": bytes(1_000_000),
    "text": b"the quick brown fox jumps over the lazy dog\n" * 20_000,
    "noise": random.Random(12345).randbytes(300_000),
}


def test_c_extensions_are_in_use():
    assert _block.__file__.endswith((".so", ".pyd"))
    assert _frame.__file__.endswith((".so", ".pyd"))
    assert lz4.library_version_number() >= 10904


@pytest.mark.parametrize("name", DATA)
@pytest.mark.parametrize("mode", ["default", "fast", "high_compression"])
def test_block_round_trip(name, mode):
    data = DATA[name]
    packed = lz4.block.compress(data, mode=mode)
    assert struct.unpack("<I", packed[:4])[0] == len(data)
    assert lz4.block.decompress(packed) == data
    assert len(packed) <= len(data) + len(data) // 255 + 20


def test_block_of_the_format():
    # A token for four literals and a match of 14 at distance 1, then the last five literals (LZ4 block format).
    assert lz4.block.decompress(bytes.fromhex("1f61010000506161616161"), uncompressed_size=25) == b"a" * 25


def test_zeros_compress_to_the_ratio_of_the_format():
    assert len(lz4.block.compress(DATA["zeros"])) < 1_000_000 / 240


def test_dictionary():
    data = DATA["text"][:2000]
    packed = lz4.block.compress(data, dict=DATA["text"][:1000])
    assert len(packed) < len(lz4.block.compress(data))
    assert lz4.block.decompress(packed, dict=DATA["text"][:1000]) == data


@pytest.mark.parametrize("name", DATA)
@pytest.mark.parametrize("level", [0, 9, 16])
@pytest.mark.parametrize("checksum", [False, True])
def test_frame_round_trip(name, level, checksum):
    data = DATA[name]
    packed = lz4.frame.compress(data, compression_level=level, content_checksum=checksum, block_checksum=checksum)
    assert packed[:4] == bytes.fromhex("04224d18")
    assert lz4.frame.decompress(packed) == data
    assert lz4.frame.get_frame_info(packed)["content_checksum"] is checksum


def test_damage_is_found():
    packed = bytearray(lz4.frame.compress(DATA["text"], content_checksum=True))
    packed[-1] ^= 1
    with pytest.raises(RuntimeError, match="ERROR_contentChecksum_invalid"):
        lz4.frame.decompress(bytes(packed))
    with pytest.raises(RuntimeError, match="ERROR_frameType_unknown"):
        lz4.frame.decompress(b"not a frame at all")
    with pytest.raises(lz4.block.LZ4BlockError):
        lz4.block.decompress(lz4.block.compress(DATA["text"])[:-9])


def test_streams():
    compressor = lz4.frame.LZ4FrameCompressor()
    packed = compressor.begin() + b"".join(compressor.compress(bytes([i]) * 70_000) for i in range(5))
    packed += compressor.flush()
    decompressor = lz4.frame.LZ4FrameDecompressor()
    out = b"".join(decompressor.decompress(packed[i : i + 7]) for i in range(0, len(packed), 7))
    assert out == b"".join(bytes([i]) * 70_000 for i in range(5))
    assert decompressor.eof
    assert decompressor.unused_data is None


def test_file_object(tmp_path):
    path = tmp_path / "x.lz4"
    with lz4.frame.open(path, "wb") as stream:
        stream.write(DATA["text"])
    assert os.stat(path).st_size < len(DATA["text"]) // 100  # noqa: PTH116
    with lz4.frame.open(io.BytesIO(path.read_bytes())) as stream:
        stream.seek(44 * 1000)
        assert stream.read(9) == b"the quick"
