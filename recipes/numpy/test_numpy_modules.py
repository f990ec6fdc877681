"""numpy's compiled modules hand each other arrays and C functions; copies, pickles and errors cross."""

import copy
import math
import pickle
import sys

import numpy as np
import pytest
from numpy.fft import _pocketfft_umath
from numpy.linalg import _umath_linalg, lapack_lite
from numpy.testing import assert_allclose, assert_array_equal

AGAIN = [copy.copy, copy.deepcopy, lambda value: pickle.loads(pickle.dumps(value))]


def test_normal_numbers_of_many_dimensions_go_through_linear_algebra():
    lower, mean = np.array([[2.0, 0], [1, 3]]), [10, -10]
    plain = np.random.Generator(np.random.SFC64(4)).standard_normal((30, 2))
    make = np.random.Generator(np.random.SFC64(4)).multivariate_normal
    assert_allclose(make(mean, lower @ lower.T, 30, method="cholesky"), mean + plain @ lower.T, rtol=1e-12)
    with pytest.raises(np.linalg.LinAlgError, match="positive definite"):
        make(mean, [[1, 2], [2, 1]], method="cholesky")
    with pytest.raises(ValueError, match="positive-semidefinite"):
        make(mean, [[1, 2], [2, 1]], check_valid="raise", method="eigh")


def test_eigenvalues_of_a_circulant_matrix_are_a_transform():
    column = np.random.default_rng(6).integers(-9, 9, 12)
    matrix = np.stack([np.roll(column, i) for i in range(12)], axis=1)
    key = [(round(value.real, 6), round(value.imag, 6)) for value in np.fft.fft(column)]
    assert sorted(key) == sorted((round(v.real, 6), round(v.imag, 6)) for v in np.linalg.eigvals(matrix))
    assert np.linalg.norm(np.fft.fft(column, norm="ortho")) == pytest.approx(np.linalg.norm(column))
    other = np.random.default_rng(7).integers(-9, 9, 12)
    assert np.rint(np.fft.ifft(np.fft.fft(column) * np.fft.fft(other)).real).tolist() == (matrix @ other).tolist()


def test_lapack_itself():
    # By hand: the columns are (3, 4) and (1, 2).
    a, tau, work = np.array([[3.0, 4], [1, 2]]), np.zeros(2), np.zeros(64)
    assert lapack_lite.dgeqrf(2, 2, a, 2, tau, work, 64, 0)["info"] == 0
    assert a[0, 0] == pytest.approx(-5)
    assert a[1] == pytest.approx([-2.2, 0.4])
    assert lapack_lite.dorgqr(2, 2, 2, a, 2, tau, work, 64, 0)["info"] == 0
    assert_allclose(a, [[-0.6, -0.8], [-0.8, 0.6]], rtol=1e-14)
    a, tau, work = np.array([[3j, 4], [1, 2]]), np.zeros(2, complex), np.zeros(64, complex)
    upper = np.linalg.qr(a.T, mode="r")
    assert lapack_lite.zgeqrf(2, 2, a, 2, tau, work, 64, 0)["info"] == 0
    assert_allclose(a[[0, 1, 1], [0, 0, 1]], upper[[0, 0, 1], [0, 1, 1]], rtol=1e-14)
    assert lapack_lite.zungqr(2, 2, 2, a, 2, tau, work, 64, 0)["info"] == 0
    assert_allclose(a.conj() @ a.T, np.eye(2), atol=1e-14)


@pytest.mark.parametrize("name", ["dgelsd", "zgelsd"])
def test_least_squares_of_lapack_itself(name):
    # The line through (0, 1), (1, 3), (2, 5) is 1 + 2 x; the singular values are those of [[3, 3], [3, 5]], squared.
    dtype = float if name == "dgelsd" else complex
    a, b = np.array([[1, 1, 1], [0, 1, 2]], dtype), np.array([[1, 3, 5]], dtype)
    values, work, integers, real = np.zeros(2), np.zeros(4000, dtype), np.zeros(400, np.intc), np.zeros(4000)
    extra = [real] if name == "zgelsd" else []
    done = getattr(lapack_lite, name)(3, 2, 1, a, 3, b, 3, values, -1.0, 0, work, 4000, *extra, integers, 0)
    assert (done["info"], done["rank"]) == (0, 2)
    assert_allclose(b[0, :2], [1, 2], rtol=1e-13)
    assert_allclose(values**2, [4 + math.sqrt(10), 4 - math.sqrt(10)], rtol=1e-13)


def test_errors_of_lapack_itself():
    with pytest.raises(lapack_lite.LapackError, match="Parameter a is not of type"):
        lapack_lite.dgeqrf(1, 1, np.zeros((1, 1), np.float32), 1, np.zeros(1), np.zeros(1), 1, 0)
    with pytest.raises(ValueError, match="On entry to test parameter number -1"):
        lapack_lite.xerbla()


@pytest.mark.skipif(sys.platform != "emscripten", reason="the native wheel's OpenBLAS prints it instead")
def test_a_wrong_argument_inside_lapack_is_an_error_of_python():
    with pytest.raises(ValueError, match="DORGQR parameter number 5"):
        lapack_lite.dorgqr(1, 1, 1, np.ones((1, 1)), 0, np.ones(1), np.ones(1), 0, 0)


def test_the_ufuncs_of_the_modules_by_themselves():
    full, even, odd, back = np.zeros(4, complex), np.zeros(3, complex), np.zeros(2, complex), np.zeros(4)
    assert_allclose(_pocketfft_umath.fft([1, 2, 3, 4], 1, out=full), [10, -2 + 2j, -2, -2 - 2j], atol=1e-15)
    assert_allclose(_pocketfft_umath.ifft(full, 0.25, out=full), [1, 2, 3, 4], atol=1e-15)
    assert_allclose(_pocketfft_umath.rfft_n_even([1.0, 2, 3, 4], 1, out=even), [10, -2 + 2j, -2], atol=1e-15)
    assert_allclose(_pocketfft_umath.rfft_n_odd([1.0, 2, 3], 1, out=odd), [6, -1.5 + math.sqrt(0.75) * 1j], atol=1e-15)
    assert_allclose(_pocketfft_umath.irfft(even, 0.25, out=back), [1, 2, 3, 4], atol=1e-15)
    assert _umath_linalg.det([[1.0, 2], [3, 4]]) == pytest.approx(-2)
    assert _umath_linalg.solve1([[2.0, 0], [0, 4]], [2.0, 2]).tolist() == [1, 0.5]
    assert np.add.reduce(_umath_linalg.eigvalsh_lo([[[2.0, 0], [0, 3]], [[0, 0], [0, 1]]])).tolist() == [2, 4]


def test_transform_of_long_doubles():
    values = np.arange(1, 13, dtype=np.longdouble) / 7
    spectrum = np.fft.fft(values)
    assert spectrum.dtype == np.clongdouble
    assert abs(spectrum[0] - values.sum()) < 20 * np.finfo(np.longdouble).eps
    assert abs(np.fft.ifft(spectrum) - values).max() < 20 * np.finfo(np.longdouble).eps


@pytest.mark.parametrize("again", AGAIN)
@pytest.mark.parametrize(
    "value",
    [
        *(np.float16(0.5), np.longdouble(1) / 3, np.clongdouble(1j) / 3, np.uint64(2**64 - 1), np.bool(True)),
        *(np.str_("a\U0001f600"), np.bytes_(b"a\0b"), np.datetime64("2026-11-21T19:30", "m"), np.timedelta64(-7, "s")),
        np.array([(1, b"x")], dtype=[("n", ">i4"), ("s", "S2")])[0],
        *(np.dtype([("n", ">i4"), ("v", "f8", (2,))], align=True), np.dtype("M8[25s]"), np.dtypes.StringDType()),
        *(np.add, np.linalg.LinAlgError("no"), np.random.SeedSequence(7).entropy, np.polynomial.Polynomial([1, 2])),
    ],
    ids=lambda value: type(value).__name__,
)
def test_copies_of_scalars_and_types(value, again):
    other = again(value)
    assert type(other) is type(value)
    assert repr(other) == repr(value)
    assert isinstance(value, Exception) or other == value


@pytest.mark.parametrize("again", AGAIN)
@pytest.mark.parametrize(
    "array",
    [
        np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        np.array(["x" * 50, "", "é"], dtype=np.dtypes.StringDType()),
        np.array([1, "two", None], dtype=object),
        np.array([(1, [2.5, 3])], dtype=[("n", ">i2"), ("v", "f8", (2,))]),
        np.ma.masked_greater([1, 2, 3], 2),
        np.rec.array([(1, "a")], dtype=[("n", int), ("s", "U1")]),
        np.arange(3, dtype=np.longdouble) / 3,
        np.array(["NaT", "2026-11-21"], dtype="M8[D]"),
    ],
    ids=lambda array: f"{type(array).__name__} {array.dtype.kind}",
)
def test_copies_of_arrays(array, again):
    other = again(array)
    assert (type(other), other.dtype, other.flags.fnc) == (type(array), array.dtype, array.flags.fnc)
    assert_array_equal(other, array)
    assert not np.shares_memory(other, array)


class OwnError(Exception):
    pass


def fails(*_arguments, **_options):
    raise OwnError("from Python")


@pytest.mark.parametrize(
    "call",
    [
        lambda: np.array([type("F", (), {"__float__": fails})()], dtype=float),
        lambda: np.full(type("I", (), {"__index__": fails})(), 0),
        lambda: np.sort(np.array([type("L", (), {"__lt__": fails})() for _ in range(20)], dtype=object)),
        lambda: np.add(np.ones(2), type("U", (), {"__array_ufunc__": fails})()),
        lambda: np.concatenate([np.ones(2), type("A", (), {"__array_function__": fails})()]),
        lambda: np.linalg.inv(type("A", (), {"__array__": fails})()),
        lambda: np.fft.fft(type("A", (), {"__array__": fails})()),
        lambda: np.fromiter((fails() if i == 5 else i for i in range(9)), dtype=float),
        lambda: np.random.default_rng(1).shuffle(type("S", (list,), {"__setitem__": fails})([1, 2, 3, 4])),
        lambda: np.random.RandomState(1).shuffle(type("S", (list,), {"__setitem__": fails})([1, 2, 3, 4])),
        lambda: np.random.default_rng(1).normal(type("F", (), {"__float__": fails})()),
        lambda: np.random.default_rng(1).integers(0, type("A", (), {"__array__": fails})()),
        lambda: np.add.accumulate(np.array([1, type("R", (), {"__radd__": fails})()], dtype=object)),
        lambda: np.einsum("i,i", np.array([1]), np.array([type("M", (), {"__rmul__": fails})()], dtype=object)),
    ],
)
def test_errors_in_callbacks_arrive_unchanged(call):
    for _ in range(20):
        with pytest.raises(OwnError, match="from Python"):
            call()


def test_the_handler_of_floating_point_errors_is_called():
    seen = []
    with np.errstate(divide="call", call=lambda kind, flag: seen.append((kind, flag))):
        np.arange(3) // 0
    assert seen == [("divide by zero", 1)]
    with np.errstate(divide="call", call=fails), pytest.raises(OwnError, match="from Python"):
        np.arange(3) // 0
    assert (np.arange(3) // 2).tolist() == [0, 0, 1]
