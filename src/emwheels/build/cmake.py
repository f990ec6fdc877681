"""What a build is given so that CMake packages build untouched: a toolchain file, true checks, and listed downloads."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from emwheels.fetch.archive import unpack
from emwheels.image.places import WORK

if TYPE_CHECKING:
    from collections.abc import Sequence

    from emwheels.fetch.fetcher import Fetched
    from emwheels.recipe.downloads import Download

FOLDER = "cmake"
"""The folder in `WORK` with the files for CMake."""
DOWNLOADS = "downloads"
"""The folder in `WORK` with a folder for each of the recipe's downloads, of its name."""
ENVIRONMENT = {
    "CMAKE_POLICY_VERSION_MINIMUM": "3.5",
    "EMWHEELS_DOWNLOADS": f"{WORK}/{DOWNLOADS}",
}
"""What CMake reads by itself, and where build scripts find the downloads."""
PRELUDE = f"""\
export EMWHEELS_CMAKE_TOOLCHAIN="${{CMAKE_TOOLCHAIN_FILE}}" CMAKE_TOOLCHAIN_FILE={WORK}/{FOLDER}/emwheels.cmake
"""
"""What goes before a build script: pyodide-build (0.39.2) takes no other toolchain file from its environment."""

_INSIDE = Path(__file__).parent / "inside" / "cmake"
_EMPTY_ARCHIVE = b"!<arch>\n"
_IN_THE_C_LIBRARY = ("m", "dl", "rt", "pthread")


def lay_out_cmake(folder: Path, *, python: str) -> None:
    """Fill ``folder``, which is there and empty. ``python`` is the target's minor version, such as 3.14."""
    shutil.copytree(_INSIDE, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    library = folder / "empty" / "lib"
    library.mkdir(parents=True)
    for name in (*_IN_THE_C_LIBRARY, f"python{python}"):
        (library / f"lib{name}.a").write_bytes(_EMPTY_ARCHIVE)


def lay_out_downloads(downloads: Sequence[tuple[Download, Fetched]], folder: Path) -> None:
    """Put each download below ``folder``, unpacked if it is to be. Raises `FetchError` for a bad archive."""
    for download, fetched in downloads:
        place = folder / download.name
        with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
            # The store names files by hash; the archive's kind is told by its name where its bytes do not.
            named = Path(temporary) / fetched.filename
            if download.unpack:
                named.symlink_to(fetched.path)
                unpack(named, place, strip_single_top=True)
            else:
                place.mkdir()
                shutil.copyfile(fetched.path, place / named.name)
