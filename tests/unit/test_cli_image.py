"""``emwheels image``: what is shown, saved and loaded, without an image."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from sample_run import IMAGE, TEST_IMAGE, make_environment
from sample_target import TARGET
from small_project import make_command_in

from emwheels.errors import ImageError
from emwheels.image.archives import LoadedImage
from emwheels.image.debian import ImageRecord
from emwheels.image.toolchain import emsdk


@pytest.fixture
def environment(tmp_path):
    return make_environment(tmp_path)


@pytest.fixture
def command(environment, monkeypatch, capsys):
    for name in ("EMWHEELS_IMAGE", "EMWHEELS_TEST_IMAGE"):
        monkeypatch.delenv(name, raising=False)
    return make_command_in(environment, "image", monkeypatch, capsys)


@pytest.fixture
def records(monkeypatch, environment):
    """The records of both images, as they are found beside them."""
    packages = {"build": {"zlib1g": "1.3", "emscripten": "6.0~rc1"}, "test": {"nodejs": "24"}}
    records = {
        part: ImageRecord(key="k", digest=digest, suite="sid", packages=packages[part])
        for part, digest in (("build", IMAGE), ("test", TEST_IMAGE))
    }
    monkeypatch.setattr("emwheels.cli.image.debian.image_folder", lambda cache, pins: cache / pins.part)
    monkeypatch.setattr("emwheels.cli.image.debian.read_record", lambda folder: records[folder.name])
    return records


def test_the_images_are_shown(command, records, environment):
    said = command("image").lines()
    assert said == [
        "image build",
        f"digest {IMAGE}",
        f"toolchain debian, {environment.toolchain.crossenv}",
        "suite Debian sid",
        f"kept in {environment.project.cache}/build",
        "",
        "emscripten 6.0~rc1",
        "zlib1g 1.3",
        "",
        "image test",
        f"digest {TEST_IMAGE}",
        "suite Debian sid",
        f"kept in {environment.project.cache}/test",
        "",
        "nodejs 24",
    ]


def test_one_image_is_shown(command, records, environment):
    vars(environment)["image_digest"] = None  # it is not asked for
    said = command("image", "--part", "test").lines()
    assert said[:2] == ["image test", f"digest {TEST_IMAGE}"]
    assert "zlib1g 1.3" not in said


def test_the_images_in_json(command, records):
    found = command("image", "--json").json()
    assert list(found) == ["build", "test"]
    build = found["build"]
    assert (build["digest"], build["toolchain"], build["toolchain_key"]) == (IMAGE, "debian", "2" * 64)
    assert {part: found[part]["packages"] for part in found} == {
        part: record.packages for part, record in records.items()
    }


def test_a_published_image_is_not_shown_with_the_packages_of_the_embedded_one(command, environment, monkeypatch):
    other = ImageRecord(key="k", digest="sha256:" + "9" * 64, suite="sid", packages={"zlib1g": "1.3"})
    monkeypatch.setattr("emwheels.cli.image.debian.read_record", lambda folder: other)
    assert "zlib1g" not in command("image").out
    found = command("image", "--json").json()
    assert all("packages" not in content for content in found.values())


def test_images_are_saved(command, monkeypatch, tmp_path):
    parts = []

    def save_images(cache, images, file):
        parts.append([pins.part for pins in images])
        file.write_bytes(b"x" * 1234)

    monkeypatch.setattr("emwheels.cli.image.save_images", save_images)
    file = tmp_path / "images.tar.gz"
    assert command("image", "save", file).out == f"saved {IMAGE} and {TEST_IMAGE} to {file} (1,234 bytes)\n"
    assert command("image", "save", file, "--part", "test").out == f"saved {TEST_IMAGE} to {file} (1,234 bytes)\n"
    assert parts == [["build", "test"], ["test"]]


def test_images_are_loaded_before_there_are_any(command, monkeypatch, tmp_path, environment, records):
    for name in ("image_digest", "test_image_digest"):
        del vars(environment)[name]  # to ask for it would make one
    loaded = [LoadedImage(record=record, new=part == "build") for part, record in records.items()]
    monkeypatch.setattr("emwheels.cli.image.load_images", lambda cache, images, file: loaded)
    said = command("image", "load", tmp_path / "images.tar.gz")
    assert said.out == f"loaded {IMAGE}\nalready here: {TEST_IMAGE}\n"


def test_an_archive_that_is_none(command, tmp_path):
    (tmp_path / "image.tar.gz").write_text("no archive")
    said = command("image", "load", tmp_path / "image.tar.gz", status=5)
    assert "is not an archive\n  it has to come from: emwheels image save FILE" in said.err


@pytest.mark.parametrize("action", ["save", "load"])
def test_a_file_is_needed(command, action):
    said = command("image", action, status=2)
    assert said.err == f"emwheels: image {action} needs a file\n  emwheels image {action} images.tar.gz\n"
    assert "it is empty; give a path" in command("image", action, "", status=2).err
    assert "needs a folder\n  emwheels image mirror DIR" in command("image", "mirror", status=2).err


def test_nothing_is_shown_of_a_file(command):
    said = command("image", "show", "images.tar.gz", status=2)
    assert said.err == "emwheels: image show takes no file: 'images.tar.gz' is one too many\n  emwheels image show\n"


def test_options_may_stand_between(command, monkeypatch, tmp_path):
    monkeypatch.setattr("emwheels.cli.image.save_images", lambda cache, images, file: file.touch())
    file = tmp_path / "images.tar.gz"
    words = (
        ("save", "--part", "test", file),
        ("--part", "test", "save", file),
        ("save", file, "--part", "test"),
        ("--json", "save", "--part=test", "--offline", file),
    )
    for each in words:
        assert command("image", *each).out == f"saved {TEST_IMAGE} to {file} (0 bytes)\n"
    assert "unrecognized arguments: more" in command("image", "save", "--part", "test", file, "more", status=2).err


def test_no_image_is_made_for_a_file_that_cannot_be_written(command, environment, tmp_path):
    for name in ("image_digest", "test_image_digest"):
        del vars(environment)[name]  # to ask for it would make one
    said = command("image", "save", tmp_path, status=2)
    assert said.err == f"emwheels: {tmp_path} is a folder\n  name a file to write, such as images.tar.gz\n"


@pytest.mark.parametrize(("part", "variable"), [("build", "EMWHEELS_IMAGE"), ("test", "EMWHEELS_TEST_IMAGE")])
def test_a_published_image_is_not_saved(command, monkeypatch, tmp_path, part, variable):
    monkeypatch.setattr("emwheels.cli.image.save_images", lambda *_: pytest.fail("it was saved"))
    monkeypatch.setenv(variable, f"registry.example.org/image@{IMAGE}")
    said = command("image", "save", tmp_path / "images.tar.gz", status=2)
    assert f"the {part} image is a published one, registry.example.org/image@{IMAGE}" in said.err
    assert f"set {variable}=embedded" in said.err
    assert not (tmp_path / "images.tar.gz").exists()


def test_the_other_image_is_saved_beside_a_published_one(command, monkeypatch, tmp_path):
    monkeypatch.setattr("emwheels.cli.image.save_images", lambda cache, images, file: file.touch())
    monkeypatch.setenv("EMWHEELS_IMAGE", f"registry.example.org/image@{IMAGE}")
    command("image", "save", "--part", "test", tmp_path / "images.tar.gz")
    monkeypatch.setenv("EMWHEELS_IMAGE", "embedded")
    command("image", "save", tmp_path / "images.tar.gz")


def test_pins_of_an_emsdk_are_proposed_and_nothing_is_used(command, environment, monkeypatch):
    names = ("emsdk", "xbuildenv")
    pins = SimpleNamespace(
        by_name=lambda: {name: SimpleNamespace(url=f"https://x.example.org/{name}", sha256="a" * 64) for name in names}
    )
    monkeypatch.setattr(emsdk, "propose_pins", lambda target, fetcher: pins)
    del vars(environment)["toolchain"]
    environment.toolchain_name = "emsdk"
    assert not environment.target.emsdk.complete
    said = command("image", "--toolchain", "emsdk", status=5)
    assert f'[target."{TARGET.name}".emsdk.xbuildenv]\nurl = "https://x.example.org/xbuildenv"\n' in said.out
    assert said.out.startswith("# targets.toml does not pin these files yet.")


def test_an_image_that_cannot_be_made_is_a_message(command, environment, monkeypatch):
    class Broken(type(environment)):
        @property
        def image_digest(self):
            raise ImageError("this machine lacks mmdebstrap", hint="run as root: apt-get install mmdebstrap")

    monkeypatch.setattr(environment, "__class__", Broken)
    assert command("image", status=5).err == (
        "emwheels: this machine lacks mmdebstrap\n  run as root: apt-get install mmdebstrap\n"
    )
