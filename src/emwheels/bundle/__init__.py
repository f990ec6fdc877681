"""Packages -> one folder with everything that a page needs to run them, from any web server and without network."""

from __future__ import annotations

import html
import json
import shutil
import tempfile
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from emwheels.errors import IndexingError, UsageError
from emwheels.index.lockfile import Lock, merge
from emwheels.index.model import Project, now, project_name, project_of, required_project
from emwheels.index.resolve import Finder, FoundWheel, resolve
from emwheels.index.runtime import RUNTIME, file_of_runtime
from emwheels.index.wheelfile import read_wheel

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from packaging.requirements import Requirement

    from emwheels.index.lockfile import Release


@dataclass(frozen=True, kw_only=True)
class Bundle:
    """What was put together."""

    folder: Path
    wheels: tuple[FoundWheel, ...]
    size: int
    """Bytes of all files."""


def make_bundle(
    folder: Path,
    requirements: Sequence[Requirement],
    *,
    runtime: Path,
    release: Release,
    finder: Finder,
    extra: Sequence[Path] = (),
) -> Bundle:
    """Fill ``folder``, which must not exist or be empty, and return what is in it; it appears whole or not at all.

    ``runtime`` is the unpacked npm package ``pyodide``, ``extra`` are wheels to be there whatever is required
    (micropip and what it needs). Raises `UsageError`, `IndexingError`, and `FetchError` for what cannot be had.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder} is there already", hint="remove it, or name another folder")
    wheels = resolve(requirements, finder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as temporary:
        making = Path(temporary) / "bundle"
        _copy_runtime(runtime, making / "pyodide")
        (making / "wheels").mkdir()
        for wheel in wheels:
            shutil.copyfile(wheel.path, making / "wheels" / wheel.filename)
        for path in extra:
            if all(wheel.name != project_name(path.name) for wheel in wheels):
                shutil.copyfile(path, making / "wheels" / path.name)
        lock = make_lock(making / "wheels", release)
        if lock.left_out:
            name, why = next(iter(lock.left_out.items()))
            raise IndexingError(f"{name} {why}", hint="name that package too, or other versions")
        (making / "pyodide-lock.json").write_bytes(lock.dump())
        # PyScript, marimo and others look beside the runtime, and nowhere else.
        (making / "pyodide" / "pyodide-lock.json").write_bytes(lock.below("pyodide").dump())
        names = [required_project(requirement) for requirement in requirements]
        _write_pages(making, names, lock, release)
        if folder.exists():
            folder.rmdir()
        making.chmod(0o755)
        making.replace(folder)
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    return Bundle(folder=folder, wheels=tuple(wheels), size=size)


def make_lock(wheels: Path, release: Release) -> Lock:
    """Return the lock of the wheels in a folder, and of nothing else."""
    projects = []
    for path in sorted(wheels.glob("*.whl")):
        file = read_wheel(path, path.name, uploaded=now()).file
        projects.append(Project(name=project_of(file)).with_files([file]))
    alone = replace(release, lock={**release.lock, "packages": {}})
    return merge(alone, projects)


def _copy_runtime(runtime: Path, destination: Path) -> None:
    destination.mkdir(parents=True)
    for name in RUNTIME:
        shutil.copyfile(file_of_runtime(runtime, name), destination / name)


def _write_pages(folder: Path, names: Iterable[str], lock: Lock, release: Release) -> None:
    names = list(dict.fromkeys(names))
    packages = lock.document["packages"]
    title = ", ".join(names)
    page = (files("emwheels.bundle") / "page.html").read_text(encoding="utf-8")
    page = page.replace("@TITLE@", html.escape(title)).replace("@RELEASE@", html.escape(release.name))
    (folder / "index.html").write_text(page.replace("@PACKAGES@", json.dumps(names)), encoding="utf-8")
    modules = [module for name in names for module in packages[name]["imports"] if not module.startswith("_")]
    lines = ["# Runs when the page has loaded. What it prints is shown there."]
    lines += ["from importlib.metadata import version", ""]
    lines += [f"import {module}" for module in modules]
    lines += ["", *(f'print("{name}", version("{name}"))' for name in names)]
    (folder / "main.py").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "README.txt").write_text(_README.format(release=release.name, title=title), encoding="utf-8")


_README = """{title} in Pyodide {release}.

Serve this folder with any web server, for example
    python3 -m http.server --bind 127.0.0.1 8000
and open http://127.0.0.1:8000/. Nothing is loaded from elsewhere. (A page opened as file:// may not load modules.)

index.html         starts Pyodide, loads the packages and runs main.py
main.py            yours to change
pyodide/           the runtime
pyodide-lock.json  what loadPackage finds: the wheels in wheels/, by hash; also beside the runtime
wheels/            the packages and all they need, and micropip

The server has to send .mjs as text/javascript; application/wasm for .wasm makes the start faster.
"""
