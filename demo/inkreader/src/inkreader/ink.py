"""Finds ink: dark strokes on lighter paper."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

HEIGHT = 108
"""Rows of the small picture that is searched: a tenth of 1080."""
SMALLEST = 5
"""Rows, in the small picture, below which a stroke is taken for dirt."""


@dataclass(frozen=True, kw_only=True)
class Ink:
    """What was found in a picture."""

    grey: Any
    """The whole picture: uint8, height x width."""
    small: Any
    """The same, `HEIGHT` rows: a tenth of a picture of 1080 rows."""
    mask: Any
    """Where there is ink in ``small``: 255, elsewhere 0."""
    level: float
    """The grey level below which there is ink."""
    contours: tuple[Any, ...]
    """Borders in ``small``, outer ones and holes: int32, points x 1 x 2 (x, y)."""
    hierarchy: Any
    """For each contour: next, previous, first child, parent; -1 where there is none (int32, contours x 4)."""


def find(picture: Any) -> Ink:
    """Return the ink in ``picture``: uint8, height x width x 3."""
    grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
    small = shrink(grey)
    level, mask = cv2.threshold(small, 0, 255, cv2.THRESH_BINARY_INV | cv2.THRESH_OTSU)
    contours, hierarchy = outline(mask)
    return Ink(grey=grey, small=small, mask=mask, level=level, contours=contours, hierarchy=hierarchy)


def shrink(grey: Any) -> Any:
    """Return ``grey`` with `HEIGHT` rows."""
    height, width = grey.shape
    return cv2.resize(grey, (max(1, round(width * HEIGHT / height)), HEIGHT), interpolation=cv2.INTER_AREA)


def outline(mask: Any) -> tuple[tuple[Any, ...], Any]:
    """Return contours and hierarchy of ``mask``, both as in `Ink`."""
    contours, hierarchy = cv2.findContours(mask, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    return tuple(contours), np.empty((0, 4), np.int32) if hierarchy is None else hierarchy[0]


def boxes(ink: Ink) -> list[tuple[int, int, int, int]]:
    """Return x, y, width and height of each stroke in the whole picture, in reading order of their left edges.

    Strokes that touch the border are shadow or table, not ink on the page; what has fewer than `SMALLEST` rows is dirt.
    """
    rows, columns = ink.mask.shape
    found = []
    for contour, (_, _, _, parent) in zip(ink.contours, ink.hierarchy, strict=True):
        x, y, width, height = cv2.boundingRect(contour)
        inside = x > 0 and y > 0 and x + width < columns and y + height < rows
        if parent < 0 and inside and height >= SMALLEST:
            found.append((x, y, width, height))
    scale = ink.grey.shape[0] / rows
    return [tuple(round(side * scale) for side in box) for box in sorted(found)]
