"""Images in one compressed archive, to take them to another machine."""

from __future__ import annotations

import os
import re
import subprocess
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from stat import S_ISREG
from typing import IO, TYPE_CHECKING

from filelock import FileLock

from emwheels.atomic import replacing
from emwheels.errors import ImageError, UsageError
from emwheels.image.debian import (
    MARK,
    PACKAGES,
    RECORD,
    image_folder,
    image_key,
    installed_packages,
    read_record,
    record_of,
)
from emwheels.image.holding import in_use, nobody_in
from emwheels.image.removal import remove_tree, replace_tree

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from emwheels.image.debian import ImageRecord
    from emwheels.target import ImagePins

_ABOVE_MARK = [str(path) for path in PurePosixPath(MARK).parents][:-1]
_GZIP = b"\x1f\x8b"
"""What a compressed archive starts with (RFC 1952)."""
_NO_ROOM = re.compile(r"No space left on device|Disk quota exceeded|File too large")
_ROOM = "an image takes about 1.5 GB, in an archive half of that; free some space"


@dataclass(frozen=True, kw_only=True)
class LoadedImage:
    """An image that was in an archive."""

    record: ImageRecord
    new: bool
    """Whether it was taken from there; else the same one was here already."""


def check_destination(destination: Path) -> Path:
    """Return the file that an archive may be written to, links followed.

    Raises `UsageError` for what is there and is no file, such as a device, and where no folder is.
    """
    place = Path(os.path.realpath(destination))
    if place.exists() and not place.is_file():
        kind = "a folder" if place.is_dir() else "not a regular file"
        raise UsageError(f"{destination} is {kind}", hint="name a file to write, such as images.tar.gz")
    if not place.parent.is_dir():
        raise UsageError(f"{destination}: there is no folder {place.parent}", hint="make it, or name another file")
    return place


def save_images(cache: Path, images: Sequence[ImagePins], destination: Path) -> None:
    """Write ``images`` to one compressed archive, which appears whole or not at all.

    Raises `ImageError` when one of them is not finished or something cannot be written, `UsageError` for a destination
    that is no file.
    """
    place = check_destination(destination)
    folders = [image_folder(cache, pins) for pins in images]
    with ExitStack() as stack:
        for pins, folder in zip(images, folders, strict=True):
            stack.enter_context(in_use(folder))
            if read_record(folder) is None:
                raise ImageError(
                    f"there is no finished {pins.part} image to save", hint="make it first: emwheels image"
                )
        names = [folder.name for folder in folders]
        stream = stack.enter_context(replacing(place))
        said = _tar("--create", "--directory", str(folders[0].parent), *names, stdout=stream)
        if said is not None:
            raise ImageError(f"the images could not be written to {destination}:\n{said}", hint=_ROOM)


def load_images(cache: Path, images: Sequence[ImagePins], archive: Path) -> list[LoadedImage]:
    """Take those of ``images`` that `save_images` wrote to ``archive``; one that is here already stays as it is.

    All that is in it is taken or nothing. Raises `ImageError` when it is damaged or has an image of other pins, and
    when it has another image in place of one that is in use.
    """
    known = {image_folder(cache, pins).name: pins for pins in images}
    with _opened(archive) as stream:
        parent = cache / "images"
        parent.mkdir(parents=True, exist_ok=True)
        making = parent / "loading"
        with FileLock(f"{making}.lock"):
            remove_tree(making)
            making.mkdir()
            try:
                _unpack(stream, making, archive)
                return _placed(_verified(making, known, archive), parent)
            finally:
                remove_tree(making)


def _opened(archive: Path) -> IO[bytes]:
    """Open an archive. Raises `ImageError` for what is none: a fifo would wait for ever."""
    hint = "it has to come from: emwheels image save FILE"
    if not archive.exists():
        raise ImageError(f"{archive} does not exist", hint=hint)
    if not S_ISREG(archive.stat().st_mode):
        raise ImageError(f"{archive} is not a regular file", hint=hint)
    stream = archive.open("rb", buffering=0)
    if stream.read(len(_GZIP)) != _GZIP:
        stream.close()
        raise ImageError(f"{archive} is not an archive", hint=hint)
    stream.seek(0)
    return stream


def _unpack(stream: IO[bytes], folder: Path, archive: Path) -> None:
    # A user cannot make devices, and needs none: the way into an image brings its own.
    less = () if os.geteuid() == 0 else ("--exclude=*/rootfs/dev/*",)
    said = _tar("--extract", *less, "--directory", str(folder), stdin=stream)
    if said is not None and _NO_ROOM.search(said):
        raise ImageError(f"there is no room in {folder.parent} for the images of {archive}:\n{said}", hint=_ROOM)
    if said is not None:
        raise _unusable(archive, f"is damaged:\n{said}")


def _tar(
    *arguments: str, stdin: IO[bytes] | int = subprocess.DEVNULL, stdout: IO[bytes] | int = subprocess.DEVNULL
) -> str | None:
    """Run tar on a stream: a name could be taken for another machine's. Return what it said if it failed, else None."""
    command = ["tar", arguments[0], "--gzip", "--numeric-owner", "--file", "-", *arguments[1:]]
    environment = os.environ | {"LC_ALL": "C"}
    done = subprocess.run(command, stdin=stdin, stdout=stdout, stderr=subprocess.PIPE, env=environment, check=False)
    said = done.stderr.decode(errors="replace").strip().splitlines()
    return "\n".join(said[:3]) if done.returncode else None


def _verified(making: Path, known: Mapping[str, ImagePins], archive: Path) -> dict[Path, ImageRecord]:
    """Return the records of what was unpacked, each held against the packages and pins that its digest is made of."""
    records = {folder: _record_of(folder) for folder in sorted(making.iterdir())}
    if not records or None in records.values():
        raise _unusable(archive, "is damaged: it does not have an image's files")
    taken = {folder: record for folder, record in records.items() if record is not None}
    for folder, record in taken.items():
        pins = known.get(folder.name)
        if pins is None or record.key != image_key(pins):
            raise _unusable(archive, "was made from other pins than targets.toml has")
        try:
            packages = installed_packages(folder / "rootfs")
        except ValueError as error:
            raise _unusable(archive, f"is damaged: {PACKAGES} is not text") from error
        if record != record_of(pins, packages):
            raise _unusable(archive, f"is damaged: what the {pins.part} image holds does not give its digest")
    return taken


def _placed(taken: Mapping[Path, ImageRecord], parent: Path) -> list[LoadedImage]:
    """Move images to where they are found, all or none."""
    with ExitStack() as stack:
        loaded, moved = [], []
        for folder, record in taken.items():
            place = parent / folder.name
            stack.enter_context(FileLock(f"{place}.lock"))
            present = read_record(place)
            new = present is None or present.digest != record.digest
            if new:
                stack.enter_context(nobody_in(place))
                moved.append((place, folder))
            loaded.append(LoadedImage(record=record, new=new))
        for place, folder in moved:
            replace_tree(place, folder)
    return loaded


def _record_of(folder: Path) -> ImageRecord | None:
    """Return the record of an image that may be anything: no link of an archive is followed, and no fifo opened."""
    root = folder / "rootfs"
    real = all(path.is_dir() and not path.is_symlink() for path in (folder, root, *map(root.joinpath, _ABOVE_MARK)))
    if not real:
        return None
    try:
        plain = all(S_ISREG(path.lstat().st_mode) for path in (folder / RECORD, root / MARK, root / PACKAGES))
    except OSError:
        return None
    return read_record(folder) if plain else None


def _unusable(archive: Path, what: str) -> ImageError:
    return ImageError(f"{archive} {what}", hint="save it again with the same checkout of the project")
