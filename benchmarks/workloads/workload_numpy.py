"""Operations of numpy: linear algebra, sorting, functions of each element, FFT."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable


def cases() -> dict[str, Callable[[], object]]:
    """Return name -> a function without arguments."""
    random = np.random.RandomState(0)
    a, b = random.rand(500, 500), random.rand(500, 500)
    a32, b32 = a.astype(np.float32), b.astype(np.float32)
    square = random.rand(200, 200)
    million = random.rand(1_000_000)
    integers = random.randint(0, 1 << 30, 1_000_000).astype(np.int32)
    return {
        "matmul f64 500": lambda: a @ b,
        "matmul f32 500": lambda: a32 @ b32,
        "solve 200": lambda: np.linalg.solve(square, square),
        "svd 200": lambda: np.linalg.svd(square),
        "sort f64 1M": lambda: np.sort(million),
        "sort i32 1M": lambda: np.sort(integers),
        "exp f64 1M": lambda: np.exp(million),
        "fft 1M": lambda: np.fft.fft(million),
        "add f64 1M": lambda: million + million,
        "sum f64 1M": million.sum,
    }
