"""What images are made of, written to a folder, and pinned."""

from __future__ import annotations

import platform

import pytest
from small_debs import make_deb

from emwheels.errors import ImageError, UsageError
from emwheels.image import mirror
from emwheels.image.debs import DebSet, pinned
from emwheels.image.mirror import check_folder, pin_packages, write_mirror
from emwheels.image.supply import Place, Supply
from emwheels.target import BuildImagePins, ImagePins

PINS = ImagePins(part="test", suite="sid", packages={"a": ""})


@pytest.fixture
def debs(tmp_path):
    return DebSet(installed=(make_deb(tmp_path / "suite", "a", "1.0"), make_deb(tmp_path / "suite", "b", "2:1.0")))


@pytest.fixture
def supply(tmp_path):
    return Supply([Place(address=str(tmp_path / "suite"), kind="the suite")])


def test_a_mirror_has_the_packages_and_their_list(debs, supply, tmp_path):
    size = write_mirror(tmp_path / "mirror", [PINS], supply, None, say=print, sets=[debs])
    again = Supply([Place(address=str(tmp_path / "mirror"), kind="the mirror")])
    assert again.lacking(debs) == []
    text = (tmp_path / "mirror" / "debian-packages.toml").read_text()
    assert pinned(PINS, platform.machine(), text) == debs
    assert size == sum(deb.size for deb in debs) + len(text)
    assert write_mirror(tmp_path / "mirror", [PINS], supply, None, say=print, sets=[debs]) == size


def test_without_a_place_no_folder_is_made(debs, tmp_path):
    with pytest.raises(ImageError, match="there is no place that may have the packages"):
        write_mirror(tmp_path / "mirror", [PINS], Supply([]), None, say=print, sets=[debs])
    assert not (tmp_path / "mirror").exists()


def test_packages_that_are_not_pinned_are_not_mirrored(supply, tmp_path):
    with pytest.raises(ImageError, match="no packages are pinned for the test image") as caught:
        write_mirror(tmp_path / "mirror", [PINS], supply, None, say=print)
    assert "emwheels image pin" in caught.value.hint


def test_a_folder_with_other_things_is_left_alone(tmp_path):
    check_folder(tmp_path / "new")
    (tmp_path / "mine").write_text("x")
    for folder in (tmp_path, tmp_path / "mine"):
        with pytest.raises(UsageError):
            check_folder(folder)
    (tmp_path / "pool").mkdir()
    check_folder(tmp_path)
    (tmp_path / "link").symlink_to(tmp_path)
    with pytest.raises(UsageError, match="is not a folder"):
        check_folder(tmp_path / "link")


def test_another_compiler_is_not_pinned(debs, tmp_path, monkeypatch):
    monkeypatch.setattr(mirror, "files", lambda _: tmp_path)
    path, sets = pin_packages([PINS], lambda _: debs)
    assert (path, sets) == (tmp_path / "debian-packages.toml", [debs])
    before = path.read_text()
    build = BuildImagePins(
        part="build",
        suite="sid",
        packages={"emscripten": ""},
        emscripten="6.0.5",
        llvm="21",
        pythons=(),
        pyodide_build="0.39",
        accepted=">=6,<7",
    )
    names = ("emscripten", "6.1.0"), ("clang-21", "21")
    newer = DebSet(installed=tuple(make_deb(tmp_path / "suite", name, version) for name, version in names))
    with pytest.raises(ImageError, match=r"has another compiler than targets\.toml asks for") as caught:
        pin_packages([build], lambda _: newer)
    assert "emwheels image try" in caught.value.hint
    assert path.read_text() == before
