"""Operations of SciPy whose work is done in C++, Cython and LAPACK."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import scipy.fft
import scipy.linalg
import scipy.ndimage
import scipy.optimize
import scipy.signal
import scipy.sparse
import scipy.sparse.csgraph
import scipy.spatial
import scipy.special
import scipy.stats

if TYPE_CHECKING:
    from collections.abc import Callable


def cases() -> dict[str, Callable[[], object]]:
    """Return name -> a function without arguments."""
    random = np.random.RandomState(0)
    square = random.rand(200, 200)
    points = random.rand(20_000, 3)
    tree = scipy.spatial.cKDTree(points)
    picture = random.rand(512, 512)
    sparse = scipy.sparse.random(2000, 2000, 0.01, format="csr", random_state=1)
    signal = random.rand(100_000)
    costs = random.rand(200, 200)
    return {
        "eig 200": lambda: scipy.linalg.eig(square),
        "lu_factor 200": lambda: scipy.linalg.lu_factor(square),
        "fft 100k": lambda: scipy.fft.fft(signal),
        "dct 100k": lambda: scipy.fft.dct(signal),
        "KD tree, build": lambda: scipy.spatial.cKDTree(points),
        "KD tree, query": lambda: tree.query(points[:2000], k=5),
        "Delaunay 2k": lambda: scipy.spatial.Delaunay(points[:2000]),
        "cdist": lambda: scipy.spatial.distance.cdist(points[:500], points[:500]),
        "gaussian_filter": lambda: scipy.ndimage.gaussian_filter(picture, 2),
        "label": lambda: scipy.ndimage.label(picture > 0.6),
        "sparse product": lambda: sparse @ sparse,
        "dijkstra": lambda: scipy.sparse.csgraph.dijkstra(sparse, indices=range(5)),
        "linear_sum_assignment": lambda: scipy.optimize.linear_sum_assignment(costs),
        "gamma 100k": lambda: scipy.special.gamma(signal * 10),
        "beta ppf": lambda: scipy.special.betaincinv(2.0, 3.0, signal[:10_000]),
        "lfilter": lambda: scipy.signal.lfilter([1.0, 0.5], [1.0, -0.3, 0.1], signal),
        "ks_2samp": lambda: scipy.stats.ks_2samp(signal[:2000], signal[2000:4000] ** 1.1),
    }
