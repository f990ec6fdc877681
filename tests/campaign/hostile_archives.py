"""Archives of sources, as an attacker packs them."""

from __future__ import annotations

import os
import stat
import tarfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from hostile_ground import SECRET, BrokenError, Ground, bomb, tar, zip_with

from emwheels.fetch.archive import unpack

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def archives(ground: Ground) -> Iterator[tuple[str, Callable[[], str]]]:
    """Archives of sources: what leaves the folder, what is no file, what is too much."""
    victim = str(ground.victim)
    up = "../" * 12 + victim.lstrip("/")
    file, sym, hard = tarfile.REGTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE
    tars: dict[str, list[tuple[str, bytes, str, str]]] = {
        "an absolute path": [(f"{victim}/new", file, "", "evil")],
        "a path upwards": [(f"a/{up}/new", file, "", "evil")],
        "a link to a folder, then a file in it": [("a/l", sym, victim, ""), ("a/l/new", file, "", "evil")],
        "a relative link out": [("a/l", sym, up, ""), ("a/l/new", file, "", "evil")],
        "a link to a file, then that file": [("a/l", sym, f"{victim}/file", ""), ("a/l", file, "", "evil")],
        "a hard link to a file": [("a/l", hard, f"{victim}/file", ""), ("a/l", file, "", "evil")],
        "a chain of links": [("a/b", sym, ".", ""), ("a/b/c", sym, "..", ""), ("a/b/c/d", sym, "../..", "")],
        "a link to itself": [("a/l", sym, "l", "")],
        "a fifo": [("a/f", tarfile.FIFOTYPE, "", "")],
        "a character device": [("a/d", tarfile.CHRTYPE, "", "")],
        "a block device": [("a/d", tarfile.BLKTYPE, "", "")],
        "a file in place of a folder": [("a", file, "", "x"), ("a/b", file, "", "x")],
        "a name that ends in a dot": [("a/..", file, "", "x")],
        "a name with a NUL": [("a/b\0c", file, "", "x")],
        "a very long name": [("a/" + "n" * 5000, file, "", "x")],
        "a very deep name": [("a/" + "d/" * 3000 + "x", file, "", "x")],
        "an empty name": [("", file, "", "x")],
        "control characters": [("a/\x1b[2J\u202e", file, "", "x")],
    }
    for name, members in tars.items():
        yield name, partial(_unpack_tar, ground, members)
    for name, make in {
        "a truncated archive": lambda path: path.write_bytes(b"\x1f\x8b\x08\0" + b"x" * 50),
        "an empty file": lambda path: path.write_bytes(b""),
        "zeros": lambda path: path.write_bytes(b"\0" * 100_000),
        "a zip bomb": bomb,
        "a zip with a path upwards": partial(zip_with, name="../" * 12 + victim.lstrip("/") + "/new"),
        "a zip with a link": partial(zip_with, name="l", mode=stat.S_IFLNK | 0o777, data=victim),
        "a zip with a drive": partial(zip_with, name="C:/evil"),
        "a zip with backslashes": partial(zip_with, name="..\\..\\evil"),
    }.items():
        yield name, partial(_unpack_made, ground, make)


def _unpack_tar(ground: Ground, members: list[tuple[str, bytes, str, str]]) -> str:
    folder = ground.folder()
    unpack(tar(*members, path=folder / "a-1.0.tar.gz"), folder / "tree", strip_single_top=True)
    return _inside(folder / "tree", ground)


def _unpack_made(ground: Ground, make: Callable[[Path], object]) -> str:
    folder = ground.folder()
    archive = folder / "a-1.0.zip"
    make(archive)
    unpack(archive, folder / "tree", limit_bytes=50 << 20)
    return _inside(folder / "tree", ground)


def _inside(tree: Path, ground: Ground) -> str:
    for path in tree.rglob("*"):
        if path.is_symlink() and not Path(os.path.realpath(path)).is_relative_to(tree.resolve()):
            raise BrokenError(f"a link leads out: {path} -> {path.readlink()}")
        if path.is_file() and SECRET in path.read_text(errors="replace"):
            raise BrokenError(f"{path} is a file of the host")
    return "what is in it stays in its folder"
