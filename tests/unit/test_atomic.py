"""emwheels.atomic: files and folders that appear whole or not at all."""

from __future__ import annotations

import os
import threading

import pytest

from emwheels.atomic import left_unfinished, make_once, replacing, write_atomically


def test_same_bytes_are_not_written_again(tmp_path):
    file = tmp_path / "a" / "file"
    write_atomically(file, b"1")
    before = file.stat()
    write_atomically(file, b"1")
    assert file.stat().st_ino == before.st_ino
    write_atomically(file, b"2")
    assert file.read_bytes() == b"2"
    assert file.stat().st_mode & 0o777 == 0o644


def test_an_interrupted_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    file = tmp_path / "file"
    write_atomically(file, b"old")

    def stop(_descriptor):
        raise KeyboardInterrupt

    monkeypatch.setattr("emwheels.atomic.os.fsync", stop)
    with pytest.raises(KeyboardInterrupt):
        write_atomically(file, b"new")
    assert file.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [file]


def test_replacing_leaves_the_old_file_if_it_fails(tmp_path):
    target = tmp_path / "reports/node.log"
    with replacing(target) as stream:
        stream.write(b"old")
    with pytest.raises(TypeError), replacing(target) as stream:
        stream.write("not bytes")
    assert target.read_bytes() == b"old"
    assert list(target.parent.iterdir()) == [target]


def test_a_folder_is_made_once(tmp_path):
    folder, calls = tmp_path / "a" / "folder", []

    def make(making):
        making.mkdir()
        (making / "file").write_text(f"{len(calls)}")
        calls.append(making)

    make_once(folder, make)
    make_once(folder, make)
    assert len(calls) == 1
    assert (folder / "file").read_text() == "0"
    assert list(folder.parent.iterdir()) == [folder]


def test_a_folder_whose_making_fails_is_not_there(tmp_path):
    def make(making):
        making.mkdir()
        (making / "half").write_text("")
        raise OSError("the disk is full")

    with pytest.raises(OSError, match="disk is full"):
        make_once(tmp_path / "folder", make)
    assert list(tmp_path.iterdir()) == []


def test_two_make_the_same_folder_at_once(tmp_path):
    folder, both = tmp_path / "folder", threading.Barrier(2)

    def make(making):
        making.mkdir()
        (making / "file").write_text("whole")
        both.wait()

    threads = [threading.Thread(target=make_once, args=(folder, make)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]
    assert (folder / "file").read_text() == "whole"


def test_a_making_in_progress_is_not_left_unfinished(tmp_path):
    seen = []

    def make(making):
        making.mkdir()
        seen.extend(path.name for path in tmp_path.iterdir())
        assert left_unfinished(tmp_path) == []

    make_once(tmp_path / "made", make)
    (name,) = seen
    other = tmp_path / name.replace(f"-{os.getpid()}-", f"-{2**22 + 1}-")  # more than any process has (proc(5))
    other.mkdir()
    assert left_unfinished(tmp_path) == [other]
