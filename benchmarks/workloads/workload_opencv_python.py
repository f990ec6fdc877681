"""13 operations of OpenCV on an image of 1920 x 1080."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable


def cases() -> dict[str, Callable[[], object]]:
    """Return name -> a function without arguments."""
    cv2.setNumThreads(1)
    height, width = 1080, 1920
    y, x = np.mgrid[0:height, 0:width]
    image = np.empty((height, width, 3), np.uint8)
    image[..., 0] = x * 255 // width
    image[..., 1] = y * 255 // height
    image[..., 2] = ((x // 32 + y // 32) % 2) * 120 + 60
    noise = np.random.RandomState(7).randint(-12, 13, image.shape)
    image = np.clip(image.astype(np.int16) + noise, 0, 255).astype(np.uint8)
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    binary = cv2.threshold(cv2.GaussianBlur(grey, (9, 9), 2), 120, 255, cv2.THRESH_BINARY)[1]
    kernel = np.random.RandomState(2).rand(5, 5).astype(np.float32)
    kernel /= kernel.sum()
    spectrum = grey[:1024, :1024].astype(np.float32)
    jpeg = cv2.imencode(".jpg", image)[1]
    half = (width // 2, height // 2)
    return {
        "resize nearest": lambda: cv2.resize(image, half, interpolation=cv2.INTER_NEAREST),
        "resize linear": lambda: cv2.resize(image, (1280, 720), interpolation=cv2.INTER_LINEAR),
        "resize area": lambda: cv2.resize(image, half, interpolation=cv2.INTER_AREA),
        "cvtColor grey": lambda: cv2.cvtColor(image, cv2.COLOR_BGR2GRAY),
        "GaussianBlur 7": lambda: cv2.GaussianBlur(image, (7, 7), 1.5),
        "medianBlur 5": lambda: cv2.medianBlur(image, 5),
        "Canny": lambda: cv2.Canny(grey, 60, 150),
        "threshold": lambda: cv2.threshold(grey, 120, 255, cv2.THRESH_BINARY),
        "filter2D 5x5": lambda: cv2.filter2D(image, -1, kernel),
        "findContours": lambda: cv2.findContours(binary, cv2.RETR_TREE, cv2.CHAIN_APPROX_SIMPLE),
        "imencode jpg": lambda: cv2.imencode(".jpg", image),
        "imdecode jpg": lambda: cv2.imdecode(jpeg, cv2.IMREAD_COLOR),
        "dft 1024": lambda: cv2.dft(spectrum),
    }
