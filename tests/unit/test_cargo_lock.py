"""Cargo.lock: crates with their hashes, and what is refused in it."""

from __future__ import annotations

import pytest
from crate_registry import PUBLIC

from emwheels.errors import RecipeError
from emwheels.fetch.cargo_lock import MOST_CRATES, Crate, read_cargo_lock

SHA = "0" * 63 + "1"
OWN = '[[package]]\nname = "own"\nversion = "1.0.0"\ndependencies = ["itoa"]\n'


def package(name="itoa", version="1.0.11", source=PUBLIC, checksum=SHA):
    fields = {"name": name, "version": version, "source": source, "checksum": checksum}
    return "[[package]]\n" + "".join(f'{key} = "{value}"\n' for key, value in fields.items() if value is not None)


def read(text):
    return read_cargo_lock(f"version = 4\n{text}".encode(), "demo: Cargo.lock")


def test_crates_of_a_registry_and_not_those_of_the_tree():
    crates = read(OWN + package() + package("serde_yaml", "0.9.34+deprecated"))
    assert crates == (
        Crate(name="itoa", version="1.0.11", sha256=SHA),
        Crate(name="serde_yaml", version="0.9.34+deprecated", sha256=SHA),
    )
    assert crates[0].purl == "pkg:cargo/itoa@1.0.11"
    assert crates[1].folder == "serde_yaml-0.9.34+deprecated"
    assert read(OWN) == ()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (package(source="git+https://example.org/x?rev=1#abc", checksum=None), "itoa 1.0.11 comes from git"),
        (package(source="registry+https://crates.example.org/index"), "a registry of its own"),
        (package(checksum=None), "has no checksum: an old cargo wrote it"),
        (package(checksum="00"), "has no checksum"),
        (package(name="../../etc"), "is no crate"),
        (package(version="1.0/../../x"), "is no crate"),
        (package(name="a" * 200), "is no crate"),
        ("[[package]]\nsource = 1\n", "is no Cargo.lock"),
        ("package = 1\n", "is no Cargo.lock"),
        ("package = [1]\n", "is no Cargo.lock"),
        ("x = [", "is no Cargo.lock"),
        ("x = " + "[" * 5000, "demo: Cargo.lock"),
        ("".join(package(f"c{number}") for number in range(MOST_CRATES + 1)), "5,000 are allowed"),
    ],
)
def test_what_is_refused_in_one_line(text, words):
    with pytest.raises(RecipeError) as caught:
        read(text)
    assert words in caught.value.message
    assert caught.value.message.startswith("demo: Cargo.lock")
    assert "\n" not in caught.value.message


def test_crates_of_git_come_with_the_advice_to_vendor():
    with pytest.raises(RecipeError) as caught:
        read(package(source="git+https://example.org/x#abc", checksum=None))
    assert "cargo vendor" in caught.value.hint


def test_what_is_no_text():
    with pytest.raises(RecipeError, match=r"is no Cargo\.lock"):
        read_cargo_lock(b"\xff\xfe", "demo: Cargo.lock")
