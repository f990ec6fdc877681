"""Every bit pattern of every small type, against what its definition says and what numpy works out in wider types."""

import copy
import itertools
import math
import pickle

import ml_dtypes
import numpy as np
import pytest
from ml_dtypes import _ml_dtypes_ext

# name -> bits of exponent and of fraction, bias; whether there are infinities, and which patterns are not numbers.
FLOATS = {
    "float8_e3m4": (3, 4, 3, "ieee"),
    "float8_e4m3": (4, 3, 7, "ieee"),
    "float8_e5m2": (5, 2, 15, "ieee"),
    "bfloat16": (8, 7, 127, "ieee"),
    "float8_e4m3fn": (4, 3, 7, "fn"),
    "float8_e4m3fnuz": (4, 3, 8, "fnuz"),
    "float8_e5m2fnuz": (5, 2, 16, "fnuz"),
    "float8_e4m3b11fnuz": (4, 3, 11, "fnuz"),
    "float6_e2m3fn": (2, 3, 1, "finite"),
    "float6_e3m2fn": (3, 2, 3, "finite"),
    "float4_e2m1fn": (2, 1, 1, "finite"),
}
INTEGERS = {"int2": (-2, 1), "uint2": (0, 3), "int4": (-8, 7), "uint4": (0, 15)}


def value(bits, exponent_bits, fraction_bits, bias, kind):
    """Return what a pattern of bits means."""
    sign = -1.0 if bits >> (exponent_bits + fraction_bits) & 1 else 1.0
    exponent = bits >> fraction_bits & ((1 << exponent_bits) - 1)
    fraction = bits & ((1 << fraction_bits) - 1)
    highest = exponent == (1 << exponent_bits) - 1
    if kind == "ieee" and highest:
        return math.nan if fraction else sign * math.inf
    if kind == "fn" and highest and fraction == (1 << fraction_bits) - 1:
        return math.nan
    if kind == "fnuz" and bits == 1 << (exponent_bits + fraction_bits):
        return math.nan
    if exponent == 0:
        return sign * math.ldexp(fraction, 1 - bias - fraction_bits)
    return sign * math.ldexp((1 << fraction_bits) + fraction, exponent - bias - fraction_bits)


def every(name):
    """Return all patterns of a type, as an array of it, and what they mean, as doubles."""
    exponent_bits, fraction_bits, _, _ = FLOATS[name]
    bits = 1 + exponent_bits + fraction_bits
    patterns = np.arange(1 << bits, dtype=np.uint16 if bits > 8 else np.uint8)
    return patterns.view(getattr(ml_dtypes, name)), np.array([value(int(p), *FLOATS[name]) for p in patterns])


@pytest.mark.parametrize("name", FLOATS)
def test_every_pattern_means_what_the_definition_says(name):
    array, meaning = every(name)
    numbers = ~np.isnan(meaning)
    with np.errstate(invalid="ignore"):
        np.testing.assert_array_equal(np.isnan(array), ~numbers)
        doubles = array.astype(np.float64)
    np.testing.assert_array_equal(doubles, meaning)
    np.testing.assert_array_equal(np.signbit(doubles[numbers]), np.signbit(meaning[numbers]))
    back = meaning.astype(array.dtype)
    raw = np.uint16 if array.dtype.itemsize == 2 else np.uint8
    np.testing.assert_array_equal(back.view(raw)[numbers], array.view(raw)[numbers])


@pytest.mark.parametrize("name", FLOATS)
def test_floats_are_rounded_to_the_nearest_and_then_to_even(name):
    array, meaning = every(name)
    positive = np.unique(meaning[np.isfinite(meaning) & (meaning >= 0)])
    middles = ((positive[:-1] + positive[1:]) / 2).astype(np.float32)
    for floats, expected in (
        (np.nextafter(middles, np.float32(0)), positive[:-1]),
        (np.nextafter(middles, np.float32(np.inf)), positive[1:]),
    ):
        np.testing.assert_array_equal(floats.astype(array.dtype).astype(np.float64), expected)
        np.testing.assert_array_equal((-floats).astype(array.dtype).astype(np.float64), -expected)
    even = np.where(np.arange(len(middles)) % 2 == 0, positive[:-1], positive[1:])
    np.testing.assert_array_equal(middles.astype(array.dtype).astype(np.float64), even)


@pytest.mark.parametrize("name", FLOATS)
def test_arithmetic_is_that_of_floats_rounded_once(name):
    array, _ = every(name)
    pick = array if array.size <= 256 else array[:: array.size // 251]
    wide = pick.astype(np.float32)
    with np.errstate(all="ignore"):
        for operation in (np.add, np.subtract, np.multiply, np.true_divide):
            ours = operation.outer(pick, pick)
            expected = operation.outer(wide, wide).astype(pick.dtype)
            assert ours.dtype == pick.dtype
            np.testing.assert_array_equal(ours.astype(np.float32), expected.astype(np.float32))
        for comparison in (np.less, np.equal, np.greater_equal):
            np.testing.assert_array_equal(comparison.outer(pick, pick), comparison.outer(wide, wide))


@pytest.mark.parametrize("name", FLOATS)
def test_what_finfo_says(name):
    _, meaning = every(name)
    info = ml_dtypes.finfo(name)
    exponent_bits, fraction_bits, _, _ = FLOATS[name]
    finite = meaning[np.isfinite(meaning)]
    assert float(info.max) == finite.max()
    assert float(info.min) == finite.min()
    assert float(info.smallest_subnormal) == finite[finite > 0].min()
    assert float(info.eps) == 2.0**-fraction_bits
    assert (info.nexp, info.nmant, info.bits) == (exponent_bits, fraction_bits, 1 + exponent_bits + fraction_bits)


def test_the_exponent_alone():
    patterns = np.arange(255, dtype=np.uint8).view(ml_dtypes.float8_e8m0fnu)
    np.testing.assert_array_equal(patterns.astype(np.float64), np.ldexp(1.0, np.arange(255) - 127))
    assert np.isnan(np.array([255], np.uint8).view(ml_dtypes.float8_e8m0fnu)).all()


@pytest.mark.parametrize("name", INTEGERS)
def test_small_integers_wrap(name):
    lowest, highest = INTEGERS[name]
    dtype = np.dtype(getattr(ml_dtypes, name))
    info = ml_dtypes.iinfo(dtype)
    assert (info.min, info.max) == (lowest, highest)
    numbers = np.arange(lowest, highest + 1)
    small = numbers.astype(dtype)
    assert small.astype(np.int64).tolist() == numbers.tolist()
    size = highest - lowest + 1
    for operation in (np.add, np.subtract, np.multiply):
        expected = (operation.outer(numbers, numbers) - lowest) % size + lowest
        np.testing.assert_array_equal(operation.outer(small, small).astype(np.int64), expected)
    assert dtype.type(highest + 1) == lowest


def test_bfloat16_works_with_the_rest_of_numpy():
    x = np.array([3, 1, 2], dtype=ml_dtypes.bfloat16)
    assert np.sort(x).tolist() == [1, 2, 3]
    assert (x.sum(), x.max(), x.argmin()) == (6, 3, 1)
    assert np.dtype("bfloat16") == x.dtype
    assert x.dtype.name == "bfloat16"
    assert (x + np.float32(1)).dtype == np.float32
    with pytest.raises(TypeError, match="common DType"):
        np.promote_types(ml_dtypes.bfloat16, np.float16)
    assert np.concatenate([x, x]).shape == (6,)
    assert (x @ x).astype(float) == 14
    assert str(x) == "[3 1 2]"
    assert pickle.loads(pickle.dumps(x)).tobytes() == x.tobytes()
    with np.errstate(all="ignore"):
        np.testing.assert_allclose(np.exp(x).astype(float), np.exp([3, 1, 2]), rtol=2**-8)
    complex_halves = np.array([1 + 2j, 3 - 4j], dtype=ml_dtypes.bcomplex32)
    assert np.abs(complex_halves).astype(float).tolist() == [2.234375, 5]


ALL = [*FLOATS, "float8_e8m0fnu", *INTEGERS, "int1", "uint1", "bcomplex32", "complex32"]
AGAIN = [copy.copy, copy.deepcopy, lambda value: pickle.loads(pickle.dumps(value))]


def test_every_type_is_compiled():
    assert _ml_dtypes_ext.__file__.endswith((".so", ".pyd"))
    types = {name for name, value in vars(_ml_dtypes_ext).items() if isinstance(value, type)}
    assert types == set(ALL)
    assert all(getattr(ml_dtypes, name) is getattr(_ml_dtypes_ext, name) for name in ALL)


@pytest.mark.parametrize("again", AGAIN)
@pytest.mark.parametrize("name", ALL)
def test_copies(name, again):
    kind = getattr(ml_dtypes, name)
    dtype = np.dtype(kind)
    assert again(kind) is kind
    assert again(dtype) == dtype
    scalar = again(kind(1))
    assert (type(scalar), scalar) == (kind, kind(1))
    assert hash(scalar) == hash(kind(1))
    array = np.zeros((2, 3), dtype, order="F")
    array[1] = 1
    other = again(array)
    assert (other.dtype, other.flags.fnc, other.tobytes()) == (dtype, True, array.tobytes())
    record = np.zeros(2, [("x", dtype), ("n", "i4")])
    record["x"] = 1
    assert again(record).tobytes() == record.tobytes()
    assert again(record)["x"].dtype == dtype


@pytest.mark.parametrize(
    ("source", "target"),
    [*itertools.permutations(FLOATS, 2), *itertools.permutations(["int4", "bfloat16"]), ("bfloat16", "uint4")],
)
def test_each_type_is_made_of_each_other(source, target):
    values = np.array([-1, 0, 0.5, 1, 1.5, 2, 3, 4]).astype(getattr(ml_dtypes, source))
    dtype = np.dtype(getattr(ml_dtypes, target))
    # By way of doubles, which hold all of them.
    doubles = values.astype(float)
    expected = (np.trunc(doubles) if "int" in target else doubles).astype(dtype)
    if target == "uint4":
        values, expected = values[1:], expected[1:]
    assert values.astype(dtype).tobytes() == expected.tobytes()


@pytest.mark.parametrize("name", FLOATS)
def test_neighbours_and_signs(name):
    array, meaning = every(name)
    finite = np.unique(meaning[np.isfinite(meaning)])
    ordered = finite.astype(array.dtype)
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(np.nextafter(ordered[:-1], ordered[-1]).astype(float), finite[1:])
        np.testing.assert_array_equal(np.nextafter(ordered[1:], ordered[0]).astype(float), finite[:-1])
    np.testing.assert_array_equal(np.argsort(ordered[::-1]), np.arange(len(finite))[::-1])
    np.testing.assert_array_equal(np.sign(ordered).astype(float), np.sign(finite))
    np.testing.assert_array_equal(np.copysign(ordered, ordered.dtype.type(1)).astype(float), np.abs(finite))
    np.testing.assert_array_equal(np.floor(ordered).astype(float), np.floor(finite).astype(array.dtype).astype(float))
    if FLOATS[name][0] > 2:  # else there are few fractions between 0.5 and 1
        fractions, exponents = np.frexp(ordered[finite != 0])
        np.testing.assert_array_equal(np.ldexp(fractions.astype(float), exponents), finite[finite != 0])
    assert ordered.max() == finite.max()
    assert ordered.argmin() == 0


@pytest.mark.parametrize(("name", "tolerance"), [("bcomplex32", 2.0**-7), ("complex32", 2.0**-10)])
def test_complex_numbers(name, tolerance):
    values = np.array([1 + 2j, -0.5 + 1j, 3 - 4j])
    ours = values.astype(getattr(ml_dtypes, name))
    assert ours.dtype.itemsize == 4
    assert ours.astype(complex).tolist() == values.tolist()
    for operation in (np.add, np.subtract, np.multiply, np.true_divide):
        expected = operation(values, values[::-1])
        np.testing.assert_allclose(operation(ours, ours[::-1]).astype(complex), expected, rtol=tolerance)
    np.testing.assert_array_equal(np.conjugate(ours).astype(complex), values.conj())
    np.testing.assert_allclose(np.abs(ours).astype(float), np.abs(values), rtol=tolerance)
    assert (complex(ours[0]), ours[0] == 1 + 2j) == (1 + 2j, True)


def test_division_and_shifts_of_small_integers():
    for name, (lowest, highest) in INTEGERS.items():
        kind = getattr(ml_dtypes, name)
        for a, b in itertools.product(range(lowest, highest + 1), repeat=2):
            if b and a // b <= highest:
                assert (int(kind(a) // kind(b)), int(kind(a) % kind(b))) == (a // b, a % b)
            assert (kind(a) < kind(b), kind(a) == kind(b)) == (a < b, a == b)
            assert int(kind(a) & kind(b)) == a & b
            assert int(kind(a) ^ kind(b)) == a ^ b
        assert [int(each) for each in np.array([0, 1], kind) << np.array([1, 0], kind)] == [0, 1]


class OwnError(Exception):
    pass


def fails(*_arguments):
    raise OwnError("from Python")


@pytest.mark.parametrize("name", ALL)
def test_errors(name):
    kind = getattr(ml_dtypes, name)
    for _ in range(20):
        with pytest.raises(OwnError, match="from Python"):
            kind(1) + type("Right", (), {"__radd__": fails})()
        with pytest.raises(OwnError, match="from Python"):
            np.add(np.ones(2, kind), type("Ufunc", (), {"__array_ufunc__": fails})())
        with pytest.raises(TypeError, match="expected number"):
            kind(object())
        with pytest.raises(TypeError, match="expected number"):
            kind()
        with pytest.raises(TypeError, match="Cannot cast array data"):
            np.array(["1"]).astype(kind)
