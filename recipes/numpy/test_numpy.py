"""numpy's arrays: types, reductions, sorting, indexing, strings, files, casts, against exact values."""

import io
import math
import pickle
import random
import struct
import sys

import numpy as np
import pytest
from numpy._core import _multiarray_umath
from numpy.linalg import _umath_linalg, lapack_lite
from numpy.testing import assert_array_equal


def test_c_extensions_are_in_use():
    for module in (_multiarray_umath, _umath_linalg, lapack_lite, np.random.mtrand, np.fft._pocketfft_umath):
        assert module.__file__.endswith((".so", ".pyd"))
    assert type(np.add).__name__ == "ufunc"


def test_sizes_of_types():
    pointer = struct.calcsize("P")
    assert np.dtype(np.intp).itemsize == pointer
    assert np.dtype(np.uintp).itemsize == pointer
    assert np.array([1, 2]).dtype == np.intp
    assert np.argsort([2, 1]).dtype == np.intp
    assert np.dtype("l").itemsize == struct.calcsize("l")
    assert [np.dtype(t).itemsize for t in "bhiqefd"] == [1, 2, 4, 8, 2, 4, 8]
    assert np.iinfo(np.intp).max == sys.maxsize


def test_reductions_and_accumulations():
    a = np.arange(24, dtype=np.float64).reshape(2, 3, 4)
    assert a.sum(axis=(0, 2)).tolist() == [60, 92, 124]
    assert a.prod(axis=1)[1].tolist() == [12 * 16 * 20, 13 * 17 * 21, 14 * 18 * 22, 15 * 19 * 23]
    assert np.cumsum([1, 2, 3, 4]).tolist() == [1, 3, 6, 10]
    assert np.add.reduceat(np.arange(8), [0, 4, 1, 5]).tolist() == [6, 4, 10, 18]
    assert np.multiply.outer([1, 2], [3, 4]).tolist() == [[3, 4], [6, 8]]
    assert np.var([1, 2, 3, 4]) == 1.25
    assert np.median([5, 1, 4, 2]) == 3
    assert np.percentile([1, 2, 3, 4, 5], [0, 25, 90]).tolist() == pytest.approx([1, 2, 4.6])
    counts = np.zeros(3, dtype=int)
    np.add.at(counts, [0, 2, 2, 2], 1)
    assert counts.tolist() == [1, 0, 3]


@pytest.mark.parametrize("dtype", [np.int8, np.uint16, np.int32, np.int64, np.float32, np.float64, "U4", "S4", object])
@pytest.mark.parametrize("kind", ["quicksort", "stable", "heapsort"])
def test_sorting(dtype, kind):
    rng = random.Random(7)
    values = [rng.randint(-128 if dtype == np.int8 else 0, 127) for _ in range(2000)]
    array = np.array([str(v) for v in values] if dtype in ("U4", "S4") else values, dtype=dtype)
    expected = sorted(array.tolist())
    assert np.sort(array, kind=kind).tolist() == expected
    order = np.argsort(array, kind=kind)
    assert array[order].tolist() == expected
    if kind == "stable":
        assert order.tolist() == sorted(range(2000), key=array.tolist().__getitem__)


def test_sorting_puts_nan_last_and_partitions():
    a = np.array([3.0, math.nan, -math.inf, 1.0, math.nan, math.inf])
    assert np.sort(a)[:4].tolist() == [-math.inf, 1, 3, math.inf]
    assert np.isnan(np.sort(a)[4:]).all()
    values = np.array(random.Random(1).sample(range(10_000), 5000))
    for k in (0, 17, 2500, 4999):
        part = np.partition(values, k)
        assert part[k] == sorted(values.tolist())[k]
        assert part[:k].max(initial=-1) <= part[k] <= part[k:].min()
    keys = np.lexsort(([1, 0, 1, 0], [2, 2, 1, 1]))
    assert keys.tolist() == [3, 2, 1, 0]
    assert np.searchsorted([1, 2, 2, 3], [0, 2, 5], side="right").tolist() == [0, 3, 4]


def test_sets_and_histograms():
    values, index, counts = np.unique([3, 1, 3, 2, 1, 3], return_inverse=True, return_counts=True)
    assert values.tolist() == [1, 2, 3]
    assert index.tolist() == [2, 0, 2, 1, 0, 2]
    assert counts.tolist() == [2, 1, 3]
    assert np.bincount([0, 1, 1, 5], minlength=7).tolist() == [1, 2, 0, 0, 0, 1, 0]
    assert np.histogram([0, 0.5, 1, 1.5, 2], bins=2)[0].tolist() == [2, 3]
    assert np.isin([1, 2, 3], [2, 9]).tolist() == [False, True, False]
    assert np.interp([0.5, 3], [0, 1, 2], [0, 10, 20]).tolist() == [5, 20]


def test_indexing_and_broadcasting():
    a = np.arange(20).reshape(4, 5)
    assert a[::-1, 1::2].tolist() == [[16, 18], [11, 13], [6, 8], [1, 3]]
    assert a[[0, 2], [1, 3]].tolist() == [1, 13]
    assert a[a % 7 == 0].tolist() == [0, 7, 14]
    assert (np.arange(3)[:, None] * np.arange(4)).shape == (3, 4)
    view = np.lib.stride_tricks.sliding_window_view(np.arange(5), 3)
    assert view.tolist() == [[0, 1, 2], [1, 2, 3], [2, 3, 4]]
    assert np.shares_memory(a, a[1:])
    b = np.arange(6)
    b[1:] = b[:-1]
    assert b.tolist() == [0, 0, 1, 2, 3, 4]
    with pytest.raises(IndexError):
        a[4]
    with pytest.raises(ValueError, match="broadcast"):
        np.ones(3) + np.ones(4)


def test_impossible_sizes_are_refused():
    with pytest.raises((ValueError, MemoryError)):
        np.empty((2**30, 2**30, 8))
    with pytest.raises(ValueError, match="negative"):
        np.empty(-1)
    with pytest.raises(ValueError, match="reshape"):
        np.arange(6).reshape(4, 2)


def test_structured_arrays():
    dtype = np.dtype([("id", "<u4"), ("pos", "<f8", (2,)), ("tag", "S3")])
    assert dtype.itemsize == 4 + 16 + 3
    table = np.array([(2, (0.5, 1.5), b"two"), (1, (2.5, 3.5), b"one")], dtype=dtype)
    assert table.tobytes() == b"".join(
        struct.pack("<Idd3s", *row) for row in ((2, 0.5, 1.5, b"two"), (1, 2.5, 3.5, b"one"))
    )
    assert np.sort(table, order="id")["tag"].tolist() == [b"one", b"two"]
    assert table["pos"].sum() == 8
    aligned = np.dtype([("a", "i1"), ("b", "i4")], align=True)
    assert (aligned.itemsize, aligned.fields["b"][1]) == (8, 4)


def test_byte_order_and_unaligned_data():
    raw = struct.pack(">x3h", 1, -2, 300)
    big = np.frombuffer(raw, dtype=">i2", offset=1)
    assert big.tolist() == [1, -2, 300]
    assert (big * 2).tolist() == [2, -4, 600]
    shifted = np.frombuffer(b"\0" + struct.pack("<4d", 1, 2, 3, 4), dtype="<f8", offset=1)
    assert not shifted.flags.aligned
    assert np.sqrt(shifted * shifted).tolist() == [1, 2, 3, 4]
    assert np.array([1], dtype="<u4").byteswap()[0] == 1 << 24


def test_strings_and_dates():
    words = np.array(["alpha", "\u03b2eta", "", "a😀"])
    assert np.strings.str_len(words).tolist() == [5, 4, 0, 2]
    assert np.strings.upper(words).tolist() == ["ALPHA", "\u0392ETA", "", "A😀"]
    assert np.strings.find(words, "a").tolist() == [0, 3, -1, 0]
    variable = np.array(["x" * 100, "y", ""], dtype=np.dtypes.StringDType())
    assert (variable + "!").tolist() == ["x" * 100 + "!", "y!", "!"]
    days = np.arange("2024-02-27", "2024-03-02", dtype="datetime64[D]")
    assert [str(d) for d in days] == ["2024-02-27", "2024-02-28", "2024-02-29", "2024-03-01"]
    assert (np.datetime64("2024-03-01") - np.datetime64("2023-03-01")).astype(int) == 366
    assert np.busday_count("2024-01-01", "2024-02-01") == 23
    assert np.datetime64("2262-04-11T23:47:16.854775807", "ns").astype(np.int64) == 2**63 - 1


def test_saving_and_loading(tmp_path):
    arrays = {
        "f": np.asfortranarray(np.arange(12.0).reshape(3, 4)),
        "c": np.array([1 + 2j]),
        "s": np.array([(1, b"x")], dtype=[("a", ">i4"), ("b", "S2")]),
        "u": np.array(["é", "😀"]),
        "e": np.empty((0, 3), dtype=np.int8),
    }
    np.savez_compressed(tmp_path / "all.npz", **arrays)
    with np.load(tmp_path / "all.npz") as loaded:
        for name, array in arrays.items():
            assert_array_equal(loaded[name], array)
            assert loaded[name].dtype == array.dtype
    buffer = io.BytesIO()
    np.save(buffer, np.arange(3, dtype="<i2"))
    assert buffer.getvalue().startswith(b"\x93NUMPY\x01\x00")
    assert buffer.getvalue().endswith(b"\0\0\1\0\2\0")
    with pytest.raises(ValueError, match="allow_pickle"):
        np.load(io.BytesIO(pickle.dumps([1])))


def test_memory_mapped_files(tmp_path):
    path = tmp_path / "data.bin"
    np.arange(1000, dtype="<f8").tofile(path)
    mapped = np.memmap(path, dtype="<f8", mode="r", offset=80, shape=(10, 5))
    assert mapped[0, 0] == 10
    assert mapped.sum() == sum(range(10, 60))
    assert_array_equal(np.fromfile(path, dtype="<f8", count=3, offset=8), [1, 2, 3])
    del mapped


def test_text_round_trips():
    values = [0.1, 1e23, 5e-324, -1.7976931348623157e308, 123456789.123456789, 2.0**-1022]
    for value in values:
        assert float(repr(np.float64(value)).removeprefix("np.float64(").removesuffix(")")) == value
    assert str(np.float32(0.1)) == "0.1"
    assert str(np.float16(65504)) == "6.55e+04"
    assert np.format_float_scientific(np.float64(12345.678), precision=3) == "1.235e+04"
    table = np.loadtxt(io.StringIO("# c\n1,2.5\n3,-4e2\n"), delimiter=",")
    assert table.tolist() == [[1, 2.5], [3, -400]]
    assert str(np.arange(4).reshape(2, 2)) == "[[0 1]\n [2 3]]"
    assert np.array(["1.5", "nan"]).astype(float)[0] == 1.5


def test_buffers_pickles_and_copies():
    a = np.arange(6, dtype=np.int32).reshape(2, 3)
    view = memoryview(a)
    assert (view.format, view.shape, view.strides) == (np.dtype(np.int32).char, (2, 3), (12, 4))
    view[1, 2] = -1
    assert a[1, 2] == -1
    for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
        assert_array_equal(pickle.loads(pickle.dumps(a[:, ::2], protocol)), a[:, ::2])
    frozen = a.copy()
    frozen.flags.writeable = False
    with pytest.raises(ValueError, match="read-only"):
        frozen[0, 0] = 1


def test_casting_rules():
    assert np.result_type(np.int8, np.uint8) == np.int16
    assert np.result_type(np.int64, np.uint64) == np.float64
    assert (np.float32(1) + 1.5).dtype == np.float32
    assert np.array([1.9, -1.9, 2.0**40]).astype(np.int64).tolist() == [1, -1, 2**40]
    assert np.array([2.0**63], dtype=np.float64).astype(np.uint64)[0] == 2**63
    assert not np.can_cast(np.int64, np.int32)
    with pytest.raises(np.exceptions.DTypePromotionError):
        np.result_type("M8[s]", np.float64)
    with pytest.raises(TypeError, match="same_kind"):
        np.add(np.ones(2, dtype=int), 1.5, out=np.zeros(2, dtype=int))


def test_callbacks_and_their_exceptions():
    def refuse(_value):
        raise LookupError("refused")

    assert np.frompyfunc(lambda a, b: a * b, 2, 1)([2, 3], ["a", "b"]).tolist() == ["aa", "bbb"]
    assert np.vectorize(lambda v: v + 1, otypes=[float])([1, 2]).tolist() == [2, 3]
    with pytest.raises(LookupError, match="refused"):
        np.frompyfunc(refuse, 1, 1)(np.arange(3))
    with pytest.raises(LookupError, match="refused"):
        np.apply_along_axis(refuse, 0, np.ones((2, 2)))


def test_buffered_iteration_over_strided_data():
    a = np.arange(100_000, dtype=np.int16)[::3]
    assert np.add(a, np.float64(0.5), dtype=np.float64).sum() == float(sum(a.tolist())) + 0.5 * len(a)
    with np.nditer(
        [a[:10], None],
        op_dtypes=[np.float64, np.float64],
        flags=["buffered"],
        casting="safe",
        op_flags=[["readonly"], ["writeonly", "allocate"]],
    ) as iterator:
        for source, target in iterator:
            target[...] = source * 2
        assert iterator.operands[1].tolist() == [2.0 * v for v in a[:10].tolist()]


def test_polynomials_windows_and_gradients():
    polynomial = np.polynomial.Polynomial([1, -3, 2])
    assert sorted(polynomial.roots()) == pytest.approx([0.5, 1])
    nodes, weights = np.polynomial.legendre.leggauss(5)
    assert float(weights @ nodes**8) == pytest.approx(2 / 9)
    assert np.convolve([1, 2, 3], [0, 1, 0.5]).tolist() == [0, 1, 2.5, 4, 1.5]
    assert np.gradient([1.0, 4, 9, 16]).tolist() == [3, 4, 6, 7]
    assert np.i0(1.0) == pytest.approx(1.2660658777520082)
    assert np.hanning(5).tolist() == pytest.approx([0, 0.5, 1, 0.5, 0])


def test_masked_arrays_and_where():
    a = np.ma.masked_greater(np.arange(6), 3)
    assert a.sum() == 6
    assert a.filled(-1).tolist() == [0, 1, 2, 3, -1, -1]
    assert np.where(np.arange(4) % 2, 10, -10).tolist() == [-10, 10, -10, 10]
    assert np.select([np.arange(4) < 1, np.arange(4) > 2], [7, 8], 9).tolist() == [7, 9, 9, 8]
    assert np.add(1, np.arange(3), where=[True, False, True], out=np.zeros(3)).tolist() == [1, 0, 3]
