"""A target for tests that need one but no image: the shape of the default one of targets.toml."""

from __future__ import annotations

from emwheels.target import Target

TARGET = Target(
    name="314.0.7",
    python="3.14.2",
    abi="pyemscripten_2026_0",
    emscripten="5.0.3",
    runtime="pkg:npm/pyodide@314.0.7",
    runtime_sha256="0" * 64,
    cflags=("-fPIC",),
    ldflags=("-sWASM_BIGINT",),
)
