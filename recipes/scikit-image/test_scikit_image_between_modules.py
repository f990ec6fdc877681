"""What scikit-image's modules hand to each other and to Python: objects, copies, callbacks and errors."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
from skimage import data, feature, measure, transform, util
from skimage.feature import _sift, orb_cy
from skimage.filters import rank
from skimage.graph import _mcp, heap
from skimage.measure import _ccomp

AGAIN = [copy.copy, copy.deepcopy, lambda value: pickle.loads(pickle.dumps(value))]
SQUARE = np.array([[0.0, 0], [0, 2], [2, 2], [2, 0]])


def image(*rows, dtype=float):
    return np.array(rows, dtype=dtype)


class OwnError(Exception):
    pass


def fails(*_arguments, **_options):
    raise OwnError("from Python")


def test_a_path_is_told_to_python():
    class Path(_mcp.MCP_Flexible):
        def travel_cost(self, old_cost, new_cost, offset_length):
            return old_cost + new_cost + offset_length

        def goal_reached(self, index, cumcost):
            seen.append((index, cumcost))
            return 2 if cumcost > 9 else 0

    seen = []
    costs, _ = Path(image([1, 2, 3, 4, 5]), fully_connected=False).find_costs([[0, 0]])
    # Each step is the sum of its ends, and 1; after the second it is over 9.
    assert costs.tolist() == [[1, 5, 11, np.inf, np.inf]]
    assert seen == [(0, 1), (1, 5), (2, 11)]


def test_fronts_meet():
    class Meeting(_mcp.MCP_Connect):
        def create_connection(self, *connection):
            met.append(connection)

    met = []
    Meeting(np.ones((1, 6)), fully_connected=False).find_costs([[0, 0], [0, 5]])
    assert {(min(a, b), max(a, b)) for a, b, *_ in met} == {(0, 1)}
    assert {tuple(sorted((one[1], other[1]))) for _, _, one, other, *_ in met} == {(2, 3)}


def test_the_heap_of_one_module_is_that_of_the_other():
    costs = heap.FastUpdateBinaryHeap(4, 9)
    for reference, value in ((3, 5.0), (9, 1.0), (0, 3.0)):
        costs.push(value, reference)
    assert costs.push_if_lower(2.0, 3) == 1
    assert costs.push_if_lower(7.0, 3) == 0
    assert (costs.min_val(), costs.value_of(3)) == (1.0, 2.0)
    assert [costs.pop() for _ in range(3)] == [(1.0, 9), (2.0, 3), (3.0, 0)]
    with pytest.raises(IndexError, match="empty"):
        costs.pop()
    with pytest.raises(ValueError, match="reference"):
        costs.push(1.0, 99)


@pytest.mark.parametrize("again", AGAIN)
def test_copies(again):
    square = np.pad(np.ones((4, 4), int), 2)
    (region,) = measure.regionprops(square)
    assert again(region).area == 16
    matrix = again(transform.AffineTransform(translation=(3, 2)))
    assert matrix(np.array([[1.0, 1]])).tolist() == [[4, 3]]
    piecewise = transform.PiecewiseAffineTransform.from_estimate(SQUARE, SQUARE * 2)
    assert np.allclose(again(piecewise)(np.array([[1.0, 0.5]])), [[2, 1]])
    detector = feature.ORB(n_keypoints=20)
    detector.detect_and_extract(data.camera()[:256, :256])
    assert np.array_equal(again(detector).descriptors, detector.descriptors)
    assert type(again(util._map_array.ArrayMap(np.array([1]), np.array([5])))[np.array([1])]) is np.ndarray


@pytest.mark.parametrize("again", AGAIN)
def test_what_is_only_in_c_cannot_be_copied(again):
    for value in (heap.BinaryHeap(), feature.Cascade(data.lbp_frontal_face_cascade_filename())):
        with pytest.raises(TypeError, match=r"no default __reduce__|cannot be converted to a Python object"):
            again(value)


@pytest.mark.parametrize(
    "call",
    [
        lambda: type("Path", (_mcp.MCP_Flexible,), {"travel_cost": fails})(np.ones((2, 2))).find_costs([[0, 0]]),
        lambda: type("Path", (_mcp.MCP,), {"goal_reached": fails})(np.ones((2, 2))).find_costs([[0, 0]]),
        lambda: transform.warp(np.ones((3, 3)), fails),
        lambda: feature.Cascade(type("File", (), {"read": fails})()),
    ],
)
def test_errors_in_callbacks_arrive_unchanged(call):
    for _ in range(5):
        with pytest.raises(OwnError, match="from Python"):
            call()


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: _mcp.MCP(np.ones((2, 2))).find_costs([[5, 5]]), ValueError, "start points must all be within"),
        (lambda: _mcp.MCP(np.array([["a"]])), TypeError, "cannot cast costs array"),
        (lambda: _mcp.MCP_Geometric(np.ones((2, 2)), offsets=[[2, 2]]), ValueError, "must be 0, 1, or -1"),
        (lambda: feature.Cascade("nothing.xml"), OSError, "nothing.xml"),
        (lambda: _ccomp.label_cython(np.ones((2, 2), int), connectivity=5), ValueError, "Connectivity"),
        (lambda: measure.marching_cubes(np.ones((2, 2, 2)), 5), ValueError, "Surface level must be within"),
        (lambda: measure.find_contours(np.ones((1, 1))), ValueError, "at least 2x2"),
        (
            lambda: rank.mean(np.ones((3, 3, 3, 3), np.uint8), np.ones((3, 3, 3, 3))),
            ValueError,
            "must have 2 or 3 dimensions",
        ),
        (lambda: _sift._ori_distances(np.zeros(3), np.zeros(3, np.float32)), ValueError, "Buffer dtype mismatch"),
        (lambda: orb_cy._orb_loop(np.ones(9), np.ones((1, 2)), np.ones(1)), TypeError, "No matching signature"),
        (lambda: util.map_array(np.ones(2), np.ones(2), np.ones(2)), TypeError, "should be integer"),
        (lambda: _mcp.MCP(image(1, np.inf, 1)).traceback([0, 2]), Exception, "must be run before"),
    ],
)
def test_errors_of_the_modules(call, error, message):
    for _ in range(5):
        with pytest.raises(error, match=message):
            call()
