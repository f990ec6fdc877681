"""What images are made of, for other machines and for later: pinned by hash, and written to a mirror."""

from __future__ import annotations

import platform
import tempfile
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from emwheels.atomic import write_atomically
from emwheels.errors import ImageError, UsageError
from emwheels.image.debs import PINNED, pinned, write_pins
from emwheels.image.making import fetch_pyodide_build
from emwheels.image.offer import accepted
from emwheels.image.supply import SUMS, WHEELS, sha256_of_file
from emwheels.target import BuildImagePins

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from emwheels.fetch.fetcher import Fetcher
    from emwheels.image.debs import DebSet
    from emwheels.image.supply import Supply
    from emwheels.target import ImagePins


def check_folder(folder: Path) -> None:
    """Raise `UsageError` unless a mirror can be written to ``folder``: a new one, an empty one, or a mirror."""
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise UsageError(f"{folder} is not a folder", hint="name a folder for the mirror")
    if folder.is_dir() and any(folder.iterdir()) and not (folder / "pool").is_dir():
        raise UsageError(f"{folder} has other things in it", hint="name a new folder, or one that has a mirror")


def write_mirror(
    folder: Path,
    images: Sequence[ImagePins],
    supply: Supply,
    fetcher: Fetcher,
    *,
    say: Callable[[str], None],
    sets: Sequence[DebSet] | None = None,
) -> int:
    """Write all that ``images`` are made of to ``folder``, and return its bytes. What is there and right stays.

    Its list comes last, so that a folder without one is not whole. ``sets`` are the packages of each image, the pinned
    ones by default. Raises `ImageError` for what cannot be had.
    """
    check_folder(folder)
    if not supply.places:
        raise ImageError(
            "there is no place that may have the packages: offline, an address does not count",
            hint="run the command without --offline, or set EMWHEELS_DEBIAN_MIRROR",
        )
    folder.mkdir(parents=True, exist_ok=True)
    chosen = list(sets) if sets is not None else [_pinned(pins) for pins in images]
    for pins, debs in zip(images, chosen, strict=True):
        say(f"the packages of the {pins.part} image")
        supply.gather(debs, folder, say)
        if isinstance(pins, BuildImagePins):
            _write_wheels(folder / WHEELS, pins, supply, fetcher)
    text = write_pins(list(zip(images, chosen, strict=True)), platform.machine())
    write_atomically(folder / PINNED, text.encode())
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _pinned(pins: ImagePins) -> DebSet:
    debs = pinned(pins, platform.machine())
    if debs is None:
        raise ImageError(
            f"no packages are pinned for the {pins.part} image as targets.toml has it, on {platform.machine()}",
            hint="pin those of today first: emwheels image pin",
        )
    return debs


def _write_wheels(folder: Path, pins: BuildImagePins, supply: Supply, fetcher: Fetcher) -> None:
    with tempfile.TemporaryDirectory(prefix="emwheels-mirror-") as scratch:
        fetched = Path(scratch) / "wheels"
        fetch_pyodide_build(fetched, pins, supply, fetcher)
        wheels = sorted(fetched.glob("*.whl"))
        folder.mkdir(exist_ok=True)
        for wheel in wheels:
            write_atomically(folder / wheel.name, wheel.read_bytes())
        listed = "".join(f"{sha256_of_file(wheel)}  {wheel.name}\n" for wheel in wheels)
    write_atomically(folder / SUMS, listed.encode())


def pin_packages(images: Sequence[ImagePins], suite: Callable[[ImagePins], DebSet]) -> tuple[Path, list[DebSet]]:
    """Pin the packages that the ``suite`` has today for ``images``, in this room's own file, and return both.

    Raises `ImageError` when the suite has a compiler that targets.toml does not ask for or accept.
    """
    sets = [suite(pins) for pins in images]
    for pins, debs in zip(images, sets, strict=True):
        if accepted(pins, debs).proof:
            raise ImageError(
                f"Debian {pins.suite} has another compiler than targets.toml asks for",
                hint="prove it first (emwheels image try), write it into [image.build], and pin again",
            )
    path = Path(str(files("emwheels.image").joinpath(PINNED)))
    text = write_pins(list(zip(images, sets, strict=True)), platform.machine())
    write_atomically(path, text.encode())
    return path, sets
