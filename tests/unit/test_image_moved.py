"""Compilers that took the place of the pinned one: noted, found again, and not where the pinned one is."""

from __future__ import annotations

import dataclasses
import json

import pytest

from emwheels.image.debian import image_folder
from emwheels.image.moved import Candidate, candidate_for, in_force, remember
from emwheels.target import BuildImagePins

PINS = BuildImagePins(
    part="build",
    suite="sid",
    packages={},
    emscripten="6.0.5",
    llvm="21",
    pythons=("3.14",),
    pyodide_build="0.39",
    accepted=">=6.0.5,<7",
)
NEWER = Candidate(emscripten="6.1.0", llvm="22", needs="packages", proven="programs")


def put_image(cache, pins):
    folder = image_folder(cache, pins)
    (folder / "rootfs/opt/emwheels").mkdir(parents=True)
    (folder / "image.json").write_text(json.dumps({"key": "k", "digest": "d", "suite": "sid", "packages": {}}))
    (folder / "rootfs/opt/emwheels/digest").write_text("d\n")


def test_a_candidate_is_used_where_its_image_is_and_the_pinned_one_is_not(tmp_path):
    assert in_force(tmp_path, PINS) == (PINS, None)
    remember(tmp_path, PINS, NEWER)
    assert in_force(tmp_path, PINS) == (PINS, None), "its image is not there"
    put_image(tmp_path, NEWER.pins(PINS))
    assert in_force(tmp_path, PINS) == (NEWER.pins(PINS), NEWER)
    put_image(tmp_path, PINS)
    assert in_force(tmp_path, PINS) == (PINS, None)
    assert candidate_for(tmp_path, PINS) == NEWER


@pytest.mark.parametrize(
    ("needs", "proven", "to_prove"),
    [("packages", "programs", True), ("packages", "packages", False), ("programs", "programs", False)],
)
def test_what_is_to_be_proven_follows_from_what_is_needed(needs, proven, to_prove):
    assert Candidate(emscripten="6.1.0", llvm="21", needs=needs, proven=proven).to_prove is to_prove


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"emscripten": "6.1.0"}', "[" * 5000, '{"emscripten": 6, "llvm": 1, "needs": 2}']
)
def test_a_damaged_note_is_none(tmp_path, text):
    remember(tmp_path, PINS, NEWER)
    put_image(tmp_path, NEWER.pins(PINS))
    (path,) = (tmp_path / "images").glob("*.moved.json")
    path.write_text(text)
    assert candidate_for(tmp_path, PINS) is None


@pytest.mark.parametrize("accepted", ["", ">=6.0.5,<6.1"])
def test_what_is_not_accepted_any_more_is_not_used(tmp_path, accepted):
    remember(tmp_path, PINS, NEWER)
    put_image(tmp_path, NEWER.pins(PINS))
    narrower = dataclasses.replace(PINS, accepted=accepted)
    assert in_force(tmp_path, narrower) == (narrower, None)
