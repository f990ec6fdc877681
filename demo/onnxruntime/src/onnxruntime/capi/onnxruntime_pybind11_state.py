"""The exceptions of ONNX Runtime, under the names and in the place that scripts import them from."""

from __future__ import annotations


class Fail(Exception):  # noqa: N818  (its name in ONNX Runtime, as all here)
    """Anything that has no class of its own."""


class InvalidArgument(Exception):  # noqa: N818
    """An input of another name, type or shape than the model has."""


class NoSuchFile(Exception):  # noqa: N818
    """A model, or a file that it refers to, is not there."""


class NoModel(Exception):  # noqa: N818
    """There is no model in what was given."""


class EngineError(Exception):
    """The engine failed."""


class RuntimeException(Exception):  # noqa: N818
    """Running the model failed."""


class InvalidProtobuf(Exception):  # noqa: N818
    """What was given is no ONNX model."""


class ModelLoaded(Exception):  # noqa: N818
    """A model was loaded already."""


class NotImplemented(Exception):  # noqa: A001, N818
    """An operator, or a type of it, that the engine does not have."""


class InvalidGraph(Exception):  # noqa: N818
    """A model that breaks the rules of ONNX."""


class EPFail(Exception):  # noqa: N818
    """A provider failed."""


BY_CODE: dict[int, type[Exception]] = {
    1: Fail,
    2: InvalidArgument,
    3: NoSuchFile,
    4: NoModel,
    5: EngineError,
    6: RuntimeException,
    7: InvalidProtobuf,
    8: ModelLoaded,
    9: NotImplemented,
    10: InvalidGraph,
    11: EPFail,
}
"""The numbers of OrtErrorCode in onnxruntime_c_api.h."""
