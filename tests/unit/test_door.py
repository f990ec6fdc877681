"""The way back from what foreign code could write: what lies there, and what the host must not do with it."""

from __future__ import annotations

import os
import socket
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emwheels.errors import BuildError
from emwheels.image.door import DEEPEST, Door, DoorError, size_below
from emwheels.image.removal import remove_tree


@pytest.fixture
def folder(tmp_path):
    """A folder that a build wrote, beside one of the host's that it wants to reach."""
    left, victim = tmp_path / "left", tmp_path / "victim"
    left.mkdir()
    victim.mkdir()
    (victim / "secret").write_text("secret")
    return left


def test_a_regular_file_is_read(folder):
    (folder / "a" / "b").mkdir(parents=True)
    (folder / "a" / "b" / "c").write_bytes(b"data")
    with Door(folder) as door:
        assert door.read("a/b/c", limit=4) == b"data"
        assert [(left.path, left.link, left.size) for left in door.files()] == [("a/b/c", None, 4)]


def hostile_files(folder, victim):
    (folder / "link").symlink_to(victim / "secret")
    (folder / "up").symlink_to(f"../{victim.name}/secret")
    (folder / "zero").symlink_to("/dev/zero")
    (folder / "dir").symlink_to(victim)
    os.mkfifo(folder / "fifo")
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(folder / "socket"))
    listening.close()
    (folder / "folder").mkdir()


@pytest.mark.parametrize("name", ["link", "up", "zero", "dir", "dir/secret", "fifo", "socket", "folder", "missing"])
def test_what_is_no_regular_file_is_not_read(folder, tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)  # a socket's path must be short
    hostile_files(folder.relative_to(tmp_path), tmp_path / "victim")
    with Door(folder) as door:
        with pytest.raises(DoorError, match=f"left/{name.partition('/')[0]}"):
            door.read(name, limit=100)
        with pytest.raises(DoorError):
            door.take(name, tmp_path / "copy")
        assert {left.path: left.link for left in door.files()} == {
            "link": str(tmp_path / "victim" / "secret"),
            "up": "../victim/secret",
            "zero": "/dev/zero",
            "dir": str(tmp_path / "victim"),
        }
    assert not (tmp_path / "copy").exists()


@pytest.mark.parametrize("name", ["/etc/passwd", "../victim/secret", "a/../../victim/secret", "a\0b", "."])
def test_a_path_that_leads_out_is_refused(folder, name):
    with Door(folder) as door, pytest.raises(DoorError, match="leads out"):
        door.read(name, limit=100)


def test_a_file_has_a_limit(folder):
    (folder / "large").write_bytes(b"x" * 101)
    with Door(folder) as door, pytest.raises(DoorError, match="101 bytes; 100 are allowed"):
        door.read("large", limit=100)


def test_a_copy_replaces_nothing(folder, tmp_path):
    (folder / "file").write_text("new")
    (tmp_path / "copy").write_text("old")
    with Door(folder) as door, pytest.raises(FileExistsError):
        door.take("file", tmp_path / "copy")
    assert (tmp_path / "copy").read_text() == "old"


def test_writing_makes_folders_and_replaces_files(folder):
    with Door(folder) as door:
        door.write("a/b/c", b"1")
        door.write("a/b/c", b"2")
    assert (folder / "a" / "b" / "c").read_bytes() == b"2"


def test_writing_follows_no_link(folder, tmp_path):
    (folder / "dir").symlink_to(tmp_path / "victim")
    (folder / "link").symlink_to(tmp_path / "victim" / "secret")
    (folder / "folder").mkdir()
    with Door(folder) as door:
        for name in ("dir/new", "folder", "link/new"):
            with pytest.raises(DoorError):
                door.write(name, b"evil")
        door.write("link", b"new")
    assert (tmp_path / "victim" / "secret").read_text() == "secret"
    assert [path.name for path in (tmp_path / "victim").iterdir()] == ["secret"]
    assert (folder / "link").read_bytes() == b"new", "the link itself is replaced"


def deep(folder, levels):
    """Make folders in folders, by a program that changes into each, as the path of all would be too long."""
    script = 'i=0; while [ $i -lt "$2" ]; do mkdir d && cd -P d || exit 1; i=$((i + 1)); done; : > file'
    subprocess.run(["/bin/sh", "-c", f'cd "$1"; {script}', "sh", str(folder), str(levels)], check=True)


def test_a_tree_has_a_depth(folder):
    deep(folder, DEEPEST + 1)
    with Door(folder) as door, pytest.raises(DoorError, match=f"more than {DEEPEST} folders deep"):
        list(door.files())


def test_a_deep_tree_goes_away(folder):
    deep(folder, 3000)
    assert size_below(folder) > 3000
    remove_tree(folder)
    assert not folder.exists()


def test_a_tree_without_permissions_goes_away_and_what_its_links_lead_to_stays(folder, tmp_path):
    (folder / "dir").symlink_to(tmp_path / "victim")
    (folder / "locked" / "deeper").mkdir(parents=True)
    (folder / "locked" / "deeper").chmod(0)
    (folder / "locked").chmod(0o500)
    remove_tree(folder)
    assert not folder.exists()
    assert (tmp_path / "victim" / "secret").stat().st_mode & 0o777 == 0o644


def test_what_is_a_link_itself_is_no_folder(folder, tmp_path):
    link = tmp_path / "to"
    link.symlink_to(folder)
    with pytest.raises(OSError):
        Door(link)
    remove_tree(link)
    assert folder.is_dir()


def test_a_failure_is_one_of_the_build():
    assert issubclass(DoorError, BuildError)


NAMES = st.text(st.characters(blacklist_characters="/\0", blacklist_categories=["Cs"]), min_size=1, max_size=20)


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(
        st.lists(NAMES.filter(lambda name: name not in (".", "..")), min_size=1, max_size=4).map("/".join),
        st.binary(max_size=50),
        max_size=8,
    )
)
def test_what_is_written_is_found(tmp_path_factory, files):
    folder = tmp_path_factory.mktemp("door")
    written = {}
    with Door(folder) as door:
        for path, data in files.items():
            try:
                door.write(path, data)
            except DoorError:  # a name too long, or a file where a folder would have to be
                continue
            written[path] = data
        assert {left.path: door.read(left.path, limit=50) for left in door.files()} == written
    remove_tree(folder)
