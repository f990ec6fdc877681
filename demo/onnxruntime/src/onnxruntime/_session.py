"""`InferenceSession`: loads a model and runs it."""

from __future__ import annotations

import os
import warnings
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import js
import numpy as np
from pyodide.ffi import to_js

from onnxruntime._options import RunOptions, SessionOptions
from onnxruntime._tensors import array_of, borrowed, onnx_type, tensor
from onnxruntime._web import NAMES, errors, get_available_providers, load, wait
from onnxruntime.capi.onnxruntime_pybind11_state import Fail, InvalidArgument, InvalidProtobuf, NoSuchFile

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

LARGEST = 2**31 - 1
"""Bytes of a protobuf message, and of one buffer of a Python whose sizes have 32 bits."""


@dataclass(frozen=True)
class NodeArg:
    """An input or output: ``shape`` has numbers, names of symbolic dimensions, and None where nothing is known."""

    name: str
    type: str
    shape: list[int | str | None]


class InferenceSession:
    """A model that is ready to run."""

    def __init__(
        self,
        path_or_bytes: str | bytes | os.PathLike[str],
        sess_options: SessionOptions | None = None,
        providers: Sequence[str | tuple[str, Mapping[str, Any]]] | None = None,
    ) -> None:
        """Load a model from a file or from its bytes, and wait for it.

        Without ``providers`` it runs on the GPU if the browser has WebGPU, else on the CPU. Raises the classes of
        `onnxruntime.capi.onnxruntime_pybind11_state`: `NoSuchFile`, `InvalidProtobuf`, `NotImplemented`, …
        """
        wait(self._load(path_or_bytes, sess_options, providers))

    @classmethod
    async def acreate(
        cls,
        path_or_bytes: str | bytes | os.PathLike[str],
        sess_options: SessionOptions | None = None,
        providers: Sequence[str | tuple[str, Mapping[str, Any]]] | None = None,
    ) -> InferenceSession:
        """Return a session as the constructor makes it, where Python cannot stand still: ``await`` it."""
        session = cls.__new__(cls)
        await session._load(path_or_bytes, sess_options, providers)
        return session

    async def _load(self, path_or_bytes: Any, options: SessionOptions | None, providers: Any) -> None:
        ort = await load()
        self._tensor = ort.Tensor
        self._options = options or SessionOptions()
        self._providers = _chosen(providers)
        model, beside = _read(path_or_bytes)
        if not len(model):
            raise InvalidProtobuf("the model is empty")
        given = self._options.to_js([NAMES[name] for name in self._providers], beside, model)
        with errors(), borrowed(np.frombuffer(model, np.uint8)) as data:
            self._session = await ort.InferenceSession.create(data, given)
        self._inputs = list(_metadata(self._session.inputMetadata))
        self._outputs = list(_metadata(self._session.outputMetadata))
        self._kinds = {each.name: each.type for each in self._session.inputMetadata}

    def get_inputs(self) -> list[NodeArg]:
        """Return what the model takes."""
        return list(self._inputs)

    def get_outputs(self) -> list[NodeArg]:
        """Return what the model gives."""
        return list(self._outputs)

    def get_providers(self) -> list[str]:
        """Return the providers of this session, the preferred first."""
        return list(self._providers)

    def get_session_options(self) -> SessionOptions:
        """Return the options of this session."""
        return self._options

    def run(
        self,
        output_names: Sequence[str] | None,
        input_feed: Mapping[str, Any],
        run_options: RunOptions | None = None,
    ) -> list[Any]:
        """Return the outputs called ``output_names`` (all if None) for the arrays in ``input_feed``.

        Numbers come as numpy arrays of the model's types. Raises `ValueError` for a missing input, `InvalidArgument`
        for one of another type or shape, and `Fail` and its like for what goes wrong in the engine.
        """
        with ExitStack() as stack, errors():
            results = wait(self._start(stack, output_names, input_feed, run_options))
            return self._collect(output_names, results)

    async def arun(
        self,
        output_names: Sequence[str] | None,
        input_feed: Mapping[str, Any],
        run_options: RunOptions | None = None,
    ) -> list[Any]:
        """Return what `run` returns, where Python cannot stand still: ``await`` it."""
        with ExitStack() as stack, errors():
            results = await self._start(stack, output_names, input_feed, run_options)
            return self._collect(output_names, results)

    def _start(self, stack: ExitStack, names: Any, feed: Mapping[str, Any], options: RunOptions | None) -> Any:
        """Begin a run and return the promise of its results; ``stack`` keeps the inputs' memory."""
        missing = [each.name for each in self._inputs if each.name not in feed]
        if missing:
            raise ValueError(f"Required inputs ({missing}) are missing from input feed ({list(feed)}).")
        if unknown := [name for name in feed if name not in self._kinds]:
            raise InvalidArgument(f"[ONNXRuntimeError] : 2 : INVALID_ARGUMENT : Invalid input name: {unknown[0]}")
        wanted = {each.name for each in self._outputs}
        if unknown := [name for name in names or () if name not in wanted]:
            raise InvalidArgument(f"[ONNXRuntimeError] : 2 : INVALID_ARGUMENT : Invalid output name: {unknown[0]}")
        tensors = [
            [name, stack.enter_context(tensor(self._tensor, name, value, self._kinds[name]))]
            for name, value in feed.items()
        ]
        feeds = js.Object.fromEntries(to_js(tensors))
        given = options or RunOptions()
        settings = js.Object.fromEntries(
            to_js([["logSeverityLevel", given.log_severity_level], ["tag", given.run_tag]])
        )
        if names is None:
            return self._session.run(feeds, settings)
        return self._session.run(feeds, to_js(list(names)), settings)

    def _collect(self, names: Sequence[str] | None, results: Any) -> list[Any]:
        wanted = [each.name for each in self._outputs] if names is None else names
        return [array_of(js.Reflect.get(results, name)) for name in wanted]

    def __del__(self) -> None:
        """Give the engine's memory back."""
        if hasattr(self, "_session"):
            self._session.release()


def _chosen(providers: Any) -> list[str]:
    """Return the providers that the browser has of those asked for, and the CPU's in the end, as ONNX Runtime does."""
    available = get_available_providers()
    if providers is None:
        return available
    asked = [each if isinstance(each, str) else each[0] for each in providers]
    if absent := [name for name in asked if name not in available]:
        warnings.warn(
            f"Specified provider {absent[0]!r} is not in available provider names. Available providers: {available}",
            stacklevel=4,
        )
    return list(dict.fromkeys([*(name for name in asked if name in available), available[-1]]))


def _read(path_or_bytes: Any) -> tuple[Any, Path | None]:
    """Return the bytes of a model, and the folder of the file that they are from."""
    if not isinstance(path_or_bytes, str | os.PathLike):
        return path_or_bytes, None
    path = Path(path_or_bytes)
    try:
        if (size := path.stat().st_size) > LARGEST:
            raise InvalidProtobuf(
                f"{path} has {size:,} bytes; one message of protobuf, and one buffer in a browser, has 2 GB at most. "
                "Save its weights to files of their own (onnx.save_model with save_as_external_data) and give these as "
                "external data"
            )
        return path.read_bytes(), path.absolute().parent
    except FileNotFoundError as error:
        raise NoSuchFile(
            f"[ONNXRuntimeError] : 3 : NO_SUCHFILE : Load model from {path} failed. File doesn't exist"
        ) from error
    except OSError as error:
        raise Fail(f"Load model from {path} failed: {error.strerror}") from error


def _metadata(rows: Any) -> Iterator[NodeArg]:
    for row in rows:
        shape: list[int | str | None] = [each if each != "" else None for each in getattr(row, "shape", ())]
        yield NodeArg(name=row.name, type=onnx_type(row.type), shape=shape)
