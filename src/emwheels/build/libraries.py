"""What host requirements give a build: C libraries in one prefix, and platform files of packages such as numpy."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from emwheels.fetch.archive import unpack

if TYPE_CHECKING:
    from collections.abc import Sequence


LICENCES = "share/licenses"
"""Where a library keeps its licence files, in a folder of its name: they go into every wheel that links it."""


def unpack_libraries(archives: Sequence[Path], libs: Path) -> frozenset[str]:
    """Unpack the host libraries into one prefix, ``libs``, and return the names of their files."""
    libs.mkdir()
    for archive in archives:
        with tempfile.TemporaryDirectory(dir=libs.parent) as folder:
            tree = unpack(archive, Path(folder) / "tree")
            shutil.copytree(tree, libs, dirs_exist_ok=True, symlinks=True)
    return frozenset(files_below(libs))


def licences_of(libs: Path) -> dict[str, bytes]:
    """Return the licence files of the libraries in ``libs`` by their names in a wheel's .dist-info (PEP 639)."""
    root = libs / LICENCES
    if not root.is_dir():
        return {}
    names = [name for name in files_below(root) if "/" in name and not (root / name).is_symlink()]
    return {f"licenses/{name}": (root / name).read_bytes() for name in names}


def files_below(tree: Path) -> list[str]:
    """Return the files and links below ``tree``, relative to it and sorted."""
    return sorted(str(path.relative_to(tree)) for path in tree.rglob("*") if path.is_symlink() or path.is_file())
