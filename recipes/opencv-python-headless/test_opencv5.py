"""OpenCV 5 computes what the published native wheel computes: reference.npz is made by make_reference.py."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from views import (
    CAMERA,
    SHIFT,
    TURN,
    landscape,
    lightness,
    operations,
    sample,
    sequence,
    turned_points,
    well_conditioned,
)

HERE = Path(__file__).parent
REFERENCE = np.load(HERE / "reference.npz")
OPERATIONS = operations()


def largest_difference(a, b):
    return float(np.abs(np.asarray(a, float) - np.asarray(b, float)).max())


def test_build():
    assert cv2.__version__ == "5.0.0"
    info = cv2.getBuildInformation()
    for line in ("Emscripten", "FFMPEG:                      YES", "WEBP:", "JPEG 2000:", "Flatbuffers:"):
        assert line in info
    assert cv2.getNumThreads() == 1


@pytest.mark.parametrize("name", OPERATIONS)
def test_same_as_native(name):
    function, tolerance = OPERATIONS[name]
    result = function()
    assert list(result.shape) == REFERENCE[f"{name}/shape"].tolist()
    mine, native = sample(result), REFERENCE[f"{name}/sample"]
    assert mine.dtype == native.dtype
    assert largest_difference(mine, native) <= tolerance
    assert abs(result.astype(float).mean() - float(REFERENCE[f"{name}/mean"])) <= max(tolerance, 1e-6)


@pytest.mark.parametrize("engine", [cv2.dnn.ENGINE_NEW, cv2.dnn.ENGINE_AUTO])
def test_network(engine):
    net = cv2.dnn.readNetFromONNX(str(HERE / "attention.onnx"), engine=engine)
    net.setInput(sequence())
    assert largest_difference(net.forward(), REFERENCE["net"]) < 1e-5
    net = cv2.dnn.readNetFromONNX(np.frombuffer((HERE / "attention.onnx").read_bytes(), np.uint8), engine=engine)
    net.setInput(sequence() * 0)
    assert net.forward().shape == (1, 7)


def test_damaged_networks():
    data = (HERE / "attention.onnx").read_bytes()
    for damaged in (b"no network", data[: len(data) // 2]):
        with pytest.raises(cv2.error):
            cv2.dnn.readNetFromONNX(np.frombuffer(damaged, np.uint8))


@pytest.mark.parametrize("method", ["SQPNP", "EPNP", "P3P", "ITERATIVE", "AP3P"])
def test_pose(method):
    body, first, _ = turned_points()
    count = 4 if "P3P" in method else len(body)
    solved, turn, shift = cv2.solvePnP(
        body[:count], first[:count], CAMERA, None, flags=getattr(cv2, f"SOLVEPNP_{method}")
    )
    assert solved
    assert turn.ravel() == pytest.approx([0, 0, 0], abs=1e-4)
    assert shift.ravel() == pytest.approx([0, 0, 0], abs=1e-3)


def test_pose_among_wrong_pairs():
    body, _, second = turned_points()
    second[::5] += 40
    solved, turn, shift, inliers = cv2.solvePnPRansac(body, second, CAMERA, None, flags=cv2.SOLVEPNP_EPNP)
    assert solved
    assert turn.ravel() == pytest.approx(TURN, abs=1e-3)
    assert shift.ravel() == pytest.approx(SHIFT, abs=1e-2)
    assert set(inliers.ravel()) == set(range(60)) - set(range(0, 60, 5))


@pytest.mark.parametrize("method", [cv2.RANSAC, cv2.USAC_DEFAULT, cv2.USAC_MAGSAC])
def test_two_views(method):
    _, first, second = turned_points()
    essential, _ = cv2.findEssentialMat(first, second, CAMERA, method=method, prob=0.999, threshold=1.0)
    count, rotation, direction, _ = cv2.recoverPose(essential, first, second, CAMERA)
    assert count == 60
    assert cv2.Rodrigues(rotation)[0].ravel() == pytest.approx(TURN, abs=2e-2)
    assert direction.ravel() == pytest.approx(SHIFT / np.linalg.norm(SHIFT), abs=5e-2)


def test_calibration():
    grid = np.zeros((35, 3), np.float32)
    grid[:, :2] = np.mgrid[0:7, 0:5].T.reshape(-1, 2)
    seen = []
    for i in range(7):
        turn = np.array([0.35 * np.cos(i), 0.25 * np.sin(2 * i), 0.1 * i])
        seen.append(cv2.projectPoints(grid, turn, np.array([-3.0, -2, 11 + i]), CAMERA, None)[0].astype(np.float32))
    error, camera, _, _, _ = cv2.calibrateCamera([grid] * 7, seen, (640, 480), None, None)
    assert error < 0.01
    assert camera[[0, 1], [0, 1]] == pytest.approx([500, 510], abs=1)


@pytest.mark.parametrize("suffix", [".png", ".tiff", ".webp", ".jpg", ".jp2", ".bmp", ".gif"])
def test_codecs(suffix, tmp_path):
    image = landscape()
    options = [cv2.IMWRITE_WEBP_QUALITY, 101] if suffix == ".webp" else []
    path = str(tmp_path / f"landscape{suffix}")
    assert cv2.imwrite(path, image, options)
    back = cv2.imread(path)
    if suffix in (".jpg", ".jp2", ".gif"):
        assert cv2.PSNR(back, image) > 20
    else:
        assert (back == image).all()
    data = cv2.imencode(suffix, image, options)[1]
    cut = cv2.imdecode(data[: data.size // 3], cv2.IMREAD_COLOR)
    assert cut is None or cut.shape == image.shape


@pytest.mark.parametrize("name", ["clip.mp4", "clip.webm"])
def test_video(name):
    capture = cv2.VideoCapture(str(HERE / name))
    assert capture.getBackendName() == "FFMPEG"
    levels = [capture.read()[1][:, :30].mean() for _ in range(12)]
    assert levels == pytest.approx([40 + 16 * i for i in range(12)], abs=3)
    assert not capture.read()[0]


def test_written_video(tmp_path):
    path = str(tmp_path / "made.avi")
    writer = cv2.VideoWriter(path, cv2.VideoWriter_fourcc(*"MJPG"), 10, (64, 48))
    for i in range(5):
        writer.write(np.full((48, 64, 3), 40 * i, np.uint8))
    writer.release()
    capture = cv2.VideoCapture(path)
    assert [capture.read()[1].mean() for _ in range(5)] == pytest.approx([40 * i for i in range(5)], abs=4)


@pytest.mark.parametrize("make", [cv2.ORB_create, cv2.SIFT_create])
def test_features_find_a_shift(make):
    image = cv2.GaussianBlur(np.random.RandomState(3).randint(0, 256, (200, 240)).astype(np.uint8), (0, 0), 2)
    image = cv2.normalize(image, None, 0, 255, cv2.NORM_MINMAX)
    keys_a, describe_a = make().detectAndCompute(image, None)
    keys_b, describe_b = make().detectAndCompute(np.roll(image, (4, 9), (0, 1)), None)
    norm = cv2.NORM_L2 if describe_a.dtype == np.float32 else cv2.NORM_HAMMING
    matches = cv2.BFMatcher(norm, crossCheck=True).match(describe_a, describe_b)
    assert len(matches) > 50
    shifts = np.array([np.subtract(keys_b[m.trainIdx].pt, keys_a[m.queryIdx].pt) for m in matches])
    assert np.median(shifts, axis=0) == pytest.approx((9, 4), abs=0.6)


def test_nearest_neighbours():
    points = np.random.RandomState(4).rand(400, 6).astype(np.float32)
    pairs = cv2.FlannBasedMatcher({"algorithm": 1, "trees": 4}, {"checks": 64}).knnMatch(points[:20], points, k=1)
    assert [pair[0].trainIdx for pair in pairs] == list(range(20))
    index = cv2.ANNIndex.create(6)
    index.addItems(points)
    index.build()
    found, distances = index.knnSearch(points[:20], 1)[:2]
    assert found.ravel().tolist() == list(range(20))
    assert distances.max() < 1e-6


def test_text_in_an_outline_font():
    canvas = np.zeros((60, 300, 3), np.uint8)
    for text in ("wheel", "Колесо"):
        canvas[:] = 0
        end = cv2.putText(canvas, text, (10, 40), (255, 255, 255), cv2.FontFace("sans"), 28)[0]
        assert 60 < end[0] < 140
        assert 200 < (canvas[..., 0] > 128).sum() < 1200


@pytest.mark.parametrize("dtype", ["I", "L"])
def test_unsigned_integers(dtype):
    """NumPy's types I and L; on wasm32 both have 32 bits, elsewhere only one has."""
    if np.dtype(dtype).itemsize != 4:
        pytest.skip("64 bits here")
    large = np.array([[2**32 - 1, 3]], dtype)
    assert cv2.add(large, large).ravel().tolist() == [2**32 - 1, 6]
    assert cv2.subtract(large, large // 2).ravel().tolist() == [2**31, 2]


def test_one_dimension():
    vector = np.arange(5, dtype=np.float32)
    assert cv2.add(vector, vector).shape == (5,)


@pytest.mark.parametrize("size", [99, 130])
def test_linear_equations(size):
    """Either way of OpenCV: its own code, and from 100 on LAPACK where it was built with it."""
    matrix = well_conditioned(size)
    right = np.arange(float(size))[:, None]
    for flag in (cv2.DECOMP_LU, cv2.DECOMP_QR, cv2.DECOMP_SVD):
        assert largest_difference(matrix @ cv2.solve(matrix, right, flags=flag)[1], right) < 1e-9
    square = matrix @ matrix.T
    assert largest_difference(square @ cv2.solve(square, right, flags=cv2.DECOMP_CHOLESKY)[1], right) < 1e-6
    assert cv2.determinant(matrix / size) == pytest.approx(np.linalg.det(matrix / size), rel=1e-9)


def test_codes_and_markers():
    code = cv2.QRCodeEncoder.create().encode("emwheels 5")
    code = cv2.resize(code, None, fx=6, fy=6, interpolation=cv2.INTER_NEAREST)
    code = cv2.copyMakeBorder(code, 40, 40, 40, 40, cv2.BORDER_CONSTANT, value=255)
    assert cv2.QRCodeDetector().detectAndDecode(code)[0] == "emwheels 5"
    dictionary = cv2.aruco.getPredefinedDictionary(cv2.aruco.DICT_5X5_50)
    marker = cv2.aruco.generateImageMarker(dictionary, 11, 140)
    marker = cv2.copyMakeBorder(marker, 30, 30, 30, 30, cv2.BORDER_CONSTANT, value=255)
    _, ids, _ = cv2.aruco.ArucoDetector(dictionary).detectMarkers(marker)
    assert ids.ravel().tolist() == [11]


def test_tracking_and_background():
    image = lightness()
    moved = np.roll(image, 3, 1)
    points = cv2.goodFeaturesToTrack(image, 40, 0.05, 8)
    there, status, _ = cv2.calcOpticalFlowPyrLK(image, moved, points, None)
    assert np.median((there - points)[status.ravel() == 1], axis=0).ravel() == pytest.approx((3, 0), abs=0.2)
    model = cv2.createBackgroundSubtractorKNN(detectShadows=False)
    for _ in range(20):
        model.apply(landscape())
    other = landscape()
    other[40:80, 40:80] = 255 - other[40:80, 40:80]
    mask = model.apply(other)
    assert (mask[45:75, 45:75] > 0).mean() > 0.8
    assert (mask[120:, 200:] > 0).mean() < 0.05


def test_stitching():
    wide = cv2.resize(np.random.RandomState(6).randint(0, 256, (60, 110, 3)).astype(np.uint8), (660, 360))
    focal = 600.0
    source = np.array([[focal, 0, 330], [0, focal, 180], [0, 0, 1]])
    target = np.array([[focal, 0, 160], [0, focal, 120], [0, 0, 1]])
    views = []
    for angle in (-0.11, 0.11):
        turn, _ = cv2.Rodrigues(np.array([0.0, angle, 0.0]))
        views.append(cv2.warpPerspective(wide, target @ turn @ np.linalg.inv(source), (320, 240)))
    status, joined = cv2.Stitcher.create(cv2.Stitcher_PANORAMA).stitch(views)
    assert status == cv2.Stitcher_OK
    assert 400 < joined.shape[1] < 520
    assert 200 < joined.shape[0] < 280


def test_point_clouds(tmp_path):
    points = np.random.RandomState(2).rand(50, 1, 3).astype(np.float32)
    path = str(tmp_path / "cloud.ply")
    cv2.savePointCloud(path, points)
    assert largest_difference(cv2.loadPointCloud(path)[0].reshape(-1, 3), points.reshape(-1, 3)) < 1e-5


def test_errors_are_python_exceptions():
    with pytest.raises(cv2.error, match=r"_src\.empty"):
        cv2.cvtColor(np.zeros((0, 0, 3), np.uint8), cv2.COLOR_BGR2GRAY)
    with pytest.raises(cv2.error):
        cv2.resize(landscape(), (0, 0))
    assert cv2.imdecode(np.zeros(100, np.uint8), cv2.IMREAD_COLOR) is None
    assert not cv2.VideoCapture("/nothing.mp4").isOpened()


def test_file_storage(tmp_path):
    path = str(tmp_path / "kept.json")
    storage = cv2.FileStorage(path, cv2.FILE_STORAGE_WRITE)
    storage.write("camera", CAMERA)
    storage.release()
    storage = cv2.FileStorage(path, cv2.FILE_STORAGE_READ)
    assert (storage.getNode("camera").mat() == CAMERA).all()
