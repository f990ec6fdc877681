"""Root file systems that are removed or replaced: nothing that is mounted in one is."""

from __future__ import annotations

import contextlib
import re
import shutil
import subprocess
from pathlib import Path

from emwheels.errors import ImageError


def remove_tree(folder: Path) -> None:
    """Remove a root file system, folders without write permission included. Another process may be at it as well.

    What mmdebstrap had mounted in it when it was killed, such as /proc, is unmounted first. Raises `ImageError` if that
    cannot be done: to remove files from there would be to remove the host's.
    """
    if folder.exists():
        for mounted in _mounts_below(folder):
            subprocess.run(["umount", "--lazy", str(mounted)], check=False, capture_output=True)
        if left := _mounts_below(folder):
            raise ImageError(
                f"{left[-1]} is still mounted, by a making of the image that was killed",
                hint=f"as root: umount --lazy {' '.join(map(str, left))}",
            )
        subprocess.run(["chmod", "-R", "u+rwX", str(folder)], check=False, capture_output=True)
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(folder)


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
