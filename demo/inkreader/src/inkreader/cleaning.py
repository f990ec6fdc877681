"""Cleans the picture of a page: a model says for each pixel how likely it is ink, whatever the light was like."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from inkreader import ink

if TYPE_CHECKING:
    from inkreader.engines import Model

RED = (40, 40, 220)


@dataclass(frozen=True, kw_only=True)
class Cleaned:
    """The model's answer, of the size of `ink.Ink.small`."""

    likely: Any
    """How likely each pixel is ink: float32, 0 to 1."""
    contours: tuple[Any, ...]
    """Borders of what is ink, as in `ink.Ink`."""


def clean(found: ink.Ink, model: Model) -> Cleaned:
    """Return where ``model`` sees ink."""
    batch = found.small.astype(np.float32)[np.newaxis, np.newaxis] / 255
    likely = model.run(batch)[0, 0]
    contours, _ = ink.outline((likely > 0.5).astype(np.uint8) * 255)
    return Cleaned(likely=likely, contours=contours)


def draw(picture: Any, cleaned: Cleaned) -> Any:
    """Return a page of the size of ``picture``: white paper, black ink, its borders in red."""
    height, width = picture.shape[:2]
    paper = np.round((1 - cleaned.likely) * 255).astype(np.uint8)
    page = cv2.cvtColor(cv2.resize(paper, (width, height), interpolation=cv2.INTER_LINEAR), cv2.COLOR_GRAY2BGR)
    rows, columns = cleaned.likely.shape
    scale = np.array([width / columns, height / rows])
    borders = [np.round((contour + 0.5) * scale).astype(np.int32) for contour in cleaned.contours]
    cv2.drawContours(page, borders, -1, RED, max(1, height // 540))
    return page
