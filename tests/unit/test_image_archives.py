from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import tarfile
from pathlib import Path

import pytest

from emwheels.errors import ImageError
from emwheels.image import debian
from emwheels.image.archives import load_images, save_images
from emwheels.target import ImagePins

BUILD = ImagePins(part="build", suite="forky", packages={"emscripten": "the compiler"})
TEST = ImagePins(part="test", suite="forky", packages={"nodejs": "an engine"})


def write_image(cache: Path, pins: ImagePins) -> Path:
    """Write an image as one that was made, and return its folder."""
    folder = debian.image_folder(cache, pins)
    record = {"key": debian.image_key(pins), "digest": f"sha256:{pins.part}", "suite": "forky", "packages": {}}
    (folder / "rootfs/opt/emwheels").mkdir(parents=True)
    (folder / "image.json").write_text(json.dumps(record))
    (folder / "rootfs/opt/emwheels/digest").write_text(record["digest"])
    return folder


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
    return sorted(path.name for path in (cache / "images").iterdir() if path.is_dir())


def test_images_are_carried_to_another_cache(saved, tmp_path):
    records = load_images(tmp_path / "there", [BUILD, TEST], saved)
    assert sorted(record.digest for record in records) == ["sha256:build", "sha256:test"]
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
    (record,) = load_images(tmp_path / "there", [BUILD, TEST], tmp_path / "test.tar.gz")
    assert record.digest == "sha256:test"
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


@pytest.mark.parametrize("what", ["a link", "a link above", "a fifo", "a mark that is a fifo", "nothing", "no record"])
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
            (folder / "rootfs/opt/emwheels/digest").write_text("sha256:build")
            os.mkfifo(folder / "image.json")
        case "a mark that is a fifo":
            (folder / "image.json").write_bytes((elsewhere / "image.json").read_bytes())
            (folder / "rootfs/opt/emwheels").mkdir(parents=True)
            os.mkfifo(folder / "rootfs/opt/emwheels/digest")
        case "no record":
            (folder / "rootfs/opt/emwheels").mkdir(parents=True)
    subprocess.run(["tar", "-czf", tmp_path / "odd.tar.gz", "-C", tmp_path / "images", "."], check=True)
    with pytest.raises(ImageError, match="damaged"):
        load_images(tmp_path / "there", [BUILD], tmp_path / "odd.tar.gz")
    assert images(tmp_path / "there") == []


def test_a_truncated_archive_is_refused_and_earlier_images_stay(saved, tmp_path):
    saved.write_bytes(saved.read_bytes()[:-40])
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
