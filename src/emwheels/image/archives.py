"""Images in one compressed archive, to take them to another machine."""

from __future__ import annotations

import subprocess
import tarfile
from pathlib import PurePosixPath
from stat import S_ISREG
from typing import TYPE_CHECKING

from filelock import FileLock

from emwheels.atomic import replacing
from emwheels.errors import ImageError
from emwheels.image.debian import MARK, RECORD, image_folder, image_key, read_record
from emwheels.image.removal import remove_tree

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from emwheels.image.debian import ImageRecord
    from emwheels.target import ImagePins

_ABOVE_MARK = [str(path) for path in PurePosixPath(MARK).parents][:-1]


def save_images(cache: Path, images: Sequence[ImagePins], destination: Path) -> None:
    """Write ``images`` to one compressed archive. Raises `ImageError` when one of them is not finished."""
    folders = [image_folder(cache, pins) for pins in images]
    for pins, folder in zip(images, folders, strict=True):
        if read_record(folder) is None:
            raise ImageError(f"there is no finished {pins.part} image to save", hint="make it first: emwheels image")
    if not destination.name or (destination.exists() and not destination.is_file()):
        raise ImageError(f"{str(destination)!r} is no file to write to", hint="give the name of a new file")
    command = ["tar", "--create", "--gzip", "--numeric-owner", "--force-local", "--file", "-"]
    command += ["--directory", str(folders[0].parent), *(folder.name for folder in folders)]
    with replacing(destination) as stream:
        if subprocess.run(command, check=False, stdout=stream).returncode:
            raise ImageError(f"the images could not be written to {destination}", hint="is there room for about 1 GB?")


def load_images(cache: Path, images: Sequence[ImagePins], archive: Path) -> list[ImageRecord]:
    """Take those of ``images`` that `save_images` wrote to ``archive``, and return their records.

    All that is in it is taken or nothing. Raises `ImageError` when it is damaged or has an image of other pins.
    """
    folders = {image_folder(cache, pins).name: pins for pins in images}
    parent = cache / "images"
    parent.mkdir(parents=True, exist_ok=True)
    making = parent / "loading"
    with FileLock(f"{making}.lock"):
        remove_tree(making)
        if not archive.is_file() or not _is_archive(archive):
            raise ImageError(f"{archive} is not an archive", hint="it has to come from: emwheels image save FILE")
        making.mkdir()
        try:
            command = ["tar", "--extract", "--gzip", "--numeric-owner", "--force-local", "--file", str(archive)]
            done = subprocess.run([*command, "--directory", str(making)], check=False, capture_output=True)
            records = {folder: _record_of(folder) for folder in sorted(making.iterdir())}
            keys = {name: image_key(pins) for name, pins in folders.items()}
            if b"No space left" in done.stderr:
                raise ImageError("there is no room for the images", hint="they take about 2.5 GB; free some space")
            if done.returncode or not records or None in records.values():
                raise _unusable(archive, "is damaged")
            taken = {folder: record for folder, record in records.items() if record is not None}
            if any(keys.get(folder.name) != record.key for folder, record in taken.items()):
                raise _unusable(archive, "was made from other pins than targets.toml has")
            for folder in taken:
                place = parent / folder.name
                with FileLock(f"{place}.lock"):
                    if read_record(place) is None:  # one that is whole may be in use
                        remove_tree(place)
                        folder.replace(place)
        finally:
            remove_tree(making)
        return list(taken.values())


def _is_archive(path: Path) -> bool:
    try:
        return tarfile.is_tarfile(path)
    except (EOFError, OSError):
        return False


def _record_of(folder: Path) -> ImageRecord | None:
    """Return the record of an image that may be anything: no link of an archive is followed, and no fifo opened."""
    root = folder / "rootfs"
    real = all(path.is_dir() and not path.is_symlink() for path in (folder, root, *map(root.joinpath, _ABOVE_MARK)))
    if not real:
        return None
    try:
        plain = all(S_ISREG(path.lstat().st_mode) for path in (folder / RECORD, root / MARK))
    except OSError:
        return None
    return read_record(folder) if plain else None


def _unusable(archive: Path, what: str) -> ImageError:
    return ImageError(f"{archive} {what}", hint="save it again with the same checkout of the project")
