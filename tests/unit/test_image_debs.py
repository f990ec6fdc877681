"""Debian's packages as files: the list that pins them, and the records of a suite."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emwheels.errors import ImageError
from emwheels.image.debs import Deb, DebSet, made_for, moved, pinned, read_records, write_pins
from emwheels.target import ImagePins

PINS = ImagePins(part="test", suite="sid", packages={"b": "one", "a": "another"})
NAMES = st.from_regex(r"[a-z0-9][a-z0-9+.-]{1,20}", fullmatch=True)
VERSIONS = st.from_regex(r"([0-9]:)?[0-9][A-Za-z0-9.+~-]{0,20}", fullmatch=True)
PATHS = st.from_regex(r"pool(/[A-Za-z0-9][A-Za-z0-9.+~_-]{0,9}){1,4}\.deb", fullmatch=True)
HASHES = st.text(string.digits + "abcdef", min_size=64, max_size=64)
DEBS = st.builds(Deb, name=NAMES, version=VERSIONS, path=PATHS, size=st.integers(0, 10**11), sha256=HASHES)
SETS = st.builds(DebSet, installed=st.lists(DEBS, max_size=5).map(tuple), taken=st.lists(DEBS, max_size=3).map(tuple))


def deb(name, version="1.0", sha256="0" * 64):
    return Deb(name=name, version=version, path=f"pool/main/{name}_{version}_all.deb", size=1, sha256=sha256)


@given(SETS)
def test_what_is_pinned_is_read_again(debs):
    again = pinned(PINS, "x86_64", write_pins([(PINS, debs)], "x86_64"))
    assert again is not None
    assert (again.installed, again.taken) == (tuple(sorted(debs.installed)), tuple(sorted(debs.taken)))
    assert again.digest == debs.digest


def test_packages_are_pinned_for_one_suite_one_architecture_and_one_list_of_packages():
    text = write_pins([(PINS, DebSet(installed=(deb("a"),)))], "x86_64")
    assert made_for(PINS, "x86_64") == "sid amd64 a b"
    assert pinned(PINS, "x86_64", text) is not None
    assert pinned(PINS, "aarch64", text) is None
    assert pinned(ImagePins(part="test", suite="sid", packages={"a": ""}), "x86_64", text) is None
    assert pinned(ImagePins(part="build", suite="sid", packages=PINS.packages), "x86_64", text) is None


def test_the_packages_of_this_version_are_pinned(targets):
    for pins in (targets.image, targets.test_image):
        debs = pinned(pins, "x86_64")
        assert debs is not None, f"the {pins.part} image: emwheels image pin"
        assert set(pins.packages) <= set(debs.versions)
    assert pinned(targets.image, "x86_64").versions["emscripten"].startswith(targets.image.emscripten)


@pytest.mark.parametrize(
    "line",
    [
        "a 1.0 pool/../../etc/passwd.deb 1 " + "0" * 64,
        "a 1.0 pool/.hidden/a.deb 1 " + "0" * 64,
        "a 1.0 /pool/a.deb 1 " + "0" * 64,
        "a 1.0 pool/a.deb -1 " + "0" * 64,
        "a 1.0 pool/a.deb 1 " + "0" * 63,
        "a 1.0 pool/a.deb 1",
        "--a 1.0 pool/a.deb 1 " + "0" * 64,
    ],
)
def test_a_line_that_is_none_is_refused(line):
    text = f'[test]\nmade_for = "sid amd64 a b"\ninstalled = ["{line}"]\n'
    with pytest.raises(ImageError, match="is not a Debian package's name, version, path, size and sha256"):
        pinned(PINS, "x86_64", text)


def test_a_list_that_cannot_be_read_is_told_by_its_name():
    with pytest.raises(ImageError, match=r"debian-packages\.toml: ") as caught:
        pinned(PINS, "x86_64", "[test\n")
    assert "emwheels image pin" in caught.value.hint


RECORD = """\
Package: emscripten
Version: 1:6.0.5+dfsg-2
Description: a compiler
 Package: a continued line
Filename: pool/main/e/emscripten/emscripten_6.0.5+dfsg-2_all.deb
Size: 6186072
SHA256: {sha256}
"""


def test_records_of_apt_are_read_once_for_each_package():
    text = RECORD.format(sha256="1" * 64) + "\n" + RECORD.format(sha256="2" * 64)
    (found,) = read_records(text)
    assert (found.name, found.version, found.size) == ("emscripten", "1:6.0.5+dfsg-2", 6186072)
    assert (found.sha256, found.filename) == ("1" * 64, "emscripten_6.0.5+dfsg-2_all.deb")


def test_a_record_without_a_hash_is_refused():
    with pytest.raises(ImageError, match="emscripten 1:6"):
        read_records(RECORD.format(sha256=""))


def test_what_differs_is_named_once():
    before = DebSet(installed=(deb("a"), deb("b"), deb("c")))
    after = DebSet(installed=(deb("a"), deb("b", "2.0", "1" * 64), deb("d")))
    assert moved(before, after) == ["b", "c", "d"]
