"""OpenCV's modules hand each other objects through Python; numbers, arrays, errors and callbacks cross the border."""

from __future__ import annotations

import copy
import io
import math
import pickle
import struct
from pathlib import Path

import cv2
import numpy as np
import pytest

CLIP = Path(__file__).parent / "clip.mp4"
SIZES = 2 ** (8 * struct.calcsize("P"))  # how many numbers size_t has


@pytest.mark.parametrize(
    ("function", "value", "expected"),
    [
        ("dumpBool", True, "Bool: True"),
        ("dumpInt", 2**31 - 1, "Int: 2147483647"),
        ("dumpInt", -(2**31), "Int: -2147483648"),
        ("dumpInt64", -(2**63), "Int64: -9223372036854775808"),
        ("dumpSizeT", SIZES - 1, f"size_t: {SIZES - 1}"),
        ("dumpDouble", 0.1, "Double: 0.10"),
        ("dumpFloat", -2.5, "Float: -2.50"),
        ("dumpString", "Straße", "String: Straße"),
        ("dumpCString", "", "String: "),
        ("dumpRange", (1, 5), "range: (s=1, e=5)"),
        ("dumpRect", (1, -2, 3, 4), "rect: (x=1, y=-2, w=3, h=4)"),
        ("dumpTermCriteria", (1, 5, 0.5), "term_criteria: (type=1, max_count=5, epsilon=0.500000"),
        ("dumpVec2i", (7, -8), "Vec2i(7, -8)"),
        ("dumpVectorOfInt", [1, -2], "[1, -2]"),
        ("dumpVectorOfDouble", [0.5], "[0.50]"),
        ("dumpVectorOfRect", [(1, 2, 3, 4)], "[[x=1, y=2, w=3, h=4]]"),
    ],
)
def test_values_as_cpp_sees_them(function, value, expected):
    assert getattr(cv2.utils, function)(value) == expected


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: cv2.utils.dumpInt(2**31), (ValueError, OverflowError), "C int|C long"),
        (lambda: cv2.utils.dumpInt(1.5), TypeError, "required to be an integer"),
        (lambda: cv2.utils.dumpSizeT(SIZES), OverflowError, "size_t"),
        (lambda: cv2.utils.dumpSizeT(-1), OverflowError, "size_t"),
        (lambda: cv2.utils.dumpRect((1, 2, 3)), TypeError, "Expected sequence length 4"),
        (cv2.utils.testRaiseGeneralException, cv2.error, "exception text"),
        (lambda: cv2.utils.testAsyncException().get(), cv2.error, "Generated async error"),
        (lambda: cv2.blur(np.zeros((3, 3), object), (3, 3)), cv2.error, "data type|not supported"),
        (lambda: cv2.blur("no image", (3, 3)), cv2.error, "numpy array"),
        (lambda: cv2.add(np.zeros((2, 2)), np.zeros((3, 3))), cv2.error, "-209"),
        (lambda: cv2.invert(np.ones((2, 3))), cv2.error, "-215"),
        (lambda: cv2.Subdiv2D((0, 0, 9, 9)).insert((20, 20)), cv2.error, "-211"),
        (lambda: cv2.Octree.createWithDepth(-1, 1.0), cv2.error, "-215"),
        (
            lambda: cv2.StereoBM.create(32, 11).compute(np.zeros((9, 9), int), np.zeros((9, 9), int)),
            cv2.error,
            "OpenCV",
        ),
        (lambda: cv2.dnn.readNetFromONNX("/no/such/file.onnx"), cv2.error, "no/such/file"),
    ],
)
def test_errors_have_types_of_python(call, error, message):
    for _ in range(50):
        with pytest.raises(error, match=message):
            call()


def test_error_tells_where_it_comes_from():
    with pytest.raises(cv2.error) as caught:
        cv2.resize(np.zeros((2, 2), np.uint8), (0, 0))
    told = caught.value
    assert (told.code, told.func, told.err) == (cv2.Error.StsAssert, "resize", "inv_scale_x > 0")
    assert told.file.endswith("resize.cpp")
    assert copy.copy(told).args == pickle.loads(pickle.dumps(told)).args == told.args


def test_python_is_told_of_errors():
    seen = []
    cv2.redirectError(lambda *arguments: seen.append(arguments[:3]))
    try:
        for _ in range(3):
            with pytest.raises(cv2.error):
                cv2.resize(np.zeros((2, 2), np.uint8), (0, 0))
    finally:
        cv2.redirectError(None)
    assert seen == [(cv2.Error.StsAssert, "resize", "inv_scale_x > 0")] * 3


def test_what_has_no_copy_says_so():
    for value in (cv2.KeyPoint(1, 2, 3), cv2.DMatch(1, 2, 3.0), cv2.UMat(np.eye(2)), cv2.createCLAHE()):
        for again in (copy.copy, copy.deepcopy, pickle.dumps):
            with pytest.raises(TypeError, match="cannot pickle"):
                again(value)


@pytest.mark.parametrize(
    "array",
    [
        np.arange(48, dtype=np.uint8).reshape(6, 8)[::-1, ::-1],
        np.asfortranarray(np.arange(48.0).reshape(6, 8)),
        np.broadcast_to(np.arange(8, dtype=np.int16), (6, 8)),
        np.arange(480, dtype=np.float32).reshape(6, 80)[:, ::10],
        np.frombuffer(b"\0" + np.arange(48, dtype="<u2").tobytes(), "<u2", offset=1).reshape(6, 8),
    ],
)
def test_arrays_of_every_layout(array):
    assert cv2.flip(array, 1).tolist() == array[:, ::-1].tolist()
    assert cv2.add(array, array).tolist() == (2 * array.astype(float)).tolist()
    assert cv2.UMat(array).get().tolist() == array.tolist()
    assert cv2.UMat(cv2.UMat(array), (1, 3), (2, 4)).get().tolist() == array[1:3, 2:4].tolist()


def test_key_points_of_one_module_in_another():
    image = np.zeros((90, 120), np.uint8)
    for x, y in ((20, 20), (90, 25), (25, 60), (80, 70), (55, 40)):
        cv2.rectangle(image, (x, y), (x + 9, y + 9), 255, -1)
    corners = cv2.FastFeatureDetector_create(20).detect(cv2.GaussianBlur(image, (5, 5), 0))
    assert len(corners) == 5 * 4
    keys, descriptors = cv2.SIFT_create().compute(image, corners)
    matches = cv2.BFMatcher(cv2.NORM_L2).match(descriptors, descriptors)
    assert max(match.distance for match in matches) == 0
    moved = [cv2.KeyPoint(key.pt[0] + 5, key.pt[1] - 3, key.size) for key in keys]
    found, inside = cv2.findHomography(
        cv2.KeyPoint_convert([keys[match.queryIdx] for match in matches])[:, None],
        cv2.KeyPoint_convert([moved[match.queryIdx] for match in matches])[:, None],
    )
    assert found == pytest.approx(np.array([[1, 0, 5], [0, 1, -3], [0, 0, 1]]), abs=1e-4)
    assert inside.all()
    assert cv2.drawMatches(image, keys, image, keys, matches, None).shape == (90, 240, 3)


def test_shapes_of_one_function_in_another():
    # A square of side 10 on its corner: its box has the same corners, its circle the half of the diagonal.
    half = 10 / math.sqrt(2)
    points = np.array([[0, half], [half, 0], [0, -half], [-half, 0]], np.float32)
    box = cv2.minAreaRect(points)
    assert box[0] == pytest.approx((0, 0), abs=1e-4)
    assert sorted(box[1]) == pytest.approx([10, 10], abs=1e-3)
    corners = cv2.boxPoints(box)
    assert cv2.contourArea(corners) == pytest.approx(100, rel=1e-4)
    assert cv2.minEnclosingCircle(corners)[1] == pytest.approx(half, abs=1e-2)
    assert cv2.pointPolygonTest(corners, (0, 0), measureDist=True) == pytest.approx(5, abs=1e-3)
    kind, region = cv2.rotatedRectangleIntersection(box, ((0.0, 0.0), (4.0, 4.0), 0.0))
    assert kind == cv2.INTERSECT_FULL
    assert cv2.contourArea(cv2.convexHull(region)) == pytest.approx(16, rel=1e-3)


def test_boxes_that_overlap():
    boxes = [(0, 0, 10, 10), (1, 0, 10, 10), (30, 30, 5, 5), (0, 0, 10, 10)]
    kept = cv2.dnn.NMSBoxes(boxes, [0.9, 0.8, 0.7, 0.1], score_threshold=0.5, nms_threshold=0.5)
    assert np.ravel(kept).tolist() == [0, 2]


def test_components_and_distances():
    mean, vectors, values = cv2.PCACompute2(np.array([[-3.0, -3], [3, 3], [1, 1], [-1, -1]]), None)
    assert mean.tolist() == [[0, 0]]
    assert abs(vectors[0]) == pytest.approx([math.sqrt(0.5)] * 2)
    assert values.ravel() == pytest.approx([10, 0], abs=1e-9)
    assert cv2.Mahalanobis(np.array([3.0, 0]), np.zeros(2), np.diag([1 / 9, 1.0])) == pytest.approx(1)
    emd = cv2.EMD(np.array([[1, 0], [0, 5]], np.float32), np.array([[0, 0], [1, 5]], np.float32), cv2.DIST_L1)[0]
    assert emd == pytest.approx(5)


@pytest.mark.parametrize("shape", [(3, 3), (3, 1, 3)])
def test_points_in_space(tmp_path, shape):
    points = np.array([[0.1, 0.1, 0.1], [0.9, 0.9, 0.9], [0.1, 0.9, 0.1]], np.float32).reshape(shape)
    tree = cv2.Octree.createWithResolution(0.05, points)
    assert tree.isPointInBound((0.5, 0.5, 0.5))
    assert not tree.isPointInBound((5, 5, 5))
    near, distance = tree.KNNSearch((0.85, 0.9, 0.9), 1)
    assert near.ravel() == pytest.approx([0.9, 0.9, 0.9], abs=0.05)
    assert distance.ravel()[0] == pytest.approx(0.05**2, abs=0.005)
    path = str(tmp_path / "mesh.obj")
    cv2.saveMesh(path, points.reshape(3, 1, 3), [np.array([0, 1, 2], np.int32)])
    vertices, triangles = cv2.loadMesh(path)[:2]
    assert vertices.reshape(-1, 3) == pytest.approx(points.reshape(-1, 3), abs=1e-5)
    assert np.ravel(triangles).tolist() == [0, 1, 2]


def test_where_two_cameras_see_a_point():
    # The second camera stands one unit to the right of the first.
    first, second = np.eye(3, 4), np.array([[1.0, 0, 0, -1], [0, 1, 0, 0], [0, 0, 1, 0]])
    points = np.array([[0.5, 0.25, 2], [-1, 1, 4]])
    seen = [(camera @ np.c_[points, [1, 1]].T)[:2] / points[:, 2] for camera in (first, second)]
    found = cv2.triangulatePoints(first, second, *seen)
    assert cv2.convertPointsFromHomogeneous(found.T)[:, 0] == pytest.approx(points, abs=1e-6)
    turn = cv2.Rodrigues(np.array([0, 0, math.pi / 2]))[0]
    assert turn == pytest.approx(np.array([[0, -1, 0], [1, 0, 0], [0, 0, 1]]), abs=1e-9)
    both = cv2.composeRT(np.zeros(3), np.array([1.0, 2, 3]), np.array([0, 0, math.pi / 2]), np.zeros(3))[:2]
    assert both[1].ravel() == pytest.approx([-2, 1, 3], abs=1e-9)


@pytest.mark.parametrize("dtype", [np.uint32, bool])
def test_types_that_opencv_5_has(dtype):
    array = np.array([[0, 1, 1], [1, 0, 1]], dtype)
    assert cv2.flip(array, 1).tolist() == array[:, ::-1].tolist()
    assert cv2.flip(array, 1).dtype == array.dtype
    assert cv2.transpose(array).tolist() == array.T.tolist()
    if dtype is not bool:
        large = np.full((1, 2), np.iinfo(dtype).max, dtype)
        assert cv2.bitwise_xor(large, np.ones_like(large)).tolist() == [[np.iinfo(dtype).max - 1] * 2]


class Twice:
    """A layer that OpenCV's networks call."""

    calls = 0

    def __init__(self, _parameters, _blobs):
        pass

    def getMemoryShapes(self, inputs):
        return [inputs[0]]

    def forward(self, inputs):
        type(self).calls += 1
        return [inputs[0] * 2]


def message(*fields):
    """Return a message of Protocol Buffers: of numbers, text and messages, each less than 128 long."""
    data = b""
    for number, value in fields:
        if isinstance(value, int):
            data += bytes([number << 3, value])
        else:
            content = value.encode() if isinstance(value, str) else value
            data += bytes([number << 3 | 2, len(content)]) + content
    return data


def tensor(name):
    """Return onnx.proto's ValueInfoProto of 1 x 3 float32."""
    shape = message(*((1, message((1, size))) for size in (1, 3)))
    return message((1, name), (2, message((1, message((1, 1), (2, shape))))))


def network(kind):
    """Return a ModelProto with one node."""
    node = message((1, "x"), (2, "y"), (3, "node"), (4, kind))
    graph = message((1, node), (2, "graph"), (11, tensor("x")), (12, tensor("y")))
    return np.frombuffer(message((1, 7), (7, graph), (8, message((1, ""), (2, 13)))), np.uint8)


def test_a_layer_written_in_python():
    cv2.dnn_registerLayer("Twice", Twice)
    try:
        net = cv2.dnn.readNetFromONNX(network("Twice"))
        for i in range(5):
            net.setInput(np.array([[i, 2, 3.5]], np.float32))
            assert net.forward().tolist() == [[2 * i, 4, 7]]
        assert Twice.calls >= 5
    finally:
        cv2.dnn_unregisterLayer("Twice")
    with pytest.raises(cv2.error, match="Twice"):
        cv2.dnn.readNetFromONNX(network("Twice"))


def test_a_network_without_layers_of_python():
    net = cv2.dnn.readNetFromONNX(network("Neg"))
    net.setInput(np.array([[1, -2, 0.5]], np.float32))
    assert net.forward().tolist() == [[-1, 2, -0.5]]


def test_video_from_a_stream_of_python():
    class Stream(io.BytesIO):
        calls = 0

        def read(self, *arguments):
            Stream.calls += 1
            return super().read(*arguments)

    capture = cv2.VideoCapture(Stream(CLIP.read_bytes()), cv2.CAP_FFMPEG, [])
    levels = [capture.read()[1][:, :30].mean() for _ in range(12)]
    assert levels == pytest.approx([40 + 16 * i for i in range(12)], abs=3)
    assert Stream.calls > 0
    assert not cv2.VideoCapture(io.BytesIO(b"no video" * 100), cv2.CAP_FFMPEG, []).isOpened()
