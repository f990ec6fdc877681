"""scipy's compiled modules hand each other trees, triangulations, C functions, generators; copies and errors cross."""

from __future__ import annotations

import copy
import ctypes
import io
import itertools
import math
import pickle

import numpy as np
import pytest
from matrices import TYPES, tolerance
from numpy.testing import assert_allclose, assert_array_equal
from scipy import (
    LowLevelCallable,
    fft,
    fftpack,
    integrate,
    interpolate,
    linalg,
    ndimage,
    optimize,
    sparse,
    spatial,
    stats,
)
from scipy import io as scipy_io
from scipy._lib import _ccallback_c
from scipy.optimize._highspy import _core, _highs_options
from scipy.sparse import csgraph
from scipy.sparse import linalg as splinalg
from scipy.spatial.transform import RigidTransform, Rotation
from scipy.stats import sampling

AGAIN = [copy.copy, copy.deepcopy, lambda value: pickle.loads(pickle.dumps(value))]
POINTS = np.random.RandomState(3).uniform(size=(40, 2))
CORNERS = np.array([[0.0, 0], [1, 0], [0, 1], [1, 1]])


class OwnError(Exception):
    pass


def fails(*_arguments, **_options):
    raise OwnError("from Python")


class Triangle:
    """The density 2 x on (0, 1)."""

    @staticmethod
    def pdf(x):
        return 2 * x

    @staticmethod
    def dpdf(_):
        return 2.0


def plane(points):
    return 1 + 2 * points[..., 0] + 3 * points[..., 1]


def line(n, dtype):
    """Return the matrix of second differences, whose eigenvalues are 2 - 2 cos(i pi / (n + 1))."""
    return sparse.diags_array([-1, 2, -1], offsets=[-1, 0, 1], shape=(n, n), dtype=dtype, format="csc")


def test_a_tree_makes_a_graph():
    near = spatial.cKDTree([[0.0], [1], [3], [9]]).sparse_distance_matrix(spatial.cKDTree([[0.0], [1], [3], [9]]), 2.5)
    assert_array_equal(csgraph.dijkstra(near.tocsr())[0], [0, 1, 3, np.inf])
    assert csgraph.connected_components(near)[0] == 2


def test_a_triangulation_is_interpolated():
    triangles = spatial.Delaunay(POINTS)
    inside = POINTS[triangles.simplices].mean(axis=1)
    assert_array_equal(triangles.find_simplex(inside), np.arange(len(inside)))
    for make in (interpolate.LinearNDInterpolator, interpolate.CloughTocher2DInterpolator):
        assert_allclose(make(triangles, plane(POINTS))(inside), plane(inside), rtol=1e-6)
        assert np.isnan(make(triangles, plane(POINTS))(5, 5))


@pytest.mark.parametrize("dtype", TYPES)
def test_a_factorisation_finds_small_eigenvalues(dtype):
    expected = 2 - 2 * np.cos(np.arange(1, 31) * math.pi / 31)
    close = {"rtol": 1e-3 if tolerance(dtype) > 1e-6 else 1e-10}
    assert_allclose(splinalg.eigsh(line(30, dtype), k=2, sigma=0)[0], expected[:2], **close)
    assert_allclose(np.sort(splinalg.eigs(line(30, dtype), k=2, sigma=0)[0].real), expected[:2], **close)
    operator = splinalg.LinearOperator((30, 30), matvec=splinalg.splu(line(30, dtype)).solve, dtype=dtype)
    assert_allclose(1 / np.sort(splinalg.eigs(operator, k=2)[0].real)[::-1], expected[:2], **close)
    assert_allclose(
        np.sort(splinalg.svds(line(30, dtype), k=2, solver="propack", maxiter=300, rng=1)[1]), expected[-2:], **close
    )


@pytest.mark.parametrize("dtype", [*map(np.dtype, ["?", "i1", "u2", "i8", *TYPES, "g", "G"])], ids=str)
def test_sparse_arrays_are_made_of_each_other(dtype):
    dense = np.array([[0, 1, 0, 3], [0, 0, 0, 0], [2, 0, 0, 1], [0, 0, 1, 1]]).astype(dtype)
    lil = sparse.lil_array((4, 4), dtype=dtype)
    rows, columns = np.nonzero(dense)
    lil[rows, columns] = dense[rows, columns]
    for kind in ("csr", "csc", "coo", "bsr", "dia", "dok", "lil"):
        other = lil.asformat(kind)
        assert (other.dtype, other.nnz) == (dense.dtype, 6) or kind in {"bsr", "dia"}
        assert_array_equal(other.toarray(), dense)
        for again in AGAIN:
            assert_array_equal((again(other).tocsr() @ lil).toarray(), dense @ dense)


def test_functions_in_c_are_called_without_python():
    plus, sine = (LowLevelCallable.from_cython(_ccallback_c, name) for name in ("plus1_cython", "sine"))
    assert plus.signature == "double (double, int *, void *)"
    assert _ccallback_c.test_call_cython(plus, 5.0) == 6
    assert _ccallback_c.test_call_cython(LowLevelCallable.from_cython(_ccallback_c, "plus1b_cython"), 5.0) == 6
    assert_allclose(integrate.quad(sine, 0, math.pi)[0], 2, rtol=1e-12)
    with pytest.raises(ValueError, match=r"failure\.\.\."):
        _ccallback_c.test_call_cython(plus, 2.0)
    for wrong in ("plus1bc_cython", "sine"):
        with pytest.raises(ValueError, match=r"scipy\.LowLevelCallable signature"):
            _ccallback_c.test_call_cython(LowLevelCallable.from_cython(_ccallback_c, wrong), 5.0)
    with pytest.raises(ValueError, match=r"scipy\.LowLevelCallable signature"):
        integrate.quad(plus, 0, 1)


def test_functions_in_c_are_called_with_data():
    data = ctypes.c_double(0.5)
    address = ctypes.cast(ctypes.pointer(data), ctypes.c_void_p)
    callback = LowLevelCallable.from_cython(_ccallback_c, "plus1_cython", address)
    assert _ccallback_c.test_call_cython(callback, 5.0) == 5.5
    data.value = 7
    assert _ccallback_c.test_call_cython(callback, 5.0) == 12


def test_functions_by_ctypes():
    assert _ccallback_c.test_call_cython(LowLevelCallable(_ccallback_c.plus1_ctypes), 5.0) == 6
    assert_allclose(integrate.quad(LowLevelCallable(_ccallback_c.sine_ctypes), 0, math.pi)[0], 2, rtol=1e-12)


@pytest.mark.parametrize("kind", [np.random.PCG64, np.random.MT19937, np.random.Philox, np.random.SFC64])
def test_generators_of_numpy(kind):
    def draw(generator):
        yield stats.random_table([3, 9], [5, 7]).rvs(20, method="boyett", random_state=generator)
        yield stats.random_table([3, 9], [5, 7]).rvs(20, method="patefield", random_state=generator)
        yield stats.nchypergeom_fisher(20, 7, 12, 2.5).rvs(20, random_state=generator)
        yield stats.nchypergeom_wallenius(20, 7, 12, 2.5).rvs(20, random_state=generator)
        yield sampling.NumericalInversePolynomial(Triangle(), domain=(0, 1), random_state=generator).rvs(20)
        yield sampling.DiscreteAliasUrn([0.5, 0, 0.5], random_state=generator).rvs(20)
        yield stats.qmc.Sobol(3, rng=generator).random(16)

    first, second = (list(draw(np.random.Generator(kind(5)))) for _ in "12")
    for one, other in zip(first, second, strict=True):
        assert_array_equal(one, other)
    boyett, patefield, fisher, wallenius, triangle, urn, sobol = first
    assert_array_equal(boyett.sum(axis=2), [[3, 9]] * 20)
    assert_array_equal(patefield.sum(axis=1), [[5, 7]] * 20)
    assert {0, 1, 2, 3, 4, 5, 6, 7} >= {*fisher.tolist(), *wallenius.tolist()}
    assert 0 < triangle.min() < triangle.max() < 1
    assert set(urn.tolist()) == {0, 2}
    # One number of each sixteenth.
    assert_array_equal(np.sort((sobol * 16).astype(int), axis=0), np.arange(16)[:, None].repeat(3, axis=1))


def test_options_of_both_modules_of_highs():
    manager, highs = _highs_options.HighsOptionsManager(), _core._Highs()
    names = manager.get_highs_options_records()
    assert {"time_limit", "presolve", "output_flag", "threads"} <= set(names)
    for name in names:
        assert highs.getOptionType(name) == (
            _core.HighsStatus.kOk,
            _core.HighsOptionType(manager.get_option_type(name)),
        )
    assert manager.check_int_option("threads", 1)
    assert not manager.check_string_option("presolve", "maybe")
    assert manager.get_option_type("nothing") == -1


def test_motions():
    turn = Rotation.from_rotvec([0, 0, math.pi / 2])
    motion = RigidTransform.from_components([1, 2, 3], turn)
    assert_allclose(motion.apply([1, 0, 0]), [1, 3, 3], atol=1e-15)
    assert_allclose((motion.inv() * motion).as_matrix(), np.eye(4), atol=1e-15)
    assert_allclose(RigidTransform.from_dual_quat(motion.as_dual_quat()).as_matrix(), motion.as_matrix(), atol=1e-15)
    assert_allclose(motion.rotation.as_quat(), turn.as_quat(), atol=1e-15)
    assert Rotation.concatenate([turn, turn]).mean().approx_equal(turn)


NUMBERS = [
    "braycurtis",
    "canberra",
    "chebyshev",
    "cityblock",
    "correlation",
    "cosine",
    "euclidean",
    "hamming",
    "jensenshannon",
]
BOOLEANS = ["dice", "hamming", "jaccard", "rogerstanimoto", "russellrao", "sokalsneath", "yule"]


@pytest.mark.parametrize(
    ("name", "dtype"), [*((name, float) for name in [*NUMBERS, "sqeuclidean"]), *((name, bool) for name in BOOLEANS)]
)
def test_distances_are_those_of_python(name, dtype):
    first, second = (
        np.random.RandomState(seed).randint(0, 2 if dtype is bool else 9, (5, 12)).astype(dtype) for seed in (1, 2)
    )
    function = getattr(spatial.distance, name)
    expected = [[function(a, b) for b in second] for a in first]
    assert_allclose(spatial.distance.cdist(first, second, name), expected, rtol=1e-12)
    pairs = [function(a, b) for a, b in itertools.combinations(first, 2)]
    assert_allclose(spatial.distance.pdist(first, name), pairs, rtol=1e-12)


QUADRATURES = [
    ({"points": [0.3]}, lambda x: abs(x - 0.3), (0, 1), 0.29),
    ({"weight": "sin", "wvar": 2}, lambda x: x, (0, math.pi), -math.pi / 2),
    ({"weight": "alg", "wvar": (0.5, 0)}, lambda _: 1.0, (0, 1), 2 / 3),
    ({"weight": "cauchy", "wvar": 0}, lambda _: 1.0, (-1, 2), math.log(2)),
    ({"weight": "cos", "wvar": 1}, lambda x: math.exp(-x), (0, math.inf), 0.5),
    ({}, lambda x: math.exp(-x), (0, math.inf), 1.0),
]


@pytest.mark.parametrize(("options", "function", "limits", "expected"), QUADRATURES)
def test_every_quadrature(options, function, limits, expected):
    assert_allclose(integrate.quad(function, *limits, **options)[0], expected, rtol=1e-8)
    with pytest.raises(OwnError, match="from Python"):
        integrate.quad(fails, *limits, **options)


@pytest.mark.parametrize("again", AGAIN)
def test_copies_of_what_interpolates(again):
    x = np.arange(9.0)
    for spline in (
        interpolate.make_interp_spline(x, x**2),
        interpolate.CubicSpline(x, x**2),
        interpolate.UnivariateSpline(x, x**2, s=0),
        interpolate.Akima1DInterpolator(x, 2 * x),
    ):
        other = again(spline)
        assert type(other) is type(spline)
        assert_allclose(other([2.5, 3]), spline([2.5, 3]), rtol=1e-14)
    surfaces = (
        interpolate.LinearNDInterpolator(CORNERS, plane(CORNERS)),
        interpolate.CloughTocher2DInterpolator(CORNERS, plane(CORNERS)),
        interpolate.RegularGridInterpolator(([0, 1], [0, 1]), plane(CORNERS).reshape(2, 2).T),
        interpolate.RBFInterpolator(CORNERS, plane(CORNERS), degree=1),
        interpolate.NearestNDInterpolator(np.append(CORNERS, [[0.5, 0.25]], axis=0), [0, 0, 0, 0, 2.75]),
    )
    for surface in surfaces:
        assert_allclose(again(surface)([[0.5, 0.25]]), [2.75], rtol=1e-6)


@pytest.mark.parametrize("again", AGAIN)
def test_copies_of_what_is_in_space(again):
    assert_allclose(again(spatial.cKDTree(CORNERS)).query([[0.9, 0.2]])[1], [1])
    assert_allclose(again(spatial.KDTree(CORNERS, boxsize=2)).query([[1.9, 0.1]])[1], [0])
    assert len(again(spatial.Delaunay(CORNERS)).simplices) == 2
    assert again(spatial.Delaunay(POINTS)).find_simplex([[5, 5]]) == [-1]
    assert again(spatial.ConvexHull(CORNERS)).volume == 1
    assert_allclose(again(spatial.Voronoi(np.append(CORNERS, [[0.5, 0.5]], axis=0))).vertices.shape, (4, 2))
    assert_allclose(again(Rotation.from_rotvec([0, 0, math.pi])).apply([1, 0, 0]), [-1, 0, 0], atol=1e-15)
    assert_allclose(again(RigidTransform.from_translation([1, 2, 3])).apply([1, 0, 0]), [2, 2, 3])


@pytest.mark.parametrize("again", AGAIN)
def test_copies_of_what_is_random(again):
    for made in (
        sampling.NumericalInversePolynomial(Triangle(), domain=(0, 1)),
        sampling.TransformedDensityRejection(Triangle(), domain=(0, 1)),
        sampling.DiscreteAliasUrn([0.1, 0.9]),
    ):
        other = again(made)
        for each in (made, other):
            each.set_random_state(np.random.Generator(np.random.PCG64(1)))
        assert_array_equal(other.rvs(9), made.rvs(9))
    sobol = stats.qmc.Sobol(2, scramble=False)
    sobol.random(2)
    assert again(sobol).random(2).tolist() == [[0.75, 0.25], [0.25, 0.75]]
    assert_allclose(again(stats.gaussian_kde([1.0, 2, 3])).integrate_box_1d(-np.inf, 2), 0.5)
    assert again(stats.norm(1, 2)).cdf(1) == 0.5
    assert again(fft.fft) is fft.fft


@pytest.mark.parametrize("again", AGAIN)
def test_what_is_only_in_c_cannot_be_copied(again):
    with pytest.raises(TypeError, match="cannot pickle 'SuperLU'"):
        again(splinalg.splu(line(3, "f8")))


class Fails(io.BytesIO):
    read = readinto = readline = write = fails


BROKEN = splinalg.LinearOperator((20, 20), matvec=fails, rmatvec=fails, dtype=float)
START = [1.0, 2.0]


@pytest.mark.parametrize(
    "call",
    [
        lambda: _ccallback_c.test_call_cython(fails, 1.0),
        lambda: integrate.odeint(fails, [1.0], [0, 1]),
        lambda: integrate.ode(fails).set_integrator("lsoda").set_initial_value(START).integrate(1),
        lambda: integrate.solve_ivp(fails, (0, 1), START, method="LSODA"),
        *(lambda name=name: getattr(optimize, name)(fails, 0, 1) for name in ("bisect", "brenth", "brentq", "ridder")),
        *(
            lambda name=name: optimize.minimize(fails, START, method=name)
            for name in ("L-BFGS-B", "TNC", "SLSQP", "COBYLA")
        ),
        lambda: optimize.minimize(lambda x: x @ x, START, jac=lambda x: 2 * x, hess=fails, method="trust-krylov"),
        lambda: optimize.direct(fails, [(0, 1)]),
        lambda: optimize.root(fails, START),
        lambda: optimize.root(lambda x: x, START, jac=fails),
        lambda: optimize.leastsq(fails, START),
        lambda: optimize.leastsq(lambda x: x, START, Dfun=fails),
        lambda: ndimage.generic_filter(np.eye(1), fails, 1),
        lambda: ndimage.generic_filter1d(np.eye(3), fails, 3),
        lambda: ndimage.geometric_transform(np.eye(3), fails),
        lambda: splinalg.eigsh(BROKEN, k=2),
        lambda: splinalg.eigs(BROKEN, k=2),
        lambda: linalg.interpolative.estimate_spectral_norm(BROKEN),
        lambda: linalg.interpolative.interp_decomp(BROKEN, 2),
        lambda: linalg.schur(np.eye(3), sort=fails),
        lambda: fftpack.convolve.init_convolution_kernel(8, fails),
        lambda: stats.weightedtau([1, 2, 3], [1, 3, 2], weigher=fails),
        lambda: scipy_io.mmread(Fails()),
        lambda: scipy_io.mmwrite(Fails(), np.eye(2)),
        lambda: scipy_io.loadmat(Fails()),
        lambda: sampling.NumericalInversePolynomial(type("D", (), {"pdf": fails})(), domain=(0, 1)),
        lambda: sampling.TransformedDensityRejection(type("D", (), {"pdf": fails, "dpdf": fails})(), domain=(0, 1)),
    ],
)
def test_errors_in_callbacks_arrive_unchanged(call):
    for _ in range(5):
        with pytest.raises(OwnError, match="from Python"):
            call()


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: fft.fft(np.ones(3), n=0), ValueError, "invalid number of data points"),
        (lambda: interpolate.splrep([2, 1, 3, 4], [1, 2, 3, 4]), ValueError, "Error on input data"),
        (lambda: interpolate.make_lsq_spline([1, 2], [1, 2], [0] * 9), ValueError, "Need more x points"),
        (
            lambda: linalg.lapack.dgesv(np.eye(2), [1, 2, 3]),
            ValueError,
            "0-th dimension must be fixed to 2",
        ),
        (lambda: linalg.blas.ddot([1, 2], [1], n=2), vars(linalg.blas._fblas)["__fblas_error"], "len\\(y\\)-offy"),
        (lambda: optimize.linear_sum_assignment([[np.inf]]), ValueError, "cost matrix is infeasible"),
        (lambda: csgraph.bellman_ford([[0, -1], [-1, 0]]), csgraph.NegativeCycleError, "Negative cycle"),
        (
            lambda: scipy_io.mmread(io.BytesIO(b"%%MatrixMarket matrix array real general\n2 2\n1\nx\n")),
            ValueError,
            "Line 4",
        ),
        (lambda: splinalg.eigsh(line(60, "f8"), k=5, maxiter=1), splinalg.ArpackNoConvergence, "No convergence"),
        (lambda: spatial.Delaunay([[0, 0], [1, 1], [2, 2]]), spatial.QhullError, "QH6154"),
        (lambda: spatial.cKDTree([[np.nan]]), ValueError, "must be finite"),
        (lambda: spatial.distance.cdist([[1, 2]], [[1]]), ValueError, "same number of columns"),
        (lambda: Rotation.from_quat([0, 0, 0, 0]), ValueError, "zero norm"),
        (lambda: sampling.DiscreteAliasUrn([-1, 1]), sampling.UNURANError, "probability < 0"),
        (lambda: sampling.NumericalInversePolynomial(Triangle(), domain=(0, 1), u_resolution=1), ValueError, "between"),
        (
            lambda: sampling.TransformedDensityRejection(Triangle(), domain=(1, 0)),
            sampling.UNURANError,
            "left >= right",
        ),
        (lambda: _core._Highs().passModel("model"), TypeError, "incompatible function arguments"),
        (lambda: integrate.odeint(lambda *_: [1.0, 2.0], [1.0], [0, 1]), RuntimeError, "size of the array returned"),
        (lambda: optimize.leastsq(lambda _: np.ones(1), START), TypeError, "Improper input"),
        (lambda: ndimage.generic_filter(np.eye(3), lambda _: "x", 3), TypeError, "must be real number"),
    ],
)
def test_errors_of_the_modules(call, error, message):
    for _ in range(5):
        with pytest.raises(error, match=message):
            call()


def test_another_backend_that_fails():
    backend = type("Backend", (), {"__ua_domain__": "numpy.scipy.fft", "__ua_function__": staticmethod(fails)})
    with fft.set_backend(backend), pytest.raises(OwnError, match="from Python"):
        fft.fft([1, 2])
    assert fft.fft([1, 2]).tolist() == [3, -1]
