"""scipy over LAPACK, in each of its types: factorisations multiply out, solutions solve.

What is checked is a property of the answer, so that a wrong routine shows wherever it stands.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from matrices import TYPES, close, matrix, tolerance
from numpy.testing import assert_allclose, assert_array_equal
from scipy import linalg
from scipy.linalg import _fblas, _flapack, blas, cython_blas, cython_lapack, lapack


def test_compiled_modules_are_in_use():
    for module in (_fblas, _flapack, cython_blas, cython_lapack):
        assert module.__file__.endswith((".so", ".pyd"))


@pytest.mark.parametrize("dtype", TYPES)
class TestLapack:
    def test_solve(self, dtype):
        a, b = matrix(dtype), matrix(dtype, 40, 3, seed=1)
        close(a @ linalg.solve(a, b), b, dtype)
        close(a @ linalg.inv(a), np.eye(40), dtype)

    def test_triangular_and_banded(self, dtype):
        a = np.tril(matrix(dtype)) + 20 * np.eye(40, dtype=dtype)
        b = matrix(dtype, 40, 1, seed=1)[:, 0]
        close(a @ linalg.solve_triangular(a, b, lower=True), b, dtype)
        band = np.array([[0] + [1] * 39, [4] * 40, [1] * 39 + [0]]).astype(dtype)
        full = np.diag(band[1]) + np.diag(band[0][1:], 1) + np.diag(band[2][:-1], -1)
        close(full @ linalg.solve_banded((1, 1), band, b), b, dtype)

    def test_lu(self, dtype):
        a = matrix(dtype, 30, 20)
        p, lower, upper = linalg.lu(a)
        close(p @ lower @ upper, a, dtype)

    @pytest.mark.parametrize("shape", [(30, 20), (20, 30)])
    def test_qr(self, dtype, shape):
        a = matrix(dtype, *shape)
        q, r, pivots = linalg.qr(a, pivoting=True)
        close(q.conj().T @ q, np.eye(shape[0]), dtype)
        close(q @ r, a[:, pivots], dtype)
        assert (np.diff(np.abs(np.diag(r))) <= 1e-4).all()

    @pytest.mark.parametrize("driver", ["gesdd", "gesvd"])
    def test_svd(self, dtype, driver):
        a = matrix(dtype, 60, 35)
        u, s, v = linalg.svd(a, full_matrices=False, lapack_driver=driver)
        close((u * s) @ v, a, dtype)
        close(s, np.sort(s)[::-1], dtype)
        assert s.dtype == a.real.dtype

    @pytest.mark.parametrize("driver", ["ev", "evd", "evr", "evx"])
    def test_eigh(self, dtype, driver):
        a = matrix(dtype)
        a = a + a.conj().T
        w, v = linalg.eigh(a, driver=driver)
        close(a @ v, v * w, dtype)
        close(w, linalg.eigvalsh(a), dtype)

    def test_generalised_eigh(self, dtype):
        a, b = matrix(dtype), matrix(dtype, seed=1)
        a, b = a + a.conj().T, b @ b.conj().T + 40 * np.eye(40, dtype=dtype)
        w, v = linalg.eigh(a, b)
        close(a @ v, b @ v * w, dtype)

    def test_eig(self, dtype):
        a = matrix(dtype)
        w, left, right = linalg.eig(a, left=True)
        close(a @ right, right * w, dtype)
        close(left.conj().T @ a, w[:, None] * left.conj().T, dtype)

    def test_generalised_eig(self, dtype):
        a, b = matrix(dtype, 20), matrix(dtype, 20, seed=1)
        w, v = linalg.eig(a, b)
        close(a @ v, b @ v * w, dtype)

    def test_cholesky(self, dtype):
        a = matrix(dtype, 150)
        a = a @ a.conj().T + 150 * np.eye(150, dtype=dtype)
        lower = linalg.cholesky(a, lower=True)
        assert np.abs(lower @ lower.conj().T - a).max() < 5000 * tolerance(dtype) / 10
        b = matrix(dtype, 150, 1, seed=2)
        close(a @ linalg.cho_solve((lower, True), b), b, dtype)

    def test_pivoted_cholesky(self, dtype):
        # pstrf looks for the largest number of a column, for which Fortran 90 has a function and Fortran 77 none.
        factor = matrix(dtype, 30, 10)
        a = factor @ factor.conj().T
        pstrf = lapack.get_lapack_funcs("pstrf", (a,))
        c, pivots, rank, _ = pstrf(a, lower=1, tol=1e-3)
        lower = np.tril(c)[:, :10]
        order = pivots - 1
        assert rank == 10
        assert_allclose(lower @ lower.conj().T, a[np.ix_(order, order)], atol=1e-3 if tolerance(dtype) > 1e-6 else 1e-9)

    def test_ldl(self, dtype):
        a = matrix(dtype)
        a = a + a.conj().T
        lower, d, _ = linalg.ldl(a)
        close(lower @ d @ lower.conj().T, a, dtype)

    def test_hessenberg_and_schur(self, dtype):
        a = matrix(dtype)
        h, q = linalg.hessenberg(a, calc_q=True)
        close(q @ h @ q.conj().T, a, dtype)
        t, z = linalg.schur(a)
        close(z @ t @ z.conj().T, a, dtype)

    def test_schur_calls_back_to_choose(self, dtype):
        a = matrix(dtype)
        t, z, chosen = linalg.schur(a, output="complex", sort=lambda w: w.real < 0)
        close(z @ t @ z.conj().T, a, dtype)
        assert 0 < chosen < 40
        assert_array_equal(np.diag(t).real[:chosen] < 1e-6, True)
        assert_array_equal(np.diag(t).real[chosen:] > -1e-6, True)

    def test_ordered_qz(self, dtype):
        a, b = matrix(dtype, 12), matrix(dtype, 12, seed=1)
        aa, bb, _, _, q, z = linalg.ordqz(a, b, sort="lhp", output="complex")
        close(q @ aa @ z.conj().T, a, dtype)
        close(q @ bb @ z.conj().T, b, dtype)

    @pytest.mark.parametrize("driver", ["gelsd", "gelss", "gelsy"])
    def test_least_squares(self, dtype, driver):
        a, b = matrix(dtype, 50, 20), matrix(dtype, 50, 1, seed=1)
        x, _, rank, _ = linalg.lstsq(a, b, lapack_driver=driver)
        close(a.conj().T @ (a @ x), a.conj().T @ b, dtype)
        assert rank == 20

    def test_cossin(self, dtype):
        q = linalg.qr(matrix(dtype, 20))[0]
        u, cs, vh = linalg.cossin(q, p=9, q=7)
        close(u @ cs @ vh, q, dtype)

    def test_matrix_functions(self, dtype):
        a = matrix(dtype, 8) / 4
        close(linalg.expm(a) @ linalg.expm(-a), np.eye(8), dtype)
        root = linalg.sqrtm(a)
        assert_allclose(root @ root, a, atol=2e-3 if tolerance(dtype) > 1e-6 else 1e-10)

    def test_sylvester(self, dtype):
        a, b, q = (
            matrix(dtype, 10) + 20 * np.eye(10, dtype=dtype),
            matrix(dtype, 12, seed=1),
            matrix(dtype, 10, 12, seed=2),
        )
        x = linalg.solve_sylvester(a, b, q)
        close(a @ x + x @ b, q, dtype)

    def test_norms(self, dtype):
        a = matrix(dtype)
        lange = lapack.get_lapack_funcs("lange", (a,))
        assert math.isclose(lange("F", a), math.sqrt(float((np.abs(a) ** 2).sum())), rel_tol=1e-5)
        assert math.isclose(lange("1", a), float(np.abs(a).sum(axis=0).max()), rel_tol=1e-5)

    def test_rotations(self, dtype):
        # lartg, which is Fortran 90 in LAPACK; with numbers whose squares overflow, and with zeros.
        huge = np.sqrt(np.finfo(dtype).max) * 10
        turn = (0.6 + 0.8j, 0.8 - 0.6j) if dtype[0] == "c" else (1, 1)
        lartg = lapack.get_lapack_funcs("lartg", dtype=dtype)
        for f, g in [
            (3, 4),
            (-3, 4),
            (0, 2),
            (2, 0),
            (0, 0),
            (huge, huge),
            (1 / huge, 1 / huge),
            (1, 1 / huge),
            (1 / huge, 1),
        ]:
            c, s, r = lartg(f * turn[0], g * turn[1])
            assert_allclose(abs(c) ** 2 + abs(s) ** 2, 1, rtol=1e-5)
            scale = abs(r) or 1
            assert_allclose((c * f * turn[0] + s * g * turn[1]) / scale, r / scale, rtol=1e-5)
            assert_allclose((-np.conj(s) * f * turn[0] + c * g * turn[1]) / scale, 0, atol=1e-5)

    def test_blas_products_of_vectors(self, dtype):
        x, y = matrix(dtype, 99, 1)[:, 0], matrix(dtype, 99, 1, seed=1)[:, 0]
        if dtype[0] == "c":
            close(blas.get_blas_funcs("dotc", (x,))(x, y), np.vdot(x, y), dtype)
            close(blas.get_blas_funcs("dotu", (x,))(x, y), x @ y, dtype)
        else:
            close(blas.get_blas_funcs("dot", (x,))(x, y), x @ y, dtype)
        close(blas.get_blas_funcs("nrm2", (x,))(x), np.sqrt((np.abs(x) ** 2).sum()), dtype)


def test_wrong_arguments_of_lapack_are_python_errors():
    with pytest.raises(linalg.LinAlgError):
        linalg.cholesky(-np.eye(3))
    with pytest.raises(linalg.LinAlgError):
        linalg.inv(np.zeros((3, 3)))
    with pytest.raises(ValueError, match="array must not contain"):
        linalg.solve(np.full((2, 2), np.nan), np.ones(2))


def test_interpolative_and_toeplitz():
    a = matrix("f8", 30, 8) @ matrix("f8", 8, 25, seed=1)
    k, index, projection = linalg.interpolative.interp_decomp(a, 1e-9)
    skeleton = linalg.interpolative.reconstruct_skel_matrix(a, k, index)
    assert k == 8
    close(linalg.interpolative.reconstruct_matrix_from_id(skeleton, index, projection), a, "f8")
    c = np.array([5.0, 2, 1, 0.5])
    close(linalg.toeplitz(c) @ linalg.solve_toeplitz(c, np.arange(4.0)), np.arange(4.0), "f8")
