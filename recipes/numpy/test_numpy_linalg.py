"""numpy's products, linear algebra and Fourier transforms, against closed forms, fractions and their definitions."""

import cmath
import itertools
import math
import random
from fractions import Fraction

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal


def hilbert(n):
    return 1.0 / (np.arange(n)[:, None] + np.arange(n)[None, :] + 1)


def second_difference(n):
    return 2 * np.eye(n) - np.eye(n, k=1) - np.eye(n, k=-1)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex128, np.int64, object])
def test_matrix_products(dtype):
    rng = random.Random(9)
    a = [[rng.randint(-9, 9) for _ in range(17)] for _ in range(13)]
    b = [[rng.randint(-9, 9) for _ in range(11)] for _ in range(17)]
    expected = [[sum(x * y for x, y in zip(row, col, strict=True)) for col in zip(*b, strict=True)] for row in a]
    left, right = np.array(a, dtype=dtype), np.array(b, dtype=dtype)
    assert_array_equal(left @ right, expected)
    assert_array_equal(np.asfortranarray(left) @ right, expected)
    assert_array_equal((right.T @ left.T).T, expected)
    assert_array_equal(left[:, ::2] @ right[::2], np.dot(left[:, ::2].copy(), right[::2].copy()))


def test_large_product_against_a_closed_form():
    n = 200
    i = np.arange(n, dtype=np.float64)
    a = i[:, None] + 2 * i[None, :]
    product = a @ a
    s1, s2 = n * (n - 1) / 2, n * (n - 1) * (2 * n - 1) / 6
    expected = i[:, None] * s1 + 2 * i[:, None] * i[None, :] * n + 2 * s2 + 4 * i[None, :] * s1
    assert_array_equal(product, expected)


def test_einsum():
    a = np.arange(24).reshape(2, 3, 4)
    b = np.arange(12).reshape(4, 3)
    expected = np.zeros((2, 3), dtype=int)
    for i, j, k in itertools.product(range(2), range(3), range(4)):
        expected[i, j] += a[i, j, k] * b[k, j]
    assert_array_equal(np.einsum("ijk,kj->ij", a, b), expected)
    assert_array_equal(np.einsum("ijk,kj->ij", a, b, optimize=True), expected)
    assert np.einsum("ii", np.arange(9).reshape(3, 3)) == 12
    assert np.einsum("...j,j->...", a, [1, 0, 0, 1])[1, 2] == 20 + 23
    assert np.tensordot(a, b, axes=([2, 1], [0, 1])).tolist() == expected.sum(axis=1).tolist()
    with pytest.raises(ValueError, match="subscript"):
        np.einsum("ij,jk", np.ones((2, 2)), np.ones(2))


def test_inverse_of_the_hilbert_matrix_is_integer():
    exact = [[16, -120, 240, -140], [-120, 1200, -2700, 1680], [240, -2700, 6480, -4200], [-140, 1680, -4200, 2800]]
    assert_allclose(np.linalg.inv(hilbert(4)), exact, rtol=1e-11)
    assert np.linalg.det(hilbert(4)) == pytest.approx(1 / 6048000, rel=1e-11)
    assert np.linalg.cond(hilbert(4)) == pytest.approx(15513.738738929, rel=1e-9)


def test_solve_against_fractions():
    rng = random.Random(2)
    n = 8
    wanted = [Fraction(rng.randint(-9, 9), rng.randint(1, 9)) for _ in range(n)]
    matrix = [[rng.randint(-9, 9) + (40 if i == j else 0) for j in range(n)] for i in range(n)]
    right = [float(sum(m * w for m, w in zip(row, wanted, strict=True))) for row in matrix]
    assert_allclose(np.linalg.solve(matrix, right), [float(w) for w in wanted], rtol=1e-13, atol=1e-15)
    stacked = np.linalg.solve(np.array([matrix, matrix]), np.array([[right], [right]]).transpose(0, 2, 1))
    assert stacked.shape == (2, n, 1)


def test_symmetric_eigenvalues_have_a_closed_form():
    n = 30
    expected = [2 - 2 * math.cos(k * math.pi / (n + 1)) for k in range(1, n + 1)]
    values, vectors = np.linalg.eigh(second_difference(n))
    assert_allclose(values, expected, rtol=1e-11)
    assert_allclose(vectors.T @ vectors, np.eye(n), atol=1e-13)
    assert_allclose(vectors * values @ vectors.T, second_difference(n), atol=1e-13)
    assert_allclose(np.linalg.eigvalsh(second_difference(n), UPLO="U"), expected, rtol=1e-11)


def test_general_eigenvalues():
    companion = np.array([[6.0, -11, 6], [1, 0, 0], [0, 1, 0]])
    assert_allclose(sorted(np.linalg.eigvals(companion)), [1, 2, 3], rtol=1e-12)
    values, vectors = np.linalg.eig([[0.0, -1.0], [1.0, 0.0]])
    assert sorted(values, key=lambda v: v.imag) == pytest.approx([-1j, 1j])
    assert_allclose(np.array([[0, -1], [1, 0]]) @ vectors, vectors * values, atol=1e-14)
    assert_allclose(sorted(np.roots([1, -10, 35, -50, 24])), [1, 2, 3, 4], rtol=1e-10)
    cycle = np.roll(np.eye(5, dtype=complex), 1, axis=0)
    assert_allclose(np.linalg.eigvals(cycle) ** 5, np.ones(5), atol=1e-13)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex64, np.complex128])
def test_singular_values(dtype):
    tolerance = 1e-4 if np.finfo(dtype).bits == 32 else 1e-12
    rng = np.random.RandomState(0)
    u, _ = np.linalg.qr(rng.randn(9, 5).astype(dtype))
    v, _ = np.linalg.qr(rng.randn(5, 5).astype(dtype))
    wanted = np.array([9.0, 5, 1, 0.25, 0.125])
    matrix = (u * wanted.astype(dtype)) @ v
    left, values, right = np.linalg.svd(matrix, full_matrices=False)
    assert matrix.dtype == dtype
    assert_allclose(values, wanted, atol=tolerance * 10)
    assert_allclose((left * values) @ right, matrix, atol=tolerance * 10)
    assert np.linalg.matrix_rank(np.vstack([matrix, matrix[:2]])) == 5
    assert_allclose(np.linalg.pinv(matrix) @ matrix, np.eye(5), atol=tolerance * 100)


def test_qr_cholesky_and_least_squares():
    a = np.vander(np.linspace(-1, 1, 12), 4)
    q, r = np.linalg.qr(a)
    assert_allclose(q @ r, a, atol=1e-14)
    assert_allclose(np.tril(r, -1), 0, atol=0)
    lower = np.linalg.cholesky([[4.0, 12, -16], [12, 37, -43], [-16, -43, 98]])
    assert_allclose(lower, [[2, 0, 0], [6, 1, 0], [-8, 5, 3]], rtol=1e-13)
    solution, residual, rank, _ = np.linalg.lstsq(a, a @ [1, -2, 3, -4], rcond=None)
    assert_allclose(solution, [1, -2, 3, -4], rtol=1e-12)
    assert rank == 4
    assert residual[0] < 1e-25
    assert_allclose(np.polyfit(np.arange(5.0), [1, 2, 5, 10, 17], 2), [1, 0, 1], atol=1e-12)


def test_norms_powers_and_determinants():
    a = np.array([[1.0, 2], [3, 4]])
    assert np.linalg.norm(a) == pytest.approx(math.sqrt(30))
    assert np.linalg.norm(a, 2) == pytest.approx(math.sqrt(15 + math.sqrt(221)))
    assert np.linalg.norm(a, "nuc") == pytest.approx(math.sqrt(34))
    assert np.linalg.matrix_power(np.array([[1, 1], [1, 0]]), 40)[0, 1] == 102334155
    assert_allclose(np.linalg.matrix_power(a, -2), [[5.5, -2.5], [-3.75, 1.75]], rtol=1e-13)
    sign, logarithm = np.linalg.slogdet(np.diag([-1e200, 1e200, 1e-300]))
    assert sign == -1
    assert logarithm == pytest.approx(100 * math.log(10))


def test_linear_algebra_errors():
    with pytest.raises(np.linalg.LinAlgError, match="square"):
        np.linalg.inv(np.ones((2, 3)))
    with pytest.raises(np.linalg.LinAlgError, match="dimensional"):
        np.linalg.eig(np.ones(3))
    with pytest.raises(ValueError, match="mismatch"):
        np.linalg.solve(np.eye(3), np.ones((2, 1)))
    with pytest.raises(TypeError, match="unsupported"):
        np.linalg.inv(np.ones((2, 2), dtype=np.float16))
    indefinite = np.array([[1.0, 2], [2, 1]])
    for compute in (
        lambda: np.linalg.inv(np.ones((2, 2))),
        lambda: np.linalg.solve(np.zeros((2, 2)), np.ones(2)),
        lambda: np.linalg.cholesky(indefinite),
    ):
        with pytest.raises(np.linalg.LinAlgError):
            compute()
    assert np.isfinite(np.linalg.inv(np.eye(2))).all()
    assert np.linalg.det(np.ones((2, 2))) == 0


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 8, 11, 13, 30, 49, 64, 97])
def test_fft_matches_its_definition(n):
    rng = random.Random(n)
    signal = [complex(rng.uniform(-1, 1), rng.uniform(-1, 1)) for _ in range(n)]
    expected = [sum(x * cmath.exp(-2j * cmath.pi * j * k / n) for j, x in enumerate(signal)) for k in range(n)]
    assert_allclose(np.fft.fft(signal), expected, atol=1e-11)
    assert_allclose(np.fft.ifft(expected), signal, atol=1e-12)
    real = np.real(signal)
    assert_allclose(np.fft.rfft(real), np.fft.fft(real)[: n // 2 + 1], atol=1e-12)
    assert_allclose(np.fft.irfft(np.fft.rfft(real), n), real, atol=1e-13)


def test_fft_in_more_dimensions_and_precisions():
    impulse = np.zeros((4, 6))
    impulse[1, 2] = 1
    k, m = np.meshgrid(np.arange(4), np.arange(6), indexing="ij")
    assert_allclose(np.fft.fft2(impulse), np.exp(-2j * np.pi * (k / 4 + 2 * m / 6)), atol=1e-14)
    assert np.fft.fft(np.ones(8, dtype=np.float32)).dtype == np.complex64
    tone = np.cos(2 * np.pi * 5 * np.arange(1000) / 1000)
    assert np.argmax(np.abs(np.fft.rfft(tone))) == 5
    prime = np.random.RandomState(1).randn(10_007)
    assert_allclose(np.fft.ifft(np.fft.fft(prime)).real, prime, atol=1e-12)
    with pytest.raises(ValueError, match="data points"):
        np.fft.fft(np.zeros(3), n=0)
