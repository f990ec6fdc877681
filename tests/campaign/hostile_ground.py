"""What every attack has: a folder of its own, a victim that none may read or write, and things to lay there."""

from __future__ import annotations

import io
import itertools
import os
import stat
import tarfile
import zipfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

SECRET = "a secret of the host"
SHA256 = "0123456789abcdef" * 4


class BrokenError(Exception):
    """The attack got through; the message says how."""


class Ground:
    """A folder for each attack, beside a victim that none may read or write."""

    def __init__(self, folder: Path) -> None:
        self._root, self._numbers = folder / "files", itertools.count()
        self.victim = folder / "victim-of-files"
        self.victim.mkdir()
        (self.victim / "file").write_text(SECRET)

    def folder(self) -> Path:
        """Return a new folder."""
        folder = self._root / str(next(self._numbers))
        folder.mkdir(parents=True)
        return folder

    def check(self) -> None:
        """Raise `BrokenError` where the victim is not as it was."""
        if sorted(path.name for path in self.victim.iterdir()) != ["file"] or self.read() != SECRET:
            raise BrokenError(f"the host wrote outside: {[*self.victim.iterdir()]}")

    def read(self) -> str:
        """Return what is in the victim's file."""
        return (self.victim / "file").read_text()


def tar(*members: tuple[str, bytes, str, str], path: Path) -> Path:
    """Write a tar of (name, type, link target, content)."""
    with tarfile.open(path, "w:gz") as tar:
        for name, kind, link, content in members:
            info = tarfile.TarInfo(name)
            info.type, info.linkname, info.size = kind, link, len(content) if kind == tarfile.REGTYPE else 0
            tar.addfile(info, io.BytesIO(content.encode()))
    return path


def bomb(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(20):
            archive.writestr(f"zeros{number}", bytes(10 << 20))


def zip_with(path: Path, *, name: str, mode: int = stat.S_IFREG | 0o644, data: str = "evil") -> None:
    with zipfile.ZipFile(path, "w") as archive:
        info = zipfile.ZipInfo("x")
        info.filename, info.external_attr = name, mode << 16
        archive.writestr(info, data)


PLAIN = f"package:\n  name: demo\n  version: '1.0'\nsource:\n  url: pkg:pypi/demo@1.0\n  sha256: {SHA256}\n"


def lay(path: Path, what: str, ground: Ground) -> None:
    match what:
        case "fifo":
            os.mkfifo(path)
        case "zero":
            path.symlink_to("/dev/zero")
        case "secret":
            path.symlink_to(ground.victim / "file")
        case "folder":
            path.mkdir()
        case "ring":
            path.symlink_to(path.name)
