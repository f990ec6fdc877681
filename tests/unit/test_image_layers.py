"""Layers of images, honest and hostile: what comes out is below the root file system, or nothing is."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import io
import os
import stat
import tarfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from image_registry import archive, digest_of, folder, hard_link, link, member

from emwheels.errors import ImageError
from emwheels.image import layers
from emwheels.image.layers import Layers


class Place:
    """Where layers go, with a file beside it that no layer may reach."""

    def __init__(self, top):
        self.top, self.root = top, top / "rootfs"
        for name in ("rootfs", "removed", "outside"):
            (top / name).mkdir()
        (top / "outside" / "secret").write_text("untouched")

    def unpack(self, *contents, packed=gzip.compress, diff_ids=None):
        with Layers(self.root, self.top / "removed") as root:
            for number, content in enumerate(contents):
                path = self.top / f"{number}"
                path.write_bytes(packed(content))
                root.add(path, diff_ids[number] if diff_ids else digest_of(content))
            root.finish()

    def refuse(self, words, *contents, **options):
        with pytest.raises(ImageError, match=words) as caught:
            self.unpack(*contents, **options)
        assert caught.value.hint
        self.contained()

    def contained(self):
        assert sorted(path.name for path in (self.top / "outside").iterdir()) == ["secret"]
        assert (self.top / "outside" / "secret").read_text() == "untouched"
        assert (self.top / "outside" / "secret").stat().st_nlink == 1

    def files(self):
        """Return the files and links below the root, without what `finish` makes."""
        found = [path for path in self.root.rglob("*") if path.is_symlink() or not path.is_dir()]
        made = {self.root / "etc" / name for name in ("resolv.conf", "passwd", "group")}
        return sorted(str(path.relative_to(self.root)) for path in found if path not in made)


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path)


# Honest ones.


@pytest.mark.parametrize("packed", [gzip.compress, bytes, bz2.compress])
def test_files_folders_and_links_with_modes_and_times(place, packed):
    content = archive(
        folder("./usr", mtime=1_600_000_000),
        folder("usr/bin", mode=0o700),
        member("usr/bin/tool", b"#!/bin/sh\n", mode=0o755, mtime=1_500_000_000.25),
        member("usr/private", b"x", mode=0o400),
        hard_link("usr/bin/same", "./usr/bin/tool"),
        link("bin", "usr/bin"),
        link("usr/absolute", "/usr/bin/tool"),
        hard_link("usr/same link", "usr/absolute"),
    )
    place.unpack(content, packed=packed)
    tool = place.root / "usr/bin/tool"
    assert tool.read_bytes() == b"#!/bin/sh\n"
    assert (stat.S_IMODE(tool.stat().st_mode), tool.stat().st_mtime, tool.stat().st_nlink) == (
        0o755,
        1_500_000_000.25,
        2,
    )
    assert stat.S_IMODE((place.root / "usr/private").stat().st_mode) == 0o600, "its owner has to be able to remove it"
    assert (place.root / "usr").stat().st_mtime == 1_600_000_000
    assert {str((place.root / name).readlink()) for name in ("usr/same link", "usr/absolute")} == {"/usr/bin/tool"}
    assert (place.root / "bin/same").samefile(tool)


def test_owners_and_special_bits_are_not_kept_and_devices_are_left_out(place):
    place.unpack(
        archive(
            member("su", b"x", mode=0o6755, uid=4321, gid=4321),
            folder("sticky", mode=0o3777),
            member("dev/null", type=tarfile.CHRTYPE, devmajor=1, devminor=3),
            member("disk", type=tarfile.BLKTYPE, devmajor=8),
            member("fifo", type=tarfile.FIFOTYPE),
        )
    )
    assert place.files() == ["su"]
    status = (place.root / "su").stat()
    assert (stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid) == (0o755, os.getuid(), os.getgid())
    assert stat.S_IMODE((place.root / "sticky").stat().st_mode) == 0o777


def test_long_names_and_names_that_are_not_utf_8(place):
    long = "/".join(["n" * 200] * 5)
    place.unpack(archive(member(long, b"x"), member("caf\udce9", b"y")))
    assert (place.root / long).read_bytes() == b"x"
    assert "caf\udce9" in [path.name for path in place.root.iterdir()]


def test_a_sparse_file_takes_no_room_for_its_holes(place):
    size = 8 << 20
    head, parts = member("sparse", b"\0" * 8), f"1\n{size - 4}\n4\n".encode().ljust(512, b"\0")
    info = head[0]
    info.size = 512 + 4
    info.pax_headers = {
        "GNU.sparse.major": "1",
        "GNU.sparse.minor": "0",
        "GNU.sparse.name": "sparse",
        "GNU.sparse.realsize": str(size),
    }
    place.unpack(archive((info, parts + b"tail"), member("after", b"x")))
    path = place.root / "sparse"
    assert path.stat().st_size == size
    assert path.read_bytes()[-6:] == b"\0\0tail"
    assert path.stat().st_blocks * 512 < size // 2
    assert (place.root / "after").read_bytes() == b"x"


def test_a_layer_is_over_those_before_it(place):
    place.unpack(
        archive(member("a", b"old"), member("folder/x", b"1"), member("file", b"1"), member("d/x"), link("l", "a")),
        archive(member("a", b"new"), member("folder", b"a file now"), folder("file"), folder("d"), member("l", b"own")),
    )
    assert place.files() == ["a", "d/x", "folder", "l"]
    assert (place.root / "a").read_bytes() == b"new"
    assert (place.root / "file").is_dir()


def test_what_has_two_names_is_not_written_through_one_of_them(place):
    place.unpack(archive(member("a", b"old"), hard_link("b", "a")), archive(member("a", b"new")))
    assert (place.root / "b").read_bytes() == b"old"


def test_a_hard_link_to_a_file_of_a_layer_below(place):
    place.unpack(archive(member("a", b"old"), hard_link("b", "a")), archive(hard_link("b", "a"), hard_link("c", "b")))
    assert (place.root / "c").stat().st_nlink == 3


# Whiteouts.


def test_whiteouts_remove_what_layers_below_have(place):
    place.unpack(
        archive(member("a"), member("d/x"), member("d/deep/y"), member("kept/z")),
        archive(member(".wh.a"), member(".wh.d"), member(".wh.never-there"), member("kept/.wh..wh.plnk")),
    )
    assert place.files() == ["kept/z"]


@pytest.mark.parametrize("opaque_first", [True, False])
def test_an_opaque_whiteout_leaves_what_its_own_layer_has(place, opaque_first):
    own = [member("d/new"), member("d/deep/new")]
    opaque = [member("d/.wh..wh..opq")]
    place.unpack(
        archive(member("d/x"), member("d/deep/y"), member("d/other/z")),
        archive(*(opaque + own if opaque_first else own + opaque)),
    )
    assert place.files() == ["d/deep/new", "d/new"]


@pytest.mark.parametrize("whiteout_first", [True, False])
def test_a_whiteout_is_for_layers_below_wherever_it_stands(place, whiteout_first):
    own, whiteout = [member("d/new")], [member(".wh.d")]
    place.unpack(archive(member("d/x")), archive(*(whiteout + own if whiteout_first else own + whiteout)))
    assert place.files() == ["d/new"]


def test_a_whiteout_goes_through_a_link_as_in_the_image(place):
    place.unpack(archive(member("usr/lib/x"), link("lib", "usr/lib")), archive(member("lib/.wh.x")))
    assert place.files() == ["lib"]


@pytest.mark.parametrize("name", [".wh.", ".wh..", ".wh..."])
def test_a_whiteout_of_no_name(place, name):
    place.refuse("hides no file", archive(member(f"d/{name}")))


# Links that would lead out.


@pytest.mark.parametrize("target", ["/", "../../../../../../../..", "/proc/self/root", "usr/../../.."])
def test_a_folder_that_becomes_a_link_and_is_written_through(place, target):
    there = str(place.top / "outside").lstrip("/")
    place.unpack(
        archive(member("d/x")),
        archive(link("d", target), member(f"d/{there}/planted", b"x"), member(f"d/{there}/secret", b"overwritten")),
    )
    place.contained()
    assert [path for path in place.root.rglob("planted") if path.is_file()], "it is in the image"


def test_a_link_to_the_absolute_place_outside(place):
    outside = str(place.top / "outside")
    place.unpack(archive(link("d", outside), member("d/planted"), member("d/.wh.secret"), member("d/.wh..wh..opq")))
    place.contained()


@pytest.mark.parametrize("layers_apart", [True, False])
def test_hard_links_and_whiteouts_through_a_link(place, layers_apart):
    outside = str(place.top / "outside")
    first, then = [link("d", outside)], [hard_link("stolen", "d/secret")]
    contents = [archive(*first), archive(*then)] if layers_apart else [archive(*first, *then)]
    place.refuse("no folder|no file before it", *contents)
    assert not (place.root / "stolen").exists()


def test_a_file_is_never_written_through_a_link_of_its_name(place):
    secret = str(place.top / "outside" / "secret")
    place.unpack(archive(link("x", secret)), archive(member("x", b"overwritten")))
    place.contained()
    assert (place.root / "x").read_bytes() == b"overwritten"


def test_a_hard_link_to_a_link_is_that_link(place):
    secret = str(place.top / "outside" / "secret")
    place.unpack(archive(link("x", secret), hard_link("y", "x"), member("y", b"overwritten")))
    place.contained()


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ([member("../outside/planted")], "leads out of the image"),
        ([member("d/../../outside/planted")], "leads out of the image"),
        ([hard_link("x", "../outside/secret")], "leads out of the image"),
        ([hard_link("x", "x")], "is a hard link to 'x'"),
        ([hard_link("x", "missing")], "no file before it"),
        ([hard_link("x", "missing/too")], "is no folder"),
        ([folder("d"), hard_link("x", "d")], "no file before it"),
        ([member("f"), member("f/x")], "goes through 'f', which is no folder"),
        ([link("a", "b"), link("b", "a"), member("a/x")], "too many links"),
        ([link("a", "")], "link to nothing"),
        ([link("a", "x" * 5000)], "too long a target"),
        ([member("./", b"")], "takes the place of the whole file system"),
        ([member("/".join("d" * 200))], "more than 128 folders deep"),
        ([member("/".join(["n" * 100] * 50))], "too long a name"),
        ([member("n" * 300)], "cannot be unpacked"),
        ([member("x", type=b"Z")], "of the unknown kind"),
        ([member("x", pax_headers={"path": "a\0b"})], "cannot be unpacked"),
        ([member("x", pax_headers={"mtime": "nan"})], "cannot be unpacked"),
    ],
)
def test_members_that_no_image_has(place, members, words):
    place.refuse(words, archive(*members))


def test_what_the_sandbox_mounts_over_is_there_and_no_link(place):
    outside = str(place.top / "outside")
    tricks = [link(name, outside) for name in ("dev", "proc", "sys", "tmp", "mnt", "etc")]
    place.unpack(archive(*tricks))
    for name in ("dev", "proc", "sys", "tmp", "mnt", "etc"):
        assert stat.S_ISDIR((place.root / name).lstat().st_mode), name
    place.contained()


@pytest.mark.parametrize("content", [link("etc/resolv.conf", "../../outside/secret"), folder("etc/resolv.conf")])
def test_the_files_of_etc_that_are_mounted_over(place, content):
    place.unpack(archive(content, member("etc/passwd", b"root")))
    assert stat.S_ISREG((place.root / "etc/resolv.conf").lstat().st_mode)
    assert (place.root / "etc/passwd").read_bytes() == b"root"
    place.contained()


# Damage and bombs.


def test_a_layer_that_is_another_than_the_configuration_says(place):
    place.refuse("unpacks to sha256:.* instead of sha256:0", archive(member("a")), diff_ids=["sha256:0"])


def test_damage(place):
    content = archive(member("a", bytes(range(256)) * 512), member("b", b"y" * 5000))
    place.refuse("cannot be unpacked", content, packed=lambda data: gzip.compress(data)[:-40])
    place.refuse("cannot be unpacked", b"", packed=bytes)
    place.refuse("cannot be unpacked", b"no archive" * 100)
    place.refuse("cannot be unpacked", content[:1000])


def test_a_header_in_the_middle_that_is_none(place):
    content = archive(member("a", b"x"))[:1024] + b"garbage!" * 64 + archive(member("b"))
    place.refuse("is followed by what is no member", content)


def test_a_negative_size_is_no_endless_loop(place):
    head = bytearray(archive(member("x", b"y" * 600)))
    head[124:136] = (-(1 << 20)).to_bytes(12, "big", signed=True)
    head[148:156] = b" " * 8
    head[148:156] = b"%06o\0 " % sum(head[:512])
    place.refuse("a size that makes no sense|cannot be unpacked|over the limit", bytes(head))


def test_zstd_before_python_has_it(place, monkeypatch):
    monkeypatch.setattr("emwheels.fetch.archive.importlib.import_module", _absent)
    place.refuse("compressed with zstd, which Python reads from version 3.14 on", b"\x28\xb5\x2f\xfd" * 9, packed=bytes)


def _absent(name):
    raise ModuleNotFoundError(name)


def test_bombs_are_bounded(place, monkeypatch):
    monkeypatch.setattr(layers, "MOST_BYTES", 1 << 20)
    place.refuse("over the limit", archive(member("zeros", bytes(2 << 20))))
    place.refuse("over the limit", archive(*(member(str(n), bytes(400 << 10)) for n in range(4))))
    place.refuse("over the limit", archive(member("x")) + bytes(3 << 20))
    monkeypatch.setattr(layers, "MOST_FILES", 3)
    place.refuse("past the limit of 3 files", archive(*(member(str(n)) for n in range(4))))


def test_a_header_is_not_held_in_memory_whole(place, monkeypatch):
    monkeypatch.setattr(layers, "_HEADER_LIMIT", 1 << 16)
    place.refuse("has a header of more than", archive(member("x", pax_headers={"comment": "y" * (1 << 17)})))


def test_a_full_disk_is_told_as_one(place, monkeypatch):
    def full(*_arguments, **_options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(layers.os, "fchmod", full)
    with pytest.raises(ImageError, match="No space left on device") as caught:
        place.unpack(archive(member("x", b"y")))
    assert "free some space" in caught.value.hint


PARTS = st.lists(st.sampled_from(["a", "b", "c", "..", ".wh.a", ".wh.b", ".wh..wh..opq", "."]), min_size=1, max_size=4)
MEMBERS = st.tuples(
    st.sampled_from(["file", "folder", "link", "hard_link"]),
    PARTS.map("/".join),
    st.sampled_from(["a", "/a/b", "../../outside", "..", "/", "b/../c", "OUTSIDE", "OUTSIDE/secret", "/proc/self/cwd"]),
)


@settings(max_examples=150)
@given(contents=st.lists(st.lists(MEMBERS, max_size=8), min_size=1, max_size=3))
def test_no_layers_reach_what_is_outside(tmp_path_factory, contents):
    place = Place(tmp_path_factory.mktemp("layers"))
    made = []
    for content in contents:
        members = []
        for kind, name, target in content:
            to = target.replace("OUTSIDE", str(place.top / "outside"))
            kinds = {"file": member(name, b"x"), "folder": folder(name), "link": link(name, to)}
            members.append(kinds.get(kind) or hard_link(name, to))
        made.append(archive(*members))
    with contextlib.suppress(ImageError):
        place.unpack(*made)
    place.contained()
    assert sorted(path.name for path in place.top.iterdir() if not path.name.isdigit()) == [
        "outside",
        "removed",
        "rootfs",
    ]


def test_an_archive_by_tar_itself(place, tmp_path):
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.GNU_FORMAT) as tar:
        info = tarfile.TarInfo("g" * 150 + "/" + "h" * 90)
        tar.addfile(info)
    place.unpack(raw.getvalue())
    assert place.files() == ["g" * 150 + "/" + "h" * 90]


def test_what_an_image_has_is_asked_as_from_inside(place):
    content = archive(member("usr/bin/tool"), link("bin", "/usr/bin"), link("host", str(place.top)))
    with Layers(place.root, place.top / "removed") as root:
        (place.top / "0").write_bytes(content)
        root.add(place.top / "0", digest_of(content))
        assert root.has("bin/tool")
        assert not root.has("bin/other")
        assert not root.has("host/outside/secret")


def test_a_message_shows_the_beginning_of_a_long_name(place):
    with pytest.raises(ImageError, match="has too long a name") as caught:
        place.unpack(archive(member("n" * 100_000)))
    assert len(caught.value.message) < 400


def test_a_sparse_file_whose_map_is_cut_off(place):
    head = bytearray(tarfile.TarInfo("sparse").tobuf(tarfile.GNU_FORMAT))
    head[156:157], head[482] = tarfile.GNUTYPE_SPARSE, 1  # the map goes on after the header
    head[148:156] = b" " * 8
    head[148:156] = b"%06o\0 " % sum(head)
    place.refuse("cannot be unpacked", bytes(head))
