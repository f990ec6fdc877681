"""Small wheels that are valid in every respect, for tests and benchmarks."""

from __future__ import annotations

import base64
import hashlib
import zipfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

WASM = "cp314-cp314-pyemscripten_2026_0_wasm32"
OLD_WASM = "cp313-cp313-pyemscripten_2025_0_wasm32"
PURE = "py3-none-any"


def make_wheel(
    folder: Path,
    name: str,
    version: str = "1.0",
    *,
    tag: str = PURE,
    requires_python: str = ">=3.11,<4",
    requires: Iterable[str] = (),
    files: Mapping[str, str | bytes] | None = None,
    metadata: str | None = None,
    record: str | None = None,
    filename: str = "",
) -> Path:
    """Write a wheel and return its path. ``metadata`` and ``record`` stand in for the right ones."""
    info = f"{name}-{version}.dist-info"
    if metadata is None:
        lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}"]
        lines += [f"Requires-Python: {requires_python}"] if requires_python else []
        metadata = "\n".join([*lines, *(f"Requires-Dist: {text}" for text in requires)]) + "\n"
    members = dict(files if files is not None else {f"{name}.py": "VALUE = 1\n"})
    members[f"{info}/METADATA"] = metadata
    members[f"{info}/WHEEL"] = f"Wheel-Version: 1.0\nRoot-Is-Purelib: {str(tag == PURE).lower()}\nTag: {tag}\n"
    rows = [f"{path},{_digest(data)},{len(_bytes(data))}" for path, data in members.items()]
    members[f"{info}/RECORD"] = "\n".join([*rows, f"{info}/RECORD,,"]) + "\n" if record is None else record
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / (filename or f"{name}-{version}-{tag}.whl")
    with zipfile.ZipFile(path, "w") as archive:
        for member, data in members.items():
            archive.writestr(zipfile.ZipInfo(member), data)
    return path


def _bytes(data: str | bytes) -> bytes:
    return data.encode() if isinstance(data, str) else data


def _digest(data: str | bytes) -> str:
    digest = hashlib.sha256(_bytes(data)).digest()
    return "sha256=" + base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
