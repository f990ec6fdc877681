"""Bottleneck's C functions against NumPy and its own slow Python versions, for every type, axis and stride."""

import bottleneck as bn
import numpy as np
import pytest
from bottleneck import move, nonreduce, nonreduce_axis, reduce
from bottleneck.slow import move as slow_move
from bottleneck.slow import reduce as slow_reduce

TYPES = ["float64", "float32", "int64", "int32"]
REDUCE = ["nansum", "nanmean", "nanstd", "nanvar", "nanmin", "nanmax", "median", "nanmedian", "ss", "anynan", "allnan"]
MOVE = ["move_sum", "move_mean", "move_std", "move_var", "move_min", "move_max", "move_median", "move_rank"]


def sample(dtype, order="C"):
    data = ((np.arange(2 * 3 * 40) * 7919) % 101).astype(dtype).reshape(2, 3, 40)
    if data.dtype.kind == "f":
        data[0, 1, 5:9] = np.nan
        data[1, 2] = np.nan
        data[1, 0, 3] = -np.inf
    return np.asarray(data, order=order)


def test_c_extensions_are_in_use():
    for module in (reduce, move, nonreduce, nonreduce_axis):
        assert module.__file__.endswith((".so", ".pyd"))
    assert bn.nansum is reduce.nansum
    assert bn.move_mean is move.move_mean


@pytest.mark.parametrize("name", REDUCE)
@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("order", "CF")
@pytest.mark.parametrize("axis", [None, 0, 1, 2, -1])
@pytest.mark.filterwarnings("ignore")
def test_reduction(name, dtype, order, axis):
    data = sample(dtype, order)
    expected = getattr(slow_reduce, name)(data, axis=axis)
    np.testing.assert_allclose(getattr(bn, name)(data, axis=axis), expected, rtol=1e-5)


@pytest.mark.parametrize("name", ["nansum", "nanmax", "median"])
def test_views_with_strides(name):
    data = sample("float64")[::-1, :, ::3].swapaxes(0, 2)
    np.testing.assert_allclose(getattr(bn, name)(data, axis=1), getattr(slow_reduce, name)(data, axis=1))


@pytest.mark.parametrize("name", MOVE)
@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("window", [2, 5, 40])
@pytest.mark.filterwarnings("ignore")
def test_moving_window(name, dtype, window):
    data = sample(dtype)
    if data.dtype.kind == "f":
        data[np.isinf(data)] = 3
    got = getattr(bn, name)(data, window=window, min_count=1)
    expected = getattr(slow_move, name)(data, window=window, min_count=1)
    # A variance is updated as the window moves; in 32 bits what is left of two equal values is not quite nothing.
    tolerance = 0.05 if dtype == "float32" else 1e-6
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=tolerance)


def test_sums_that_do_not_fit_32_bits():
    data = np.full(100_000, 2**31 - 1, dtype=np.int32)
    assert bn.nansum(data.astype(np.int64)) == 100_000 * (2**31 - 1)
    assert bn.nanmax(np.array([-(2**63), 2**63 - 1])) == 2**63 - 1


def test_partition_and_rank():
    data = np.array([3, 1, 2, 9, 5, 4])
    assert sorted(bn.partition(data, 2)[:3]) == [1, 2, 3]
    assert sorted(data[bn.argpartition(data, 2)[:3]]) == [1, 2, 3]
    assert bn.rankdata(np.array([10, 20, 20, 5])).tolist() == [2, 3.5, 3.5, 1]
    assert np.array_equal(bn.nanrankdata(np.array([2, np.nan, 1])), [2, np.nan, 1], equal_nan=True)
    assert np.array_equal(bn.push(np.array([1, np.nan, np.nan, 4])), [1, 1, 1, 4])


def test_replace_in_place():
    data = np.array([1.0, np.nan, 3.0])
    bn.replace(data, np.nan, 0)
    assert data.tolist() == [1, 0, 3]
    with pytest.raises(TypeError, match=r"read-only|array"):
        bn.replace([1, 2], 1, 0)


def test_errors_cross_the_boundary():
    with pytest.raises(ValueError, match="axis"):
        bn.nansum(np.zeros(3), axis=3)
    with pytest.raises(ValueError, match=r"window|Moving"):
        bn.move_sum(np.zeros(3), window=4)
    with pytest.raises(ValueError, match="size==0"):
        bn.nanmin(np.zeros(0))


@pytest.mark.parametrize("dtype", TYPES)
def test_places_of_extremes(dtype):
    data = np.array([[3, 1, 2, 1], [5, 9, 9, 0]], dtype)
    assert bn.nanargmin(data, axis=1).tolist() == [1, 3]
    assert bn.nanargmax(data, axis=1).tolist() == [0, 1]
    assert (bn.nanargmin(data), bn.nanargmax(data)) == (7, 5)
    # A place counts from the end of its window; of equal values the last one holds.
    assert bn.move_argmin(data[0], window=3).tolist()[2:] == [1, 0]
    assert bn.move_argmax(data[0], window=3).tolist()[2:] == [2, 1]
    if data.dtype.kind == "f":
        with pytest.raises(ValueError, match="All-NaN slice"):
            bn.nanargmin(np.full(3, np.nan, dtype))


@pytest.mark.parametrize("dtype", TYPES)
def test_results_of_one_module_in_another(dtype):
    data = np.array([[4, 1, 3], [9, 7, 8]], dtype)
    ranks = bn.rankdata(data, axis=1)
    assert ranks.tolist() == [[3, 1, 2], [3, 1, 2]]
    means = bn.move_mean(ranks, window=2, axis=1)
    assert bn.nansum(means, axis=1).tolist() == [3.5, 3.5]
    bn.replace(means, np.nan, 0.5)
    assert bn.push(bn.partition(means, 1, axis=1), axis=1)[:, 0].tolist() == [0.5, 0.5]
    assert bn.median(data, axis=1).tolist() == [bn.partition(row, 1)[1] for row in data] == [3, 8]
    assert data[[0, 1], bn.argpartition(data, 0, axis=1)[:, 0]].tolist() == [1, 7]
    assert bn.nanrankdata(bn.move_max(data.astype("f8"), window=2), axis=0)[:, 1:].tolist() == [[1, 1], [2, 2]]


def test_what_the_c_code_does_not_take_is_left_to_python():
    for data in (np.array([1, 2, 3], "i2"), np.arange(1.0, 4).astype(">f8"), [1, 2, 3], np.array([1, 2, 3], object)):
        assert bn.nansum(data) == 6
        assert bn.move_sum(data, window=2).tolist()[1:] == [3, 5]
        assert bn.push(np.asarray(data, "f2")).tolist() == [1, 2, 3]


def test_errors_in_callbacks_arrive_unchanged():
    class Array:
        def __array__(self, *_arguments, **_options):
            raise IndexError("from Python")

    for function in (bn.nansum, bn.median, bn.rankdata, bn.push):
        for _ in range(20):
            with pytest.raises(IndexError, match="from Python"):
                function(Array())


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: bn.nansum(np.zeros(3), axis="0"), TypeError, "integer"),
        (bn.nansum, TypeError, "number of arguments"),
        (lambda: bn.nansum(np.zeros(3), 0, 1), TypeError, "argument"),
        (lambda: bn.move_sum(np.zeros(3), window=2, min_count=3), ValueError, "min_count"),
        (lambda: bn.move_sum(np.zeros(3), window=0), ValueError, "window"),
        (lambda: bn.move_median(np.float64(3), window=1), ValueError, "ndim > 0"),
        (lambda: bn.partition(np.zeros(3), 3), ValueError, "must be between 0 and 2"),
        (lambda: bn.rankdata(np.zeros(3), axis=1), ValueError, "axis"),
        (lambda: bn.replace(np.zeros(3, int), 0, 1.5), ValueError, "[Cc]annot safely cast"),
        (lambda: bn.replace(np.zeros(3), "a", 1), TypeError, "`old` must be a number"),
    ],
)
def test_errors_of_every_module(call, error, message):
    for _ in range(20):
        with pytest.raises(error, match=message):
            call()
