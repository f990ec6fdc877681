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
