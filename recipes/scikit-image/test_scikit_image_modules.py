"""Each of scikit-image's compiled modules by a small call whose result follows by hand."""

from __future__ import annotations

import importlib
import math

import numpy as np
import pytest
from skimage import (
    data,
    draw,
    feature,
    filters,
    measure,
    morphology,
    restoration,
    segmentation,
    transform,
    util,
)
from skimage._shared import fast_exp, interpolation
from skimage.draw import _draw
from skimage.feature import (
    _canny_cy,
    _sift,
    _texture,
    brief_cy,
    censure_cy,
    orb_cy,
)
from skimage.filters import rank
from skimage.graph import _mcp, _ncut_cy, _spath, heap
from skimage.measure import _ccomp, _find_contours_cy, _moments_cy, _pnpoly
from skimage.morphology import _convex_hull, _skeletonize_various_cy
from skimage.segmentation import _felzenszwalb_cy

SQUARE = np.array([[0.0, 0], [0, 2], [2, 2], [2, 0]])
ROW = np.ones((1, 3), np.uint8)
HALVES = np.repeat([[0.0, 0, 0, 1, 1, 1]], 6, axis=0)
TURNS = np.linspace(0, 20, 27)  # never half a turn from one to the next


def plain(value):
    """Return ``value`` with lists in the place of arrays and of tuples."""
    if isinstance(value, (tuple, list)):
        return [plain(each) for each in value]
    return value.tolist() if hasattr(value, "tolist") else value


def same(found, expected):
    if isinstance(expected, list):
        return len(found) == len(expected) and all(map(same, found, expected))
    if isinstance(expected, float):
        return math.isclose(found, expected, rel_tol=1e-6, abs_tol=1e-6)
    return found == expected


def image(*rows, dtype=float):
    return np.array(rows, dtype=dtype)


def sorted_by_heap():
    numbers = heap.BinaryHeap(2)
    for reference, value in enumerate([3, 1, 2, 0.5]):
        numbers.push(value, reference)
    return [numbers.pop() for _ in range(4)]


def unwrapped(*shape):
    """Return what was lost by a phase that was wrapped and unwrapped, but for whole turns."""
    turns = np.broadcast_to(TURNS, (*shape, len(TURNS)))
    lost = restoration.unwrap_phase(np.angle(np.exp(1j * turns)), rng=1) - turns
    return np.ptp(lost), math.remainder(lost.flat[0], 2 * math.pi)


def corner():
    vertices, faces, _, _ = measure.marching_cubes(np.eye(1, 8).reshape(2, 2, 2), 0.5)
    return len(faces), measure.mesh_surface_area(vertices, faces)


def differences_of_boxes():
    # The sum over 5 x 5 ones is 25, of which 9 are inside.
    filtered = np.zeros((5, 5))
    censure_cy._censure_dob_loop(1, transform.integral_image(np.ones((5, 5))), filtered, 1 / 9, 1 / 16)
    return filtered[2, 2]


def compared():
    """Return what BRIEF writes of (1, 1) in an image that grows to the right: left with right, and right with left."""
    out, ramp = np.zeros((1, 2), np.uint8), np.outer(np.ones(3), np.arange(3.0))
    left, right = (np.array(each, dtype=np.int32) for each in ([[0, -1], [0, 1]], [[0, 1], [0, -1]]))
    brief_cy._brief_loop(ramp, out, np.array([[1, 1]], dtype=np.int64), left, right)
    return out


def haar_features():
    # Each row by itself, and both.
    sums = transform.integral_image(image([1, 2], [3, 5]))
    return sorted(abs(feature.haar_like_feature(sums, 0, 0, 2, 2, "type-2-x")))


def curvatures():
    """Return the signs of what is curved twice in one sense, in either sense, and once."""
    r, c = np.mgrid[-20.0:21, -20:21]
    return [np.sign(round(float(feature.hessian_matrix_det(f, 3)[20, 20]), 6)) for f in (r * r + c * c, r * c, r * r)]


def neighbours():
    counts = np.zeros((2, 2, 1, 1), np.uint32)
    _texture._glcm_loop(image([0, 1, 0, 1], dtype=np.uint8), np.array([1.0]), np.array([0.0]), 2, counts)
    return counts[:, :, 0, 0]


def cut():
    """Return what it costs to part two nodes, with an edge of weight 4 between them."""
    columns, starts = (np.array(each, dtype=np.int32) for each in ([1, 0], [0, 1, 2]))
    return _ncut_cy.cut_cost([True, False], image(4, 4), columns, starts, 2)


def back_projected():
    """Return the correlation of a disk with what is made of its projections."""
    disk, angles = np.zeros((24, 24)), np.arange(0.0, 180, 9)
    disk[draw.disk((12, 12), 7)] = 1
    again = transform.iradon_sart(transform.radon(disk, angles), angles)
    return float(np.corrcoef(again.ravel(), disk.ravel())[0, 1])


def faces(scale):
    """Return the middle of each face that the trained cascade finds."""
    cascade = feature.Cascade(data.lbp_frontal_face_cascade_filename())
    photograph = data.astronaut()[:220, 120:330]
    found = cascade.detect_multi_scale(photograph, scale, 1, (60, 60), (123, 123))
    return [(each["r"] + each["height"] / 2, 120 + each["c"] + each["width"] / 2) for each in found]


CALLS = {
    "_shared.fast_exp": (lambda: abs(fast_exp.fast_exp(1.0) - math.e) < 0.1, True),
    # It has no function for Python: _pnpoly calls it.
    "_shared.geometry": (lambda: measure.points_in_poly([[1, 1], [3, 1]], SQUARE), [True, False]),
    "_shared.interpolation": (
        lambda: [[interpolation.coord_map_py(5, at, mode) for at in (-2, 6)] for mode in ("wrap", "reflect", "edge")],
        [[3, 1], [2, 2], [0, 4]],
    ),
    # It has none either: the sums of rectangles are its.
    "_shared.transform": (lambda: feature.multiblock_lbp(transform.integral_image(np.ones((9, 9))), 0, 0, 3, 3), 255),
    "draw._draw": (lambda: _draw._line(0, 0, -3, 3), [[0, -1, -2, -3], [0, 1, 2, 3]]),
    "feature._canny_cy": (
        lambda: _canny_cy._nonmaximum_suppression_bilinear(
            np.zeros((3, 5)), np.ones((3, 5)), np.tile(image(1, 2, 4, 3, 1), (3, 1)), np.ones((3, 5), np.uint8)
        )[1],
        [0.0, 0.0, 4.0, 0.0, 0.0],
    ),
    "feature._cascade": (lambda: [abs(r - 115) < 30 and abs(c - 224) < 30 for r, c in faces(1.2)], [True]),
    "feature._haar": (haar_features, [1.0, 2.0, 3.0]),
    "feature._hessian_det_appx": (curvatures, [1.0, -1.0, 0.0]),
    "feature._hoghistogram": (
        lambda: feature.hog(np.tile(np.arange(16.0), (16, 1)), 4, (16, 16), (1, 1), block_norm="L2"),
        [1.0, 0.0, 0.0, 0.0],
    ),
    "feature._sift": (
        lambda: _sift._ori_distances(np.array([0.0, 2, 4]), np.array([1.0, 3.5])),
        [[1, 2], [1.0, 0.5]],
    ),
    "feature._texture": (neighbours, [[0, 2], [1, 0]]),
    "feature.brief_cy": (compared, [[1, 0]]),
    "feature.censure_cy": (differences_of_boxes, 0.0),
    "feature.corner_cy": (
        lambda: feature.corner_moravec(np.pad([[1.0]], 3))[1:4, 3],
        [0.0, 1.0, 2.0],
    ),
    "feature.orb_cy": (lambda: orb_cy._orb_loop(np.ones((99, 99)), np.array([[49, 49]]), np.array([0.5])).sum(), 0),
    "filters._multiotsu": (
        lambda: np.digitize([0, 5, 9], filters.threshold_multiotsu(np.repeat([[0, 5, 9]], 4, axis=0), 3), right=True),
        [0, 1, 2],
    ),
    "filters.rank.bilateral_cy": (
        lambda: rank.pop_bilateral(image([10, 12, 200, 13], dtype=np.uint8), ROW, s0=5, s1=5),
        [[2, 2, 1, 1]],
    ),
    "filters.rank.core_cy": (lambda: rank.percentile(image([9, 1, 5], dtype=np.uint8), ROW, p0=0.5)[0, 1], 5),
    "filters.rank.core_cy_3d": (
        lambda: rank.sum(np.ones((3, 3, 3), np.uint8), np.ones((3, 3, 3), np.uint8))[1],
        [[12, 18, 12], [18, 27, 18], [12, 18, 12]],
    ),
    "filters.rank.generic_cy": (lambda: rank.median(image([9, 1, 5, 7, 3], dtype=np.uint8), ROW)[0, 1:-1], [5, 5, 5]),
    "filters.rank.percentile_cy": (
        lambda: [rank.threshold_percentile(image([9, x, 5], dtype=np.uint8), ROW, p0=0.5)[0, 1] for x in (1, 7)],
        [0, 255],
    ),
    "graph._mcp": (
        lambda: _mcp.MCP(image([1, 9, 1], [1, 1, 1]), fully_connected=False).find_costs([[0, 0]])[0],
        [[1.0, 10.0, 5.0], [2.0, 3.0, 4.0]],
    ),
    "graph._ncut_cy": (lambda: (_ncut_cy.argmin2(np.array([3.0, 1, 2])), cut()), [2, 4.0]),
    "graph._spath": (lambda: _spath.MCP_Diff(image([5, 1, 2])).find_costs([[0, 0]])[0], [[0.0, 4.0, 5.0]]),
    "graph.heap": (sorted_by_heap, [[0.5, 3], [1.0, 1], [2.0, 2], [3.0, 0]]),
    "measure._ccomp": (
        lambda: _ccomp.label_cython(image([1, 0, 1], [0, 1, 0], dtype=int), connectivity=1),
        [[1, 0, 2], [0, 3, 0]],
    ),
    "measure._find_contours_cy": (
        lambda: sorted(plain(_find_contours_cy._get_contour_segments(image([0, 0], [1, 1]), 0.5, True, None)[0])),
        [[0.5, 0.0], [0.5, 1.0]],
    ),
    # One corner is cut off, in the middle of its edges.
    "measure._marching_cubes_lewiner_cy": (corner, [1, math.sqrt(3) / 8]),
    # Of the second order only: their sum, and the square of their difference.
    "measure._moments_cy": (
        lambda: _moments_cy.moments_hu(image([1, 0, 1, 0], [0, 0, 0, 0], [3, 0, 0, 0], [0, 0, 0, 0])),
        [4.0, 4.0, 0.0, 0.0, 0.0, 0.0, 0.0],
    ),
    # Outside, inside, a corner, an edge.
    "measure._pnpoly": (lambda: _pnpoly._grid_points_in_poly((2, 4), SQUARE), [[2, 3, 2, 0], [3, 1, 3, 0]]),
    "morphology._convex_hull": (
        lambda: {tuple(each) for each in plain(_convex_hull.possible_hull(np.ones((3, 3), np.uint8)))} - {(-1, -1)},
        {(r, c) for r in range(3) for c in range(3)} - {(1, 1)},
    ),
    "morphology._extrema_cy": (lambda: morphology.local_maxima([[1, 0, 2, 2, 1]]), [[True, False, True, True, False]]),
    "morphology._flood_fill_cy": (
        lambda: [morphology.flood(image([1, 2, 9, 1]), (0, 0), tolerance=tolerance) for tolerance in (None, 1)],
        [[[True, False, False, False]], [[True, True, False, False]]],
    ),
    "morphology._grayreconstruct": (
        lambda: morphology.reconstruction(image([0, 2, 0, 0]), image([1, 3, 1, 2])),
        [[1.0, 2.0, 1.0, 1.0]],
    ),
    "morphology._max_tree": (
        lambda: morphology.area_opening(np.pad(image([9, 0, 5, 5], dtype=int), 1), 2)[1],
        [0, 0, 0, 5, 5, 0],
    ),
    "morphology._misc_cy": (
        lambda: morphology.remove_objects_by_distance(image([1, 0, 2, 2, 0, 0, 0, 3], dtype=int), 3),
        [[0, 0, 2, 2, 0, 0, 0, 3]],
    ),
    "morphology._skeletonize_lee_cy": (
        lambda: morphology.skeletonize(np.pad(np.ones((1, 1, 3), bool), 1), method="lee").sum(axis=(0, 1)),
        [0, 1, 1, 1, 0],
    ),
    "morphology._skeletonize_various_cy": (
        lambda: _skeletonize_various_cy._table_lookup_index(image([0, 0, 0], [0, 1, 0], [0, 0, 0], dtype=np.uint8)),
        [[256, 128, 64], [32, 16, 8], [4, 2, 1]],
    ),
    "restoration._denoise_cy": (
        lambda: restoration.denoise_bilateral(np.full((3, 3), 0.25), win_size=3),
        [[0.25] * 3] * 3,
    ),
    "restoration._inpaint": (
        lambda: restoration.inpaint_biharmonic(np.add.outer(np.arange(7.0), np.arange(7)), np.pad([[True]], 3))[3, 3],
        6.0,
    ),
    "restoration._nl_means_denoising": (
        lambda: [
            restoration.denoise_nl_means(np.full((5,) * dimensions, 0.25), 3, 1, fast_mode=fast).mean()
            for dimensions, fast in ((2, False), (2, True), (3, False), (3, True), (4, True))
        ],
        [0.25] * 5,
    ),
    # On the top of the peak the ball is where its neighbours hold it.
    "restoration._rolling_ball_cy": (
        lambda: restoration.rolling_ball(image(2, 2, 9, 2, 2), radius=3),
        [2.0, 2.0, 5 - math.sqrt(8), 2.0, 2.0],
    ),
    "restoration._unwrap_1d": (unwrapped, [0.0, 0.0]),
    "restoration._unwrap_2d": (lambda: unwrapped(4), [0.0, 0.0]),
    "restoration._unwrap_3d": (lambda: unwrapped(3, 4), [0.0, 0.0]),
    "segmentation._felzenszwalb_cy": (
        lambda: _felzenszwalb_cy._felzenszwalb_cython(HALVES[..., None], 1, 0, 2)[0],
        [0, 0, 0, 1, 1, 1],
    ),
    "segmentation._quickshift_cy": (
        lambda: segmentation.quickshift(np.dstack([HALVES * 9] * 3), 1000, 1, max_dist=2, convert2lab=False, rng=1)[0],
        [0, 0, 0, 1, 1, 1],
    ),
    "segmentation._slic": (
        lambda: segmentation.slic(np.kron([[0.0, 1]], np.ones((12, 12))), 2, 0.01, channel_axis=None, start_label=0)[0],
        [0] * 12 + [1] * 12,
    ),
    "segmentation._watershed_cy": (
        lambda: segmentation.watershed(image([0, 1, 5, 1, 0]), image([1, 0, 0, 0, 2], dtype=int), watershed_line=True),
        [[1, 1, 0, 2, 2]],
    ),
    "transform._hough_transform": (
        lambda: sorted(
            transform.probabilistic_hough_line(np.pad(np.ones((1, 9)), 2), 3, 5, 1, np.array([math.pi / 2]), rng=1)[0]
        ),
        [[2, 2], [10, 2]],
    ),
    "transform._radon_transform": (lambda: back_projected() > 0.95, True),
    "transform._warps_cy": (
        lambda: transform.warp(image([1, 2, 3]), np.array([[1, 0, 0.5], [0, 1, 0], [0, 0, 1]]), mode="edge"),
        [[1.5, 2.5, 3.0]],
    ),
    "util._remap": (
        lambda: util.map_array(image(7, 8, 9, 7, dtype=int), image(7, 8, dtype=int), image(0.5, 2)),
        [0.5, 2.0, 0.0, 0.5],
    ),
}


@pytest.mark.parametrize("name", CALLS)
def test_each_module(name):
    assert importlib.import_module(f"skimage.{name}").__file__.endswith((".so", ".pyd"))
    call, expected = CALLS[name]
    assert same(found := plain(call()), expected), found
