from __future__ import annotations

import dataclasses
import json
import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from emwheels.errors import ImageError
from emwheels.image import debian, host_tools, making, oci, removal
from emwheels.target import BuildImagePins, ImagePins

if TYPE_CHECKING:
    from pathlib import Path

PINS = BuildImagePins(
    part="build",
    suite="forky",
    packages={"emscripten": "the compiler"},
    emscripten="6.0.5",
    llvm="21",
    pythons=("3.14",),
    pyodide_build="0.39.2",
)
OFFERED = {"emscripten": "6.0.5~dfsg-1", "clang-21": "1:21.1.8-1", "python3.14": "3.14.8-1"}


@pytest.mark.parametrize("change", [{"suite": "sid"}, {"packages": {"emscripten": "", "git": ""}}, {"llvm": "22"}])
def test_every_input_of_the_image_is_in_its_key(change):
    assert debian.image_key(dataclasses.replace(PINS, **change)) != debian.image_key(PINS)


@pytest.mark.parametrize("part", ["test", "service"])
def test_an_image_that_does_not_compile_has_a_key_of_its_packages_alone(part, monkeypatch):
    pins = ImagePins(part=part, suite="sid", packages={"nodejs": "an engine"})
    key = debian.image_key(pins)
    assert debian.image_key(dataclasses.replace(pins, packages={"nodejs": "an engine", "wrk": "load"})) != key
    assert debian.image_key(dataclasses.replace(pins, packages={"nodejs": "another reason"})) == key
    monkeypatch.setattr(debian, "data", lambda name: "changed")
    assert debian.image_key(pins) == key
    assert debian.image_key(PINS) != key


def test_the_published_reference_is_not_in_the_key_of_the_embedded_image():
    assert debian.image_key(dataclasses.replace(PINS, oci_reference="x")) == debian.image_key(PINS)


def test_what_the_suite_offers_is_accepted_when_it_is_what_was_pinned():
    making._check_versions(OFFERED, PINS)


@pytest.mark.parametrize(
    ("offered", "said"),
    [
        ({**OFFERED, "emscripten": "6.1.0-1"}, "Emscripten 6.1.0 instead of 6.0.5"),
        ({"emscripten": "6.0.5-1", "clang-22": "22", "python3.14": "3.14.8"}, "clang-22 instead of clang-21"),
        ({"emscripten": "6.0.5-1", "clang-21": "21"}, "no Python 3.14"),
    ],
)
def test_a_suite_that_moved_is_an_error_that_says_what_and_how_to_go_on(offered, said):
    with pytest.raises(ImageError) as raised:
        making._check_versions(offered, PINS)
    assert said in raised.value.message
    assert "targets.toml" in raised.value.hint
    assert "image load" in raised.value.hint


def write_image(folder: Path, *, digest: str, mark: str, key: str = "k") -> None:
    record = {"key": key, "digest": digest, "suite": "forky", "packages": {}}
    (folder / "rootfs/opt/emwheels").mkdir(parents=True)
    (folder / "image.json").write_text(json.dumps(record))
    (folder / "rootfs/opt/emwheels/digest").write_text(mark)


def test_a_whole_image_is_found(tmp_path):
    write_image(tmp_path, digest="sha256:1", mark="sha256:1\n")
    record = debian.read_record(tmp_path)
    assert record is not None
    assert record.digest == "sha256:1"


def test_a_half_made_or_exchanged_image_is_not_used(tmp_path):
    assert debian.read_record(tmp_path) is None
    write_image(tmp_path, digest="sha256:1", mark="sha256:2")
    assert debian.read_record(tmp_path) is None
    (tmp_path / "image.json").write_text("{")
    assert debian.read_record(tmp_path) is None


def test_the_mirror_can_be_chosen(monkeypatch):
    monkeypatch.setenv("EMWHEELS_DEBIAN_MIRROR", "file:///mirror")
    assert host_tools.debian_mirror() == "file:///mirror"


def test_an_image_is_named_by_digest_only():
    digest = f"sha256:{'a' * 64}"
    assert oci.digest_of(f"registry.example:5000/team/emwheels@{digest}", "build") == digest
    for other in ("registry.example/emwheels:latest", f"--x@{digest}", f"-x@{digest}", f"@{digest}", f"ü@{digest}"):
        with pytest.raises(ImageError, match="by digest"):
            oci.digest_of(other, "build")


@pytest.mark.parametrize(("part", "variable"), [("build", "EMWHEELS_IMAGE"), ("test", "EMWHEELS_TEST_IMAGE")])
def test_what_names_no_image_is_told_with_where_it_was_written(monkeypatch, part, variable):
    for name in ("EMWHEELS_IMAGE", "EMWHEELS_TEST_IMAGE"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ImageError, match=rf"image\.{part}\.oci_reference in targets\.toml"):
        oci.digest_of("x", part)
    monkeypatch.setenv(variable, "x")
    with pytest.raises(ImageError, match=rf"\({variable}\)"):
        oci.digest_of("x", part)


def test_the_environment_chooses_between_embedded_and_published(monkeypatch):
    monkeypatch.delenv("EMWHEELS_IMAGE", raising=False)
    assert oci.configured_reference(PINS) == ""
    assert oci.configured_reference(dataclasses.replace(PINS, oci_reference="r")) == "r"
    monkeypatch.setenv("EMWHEELS_IMAGE", "embedded")
    assert oci.configured_reference(dataclasses.replace(PINS, oci_reference="r")) == ""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount")
def test_what_is_mounted_in_a_tree_is_not_removed_with_it(tmp_path):
    host = tmp_path / "host"
    (host / "below").mkdir(parents=True)
    (host / "kept").write_text("kept")
    tree = tmp_path / "a tree"
    (tree / "proc").mkdir(parents=True)
    (tree / "locked").mkdir(mode=0o500)
    for source, point in ((host, tree / "proc"), (host, tree / "proc" / "below")):
        if subprocess.run(["mount", "--bind", source, point], check=False, capture_output=True).returncode:
            pytest.skip("nothing may be mounted here")
    removal.remove_tree(tree)
    assert not tree.exists()
    assert (host / "kept").read_text() == "kept"
    removal.remove_tree(tree)


def test_a_tree_with_something_mounted_that_stays_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(removal, "_mounts_below", lambda folder: [folder / "dev" / "pts", folder / "dev"])
    monkeypatch.setattr(removal.subprocess, "run", lambda *_arguments, **_options: None)
    (tmp_path / "kept").touch()
    with pytest.raises(ImageError, match="dev is still mounted") as caught:
        removal.remove_tree(tmp_path)
    assert caught.value.hint == f"as root: umount --lazy {tmp_path}/dev/pts {tmp_path}/dev"
    assert (tmp_path / "kept").exists()
