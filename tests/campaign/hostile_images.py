"""What images are made of, as an attacker fills a mirror, packs a layer or writes a list."""

from __future__ import annotations

import dataclasses
import gzip
import hashlib
import stat
import tarfile
from functools import partial
from typing import TYPE_CHECKING

from hostile_ground import SECRET, BrokenError, Ground, lay
from image_registry import archive, digest_of, folder, hard_link, link, member
from small_debs import make_deb

from emwheels.errors import ImageError
from emwheels.image.debian import image_folder
from emwheels.image.debs import DebSet, pinned, read_records
from emwheels.image.layers import Layers
from emwheels.image.mirror import write_mirror
from emwheels.image.moved import candidate_for
from emwheels.image.supply import SUMS, WHEELS, Place, Supply, write_repository
from emwheels.target import BuildImagePins, ImagePins

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from emwheels.image.debs import Deb

_PINS = ImagePins(part="test", suite="sid", packages={"a": ""})
_BUILD = BuildImagePins(
    part="build", suite="sid", packages={}, emscripten="6.0.5", llvm="21", pythons=("3.14",), pyodide_build="0.39"
)
_LINE = "a 1.0 pool/main/a/a/a_1.0_all.deb 1 " + "0" * 64


def images(ground: Ground) -> Iterator[tuple[str, Callable[[], str]]]:
    """Lists that pin packages, mirrors, notes of compilers, layers."""
    for name, line in {
        "a path upwards": _LINE.replace("main", ".."), "an absolute path": _LINE.replace("pool", "/pool"),
        "a hidden folder": _LINE.replace("main", ".git"), "a name that is an option": f"--x{_LINE[1:]}",
        "a version with a shell": _LINE.replace("1.0 ", "$(id) "), "a short hash": _LINE[:-1],
        "a size without end": _LINE.replace(" 1 ", f" {'9' * 5000} "), "a negative size": _LINE.replace(" 1 ", " -1 "),
        "a path with a space": _LINE.replace("_all", " all"), "one word": "a", "control characters": "\\u001b[2J",
    }.items():  # fmt: skip
        yield f"a pinned package: {name}", partial(_pinned, f'installed = ["{line}"]')
    for name, text in {
        "a number in place of a list": "installed = 1", "a table": "installed = {a = 1}", "no text": "installed = [1]",
        "deep": f"installed = {'[' * 3000}", "half a file": "installed = [", "dates": "installed = [2026-11-28]",
    }.items():  # fmt: skip
        yield f"a list of packages: {name}", partial(_pinned, text)
    for name, path in {"upwards": "../../x.deb", "absolute": "/etc/x.deb", "a query": "pool/x.deb?y"}.items():
        yield f"a suite's record: {name}", partial(_record, path)
    for what in ("fifo", "zero", "secret", "folder", "ring"):
        yield f"a mirror's package that is a {what}", partial(_mirror, ground, what)
        yield f"a mirror's list of wheels that is a {what}", partial(_sums, ground, what)
        yield f"a note of a compiler that is a {what}", partial(_note, ground, what)
    yield "a package of another content", partial(_mirror, ground, "")
    yield "a package under another's name", partial(_other, ground)
    yield "a mirror into a folder that is a link", partial(_linked_mirror, ground)
    yield "a wheel of another content", partial(_sums, ground, "")
    for name, members in _layers(str(ground.victim)).items():
        yield f"a layer: {name}", partial(_unpack, ground, members)
    for name, data in {
        "no gzip": b"x" * 500,
        "half": gzip.compress(archive(member("a", b"x" * 5000)))[:-40],
        "empty": b"",
    }.items():
        yield f"a layer that is damaged: {name}", partial(_unpack_data, ground, data)


def _pinned(text: str) -> str:
    debs = pinned(_PINS, "x86_64", f'[test]\nmade_for = "sid amd64 a"\n{text}\n')
    if debs is not None and debs.installed:
        raise BrokenError(f"it is taken: {debs}")
    return "nothing is pinned"


def _record(path: str) -> str:
    text = f"Package: a\nVersion: 1\nFilename: {path}\nSize: 1\nSHA256: {'0' * 64}\n"
    raise BrokenError(f"it is taken: {read_records(text)}")


def _suite(ground: Ground) -> tuple[Path, Deb]:
    mirror = ground.folder()
    return mirror, make_deb(mirror, "a", "1.0", {"usr/bin/a": b"right"})


def _mirror(ground: Ground, what: str) -> str:
    mirror, deb = _suite(ground)
    path = mirror / deb.path
    size = path.stat().st_size
    path.unlink()
    if what:
        lay(path, what, ground)
    else:
        path.write_bytes(b"x" * size)
    got = ground.folder()
    supply = Supply([Place(address=str(mirror), kind="mirror")])
    supply.lacking([deb])
    try:
        write_mirror(got, [_PINS], supply, None, say=lambda _: None, sets=[DebSet(installed=(deb,))])  # type: ignore[arg-type]
    except ImageError:
        if left := [file for file in got.rglob("*") if file.is_file()]:
            raise BrokenError(f"it was kept: {left}") from None
        raise
    raise BrokenError("it was taken")


def _other(ground: Ground) -> str:
    mirror, deb = _suite(ground)
    write_repository(mirror, [dataclasses.replace(deb, name="b")])
    raise BrokenError("it is listed under another name")


def _linked_mirror(ground: Ground) -> str:
    mirror, deb = _suite(ground)
    target = ground.folder() / "link"
    target.symlink_to(ground.victim)
    supply = Supply([Place(address=str(mirror), kind="mirror")])
    write_mirror(target, [_PINS], supply, None, say=lambda _: None, sets=[DebSet(installed=(deb,))])  # type: ignore[arg-type]
    raise BrokenError("it was written through a link")


def _sums(ground: Ground, what: str) -> str:
    mirror, got = ground.folder(), ground.folder()
    (mirror / WHEELS).mkdir()
    digest = hashlib.sha256(b"right").hexdigest()
    (mirror / WHEELS / "a.whl").write_bytes(b"wrong")
    if what:
        lay(mirror / WHEELS / SUMS, what, ground)
    else:
        (mirror / WHEELS / SUMS).write_text(f"{digest}  a.whl\n{digest}  ../../x\n{digest}  -x\n")
    taken = Supply([Place(address=str(mirror), kind="mirror")]).take_listed(WHEELS, {digest}, got)
    if any(got.iterdir()) or SECRET in str(taken):
        raise BrokenError(f"it was taken: {[*got.iterdir()]}")
    return "nothing is taken"


def _note(ground: Ground, what: str) -> str:
    cache = ground.folder()
    (cache / "images").mkdir()
    lay(cache / "images" / f"{image_folder(cache, _BUILD).name}.moved.json", what, ground)
    if candidate_for(cache, _BUILD) is not None:
        raise BrokenError("it is believed")
    return "no compiler is noted"


def _layers(victim: str) -> dict[str, list[tuple[tarfile.TarInfo, bytes]]]:
    up = "../" * 12 + victim.lstrip("/")
    return {
        "an absolute path": [member(f"{victim}/new", b"evil")],
        "a path upwards": [member(f"a/{up}/new", b"evil")],
        "a link out, then a file in it": [folder("a"), link("a/l", victim), member("a/l/new", b"evil")],
        "a relative link out, then a file in it": [folder("a"), link("a/l", up), member("a/l/new", b"evil")],
        "a link to a file, then that file": [link("l", f"{victim}/file"), member("l", b"evil")],
        "a hard link out": [hard_link("l", f"{victim}/file"), member("l", b"evil")],
        "a hard link through a link": [link("l", victim), hard_link("h", "l/file"), member("h", b"evil")],
        "a folder that becomes a link": [folder("a"), member("a/b", b"x"), link("a", victim), member("a/new", b"evil")],
        "a whiteout through a link": [link("l", victim), member("l/.wh.file")],
        "an opaque whiteout through a link": [link("l", victim), member("l/.wh..wh..opq")],
        "a whiteout of what is above": [member("a/.wh...")],
        "a device": [member("d", type=tarfile.CHRTYPE, devmajor=1, devminor=5)],
        "a fifo": [member("f", type=tarfile.FIFOTYPE)],
        "a ring of links": [link("a", "b"), link("b", "a"), member("a/x", b"evil")],
        "etc as a link out": [link("etc", victim), member("etc/passwd", b"evil")],
        "tmp as a link out": [link("tmp", victim)],
        "a very deep name": [member("d/" * 3000 + "x", b"x")],
        "a file of root's own": [member("s", b"x", mode=0o6755)],
    }


def _unpack(ground: Ground, members: list[tuple[tarfile.TarInfo, bytes]]) -> str:
    data = archive(*members)
    return _unpack_data(ground, gzip.compress(data), digest_of(data))


def _unpack_data(ground: Ground, data: bytes, diff_id: str = f"sha256:{'0' * 64}") -> str:
    place = ground.folder()
    for name in ("rootfs", "removed"):
        (place / name).mkdir()
    (place / "layer").write_bytes(data)
    with Layers(place / "rootfs", place / "removed") as root:
        root.add(place / "layer", diff_id)
        root.finish()
    if (ground.victim / "file").stat().st_nlink != 1:
        raise BrokenError("a file of the host has another name in the image")
    if wrong := [path for path in (place / "rootfs").rglob("*") if _is_wrong(path)]:
        raise BrokenError(f"it is in the image: {wrong}")
    return "it stays inside"


def _is_wrong(path: Path) -> bool:
    facts = path.lstat()
    special = not (stat.S_ISREG(facts.st_mode) or stat.S_ISDIR(facts.st_mode) or stat.S_ISLNK(facts.st_mode))
    return special or bool(stat.S_ISREG(facts.st_mode) and facts.st_mode & 0o6000)
