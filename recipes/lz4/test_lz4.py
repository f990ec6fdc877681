"""LZ4's C library through its block and frame interfaces, held against the format's own bytes."""

import copy
import io
import os
import pickle
import random
import struct

import lz4.block
import lz4.frame
import pytest
from lz4 import _version
from lz4.block import _block
from lz4.frame import _frame

# By hand: six literals, thirteen bytes from six before, five literals.
TEXT = b"hello hello hello hello\n"
BLOCK = bytes.fromhex("69" + "68656c6c6f20" + "0600" + "50" + "656c6c6f0a")


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


def frame(flags, header_checksum, *blocks, size=b"", content_checksum=b""):
    """Put blocks into a frame (LZ4 frame format 1.6.3), whose checksums, of XXH32, are given."""
    parts = [bytes.fromhex("04224d18"), bytes([flags, 0x40]), size, bytes([header_checksum])]
    return b"".join([*parts, *(struct.pack("<I", len(block)) + block for block in blocks), bytes(4), content_checksum])


# XXH32 of TEXT and BLOCK, from the Python code of the xxhash recipe's tests.
TEXT_CHECKSUM, BLOCK_CHECKSUM = bytes.fromhex("e2ff0342"), bytes.fromhex("b179796d")


def blocks_of(packed):
    """Take the blocks out of a frame without checksums and without size."""
    position = 7
    while size := int.from_bytes(packed[position : position + 4], "little"):
        length = size & 0x7FFFFFFF
        yield size >> 31, packed[position + 4 : position + 4 + length]
        position += 4 + length


def test_versions_agree():
    assert _version.__file__.endswith((".so", ".pyd"))
    major, minor, patch = map(int, _version.library_version_string().split("."))
    assert _version.library_version_number() == major * 10000 + minor * 100 + patch


def test_frame_and_block_written_by_hand():
    assert lz4.block.decompress(BLOCK, uncompressed_size=24) == TEXT
    assert lz4.frame.decompress(frame(0x60, 0x82, BLOCK)) == TEXT
    assert lz4.frame.decompress(frame(0x64, 0xA7, BLOCK, content_checksum=TEXT_CHECKSUM)) == TEXT
    assert lz4.frame.decompress(bytes.fromhex("5f2a4d1803000000") + b"abc") == b""


def test_blocks_of_one_module_in_frames_of_the_other():
    parts = [DATA["noise"][:65536], DATA["text"][:65536], DATA["noise"][:65536][::-1]]
    blocks = [lz4.block.compress(part, store_size=False, mode="high_compression") for part in parts]
    assert len(blocks[0]) > 65536
    assert lz4.frame.decompress(frame(0x60, 0x82, *(blocks[1:2] * 3))) == parts[1] * 3
    linked = lz4.block.compress(parts[1], store_size=False, dict=parts[1])
    assert len(linked) < len(blocks[1])
    assert lz4.frame.decompress(frame(0x40, 0xC0, blocks[1], linked)) == parts[1] * 2


def test_blocks_out_of_frames_of_the_other():
    data = DATA["noise"][:65536] + DATA["noise"][10000:60000]
    (raw, first), (squeezed, second) = blocks_of(lz4.frame.compress(data, block_size=4, store_size=False))
    assert (raw, first, squeezed) == (1, data[:65536], 0)
    # A block of a linked frame goes on from those before.
    assert lz4.block.decompress(second, uncompressed_size=65536, dict=first) == data[65536:]
    with pytest.raises(lz4.block.LZ4BlockError, match="corrupt input"):
        lz4.block.decompress(second, uncompressed_size=65536)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("604082", {"block_linked": False, "block_size": 2**16, "block_size_id": 4, "content_size": 0}),
        ("4070df", {"block_linked": True, "block_size": 2**22, "block_size_id": 7, "content_checksum": False}),
        ("7440bd", {"content_checksum": True, "block_checksum": True, "skippable": False}),
        ("6840" + "0500000000010000" + "13", {"content_size": 2**40 + 5, "content_checksum": False}),
    ],
)
def test_headers_of_the_format(header, expected):
    information = lz4.frame.get_frame_info(bytes.fromhex("04224d18" + header))
    assert {key: information[key] for key in expected} == expected


def test_skippable_frame():
    assert lz4.frame.get_frame_info(bytes.fromhex("502a4d1803000000") + b"abc")["skippable"] is True


@pytest.mark.parametrize("kind", [bytes, bytearray])
def test_contexts(kind):
    options = {"return_bytearray": kind is bytearray}
    context = _frame.create_compression_context()
    for _ in range(2):
        out = [
            _frame.compress_begin(context, block_linked=False, content_checksum=True, **options),
            _frame.compress_chunk(context, TEXT, **options),
            _frame.compress_flush(context, end_frame=False, **options),
            _frame.compress_flush(context, **options),
        ]
        assert {type(part) for part in out} == {kind}
        assert out[0] == bytes.fromhex("04224d186440a7")
        assert (out[1], out[3]) == (b"", bytes(4) + TEXT_CHECKSUM)
        packed = b"".join(out)
    context = _frame.create_decompression_context()
    text, count, ended = _frame.decompress_chunk(context, packed, max_length=10, **options)
    assert (type(text), text, ended) == (kind, TEXT[:10], False)
    assert _frame.decompress_chunk(context, packed[count:]) == (TEXT[10:], len(packed) - count, True)
    _frame.decompress_chunk(context, packed[:20])
    assert _frame.reset_decompression_context(context) is None
    assert _frame.decompress_chunk(context, packed + b"more") == (TEXT, len(packed), True)
    assert lz4.frame.decompress(packed + b"more", return_bytes_read=True) == (TEXT, len(packed))
    assert type(lz4.frame.compress(TEXT, **options)) is type(lz4.block.compress(TEXT, **options)) is kind
    assert type(lz4.frame.decompress(packed, **options)) is kind
    assert type(lz4.block.decompress(BLOCK, uncompressed_size=24, **options)) is kind


@pytest.mark.parametrize("size", [1, 2**16, 2**31 - 1, 3_000_000_000])
def test_sizes_in_headers(size):
    header = _frame.compress_begin(_frame.create_compression_context(), source_size=size)
    assert header[6:14] == struct.pack("<Q", size)
    assert lz4.frame.get_frame_info(header)["content_size"] == size


def test_contexts_of_the_wrong_kind():
    into, out_of = _frame.create_compression_context(), _frame.create_decompression_context()
    for call in (
        lambda: _frame.compress_begin(out_of),
        lambda: _frame.compress_chunk(out_of, b""),
        lambda: _frame.compress_flush(5),
        lambda: _frame.decompress_chunk(into, b""),
        lambda: _frame.reset_decompression_context(None),
    ):
        with pytest.raises(ValueError, match=r"[Nn]o (valid )?(de)?compression context"):
            call()
    for context in (into, out_of):
        with pytest.raises(TypeError, match="cannot pickle"):
            copy.copy(context)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: lz4.block.compress(b"", mode="best"), ValueError, "Invalid mode"),
        (lambda: lz4.block.decompress(b"123"), ValueError, "too small"),
        (lambda: lz4.block.decompress(b"\xff" * 8), ValueError, "Invalid size"),
        (lambda: lz4.block.decompress(b"\x05\0\0\0\x10a"), lz4.block.LZ4BlockError, "wrote 1 bytes, but 5 bytes"),
        (lambda: lz4.block.decompress(BLOCK, uncompressed_size=23), lz4.block.LZ4BlockError, "insufficient space"),
        (lambda: lz4.block.compress("text"), TypeError, "bytes-like"),
        (lambda: lz4.frame.decompress(frame(0x60, 0x83, BLOCK)), RuntimeError, "ERROR_headerChecksum_invalid"),
        (lambda: lz4.frame.decompress(frame(0x60, 0x82, BLOCK)[:-1]), RuntimeError, "Frame incomplete"),
        (lambda: lz4.frame.decompress(frame(0x60, 0x82, BLOCK[:-1])), RuntimeError, "ERROR_decompressionFailed"),
        (
            lambda: lz4.frame.decompress(b"\x04\x22\x4d\x18\x60\x30" + bytes(9)),
            RuntimeError,
            "ERROR_maxBlockSize_invalid",
        ),
        (lambda: lz4.frame.get_frame_info(b"\x04\x22"), RuntimeError, "ERROR_frameHeader_incomplete"),
        (lambda: lz4.frame.compress("text"), TypeError, "bytes-like"),
        (lambda: lz4.frame.LZ4FrameDecompressor().decompress(b"12345678"), RuntimeError, "ERROR_frameType_unknown"),
    ],
)
def test_errors(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_checksum_of_a_block():
    packed = lz4.frame.compress(TEXT, block_checksum=True, block_linked=False, store_size=False)
    assert packed[11:] == BLOCK + BLOCK_CHECKSUM + bytes(4)
    with pytest.raises(RuntimeError, match="ERROR_blockChecksum_invalid"):
        lz4.frame.decompress(packed[:-5] + b"\xff" + bytes(4))


def test_errors_of_buffers_come_through():
    class Broken:
        def __buffer__(self, _flags):
            raise LookupError("refused")

    context = _frame.create_compression_context()
    for call in (
        lz4.block.compress,
        lz4.block.decompress,
        lambda wrong: lz4.block.compress(b"", dict=wrong),
        lz4.frame.compress,
        lz4.frame.decompress,
        lz4.frame.get_frame_info,
        lambda wrong: _frame.compress_chunk(context, wrong),
        lz4.frame.LZ4FrameDecompressor().decompress,
    ):
        with pytest.raises(LookupError, match="refused"):
            call(Broken())


@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, lambda value: pickle.loads(pickle.dumps(value))])
def test_copies_of_a_compressor(again):
    compressor = again(lz4.frame.LZ4FrameCompressor(content_checksum=True, block_linked=False))
    assert compressor.begin() == bytes.fromhex("04224d186440a7")
    assert (compressor.compress(TEXT) + compressor.flush())[-4:] == TEXT_CHECKSUM
