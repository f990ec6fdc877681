"""Two engines that run ONNX models: OpenCV's dnn module and ONNX Runtime."""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files
from typing import Any, Protocol

import cv2
import numpy as np

ENGINES = ("opencv", "onnxruntime")


class ModelError(Exception):
    """A model that an engine cannot load or run. The text is for the person who gave it."""


class Model(Protocol):
    """A model with one input and one output."""

    def run(self, batch: Any) -> Any:
        """Return the output for ``batch``, both float32. Raises `ModelError`."""


@lru_cache(maxsize=8)
def open_model(model: str | bytes, engine: str) -> Model:
    """Return a model, by the name of one of the package's own or from the bytes of an ONNX file, in ``engine``.

    Raises `ModelError` for what the engine cannot load.
    """
    data = model if isinstance(model, bytes) else (files("inkreader") / "models" / f"{model}.onnx").read_bytes()
    return _OpenCV(data) if engine == "opencv" else _OnnxRuntime(data)


class _OpenCV:
    def __init__(self, data: bytes) -> None:
        try:
            self._net = cv2.dnn.readNetFromONNX(np.frombuffer(data, np.uint8))
        except cv2.error as error:
            raise _refused("OpenCV", error) from error

    def run(self, batch: Any) -> Any:
        try:
            self._net.setInput(batch)
            return self._net.forward()
        except cv2.error as error:
            raise _refused("OpenCV", error) from error


class _OnnxRuntime:
    def __init__(self, data: bytes) -> None:
        import onnxruntime  # noqa: PLC0415  (only who asks for this engine needs it)

        try:
            self._session = onnxruntime.InferenceSession(data)
        except Exception as error:  # its errors have no common base but this
            raise _refused("ONNX Runtime", error) from error
        self._input = self._session.get_inputs()[0].name

    def run(self, batch: Any) -> Any:
        try:
            return self._session.run(None, {self._input: batch})[0]
        except Exception as error:
            raise _refused("ONNX Runtime", error) from error


def _refused(engine: str, error: Exception) -> ModelError:
    text = " ".join(str(error).split())
    if any(
        sign in text
        for sign in (
            "not a registered function/op",
            "NOT_IMPLEMENTED",
            "No Op registered",
            "Can't create layer",
            "isn't supported",
        )
    ):
        return ModelError(f"{engine} does not know an operator that this model uses. ({text[:300]})")
    return ModelError(f"{engine} cannot use this model: it is damaged, or made for something else. ({text[:300]})")
