"""Every type and method of the Zstandard C backend, what one of them gives to the others, and errors that cross it."""

import copy
import io
import pickle
import random
import struct
import sys

import pytest
import zstandard
from zstandard import backend_c

DATA = b"the quick brown fox jumps over the lazy dog\n" * 1000
SAMPLES = [b"name=%d;colour=%s;size=%d" % (i, (b"red", b"blue", b"green")[i % 3], i * i) for i in range(2000)]
NOT_OFFERED = (io.UnsupportedOperation, OSError, NotImplementedError)


def refuse(*_arguments, **_options):
    raise LookupError("refused")


class Broken:
    """Raises whatever it is asked to do."""

    read = write = flush = close = __buffer__ = __index__ = refuse


@pytest.mark.parametrize(
    ("header", "content_size", "window_size", "dict_id", "has_checksum"),
    [
        # RFC 8878, 3.1.1.1: the descriptor, then window, dictionary and content size, each of 0 to 8 bytes.
        ("2008", 8, 8, 0, False),
        ("2408", 8, 8, 0, True),
        ("600001", 256 + 256, 512, 0, False),
        ("a000000001", 2**24, 2**24, 0, False),
        ("e0" + "0000000000010000", 2**40, 2**40, 0, False),
        ("211208", 8, 8, 0x12, False),
        ("22341208", 8, 8, 0x1234, False),
        ("23f8ffffff08", 8, 8, 2**32 - 8, False),
        ("0058", 2**64 - 1, 2**21, 0, False),
        ("000b", 2**64 - 1, 2**11 + 3 * 2**8, 0, False),
    ],
)
def test_frame_headers_of_the_format(header, content_size, window_size, dict_id, has_checksum):
    frame = bytes.fromhex("28b52ffd" + header)
    parameters = zstandard.get_frame_parameters(frame)
    assert type(parameters) is backend_c.FrameParameters
    assert (parameters.content_size, parameters.window_size) == (content_size, window_size)
    assert (parameters.dict_id, parameters.has_checksum) == (dict_id, has_checksum)
    assert zstandard.frame_header_size(frame) == len(frame)
    assert zstandard.frame_content_size(frame) % 2**64 == content_size
    with pytest.raises(zstandard.ZstdError, match="not enough data"):
        zstandard.get_frame_parameters(frame[:-1])


def test_frames_that_no_memory_holds():
    frame = bytes.fromhex("28b52ffde0") + struct.pack("<Q", 2**63 + 5) + b"\1\0\0"
    with pytest.raises(zstandard.ZstdError, match="frame is too large to decompress"):
        zstandard.decompress(frame)
    with pytest.raises(ValueError, match="chunk 0 is too large to decompress"):
        zstandard.ZstdDecompressor().decompress_content_dict_chain([frame])


def test_parameters():
    given = {
        "format": zstandard.FORMAT_ZSTD1,
        "compression_level": 5,
        "window_log": 20,
        "hash_log": 18,
        "chain_log": 17,
        "search_log": 3,
        "min_match": 5,
        "target_length": 16,
        "strategy": zstandard.STRATEGY_LAZY2,
        "write_content_size": 1,
        "write_checksum": 1,
        "write_dict_id": 0,
        "threads": 0,
        "job_size": 0,
        "overlap_log": 0,
        "force_max_window": 1,
        "enable_ldm": 1,
        "ldm_hash_log": 15,
        "ldm_min_match": 32,
        "ldm_bucket_size_log": 3,
        "ldm_hash_rate_log": 4,
    }
    parameters = zstandard.ZstdCompressionParameters(**given)
    assert {name: getattr(parameters, name) for name in given} == given
    assert parameters.estimated_compression_context_size() > 2**20
    packed = zstandard.ZstdCompressor(compression_params=parameters).compress(DATA)
    assert zstandard.get_frame_parameters(packed).has_checksum
    assert zstandard.decompress(packed) == DATA
    larger = zstandard.ZstdCompressionParameters.from_level(1, source_size=100, window_log=zstandard.WINDOWLOG_MAX)
    assert larger.window_log == zstandard.WINDOWLOG_MAX == (30 if sys.maxsize == 2**31 - 1 else 31)
    for wrong in ({"window_log": zstandard.WINDOWLOG_MAX + 1}, {"window_log": 5}, {"strategy": 10}, {"min_match": 8}):
        with pytest.raises(zstandard.ZstdError, match="out of bound"):
            zstandard.ZstdCompressionParameters(**wrong)


@pytest.mark.skipif(sys.platform != "emscripten", reason="there are threads")
def test_threads_are_refused():
    # Less than half a megabyte is compressed without them, whatever was asked for.
    assert zstandard.decompress(zstandard.ZstdCompressor(threads=2).compress(DATA)) == DATA
    with pytest.raises(zstandard.ZstdError):
        zstandard.ZstdCompressor(threads=2).compress(DATA * 50)
    with pytest.raises(zstandard.ZstdError, match="thread pool"):
        zstandard.ZstdCompressor().multi_compress_to_buffer([DATA, DATA], threads=2)


def test_a_dictionary_goes_to_every_user_of_one():
    trained = zstandard.train_dictionary(1024, SAMPLES)
    assert (trained.as_bytes()[:4], len(trained)) == (bytes.fromhex("37a430ec"), len(trained.as_bytes()))
    assert struct.unpack("<I", trained.as_bytes()[4:8]) == (trained.dict_id(),)
    assert trained.k > trained.d > 0
    trained.precompute_compress(level=3)
    for dictionary in (
        trained,
        zstandard.ZstdCompressionDict(trained.as_bytes(), dict_type=zstandard.DICT_TYPE_FULLDICT),
        zstandard.ZstdCompressionDict(SAMPLES[0] * 3, dict_type=zstandard.DICT_TYPE_RAWCONTENT),
    ):
        compressor = zstandard.ZstdCompressor(dict_data=dictionary)
        decompressor = zstandard.ZstdDecompressor(dict_data=dictionary)
        packed = [compressor.compress(sample) for sample in SAMPLES[:50]]
        assert zstandard.get_frame_parameters(packed[0]).dict_id == dictionary.dict_id()
        assert sum(map(len, packed)) < sum(len(zstandard.compress(sample)) for sample in SAMPLES[:50])
        together = decompressor.multi_decompress_to_buffer(compressor.multi_compress_to_buffer(SAMPLES[:50]))
        assert [part.tobytes() for part in together] == SAMPLES[:50]
        for frame, sample in zip(packed, SAMPLES, strict=False):
            assert decompressor.decompress(frame) == sample
            assert decompressor.stream_reader(frame).read() == sample
            assert decompressor.decompressobj().decompress(frame) == sample
            assert b"".join(decompressor.read_to_iter(frame)) == sample
        assert zstandard.ZstdDecompressor(dict_data=dictionary).decompress(packed[0]) == SAMPLES[0]


def test_a_chain_of_frames_that_are_dictionaries():
    chain = [random.Random(1).randbytes(500)]
    frames = [zstandard.compress(chain[0])]
    for i in range(5):
        chain.append(chain[-1][50:] + bytes([i]) * 50)
        raw = zstandard.ZstdCompressionDict(chain[-2], dict_type=zstandard.DICT_TYPE_RAWCONTENT)
        frames.append(zstandard.ZstdCompressor(dict_data=raw).compress(chain[-1]))
        assert len(frames[-1]) < 100
    assert zstandard.ZstdDecompressor().decompress_content_dict_chain(frames) == chain[-1]
    for wrong, error, message in (
        ([], ValueError, "empty"),
        ([b"foo"], ValueError, "chunk 0 is not a valid zstd frame"),
        ([frames[0], "text"], ValueError, "chunk 1 must be bytes"),
        ([frames[0], frames[1][:-1]], zstandard.ZstdError, "chunk 1 did not decompress full frame"),
    ):
        with pytest.raises(error, match=message):
            zstandard.ZstdDecompressor().decompress_content_dict_chain(wrong)


def test_segments_and_collections_go_round():
    segments = struct.pack("=QQQQ", 0, 2, 2, 4)
    buffer = zstandard.BufferWithSegments(b"abcdef", segments)
    assert (len(buffer), buffer.size, buffer.tobytes(), bytes(buffer)) == (2, 6, b"abcdef", b"abcdef")
    assert type(buffer.segments()) is backend_c.BufferSegments
    assert bytes(buffer.segments()) == segments
    assert (type(buffer[1]), buffer[1].offset, len(buffer[1]), bytes(buffer[1])) == (
        backend_c.BufferSegment,
        2,
        4,
        b"cdef",
    )
    both = zstandard.BufferWithSegmentsCollection(
        buffer, zstandard.BufferWithSegments(b"ghi", struct.pack("=QQ", 1, 2))
    )
    assert (len(both), both.size(), both[2].tobytes()) == (3, 8, b"hi")
    compressor, decompressor = zstandard.ZstdCompressor(), zstandard.ZstdDecompressor()
    for source, wanted in (
        (buffer, [b"ab", b"cdef"]),
        (both, [b"ab", b"cdef", b"hi"]),
        ([b"ab", both[1]], [b"ab", b"cdef"]),
    ):
        packed = compressor.multi_compress_to_buffer(source)
        assert type(packed) is zstandard.BufferWithSegmentsCollection
        sizes = struct.pack(f"={len(wanted)}Q", *map(len, wanted))
        for frames, given in ((packed, b""), (list(packed), sizes), ([part.tobytes() for part in packed], sizes)):
            options = {"decompressed_sizes": given} if given else {}
            out = decompressor.multi_decompress_to_buffer(frames, **options)
            assert [part.tobytes() for part in out] == wanted
        assert decompressor.decompress(packed[0]) == wanted[0]
        assert decompressor.decompressobj().decompress(packed[1]) == wanted[1]
        del frames, out
        # A part keeps what it is a part of.
        part = packed[0]
        del packed
        assert zstandard.decompress(part) == wanted[0]


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: zstandard.BufferWithSegments(b"a", b"1"), ValueError, "not a multiple of 16"),
        (lambda: zstandard.BufferWithSegments(b"a", struct.pack("=QQ", 1, 1)), ValueError, "outside buffer"),
        (lambda: zstandard.BufferWithSegments(b"a", struct.pack("=QQ", 2**40, 1)), ValueError, "outside buffer"),
        (lambda: zstandard.BufferWithSegments(b"a", struct.pack("=QQ", 0, 1))[1], IndexError, "less than 1"),
        (zstandard.BufferWithSegmentsCollection, ValueError, "at least 1"),
        (lambda: zstandard.BufferWithSegmentsCollection(5), TypeError, "BufferWithSegments"),
        (lambda: zstandard.ZstdCompressor().multi_compress_to_buffer([]), ValueError, "no source elements"),
        (lambda: zstandard.ZstdCompressor().multi_compress_to_buffer([5]), TypeError, "item 0 not a bytes like"),
        (lambda: zstandard.ZstdCompressor().multi_compress_to_buffer(5), TypeError, "must be list"),
        (lambda: zstandard.ZstdDecompressor().multi_decompress_to_buffer([b"xx"]), ValueError, "size of item 0"),
        (lambda: zstandard.ZstdDecompressor().multi_decompress_to_buffer([5]), TypeError, "item 0 not a bytes like"),
        (lambda: zstandard.ZstdCompressor(level=23), ValueError, "less than 23"),
        (lambda: zstandard.ZstdCompressor(dict_data=5), TypeError, "dict_data"),
        (lambda: zstandard.ZstdDecompressor(dict_data=5), TypeError, "dict_data"),
        (lambda: zstandard.ZstdCompressor(compression_params=5), TypeError, "compression_params"),
        (lambda: zstandard.ZstdCompressionDict(b"abc", dict_type=7), ValueError, "invalid dictionary load mode"),
        (lambda: zstandard.train_dictionary(100, ["text"]), ValueError, "samples must be bytes"),
        (lambda: zstandard.train_dictionary(8192, [b"x"]), zstandard.ZstdError, "cannot train dict"),
        (lambda: zstandard.compress("text"), TypeError, "bytes-like"),
        (lambda: zstandard.ZstdCompressor().copy_stream(5, io.BytesIO()), ValueError, "read"),
        (lambda: zstandard.ZstdDecompressor().stream_reader(5), TypeError, "read"),
    ],
)
def test_errors(call, error, message):
    with pytest.raises(error, match=message):
        call()


@pytest.mark.parametrize("source", [DATA, io.BytesIO(DATA)], ids=["buffer", "stream"])
def test_methods_of_the_compressing_reader(source):
    compressor = zstandard.ZstdCompressor()
    with compressor.stream_reader(source, size=len(DATA)) as reader:
        assert type(reader) is backend_c.ZstdCompressionReader
        assert (reader.readable(), reader.writable(), reader.seekable(), reader.isatty()) == (True, False, False, False)
        assert (reader.tell(), reader.closed, reader.flush()) == (0, False, None)
        for call in (reader.readline, reader.readlines, lambda: next(reader), lambda: reader.write(b"")):
            with pytest.raises(NOT_OFFERED):
                call()
        buffers = bytearray(4), bytearray(3)
        assert (reader.readinto(buffers[0]), reader.readinto1(buffers[1])) == (4, 3)
        packed = b"".join(buffers) + reader.read(5) + reader.read1(6)
        assert len(packed) == 18
        packed += reader.readall()
    assert reader.closed
    assert zstandard.decompress(packed) == DATA
    with pytest.raises(ValueError, match="closed"):
        reader.read(1)


def test_methods_of_the_decompressing_reader():
    for source in (zstandard.compress(DATA), io.BytesIO(zstandard.compress(DATA))):
        with zstandard.ZstdDecompressor().stream_reader(source) as reader:
            assert type(reader) is backend_c.ZstdDecompressionReader
            assert (reader.readable(), reader.writable(), reader.seekable(), reader.isatty()) == (
                True,
                False,
                False,
                False,
            )
            for call in (reader.readline, reader.readlines, lambda: next(reader), lambda: reader.write(b"")):
                with pytest.raises(NOT_OFFERED):
                    call()
            assert (reader.seek(100), reader.read(5), reader.tell()) == (100, DATA[100:105], 105)
            buffers = bytearray(4), bytearray(3)
            assert (reader.readinto(buffers[0]), reader.readinto1(buffers[1])) == (4, 3)
            assert b"".join(buffers) + reader.read1(7) == DATA[105:119]
            assert reader.seek(5, io.SEEK_CUR) == 124
            for arguments in ((0,), (-1,), (0, io.SEEK_END)):
                with pytest.raises(OSError, match="seek"):
                    reader.seek(*arguments)
            assert reader.readall() == DATA[124:]
            assert (reader.read(), reader.flush()) == (b"", None)
        assert reader.closed


def test_methods_of_the_writers():
    target, plain = io.BytesIO(), io.BytesIO()
    writers = (
        zstandard.ZstdCompressor().stream_writer(target, closefd=False),
        zstandard.ZstdDecompressor().stream_writer(plain, closefd=False),
    )
    assert [type(writer) for writer in writers] == [backend_c.ZstdCompressionWriter, backend_c.ZstdDecompressionWriter]
    for writer in writers:
        assert (writer.readable(), writer.writable(), writer.seekable(), writer.isatty()) == (False, True, False, False)
        assert writer.memory_size() > 1000
        for call in (
            writer.readline,
            writer.readlines,
            writer.readall,
            writer.read,
            writer.fileno,
            writer.truncate,
            lambda: writer.seek(0),  # noqa: B023
            lambda: writer.readinto(b""),  # noqa: B023
            lambda: next(writer),  # noqa: B023
            lambda: writer.writelines([]),  # noqa: B023
        ):
            with pytest.raises(NOT_OFFERED):
                call()
    with writers[0] as writer:
        assert writer.write(DATA) == len(DATA)
        writer.flush(zstandard.FLUSH_BLOCK)
        assert writer.tell() == len(target.getvalue()) > 0
        assert zstandard.ZstdDecompressor().decompressobj().decompress(target.getvalue()) == DATA
        writer.write(b"end")
    with writers[1] as writer:
        assert writer.write(target.getvalue()) == len(target.getvalue())
        assert writer.flush() is None
    assert plain.getvalue() == DATA + b"end"
    assert all(writer.closed for writer in writers)
    for writer in writers:
        with pytest.raises(ValueError, match="closed"):
            writer.write(b"")


def test_objects_chunkers_and_iterators():
    compressor, decompressor = zstandard.ZstdCompressor(), zstandard.ZstdDecompressor()
    noise = random.Random(2).randbytes(10_000)
    chunker = compressor.chunker(chunk_size=1000)
    chunks = [*chunker.compress(noise), *chunker.flush(), *chunker.compress(DATA), *chunker.finish()]
    assert max(map(len, chunks)) == 1000
    with pytest.raises(zstandard.ZstdError, match="finished"):
        chunker.compress(b"")
    target = io.BytesIO()
    assert compressor.copy_stream(io.BytesIO(noise + DATA), target)[0] == len(noise + DATA)
    packer = compressor.compressobj()
    packed = (
        packer.compress(noise)
        + packer.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK)
        + packer.compress(DATA)
        + packer.flush()
    )
    with pytest.raises(zstandard.ZstdError, match="finished"):
        packer.compress(b"")
    read = list(compressor.read_to_iter(io.BytesIO(noise + DATA), read_size=999, write_size=100))
    assert max(map(len, read)) == 100
    for frame in (b"".join(chunks), target.getvalue(), packed, b"".join(read)):
        unpacker = decompressor.decompressobj(write_size=50)
        assert unpacker.decompress(frame[:-1]) + unpacker.decompress(frame[-1:] + b"more") == noise + DATA
        assert (unpacker.unused_data, unpacker.unconsumed_tail, unpacker.eof, unpacker.flush()) == (
            b"more",
            b"",
            True,
            b"",
        )
        with pytest.raises(zstandard.ZstdError, match="multiple times"):
            unpacker.decompress(b"")
        out = io.BytesIO()
        assert decompressor.copy_stream(io.BytesIO(frame), out) == (len(frame), len(noise + DATA))
        assert out.getvalue() == b"".join(decompressor.read_to_iter(frame, write_size=77)) == noise + DATA
    assert all(size > 1000 for size in (compressor.memory_size(), decompressor.memory_size()))
    assert len(compressor.frame_progression()) == 3
    assert zstandard.estimate_decompression_context_size() > 10_000


def test_errors_of_streams_and_buffers_come_through():
    packed = zstandard.compress(DATA)
    compressor, decompressor, broken = zstandard.ZstdCompressor(), zstandard.ZstdDecompressor(), Broken()
    for call in (
        lambda: compressor.stream_reader(broken).read(1),
        lambda: compressor.stream_reader(broken).readall(),
        lambda: list(compressor.read_to_iter(broken)),
        lambda: compressor.copy_stream(broken, io.BytesIO()),
        lambda: compressor.copy_stream(io.BytesIO(DATA), broken),
        lambda: compressor.stream_writer(broken).flush(),
        lambda: compressor.stream_writer(io.BytesIO()).write(broken),
        lambda: compressor.compress(broken),
        lambda: compressor.compressobj().compress(broken),
        lambda: compressor.chunker().compress(broken),
        lambda: decompressor.stream_reader(broken).read(1),
        lambda: decompressor.stream_reader(broken).seek(1),
        lambda: list(decompressor.read_to_iter(broken)),
        lambda: decompressor.copy_stream(broken, io.BytesIO()),
        lambda: decompressor.copy_stream(io.BytesIO(packed), broken),
        lambda: decompressor.stream_writer(broken).write(packed),
        lambda: decompressor.decompress(broken),
        lambda: decompressor.decompressobj().decompress(broken),
        lambda: zstandard.get_frame_parameters(broken),
        lambda: zstandard.ZstdCompressionDict(broken),
        lambda: zstandard.BufferWithSegments(broken, b""),
    ):
        for _ in range(3):
            with pytest.raises(LookupError, match="refused"):
                call()
    assert decompressor.decompress(compressor.compress(DATA)) == DATA


def test_states_cannot_be_copied_but_errors_can():
    for state in (
        zstandard.ZstdCompressor(),
        zstandard.ZstdDecompressor(),
        zstandard.ZstdCompressionParameters(),
        zstandard.ZstdCompressionDict(b"abcdefgh"),
        zstandard.ZstdCompressor().compressobj(),
        zstandard.get_frame_parameters(zstandard.compress(b"")),
    ):
        for again in (copy.copy, copy.deepcopy, pickle.dumps):
            with pytest.raises(TypeError, match="cannot pickle"):
                again(state)
    with pytest.raises(zstandard.ZstdError) as caught:
        zstandard.decompress(b"nothing of the kind")
    for again in (copy.copy, copy.deepcopy, lambda error: pickle.loads(pickle.dumps(error))):
        assert type(again(caught.value)) is zstandard.ZstdError
        assert str(again(caught.value)) == str(caught.value)
