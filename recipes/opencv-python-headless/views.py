"""What is computed, here and natively: inputs that are the same everywhere, and operations on them."""

from __future__ import annotations

import cv2
import numpy as np

CAMERA = np.array([[500.0, 0, 320], [0, 510, 240], [0, 0, 1]])


def random_bytes(*shape, seed=0):
    return np.random.RandomState(seed).randint(0, 256, shape).astype(np.uint8)


def landscape(height=180, width=260):
    """Return a BGR image: waves of three lengths, a bright ring, dark bars, and noise; the same bytes everywhere."""
    y, x = np.mgrid[0:height, 0:width].astype(float)
    image = np.stack(
        [127 + 100 * np.sin(x / 17), 127 + 90 * np.cos((x + 2 * y) / 23), 127 + 80 * np.sin(y / 9)], axis=-1
    )
    radius = np.hypot(x - width / 2, y - height / 2)
    image[(radius > 40) & (radius < 52)] = (230, 240, 250)
    image[height // 5 : height // 4, ::3] = (10, 20, 30)
    image += np.random.RandomState(17).randint(-9, 10, image.shape)
    return np.clip(image, 0, 255).astype(np.uint8)


def lightness():
    return landscape()[..., 1].copy()


def reals(rows=48, columns=75, seed=1):
    return np.random.RandomState(seed).normal(0, 5, (rows, columns)).astype(np.float32)


def well_conditioned(size, seed=2):
    return np.random.RandomState(seed).rand(size, size) + size * np.eye(size)


def turned_points():
    """Return points in space and where two cameras, the second turned and moved, see them: n x 3, n x 2, n x 2."""
    random = np.random.RandomState(31)
    body = random.uniform(-1, 1, (60, 3)) + np.array([0, 0, 6])
    first, _ = cv2.projectPoints(body, np.zeros(3), np.zeros(3), CAMERA, None)
    second, _ = cv2.projectPoints(body, TURN, SHIFT, CAMERA, None)
    return body, first.reshape(-1, 2), second.reshape(-1, 2)


TURN, SHIFT = np.array([0.05, -0.12, 0.02]), np.array([0.6, 0.05, -0.1])


def stereo_pair():
    """Return two grey views of a wall of texture whose middle is nearer: 12 pixels apart there, 4 elsewhere."""
    texture = cv2.GaussianBlur(random_bytes(120, 260, seed=8), (3, 3), 0)
    right = texture[:, :200].copy()
    left = np.roll(texture, 4, axis=1)[:, :200].copy()
    left[30:90, 60:140] = np.roll(texture, 12, axis=1)[30:90, 60:140]
    return left, right


def sequence():
    """Return what the network reads: 1 x 12 x 16, float32."""
    return np.random.RandomState(41).normal(size=(1, 12, 16)).astype(np.float32)


def operations():
    """Return name -> (function, tolerance): the largest difference from the native result that is not an error."""
    bgr, grey, f32 = landscape(), lightness(), reals()
    left, right = stereo_pair()
    tall = well_conditioned(40)[:, :9]
    half_turn = cv2.getRotationMatrix2D((130, 90), 33, 0.8)
    return {
        "resize linear": (lambda: cv2.resize(bgr, (333, 97)), 1),
        "resize exact": (lambda: cv2.resize(bgr, (333, 97), interpolation=cv2.INTER_LINEAR_EXACT), 0),
        "resize area": (lambda: cv2.resize(bgr, (65, 45), interpolation=cv2.INTER_AREA), 1),
        "resize lanczos": (lambda: cv2.resize(grey, (400, 311), interpolation=cv2.INTER_LANCZOS4), 1),
        "grey": (lambda: cv2.cvtColor(bgr, cv2.COLOR_BGR2GRAY), 1),
        "hls": (lambda: cv2.cvtColor(bgr, cv2.COLOR_BGR2HLS), 1),
        "luv": (lambda: cv2.cvtColor(bgr, cv2.COLOR_BGR2LUV), 1),
        "yuv 4:2:0": (lambda: cv2.cvtColor(bgr, cv2.COLOR_BGR2YUV_I420), 1),
        "gaussian": (lambda: cv2.GaussianBlur(bgr, (9, 5), 2), 1),
        "median": (lambda: cv2.medianBlur(bgr, 5), 0),
        "bilateral": (lambda: cv2.bilateralFilter(bgr, 5, 30, 30), 1),
        "separable": (lambda: cv2.sepFilter2D(f32, -1, np.array([1.0, 2, 1]), np.array([-1.0, 0, 1])), 1e-4),
        "sobel": (lambda: cv2.Sobel(grey, cv2.CV_32F, 1, 1, ksize=5), 0),
        "canny": (lambda: cv2.Canny(grey, 50, 120, L2gradient=True), 0),
        "closing": (lambda: cv2.morphologyEx(grey, cv2.MORPH_CLOSE, np.ones((3, 7), np.uint8)), 0),
        "clahe": (lambda: cv2.createCLAHE(3.0, (5, 5)).apply(grey), 1),
        "affine": (lambda: cv2.warpAffine(bgr, half_turn, (260, 180)), 3),
        "polar": (lambda: cv2.warpPolar(grey, (60, 90), (130, 90), 80, cv2.INTER_NEAREST), 0),
        "distance": (lambda: cv2.distanceTransform((grey > 99).astype(np.uint8), cv2.DIST_L1, 3), 0),
        "components": (lambda: cv2.connectedComponents((grey > 170).astype(np.uint8))[1], 0),
        "histogram": (lambda: cv2.calcHist([bgr], [0, 2], None, [8, 9], [0, 256, 0, 256]), 0),
        "dft": (lambda: cv2.dft(f32, flags=cv2.DFT_COMPLEX_OUTPUT), 1e-2),
        "product, large": (lambda: cv2.gemm(well_conditioned(130), well_conditioned(130, 3), 1, None, 0), 1e-8),
        "solve, large": (lambda: cv2.solve(well_conditioned(120), np.arange(120.0)[:, None])[1], 1e-9),
        "inverse, large": (lambda: cv2.invert(well_conditioned(120))[1], 1e-9),
        "solve by QR": (lambda: cv2.solve(tall, np.arange(40.0)[:, None], flags=cv2.DECOMP_QR)[1], 1e-9),
        "singular values": (lambda: cv2.SVDecomp(well_conditioned(60))[0], 1e-8),
        "eigenvalues": (lambda: np.sort(cv2.eigenNonSymmetric(well_conditioned(9))[0].ravel()), 1e-8),
        "stereo, block matching": (lambda: cv2.StereoBM.create(32, 11).compute(left, right), 0),
        "stereo, semi-global": (lambda: cv2.StereoSGBM.create(0, 32, 5).compute(left, right), 16),
        "optical flow": (lambda: cv2.DISOpticalFlow.create(0).calc(grey, np.roll(grey, 2, 1), None), 0.1),
        "denoise": (lambda: cv2.fastNlMeansDenoisingColored(bgr[:50, :60], h=8), 2),
        "template": (lambda: cv2.matchTemplate(bgr, bgr[20:50, 60:100], cv2.TM_CCORR_NORMED), 1e-3),
        "rounding": (lambda: cv2.add(f32, 0.0, dtype=cv2.CV_8S), 1),
        "log": (lambda: cv2.log(np.abs(f32) + 0.01), 1e-5),
        "unsigned integers": (lambda: cv2.multiply(*2 * [np.arange(0, 60000, 977, dtype=np.uint32)]), 0),
    }


def sample(result, limit=500):
    """Return at most ``limit`` evenly spaced values."""
    flat = np.ascontiguousarray(result).reshape(-1)
    return flat[:: max(1, -(-flat.size // limit))].copy()
