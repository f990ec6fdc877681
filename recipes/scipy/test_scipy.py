"""scipy's compiled parts but LAPACK: callbacks from C, solvers, transforms, against what mathematics says of them.

What is checked is a property of the answer (a factorisation multiplies out, an integral has its closed form), so that a
wrong routine shows wherever it stands.
"""

from __future__ import annotations

import io
import math

import numpy as np
import pytest
from matrices import TYPES, close, matrix, tolerance
from numpy.testing import assert_allclose, assert_array_equal
from scipy import (
    cluster,
    fft,
    integrate,
    interpolate,
    linalg,
    ndimage,
    optimize,
    signal,
    sparse,
    spatial,
    special,
    stats,
)
from scipy import (
    io as scipy_io,
)
from scipy.sparse import csgraph
from scipy.sparse import linalg as splinalg
from scipy.stats import sampling


def test_fft_of_many_lengths():
    for n in (1, 2, 30, 64, 97, 1001, 4096):
        x = matrix("c16", 1, n)[0]
        direct = np.exp(-2j * np.pi * np.outer(np.arange(n), np.arange(n)) / n) @ x if n < 1100 else np.fft.fft(x)
        assert_allclose(fft.fft(x), direct, atol=1e-9)
        assert_allclose(fft.ifft(fft.fft(x)), x, atol=1e-12)
        assert_allclose(
            fft.fft2(np.outer(x[:9], x[:9]), workers=4), np.outer(fft.fft(x[:9]), fft.fft(x[:9])), atol=1e-9
        )
        assert_allclose(fft.idct(fft.dct(x.real)), x.real, atol=1e-12)
    assert fft.fft(np.ones(8, "f4")).dtype == np.complex64


def test_another_backend_for_fft():
    class Backend:
        __ua_domain__ = "numpy.scipy.fft"

        @staticmethod
        def __ua_function__(method, arguments, _):
            return method.__name__, arguments

    with fft.set_backend(Backend):
        assert fft.rfft([1, 2]) == ("rfft", ([1, 2],))
        with fft.skip_backend(Backend):
            assert_allclose(fft.rfft([1, 2]), [3, -1])


def test_special_functions():
    assert math.isclose(special.gamma(0.5), math.sqrt(math.pi), rel_tol=1e-14)
    assert math.isclose(special.zeta(2), math.pi**2 / 6, rel_tol=1e-14)
    assert math.isclose(special.j0(2.404825557695773), 0, abs_tol=1e-15)
    assert_allclose(special.jv(0.5, 3.0), math.sqrt(2 / (math.pi * 3)) * math.sin(3), rtol=1e-13)
    assert_allclose(special.hyp2f1(1, 1, 2, 0.5), 2 * math.log(2), rtol=1e-14)
    assert_allclose(special.erf(1 + 0j), math.erf(1), rtol=1e-14)
    assert_allclose(special.betainc(2, 3, 0.4), 0.5248, rtol=1e-12)
    assert_allclose(special.ndtri(special.ndtr(1.25)), 1.25, rtol=1e-13)
    assert_allclose(special.ellipk(0.5), 1.8540746773013719, rtol=1e-14)
    assert special.gammaln(np.float32(10)).dtype == np.float32
    assert special.comb(60, 30, exact=True) == math.comb(60, 30)


def test_errors_of_special_functions_are_told():
    with special.errstate(all="raise"), pytest.raises(special.SpecialFunctionError):
        special.gammaln(-1)


def test_quadrature_calls_back():
    assert_allclose(integrate.quad(lambda x: math.exp(-x * x), -np.inf, np.inf)[0], math.sqrt(math.pi), rtol=1e-10)
    assert_allclose(integrate.dblquad(lambda y, x: x * y, 0, 1, 0, 2)[0], 1, rtol=1e-10)
    assert_allclose(
        integrate.nquad(lambda x, y: np.cos(x + y), [(0, 1), (0, 1)])[0], 2 * math.cos(1) - math.cos(2) - 1, rtol=1e-9
    )


def test_an_error_in_a_callback_comes_through():
    def fails(x):
        raise KeyError(x)

    with pytest.raises(KeyError):
        integrate.quad(fails, 0, 1)
    with pytest.raises(KeyError):
        optimize.fmin_l_bfgs_b(fails, [1.0])
    with pytest.raises(KeyError):
        linalg.schur(np.eye(3), sort=fails)


@pytest.mark.parametrize("method", ["RK45", "DOP853", "Radau", "BDF", "LSODA"])
def test_differential_equations(method):
    solution = integrate.solve_ivp(lambda _, y: [y[1], -y[0]], (0, 3), [0, 1], method=method, rtol=1e-8, atol=1e-10)
    assert_allclose(solution.y[0, -1], math.sin(3), atol=1e-5)


def test_old_integrators():
    y = integrate.odeint(lambda y, _: -y, 1.0, [0, 1, 2], rtol=1e-9)
    assert_allclose(y[:, 0], np.exp([0, -1, -2]), rtol=1e-6)
    for name in ("vode", "zvode", "dopri5"):
        ode = integrate.ode(lambda _, y: -y).set_integrator(name, rtol=1e-9).set_initial_value([1.0])
        assert_allclose(ode.integrate(1.0), math.exp(-1), rtol=1e-5)


def rosenbrock(x):
    return float(((1 - x[:-1]) ** 2).sum() + 100 * ((x[1:] - x[:-1] ** 2) ** 2).sum())


@pytest.mark.parametrize(
    "method", ["Nelder-Mead", "BFGS", "L-BFGS-B", "TNC", "COBYLA", "SLSQP", "Powell", "trust-constr"]
)
def test_minimise(method):
    options = {"maxiter": 5000} if method in ("Nelder-Mead", "COBYLA") else {}
    result = optimize.minimize(rosenbrock, [0.8, 1.2], method=method, tol=1e-9, options=options)
    assert_allclose(result.x, 1, atol=2e-2)


def test_least_squares_roots_and_assignment():
    fit, _ = optimize.curve_fit(
        lambda x, a, b: a * np.exp(b * x), np.linspace(0, 1, 20), 2 * np.exp(0.5 * np.linspace(0, 1, 20))
    )
    assert_allclose(fit, [2, 0.5], rtol=1e-8)
    assert_allclose(
        optimize.root(lambda x: [x[0] ** 2 - 2, x[0] * x[1] - 1], [1, 1]).x, [math.sqrt(2), 1 / math.sqrt(2)], rtol=1e-8
    )
    assert_allclose(optimize.brentq(math.cos, 1, 2), math.pi / 2, rtol=1e-12)
    _, columns = optimize.linear_sum_assignment([[4, 1, 3], [2, 0, 5], [3, 2, 2]])
    assert_array_equal(columns, [1, 0, 2])
    assert_allclose(optimize.nnls(np.eye(3), [1, -1, 2])[0], [1, 0, 2])


def test_linear_programs_of_highs():
    result = optimize.linprog([-3, -5], A_ub=[[1, 0], [0, 2], [3, 2]], b_ub=[4, 12, 18])
    assert result.status == 0
    assert_allclose(result.x, [2, 6])
    knapsack = optimize.milp(
        c=[-8, -11, -6, -4],
        constraints=optimize.LinearConstraint([[5, 7, 4, 3]], ub=14),
        integrality=np.ones(4),
        bounds=optimize.Bounds(0, 1),
    )
    assert_allclose(knapsack.x, [0, 1, 1, 1])
    assert optimize.linprog([1], A_ub=[[1]], b_ub=[-1]).status == 2


def poisson(n):
    line = sparse.diags_array([-1.0, 2.0, -1.0], offsets=[-1, 0, 1], shape=(n, n))
    return (sparse.kron(line, sparse.eye_array(n)) + sparse.kron(sparse.eye_array(n), line)).tocsc()


@pytest.mark.parametrize("dtype", TYPES)
def test_superlu(dtype):
    a = poisson(12).astype(dtype)
    b = matrix(dtype, 144, 1)[:, 0]
    close(a @ splinalg.splu(a).solve(b), b, dtype)
    close(a @ splinalg.spsolve(a, b), b, dtype)


def test_superlu_leaves_by_longjmp():
    with pytest.raises(RuntimeError, match="singular"):
        splinalg.splu(sparse.csc_array((3, 3)))


@pytest.mark.parametrize("dtype", TYPES)
def test_arpack(dtype):
    a = poisson(10).astype(dtype)
    w, v = splinalg.eigsh(a, k=4, which="LA")
    assert_allclose(a @ v, v * w, atol=1e-2 if tolerance(dtype) > 1e-6 else 1e-8)
    assert_allclose(w.max(), 8 * math.cos(math.pi / 22) ** 2, rtol=1e-4)
    _, s, _ = splinalg.svds(a, k=3)
    assert_allclose(s.max(), w.max(), rtol=1e-3)


def test_propack():
    a = matrix("f8", 40, 30)
    _, s, _ = splinalg.svds(a, k=4, solver="propack")
    assert_allclose(np.sort(s), np.sort(linalg.svdvals(a))[-4:], rtol=1e-8)


@pytest.mark.parametrize("solver", [splinalg.cg, splinalg.gmres, splinalg.bicgstab, splinalg.minres])
def test_iterative_solvers(solver):
    a, b = poisson(8), np.ones(64)
    x, status = solver(a, b, rtol=1e-8)
    assert status == 0
    assert_allclose(a @ x, b, atol=1e-6)


def test_sparse_products_and_graphs():
    a = sparse.random_array((50, 40), density=0.1, rng=np.random.RandomState(1), format="csr")
    assert_allclose((a @ a.T).toarray(), a.toarray() @ a.toarray().T)
    graph = sparse.csr_array([[0, 1, 4, 0], [0, 0, 2, 6], [0, 0, 0, 3], [0, 0, 0, 0]])
    assert_array_equal(csgraph.dijkstra(graph)[0], [0, 1, 3, 6])
    assert_array_equal(csgraph.floyd_warshall(graph)[0], [0, 1, 3, 6])
    assert csgraph.connected_components(graph)[0] == 1
    assert csgraph.minimum_spanning_tree(graph).sum() == 6
    assert csgraph.maximum_flow(graph.astype("i4"), 0, 3).flow_value == 4


def test_splines():
    x = np.linspace(0, 10, 40)
    for spline in (
        interpolate.CubicSpline(x, np.sin(x)),
        interpolate.make_interp_spline(x, np.sin(x), k=5),
        interpolate.UnivariateSpline(x, np.sin(x), s=0),
        interpolate.Akima1DInterpolator(x, np.sin(x)),
    ):
        assert_allclose(spline(5.05), math.sin(5.05), atol=2e-3)
    surface = interpolate.RectBivariateSpline(x, x, np.sin(x)[:, None] * np.cos(x)[None])
    assert_allclose(surface(2.2, 3.3)[0, 0], math.sin(2.2) * math.cos(3.3), atol=1e-3)
    points = np.random.RandomState(0).uniform(size=(80, 2))
    assert_allclose(interpolate.griddata(points, points.sum(axis=1), [[0.5, 0.5]])[0], 1, atol=1e-10)
    assert_allclose(interpolate.RBFInterpolator(points, points[:, 0] ** 2)([[0.5, 0.5]])[0], 0.25, atol=1e-2)


def test_geometry():
    square = np.array([[0, 0], [1, 0], [0, 1], [1, 1], [0.5, 0.5]])
    hull = spatial.ConvexHull(square)
    assert sorted(hull.vertices) == [0, 1, 2, 3]
    assert_allclose(hull.volume, 1)
    assert len(spatial.Delaunay(square).simplices) == 4
    assert spatial.Voronoi(square).vertices.shape[1] == 2
    points = np.random.RandomState(0).uniform(size=(500, 3))
    distance, index = spatial.cKDTree(points).query([0.5, 0.5, 0.5])
    direct = np.sqrt(((points - 0.5) ** 2).sum(axis=1))
    assert (index, distance) == (direct.argmin(), pytest.approx(direct.min()))
    assert_allclose(
        spatial.distance.pdist(points[:3]), [math.dist(points[a], points[b]) for a, b in ((0, 1), (0, 2), (1, 2))]
    )
    turn = spatial.transform.Rotation.from_euler("z", 90, degrees=True)
    assert_allclose(turn.apply([1, 0, 0]), [0, 1, 0], atol=1e-15)
    with pytest.raises(spatial.QhullError):  # by longjmp out of Qhull
        spatial.ConvexHull(np.zeros((4, 2)))


def test_images_and_signals():
    image = np.zeros((9, 9))
    image[4, 4] = 1
    assert_allclose(ndimage.gaussian_filter(image, 1).sum(), 1, rtol=1e-3)
    assert_array_equal(ndimage.label(image > 0)[1], 1)
    assert ndimage.distance_transform_edt(image == 0)[4, 0] == 4
    assert_allclose(ndimage.generic_filter(image, lambda window: window.max(), 3).sum(), 9)
    assert_allclose(ndimage.zoom(np.eye(3), 2, order=1)[0, 0], 1)
    x = np.sin(2 * np.pi * 5 * np.arange(200) / 200) + np.sin(2 * np.pi * 60 * np.arange(200) / 200)
    b, a = signal.butter(4, 0.2)
    low = signal.filtfilt(b, a, x)
    assert_allclose(low[50:150], np.sin(2 * np.pi * 5 * np.arange(200) / 200)[50:150], atol=0.02)
    assert_allclose(signal.sosfilt(signal.butter(4, 0.2, output="sos"), x), signal.lfilter(b, a, x), atol=1e-9)
    assert_array_equal(signal.find_peaks([0, 1, 0, 2, 0])[0], [1, 3])
    assert_allclose(signal.convolve([1, 2, 3], [0, 1, 0.5]), [0, 1, 2.5, 4, 1.5])


def test_statistics():
    assert_allclose(stats.norm.ppf(0.975), 1.959963984540054, rtol=1e-13)
    assert_allclose(stats.t(5).cdf(2.0), 0.9490302605850709, rtol=1e-12)
    assert_allclose(stats.ttest_ind([1, 2, 3, 4], [2, 3, 4, 5]).pvalue, 0.3153335962012298, rtol=1e-9)
    assert_allclose(stats.spearmanr([1, 2, 3, 4], [1, 3, 2, 4]).statistic, 0.8)
    assert_allclose(stats.multivariate_normal([0, 0], np.eye(2)).cdf([0, 0]), 0.25, atol=1e-6)
    assert stats.qmc.Sobol(2, scramble=False).random(4).tolist() == [[0, 0], [0.5, 0.5], [0.75, 0.25], [0.25, 0.75]]
    points = stats.qmc.Halton(3, scramble=False).random(50, workers=4)
    assert stats.qmc.discrepancy(points, method="MD", workers=4) == stats.qmc.discrepancy(points, method="MD")
    sample = sampling.NumericalInversePolynomial(stats.norm(), random_state=1).rvs(2000)
    assert abs(sample.mean()) < 0.1
    assert_allclose(stats.gaussian_kde([0.0, 1.0]).integrate_box_1d(-np.inf, np.inf), 1)


def test_clusters():
    points = np.concatenate([np.random.RandomState(0).normal(c, 0.1, (20, 2)) for c in (0, 5)])
    tree = cluster.hierarchy.linkage(points, "ward")
    assert set(cluster.hierarchy.fcluster(tree, 2, "maxclust")[:20]) != set(
        cluster.hierarchy.fcluster(tree, 2, "maxclust")[20:]
    )
    centres, _ = cluster.vq.kmeans(points, 2, seed=1)
    assert_allclose(np.sort(centres[:, 0]), [0, 5], atol=0.2)


def test_matlab_files_round_trip():
    file = io.BytesIO()
    scipy_io.savemat(file, {"a": np.arange(6.0).reshape(2, 3), "s": sparse.eye_array(3).tocsc()}, do_compression=True)
    read = scipy_io.loadmat(io.BytesIO(file.getvalue()), spmatrix=False)
    assert_array_equal(read["a"], np.arange(6.0).reshape(2, 3))
    assert_array_equal(read["s"].toarray(), np.eye(3))
    text = io.BytesIO()
    scipy_io.mmwrite(text, sparse.eye_array(2).tocoo())
    assert_array_equal(scipy_io.mmread(io.BytesIO(text.getvalue())).toarray(), np.eye(2))
