"""``emwheels image``: what is shown, saved and loaded, without an image."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from sample_run import IMAGE, make_environment
from sample_target import TARGET
from small_project import make_command_in

from emwheels.errors import ImageError
from emwheels.image.debian import ImageRecord
from emwheels.image.toolchain import emsdk


@pytest.fixture
def environment(tmp_path):
    return make_environment(tmp_path)


@pytest.fixture
def command(environment, monkeypatch, capsys):
    return make_command_in(environment, "image", monkeypatch, capsys)


@pytest.fixture
def record(monkeypatch, environment):
    record = ImageRecord(key="k", digest=IMAGE, suite="sid", packages={"zlib1g": "1.3", "emscripten": "6.0~rc1"})
    monkeypatch.setattr("emwheels.cli.image.debian.read_record", lambda folder: record)
    return record


def test_the_image_is_shown(command, record, environment):
    said = command("image").lines()
    assert said[0] == f"digest {IMAGE}"
    assert said[1] == f"toolchain debian for {TARGET.name}, {environment.toolchain.crossenv}"
    assert said[2] == "suite Debian sid"
    assert said[-2:] == ["emscripten 6.0~rc1", "zlib1g 1.3"], "sorted"


def test_the_image_in_json(command, record):
    found = command("image", "--json").json()
    assert (found["digest"], found["toolchain"], found["toolchain_key"]) == (IMAGE, "debian", "2" * 64)
    assert found["packages"] == record.packages


def test_a_published_image_is_not_shown_with_the_packages_of_the_embedded_one(command, environment, monkeypatch):
    other = ImageRecord(key="k", digest="sha256:" + "9" * 64, suite="sid", packages={"zlib1g": "1.3"})
    monkeypatch.setattr("emwheels.cli.image.debian.read_record", lambda folder: other)
    assert "zlib1g" not in command("image").out
    assert "packages" not in command("image", "--json").json()


def test_an_image_is_saved(command, monkeypatch, tmp_path):
    monkeypatch.setattr("emwheels.cli.image.debian.save_image", lambda cache, pins, file: file.write_bytes(b"x" * 1234))
    file = tmp_path / "image.tar.gz"
    assert command("image", "save", file).out == f"saved {IMAGE} to {file} (1,234 bytes)\n"


def test_an_image_is_loaded_before_there_is_one(command, monkeypatch, tmp_path, environment, record):
    del vars(environment)["image_digest"]  # to ask for it would make one
    monkeypatch.setattr("emwheels.cli.image.debian.load_archive", lambda cache, pins, file: record)
    assert command("image", "load", tmp_path / "image.tar.gz").out == f"loaded {IMAGE}\n"


def test_an_archive_that_is_none(command, tmp_path):
    (tmp_path / "image.tar.gz").write_text("no archive")
    said = command("image", "load", tmp_path / "image.tar.gz", status=5)
    assert "is not an archive\n  it has to come from: emwheels image save FILE" in said.err


@pytest.mark.parametrize("action", ["save", "load"])
def test_a_file_is_needed(command, action):
    said = command("image", action, status=2)
    assert said.err == f"emwheels: image {action} needs a file\n  emwheels image {action} image.tar.gz\n"


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
