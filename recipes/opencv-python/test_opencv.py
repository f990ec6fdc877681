"""OpenCV computes what the published native wheel computes: reference.npz is made by make_reference.py."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from scene import floats, grey, matrix, net_inputs, operations, panorama, photo, sample, shapes

HERE = Path(__file__).parent
REFERENCE = np.load(HERE / "reference.npz")
OPERATIONS = operations()


def largest_difference(a, b):
    return float(np.abs(np.asarray(a, float) - np.asarray(b, float)).max())


def test_build():
    assert cv2.__version__ == "4.14.0"
    info = cv2.getBuildInformation()
    for line in ("Emscripten", "FFMPEG:                      YES", "JPEG:", "WEBP:", "TIFF:", "JPEG 2000:"):
        assert line in info
    assert cv2.getNumThreads() == 1
    assert "SIMD128" in cv2.getCPUFeaturesLine() or cv2.useOptimized()


@pytest.mark.parametrize("name", OPERATIONS)
def test_same_as_native(name):
    function, tolerance = OPERATIONS[name]
    result = function()
    assert list(result.shape) == REFERENCE[f"{name}/shape"].tolist()
    mine, native = sample(result), REFERENCE[f"{name}/sample"]
    assert mine.dtype == native.dtype
    assert largest_difference(mine, native) <= tolerance
    assert abs(result.astype(float).mean() - float(REFERENCE[f"{name}/mean"])) <= max(tolerance, 1e-6)


def test_rounding_of_negative_numbers():
    values = np.array([[-2.5, -1.7, -1.5, -0.6, -0.5, 0.5, 1.5, 1.7, 2.5] * 5], np.float32)
    expected = np.array([-2, -2, -2, -1, 0, 0, 2, 2, 2] * 5)
    for kind in (cv2.CV_16S, cv2.CV_32S, cv2.CV_8S):
        assert cv2.add(values, 0.0, dtype=kind).ravel().tolist() == expected.tolist()
        assert cv2.add(values.astype(np.float64), 0.0, dtype=kind).ravel().tolist() == expected.tolist()


def test_saturation_of_every_integer_type():
    big = np.full((3, 37), 1e6, np.float32)
    for dtype, kind in ((np.uint8, 0), (np.int8, 1), (np.uint16, 2), (np.int16, 3)):
        limits = np.iinfo(dtype)
        assert (cv2.add(big, 0.0, dtype=kind) == limits.max).all()
        assert (cv2.add(-big, 0.0, dtype=kind) == limits.min).all()
    wide = np.full((3, 37), -(2**31), np.int32)
    assert (cv2.add(wide, 0.0, dtype=cv2.CV_16S) == -(2**15)).all()


@pytest.mark.parametrize("code", ["BGR2GRAY", "RGB2GRAY", "BGRA2GRAY", "RGBA2GRAY"])
def test_grey_of_every_width(code):
    channels = 4 if "A2" in code else 3
    for width in (*range(1, 50), 640):
        image = np.random.default_rng(width).integers(0, 256, (5, width, channels), np.uint8)
        image[0] = 255
        first, green, third = (image[..., channel].astype(int) for channel in range(3))
        blue, red = (first, third) if code.startswith("BGR") else (third, first)
        expected = (3735 * blue + 19235 * green + 9798 * red + (1 << 14)) >> 15
        assert (cv2.cvtColor(image, getattr(cv2, f"COLOR_{code}")) == expected).all()


@pytest.mark.parametrize("size", [1, 2, 4, 5, 8, 12, 16, 30, 32, 60, 64, 128, 240, 256, 512, 1000, 1024, 4096])
def test_transform_of_every_kind_of_size(size):
    values = np.random.default_rng(size).normal(size=(3, size, 2)).astype(np.float32)
    plain = values[..., 0] + 1j * values[..., 1]
    for flags, expected in (
        (cv2.DFT_ROWS, np.fft.fft(plain)),
        (cv2.DFT_ROWS | cv2.DFT_INVERSE | cv2.DFT_SCALE, np.fft.ifft(plain)),
        (0, np.fft.fft2(plain)),
    ):
        result = cv2.dft(values, flags=flags)
        assert largest_difference(result[..., 0], expected.real) <= 1e-6 * size + 1e-5
        assert largest_difference(result[..., 1], expected.imag) <= 1e-6 * size + 1e-5


def test_contours():
    contours, hierarchy = cv2.findContours(shapes(), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    assert len(contours) == 4
    found = sorted((cv2.boundingRect(contour), cv2.contourArea(contour)) for contour in contours)
    assert found == [((10, 10, 50, 40), 1911.0), ((20, 70, 30, 40), 1131.0), *found[2:]]
    holes = [i for i in range(4) if hierarchy[0][i][3] >= 0]
    assert len(holes) == 1
    assert cv2.boundingRect(contours[holes[0]]) == (24, 19, 22, 22)


def test_moments_and_fitting():
    points = np.array([[10, 10], [60, 12], [58, 50], [8, 47]], np.float32)
    hull = cv2.convexHull(points)
    assert cv2.contourArea(hull) == 1880.0
    moments = cv2.moments(points)
    assert moments["m10"] / moments["m00"] == pytest.approx(34.11, abs=0.01)
    circle = cv2.minEnclosingCircle(np.array([[0, 0], [4, 0], [2, 2]], np.float32))
    assert circle[0] == pytest.approx((2, 0), abs=1e-3)


@pytest.mark.parametrize(("suffix", "options", "least"), [
    (".png", [], np.inf),
    (".bmp", [], np.inf),
    (".tiff", [], np.inf),
    (".ppm", [], np.inf),
    (".webp", [cv2.IMWRITE_WEBP_QUALITY, 101], np.inf),
    (".webp", [cv2.IMWRITE_WEBP_QUALITY, 80], 28),
    (".jpg", [cv2.IMWRITE_JPEG_QUALITY, 95], 27),
    (".jp2", [cv2.IMWRITE_JPEG2000_COMPRESSION_X1000, 500], 28),
])  # fmt: skip
def test_codecs(suffix, options, least, tmp_path):
    image = photo()
    done, data = cv2.imencode(suffix, image, options)
    assert done
    assert data.size > 1000
    back = cv2.imdecode(data, cv2.IMREAD_COLOR)
    if np.isinf(least):
        assert (back == image).all()
    else:
        assert cv2.PSNR(back, image) > least
    path = str(tmp_path / f"photo{suffix}")
    assert cv2.imwrite(path, image, options)
    assert (cv2.imread(path) == back).all()


def test_deep_images():
    deep = (np.arange(64 * 48).reshape(48, 64) * 21).astype(np.uint16)
    for suffix in (".png", ".tiff", ".jp2"):
        done, data = cv2.imencode(suffix, deep)
        assert done
        assert (cv2.imdecode(data, cv2.IMREAD_UNCHANGED) == deep).all()
    done, data = cv2.imencode(".tiff", floats())
    assert (cv2.imdecode(data, cv2.IMREAD_UNCHANGED) == floats()).all()


def test_alpha():
    image = np.dstack([photo(), grey()])
    for suffix in (".png", ".webp"):
        options = [cv2.IMWRITE_WEBP_QUALITY, 101] if suffix == ".webp" else []
        back = cv2.imdecode(cv2.imencode(suffix, image, options)[1], cv2.IMREAD_UNCHANGED)
        assert back.shape == image.shape
        assert (back[..., 3] == image[..., 3]).all()


def test_damaged_images():
    for suffix in (".png", ".jpg", ".webp", ".tiff", ".jp2"):
        data = cv2.imencode(suffix, photo())[1]
        cut = cv2.imdecode(data[: data.size // 3], cv2.IMREAD_COLOR)
        assert cut is None or cut.shape == photo().shape
    assert cv2.imdecode(np.zeros(100, np.uint8), cv2.IMREAD_COLOR) is None


def test_errors_are_python_exceptions():
    with pytest.raises(cv2.error, match=r"_src\.empty"):
        cv2.cvtColor(np.zeros((0, 0, 3), np.uint8), cv2.COLOR_BGR2GRAY)
    with pytest.raises(cv2.error):
        cv2.resize(photo(), (0, 0))
    with pytest.raises(cv2.error):
        cv2.dnn.readNetFromONNX(np.frombuffer(b"not a network", np.uint8))


def test_network():
    net = cv2.dnn.readNetFromONNX(str(HERE / "tiny.onnx"))
    for name, blob in net_inputs().items():
        net.setInput(blob)
        output = net.forward()
        assert output.sum() == pytest.approx(1)
        assert largest_difference(output, REFERENCE[f"net/{name}"]) < 1e-5


def test_network_from_memory():
    data = np.frombuffer((HERE / "tiny.onnx").read_bytes(), np.uint8)
    net = cv2.dnn.readNetFromONNX(data)
    net.setInput(net_inputs()["noise"])
    assert largest_difference(net.forward(), REFERENCE["net/noise"]) < 1e-5


@pytest.mark.parametrize("name", ["clip.mp4", "clip.webm", "clip.avi"])
def test_video(name):
    capture = cv2.VideoCapture(str(HERE / name))
    assert capture.isOpened()
    assert capture.getBackendName() == "FFMPEG"
    assert capture.get(cv2.CAP_PROP_FRAME_COUNT) == 12
    assert capture.get(cv2.CAP_PROP_FPS) == pytest.approx(12)
    for i in range(12):
        read, frame = capture.read()
        assert read
        assert frame.shape == (48, 64, 3)
        assert frame[:, :30].mean() == pytest.approx(40 + 16 * i, abs=3)
        assert frame[20:28, 44:52].mean() > 235
    assert not capture.read()[0]
    capture.set(cv2.CAP_PROP_POS_FRAMES, 6)
    assert capture.read()[1][:, :30].mean() == pytest.approx(40 + 16 * 6, abs=3)
    capture.release()


@pytest.mark.parametrize(("name", "code"), [("made.avi", "MJPG"), ("made.mp4", "mp4v")])
def test_written_video(name, code, tmp_path):
    path = str(tmp_path / name)
    writer = cv2.VideoWriter(path, cv2.VideoWriter_fourcc(*code), 10, (64, 48))
    assert writer.isOpened()
    for i in range(6):
        writer.write(np.full((48, 64, 3), 30 + 30 * i, np.uint8))
    writer.release()
    capture = cv2.VideoCapture(path)
    levels = [capture.read()[1].mean() for _ in range(6)]
    assert levels == pytest.approx([30 + 30 * i for i in range(6)], abs=4)


def test_no_video():
    assert not cv2.VideoCapture("/nothing.mp4").isOpened()
    assert not cv2.VideoCapture(str(HERE / "tiny.onnx")).isOpened()


@pytest.mark.parametrize("make", [cv2.ORB_create, cv2.SIFT_create, cv2.AKAZE_create, cv2.BRISK_create])
def test_features_find_a_shift(make):
    image = cv2.cvtColor(panorama()[0], cv2.COLOR_BGR2GRAY)
    moved = np.roll(image, (3, 7), (0, 1))
    detector = make()
    keys_a, describe_a = detector.detectAndCompute(image, None)
    keys_b, describe_b = detector.detectAndCompute(moved, None)
    norm = cv2.NORM_L2 if describe_a.dtype == np.float32 else cv2.NORM_HAMMING
    matches = cv2.BFMatcher(norm, crossCheck=True).match(describe_a, describe_b)
    assert len(matches) > 30
    shifts = np.array([np.subtract(keys_b[m.trainIdx].pt, keys_a[m.queryIdx].pt) for m in matches])
    assert np.median(shifts, axis=0) == pytest.approx((7, 3), abs=0.6)


def test_flann():
    points = np.random.RandomState(4).rand(500, 8).astype(np.float32)
    pairs = cv2.FlannBasedMatcher({"algorithm": 1, "trees": 4}, {"checks": 64}).knnMatch(points[:20], points, k=1)
    assert [pair[0].trainIdx for pair in pairs] == list(range(20))


def test_homography_and_pose():
    random = np.random.RandomState(6)
    points = random.rand(40, 2) * 300
    truth = np.array([[1.1, 0.05, 10], [-0.03, 0.95, 5], [1e-4, -5e-5, 1]])
    moved = cv2.perspectiveTransform(points[None], truth)[0]
    moved[:8] += random.rand(8, 2) * 80
    found, inliers = cv2.findHomography(points, moved, cv2.RANSAC, 2.0)
    assert largest_difference(found, truth) < 1e-3
    assert inliers[8:].all()
    body = random.rand(12, 3)
    camera = np.array([[500.0, 0, 320], [0, 500, 240], [0, 0, 1]])
    rotation, translation = np.array([0.1, -0.2, 0.3]), np.array([0.2, -0.1, 4.0])
    seen, _ = cv2.projectPoints(body, rotation, translation, camera, None)
    solved, turn, shift = cv2.solvePnP(body, seen, camera, None)
    assert solved
    assert turn.ravel() == pytest.approx(rotation, abs=1e-4)
    assert shift.ravel() == pytest.approx(translation, abs=1e-3)


def test_calibration():
    grid = np.zeros((54, 3), np.float32)
    grid[:, :2] = np.mgrid[0:9, 0:6].T.reshape(-1, 2)
    camera = np.array([[420.0, 0, 160], [0, 420, 120], [0, 0, 1]])
    seen = []
    for i in range(8):
        turn = np.array([0.3 * np.sin(i), 0.3 * np.cos(i), 0.05 * i])
        points, _ = cv2.projectPoints(grid, turn, np.array([-4.0, -2.5, 14.0 + i]), camera, None)
        seen.append(points.astype(np.float32))
    error, found, _, _, _ = cv2.calibrateCamera([grid] * 8, seen, (320, 240), None, None)
    assert error < 0.01
    assert found[0, 0] == pytest.approx(420, abs=1)


def test_stitching():
    status, panorama_image = cv2.Stitcher.create(cv2.Stitcher_PANORAMA).stitch(panorama())
    assert status == cv2.Stitcher_OK
    height, width = REFERENCE["panorama/shape"][:2]
    assert panorama_image.shape[0] == pytest.approx(height, abs=6)
    assert panorama_image.shape[1] == pytest.approx(width, abs=6)


def test_learning():
    random = np.random.RandomState(8)
    points = np.vstack([random.randn(60, 2) + 3, random.randn(60, 2) - 3]).astype(np.float32)
    labels = np.repeat([0, 1], 60).astype(np.int32)
    svm = cv2.ml.SVM_create()
    svm.setKernel(cv2.ml.SVM_RBF)
    svm.train(points, cv2.ml.ROW_SAMPLE, labels)
    assert (svm.predict(points)[1].ravel() == labels).mean() > 0.98
    forest = cv2.ml.RTrees_create()
    forest.train(points, cv2.ml.ROW_SAMPLE, labels)
    assert (forest.predict(points)[1].ravel() == labels).mean() > 0.98
    _, clusters, centres = cv2.kmeans(points, 2, None, (3, 20, 0.1), 3, cv2.KMEANS_PP_CENTERS)
    assert sorted(centres[:, 0].round().tolist()) == [-3, 3]
    assert clusters.shape == (120, 1)


def test_codes_and_markers():
    encoder = cv2.QRCodeEncoder.create()
    code = cv2.resize(encoder.encode("emwheels 42"), None, fx=6, fy=6, interpolation=cv2.INTER_NEAREST)
    code = cv2.copyMakeBorder(code, 40, 40, 40, 40, cv2.BORDER_CONSTANT, value=255)
    assert cv2.QRCodeDetector().detectAndDecode(code)[0] == "emwheels 42"
    dictionary = cv2.aruco.getPredefinedDictionary(cv2.aruco.DICT_4X4_50)
    marker = cv2.aruco.generateImageMarker(dictionary, 23, 120)
    marker = cv2.copyMakeBorder(marker, 30, 30, 30, 30, cv2.BORDER_CONSTANT, value=255)
    corners, ids, _ = cv2.aruco.ArucoDetector(dictionary).detectMarkers(marker)
    assert ids.tolist() == [[23]]
    assert corners[0][0][0] == pytest.approx((30, 30), abs=1.5)


def test_cascades_are_in_the_wheel():
    cascade = cv2.CascadeClassifier(cv2.data.haarcascades + "haarcascade_frontalface_default.xml")
    assert not cascade.empty()
    assert len(cascade.detectMultiScale(grey())) == 0


def test_tracking_and_background():
    frames = [np.roll(panorama()[0], 3 * i, 1) for i in range(4)]
    points = cv2.goodFeaturesToTrack(cv2.cvtColor(frames[0], cv2.COLOR_BGR2GRAY), 40, 0.05, 8)
    moved, status, _ = cv2.calcOpticalFlowPyrLK(frames[0], frames[1], points, None)
    shift = np.median((moved - points)[status.ravel() == 1], axis=0)
    assert shift.ravel() == pytest.approx((3, 0), abs=0.2)
    model = cv2.createBackgroundSubtractorMOG2(detectShadows=False)
    still = photo()
    for _ in range(20):
        model.apply(still)
    other = still.copy()
    other[40:80, 40:80] = 255 - other[40:80, 40:80]
    mask = model.apply(other)
    assert (mask[45:75, 45:75] > 0).mean() > 0.8
    assert (mask[150:, 200:] > 0).mean() < 0.05


def test_drawing_and_text():
    canvas = np.zeros((80, 200), np.uint8)
    cv2.putText(canvas, "wheel", (5, 50), cv2.FONT_HERSHEY_SIMPLEX, 1.5, 255, 2, cv2.LINE_AA)
    assert 1500 < (canvas > 0).sum() < 4500
    cv2.line(canvas, (0, 0), (199, 79), 128, 3)
    assert canvas[40, 100] == 128


def test_file_storage(tmp_path):
    path = str(tmp_path / "kept.yml.gz")
    storage = cv2.FileStorage(path, cv2.FILE_STORAGE_WRITE)
    storage.write("matrix", matrix())
    storage.write("text", "a b")
    storage.release()
    storage = cv2.FileStorage(path, cv2.FILE_STORAGE_READ)
    assert (storage.getNode("matrix").mat() == matrix()).all()
    assert storage.getNode("text").string() == "a b"


def test_arrays_share_memory():
    image = np.zeros((20, 20), np.uint8)
    cv2.circle(image, (10, 10), 4, 9, -1)
    assert image[10, 10] == 9
    part = photo()[10:100:2, ::3]
    with_copy = cv2.blur(np.ascontiguousarray(part), (3, 3))
    assert (cv2.blur(part, (3, 3)) == with_copy).all()


def test_large_image():
    image = np.zeros((6000, 8000), np.uint8)
    image[5999, 7999] = 200
    small = cv2.resize(image, (800, 600), interpolation=cv2.INTER_AREA)
    assert small[-1, -1] == 2
    assert small[:-1].max() == 0
