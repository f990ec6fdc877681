"""``emwheels cache`` as a person sees it, and the sizes and ages that it reads; see test_cache.py for its JSON."""

from __future__ import annotations

import argparse
import os
import subprocess
import time

import pytest
from fake_builds import LOG, WHEEL, flipped, make_build
from filelock import FileLock
from hypothesis import example, given
from hypothesis import strategies as st
from small_project import make_command

from emwheels.cli.cache import _bytes, _seconds
from emwheels.outputs.builds import KIND
from emwheels.store import Store

DAY = 86400


@pytest.fixture
def command(tmp_path, monkeypatch, capsys):
    return make_command(tmp_path / "project", monkeypatch, capsys, cache=tmp_path / "cache")


@pytest.fixture
def store(command, tmp_path):
    return Store(tmp_path / "cache" / "store")


@pytest.fixture
def build(store):
    """A build that is in the store: its key and its record."""
    key, record = make_build(store)
    store.add_record(KIND, key, record)
    return key, record


def aged(store, days):
    for lease in (store.root / "leases").glob("*.lease"):
        lease.unlink()
    for path in store.root.rglob("*"):
        if path.is_file():
            os.utime(path, (time.time() - days * DAY,) * 2)


def damage(store, record):
    path = store.path_of("wheels", record["output"]["sha256"])
    path.chmod(0o644)
    path.write_bytes(flipped(WHEEL))
    return path


# Ages and sizes.


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30d", 30 * DAY),
        ("12h", 43200),
        ("90m", 5400),
        ("2w", 14 * DAY),
        ("1.5d", 1.5 * DAY),
        (" 1 d ", DAY),
        ("0d", 0),
    ],
)
def test_ages(text, seconds):
    assert _seconds(text) == seconds


@pytest.mark.parametrize(
    ("text", "size"),
    [
        *(("5G", 5 * 10**9), ("500M", 500 * 10**6), ("1.5K", 1500), ("2T", 2 * 10**12), ("0", 0), ("123", 123)),
        *(("5GB", 5 * 10**9), ("5 gb", 5 * 10**9), ("10b", 10)),
    ],
)
def test_sizes(text, size):
    assert _bytes(text) == size


@pytest.mark.parametrize("text", ["", "d", "soon", "-1d", "1y", "1dd", "1.d", "d1", "1e3d", "30", "٣x"])
def test_what_is_no_age(text):
    with pytest.raises(argparse.ArgumentTypeError, match="is not like 30d, 12h or 90m"):
        _seconds(text)


@given(number=st.integers(0, 10**6), unit=st.sampled_from(["", "K", "M", "G", "T", "k", "m", "g", "t"]))
def test_any_size_is_read_as_it_is_written(number, unit):
    factor = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}[unit.upper()]
    assert _bytes(f"{number}{unit}") == _bytes(f"{number} {unit}B") == number * factor


@given(text=st.text(max_size=30))
@example(text="5\N{KELVIN SIGN}")
@example(text="9" * 400)
def test_any_text_is_a_size_or_an_error_that_names_it(text):
    try:
        size = _bytes(text)
    except argparse.ArgumentTypeError as error:
        size, said = 0, str(error)
    else:
        said = repr(text)
    assert size >= 0
    assert repr(text) in said


# What is said.


def test_info(command, store, build, tmp_path):
    (tmp_path / "cache" / "logs").mkdir()
    (tmp_path / "cache" / "logs" / "a.log").write_bytes(b"x" * 1234)
    (tmp_path / "cache" / "linked").symlink_to(tmp_path / "cache" / "logs")
    lines = command("cache", "info").lines()
    assert lines[0] == "entries bytes"
    assert lines[1] == str(store.root)
    assert f"wheels 1 {len(WHEEL):,}" in lines
    assert f"elsewhere in {tmp_path / 'cache'}" in lines
    assert "logs 1 1,234" in lines[lines.index(f"elsewhere in {tmp_path / 'cache'}") :]
    assert not any(line.startswith("linked") for line in lines), "what a link leads to is not in the cache"
    numbers = [int(line.split()[-1].replace(",", "")) for line in lines[1:-1] if line.split()[-1][0].isdigit()]
    assert lines[-1] == f"total {sum(numbers):,}"


def test_info_of_nothing(command):
    assert command("cache", "info").lines()[-1] == "total 0"


def test_without_an_age_or_a_size_only_leftovers_go(command, store, build):
    said = command("cache", "gc").lines()
    assert said[-1] == "only leftovers are looked at without --older-than or --max-size"
    assert said[0].startswith("removed 0 bytes in all; kept ")
    assert store.get("wheels", build[1]["output"]["sha256"])


def test_a_dry_run_says_what_would_go(command, store, build):
    aged(store, 40)
    said = command("cache", "gc", "--older-than", "30d", "--dry-run").lines()
    assert f"would remove 1 of wheels, {len(WHEEL):,} bytes" in said
    assert f"would remove 1 of logs, {len(LOG):,} bytes" in said
    assert said[-1].startswith("would remove ")
    assert store.path_of("wheels", build[1]["output"]["sha256"]).is_file()


def test_what_has_gone_is_said(command, store, build):
    aged(store, 40)
    said = command("cache", "gc", "--older-than", "30d").lines()
    assert f"removed 1 of wheels, {len(WHEEL):,} bytes" in said
    assert not store.path_of("wheels", build[1]["output"]["sha256"]).exists()


def test_what_is_in_use_stays_and_that_is_said(command, store, build):
    said = command("cache", "gc", "--max-size", "10").lines()
    assert said[-1] == "more than the 10 bytes asked for are needed"
    assert store.get("wheels", build[1]["output"]["sha256"])


def test_a_whole_store(command, store, build):
    size = len(WHEEL) + len(LOG)
    said = command("cache", "verify")
    assert said.lines() == [f"2 files of {size:,} bytes and 1 records: 0 damaged, 0 incomplete"]
    assert "store: verify" in " ".join(said.err.split())


def test_damage_is_said_with_where_it_went(command, store, build):
    path = damage(store, build[1])
    lines = command("cache", "verify", status=9).lines()
    assert lines[0] == f"damaged: {path}"
    assert lines[1].startswith("moved to ")
    assert lines[1].endswith("it is made or fetched again when it is needed")
    assert lines[-1].endswith("1 damaged, 1 incomplete") or lines[-1].endswith("1 damaged, 0 incomplete")
    again = command("cache", "verify").lines()
    assert again[0].startswith("incomplete: ")
    assert f"names wheels/{build[1]['output']['sha256']}" in again[0]


def test_an_export(command, build, tmp_path):
    said = command("cache", "export", tmp_path / "www")
    assert said.out.startswith("1 builds, ")
    assert f"are in {tmp_path / 'www'}; serve it and use --remote https://" in said.out
    assert sorted(path.name for path in (tmp_path / "www").iterdir()) == ["blobs", "manifests"]


def test_an_export_of_nothing_is_a_folder_all_the_same(command, tmp_path):
    assert command("cache", "export", tmp_path / "www").out.startswith("0 builds, 0 bytes, ")
    assert (tmp_path / "www" / "manifests").is_dir()


def test_what_is_damaged_is_left_out_of_an_export(command, store, build, tmp_path):
    damage(store, build[1])
    other, record = make_build(store, "other", b"another wheel")
    store.add_record(KIND, other, record)
    said = command("cache", "export", tmp_path / "www", "--json")
    found = said.json()
    assert (found["builds"], found["left out"]) == ([other], [build[0]])
    assert f"left out {build[0][:12]}" in said.err
    assert [path.name for path in (tmp_path / "www" / "manifests").iterdir()] == [other]


def test_a_record_that_lies_is_left_out_of_an_export(command, store, build, tmp_path):
    key = "0" * 64
    store.add_record(KIND, key, build[1])
    found = command("cache", "export", tmp_path / "www", "--json").json()
    assert (found["builds"], found["left out"]) == ([build[0]], [key])


def test_an_export_into_a_file_is_refused(command, tmp_path):
    (tmp_path / "file").write_text("mine")
    assert (
        command("cache", "export", tmp_path / "file", status=2).err
        == f"emwheels: {tmp_path / 'file'} is not a folder\n"
    )
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "required: ACTION"),
        (["gc", "--older-than", "soon"], "'soon' is not like 30d, 12h or 90m"),
        (["gc", "--max-size", "big"], "'big' is not like 5G or 500M"),
        (["export"], "required: DIR"),
    ],
)
def test_wrong_usage_says_what_is_right(command, arguments, words):
    assert words in command("cache", *arguments, status=2).err


# Images.


@pytest.fixture
def images(tmp_path, store):
    """A finished image, one whose making was killed, one that is being made, and an archive that was being loaded."""
    folder = tmp_path / "cache" / "images"
    for name in ("0123", "4567.making", "89ab.making", "loading"):
        (folder / name / "rootfs").mkdir(parents=True)
        (folder / name / "rootfs" / "file").write_text("12345")
    (folder / "4567.making" / "rootfs").chmod(0o500)
    (folder / "cdef.making").touch()
    return folder


def test_what_makings_of_images_left_is_removed(command, images):
    with FileLock(images / "89ab.lock"):
        assert "would remove 2 of unfinished folders, 10 bytes" in command("cache", "gc", "--dry-run").lines()
        assert (images / "4567.making").is_dir()
        rows = command("cache", "gc", "--json").json()
        assert rows["removed"]["unfinished folders"] == {"entries": 2, "bytes": 10}
    assert sorted(path.name for path in images.iterdir() if path.is_dir()) == ["0123", "89ab.making"]
    assert "removed 1 of unfinished folders, 5 bytes" in command("cache", "gc").lines()
    assert "images" not in command("cache", "gc").out


def test_what_killed_processes_left_beside_images_is_removed(command, tmp_path):
    ended = subprocess.Popen(["true"])
    ended.wait()
    stale, busy = f".0123-{ended.pid}-abcdefgh", f".0123-{os.getpid()}-abcdefgh"
    for name in ("npm", "xbuildenvs"):
        for folder in (stale, busy, "0123"):
            (tmp_path / "cache" / name / folder).mkdir(parents=True)
    assert "removed 2 of unfinished folders, 0 bytes" in command("cache", "gc").lines()
    for name in ("npm", "xbuildenvs"):
        assert sorted(path.name for path in (tmp_path / "cache" / name).iterdir()) == [busy, "0123"]


def test_an_archive_that_is_being_loaded_stays(command, images):
    with FileLock(images / "loading.lock"):
        command("cache", "gc")
        assert (images / "loading" / "rootfs" / "file").is_file()
