"""The pre- and post-processing that opencv.js is compared with: in the page by `cv2` of our wheel, and natively."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

try:
    from pyodide.ffi import to_js
except ImportError:  # native

    def to_js(value: Any) -> Any:
        return value


cv2.setNumThreads(1)


def pixels_of(buffer: Any, height: int, width: int) -> Any:
    """Return a JsBuffer, or bytes, as an array: one copy out of JavaScript's memory, none of bytes."""
    data = buffer.to_bytes() if hasattr(buffer, "to_bytes") else buffer
    return np.frombuffer(data, np.uint8).reshape(height, width, -1)


def before(buffer: Any) -> Any:
    """Return the contours of 1080 x 1920 x 3 pixels, blue first: a list of flat lists of x, y."""
    grey = cv2.cvtColor(pixels_of(buffer, 1080, 1920), cv2.COLOR_BGR2GRAY)
    small = cv2.resize(grey, (192, 108), interpolation=cv2.INTER_AREA)
    _, mask = cv2.threshold(small, 0, 255, cv2.THRESH_BINARY_INV | cv2.THRESH_OTSU)
    contours, _ = cv2.findContours(mask, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    return to_js([contour.ravel().tolist() for contour in contours])


def after(buffer: Any) -> Any:
    """Return a grey ramp of 108 x 192 enlarged and drawn on: 1080 x 1920 x 3."""
    large = cv2.resize(pixels_of(buffer, 108, 192), (1920, 1080), interpolation=cv2.INTER_LINEAR)
    drawn = cv2.cvtColor(large, cv2.COLOR_GRAY2BGR)
    cv2.rectangle(drawn, (100, 100), (400, 300), (0, 160, 60), 4)
    return to_js(drawn.ravel())
