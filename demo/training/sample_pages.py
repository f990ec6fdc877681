"""Makes pictures of pages with handwritten digits, from those that the models were not trained on.

    python demo/training/sample_pages.py            writes demo/samples/page.jpg, which the page of the demo offers

Needs what demo/training/train_models.py needs.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np

from train_models import digits_data

SAMPLE = Path(__file__).parents[1] / "samples" / "page.jpg"
HEIGHT, WIDTH = 1080, 1920
SIDES = (130, 210)
"""Pixels of a digit's longer side, from and to."""


def page(seed: int, count: int = 8) -> tuple[Any, list[int]]:
    """Return a photograph of a page (uint8, 1080 x 1920 x 3) and its ``count`` digits from the left."""
    random = np.random.default_rng(seed)
    _, pictures, _, labels = digits_data()
    chosen = random.choice(len(labels), count, replace=False)
    ink = np.zeros((HEIGHT, WIDTH), np.float32)
    step = (WIDTH - 160) // count
    for place, number in enumerate(chosen):
        side = int(random.integers(*SIDES))
        stroke = cv2.resize(pictures[number], (side, side), interpolation=cv2.INTER_CUBIC)
        stroke = (cv2.GaussianBlur(stroke, (0, 0), 3) > 0.42).astype(np.float32)
        x = 80 + place * step + int(random.integers(0, max(1, step - side)))
        y = int(random.integers(200, HEIGHT - 200 - side))
        ink[y : y + side, x : x + side] = stroke
    ink = cv2.GaussianBlur(ink, (0, 0), 1.5)
    v, u = np.mgrid[0:HEIGHT, 0:WIDTH] / np.array((HEIGHT, WIDTH)).reshape(2, 1, 1)
    light = 0.9 - 0.12 * (u - 0.5) - 0.1 * (v - 0.5)
    paper = light[..., np.newaxis] * np.array([225, 240, 248])
    colour = np.array([70, 45, 40])
    photograph = paper + ink[..., np.newaxis] * (colour - paper)
    return np.round(photograph).astype(np.uint8), [int(label) for label in labels[chosen]]


def encoded(seed: int, suffix: str = ".png") -> tuple[bytes, list[int]]:
    """Return the page of ``seed`` as a file, and its digits."""
    picture, labels = page(seed)
    quality = [cv2.IMWRITE_JPEG_QUALITY, 70] if suffix == ".jpg" else []
    return bytes(cv2.imencode(suffix, picture, quality)[1]), labels


if __name__ == "__main__":
    SAMPLE.write_bytes(encoded(3, ".jpg")[0])
