"""Wheels with a build report in them, as a build of emwheels leaves them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from synthetic_wheels import make_wheel

if TYPE_CHECKING:
    from pathlib import Path

KEY = "5" * 64


def report_of(name: str, *, key: str = KEY, url: str = "", **inputs: Any) -> dict[str, Any]:
    """Return a build report."""
    source = {"url": url or f"pkg:pypi/{name}@1.0", "sha256": "1" * 64}
    return {
        "name": name,
        "version": "1.0",
        "key": key,
        "inputs": {
            "format": 4,
            "recipe": {"package": {"name": name, "version": "1.0"}, "source": source},
            "patches": {"0001-fix.patch": "2" * 64},
            "build requirements": "3" * 64,
            "target": {"name": "314.0.7", "cflags": ["-fPIC"], "ldflags": ["-sWASM_BIGINT"]},
            "profile": {"speed": ["-O3"]},
            "link options": ["-Wl,-Bsymbolic"],
            "image": f"sha256:{'4' * 64}",
            "cross-build environment": "6" * 64,
            "dependencies": {"zlib": "7" * 64},
        }
        | inputs,
        "tools": {"emscripten": "6.0.5"},
        "build requirements": ["meson_python-0.22.1-py3-none-any.whl"],
    }


def built_wheel(folder: Path, name: str, *, text: str = "VALUE = 1\n", report: Any = None) -> Path:
    """Write a wheel with a build report, of any kind if one is given, and return its path."""
    content = json.dumps(report_of(name) if report is None else report) if not isinstance(report, str) else report
    files = {f"{name}.py": text, f"{name}-1.0.dist-info/build-report.json": content}
    return make_wheel(folder, name, files=files)
