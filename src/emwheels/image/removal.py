"""Root file systems and work folders that are removed, however they look: nothing that is mounted in one is."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from emwheels.errors import ImageError


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
        # Both walk trees of any depth, and follow no link.
        for command in (["chmod", "--recursive", "u+rwX"], ["rm", "--recursive", "--force", "--one-file-system"]):
            done = subprocess.run([*command, "--", str(folder)], check=False, capture_output=True)
        if done.returncode and folder.exists():
            raise ImageError(f"{folder} could not be removed: {done.stderr[-500:].decode(errors='replace').strip()}")


def _mounts_below(folder: Path) -> list[Path]:
    """Return what is mounted below ``folder``, the deepest first, from Linux's list (proc_pid_mountinfo(5))."""
    lines = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    points = [Path(_OCTAL.sub(lambda code: chr(int(code[1], 8)), line.split(" ")[4])) for line in lines]
    return sorted((point for point in points if folder.resolve() in point.parents), reverse=True)


_OCTAL = re.compile(r"\\([0-7]{3})")
"""How spaces and the like are written in that list."""
