"""The Rust layer: rustc, cargo and a standard library for WebAssembly, in a folder mounted over the build image.

It is kept as images are, in a folder of its own, and is a function of its packages and the script that makes it.
"""

from __future__ import annotations

import json
import platform
import re
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from filelock import FileLock

from emwheels.errors import ImageError
from emwheels.image.debian import MARK, PACKAGES, RECORD, data, image_folder, read_record, record_of
from emwheels.image.debs import pinned
from emwheels.image.holding import nobody_in
from emwheels.image.model import Mount
from emwheels.image.places import RUST
from emwheels.image.removal import remove_tree, replace_tree

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from emwheels.image.debian import ImageRecord
    from emwheels.image.debs import DebSet
    from emwheels.image.model import Image
    from emwheels.image.supply import Supply
    from emwheels.target import RustPins

SCRIPT = "inside/rust.sh"
"""The file of this room that makes the layer; it is part of the layer's digest."""
SOURCES = ("rust-src",)
"""The packages of which the standard library is built, and nothing is kept."""
_REGISTRY = "opt/emwheels/crates-registry"
_DEBS, _MAKING, _PROGRAM = "/mnt/debs", "/mnt/making", "/mnt/rust.sh"


@dataclass(frozen=True, kw_only=True)
class RustLayer:
    """A finished layer."""

    root: Path
    digest: str

    def mount(self) -> Mount:
        """Return the layer as a build sees it."""
        return Mount(host=self.root, inside=RUST)

    @property
    def registry(self) -> str:
        """The registry that its cargo asks by default, as cargo writes it: ``sparse+https://…``."""
        return (self.root / _REGISTRY).read_text().strip()


def packages_of(debs: DebSet) -> dict[str, str]:
    """Return the versions of all that a layer is made of, by name."""
    return {deb.name: deb.version for deb in debs}


def layer_digest(cache: Path, pins: RustPins) -> str:
    """Return the digest of the layer for ``pins``: of the one that is here, or that the pinned packages will make.

    Empty where it is not here and no packages are pinned for this machine.
    """
    if record := read_record(image_folder(cache, pins)):
        return record.digest
    debs = pinned(pins, platform.machine())
    return record_of(pins, packages_of(debs)).digest if debs else ""


def load_layer(cache: Path, pins: RustPins) -> RustLayer | None:
    """Return the layer that is here for ``pins``, or None."""
    folder = image_folder(cache, pins)
    record = read_record(folder)
    return RustLayer(root=folder / "rootfs", digest=record.digest) if record else None


def check_version(debs: DebSet, pins: RustPins) -> None:
    """Raise `ImageError` unless the packages have the rustc that ``pins`` ask for."""
    found = re.sub(r"[~+-].*", "", debs.versions.get("rustc", "none"))
    if found != pins.rust or not any(deb.name in SOURCES for deb in debs.taken):
        raise ImageError(
            f"the packages of Debian {pins.suite} have rustc {found} instead of {pins.rust}",
            hint="name a mirror that has the pinned packages in EMWHEELS_DEBIAN_SNAPSHOT, or write the version into "
            "[image.rust] of targets.toml, which builds every recipe in Rust again",
        )


def make_layer(
    cache: Path,
    pins: RustPins,
    debs: DebSet,
    supply: Supply,
    image: Image,
    *,
    say: Callable[[str], None],
    log: Path,
) -> ImageRecord:
    """Make the layer of ``debs`` inside of ``image``, and only then let it be found. Keeps one that is already whole.

    Raises `ImageError` when a file cannot be had or a step fails; ``log`` then holds its output.
    """
    check_version(debs, pins)
    folder = image_folder(cache, pins)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{folder}.lock"):
        if record := read_record(folder):
            return record
        making = folder.with_name(f"{folder.name}.making")
        remove_tree(making)
        making.mkdir()
        supply.gather(debs, making / "debs", say)
        say(f"rustc {pins.rust} and its standard library for WebAssembly (1-3 minutes)")
        root = making / "rootfs"
        _unpack_and_build(making, debs, image, log)
        record = record_of(pins, packages_of(debs))
        for name, text in (
            (PACKAGES, "".join(f"{each}\t{version}\n" for each, version in sorted(record.packages.items()))),
            (MARK, f"{record.digest}\n"),
        ):
            (root / name).write_text(text)
        for used in ("debs", "scratch"):
            remove_tree(making / used)
        (making / SCRIPT.rpartition("/")[2]).unlink()
        (making / RECORD).write_text(json.dumps(asdict(record), indent=1, sort_keys=True) + "\n")
        with nobody_in(folder):
            replace_tree(folder, making)
        return record


def _unpack_and_build(making: Path, debs: DebSet, image: Image, log: Path) -> None:
    script = making / SCRIPT.rpartition("/")[2]
    script.write_text(data(SCRIPT))
    for name in ("rootfs", "scratch"):
        (making / name).mkdir()
    files = [f"{_DEBS}/{deb.path}" for group in (debs.taken, debs.installed) for deb in sorted(group)]
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w+b") as output:
        done = image.run(
            ["sh", _PROGRAM, *files],
            mounts=[
                Mount(host=script, inside=_PROGRAM),
                Mount(host=making / "debs", inside=_DEBS),
                Mount(host=making / "rootfs", inside=RUST, writable=True),
                Mount(host=making / "scratch", inside=_MAKING, writable=True),
            ],
            output=output,
        )
    if done.status or done.reached:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-8:])
        raise ImageError(f"the Rust layer could not be made:\n{tail}", hint=f"the whole output is in {log}")
