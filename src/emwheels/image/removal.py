"""Root file systems and work folders that are removed, however they look: nothing that is mounted in one is."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from emwheels.atomic import left_unfinished
from emwheels.errors import ImageError

if TYPE_CHECKING:
    from collections.abc import Iterator


def remove_tree(folder: Path) -> None:
    """Remove a folder, deep ones and those without write permission included. Another process may be at it as well.

    What mmdebstrap had mounted in it when it was killed, such as /proc, is unmounted first. Raises `ImageError` if that
    cannot be done: to remove files from there would be to remove the host's.
    """
    if folder.is_symlink():
        folder.unlink()
    elif folder.exists():
        for mounted in _mounts_below(folder):
            subprocess.run(["umount", "--lazy", str(mounted)], check=False, capture_output=True)
        if left := _mounts_below(folder):
            raise ImageError(
                f"{left[-1]} is still mounted, by a making of the image that was killed",
                hint=f"as root: umount --lazy {' '.join(map(str, left))}",
            )
        with contextlib.suppress(FileNotFoundError):
            _remove(folder)


_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def _remove(folder: Path) -> None:
    """Remove a tree of any depth: by one descriptor, without recursion, and without a program that a stop would end."""
    current = os.open(folder.parent, _FOLDER)
    waiting, path = [[folder.name]], list[str]()
    try:
        while waiting:
            if waiting[-1]:
                path.append(waiting[-1].pop())
                below = _opened(path[-1], current)
                os.close(current)
                current = below
                waiting.append(_emptied(current))
                continue
            waiting.pop()
            if path:
                above = os.open("..", _FOLDER, dir_fd=current)
                os.close(current)
                current = above
                os.rmdir(path.pop(), dir_fd=current)
    finally:
        os.close(current)


def _opened(name: str, parent: int) -> int:
    """Open a folder and make it one whose entries can be removed."""
    try:
        folder = os.open(name, _FOLDER, dir_fd=parent)
    except PermissionError:
        os.chmod(name, 0o700, dir_fd=parent)
        folder = os.open(name, _FOLDER, dir_fd=parent)
    if os.fstat(folder).st_mode & 0o700 != 0o700:
        with contextlib.suppress(PermissionError):  # somebody else's; what follows says so
            os.fchmod(folder, 0o700)
    return folder


def _emptied(folder: int) -> list[str]:
    """Remove all entries of a folder but folders, and return the names of these."""
    folders = []
    for name in os.listdir(folder):
        try:
            os.unlink(name, dir_fd=folder)
        except IsADirectoryError:
            folders.append(name)
    return folders


def unfinished_folders(cache: Path) -> Iterator[Path]:
    """Yield what killed processes left in the cache of images, and of what belongs to them.

    Nobody else gets at one before you ask for the next; those that another process works on are left out.
    """
    for name in ("npm", "xbuildenvs"):
        yield from left_unfinished(cache / name)
    images = cache / "images"
    for folder in sorted(path for path in (*images.glob("*.making"), images / "loading") if path.is_dir()):
        with contextlib.suppress(Timeout), FileLock(images / f"{folder.name.removesuffix('.making')}.lock", timeout=0):
            if folder.is_dir():
                yield folder


def replace_tree(place: Path, new: Path) -> None:
    """Put the root file system ``new`` where ``place`` is or not: neither is ever found there in part."""
    aside = place.with_name(f"{place.name}.old")
    remove_tree(aside)
    with contextlib.suppress(FileNotFoundError):
        place.rename(aside)
    new.rename(place)
    remove_tree(aside)


def _mounts_below(folder: Path) -> list[Path]:
    """Return what is mounted below ``folder``, the deepest first, from Linux's list (proc_pid_mountinfo(5))."""
    lines = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    points = [Path(_OCTAL.sub(lambda code: chr(int(code[1], 8)), line.split(" ")[4])) for line in lines]
    return sorted((point for point in points if folder.resolve() in point.parents), reverse=True)


_OCTAL = re.compile(r"\\([0-7]{3})")
"""How spaces and the like are written in that list."""
