"""Reads handwritten digits in a picture, or cleans the picture of a page."""

from __future__ import annotations

from inkreader.engines import ENGINES, ModelError
from inkreader.pictures import PictureError
from inkreader.reader import TASKS, Answer, read

__all__ = ["ENGINES", "TASKS", "Answer", "ModelError", "PictureError", "read"]
