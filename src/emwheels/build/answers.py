"""What a build is told and given so that packages of autotools and Meson build untouched.

Answers for configure scripts, macros for aclocal, sources that are prepared before their build, and the recipe's
downloads where Meson looks for those of its wraps. The cross file of Meson is pyodide-build's.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emwheels.build.cmake import DOWNLOADS
from emwheels.errors import BuildError, visible
from emwheels.image import places
from emwheels.image.door import Door, DoorError
from emwheels.image.model import Mount
from emwheels.image.places import CONFIG_FILES, PREPARE_TREE, PYTHON, SOURCE, WORK

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from emwheels.fetch.fetcher import Fetched
    from emwheels.image.model import Image
    from emwheels.recipe.downloads import Download

FOLDER = "answers"
"""The folder in `WORK` with all this."""
FILES = ("config.site", "macros/emwheels.m4")
PACKAGE_CACHE = "packagecache"
"""The folder in `WORK` in which Meson finds archives of its wraps."""
ENVIRONMENT = {
    "CONFIG_SITE": f"{WORK}/{FOLDER}/config.site",
    "MESON_PACKAGE_CACHE_DIR": f"{WORK}/{PACKAGE_CACHE}",
}
"""What configure and Meson read by themselves."""
MESON_FOLDER = ".mesonpy-emwheels"
"""Where meson-python builds: another name each time, and gone with Meson's log, if it is not told."""

_INSIDE = Path(__file__).parent / "inside"
_PROGRAM = _INSIDE / "prepare_tree.py"
_PREPARED = ("config.sub", "configure.ac", "configure.in")
"""Files whose presence asks for a preparation of the source."""
_LARGEST_PROJECT = 1 << 20


def lay_out_answers(folder: Path, downloads: Sequence[tuple[Download, Fetched]]) -> None:
    """Fill ``folder``, which is there and empty. The downloads are in it as they came, each called by its hash."""
    for name in FILES:
        copy = folder / name
        copy.parent.mkdir(exist_ok=True)
        shutil.copyfile(_INSIDE / name, copy)
    if downloads:
        (folder / DOWNLOADS).mkdir()
        for download, fetched in downloads:
            shutil.copyfile(fetched.path, folder / DOWNLOADS / download.sha256)
        names = {download.name: download.sha256 for download, _ in downloads}
        (folder / f"{DOWNLOADS}.json").write_text(json.dumps(names))


def prepare_tree(inside: Path, given: Mapping[str, Path], image: Image) -> None:
    """Prepare the source tree at ``inside``/source where it needs it, in the sandbox.

    ``given`` are folders: the one of `lay_out_answers`, and that of the unpacked downloads. Raises `BuildError` with
    what the program said.
    """
    with Door(inside) as door:
        names = [left.path for left in door.files("source") if left.link is None]
    if not any(name.rpartition("/")[2] in _PREPARED or name.endswith(".wrap") for name in names):
        return
    mounts = [Mount(host=inside / "source", inside=SOURCE, writable=True), Mount(host=_PROGRAM, inside=PREPARE_TREE)]
    if (given[FOLDER] / f"{DOWNLOADS}.json").exists():
        (inside / PACKAGE_CACHE).mkdir()
        mounts += [
            Mount(host=given[FOLDER], inside=places.ANSWERS),
            Mount(host=given[DOWNLOADS], inside=places.DOWNLOADS),
        ]
        mounts += [Mount(host=inside / PACKAGE_CACHE, inside=places.PACKAGE_CACHE, writable=True)]
    with tempfile.TemporaryFile() as output:
        done = image.run(
            [PYTHON, "-I", "-S", PREPARE_TREE, SOURCE, CONFIG_FILES, *(mount.inside for mount in mounts[2:])],
            mounts=mounts,
            cwd=SOURCE,
            output=output,
        )
        if done.status:
            output.seek(0)
            words = visible(output.read().decode(errors="replace").strip())
            raise BuildError(f"the source could not be prepared:\n{words}")


def with_build_folder(document: dict[str, Any], inside: Path) -> dict[str, Any]:
    """Return a recipe, as pyodide-build is given it, by which meson-python builds in `MESON_FOLDER`.

    One with another backend, or with a folder of its own, is returned as it is.
    """
    build = document.get("build", {})
    flags = build.get("backend-flags") or ""
    words = flags if isinstance(flags, list) else str(flags).split()
    if _backend(inside) != "mesonpy" or any(str(word).startswith(("build-dir=", "builddir=")) for word in words):
        return document
    return document | {"build": build | {"backend-flags": "\n".join([*map(str, words), f"build-dir={MESON_FOLDER}"])}}


def _backend(inside: Path) -> str:
    """Return the backend that the source names; empty if it names none, or cannot be read."""
    try:
        with Door(inside) as door:
            text = door.read("source/pyproject.toml", limit=_LARGEST_PROJECT).decode()
        system = tomllib.loads(text).get("build-system", {})
        return str(system["build-backend"]) if not system.get("backend-path") else ""
    except (DoorError, OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return ""
