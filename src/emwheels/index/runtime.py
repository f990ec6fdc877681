"""Pyodide itself beside the wheels: one address then serves pages and clients that look for a runtime."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from emwheels.atomic import write_atomically
from emwheels.errors import IndexingError
from emwheels.index.compressed import packed
from emwheels.store import sha256_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from emwheels.index.lockfile import Release
    from emwheels.index.places.place import Source

RUNTIME = ("pyodide.mjs", "pyodide.asm.mjs", "pyodide.asm.wasm", "python_stdlib.zip")
"""Files of the npm package that a page loads."""
_ALSO = ("pyodide.js",)
"""What a classic script loads in place of ``pyodide.mjs``."""


@dataclass(frozen=True, kw_only=True)
class RuntimeFiles:
    """The files of one release of Pyodide, to be published beside an index."""

    name: str
    """E.g. ``314.0.2``."""
    release: Release
    """The release whose lock lies beside it: it has the same ABI."""
    files: Mapping[str, Source]
    """By their names in the index."""


def folder_of_runtime(name: str) -> str:
    """Return the folder of an index in which a release is, with the parts that Pyodide's own server has."""
    return f"pyodide/v{name}/full"


def read_runtime(name: str, release: Release, package: Path, cache: Path) -> RuntimeFiles:
    """Return the files of the unpacked npm package ``pyodide`` at ``package``, with compressed copies of each.

    Those are kept in ``cache``, as they take a minute. Raises `IndexingError` for what is no such package.
    """
    files: dict[str, Source] = {}
    for filename in (*RUNTIME, *_ALSO):
        path = file_of_runtime(package, filename)
        where = f"{folder_of_runtime(name)}/{filename}"
        files[where] = path
        files |= {f"{where}{suffix}": copy for suffix, copy in _copies(path, cache).items()}
    return RuntimeFiles(name=name, release=release, files=files)


def file_of_runtime(package: Path, name: str) -> Path:
    """Return a file of the unpacked npm package. Raises `IndexingError` if it is not there."""
    path = package / name
    if not path.is_file():
        raise IndexingError(f"{package} has no {name}", hint="is it the npm package of pyodide?")
    return path


def _copies(path: Path, cache: Path) -> dict[str, Path]:
    folder = cache / sha256_of(path)
    done = folder / "done"
    if not done.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        for suffix, data in packed(path.read_bytes()).items():
            write_atomically(folder / suffix.removeprefix("."), data)
        write_atomically(done, b"")
    return {f".{copy.name}": copy for copy in sorted(folder.iterdir()) if copy != done}
