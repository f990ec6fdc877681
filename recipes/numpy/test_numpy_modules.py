"""numpy's compiled modules hand each other arrays, bit generators and C functions; copies, pickles and errors cross."""

import copy
import math
import pickle
import random
import sys

import numpy as np
import pytest
from numpy.fft import _pocketfft_umath
from numpy.linalg import _umath_linalg, lapack_lite
from numpy.random import _bounded_integers, _common, _generator, _mt19937, _pcg64, _philox, _sfc64, bit_generator
from numpy.testing import assert_allclose, assert_array_equal

LOW = 2**64 - 1
GENERATORS = [np.random.MT19937, np.random.PCG64, np.random.PCG64DXSM, np.random.Philox, np.random.SFC64]
AGAIN = [copy.copy, copy.deepcopy, lambda value: pickle.loads(pickle.dumps(value))]


def turned(value, right):
    return (value >> right | value << (64 - right)) & LOW


def pcg64(state):
    """Return the next number of PCG XSL-RR 128/64 (O'Neill, HMC-CS-2014-0905), and change ``state``."""
    number = (state["state"] * 0x2360ED051FC65DA44385DF649FCCF645 + state["inc"]) % 2**128
    state["state"] = number
    return turned((number >> 64) ^ (number & LOW), number >> 122)


def pcg64dxsm(state):
    number, factor = state["state"], 0xDA942042E4DD58B5
    state["state"] = (number * factor + state["inc"]) % 2**128
    high, low = number >> 64, number & LOW | 1
    high = (high ^ high >> 32) * factor & LOW
    return (high ^ high >> 48) * low & LOW


def sfc64(state):
    a, b, c, count = (int(word) for word in state["state"])
    number = (a + b + count) & LOW
    state["state"] = [b ^ b >> 11, (c + (c << 3)) & LOW, (turned(c, 40) + number) & LOW, count + 1]
    return number


def test_every_module_is_compiled():
    for module in (_bounded_integers, _common, _generator, _mt19937, _pcg64, _philox, _sfc64, bit_generator):
        assert module.__file__.endswith(".so")


@pytest.mark.parametrize(("make", "step"), [("PCG64", pcg64), ("PCG64DXSM", pcg64dxsm), ("SFC64", sfc64)])
def test_bit_generators_step_as_their_definition(make, step):
    ours = getattr(np.random, make)(1)
    state = ours.state["state"]
    assert ours.random_raw(50).tolist() == [step(state) for _ in range(50)]


@pytest.mark.parametrize(
    ("every_word", "expected"),
    [
        (0, [0x16554D9ECA36314C, 0xDB20FE9D672D0FDC, 0xD7E772CEE186176B, 0x7E68B68AEC7BA23B]),
        (LOW, [0x87B092C3013FE90B, 0x438C3C67BE8D0224, 0x9CC7D7C69CD777B6, 0xA09CAEBF594F0BA0]),
    ],
)
def test_philox_by_the_known_answers_of_random123(every_word, expected):
    ours = np.random.Philox()
    state = ours.state
    before = sum(every_word << 64 * i for i in range(4)) - 1  # the counter goes up before a block is made
    state["state"]["counter"][:] = [before >> 64 * i & LOW for i in range(4)]
    state["state"]["key"][:] = every_word
    ours.state = state | {"buffer_pos": 4, "has_uint32": 0}
    assert ours.random_raw(4).tolist() == expected


def test_seed_sequence_by_the_reference_of_its_author():
    # M. E. O'Neill's randutils.hpp, as numpy's own tests quote it.
    entropy = [3735928559, 195939070, 229505742, 305419896]
    assert np.random.SeedSequence(entropy).generate_state(4).tolist() == [3914649087, 576849849, 3593928901, 2229911004]


@pytest.mark.parametrize("make", GENERATORS)
def test_bit_generators_in_both_kinds_of_generator(make):
    raw = [int(number) for number in make(5).random_raw(32)]
    if make is np.random.MT19937:
        halves = raw
        doubles = [((a >> 5) * 2**26 + (b >> 6)) / 2**53 for a, b in zip(raw[::2], raw[1::2], strict=True)]
    else:
        halves = [half for number in raw for half in (number & 0xFFFFFFFF, number >> 32)]
        doubles = [(number >> 11) / 2**53 for number in raw]
    size = len(doubles)
    assert np.random.Generator(make(5)).random(size).tolist() == doubles
    assert np.random.RandomState(make(5)).random_sample(size).tolist() == doubles
    singles = np.random.Generator(make(5)).random(len(halves), dtype=np.float32)
    assert singles.tolist() == [(half >> 8) / 2**24 for half in halves]
    assert np.random.RandomState(make(5)).randint(0, 2**32, len(halves), np.uint32).tolist() == halves
    out = np.full(size, -1.0)
    assert np.random.Generator(make(5)).random(out=out) is out
    assert out.tolist() == doubles
    inverse = np.random.Generator(make(5)).standard_exponential(size, method="inv")
    assert_allclose(inverse, [-math.log1p(-number) for number in doubles], rtol=1e-13)


@pytest.mark.parametrize("dtype", ["b1", "u1", "u2", "u4", "u8", "i1", "i2", "i4", "i8"])
@pytest.mark.parametrize("make", [np.random.PCG64, np.random.Philox, np.random.SFC64])
def test_integers_of_the_whole_range_are_the_bits(make, dtype):
    raw = make(3).random_raw(16).astype("<u8")
    if dtype == "b1":
        wanted = np.unpackbits(raw.view("u1"), bitorder="little").astype(bool)
        low, high = 0, 2
    else:
        limits = np.iinfo(dtype)
        low, high = limits.min, int(limits.max) + 1
        wanted = np.array([int(number) + low for number in raw.view("<u" + dtype[1:])], dtype)
    assert_array_equal(np.random.Generator(make(3)).integers(low, high, wanted.size, dtype), wanted)


def lemire(draws, limit, bits):
    """Yield numbers below ``limit`` by Lemire's method (arXiv:1805.10941)."""
    for draw in draws:
        product = draw * limit
        if product % 2**bits >= 2**bits % limit:
            yield product >> bits


@pytest.mark.parametrize("limit", [3, 6_000, 3 * 2**30, 3 * 2**33 + 1, 3 * 2**61, 2**63 - 1])
def test_bounded_integers_by_lemire_s_method(limit):
    raw = [int(number) for number in np.random.PCG64(8).random_raw(400)]
    bits = 32 if limit < 2**32 else 64
    draws = [half for number in raw for half in (number & 0xFFFFFFFF, number >> 32)] if bits == 32 else raw
    wanted = list(lemire(draws, limit, bits))[:200]
    assert np.random.Generator(np.random.PCG64(8)).integers(0, limit, 200).tolist() == wanted
    several = np.random.Generator(np.random.PCG64(8)).integers(np.full(200, -5), limit - 5)
    assert several.tolist() == [number - 5 for number in wanted]


def test_distributions_with_arrays_of_parameters():
    """Inverse transforms of the numbers that Python's own Mersenne Twister gives, too."""
    scale = np.linspace(0.5, 4, 40)
    source = random.Random(42)
    uniform = [source.random() for _ in range(40)]
    for name, arguments, wanted in (
        ("uniform", (scale, scale + 2), [s + 2 * u for s, u in zip(scale, uniform, strict=True)]),
        ("exponential", (scale,), [-s * math.log1p(-u) for s, u in zip(scale, uniform, strict=True)]),
        ("rayleigh", (scale,), [s * math.sqrt(-2 * math.log1p(-u)) for s, u in zip(scale, uniform, strict=True)]),
        ("logistic", (1, scale), [1 + s * math.log(u / (1 - u)) for s, u in zip(scale, uniform, strict=True)]),
        ("gumbel", (0, scale), [-s * math.log(-math.log1p(-u)) for s, u in zip(scale, uniform, strict=True)]),
    ):
        assert_allclose(getattr(np.random.RandomState([42]), name)(*arguments), wanted, rtol=1e-12)


@pytest.mark.parametrize("make", GENERATORS)
def test_c_functions_of_a_bit_generator_by_ctypes(make):
    owner, wanted = make(9), make(9)
    interface = owner.ctypes
    assert isinstance(interface, _common.interface)
    assert interface.next_double(interface.state) == np.random.Generator(wanted).random()
    assert interface.next_uint64(interface.state) == int(np.random.Generator(wanted).integers(0, 2**64, dtype="u8"))


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


@pytest.mark.parametrize("again", AGAIN[1:])  # copy.copy shares the bit generator
@pytest.mark.parametrize("make", GENERATORS)
def test_copies_of_generators_go_on_alike(make, again):
    for first in (np.random.Generator(make(2)), np.random.RandomState(make(2))):
        first.standard_normal(3)
        second = again(first)
        assert type(second) is type(first)
        assert second.standard_normal(5).tolist() == first.standard_normal(5).tolist()
    bits = make(np.random.SeedSequence(2, spawn_key=(1,)))
    assert again(bits).random_raw(5).tolist() == bits.random_raw(5).tolist()
    assert again(bits.seed_seq).spawn_key == (1,)


def test_spawned_generators():
    for child, key in zip(np.random.Generator(np.random.PCG64(1)).spawn(2), [(0,), (1,)], strict=True):
        expected = np.random.PCG64(np.random.SeedSequence(1, spawn_key=key)).random_raw(3)
        assert child.bit_generator.random_raw(3).tolist() == expected.tolist()


@pytest.mark.parametrize("again", AGAIN)
@pytest.mark.parametrize(
    "value",
    [
        *(np.float16(0.5), np.longdouble(1) / 3, np.clongdouble(1j) / 3, np.uint64(LOW), np.bool(True)),
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


def test_seeds_that_python_makes():
    class Seeds(bit_generator.ISeedSequence):
        def generate_state(self, n_words, dtype=np.uint32):
            assert (n_words, dtype) == (4, np.uint64)
            return np.array([1, 2, 3, 4], dtype=np.uint64)

    state = {"inc": ((3 << 64 | 4) << 1 | 1)}
    state["state"] = ((state["inc"] + (1 << 64 | 2)) * 0x2360ED051FC65DA44385DF649FCCF645 + state["inc"]) % 2**128
    assert np.random.PCG64(Seeds()).random_raw(3).tolist() == [pcg64(state) for _ in range(3)]
    Seeds.generate_state = fails
    for make in GENERATORS:
        with pytest.raises(OwnError, match="from Python"):
            make(Seeds())


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
