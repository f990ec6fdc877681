"""The whole way from an encoded picture to an answer and a drawn picture, timed by stage."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from inkreader import cleaning, digits, ink, pictures
from inkreader.engines import open_model

if TYPE_CHECKING:
    from collections.abc import Iterator

TASKS = ("digits", "clean")


@dataclass(kw_only=True)
class Answer:
    """What was read."""

    text: str = ""
    """The digits from left to right, or how much of the page is ink."""
    digits: list[dict[str, Any]] = field(default_factory=list)
    """For the task ``digits``: label, confidence and box of each."""
    contours: list[Any] = field(default_factory=list)
    """Borders of the ink in the small picture: int32, points x 1 x 2."""
    picture: bytes = b""
    """What was drawn, as a PNG file."""
    milliseconds: dict[str, float] = field(default_factory=dict)
    """How long each stage took."""


def read(data: bytes, *, task: str = "digits", engine: str = "opencv", model: bytes | None = None) -> Answer:
    """Read the encoded picture ``data``: digits, or a clean page. ``model`` is an ONNX file in place of the task's own.

    Raises `PictureError` and `ModelError`, whose texts are for the person who gave the picture or the model.
    """
    answer = Answer()
    with _stage(answer, "decode"):
        picture = pictures.decode(data)
    with _stage(answer, "find ink"):
        found = ink.find(picture)
    with _stage(answer, "load model"):
        runner = open_model(task if model is None else model, engine)
    if task == "digits":
        with _stage(answer, "run model"):
            seen = digits.read(found, runner)
        with _stage(answer, "draw"):
            drawn = digits.draw(picture, seen)
        answer.text = "".join(str(digit.label) for digit in seen)
        answer.digits = [asdict(digit) for digit in seen]
        answer.contours = list(found.contours)
    else:
        with _stage(answer, "run model"):
            cleaned = cleaning.clean(found, runner)
        with _stage(answer, "draw"):
            drawn = cleaning.draw(picture, cleaned)
        answer.text = f"{float((cleaned.likely > 0.5).mean()):.1%} ink"
        answer.contours = list(cleaned.contours)
    with _stage(answer, "encode"):
        answer.picture = pictures.encode(drawn)
    return answer


@contextmanager
def _stage(answer: Answer, name: str) -> Iterator[None]:
    start = time.perf_counter()
    yield
    answer.milliseconds[name] = round((time.perf_counter() - start) * 1000, 2)
