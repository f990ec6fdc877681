"""numpy's nine modules of random numbers: bit generators against their definitions, in both kinds of generator."""

import copy
import math
import pickle
import random

import numpy as np
import pytest
from numpy.random import _bounded_integers, _common, _generator, _mt19937, _pcg64, _philox, _sfc64, bit_generator
from numpy.testing import assert_allclose, assert_array_equal

LOW = 2**64 - 1
GENERATORS = [np.random.MT19937, np.random.PCG64, np.random.PCG64DXSM, np.random.Philox, np.random.SFC64]


def test_every_module_is_compiled():
    for module in (_bounded_integers, _common, _generator, _mt19937, _pcg64, _philox, _sfc64, bit_generator):
        assert module.__file__.endswith(".so")


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


@pytest.mark.parametrize("again", [copy.deepcopy, lambda value: pickle.loads(pickle.dumps(value))])
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


def test_seeds_that_python_makes():
    class Seeds(bit_generator.ISeedSequence):
        def generate_state(self, n_words, dtype=np.uint32):
            assert (n_words, dtype) == (4, np.uint64)
            return np.array([1, 2, 3, 4], dtype=np.uint64)

    state = {"inc": ((3 << 64 | 4) << 1 | 1)}
    state["state"] = ((state["inc"] + (1 << 64 | 2)) * 0x2360ED051FC65DA44385DF649FCCF645 + state["inc"]) % 2**128
    assert np.random.PCG64(Seeds()).random_raw(3).tolist() == [pcg64(state) for _ in range(3)]

    class NoSeeds(bit_generator.ISeedSequence):
        def generate_state(self, *_arguments):
            raise LookupError("from Python")

    for make in GENERATORS:
        with pytest.raises(LookupError, match="from Python"):
            make(NoSeeds())
