"""numpy's random numbers, against published streams, Python's own generator and the moments of distributions."""

import random

import numpy as np
import pytest
from numpy.testing import assert_allclose


def test_mersenne_twister_is_the_reference_generator():
    generator = np.random.MT19937()
    generator._legacy_seeding(5489)
    assert int(generator.random_raw(10_000)[-1]) == 4123659995
    ours, pythons = np.random.RandomState([42]), random.Random(42)
    assert ours.random_sample(100).tolist() == [pythons.random() for _ in range(100)]


def test_legacy_seeds_give_the_published_numbers():
    state = np.random.RandomState(0)
    assert state.rand(3).tolist() == [0.5488135039273248, 0.7151893663724195, 0.6027633760716439]
    state = np.random.RandomState(0)
    assert_allclose(state.randn(3), [1.764052345967664, 0.4001572083672233, 0.9787379841057392], rtol=1e-13)
    state = np.random.RandomState(42)
    assert state.randint(0, 100, 5, dtype=np.int32).tolist() == [51, 92, 14, 71, 60]
    assert sorted(np.random.RandomState(1).permutation(50).tolist()) == list(range(50))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("PCG64", [0.7739560485559633, 0.4388784397520523, 0.8585979199113825]),
        ("PCG64DXSM", None),
        ("MT19937", None),
        ("Philox", None),
        ("SFC64", None),
    ],
)
def test_bit_generators(name, expected):
    make = getattr(np.random, name)
    values = np.random.Generator(make(42)).random(3)
    if expected:
        assert values.tolist() == expected
    first, second = make(42), make(1)
    second.state = first.state
    assert first.random_raw(5).tolist() == second.random_raw(5).tolist()
    generator = np.random.Generator(make(7))
    uniform = generator.random(20_000)
    assert ((uniform >= 0) & (uniform < 1)).all()
    assert uniform.mean() == pytest.approx(0.5, abs=0.01)
    assert uniform.var() == pytest.approx(1 / 12, abs=0.005)


def test_distributions_have_their_moments():
    rng = np.random.default_rng(12345)
    n = 40_000
    for sample, mean, variance in (
        (rng.normal(3, 2, n), 3, 4),
        (rng.exponential(2, n), 2, 4),
        (rng.gamma(3, 2, n), 6, 12),
        (rng.poisson(4, n), 4, 4),
        (rng.poisson(50, n), 50, 50),
        (rng.binomial(20, 0.3, n), 6, 4.2),
        (rng.beta(2, 3, n), 0.4, 0.04),
        (rng.integers(0, 10, n, endpoint=True), 5, 10),
        (rng.geometric(0.25, n), 4, 12),
        (rng.hypergeometric(30, 20, 10, n), 6, 10 * 0.6 * 0.4 * 40 / 49),
    ):
        assert sample.mean() == pytest.approx(mean, rel=0.03)
        assert sample.var() == pytest.approx(variance, rel=0.06)


def test_random_64_bit_range_choice_and_errors():
    rng = np.random.default_rng(0)
    wide = rng.integers(-(2**63), 2**63 - 1, 1000, dtype=np.int64, endpoint=True)
    assert wide.min() < -(2**62)
    assert wide.max() > 2**62
    assert sorted(rng.choice(10, 10, replace=False).tolist()) == list(range(10))
    assert rng.choice(["a", "b"], 5, p=[1, 0]).tolist() == ["a"] * 5
    children = np.random.SeedSequence(1).spawn(2)
    assert children[0].generate_state(2).tolist() != children[1].generate_state(2).tolist()
    with pytest.raises(ValueError, match="low >= high"):
        rng.integers(5, 5)
    with pytest.raises(ValueError, match="scale < 0"):
        rng.normal(0, -1)
