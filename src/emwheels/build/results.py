"""What a build left, as the host takes it: a wheel, or the files of a library in an archive."""

from __future__ import annotations

import gzip
import io
import posixpath
import re
import tarfile
from typing import TYPE_CHECKING

from emwheels.build.libraries import LICENCES
from emwheels.build.same_bytes import EPOCH
from emwheels.errors import BuildError
from emwheels.image.door import Door, DoorError, Left

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from emwheels.build.workplace import Workplace
    from emwheels.recipe.model import Recipe

_LICENCES = re.compile(r"(licen[cs]e|copying|copyright|notice)", re.IGNORECASE)
_LARGEST_LICENCE = 4 << 20
_LIBRARIES = "build/.libs"
_LARGEST_COUNTERS = 64 << 20


def take_wheel(place: Workplace, recipe: Recipe, log: Path) -> Path:
    """Return the one wheel that the build made, copied. Raises `BuildError` for none, or more than one."""
    dist = f"packages/{recipe.spelling}/dist"
    with Door(place.inside) as door:
        names = [left.path for left in door.files(dist) if left.path.endswith(".whl") and left.path.count("/") == 3]
        if len(names) != 1:
            raise BuildError(f"{recipe.name}: the build made {len(names)} wheels instead of one", hint=f"see {log}")
        wheel = place.taken("wheel") / names[0].rpartition("/")[2]
        door.take(names[0], wheel)
    return wheel


def read_counters(place: Workplace, name: str) -> str:
    """Return the file ``name`` of the build's folder, in which counters are noted; nothing if it cannot be taken."""
    try:
        with Door(place.inside) as door:
            return door.read(name, limit=_LARGEST_COUNTERS).decode(errors="replace")
    except DoorError:
        return ""


def pack_libraries(place: Workplace, recipe: Recipe, given: frozenset[str]) -> Path:
    """Pack what the recipe installed into ${WASM_LIBRARY_DIR}: same files, same bytes.

    ``given`` are the files that were there before the build. A library carries the licence files of its source, unless
    its own build has installed some. Raises `BuildError` where nothing is installed, or a link leads elsewhere.
    """
    archive = place.taken("archive") / f"{recipe.spelling}-{recipe.version}.tar.gz"
    with (
        Door(place.inside) as door,
        archive.open("xb") as raw,
        gzip.GzipFile(filename="", fileobj=raw, mode="wb", mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        made = {left.path.removeprefix(f"{_LIBRARIES}/"): left for left in door.files(_LIBRARIES)}
        members = {name: left for name, left in made.items() if name not in given}
        licences = f"{LICENCES}/{recipe.spelling}"
        if not any(name.startswith(f"{licences}/") for name in members):
            members |= {f"{licences}/{left.path.rpartition('/')[2]}": left for left in _licences(door)}
        if not members:
            raise BuildError(
                f"{recipe.name} installed nothing into ${{WASM_LIBRARY_DIR}}", hint="check its build script"
            )
        for name, left in sorted(members.items()):
            _add(tar, name, left, door)
    return archive


def _licences(door: Door) -> Iterator[Left]:
    for left in door.files("source", deep=False):
        name = left.path.rpartition("/")[2]
        if left.link is None and left.size <= _LARGEST_LICENCE and _LICENCES.match(name):
            yield left


def _add(tar: tarfile.TarFile, name: str, left: Left, door: Door) -> None:
    info = tarfile.TarInfo(name)
    info.mtime = EPOCH
    info.mode = 0o755 if left.executable or left.link is not None else 0o644
    if left.link is None:
        with door.opened(left.path) as stream:
            info.size = left.size
            tar.addfile(info, stream)
        return
    target = posixpath.normpath(posixpath.join(posixpath.dirname(name), left.link))
    if target.startswith(("/", "../")) or target == "..":
        raise BuildError(
            f"{name} in ${{WASM_LIBRARY_DIR}} is a link to {left.link}, which is not there for others",
            hint="make it a relative link to a file below ${WASM_LIBRARY_DIR}, or copy the file",
        )
    info.type, info.linkname = tarfile.SYMTYPE, left.link
    tar.addfile(info, io.BytesIO())
