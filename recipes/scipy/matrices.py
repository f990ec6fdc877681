"""Matrices of each type that LAPACK has, and how far a result may be off."""

from __future__ import annotations

import numpy as np
from numpy.testing import assert_allclose

TYPES = ["f4", "f8", "c8", "c16"]


def matrix(dtype, rows=40, columns=None, seed=0):
    random = np.random.RandomState(seed)
    columns = columns or rows
    a = random.standard_normal((rows, columns))
    if dtype[0] == "c":
        a = a + 1j * random.standard_normal((rows, columns))
    return a.astype(dtype)


def tolerance(dtype):
    return 3e-4 if dtype in ("f4", "c8") else 1e-10


def close(a, b, dtype):
    assert_allclose(a, b, rtol=tolerance(dtype), atol=tolerance(dtype))
