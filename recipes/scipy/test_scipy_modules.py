"""Each of scipy's compiled modules by a small call whose result follows by hand."""

import importlib
import io
import math
import zlib

import numpy as np
import pytest
from scipy import (
    _cyutility,
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
from scipy._lib import _ccallback_c, _fpumode, messagestream
from scipy._lib._uarray import _uarray
from scipy.cluster.hierarchy import _hierarchy, _optimal_leaf_ordering
from scipy.cluster.vq import _vq
from scipy.fft._duccfft import pyduccfft
from scipy.fftpack import convolve
from scipy.interpolate import _dierckx, _ppoly, _rgi_cython
from scipy.io._fast_matrix_market import _fmm_core
from scipy.io.matlab import _mio5_utils, _mio_utils, _streams
from scipy.linalg import (
    _batched_linalg,
    _cythonized_array_utils,
    _decomp_update,
    _fblas,
    _flapack,
    _matfuncs_sqrtm,
    _solve_toeplitz,
    cython_blas,
    cython_lapack,
)
from scipy.optimize import _bglu_dense, _group_columns, _lsap, _pava_pybind, _slsqplib
from scipy.optimize._highspy import _core, _highs_options
from scipy.optimize._lsq import givens_elimination
from scipy.optimize.cython_optimize import _zeros as cython_zeros
from scipy.signal import _peak_finding_utils, _spline, _upfirdn_apply
from scipy.sparse import _csparsetools, _sparsetools, csgraph
from scipy.sparse import linalg as splinalg
from scipy.sparse.csgraph import _matching, _reordering, _tools, _traversal
from scipy.spatial import _ckdtree, _distance_pybind, _distance_wrap, _hausdorff, _qhull
from scipy.spatial.transform import _rigid_transform_cy, _rotation_cy
from scipy.special import _comb, _specfun, _special_ufuncs, _ufuncs, cython_special
from scipy.stats import _ansari_swilk_statistics, _biasedurn, _sobol, _stats
from scipy.stats._levy_stable import levyst
from scipy.stats._unuran import unuran_wrapper

FULL_BUFFER = 0x11C  # PyBUF_FULL_RO of Python's object.h
LIL = sparse.lil_array([[0, 0, 0.5, 0, 0, 0, 0, 0, 7]])
CUBE = (0.0, 0.0, 1.0)  # x ** 3, but for the constant
LINE = np.array([[0.0], [10], [1]])


def plain(value):
    """Return ``value`` with lists in the place of arrays and of tuples."""
    if isinstance(value, (tuple, list)):
        return [plain(each) for each in value]
    return value.tolist() if hasattr(value, "tolist") else value


def same(found, expected):
    if isinstance(expected, list):
        return len(found) == len(expected) and all(map(same, found, expected))
    if isinstance(expected, (float, complex)):
        return abs(found - expected) <= 1e-10 * max(1, abs(expected))
    return found == expected


def ints(*values, dtype=np.intp):
    return np.array(values, dtype=dtype)


def floats(*values):
    return np.array(values, dtype=float)


def filled(function, *arguments, shape, rest=()):
    """Return what a function writes into the array that it takes after ``arguments``."""
    out = np.zeros(shape)
    function(*arguments, out, *rest)
    return out


def updated_means():
    means, has_members = _vq.update_cluster_means(np.array([[1.0], [3], [7]]), ints(0, 0, 1, dtype=np.int32), 3)
    return means, has_members


def refactored():
    a, q = np.array([[2.0, 0, 1], [0, 4, 1]]), floats(2, 4)
    basis = _bglu_dense.BGLU(a, ints(0, 1, dtype=int))
    first = basis.solve(q)
    basis.update(0, 2)
    return first, basis.solve(q), basis.solve(q, transposed=True)


def eliminated():
    # The column (3, 4) is turned into (5, 0), and with it (10, 0) into (6, ...).
    s, v = np.array([[3.0]]), floats(10)
    givens_elimination.givens_elimination(s, v, floats(4))
    return abs(s[0, 0]), abs(v[0])


def square_root():
    root = np.diag([2.0, 3])
    _matfuncs_sqrtm.within_block_loop(root, np.array([[4.0, 10], [0, 9]]), [(0, 2)], 1)
    return root


def program_of_highs():
    lp = _core.HighsLp()
    lp.num_col_, lp.num_row_ = 2, 1
    lp.col_cost_, lp.col_lower_, lp.col_upper_ = floats(-1, -2), floats(0, 0), floats(3, 1.5)
    lp.row_lower_, lp.row_upper_ = floats(-_core.kHighsInf), floats(4)
    lp.a_matrix_.format_ = _core.MatrixFormat.kRowwise
    lp.a_matrix_.start_, lp.a_matrix_.index_ = ints(0, 2, dtype=np.int32), ints(0, 1, dtype=np.int32)
    lp.a_matrix_.value_ = floats(1, 1)
    highs = _core._Highs()
    highs.setOptionValue("output_flag", False)
    assert highs.passModel(lp) == highs.run() == _core.HighsStatus.kOk
    assert highs.getModelStatus() == _core.HighsModelStatus.kOptimal
    return list(highs.getSolution().col_value), highs.getInfo().objective_function_value


def option_of_highs():
    options = _highs_options.HighsOptionsManager()
    kind = _core.HighsOptionType(options.get_option_type("time_limit"))
    return kind == _core.HighsOptionType.kDouble, options.check_double_option("time_limit", -1.0)


def lanczos(solver):
    values = splinalg.svds(sparse.diags_array([1.0, 2, 3, 4, 5]), k=2, solver=solver, rng=1)[1]
    return np.sort(values)


def market():
    text = io.BytesIO()
    cursor = _fmm_core.open_write_stream(text, _fmm_core.header(comment="by hand"), 1, 3)
    _fmm_core.write_body_array(cursor, np.array([[0.5], [2]]))
    *head, first, second, _ = text.getvalue().decode().split("\n")
    return head, float(first), float(second)


def leaf_order():
    # The ends of the better order are those that are farthest from each other.
    tree = _optimal_leaf_ordering.optimal_leaf_ordering(np.array([[0.0, 2, 1, 2], [1, 3, 9, 3]]), floats(10, 1, 9))
    order = np.zeros(3, np.int32)
    _hierarchy.prelist(tree, order, 3)
    return sorted(order[[0, 2]])


def by_gauss(function, end):
    """Return the integral from 0 to ``end``, by Gauss and Legendre."""
    nodes, weights = np.polynomial.legendre.leggauss(20)
    return float(end / 2 * (weights @ function(end / 2 * (nodes + 1))))


class Triangle:
    """The density 2 x on (0, 1)."""

    @staticmethod
    def pdf(x):
        return 2 * x


CALLS = {
    "_cyutility": (
        lambda: np.asarray(_cyutility.memoryview(np.arange(6).reshape(2, 3), FULL_BUFFER).T),
        [[0, 3], [1, 4], [2, 5]],
    ),
    "_lib._ccallback_c": (lambda: _ccallback_c.test_call_cython(lambda x: x * 3, 5.0), 15.0),
    "_lib._fpumode": (lambda: _fpumode.get_fpu_mode() in (None, 0x37F), True),  # of the 8087, which only x86 has
    "_lib._uarray._uarray": (
        lambda: _uarray._Function(lambda _: (), lambda a, k, _: (a, k), "own", (), {}, lambda x: x * 2)(21),
        42,
    ),
    "_lib.messagestream": (lambda: messagestream.MessageStream().get(), ""),
    "cluster.hierarchy._hierarchy": (
        lambda: _hierarchy.mst_single_linkage(floats(10, 1, 9), 3),
        [[0.0, 2.0, 1.0, 2.0], [1.0, 3.0, 9.0, 3.0]],
    ),
    "cluster.hierarchy._optimal_leaf_ordering": (leaf_order, [0, 1]),
    "cluster.vq._vq": (updated_means, [[[2.0], [7.0], [0.0]], [True, True, False]]),
    "fft._duccfft.pyduccfft": (
        lambda: (pyduccfft.c2c(floats(1, 2, 3, 4)), pyduccfft.good_size(97), pyduccfft.good_size(97, True)),
        [[10.0, -2 + 2j, -2.0, -2 - 2j], 98, 100],
    ),
    "fftpack.convolve": (
        # The square of the frequency turns a cosine into itself times 4.
        lambda: convolve.convolve(
            np.cos(np.arange(8) * math.pi / 2), convolve.init_convolution_kernel(8, lambda k: k * k)
        ),
        [4.0, 0.0, -4.0, 0.0] * 2,
    ),
    "integrate._dop": (
        lambda: integrate.ode(lambda t, _: [2 * t]).set_integrator("dop853").set_initial_value([1.0]).integrate(3.0),
        [10.0],
    ),
    "integrate._odepack": (lambda: integrate.odeint(lambda _, t: 2 * t, 1.0, [0, 3], rtol=1e-12)[1], [10.0]),
    "integrate._quadpack": (lambda: integrate.quad(lambda x: x * x, 0, 3)[0], 9.0),
    "integrate._vode": (
        lambda: integrate.ode(lambda *_: [2j]).set_integrator("zvode").set_initial_value([1j]).integrate(3.0),
        [7j],
    ),
    "interpolate._dierckx": (
        lambda: _dierckx.evaluate_spline(floats(0, 0, 1, 1), np.array([[2.0], [4]]), 1, floats(0.5, 1), 0, False),
        [[3.0], [4.0]],
    ),
    "interpolate._fitpack": (
        lambda: interpolate.splint(0, 3, interpolate.splrep(np.arange(6), np.arange(6) ** 2)),
        9.0,
    ),
    "interpolate._interpnd": (
        lambda: interpolate.LinearNDInterpolator([[0, 0], [1, 0], [0, 1]], [0, 1, 2])(0.25, 0.5),
        1.25,
    ),
    "interpolate._ppoly": (
        lambda: _ppoly.real_roots(np.array([[[1.0]], [[0]], [[-1]]]), floats(0, 2), 0.0, False, False),
        [[1.0]],
    ),
    "interpolate._rgi_cython": (
        lambda: _rgi_cython.find_indices((floats(0, 1, 3),), np.array([[2.5, 0.5]])),
        [[[1, 0]], [[0.75, 0.5]]],
    ),
    "io._fast_matrix_market._fmm_core": (
        market,
        [["%%MatrixMarket matrix array real general", "%by hand", "2 1"], 0.5, 2.0],
    ),
    "io.matlab._mio5_utils": (lambda: _mio5_utils.byteswap_u4(np.uint32(0x01020304)), 0x04030201),
    "io.matlab._mio_utils": (lambda: _mio_utils.squeeze_element(np.array([[[7, 8]]])), [7, 8]),
    "io.matlab._streams": (
        lambda: _streams.ZlibInputStream(io.BytesIO(data := zlib.compress(b"packed")), len(data)).read(6),
        b"packed",
    ),
    "linalg._batched_linalg": (
        lambda: _batched_linalg._det(np.array([[[1.0, 2], [3, 4]], [[0, 1], [1, 0]]]), False),
        [-2.0, -1.0],
    ),
    "linalg._cythonized_array_utils": (
        lambda: (_cythonized_array_utils.issymmetric(np.eye(2)), _cythonized_array_utils.ishermitian(np.eye(2) * 1j)),
        [True, False],
    ),
    "linalg._decomp_interpolative": (
        lambda: linalg.interpolative.estimate_spectral_norm(np.diag([3.0, 1]), rng=np.random.default_rng(1)),
        3.0,
    ),
    "linalg._decomp_update": (
        lambda: abs(_decomp_update.qr_insert(np.eye(2), np.eye(2), floats(3, 4), 2, which="col")[1]),
        [[1.0, 0.0, 3.0], [0.0, 1.0, 4.0]],
    ),
    "linalg._fblas": (lambda: (_fblas.ddot([1, 2], [3, 4]), _fblas.zdotc([1j], [2j])), [11.0, 2 + 0j]),
    "linalg._flapack": (lambda: _flapack.dgtsv([1], [2, 2], [1], [3, 3])[3], [1.0, 1.0]),
    "linalg._internal_matfuncs": (
        lambda: linalg.expm([[0, 2, 0], [0, 0, 2], [0, 0, 0]]),
        [[1.0, 2.0, 2.0], [0.0, 1.0, 2.0], [0.0, 0.0, 1.0]],
    ),
    "linalg._matfuncs_sqrtm_triu": (square_root, [[2.0, 2.0], [0.0, 3.0]]),
    "linalg._solve_toeplitz": (lambda: _solve_toeplitz.levinson(floats(1, 2, 1), floats(3, 3))[0], [1.0, 1.0]),
    "linalg.cython_blas": (
        lambda: (cython_blas._test_ddot(floats(1, 2), floats(3, 4)), cython_blas._test_izamax(np.array([1, 2j]))),
        [11.0, 2],
    ),
    "linalg.cython_lapack": (
        lambda: (cython_lapack._test_dlamch(b"e"), cython_lapack._test_slamch(b"e")),
        [2.0**-53, 2.0**-24],
    ),
    "ndimage._nd_image": (lambda: ndimage.correlate1d([0, 1, 0], [1, 2, 3]), [3, 2, 1]),
    "ndimage._ni_label": (lambda: ndimage.label([1, 0, 1, 1]), [[1, 0, 2, 2], 2]),
    "ndimage._rank_filter_1d": (lambda: ndimage.rank_filter(floats(3, 1, 2, 5, 4), 1, 3), [3.0, 2.0, 2.0, 4.0, 4.0]),
    "optimize._bglu_dense": (refactored, [[1.0, 1.0], [0.5, 2.0], [3.5, 0.5]]),
    "optimize._direct": (lambda: round(optimize.direct(lambda x: (x[0] - 0.25) ** 2, [(-1, 1)]).x[0], 2), 0.25),
    "optimize._group_columns": (
        lambda: _group_columns.group_dense(2, 3, np.array([[1, 0, 1], [0, 1, 0]], dtype=np.intc)),
        [0, 0, 1],
    ),
    "optimize._highspy._core": (program_of_highs, [[2.5, 1.5], -5.5]),
    "optimize._highspy._highs_options": (option_of_highs, [True, False]),
    "optimize._lbfgsb": (
        lambda: optimize.fmin_l_bfgs_b(lambda x: (x[0] ** 2, 2 * x), [3.0], bounds=[(1, 9)])[:2],
        [[1.0], 1.0],
    ),
    "optimize._lsap": (lambda: _lsap.linear_sum_assignment(np.array([[4, 1], [2, 9]])), [[0, 1], [1, 0]]),
    "optimize._lsq.givens_elimination": (eliminated, [5.0, 6.0]),
    "optimize._minpack": (lambda: optimize.leastsq(lambda x: x - [1, 2], [0, 0])[0], [1.0, 2.0]),
    "optimize._moduleTNC": (lambda: optimize.fmin_tnc(lambda x: (x[0] ** 2, 2 * x), [3.0], bounds=[(1, 9)])[0], [1.0]),
    "optimize._pava_pybind": (
        lambda: _pava_pybind.pava(floats(1, 3, 2), floats(1, 1, 1), np.full(4, -1, dtype=np.intp))[0],
        [1.0, 2.5, 2.5],
    ),
    "optimize._slsqplib": (lambda: _slsqplib.nnls(np.eye(2), floats(1, -1), 9)[:2], [[1.0, 0.0], 1.0]),
    "optimize._trlib._trlib": (
        lambda: (
            optimize.minimize(
                lambda x: x @ x / 2 - x.sum(),
                [0, 0],
                jac=lambda x: x - 1,
                hess=lambda _: np.eye(2),
                method="trust-krylov",
            ).x
        ),
        [1.0, 1.0],
    ),
    "optimize._zeros": (
        lambda: [
            getattr(optimize, name)(lambda x: x**3 - 8, 0, 5) for name in ("bisect", "brenth", "brentq", "ridder")
        ],
        [2.0] * 4,
    ),
    "optimize.cython_optimize._zeros": (
        lambda: [
            [round(root, 6) for root in cython_zeros.loop_example(name, (-8.0, -27.0), CUBE, 0, 5, 1e-9, 1e-9, 99)]
            for name in sorted(cython_zeros.EXAMPLES_MAP)
        ],
        [[2.0, 3.0]] * 4,
    ),
    # Each is that before it and the fourth before it, modulo 2.
    "signal._max_len_seq_inner": (lambda: signal.max_len_seq(4)[0], [1, 1, 1, 1, 0, 1, 0, 1, 1, 0, 0, 1, 0, 0, 0]),
    "signal._peak_finding_utils": (
        lambda: _peak_finding_utils._local_maxima_1d(floats(0, 1, 1, 1, 0)),
        [[2], [1], [3]],
    ),
    "signal._sigtools": (lambda: signal.convolve2d([[1, 2]], [[1], [1]]), [[1, 2], [1, 2]]),
    "signal._sosfilt": (lambda: signal.sosfilt([[1, 0, 0, 1, -0.5, 0]], [1, 0, 0]), [1.0, 0.5, 0.25]),
    "signal._spline": (
        lambda: _spline.sepfir2d(np.pad([[1.0]], 2), floats(1, 2, 1), floats(0, 1, 0))[2],
        [0.0, 1.0, 2.0, 1.0, 0.0],
    ),
    "signal._upfirdn_apply": (
        lambda: (_upfirdn_apply._pad_test(floats(1, 2, 3), 2, 1, "symmetric"), signal.upfirdn([1, 1], [1, 2], up=2)),
        [[2.0, 1.0, 1.0, 2.0, 3.0, 3.0], [1.0, 1.0, 2.0, 2.0]],
    ),
    "sparse._csparsetools": (
        lambda: [_csparsetools.lil_get1(1, 9, LIL.rows, LIL.data, 0, column) for column in (2, 3, 8)],
        [0.5, 0, 7.0],
    ),
    "sparse._sparsetools": (
        lambda: filled(
            _sparsetools.csr_matvec, 2, 2, ints(0, 1, 3), ints(1, 0, 1), floats(5, 1, 2), floats(1, 10), shape=2
        ),
        [50.0, 21.0],
    ),
    "sparse.csgraph._flow": (
        lambda: csgraph.maximum_flow(sparse.csr_array([[0, 3, 9], [0, 0, 2], [0, 0, 0]]), 0, 2).flow_value,
        11,
    ),
    "sparse.csgraph._matching": (
        lambda: _matching.maximum_bipartite_matching(sparse.csr_array([[1, 1], [1, 0]])),
        [1, 0],
    ),
    "sparse.csgraph._min_spanning_tree": (
        lambda: csgraph.minimum_spanning_tree([[0, 1, 5], [0, 0, 2], [0, 0, 0]]).toarray(),
        [[0.0, 1.0, 0.0], [0.0, 0.0, 2.0], [0.0, 0.0, 0.0]],
    ),
    "sparse.csgraph._reordering": (
        lambda: _reordering.structural_rank(sparse.csr_array([[1, 1, 0], [1, 1, 0], [0, 0, 0]])),
        2,
    ),
    "sparse.csgraph._shortest_path": (lambda: csgraph.johnson([[0, 1, 5], [0, 0, 2], [0, 0, 0]])[0], [0.0, 1.0, 3.0]),
    "sparse.csgraph._tools": (lambda: _tools.csgraph_from_dense([[0, 2], [3, 0]]).indices, [1, 0]),
    "sparse.csgraph._traversal": (
        lambda: _traversal.breadth_first_order(sparse.csr_array([[0, 1, 1], [0, 0, 0], [1, 0, 0]]), 2),
        [[2, 0, 1], [2, 0, -9999]],
    ),
    "sparse.linalg._dsolve._superlu": (
        lambda: splinalg.spsolve(sparse.csc_array([[2.0, 1], [0, 4]]), [4, 8]),
        [1.0, 2.0],
    ),
    "sparse.linalg._eigen.arpack._arpacklib": (lambda: lanczos("arpack"), [4.0, 5.0]),
    "sparse.linalg._propack": (lambda: lanczos("propack"), [4.0, 5.0]),
    "spatial._ckdtree": (lambda: _ckdtree.cKDTree(LINE).query([[9], [0.2]]), [[1.0, 0.2], [1, 0]]),
    "spatial._distance_pybind": (lambda: _distance_pybind.cdist_cityblock([[0, 0]], [[3, -4]]), [[7.0]]),
    "spatial._distance_wrap": (
        lambda: filled(
            _distance_wrap.cdist_cosine_double_wrap, np.array([[1.0, 0]]), np.array([[3.0, 4]]), shape=(1, 1)
        ),
        [[0.4]],
    ),
    "spatial._hausdorff": (
        lambda: _hausdorff.directed_hausdorff(np.zeros((1, 2)), np.array([[3.0, 4], [6, 8]]), 0),
        [5.0, 0, 0],
    ),
    "spatial._qhull": (lambda: _qhull.ConvexHull([[0, 0], [2, 0], [0, 2], [0.5, 0.5]]).volume, 2.0),
    "spatial._voronoi": (
        # The corners of an octahedron: each has an eighth, twice over, of the sphere's surface in its cell.
        lambda: spatial.SphericalVoronoi(np.concatenate([np.eye(3), -np.eye(3)])).calculate_areas(),
        [4 * math.pi / 6] * 6,
    ),
    "spatial.transform._rigid_transform_cy": (
        lambda: _rigid_transform_cy.inv(_rigid_transform_cy.from_translation(floats(1, 2, 3))[None])[0, :3, 3],
        [-1.0, -2.0, -3.0],
    ),
    "spatial.transform._rotation_cy": (
        lambda: _rotation_cy.apply(_rotation_cy.from_rotvec(np.array([[0, 0, math.pi / 2]])), np.array([[1.0, 0, 0]])),
        [[0.0, 1.0, 0.0]],
    ),
    "special._comb": (lambda: _comb._comb_int(70, 35), math.comb(70, 35)),
    "special._ellip_harm_2": (
        lambda: special.ellip_harm_2(5, 8, 0, 1, 10),
        by_gauss(lambda u: 1 / np.sqrt((1 - 8 * u * u) * (1 - 5 * u * u)), 0.1),
    ),
    "special._gufuncs": (lambda: special.legendre_p_all(3, 0.5)[0], [1.0, 0.5, -0.125, -0.4375]),
    "special._specfun": (
        lambda: (_specfun.bernob(4), _specfun.eulerb(4)),
        [[1.0, -0.5, 1 / 6, 0.0, -1 / 30], [1.0, 0.0, -1.0, 0.0, 5.0]],
    ),
    "special._special_ufuncs": (lambda: (_special_ufuncs.cbrt(27.0), _special_ufuncs.erf(1j - 1j)), [3.0, 0j]),
    "special._ufuncs": (lambda: (_ufuncs.expit(0.0), _ufuncs.hyp2f1(1, 1, 2, 0.5)), [0.5, 2 * math.log(2)]),
    # What is written in C++ with Boost is called by the other two, by a pointer.
    "special._ufuncs_cxx": (
        lambda: (_ufuncs._binom_pmf(2, 4, 0.5), cython_special.betainc(2.0, 1.0, 0.5)),
        [0.375, 0.25],
    ),
    "special.cython_special": (
        lambda: (cython_special.gamma(5.0), cython_special.erf(0j), cython_special.eval_legendre(2, 0.5)),
        [24.0, 0j, -0.125],
    ),
    # Of 3 and 4 numbers the three are 35 ways to stand.
    "stats._ansari_swilk_statistics": (lambda: sum(_ansari_swilk_statistics.gscale(3, 4)[1]), 35.0),
    "stats._biasedurn": (lambda: _biasedurn._PyFishersNCHypergeometric(3, 4, 10, 1.0, 1e-12).probability(2), 0.3),
    # V of Nolan's theorem 1 is (cos x / sin 1.5 x) ** 3 * cos(x / 2) / cos x.
    "stats._levy_stable.levyst": (lambda: levyst.Nolan(1.5, 0.0, 1.0).g(math.pi / 3), math.sqrt(3) / 8),
    # Sums of the definitions over the one number 0.5.
    "stats._qmc_cy": (
        lambda: [
            stats.qmc.discrepancy([[0.5]], method=name) ** (1 + (name[0] == "L"))
            for name in ("CD", "WD", "MD", "L2-star")
        ],
        [1 / 12, 1 / 6, 1 / 8, 1 / 12],
    ),
    "stats._qmvnt_cy": (
        # In three dimensions an eighth, and the arcs of the sines of the correlations by 4 pi.
        lambda: round(
            stats.multivariate_t([0] * 3, np.full((3, 3), 0.5) + np.eye(3) / 2, df=4).cdf([0] * 3, random_state=1), 3
        ),
        0.25,
    ),
    "stats._rcont.rcont": (
        lambda: [
            stats.random_table([3, 2], [1, 4]).rvs(5, method=name, random_state=1).sum(axis=2)[4]
            for name in ("boyett", "patefield")
        ],
        [[3.0, 2.0]] * 2,
    ),
    "stats._sobol": (lambda: [_sobol._test_low_0_bit(value) for value in (0, 1, 0b1011)], [1, 2, 3]),
    "stats._stats": (
        lambda: (_stats._kendall_dis(ints(1, 2, 3, 4), ints(1, 3, 2, 4)), stats.vonmises.cdf(0, 2)),
        [1, 0.5],
    ),
    "stats._unuran.unuran_wrapper": (
        lambda: round(float(unuran_wrapper.NumericalInversePolynomial(Triangle(), domain=(0, 1)).ppf(0.25)), 6),
        0.5,
    ),
}


@pytest.mark.filterwarnings("ignore:The occurrence of roundoff error")  # _ellip_harm_2 wants more than there is
@pytest.mark.parametrize("name", CALLS)
def test_each_module(name):
    assert importlib.import_module(f"scipy.{name}").__file__.endswith((".so", ".pyd"))
    call, expected = CALLS[name]
    assert same(found := plain(call()), expected), found
