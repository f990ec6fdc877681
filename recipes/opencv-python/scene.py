"""What is computed, here and natively: inputs that are the same everywhere, and operations on them."""

from __future__ import annotations

import cv2
import numpy as np


def photo(height=240, width=320):
    """Return a BGR image with edges, gradients, texture and noise; the same bytes everywhere."""
    y, x = np.mgrid[0:height, 0:width]
    image = np.empty((height, width, 3), np.uint8)
    image[..., 0] = (x * 255) // width
    image[..., 1] = (y * 255) // height
    image[..., 2] = ((x // 16 + y // 16) % 2) * 120 + 60
    disk = (x - width // 3) ** 2 + (y - height // 2) ** 2 < (height // 4) ** 2
    image[disk] = (40, 90, 220)
    image[height // 8 : height // 3, width * 5 // 8 : width * 7 // 8] = (200, 220, 30)
    noise = np.random.RandomState(7).randint(-12, 13, image.shape)
    return np.clip(image.astype(int) + noise, 0, 255).astype(np.uint8)


def shapes():
    """Return a binary image of three filled shapes, one with a hole."""
    image = np.zeros((120, 160), np.uint8)
    image[10:50, 10:60] = 255
    image[20:40, 25:45] = 0
    image[70:110, 20:50] = 255
    for i in range(40):
        image[60 + i, 90 : 91 + i] = 255
    return image


def grey(image=None):
    return cv2.cvtColor(photo() if image is None else image, cv2.COLOR_BGR2GRAY)


def signed():
    return np.random.RandomState(3).randint(-30000, 30000, (50, 67)).astype(np.int16)


def floats():
    return (np.random.RandomState(5).rand(64, 61) * 7 - 3.5).astype(np.float32)


def matrix():
    return np.random.RandomState(11).rand(24, 24) + np.eye(24)


def warp():
    return np.array([[0.9, 0.2, 12.0], [-0.15, 1.1, 5.0]])


def operations():
    """Return name -> (function, tolerance): the largest difference from the native result that is not an error."""
    bgr, grey8, f32 = photo(), grey(), floats()
    kernel = np.random.RandomState(2).rand(5, 5).astype(np.float32)
    kernel /= kernel.sum()
    flow = {"pyr_scale": 0.5, "levels": 2, "winsize": 15, "iterations": 2, "poly_n": 5, "poly_sigma": 1.2, "flags": 0}
    return {
        "resize nearest": (lambda: cv2.resize(bgr, (200, 150), interpolation=cv2.INTER_NEAREST), 0),
        "resize linear": (lambda: cv2.resize(bgr, (211, 133), interpolation=cv2.INTER_LINEAR), 1),
        "resize area": (lambda: cv2.resize(bgr, (160, 120), interpolation=cv2.INTER_AREA), 1),
        "resize cubic": (lambda: cv2.resize(grey8, (500, 333), interpolation=cv2.INTER_CUBIC), 1),
        "grey": (lambda: cv2.cvtColor(bgr, cv2.COLOR_BGR2GRAY), 1),
        "hsv": (lambda: cv2.cvtColor(bgr, cv2.COLOR_BGR2HSV), 1),
        "lab": (lambda: cv2.cvtColor(bgr, cv2.COLOR_BGR2LAB), 1),
        "yuv": (lambda: cv2.cvtColor(bgr, cv2.COLOR_BGR2YUV), 1),
        "gaussian": (lambda: cv2.GaussianBlur(bgr, (7, 7), 1.5), 1),
        "gaussian f32": (lambda: cv2.GaussianBlur(f32, (7, 7), 1.5), 1e-5),
        "box": (lambda: cv2.blur(bgr, (5, 3)), 1),
        "median 3": (lambda: cv2.medianBlur(bgr, 3), 0),
        "median 5": (lambda: cv2.medianBlur(bgr, 5), 0),
        "median 9": (lambda: cv2.medianBlur(grey8, 9), 0),
        "bilateral": (lambda: cv2.bilateralFilter(grey8, 7, 40, 40), 1),
        "filter2D": (lambda: cv2.filter2D(bgr, -1, kernel), 1),
        "sobel": (lambda: cv2.Sobel(grey8, cv2.CV_16S, 1, 0), 0),
        "scharr f32": (lambda: cv2.Scharr(grey8, cv2.CV_32F, 0, 1), 0),
        "laplacian": (lambda: cv2.Laplacian(grey8, cv2.CV_16S, ksize=3), 0),
        "threshold": (lambda: cv2.threshold(grey8, 120, 255, cv2.THRESH_BINARY)[1], 0),
        "threshold otsu": (lambda: cv2.threshold(grey8, 0, 255, cv2.THRESH_OTSU)[1], 0),
        "adaptive": (lambda: cv2.adaptiveThreshold(grey8, 255, 1, 0, 11, 3), 0),
        "erode": (lambda: cv2.erode(bgr, np.ones((3, 5), np.uint8)), 0),
        "gradient": (lambda: cv2.morphologyEx(grey8, cv2.MORPH_GRADIENT, np.ones((5, 5), np.uint8)), 0),
        "canny": (lambda: cv2.Canny(grey8, 60, 150), 0),
        "histogram": (lambda: cv2.calcHist([grey8], [0], None, [32], [0, 256]), 0),
        "equalise": (lambda: cv2.equalizeHist(grey8), 0),
        "integral": (lambda: cv2.integral(grey8), 0),
        "pyramid": (lambda: cv2.pyrUp(cv2.pyrDown(bgr)), 1),
        "affine": (lambda: cv2.warpAffine(bgr, warp(), (320, 240)), 2),
        "distance": (lambda: cv2.distanceTransform(255 - shapes(), cv2.DIST_L2, 5), 1e-3),
        "components": (lambda: cv2.connectedComponents(shapes())[1], 0),
        "dft": (lambda: cv2.dft(f32, flags=cv2.DFT_COMPLEX_OUTPUT), 2e-3),
        "idct": (lambda: cv2.idct(f32[:64, :60]), 1e-4),
        "gemm": (lambda: cv2.gemm(matrix(), matrix(), 0.5, matrix(), 2.0), 1e-10),
        "inverse": (lambda: cv2.invert(matrix())[1], 1e-9),
        "svd": (lambda: cv2.SVDecomp(matrix())[0], 1e-9),
        "eigen": (lambda: cv2.eigen(matrix() + matrix().T)[1], 1e-9),
        "to int, negative": (lambda: cv2.convertScaleAbs(f32, alpha=20.0), 1),
        "round, negative": (lambda: cv2.add(f32 * 9, 0.0, dtype=cv2.CV_16S), 1),
        "saturating": (lambda: cv2.add(signed(), signed() // 2), 0),
        "multiply": (lambda: cv2.multiply(bgr, bgr, scale=0.02), 1),
        "absdiff": (lambda: cv2.absdiff(bgr, np.roll(bgr, 3, 1)), 0),
        "min and max": (lambda: np.array(cv2.minMaxLoc(signed())[:2]), 0),
        "reduce": (lambda: cv2.reduce(bgr, 0, cv2.REDUCE_SUM, dtype=cv2.CV_32S), 0),
        "norms": (lambda: np.array([cv2.norm(bgr, kind) for kind in (cv2.NORM_L1, cv2.NORM_L2, cv2.NORM_INF)]), 1e-6),
        "exp": (lambda: cv2.exp(f32), 1e-4),
        "log": (lambda: cv2.log(np.abs(f32) + 0.1), 1e-5),
        "polar": (lambda: np.stack(cv2.cartToPolar(f32, f32.T[:61, :61].repeat(2, 0)[:64])), 1e-2),
        "lookup": (lambda: cv2.LUT(bgr, np.arange(255, -1, -1, dtype=np.uint8)), 0),
        "farneback": (lambda: cv2.calcOpticalFlowFarneback(grey8, np.roll(grey8, 2, 1), None, **flow), 0.05),
        "inpaint": (lambda: cv2.inpaint(grey8[:60, :80], shapes()[:60, :80], 3, cv2.INPAINT_TELEA), 2),
        "denoise": (lambda: cv2.fastNlMeansDenoising(grey8[:60, :80], h=10), 1),
        "template": (lambda: cv2.matchTemplate(grey8, grey8[50:80, 60:100], cv2.TM_CCOEFF_NORMED), 1e-3),
        "watershed": (lambda: watershed(bgr), 0),
    }


def watershed(image):
    markers = np.zeros(image.shape[:2], np.int32)
    markers[5:10, 5:10] = 1
    markers[120, 107] = 2
    markers[50, 240] = 3
    return cv2.watershed(image, markers)


def sample(result, limit=600):
    """Return at most ``limit`` evenly spaced values."""
    flat = np.ascontiguousarray(result).reshape(-1)
    return flat[:: max(1, -(-flat.size // limit))].copy()


def panorama():
    """Return two overlapping views of one plane, seen by a camera that turned."""
    random = np.random.RandomState(21)
    wide = np.full((400, 700, 3), 90, np.uint8)
    for _ in range(260):
        x, y, size = random.randint(0, 700), random.randint(0, 400), random.randint(6, 34)
        colour = tuple(int(value) for value in random.randint(0, 255, 3))
        if random.randint(2):
            cv2.rectangle(wide, (x, y), (x + size, y + size), colour, -1)
        else:
            cv2.circle(wide, (x, y), size // 2, colour, -1)
    focal = 600.0
    intrinsic = np.array([[focal, 0, 160], [0, focal, 120], [0, 0, 1]])
    source = np.array([[focal, 0, 350], [0, focal, 200], [0, 0, 1]])
    views = []
    for angle in (-0.11, 0.11):
        turn, _ = cv2.Rodrigues(np.array([0.0, angle, 0.0]))
        homography = intrinsic @ turn @ np.linalg.inv(source)
        views.append(cv2.warpPerspective(wide, homography, (320, 240), flags=cv2.INTER_LINEAR))
    return views


def net_inputs():
    """Return name -> a batch of one for the network."""
    image = photo()
    mean = (104, 117, 123)
    return {
        "whole": cv2.dnn.blobFromImage(image, 1 / 255, (32, 32), mean, swapRB=True),
        "cropped": cv2.dnn.blobFromImage(image, 1 / 64, (32, 32), mean, swapRB=False, crop=True),
        "noise": np.random.RandomState(9).randn(1, 3, 32, 32).astype(np.float32),
    }
