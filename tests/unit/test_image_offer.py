"""Which packages an image is made of, and which compilers may take the place of the pinned one."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from emwheels.errors import ImageError
from emwheels.fetch.download import Downloader
from emwheels.image.debs import Deb, DebSet
from emwheels.image.offer import accepted, choose, compiler, offered
from emwheels.image.supply import Place, Supply
from emwheels.target import BuildImagePins, ImagePins

PINS = BuildImagePins(
    part="build",
    suite="sid",
    packages={"emscripten": "the compiler"},
    emscripten="6.0.5",
    llvm="21",
    pythons=("3.14",),
    pyodide_build="0.39",
    accepted=">=6.0.5,<7",
)


def offer(**versions):
    names = {"emscripten": "6.0.5+dfsg-1", "clang-21": "1:21.1", "python3.14": "3.14.8-1"} | {
        name.replace("_", "-"): version for name, version in versions.items()
    }
    return DebSet(
        installed=tuple(
            Deb(name=name, version=version, path=f"pool/{name}.deb", size=1, sha256="0" * 64)
            for name, version in names.items()
            if version
        )
    )


def test_the_pinned_compiler_needs_no_proof():
    assert accepted(PINS, offer()).pins == PINS
    assert accepted(PINS, offer()).proof == ""


@pytest.mark.parametrize(
    ("versions", "emscripten", "llvm", "proof"),
    [
        ({"emscripten": "6.0.6+dfsg-1"}, "6.0.6", "21", "programs"),
        ({"emscripten": "1:6.0.6~rc1-1"}, "6.0.6", "21", "programs"),
        ({"emscripten": "6.1.0-1"}, "6.1.0", "21", "packages"),
        ({"emscripten": "6.0.6-1", "clang_21": "", "clang_22": "22"}, "6.0.6", "22", "packages"),
        ({"clang_22": "22"}, "6.0.5", "22", "packages"),
    ],
)
def test_a_newer_one_has_to_be_proven(versions, emscripten, llvm, proof):
    choice = accepted(PINS, offer(**versions))
    assert choice.pins == dataclasses.replace(PINS, emscripten=emscripten, llvm=llvm)
    assert choice.proof == proof
    assert "which has to be proven" in choice.news


@pytest.mark.parametrize(
    ("versions", "words"),
    [
        (
            {"emscripten": "7.0.0-1"},
            "image.build.accepted of targets.toml is >=6.0.5,<7",
        ),
        ({"emscripten": "6.0.4-1"}, "has Emscripten 6.0.4"),
        ({"emscripten": ""}, "Debian sid has no Emscripten"),
        ({"clang_21": ""}, "Debian sid has no clang"),
        ({"python3.14": ""}, "Debian sid has no python3.14"),
        ({"emscripten": "git20261128-1"}, "which is no version"),
        ({"clang_21": "", f"clang_{'9' * 5000}": "1"}, "Debian sid has no clang"),
    ],
)
def test_what_may_not_be_used_is_refused_with_the_reason(versions, words):
    with pytest.raises(ImageError) as caught:
        accepted(PINS, offer(**versions))
    assert words in caught.value.message


def test_without_a_range_nothing_else_is_accepted():
    with pytest.raises(ImageError, match=r"Emscripten 6\.0\.6"):
        accepted(dataclasses.replace(PINS, accepted=""), offer(emscripten="6.0.6-1"))


def test_an_image_without_a_compiler_is_made_of_what_there_is():
    assert accepted(ImagePins(part="test", suite="sid", packages={}), offer(emscripten="")).proof == ""


def test_packages_that_have_moved_on_are_said_in_one_line():
    before = offer()
    choice = choose(PINS, before, Supply([]), lambda: offer(cmake="4.2"))
    assert choice.debs.versions["cmake"] == "4.2"
    assert choice.proof == ""
    assert choice.news == (
        "Debian has moved on, 3 of the pinned packages are nowhere any more: the suite as it is now is used, "
        "1 packages differ"
    )


def test_a_place_that_does_not_answer_is_no_suite_that_has_moved_on():
    supply = Supply([Place(address="http://127.0.0.1:9", kind="Debian's mirror")], Downloader(attempts=1))
    with pytest.raises(ImageError, match=r"3 of the pinned packages cannot be had.*\nDebian's mirror: ") as caught:
        choose(PINS, offer(), supply, lambda: pytest.fail("the suite was asked"))
    assert "EMWHEELS_IMAGE_MIRROR" in caught.value.hint


def test_nothing_pinned_is_the_suite_as_it_is():
    choice = choose(PINS, None, Supply([]), offer)
    assert (choice.debs, choice.news) == (offer(), "")


def test_a_suite_that_cannot_be_asked_is_told_with_what_lacks():
    def fails():
        raise ImageError("this is offline")

    with pytest.raises(
        ImageError, match=r"3 of the pinned packages are nowhere any more, .*: this is offline"
    ) as caught:
        choose(PINS, offer(), Supply([]), fails)
    assert "EMWHEELS_DEBIAN_SNAPSHOT" in caught.value.hint


def test_the_newest_clang_is_that_of_the_compiler():
    assert compiler({"emscripten": "6.0.5", "clang-9": "", "clang-21": "", "clang-tools-21": ""}, "sid") == (
        "6.0.5",
        "21",
    )


def test_the_password_of_a_mirror_is_not_in_what_apt_says(tmp_path, monkeypatch):
    """apt shows an address without its password, and what a server says as it is."""
    program = tmp_path / "mmdebstrap"
    program.write_text(
        '#!/bin/sh\nfor line; do :; done\necho "$@" > $0.asked; echo "E: $(cat $line): 401 no P4ss@w/rd" >&2\nexit 1\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr("emwheels.image.offer.require_host_tools", lambda say: None)
    said = []
    with pytest.raises(ImageError) as caught:
        offered(PINS, "https://jane:P4ss%40w%2Frd@deb.example.org/debian", say=said.append)
    assert caught.value.message.endswith("E: deb https://deb.example.org/debian sid main: 401 no ***")
    assert "P4ss" not in Path(f"{program}.asked").read_text(), "a list of processes shows it"
    assert said == ["Debian sid: which packages there are now"]
