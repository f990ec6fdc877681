from __future__ import annotations

import dataclasses
import errno
import gzip
import json
import os
import subprocess
import tarfile
from pathlib import Path

import pytest

from emwheels.errors import ImageError, UsageError
from emwheels.image import archives, debian
from emwheels.image.archives import load_images, save_images
from emwheels.image.holding import in_use
from emwheels.target import ImagePins

BUILD = ImagePins(part="build", suite="forky", packages={"emscripten": "the compiler"})
TEST = ImagePins(part="test", suite="forky", packages={"nodejs": "an engine"})


PACKAGES = {"emscripten": "6.0.5-1", "nodejs": "24"}
DIGESTS = {pins.part: debian.record_of(pins, PACKAGES).digest for pins in (BUILD, TEST)}


def write_image(cache: Path, pins: ImagePins, packages: dict[str, str] | None = None) -> Path:
    """Write an image as one that was made, and return its folder."""
    folder = debian.image_folder(cache, pins)
    record = debian.record_of(pins, PACKAGES if packages is None else packages)
    (folder / "rootfs/opt/emwheels").mkdir(parents=True)
    (folder / "image.json").write_text(json.dumps(dataclasses.asdict(record)))
    (folder / "rootfs/opt/emwheels/digest").write_text(record.digest)
    lines = "".join(f"{name}:amd64\t{version}\n" for name, version in record.packages.items())
    (folder / "rootfs/opt/emwheels/packages").write_text(lines)
    return folder


def pack(folder: Path, archive: Path) -> Path:
    """Write an archive of the images in ``folder``, whatever they are, and return it."""
    names = sorted(path.name for path in folder.iterdir())
    subprocess.run(["tar", "-czf", archive, "-C", folder, *names], check=True)
    return archive


@pytest.fixture
def saved(tmp_path):
    folder = write_image(tmp_path / "here", BUILD)
    write_image(tmp_path / "here", TEST)
    (folder / "rootfs/tool").write_bytes(b"#!/bin/sh\n" * 1000)
    (folder / "rootfs/tool").chmod(0o755)
    (folder / "rootfs/link").symlink_to("/usr/bin/absolute")
    save_images(tmp_path / "here", [BUILD, TEST], tmp_path / "images.tar.gz")
    return tmp_path / "images.tar.gz"


def images(cache):
    return sorted(path.name for path in (cache / "images").glob("*") if path.is_dir())


def test_images_are_carried_to_another_cache(saved, tmp_path):
    loaded = load_images(tmp_path / "there", [BUILD, TEST], saved)
    assert sorted(each.record.digest for each in loaded) == sorted(DIGESTS.values())
    assert all(each.new for each in loaded)
    assert images(tmp_path / "there") == images(tmp_path / "here")
    for pins in (BUILD, TEST):
        there = debian.image_folder(tmp_path / "there", pins)
        assert debian.read_record(there) == debian.read_record(debian.image_folder(tmp_path / "here", pins))
    root = debian.image_folder(tmp_path / "there", BUILD) / "rootfs"
    assert (root / "tool").stat().st_mode & 0o777 == 0o755
    assert (root / "link").readlink() == Path("/usr/bin/absolute")


def test_one_of_them_is_enough(tmp_path):
    write_image(tmp_path / "here", TEST)
    save_images(tmp_path / "here", [TEST], tmp_path / "test.tar.gz")
    (loaded,) = load_images(tmp_path / "there", [BUILD, TEST], tmp_path / "test.tar.gz")
    assert loaded.record.digest == DIGESTS["test"]
    assert len(images(tmp_path / "there")) == 1


def test_images_of_other_pins_are_refused_and_none_is_taken(saved, tmp_path):
    with pytest.raises(ImageError, match="other pins") as caught:
        load_images(tmp_path / "there", [BUILD, dataclasses.replace(TEST, suite="sid")], saved)
    assert "same checkout" in caught.value.hint
    assert images(tmp_path / "there") == []


def test_an_archive_of_something_else_is_refused(tmp_path):
    with tarfile.open(tmp_path / "other.tar.gz", "w:gz") as tar:
        tar.addfile(tarfile.TarInfo("image.json"))
    with pytest.raises(ImageError, match="damaged"):
        load_images(tmp_path / "there", [BUILD], tmp_path / "other.tar.gz")
    assert images(tmp_path / "there") == []


@pytest.mark.parametrize(
    "what",
    [
        *("a link", "a link above", "a fifo", "a mark that is a fifo", "packages that are a fifo"),
        *("nothing", "no record"),
    ],
)
@pytest.mark.timeout(20)
def test_an_archive_with_anything_else_in_an_image_s_place_is_refused(saved, tmp_path, what):
    folder = tmp_path / "images" / debian.image_folder(tmp_path, BUILD).name
    folder.mkdir(parents=True)
    elsewhere = debian.image_folder(tmp_path / "here", BUILD)
    match what:
        case "a link":
            folder.rmdir()
            folder.symlink_to(elsewhere)
        case "a link above":
            (folder / "image.json").write_bytes((elsewhere / "image.json").read_bytes())
            (folder / "rootfs").symlink_to(elsewhere / "rootfs")
        case "a fifo":
            (folder / "rootfs/opt/emwheels").mkdir(parents=True)
            (folder / "rootfs/opt/emwheels/digest").write_text(DIGESTS["build"])
            (folder / "rootfs/opt/emwheels/packages").write_text("")
            os.mkfifo(folder / "image.json")
        case "a mark that is a fifo":
            (folder / "image.json").write_bytes((elsewhere / "image.json").read_bytes())
            (folder / "rootfs/opt/emwheels").mkdir(parents=True)
            (folder / "rootfs/opt/emwheels/packages").write_text("")
            os.mkfifo(folder / "rootfs/opt/emwheels/digest")
        case "packages that are a fifo":
            folder.rmdir()
            folder = write_image(tmp_path, BUILD)
            (folder / "rootfs/opt/emwheels/packages").unlink()
            os.mkfifo(folder / "rootfs/opt/emwheels/packages")
        case "no record":
            (folder / "rootfs/opt/emwheels").mkdir(parents=True)
    with pytest.raises(ImageError, match="damaged"):
        load_images(tmp_path / "there", [BUILD], pack(tmp_path / "images", tmp_path / "odd.tar.gz"))
    assert images(tmp_path / "there") == []


@pytest.mark.parametrize("size", [2, 5, 18, 60, -40])
def test_a_truncated_archive_is_refused_and_earlier_images_stay(saved, tmp_path, size):
    saved.write_bytes(saved.read_bytes()[:size])
    before = images(tmp_path / "here")
    with pytest.raises(ImageError, match="damaged"):
        load_images(tmp_path / "here", [BUILD, TEST], saved)
    assert images(tmp_path / "here") == before
    assert all(debian.read_record(debian.image_folder(tmp_path / "here", pins)) for pins in (BUILD, TEST))


def test_what_is_no_archive_leaves_nothing(tmp_path):
    archive = tmp_path / "images.tar.gz"
    archive.write_bytes(b"not an archive")
    with pytest.raises(ImageError, match="is not an archive"):
        load_images(tmp_path / "cache", [BUILD], archive)
    assert images(tmp_path / "cache") == []


def test_there_is_nothing_to_save_before_an_image_is_made(tmp_path):
    write_image(tmp_path / "here", BUILD)
    with pytest.raises(ImageError, match="no finished test image"):
        save_images(tmp_path / "here", [BUILD, TEST], tmp_path / "images.tar.gz")
    assert [path.name for path in tmp_path.iterdir()] == ["here"]


# What is there already.


def test_an_image_that_is_here_already_stays_as_it_is(saved, tmp_path):
    here = debian.image_folder(tmp_path / "here", BUILD)
    before = here.stat().st_ino
    with in_use(here):
        loaded = load_images(tmp_path / "here", [BUILD, TEST], saved)
    assert [each.new for each in loaded] == [False, False]
    assert here.stat().st_ino == before


@pytest.fixture
def moved_on(saved, tmp_path):
    """A cache with images for the same pins, of newer packages than the saved ones have."""
    for pins in (BUILD, TEST):
        write_image(tmp_path / "newer", pins, {**PACKAGES, "nodejs": "25"})
    return tmp_path / "newer"


def test_another_image_for_the_same_pins_is_replaced(saved, moved_on):
    loaded = load_images(moved_on, [BUILD, TEST], saved)
    assert [each.new for each in loaded] == [True, True]
    for pins in (BUILD, TEST):
        assert debian.read_record(debian.image_folder(moved_on, pins)).digest == DIGESTS[pins.part]
    assert len(images(moved_on)) == 2, "nothing of the old ones is left"


@pytest.mark.parametrize("pins", [BUILD, TEST])
def test_an_image_that_somebody_is_in_is_not_replaced_nor_is_the_other(saved, moved_on, pins):
    image, _ = debian.load_image(moved_on, pins, method="chroot")
    before = {each: each.stat().st_ino for each in (moved_on / "images").iterdir() if each.is_dir()}
    with pytest.raises(ImageError, match="is in use and is not replaced") as caught:
        load_images(moved_on, [BUILD, TEST], saved)
    assert "no other emwheels command" in caught.value.hint
    assert {each: each.stat().st_ino for each in (moved_on / "images").iterdir() if each.is_dir()} == before
    del image
    assert all(each.new for each in load_images(moved_on, [BUILD, TEST], saved))


# What an archive claims.


def rewrite(folder: Path, **changes: object) -> None:
    path = folder / "image.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


@pytest.mark.parametrize("what", ["packages", "digest", "suite", "text"])
def test_what_was_unpacked_has_to_give_the_digest(tmp_path, what):
    folder = write_image(tmp_path, BUILD)
    packages = folder / "rootfs/opt/emwheels/packages"
    match what:
        case "packages":
            packages.write_text(packages.read_text().replace("6.0.5-1", "6.0.6-1"))
        case "digest":
            rewrite(folder, digest="sha256:" + "4" * 64)
            (folder / "rootfs/opt/emwheels/digest").write_text("sha256:" + "4" * 64)
        case "suite":
            rewrite(folder, suite="sid")
        case "text":
            packages.write_bytes(b"emscripten\t\xff\n")
    with pytest.raises(ImageError, match=r"is damaged: (what the build image holds|.* is not text)"):
        load_images(tmp_path / "there", [BUILD], pack(tmp_path / "images", tmp_path / "odd.tar.gz"))
    assert images(tmp_path / "there") == []


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        "[]",
        '"text"',
        "1" * 5000,
        '{"key": "k", "digest": "DIGEST", "suite": "forky", "packages": []}',
        '{"key": "k", "digest": "DIGEST", "suite": "forky", "packages": null}',
        '{"key": "k", "digest": "DIGEST", "suite": "forky", "packages": {"a": 1}}',
        '{"key": ["k"], "digest": "DIGEST", "suite": "forky", "packages": {}}',
        '{"key": "k", "digest": "DIGEST", "suite": null, "packages": {}}',
    ],
)
def test_a_record_that_is_odd_is_none(tmp_path, text):
    folder = write_image(tmp_path, BUILD)
    (folder / "image.json").write_text(text.replace("DIGEST", DIGESTS["build"]))
    assert debian.read_record(folder) is None
    with pytest.raises(ImageError, match="damaged"):
        load_images(tmp_path / "there", [BUILD], pack(tmp_path / "images", tmp_path / "odd.tar.gz"))


@pytest.mark.timeout(20)
@pytest.mark.parametrize("kind", ["a fifo", "a folder", "a device"])
def test_what_is_no_file_is_not_loaded(tmp_path, kind):
    path = tmp_path / "images.tar.gz"
    match kind:
        case "a fifo":
            os.mkfifo(path)
        case "a folder":
            path.mkdir()
        case "a device":
            path.symlink_to("/dev/zero")
    with pytest.raises(ImageError, match="is not a regular file"):
        load_images(tmp_path / "cache", [BUILD], path)


def test_what_is_compressed_and_no_archive_is_damaged(tmp_path):
    (tmp_path / "images.tar.gz").write_bytes(gzip.compress(b"something else" * 100))
    with pytest.raises(ImageError, match="is damaged"):
        load_images(tmp_path / "cache", [BUILD], tmp_path / "images.tar.gz")
    assert images(tmp_path / "cache") == []


@pytest.fixture
def tar(tmp_path, monkeypatch):
    """Put a shell script in place of tar: ``tar("exit 2")``."""

    def put(script: str) -> None:
        program = tmp_path / "tools" / "tar"
        program.parent.mkdir()
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")

    return put


def test_a_full_disk_is_told_as_one(saved, tmp_path, tar):
    tar("echo 'tar: x: Cannot write: No space left on device' >&2; exit 2")
    with pytest.raises(ImageError, match="there is no room in") as caught:
        load_images(tmp_path / "there", [BUILD, TEST], saved)
    assert "free some space" in caught.value.hint
    assert images(tmp_path / "there") == []


def test_who_is_not_root_makes_no_devices(saved, tmp_path, monkeypatch):
    for user, excluded in ((0, False), (1000, True)):
        monkeypatch.setattr("emwheels.image.archives.os.geteuid", lambda user=user: user)
        asked = []
        monkeypatch.setattr(archives, "_tar", lambda *words, asked=asked, **streams: asked.extend(words))
        with pytest.raises(ImageError, match="damaged"):
            load_images(tmp_path / "there", [BUILD, TEST], saved)
        assert ("--exclude=*/rootfs/dev/*" in asked) == excluded


# Where an archive may be written to.


@pytest.mark.parametrize("name", ["a:b.tar.gz", "-x.tar.gz", "--help", "two words.tar.gz"])
def test_an_archive_has_any_name(tmp_path, monkeypatch, name):
    write_image(tmp_path / "here", TEST)
    monkeypatch.chdir(tmp_path)
    save_images(tmp_path / "here", [TEST], Path(name))
    assert load_images(tmp_path / "there", [TEST], Path(name))[0].record.digest == DIGESTS["test"]


@pytest.mark.timeout(20)
@pytest.mark.parametrize("kind", ["a fifo", "a folder", "a link to a device", "nothing at all", "in no folder"])
def test_what_is_no_file_is_not_replaced(tmp_path, kind):
    write_image(tmp_path / "here", TEST)
    path = tmp_path / "out" / "images.tar.gz"
    path.parent.mkdir()
    match kind:
        case "a fifo":
            os.mkfifo(path)
        case "a folder":
            path.mkdir()
        case "a link to a device":
            path.symlink_to("/dev/null")
        case "nothing at all":
            path = Path()
        case "in no folder":
            path = path.with_name("none") / "images.tar.gz"
    before = {each: each.lstat().st_ino for each in (tmp_path / "out").iterdir()}
    with pytest.raises(UsageError, match=r"is not a regular file|is a folder|there is no folder"):
        save_images(tmp_path / "here", [TEST], path)
    assert {each: each.lstat().st_ino for each in (tmp_path / "out").iterdir()} == before


def test_an_archive_is_replaced_where_its_link_points_to(tmp_path):
    write_image(tmp_path / "here", TEST)
    (tmp_path / "disk").mkdir()
    (tmp_path / "disk" / "real.tar.gz").write_text("old")
    (tmp_path / "images.tar.gz").symlink_to("disk/real.tar.gz")
    save_images(tmp_path / "here", [TEST], tmp_path / "images.tar.gz")
    assert (tmp_path / "images.tar.gz").is_symlink()
    assert load_images(tmp_path / "there", [TEST], tmp_path / "disk" / "real.tar.gz")


@pytest.mark.parametrize("end", ["error", "interrupt"])
def test_a_saving_that_ends_early_leaves_nothing(tmp_path, monkeypatch, tar, end):
    write_image(tmp_path / "here", TEST)
    path = tmp_path / "out" / "images.tar.gz"
    path.parent.mkdir()
    (path.parent / ".images.tar.gz.part").write_text("of somebody else")
    path.write_text("old")
    tar("echo half; echo 'gzip: stdout: No space left on device' >&2; exit 2")
    if end == "interrupt":

        def run(command, *, stdout, **options):
            stdout.write(b"half")
            raise KeyboardInterrupt

        monkeypatch.setattr(archives.subprocess, "run", run)
    with pytest.raises(KeyboardInterrupt if end == "interrupt" else ImageError) as caught:
        save_images(tmp_path / "here", [TEST], path)
    assert {each.name: each.read_text() for each in path.parent.iterdir()} == {
        "images.tar.gz": "old",
        ".images.tar.gz.part": "of somebody else",
    }
    if end == "error":
        assert os.strerror(errno.ENOSPC) in caught.value.message
        assert "free some space" in caught.value.hint
