"""numpy arrays to tensors of onnxruntime-web and back, with no copy that can be avoided."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import js
import numpy as np
from pyodide.code import run_js
from pyodide.ffi import create_proxy, to_js

from onnxruntime.capi.onnxruntime_pybind11_state import BY_CODE, InvalidArgument

if TYPE_CHECKING:
    from collections.abc import Iterator

_HALF = "Float16Array" if hasattr(js, "Float16Array") else "Uint16Array"
_KINDS = {
    "bool": ("bool", "Uint8Array"),
    "int8": ("int8", "Int8Array"),
    "int16": ("int16", "Int16Array"),
    "int32": ("int32", "Int32Array"),
    "int64": ("int64", "BigInt64Array"),
    "uint8": ("uint8", "Uint8Array"),
    "uint16": ("uint16", "Uint16Array"),
    "uint32": ("uint32", "Uint32Array"),
    "uint64": ("uint64", "BigUint64Array"),
    "float16": ("float16", _HALF),
    "float32": ("float", "Float32Array"),
    "float64": ("double", "Float64Array"),
}
"""Type, by the same name in numpy and in onnxruntime-web -> its name in ONNX, the JavaScript array that holds it.

What tensorTypeToTypedArrayConstructor of onnxruntime-web 1.30.0 (lib/wasm/wasm-common.ts) knows, and ``string``.
"""

# In JavaScript, because Pyodide 314.0.7 has no proxy for a Float16Array.
_MAKE = run_js(
    "(Tensor, kind, array, bytes, length, dims) =>"
    " new Tensor(kind, new globalThis[array](bytes.buffer, bytes.byteOffset, length), dims)"
)
_BYTES = run_js("({ data }) => new Uint8Array(data.buffer, data.byteOffset, data.byteLength)")


def onnx_type(kind: str) -> str:
    """Return what ONNX Runtime calls a type of onnxruntime-web: ``tensor(float)``."""
    return f"tensor({_KINDS[kind][0] if kind in _KINDS else kind})"


def kind_of(array: Any) -> str:
    """Return the type of onnxruntime-web that holds ``array``. Raises `NotImplemented` if there is none."""
    if array.dtype.kind in "OUT":
        return "string"
    if array.dtype.name not in _KINDS:
        raise BY_CODE[9](f"onnxruntime-web has no tensors of {array.dtype}; it has {', '.join(_KINDS)} and str")
    return str(array.dtype.name)


@contextmanager
def borrowed(array: Any) -> Iterator[Any]:
    """Give a Uint8Array that is the memory of a contiguous ``array`` itself, for as long as the context lasts.

    It must not outlive a growth of Python's memory: JavaScript gets it and uses it before Python goes on.
    """
    proxy = create_proxy(array.reshape(-1).view(np.uint8))
    view = proxy.getBuffer("u8")
    try:
        yield view.data
    finally:
        view.release()
        proxy.destroy()


@contextmanager
def tensor(make: Any, name: str, value: Any, expected: str) -> Iterator[Any]:
    """Give ``value`` as a tensor that shares its memory; only a strided array is copied first.

    ``make`` is the constructor of tensors, ``expected`` the type that the model has for this input. Raises
    `InvalidArgument` for another one.
    """
    array = np.asarray(value)
    kind = kind_of(array)
    if kind != expected:
        raise InvalidArgument(
            f"[ONNXRuntimeError] : 2 : INVALID_ARGUMENT : Unexpected input data type. Actual: ({onnx_type(kind)}) , "
            f"expected: ({onnx_type(expected)}), input {name!r}"
        )
    dims = to_js(list(array.shape))
    if kind == "string":
        yield make.new(kind, to_js([str(each) for each in array.ravel()]), dims)
        return
    with borrowed(np.ascontiguousarray(array)) as view:
        yield _MAKE(make, kind, _KINDS[kind][1], view, array.size, dims)


def array_of(result: Any) -> Any:
    """Return a tensor of onnxruntime-web as a numpy array: one copy, out of JavaScript's memory."""
    shape = tuple(result.dims.to_py())
    if result.type == "string":
        return np.array(result.data.to_py(), dtype=object).reshape(shape)
    array = np.empty(shape, result.type)
    if array.size:
        _BYTES(result).assign_to(array.reshape(-1).view(np.uint8))
    return array
