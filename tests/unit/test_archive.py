from __future__ import annotations

import gzip
import io
import os
import stat
import tarfile
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emwheels.errors import FetchError
from emwheels.fetch.archive import NoFolderError, unpack


def entry(name: str, content: bytes | None = b"x", **fields: Any) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.mtime = 1_600_000_000
    for key, value in fields.items():
        setattr(info, key, value)
    info.size = len(content or b"")
    return info, content or b""


def link(name: str, target: str, kind: bytes = tarfile.SYMTYPE) -> tuple[tarfile.TarInfo, bytes]:
    return entry(name, None, type=kind, linkname=target)


def make_tar(path: Path, *entries: tuple[tarfile.TarInfo, bytes], mode: str = "w") -> Path:
    with tarfile.open(path, mode) as tar:  # type: ignore[call-overload]
        for info, content in entries:
            tar.addfile(info, io.BytesIO(content))
    return path


def refused(archive: Path, match: str, **options: Any) -> None:
    """The archive is refused by name, and nothing is left beside it."""
    before = sorted(archive.parent.rglob("*"))
    with pytest.raises(FetchError, match=match) as caught:
        unpack(archive, archive.parent / "out", **options)
    assert archive.name in caught.value.message
    assert sorted(archive.parent.rglob("*")) == before


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_tar_keeps_content_executable_bit_and_time(tmp_path: Path, mode: str) -> None:
    folder = entry("p-1/sub", None, type=tarfile.DIRTYPE)
    run = entry("p-1/sub/run", b"#!/bin/sh", mode=0o4775)
    archive = make_tar(
        tmp_path / "a", folder, run, link("p-1/l", "sub/run"), link("p-1/h", "p-1/sub/run", tarfile.LNKTYPE), mode=mode
    )
    out = unpack(archive, tmp_path / "out", strip_single_top=True)
    assert out == tmp_path / "out"
    assert (out / "sub/run").read_bytes() == (out / "l").read_bytes() == (out / "h").read_bytes() == b"#!/bin/sh"
    assert stat.S_IMODE((out / "sub/run").stat().st_mode) == 0o755
    assert (out / "sub/run").stat().st_mtime == (out / "sub").stat().st_mtime == 1_600_000_000
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a", "out"]


def test_zip_and_wheel(tmp_path: Path) -> None:
    archive = tmp_path / "a.whl"
    with zipfile.ZipFile(archive, "w") as file:
        info = zipfile.ZipInfo("pkg/run", (2020, 1, 2, 3, 4, 6))
        info.external_attr = (stat.S_IFREG | 0o755) << 16
        file.writestr(info, "x")
        file.writestr("pkg/plain", "y")
        info = zipfile.ZipInfo("pkg/link")
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        file.writestr(info, "plain")
        file.mkdir("empty")
    out = unpack(archive, tmp_path / "deep" / "out")
    assert (out / "pkg/link").read_text() == "y"
    assert os.access(out / "pkg/run", os.X_OK)
    assert not os.access(out / "pkg/plain", os.X_OK)
    assert (out / "pkg/run").stat().st_mtime == 1577934246
    assert (out / "empty").is_dir()


@pytest.mark.parametrize(
    ("entries", "match"),
    [
        ([entry("../evil")], r"'\.\./evil' leads out"),
        ([entry("a/../../evil")], "leads out"),
        ([entry("/tmp/evil")], "leads out"),
        ([link("l", "/etc/passwd")], "absolute path"),
        ([link("l", "../../x")], "symlink that leads out"),
        ([link("d", "."), link("l", "d/../x")], "symlink that leads out"),
        ([link("a/b/up", "../.."), link("l", "a/b/up/../x")], "symlink that leads out"),
        ([link("l", ".."), entry("l/evil")], "'l'"),
        ([entry("l/evil"), link("l", "..")], "cannot be unpacked"),
        ([link("l", ".."), entry("l")], "as a symlink too"),
        ([link(".", "x")], "no source needs"),
        ([link("h", "../x", tarfile.LNKTYPE)], "leads out"),
        ([link("h", "/etc/passwd", tarfile.LNKTYPE)], "leads out"),
        ([link("s", "/etc/passwd"), link("h", "s", tarfile.LNKTYPE)], "absolute"),
        ([link("h", "nothing", tarfile.LNKTYPE)], "hard link"),
        ([link("h", "h", tarfile.LNKTYPE)], "hard link"),
        ([entry("dev", None, type=tarfile.CHRTYPE)], "device"),
        ([entry("fifo", None, type=tarfile.FIFOTYPE)], "fifo"),
        ([entry("n" * 1025)], "no source needs"),
        ([entry("a"), entry("a/b")], "cannot be unpacked"),
    ],
)
def test_hostile_tar(tmp_path: Path, entries: list[tuple[tarfile.TarInfo, bytes]], match: str) -> None:
    refused(make_tar(tmp_path / "bad.tar", *entries), match)


def test_a_link_must_stay_inside_what_stripping_leaves(tmp_path: Path) -> None:
    archive = make_tar(tmp_path / "a.tar", entry("top/x"), link("top/l", "../y"))
    refused(archive, "leads out", strip_single_top=True)
    assert (unpack(archive, tmp_path / "out") / "top/l").is_symlink()


def test_only_one_folder_is_kept(tmp_path: Path) -> None:
    links = (link("top/in/l", "x"), link("other/l", "../top/in/x"), link("top/to", "in"))
    archive = make_tar(tmp_path / "a.tar", entry("top/in/x", b"kept"), entry("top/y"), entry("other/z"), *links)
    out = unpack(archive, tmp_path / "out", strip_single_top=True, only="top/in")
    assert {path.name: path.read_bytes() for path in out.iterdir()} == {"x": b"kept", "l": b"kept"}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.tar", "out"]


@pytest.mark.parametrize("only", ["none", "top/x", "top/to", "top/to/deeper", "../out", "top/../top"])
def test_a_folder_that_is_not_there_or_leads_elsewhere(tmp_path: Path, only: str) -> None:
    archive = make_tar(tmp_path / "a.tar", entry("top/x"), entry("top/in/deeper/y"), link("top/to", "in"))
    with pytest.raises(NoFolderError, match="has no folder") as caught:
        unpack(archive, tmp_path / "out", only=only)
    assert caught.value.hint == "at its top are: top"
    assert [path.name for path in tmp_path.iterdir()] == ["a.tar"]


def test_a_link_must_stay_inside_the_folder_that_is_kept(tmp_path: Path) -> None:
    archive = make_tar(tmp_path / "a.tar", entry("top/y"), entry("top/in/x"), link("top/in/l", "../y"))
    refused(archive, "leads out", only="top/in")


@pytest.mark.parametrize(
    ("name", "kind", "match"),
    [
        ("../evil", 0, "leads out"),
        ("/evil", 0, "leads out"),
        ("l", stat.S_IFLNK, "leads out"),
        ("f", stat.S_IFIFO, "fifo"),
    ],
)
def test_hostile_zip(tmp_path: Path, name: str, kind: int, match: str) -> None:
    info = zipfile.ZipInfo(name)
    info.external_attr = (kind | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "bad.zip", "w") as file:
        file.writestr(info, "../x")
    refused(tmp_path / "bad.zip", match)


def test_bombs(tmp_path: Path) -> None:
    bomb = make_tar(tmp_path / "b.tar.gz", entry("zeros", bytes(5_000_000)), mode="w:gz")
    refused(bomb, "limit of 1000000 bytes", limit_bytes=1_000_000)
    many = make_tar(tmp_path / "m.tar", *(entry(str(n)) for n in range(11)))
    refused(many, "limit of 10 members", limit_members=10)
    with zipfile.ZipFile(tmp_path / "b.zip", "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("zeros", bytes(5_000_000))
    refused(tmp_path / "b.zip", "limit of 1000000 bytes", limit_bytes=1_000_000)


def test_a_header_that_asks_for_too_much_memory(tmp_path: Path) -> None:
    info = tarfile.TarInfo("long")
    info.type, info.size = tarfile.GNUTYPE_LONGNAME, 1 << 32
    (tmp_path / "h.tar.gz").write_bytes(gzip.compress(info.tobuf() + bytes(1024)))
    refused(tmp_path / "h.tar.gz", "header of")


@pytest.mark.parametrize("content", [b"not an archive", b"\x1f\x8bjunk", b"PK\x03\x04junk", b"\xfd7zXZ\0junk"])
def test_what_is_no_archive(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "junk").write_bytes(content)
    refused(tmp_path / "junk", "cannot be unpacked")


def test_a_truncated_archive(tmp_path: Path) -> None:
    archive = make_tar(tmp_path / "t.tar.gz", entry("a", os.urandom(100_000)), mode="w:gz")
    archive.write_bytes(archive.read_bytes()[:50_000])
    refused(archive, "cannot be unpacked")


def test_a_destination_in_use(tmp_path: Path) -> None:
    archive = make_tar(tmp_path / "a.tar", entry("a"))
    (tmp_path / "out").mkdir()
    unpack(archive, tmp_path / "out")
    with pytest.raises(FetchError, match="exists"):
        unpack(archive, tmp_path / "out")


PARTS = st.lists(st.sampled_from(["a", "b", "..", ".", "", "/"]), min_size=1, max_size=5).map("/".join)
KINDS = st.sampled_from([tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE])


@given(st.lists(st.tuples(PARTS, KINDS, PARTS), max_size=8), st.booleans())
def test_nothing_is_ever_outside(members: list[tuple[str, bytes, str]], strip: bool) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        entries = [entry(n, b"x" if k == tarfile.REGTYPE else None, type=k, linkname=t) for n, k, t in members]
        archive = make_tar(folder / "a.tar", *entries)
        out = folder / "in" / "out"
        try:
            unpack(archive, out, strip_single_top=strip)
        except FetchError:
            assert not out.exists()
        assert {p.name for p in folder.iterdir()} <= {"a.tar", "in"}
        assert {p.name for p in (folder / "in").iterdir()} <= {"out"}
        for path in out.rglob("*"):
            if not path.is_symlink() or path.exists():
                assert path.resolve().is_relative_to(out.resolve())


def test_a_sparse_file_whose_map_is_cut_off(tmp_path: Path) -> None:
    head = bytearray(tarfile.TarInfo("sparse").tobuf(tarfile.GNU_FORMAT))
    head[156:157], head[482] = tarfile.GNUTYPE_SPARSE, 1  # the map goes on after the header
    head[148:156] = b" " * 8
    head[148:156] = b"%06o\0 " % sum(head)
    archive = tmp_path / "cut.tar"
    archive.write_bytes(head)
    refused(archive, "cannot be unpacked")
