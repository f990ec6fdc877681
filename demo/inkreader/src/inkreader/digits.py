"""Handwritten digits: from strokes to the 8 x 8 of the training data, and from the model's output to answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from inkreader import ink

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inkreader.engines import Model

SIDE = 8
BITMAP = 32
"""The data's digits are bitmaps of 32 x 32, counted in blocks of 4 x 4."""
GREEN = (60, 160, 0)


@dataclass(frozen=True, kw_only=True)
class Digit:
    """One digit and where it is: x, y, width, height in pixels of the whole picture."""

    label: int
    confidence: float
    box: tuple[int, int, int, int]


def read(found: ink.Ink, model: Model) -> list[Digit]:
    """Return the digits in ``found``."""
    boxes = ink.boxes(found)
    if not boxes:
        return []
    likely = probabilities(model.run(np.stack([patch(found, box) for box in boxes])))
    return [
        Digit(label=int(row.argmax()), confidence=round(float(row.max()), 4), box=box)
        for row, box in zip(likely, boxes, strict=True)
    ]


def patch(found: ink.Ink, box: tuple[int, int, int, int]) -> Any:
    """Return what is in ``box`` as the model takes it: float32, 1 x 8 x 8, 1 where all is ink."""
    x, y, width, height = box
    _, bitmap = cv2.threshold(found.grey[y : y + height, x : x + width], found.level, 1, cv2.THRESH_BINARY_INV)
    side = max(bitmap.shape)
    square = np.zeros((side, side), np.float32)
    top, left = (side - bitmap.shape[0]) // 2, (side - bitmap.shape[1]) // 2
    square[top : top + bitmap.shape[0], left : left + bitmap.shape[1]] = bitmap
    small = cv2.resize(square, (BITMAP, BITMAP), interpolation=cv2.INTER_AREA)
    return small.reshape(1, SIDE, BITMAP // SIDE, SIDE, BITMAP // SIDE).mean(axis=(2, 4))


def probabilities(logits: Any) -> Any:
    """Return the softmax of each row."""
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def draw(picture: Any, digits: Sequence[Digit]) -> Any:
    """Return ``picture`` with a box around each digit and the label above it."""
    drawn = picture.copy()
    size = picture.shape[0] / 540
    thick = max(1, round(2 * size))
    for digit in digits:
        x, y, width, height = digit.box
        cv2.rectangle(drawn, (x, y), (x + width, y + height), GREEN, thick)
        where = (x, y - 3 * thick if y > 30 * size else y + height + round(24 * size))
        cv2.putText(drawn, str(digit.label), where, cv2.FONT_HERSHEY_SIMPLEX, size, GREEN, thick, cv2.LINE_AA)
    return drawn
