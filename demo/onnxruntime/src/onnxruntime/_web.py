"""onnxruntime-web, loaded once, and how Python waits for it."""

from __future__ import annotations

import os
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import js
from pyodide.code import run_js
from pyodide.ffi import JsException, can_run_sync, run_sync, to_js

from onnxruntime.capi.onnxruntime_pybind11_state import BY_CODE, Fail, InvalidGraph, RuntimeException

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterator

LOCATION = "ONNXRUNTIME_WEB_URL"
"""The environment variable with the address of the folder that has onnxruntime-web's files."""
WEBGPU, CPU = "WebGpuExecutionProvider", "CPUExecutionProvider"
NAMES = {WEBGPU: "webgpu", CPU: "wasm"}
"""Provider in ONNX Runtime -> in onnxruntime-web."""
_FILES = {
    False: ("ort.wasm.bundle.min.mjs", "ort-wasm-simd-threaded.wasm"),
    True: ("ort.jspi.bundle.min.mjs", "ort-wasm-simd-threaded.jspi.wasm"),
}
"""Whether WebGPU is there -> the files of onnxruntime-web 1.30.0."""

_CODE = re.compile(r"ERROR_CODE: (\d+), ERROR_MESSAGE: (.*)", re.DOTALL)
_NO_MEMORY = (
    "bad_alloc",
    "failed to allocate",
    "Array buffer allocation failed",
    "out of memory",
    "could not allocate",
)
_state: dict[str, Any] = {}


def wait(promise: Awaitable[Any]) -> Any:
    """Return what ``promise`` comes to; Python stands still meanwhile, the browser does not (JSPI)."""
    if not can_run_sync():
        raise RuntimeException(
            "Python cannot wait for JavaScript here: the browser has no JSPI, or JavaScript called Python in the plain "
            "way. Call it by callPromising or runPythonAsync, or use `await InferenceSession.acreate(…)` and "
            "`await session.arun(…)`"
        )
    return run_sync(promise)


async def load() -> Any:
    """Return the module of onnxruntime-web; the one that can use WebGPU if the browser has an adapter."""
    if "module" not in _state:
        folder = os.environ.get(LOCATION)
        if not folder:
            raise Fail(f"where is onnxruntime-web? Set the environment variable {LOCATION} to the address of its files")
        folder = folder.rstrip("/") + "/"
        _state["gpu"] = await _has_gpu()
        script, binary = _FILES[_state["gpu"]]
        with errors():
            module = await run_js("(url) => import(url)")(folder + script)
        module.env.wasm.wasmPaths = js.Object.fromEntries(to_js([["wasm", folder + binary]]))
        module.env.logLevel = "error"
        if not js.crossOriginIsolated:
            module.env.wasm.numThreads = 1
        _state["module"] = module
    return _state["module"]


async def _has_gpu() -> bool:
    """Tell whether there is WebGPU that is worth its while; the module for it needs JSPI as well.

    A fallback adapter is software, slower than WebAssembly (WebGPU, 4.2).
    """
    if not hasattr(js.navigator, "gpu") or not hasattr(js.WebAssembly, "Suspending"):
        return False
    try:
        adapter = await js.navigator.gpu.requestAdapter()
    except JsException:
        return False
    return bool(adapter) and not adapter.info.isFallbackAdapter


def get_available_providers() -> list[str]:
    """Return the providers that this browser has, the fastest first."""
    if "gpu" not in _state:
        wait(load())
    return [WEBGPU, CPU] if _state["gpu"] else [CPU]


def get_device() -> str:
    """Return GPU or CPU."""
    return "GPU" if WEBGPU in get_available_providers() else "CPU"


@contextmanager
def errors() -> Iterator[None]:
    """Turn what JavaScript throws into the exception that ONNX Runtime has for it."""
    try:
        yield
    except JsException as error:
        text = str(getattr(error, "message", error))
        found = _CODE.search(text)
        kind = BY_CODE.get(int(found[1]), Fail) if found else Fail
        if (
            "No Op registered" in text
        ):  # which the WebAssembly build calls a RuntimeException, the others an InvalidGraph
            kind = InvalidGraph
        message = f"[ONNXRuntimeError] : {found[1]} : {kind.__name__} : {found[2]}" if found else text
        if any(sign in text for sign in _NO_MEMORY):
            message += (
                " (The browser has no memory left for this: WebAssembly addresses 4 GB, in which the model, its inputs "
                "and all that is computed on the way have to fit.)"
            )
        raise kind(message) from error
