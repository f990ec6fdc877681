"""Calls a build backend (PEP 517) of a source tree. Runs in the build image: standard library only.

``requires``: what it asks for to build a wheel, as JSON. ``wheel``: builds one.
"""

from __future__ import annotations

import importlib
import json
import os
import site
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

_LEGACY = {"build-backend": "setuptools.build_meta:__legacy__"}


def main(action: str, source: Path, wheels: Path, out: Path) -> int:
    """Install ``wheels``, call the backend of ``source`` and write to ``out``."""
    library = out / "library"
    files = sorted(map(str, wheels.glob("*.whl")))
    pip = [sys.executable, "-I", "-m", "pip", "--disable-pip-version-check", "--quiet", "install", "--no-index"]
    if files:
        subprocess.run([*pip, "--no-deps", "--no-compile", "--target", str(library), *files], check=True)
    os.environ["PYTHONPATH"] = str(library)
    os.environ["PATH"] = f"{library / 'bin'}:{os.environ['PATH']}"
    library.mkdir(exist_ok=True)
    before = len(sys.path)
    site.addsitedir(str(library))
    sys.path[:] = [*sys.path[before:], *sys.path[:before]]
    os.chdir(source)
    backend = _backend(source)
    if action == "wheel":
        backend.build_wheel(str(out))
        return 0
    hook = getattr(backend, "get_requires_for_build_wheel", None)
    answer = list(hook()) if hook else []
    (out / "answer.json").write_text(json.dumps(list(map(str, answer))), encoding="utf-8")
    return 0


def _backend(source: Path) -> Any:
    """Return the backend object that pyproject.toml names, that of setuptools where it names none."""
    project = source / "pyproject.toml"
    table = tomllib.loads(project.read_text(encoding="utf-8")) if project.is_file() else {}
    system = table.get("build-system", {})
    name = system.get("build-backend", _LEGACY["build-backend"])
    sys.path[:0] = [str(source / each) for each in system.get("backend-path", ())]
    module, _, attributes = name.partition(":")
    found: Any = importlib.import_module(module)
    for attribute in filter(None, attributes.split(".")):
        found = getattr(found, attribute)
    return found


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), Path(sys.argv[4])))
