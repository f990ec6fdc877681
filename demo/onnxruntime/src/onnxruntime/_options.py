"""Options of sessions and runs, as far as onnxruntime-web has them."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any

import js
from pyodide.ffi import to_js

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


class GraphOptimizationLevel(Enum):
    """How much a model is rewritten before it runs; the values are those of onnxruntime-web."""

    ORT_DISABLE_ALL = "disabled"
    ORT_ENABLE_BASIC = "basic"
    ORT_ENABLE_EXTENDED = "extended"
    ORT_ENABLE_LAYOUT = "layout"
    ORT_ENABLE_ALL = "all"


@dataclass
class RunOptions:
    """Options of one run."""

    log_severity_level: int = 2
    run_tag: str = ""


@dataclass
class SessionOptions:
    """Options of a session."""

    graph_optimization_level: GraphOptimizationLevel = GraphOptimizationLevel.ORT_ENABLE_ALL
    enable_cpu_mem_arena: bool = True
    enable_mem_pattern: bool = True
    log_severity_level: int = 2
    _entries: dict[str, str] = field(default_factory=dict)
    _dimensions: dict[str, int] = field(default_factory=dict)
    _external: dict[str, Any] = field(default_factory=dict)

    def add_session_config_entry(self, key: str, value: str) -> None:
        """Set one of ONNX Runtime's own keys, such as ``session.set_denormal_as_zero``."""
        self._entries[key] = value

    def add_free_dimension_override_by_name(self, name: str, value: int) -> None:
        """Give a symbolic dimension of the model its size."""
        self._dimensions[name] = value

    def add_external_initializers_from_files_in_memory(
        self, names: Sequence[str], buffers: Sequence[Any], lengths: Sequence[int]
    ) -> None:
        """Give the files that a model keeps its weights in: names as in the model, their bytes, numbers of bytes.

        A ``str`` in place of bytes is a URL, which the browser fetches without Python having to hold it.
        """
        for name, buffer, length in zip(names, buffers, lengths, strict=True):
            self._external[name] = buffer if isinstance(buffer, str) else memoryview(buffer)[:length]

    def to_js(self, providers: Sequence[str], beside: Path | None, model: bytes) -> Any:
        """Return what ``InferenceSession.create`` of onnxruntime-web takes.

        Files in the folder ``beside`` whose names are in ``model`` are external data of it.
        """
        external = {name: _data(value) for name, value in self._external.items()}
        if beside is not None:
            for path in beside.iterdir():
                if path.name.encode() in model and path.is_file() and path.name not in external:
                    external[path.name] = _data(path.read_bytes())
        options: dict[str, Any] = {
            "executionProviders": list(providers),
            "graphOptimizationLevel": self.graph_optimization_level.value,
            "enableCpuMemArena": self.enable_cpu_mem_arena,
            "enableMemPattern": self.enable_mem_pattern,
            "logSeverityLevel": self.log_severity_level,
            "freeDimensionOverrides": self._dimensions,
            "extra": self._entries,
        }
        if external:
            options["externalData"] = [{"path": name, "data": data} for name, data in external.items()]
        return to_js(options, dict_converter=js.Object.fromEntries)


def _data(value: Any) -> Any:
    return value if isinstance(value, str) else to_js(value)
