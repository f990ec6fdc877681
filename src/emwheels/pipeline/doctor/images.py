"""Which images there are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from emwheels.errors import ImageError
from emwheels.image import debian, oci, pull
from emwheels.pipeline.doctor.model import Observation, fault, observed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from emwheels.target import ImagePins, Targets


def missing_parts(cache: Path, targets: Targets) -> list[str]:
    """Return which of the images that builds need would have to be made on this machine."""
    return [
        pins.part
        for pins in (targets.image, targets.test_image)
        if not oci.configured_reference(pins) and debian.read_record(debian.image_folder(cache, pins)) is None
    ]


def any_root(cache: Path, targets: Targets) -> Path | None:
    """Return the root file system of an image that is here, to try the ways in."""
    folders = (debian.image_folder(cache, pins) for pins in (targets.image, targets.test_image))
    return next((folder / "rootfs" for folder in folders if debian.read_record(folder) is not None), None)


def pulled_root(cache: Path, reference: str) -> Path | None:
    """Return the root file system of a published image, if emwheels has pulled it itself."""
    digest = reference.rpartition("@")[2]
    return pull.pulled_folder(cache, digest) / "rootfs" if pull.is_pulled(cache, digest) else None


def image(cache: Path, pins: ImagePins) -> Observation:
    """Return whether there is an image for ``pins``, and what it is."""
    name = f"{pins.part} image"
    if reference := oci.configured_reference(pins):
        try:
            oci.digest_of(reference, pins.part)
        except ImageError as error:
            return fault(name, error.message, error.hint, stops=pins.part == "build")
        return observed(name, f"published, {reference}")
    folder = debian.image_folder(cache, pins)
    record = debian.read_record(folder)
    if record is not None:
        return observed(name, f"{record.digest}, {len(record.packages)} packages of Debian {record.suite}, {folder}")
    others = [other for other in folder.parent.glob(f"*/{debian.RECORD}") if other.parent.name != folder.name]
    detail = f"not made yet{f'; {len(others)} images are of other pins or parts' if others else ''}"
    return fault(name, detail, f"your first build makes it, as does: emwheels image --part {pins.part}")


def rust_layer(cache: Path, targets: Targets) -> Iterator[Observation]:
    """Yield whether the layer for recipes in Rust is there; without one, nothing else is worse."""
    if (pins := targets.rust) is not None:
        folder = debian.image_folder(cache, pins)
        record = debian.read_record(folder)
        there = f"{record.digest}, rustc {pins.rust}, {folder}" if record else ""
        yield observed("Rust layer", there or "not made yet: your first recipe in Rust makes it")
