"""emwheels.build.kept: what a failed build leaves, where it stays, and when it goes."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest

from emwheels.build import kept as keeping
from emwheels.build.failed_command import command_in, failed_command
from emwheels.build.kept import Kept, Surroundings, drop, held, keep, kept_folder, kept_folders, read_kept, remove_kept
from emwheels.image.model import Mount


@pytest.fixture
def leave(tmp_path):
    """A function that has a build of a name fail, and returns what is known of it."""

    def leave(name, size=10):
        work = tmp_path / "work" / f"{name}-1"
        (work / "inside").mkdir(parents=True)
        (work / "inside" / "object.o").write_bytes(b"x" * size)
        elsewhere = Mount(host=tmp_path / "xbuildenv", inside="/mnt/xbuildenv")
        seen = Surroundings(
            mounts=[Mount(host=work / "inside", inside="/mnt/work", writable=True), elsewhere],
            env={"PATH": "/bin"},
            cwd="/mnt/work",
            spelling=name,
            personality="-R",
        )
        state = Kept(
            folder=work,
            phase="compile",
            target="1",
            profile="speed",
            toolchain="debian",
            image="sha256:0",
            log="log",
            inputs={"recipe": {"package": {"name": name, "version": "1"}}},
            surroundings=seen,
            given=("lib/libz.a",),
        )
        return keep(work, tmp_path, name, state), state

    return leave


def test_what_is_known_of_it_comes_back_with_the_places_of_now(leave, tmp_path):
    assert leave("tiny")[0]
    state = leave("tiny", size=20)[1]
    place = kept_folder(tmp_path, "tiny")
    found = read_kept(tmp_path, "tiny")
    first = Mount(host=place / "inside", inside="/mnt/work", writable=True)
    mounts = [first, state.surroundings.mounts[1]]
    assert found == replace(state, folder=place, surroundings=replace(state.surroundings, mounts=mounts))
    assert (place / "inside" / "object.o").stat().st_size == 20, "that of the later build"
    assert list((tmp_path / "work").iterdir()) == []


def test_somebody_in_it_keeps_it(leave, tmp_path):
    leave("tiny")
    with held(tmp_path, "tiny") as ours:
        assert ours
        with held(tmp_path, "tiny") as theirs:
            assert not theirs
        assert not leave("tiny", size=20)[0]
        assert not drop(tmp_path, "tiny")
    assert (kept_folder(tmp_path, "tiny") / "inside" / "object.o").stat().st_size == 10
    assert drop(tmp_path, "tiny")
    assert read_kept(tmp_path, "tiny") is None


def test_the_oldest_go_when_all_take_too_much(leave, tmp_path, monkeypatch):
    for age, name in enumerate(("old", "middle", "new")):
        leave(name, size=100_000)
        os.utime(kept_folder(tmp_path, name) / "kept.json", (age, age))
    monkeypatch.setattr(keeping, "MOST_BYTES", 300_000)
    leave("newest", size=100_000)
    assert [folder.name for folder in kept_folders(tmp_path)] == ["new", "newest"]
    monkeypatch.setattr(keeping, "MOST_BYTES", 10)
    leave("last", size=100_000)
    assert [folder.name for folder in kept_folders(tmp_path)] == ["last"], "the newest stays however large it is"


def test_removal_by_age(leave, tmp_path):
    leave("old")
    leave("new")
    os.utime(kept_folder(tmp_path, "old") / "kept.json", (0, 0))
    count, freed = remove_kept(tmp_path, older_than=3600, dry_run=True)
    assert (count, freed > 0, len(kept_folders(tmp_path))) == (1, True, 2)
    assert remove_kept(tmp_path, older_than=3600, dry_run=False)[0] == 1
    assert [folder.name for folder in kept_folders(tmp_path)] == ["new"]
    assert remove_kept(tmp_path, older_than=0, dry_run=False)[0] == 1


@pytest.mark.parametrize("content", ["", "{}", "[]", "\0", '{"phase": "compile"}'])
def test_a_folder_without_a_whole_note_is_none(leave, tmp_path, content):
    leave("tiny")
    (kept_folder(tmp_path, "tiny") / "kept.json").write_text(content)
    assert read_kept(tmp_path, "tiny") is None


@pytest.mark.parametrize(
    ("log", "command"),
    [
        ("gcc -c a.c\ngcc -c b.c -o b.o\nb.c:1:1: error: unknown\ngcc -c c.c\n", "gcc -c b.c -o b.o"),
        ("[1/2] cc a.c\nFAILED: [code=1] x.o \n/mnt/work/c++ -c x.cc\nx.cc:3: error: y\n", "/mnt/work/c++ -c x.cc"),
        ("FAILED: l.so \n: && /x/c++ -o l.so a.o && :\nwasm-ld: error: undefined symbol: f\n", "/x/c++ -o l.so a.o"),
        ("cd /mnt/work/b && /x/emcc -c a.c\nemcc: error: no\nmake: *** [x] Error 1\n", "/x/emcc -c a.c"),
        ("cc -c a.c\nall is well\n", ""),
        ("error: no compiler was started\n", ""),
    ],
)
def test_the_command_that_failed_is_found_in_a_log(log, command):
    assert command_in(log.splitlines()) == command


def test_a_log_that_is_not_there_or_in_colour(tmp_path):
    assert failed_command(tmp_path / "none") == ""
    log = tmp_path / "log"
    log.write_bytes(b"\x1b[1mcc -c \xff.c\x1b[0m\nx.c:1: error: y\n")
    assert failed_command(log) == "cc -c \ufffd.c"
