"""The products of OpenBLAS, whose kernels take blocks of several sizes: every routine at sizes around those blocks."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy.linalg import blas

SIZES = (1, 2, 3, 4, 5, 7, 8, 9, 12, 13, 16, 17, 31, 33)
FLAGS = tuple(itertools.product((0, 1), repeat=3))
PRECISIONS = [("s", np.float32, 1e-3), ("d", np.float64, 1e-10)]


def numbers(seed, *shape, dtype):
    return np.random.default_rng(seed).uniform(-1, 1, shape).astype(dtype)


def exactly(left, right):
    """Multiply in double precision, and not by BLAS."""
    return (np.asarray(left, float)[:, :, None] * np.asarray(right, float)[None]).sum(axis=1)


def triangle(matrix, lower, unit):
    part = np.tril(matrix) if lower else np.triu(matrix)
    if unit:
        np.fill_diagonal(part, 1)
    return part


def largest(a, b):
    return np.abs(a - b).max() / (1 + np.abs(b).max())


@pytest.mark.parametrize(("letter", "dtype", "tolerance"), PRECISIONS)
@pytest.mark.parametrize("m", SIZES)
def test_products(letter, dtype, tolerance, m):
    gemm = getattr(blas, f"{letter}gemm")
    for n, k in itertools.product(SIZES, (1, 6, 17, 300)):
        a, b = numbers(m, m, k, dtype=dtype), numbers(n, k, n, dtype=dtype)
        assert largest(gemm(2, a, b), 2 * exactly(a, b)) < tolerance
        assert largest(gemm(2, a.T, b.T, trans_a=1, trans_b=1), 2 * exactly(a, b)) < tolerance


@pytest.mark.parametrize(("letter", "dtype", "tolerance"), PRECISIONS)
@pytest.mark.parametrize("m", SIZES)
def test_triangular_matrices(letter, dtype, tolerance, m):
    multiply, solve = getattr(blas, f"{letter}trmm"), getattr(blas, f"{letter}trsm")
    for n, (lower, transposed, unit), side in itertools.product(SIZES, FLAGS, (0, 1)):
        size = n if side else m
        a = numbers(m, size, size, dtype=dtype) * dtype(0.1) + np.eye(size, dtype=dtype)
        b = numbers(n, m, n, dtype=dtype)
        part = triangle(a, lower, unit)
        part = part.T if transposed else part
        product = exactly(b, part) if side else exactly(part, b)
        options = {"side": side, "lower": lower, "trans_a": transposed, "diag": unit}
        assert largest(multiply(1, a, b, **options), product) < tolerance
        assert largest(solve(1, a, product.astype(dtype), **options), b) < tolerance * 20


@pytest.mark.parametrize(("letter", "dtype", "tolerance"), PRECISIONS)
@pytest.mark.parametrize("m", SIZES)
def test_symmetric_matrices(letter, dtype, tolerance, m):
    symm, syrk, syr2k = (getattr(blas, f"{letter}{name}") for name in ("symm", "syrk", "syr2k"))
    for n, (lower, transposed, side) in itertools.product(SIZES, FLAGS):
        size = n if side else m
        half, b = numbers(m, size, size, dtype=dtype), numbers(n, m, n, dtype=dtype)
        whole = triangle(half, lower, unit=False)
        whole = whole + whole.T - np.diag(np.diag(half))
        expected = exactly(b, whole) if side else exactly(whole, b)
        assert largest(symm(1, half, b, side=side, lower=lower), expected) < tolerance
        c = numbers(n + 1, m, n, dtype=dtype)
        rows, others = (b.T, c.T) if transposed else (b, c)
        squares = triangle(exactly(b, b.T), lower, unit=False)
        assert largest(triangle(syrk(1, rows, trans=transposed, lower=lower), lower, unit=False), squares) < tolerance
        sums = triangle(exactly(b, c.T) + exactly(c, b.T), lower, unit=False)
        found = triangle(syr2k(1, rows, others, trans=transposed, lower=lower), lower, unit=False)
        assert largest(found, sums) < tolerance
