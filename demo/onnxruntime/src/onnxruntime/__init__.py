"""ONNX Runtime's Python API in Pyodide, over onnxruntime-web."""

from __future__ import annotations

try:
    import pyodide_js  # noqa: F401
except ImportError as error:
    raise ImportError(
        "this onnxruntime runs in Pyodide, in a browser; on a server install the one on PyPI: pip install onnxruntime"
    ) from error

from onnxruntime._options import GraphOptimizationLevel, RunOptions, SessionOptions
from onnxruntime._session import InferenceSession, NodeArg
from onnxruntime._web import get_available_providers, get_device

__version__ = "1.30.0"

__all__ = [
    "GraphOptimizationLevel",
    "InferenceSession",
    "NodeArg",
    "RunOptions",
    "SessionOptions",
    "get_available_providers",
    "get_device",
]
