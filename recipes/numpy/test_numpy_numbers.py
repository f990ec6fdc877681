"""numpy's integers, elementary functions and kinds of floating-point number, against Python's own mathematics.

WebAssembly has no floating-point status flags. What numpy's own code notices (an integer divided by zero, a half that
overflows) is reported all the same; where the machine would have noticed (a float divided by zero), numpy returns inf
or nan and says nothing. Those tests state both outcomes.
"""

import cmath
import math
import random
import struct
import sys

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

HAS_FLOAT_FLAGS = sys.platform != "emscripten"


def test_integers_wrap_and_out_of_range_values_are_refused():
    assert np.array([127], dtype=np.int8) + np.int8(1) == np.array([-128], dtype=np.int8)
    assert (np.array([2**63 - 1], dtype=np.int64) + 1)[0] == -(2**63)
    assert (np.array([0], dtype=np.uint64) - np.uint64(1))[0] == 2**64 - 1
    with pytest.raises(OverflowError):
        np.array([256], dtype=np.uint8)
    with pytest.raises(OverflowError):
        np.array([2**64], dtype=np.int64)


def test_integer_division_rounds_like_python():
    a = np.arange(-20, 21, dtype=np.int64)
    for divisor in (-7, -1, 1, 3):
        assert_array_equal(a // divisor, [int(x) // divisor for x in a])
        assert_array_equal(a % divisor, [int(x) % divisor for x in a])
    with np.errstate(all="ignore"):
        assert_array_equal(np.array([1, -1, 0]) // np.array([0, 0, 0]), [0, 0, 0])


@pytest.mark.parametrize("dtype", [np.int8, np.uint16, np.int32, np.int64, np.uint64])
def test_64_bit_arithmetic_matches_python(dtype):
    rng = random.Random(3)
    info = np.iinfo(dtype)
    left = [rng.randint(info.min, info.max) for _ in range(300)]
    right = [rng.randint(info.min, info.max) for _ in range(300)]
    a, b = np.array(left, dtype=dtype), np.array(right, dtype=dtype)
    span = info.max - info.min + 1

    def wrap(value):
        return (value - info.min) % span + info.min

    assert (a + b).tolist() == [wrap(x + y) for x, y in zip(left, right, strict=True)]
    assert (a * b).tolist() == [wrap(x * y) for x, y in zip(left, right, strict=True)]
    assert (a ^ b).tolist() == [x ^ y for x, y in zip(left, right, strict=True)]
    assert (a > b).tolist() == [x > y for x, y in zip(left, right, strict=True)]
    assert np.maximum(a, b).tolist() == [max(x, y) for x, y in zip(left, right, strict=True)]


def test_bit_counts_and_shifts():
    values = [0, 1, 2**31, 2**63, 2**64 - 1]
    assert np.bitwise_count(np.array(values, dtype=np.uint64)).tolist() == [v.bit_count() for v in values]
    assert (np.uint64(1) << np.arange(64, dtype=np.uint64)).tolist() == [1 << i for i in range(64)]
    assert np.right_shift(np.int8(-1), np.int8(100)) == -1
    assert np.left_shift(np.int8(1), np.int8(100)) == 0


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [
        ("sin", -50, 50),
        ("cos", -50, 50),
        ("tan", -1.5, 1.5),
        ("exp", -700, 700),
        ("expm1", -5, 5),
        ("log", 1e-6, 1e3),
        ("log2", 1e-6, 1e3),
        ("log10", 1e-6, 1e3),
        ("log1p", -0.9, 1e6),
        ("sqrt", 0, 1e300),
        ("cbrt", -1e6, 1e6),
        ("sinh", -700, 700),
        ("cosh", -700, 700),
        ("tanh", -20, 20),
        ("asin", -1, 1),
        ("acos", -1, 1),
        ("atan", -1e3, 1e3),
        ("asinh", -1e6, 1e6),
        ("acosh", 1, 1e6),
        ("atanh", -0.999, 0.999),
    ],
)
def test_elementary_functions_match_math(name, low, high):
    values = np.linspace(low, high, 997)
    expected = [getattr(math, name)(v) for v in values.tolist()]
    assert_allclose(getattr(np, name)(values), expected, rtol=1e-14, atol=1e-15)
    single = values[np.abs(values) < 80].astype(np.float32)
    expected = [getattr(math, name)(v) for v in single.tolist()]
    assert_allclose(getattr(np, name)(single), expected, rtol=2e-6, atol=2e-6)


def test_special_values():
    with np.errstate(all="ignore"):
        zero, one = np.zeros(1), np.ones(1)
        assert (one / zero)[0] == math.inf
        assert math.isnan((zero / zero)[0])
        assert np.log(zero)[0] == -math.inf
        assert np.exp(np.array([1000.0]))[0] == math.inf
        assert math.isnan(np.sqrt(-one)[0])
    assert np.signbit(np.array([-0.0]))[0]
    assert np.nextafter(1.0, 2.0) == 1.0 + 2.0**-52
    assert np.spacing(1.0) == 2.0**-52
    assert np.hypot(3e200, 4e200) == pytest.approx(5e200, rel=1e-15)
    assert_array_equal(np.fmax([math.nan, 1], [2, math.nan]), [2, 1])
    assert np.isnan(np.maximum([math.nan, 1], [2, math.nan])).all()
    assert np.rint([0.5, 1.5, 2.5, -0.5]).tolist() == [0, 2, 2, 0]
    assert [x.tolist() for x in np.frexp([8.0, 0.1])] == [[0.5, 0.8], [4, -3]]
    assert np.ldexp(1.0, -1074) == 5e-324


def test_floating_point_errors():
    for setting, compute in (
        ("divide", lambda: np.ones(3) / np.zeros(3)),
        ("invalid", lambda: np.zeros(3) / np.zeros(3)),
        ("over", lambda: np.full(3, 1e308) * 10),
    ):
        with np.errstate(**{setting: "raise"}):
            if HAS_FLOAT_FLAGS:
                with pytest.raises(FloatingPointError):
                    compute()
            else:
                assert not np.isfinite(compute()).any()
    for setting, compute in (
        ("divide", lambda: np.ones(3, dtype=np.int32) // 0),
        ("divide", lambda: np.int64(1) % np.int64(0)),
        ("over", lambda: np.full(3, 1e6).astype(np.float16)),
        ("over", lambda: np.float32(1e6).astype(np.float16)),
        ("over", lambda: np.int8(-128) // np.int8(-1)),
    ):
        with np.errstate(all="ignore"):
            compute()
        with np.errstate(**{setting: "raise"}), pytest.raises(FloatingPointError):
            compute()
        with np.errstate(all="raise"):
            assert (np.arange(3, dtype=np.int32) // 2).tolist() == [0, 0, 1]


def test_half_precision():
    every = np.arange(2**16, dtype=np.uint16).view(np.float16)
    expected = [struct.unpack("<e", struct.pack("<H", bits))[0] for bits in range(2**16)]
    assert_array_equal(every.astype(np.float64), expected)
    finite = np.isfinite(every)
    assert_array_equal(every[finite].astype(np.float64).astype(np.float16).view(np.uint16), np.flatnonzero(finite))
    assert np.float64(2049).astype(np.float16) == 2048
    assert np.float64(2051).astype(np.float16) == 2052


def test_long_double_is_at_least_double():
    info = np.finfo(np.longdouble)
    assert info.nmant >= 52
    assert np.longdouble(1) + info.eps > 1
    third = np.longdouble(1) / np.longdouble(3)
    assert abs(third * 3 - 1) <= info.eps
    assert float(np.sqrt(np.longdouble(2))) == math.sqrt(2)
    assert np.array([1, 2, 3], dtype=np.longdouble).sum() == 6
    assert np.longdouble("0.5") == 0.5
    assert str(np.longdouble(0.25)) == "0.25"
    if sys.platform == "emscripten":
        assert (info.nmant, np.dtype(np.longdouble).itemsize) == (112, 16)


def test_complex_functions_match_cmath():
    values = [complex(re, im) for re in (-2.5, -0.5, 0.0, 1.0, 3.0) for im in (-1.5, 0.25, 2.0)]
    for name in ("exp", "log", "sqrt", "sin", "cos", "tan", "sinh", "cosh", "tanh", "asin", "acos", "atan"):
        expected = [getattr(cmath, name)(v) for v in values]
        assert_allclose(getattr(np, name)(np.array(values)), expected, rtol=1e-12, atol=1e-13)
    a, b = np.array(values), np.array(values[::-1])
    assert_allclose(a * b, [x * y for x, y in zip(values, values[::-1], strict=True)], rtol=1e-15)
    assert_allclose(a / b, [x / y for x, y in zip(values, values[::-1], strict=True)], rtol=1e-14)
    assert_allclose(np.abs(a), [abs(v) for v in values], rtol=1e-15)


def test_pairwise_summation_is_accurate():
    values = np.full(1_000_000, 0.1)
    assert abs(values.sum() - math.fsum([0.1] * 1_000_000)) < 1e-8
    assert np.arange(100_001, dtype=np.int64).sum() == 5_000_050_000
    assert np.add.reduce(np.ones(300, dtype=np.uint8), dtype=np.uint8) == 300 % 256
    assert np.full(70_000, 65_535, dtype=np.uint16).sum(dtype=np.uint64) == 70_000 * 65_535
