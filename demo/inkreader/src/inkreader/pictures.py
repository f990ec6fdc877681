"""Encoded pictures to pixels and back."""

from __future__ import annotations

import os
from typing import Any

MAX_PIXELS = 50_000_000
"""A picture of three bytes each: 150 MB, of which a few copies fit into the 4 GB that WebAssembly can address."""

# OpenCV reads this once, when it is loaded: it then refuses before it has taken the memory.
os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(MAX_PIXELS))

import cv2  # noqa: E402
import numpy as np  # noqa: E402


class PictureError(Exception):
    """What was given is no picture, or too large a one. The text is for the person who gave it."""


def decode(data: bytes) -> Any:
    """Return the pixels of an encoded picture: uint8, height x width x 3, blue first. Raises `PictureError`."""
    if not data:
        raise PictureError("The file is empty.")
    try:
        picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error as error:
        if "CV_IO_MAX_IMAGE" in str(error):
            raise _too_large() from error
        raise PictureError(f"The picture cannot be read: {error.err}") from error
    if picture is None:
        raise PictureError("This file is not a picture that can be read. Try a PNG, JPEG, WebP, BMP or TIFF file.")
    if picture.shape[0] * picture.shape[1] > MAX_PIXELS:
        raise _too_large()
    return picture


def _too_large() -> PictureError:
    return PictureError(f"The picture is too large: more than {MAX_PIXELS // 1_000_000} million pixels.")


def encode(picture: Any) -> bytes:
    """Return ``picture`` as a PNG file."""
    _, data = cv2.imencode(".png", picture, [cv2.IMWRITE_PNG_COMPRESSION, 1])
    return bytes(data)
