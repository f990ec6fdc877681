"""What is faster here than in upstream's numpy, and has to give the same: sort, exp, products and linear algebra."""

from __future__ import annotations

import math

import numpy as np
import pytest

NUMBERS = ("f4", "f8", "i2", "i4", "i8", "u2", "u4", "u8", "f2")


@pytest.mark.parametrize("dtype", NUMBERS)
@pytest.mark.parametrize("size", [0, 1, 17, 1000, 65535, 65536, 200_003])
def test_sort_of_every_size(dtype, size):
    bits = np.random.RandomState(size).bytes(size * np.dtype(dtype).itemsize)
    numbers = np.frombuffer(bits, dtype)
    expected = np.sort(numbers, kind="stable")
    result = np.sort(numbers)
    np.testing.assert_array_equal(result, expected)
    assert np.isnan(numbers.astype("f8")).sum() == np.isnan(result.astype("f8")).sum()


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_sort_puts_what_is_not_a_number_last(dtype):
    numbers = np.linspace(-1, 1, 100_000, dtype=dtype)
    numbers[::7] = np.nan
    numbers[3::7] = -np.nan
    numbers[5::1000] = np.inf
    numbers[6::1000] = -np.inf
    result = np.sort(numbers)
    known = int((~np.isnan(numbers)).sum())
    assert np.isnan(result[known:]).all()
    assert (np.diff(result[:known][np.isfinite(result[:known])]) >= 0).all()
    assert result[0] == -np.inf
    assert result[known - 1] == np.inf


@pytest.mark.parametrize("value", [0, 5, -5])
def test_sort_of_equal_numbers(value):
    numbers = np.full(100_000, value, "i4")
    numbers[50_000] = value - 1
    result = np.sort(numbers)
    assert (int(result[0]), int(result[1]), int(result[-1])) == (value - 1, value, value)


def test_exp_of_doubles():
    special = np.array([0.0, -0.0, 1.0, np.inf, -np.inf, np.nan, 709.7, 709.8, -745.1, -746.0, 708.0, -708.0, 5e-324])
    result = np.exp(special)
    expected = [math.inf if x > 709.79 else math.exp(x) for x in special.tolist()]
    np.testing.assert_allclose(result, expected, rtol=3e-16, atol=0)
    random = np.random.RandomState(3).uniform(-745, 709, 10_001)
    np.testing.assert_allclose(np.exp(random), [math.exp(x) for x in random.tolist()], rtol=3e-16, atol=5e-324)


def test_exp_is_the_same_for_every_layout():
    numbers = np.random.RandomState(4).uniform(-20, 20, 999)
    expected = np.exp(numbers)
    spread = np.zeros(3 * 999)
    spread[::3] = numbers
    assert (np.exp(spread[::3]) == expected).all()
    assert (np.exp(numbers[::-1])[::-1] == expected).all()
    np.exp(spread[::3], out=spread[::3])
    assert (spread[::3] == expected).all()
    assert [float(np.exp(x)) for x in numbers[:9]] == expected[:9].tolist()


@pytest.mark.parametrize("odd", [np.nan, np.inf, 709.5, -744.0])
@pytest.mark.parametrize("place", range(9))
def test_exp_in_place_with_one_odd_number(place, odd):
    numbers = np.linspace(-3, 3, 9)
    numbers[place] = odd
    expected = [float(np.exp(x)) for x in numbers]
    np.exp(numbers, out=numbers)
    np.testing.assert_array_equal(numbers, expected)


@pytest.mark.parametrize("dtype", ["f4", "f8", "c8", "c16"])
def test_linear_algebra_of_every_type(dtype):
    random = np.random.RandomState(5)
    a = (random.rand(60, 60) + (1j * random.rand(60, 60) if dtype[0] == "c" else 0)).astype(dtype)
    tolerance = 2e-3 if dtype in ("f4", "c8") else 1e-9
    identity = np.eye(60)
    symmetric = a @ a.conj().T + 60 * identity.astype(dtype)
    u, s, v = np.linalg.svd(a)
    assert abs((u * s) @ v - a).max() < tolerance
    assert abs(np.linalg.inv(symmetric) @ symmetric - identity).max() < tolerance
    lower = np.linalg.cholesky(symmetric)
    assert abs(lower @ lower.conj().T - symmetric).max() < tolerance * 100
    values, vectors = np.linalg.eigh(symmetric)
    assert abs(symmetric @ vectors - vectors * values).max() < tolerance * 100
    values, vectors = np.linalg.eig(a)
    assert abs(a @ vectors - vectors * values).max() < tolerance * 10
    q, r = np.linalg.qr(a)
    assert abs(q @ r - a).max() < tolerance
    x = np.linalg.lstsq(a, a[:, :3], rcond=None)[0]
    assert abs(x - identity[:, :3]).max() < tolerance * 100
    assert abs(np.linalg.solve(symmetric, a) - np.linalg.inv(symmetric) @ a).max() < tolerance


@pytest.mark.parametrize("dtype", ["f4", "f8", "c8", "c16"])
def test_products_of_every_layout(dtype):
    random = np.random.RandomState(6)
    a, b = random.rand(33, 47).astype(dtype), random.rand(47, 29).astype(dtype)
    exact = np.einsum("ij,jk->ik", a.astype("c16"), b.astype("c16"))
    for left in (a, np.asfortranarray(a), np.repeat(a, 2, axis=1)[:, ::2]):
        for right in (b, np.asfortranarray(b), np.repeat(b, 2, axis=0)[::2]):
            assert abs(left @ right - exact).max() < 1e-4
    assert abs(a.T @ a - np.einsum("ji,jk->ik", a, a)).max() < 1e-4
    assert abs(a @ b[:, 0] - exact[:, 0]).max() < 1e-4
    assert np.vdot(a, a).real == pytest.approx(float((abs(a) ** 2).sum()), rel=1e-5)
