"""What a source tree says of its crates, read without running anything."""

from __future__ import annotations

import pytest

from emwheels.build.cargo_tree import read_cargo_tree, read_file
from emwheels.errors import RecipeError

PACKAGE = '[package]\nname = "x"\nversion = "1.0.0"\n'
VENDORED = '[source.crates-io]\nreplace-with = "own"\n[source.own]\ndirectory = "include/cargo"\n'


@pytest.fixture
def tree(tmp_path):
    def lay(files):
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return tmp_path

    return lay


def test_no_cargo_at_all(tree):
    assert read_cargo_tree(tree({"setup.py": ""})) is None


@pytest.mark.parametrize(
    ("files", "manifest", "lock", "locked"),
    [
        ({"Cargo.toml": PACKAGE, "Cargo.lock": ""}, "Cargo.toml", "Cargo.lock", True),
        ({"Cargo.toml": PACKAGE}, "Cargo.toml", "Cargo.lock", False),
        (
            {
                "pyproject.toml": '[tool.maturin]\nmanifest-path = "./rust/py/Cargo.toml"\n',
                "rust/py/Cargo.toml": PACKAGE,
                "rust/Cargo.toml": '[workspace]\nmembers = ["py"]\n',
                "rust/Cargo.lock": "",
            },
            "rust/py/Cargo.toml",
            "rust/Cargo.lock",
            True,
        ),
        (
            {
                "pyproject.toml": '[tool.maturin]\nmanifest-path = "rust/py/Cargo.toml"\n',
                "rust/py/Cargo.toml": PACKAGE,
                "rust/Cargo.toml": '[workspace]\nmembers = ["py"]\n',
            },
            "rust/py/Cargo.toml",
            "rust/Cargo.lock",
            False,
        ),
        (
            {
                "pyproject.toml": '[[tool.setuptools-rust.ext-modules]]\ntarget = "a.b"\npath = "src/b/Cargo.toml"\n',
                "src/b/Cargo.toml": PACKAGE,
                "src/b/Cargo.lock": "",
                "bench/Cargo.toml": PACKAGE,
            },
            "src/b/Cargo.toml",
            "src/b/Cargo.lock",
            True,
        ),
        (
            {"a/Cargo.toml": PACKAGE, "z/deep/Cargo.toml": PACKAGE, "z/deep/Cargo.lock": ""},
            "z/deep/Cargo.toml",
            "z/deep/Cargo.lock",
            True,
        ),
    ],
)
def test_the_manifest_and_its_lock(tree, files, manifest, lock, locked):
    found = read_cargo_tree(tree(files))
    assert (found.manifest, found.lock, found.locked) == (manifest, lock, locked)


@pytest.mark.parametrize(
    ("files", "vendored"),
    [
        ({}, False),
        ({".cargo/config.toml": VENDORED}, False),
        ({".cargo/config.toml": VENDORED, "include/cargo/itoa/Cargo.toml": PACKAGE}, True),
        ({".cargo/config": VENDORED, "include/cargo/itoa/Cargo.toml": PACKAGE}, True),
        ({".cargo/config.toml": "[build]\njobs = 1\n", "include/cargo/itoa/Cargo.toml": PACKAGE}, False),
        ({".cargo/config.toml": VENDORED.replace("include/cargo", "../../etc")}, False),
    ],
)
def test_crates_of_its_own(tree, files, vendored):
    assert read_cargo_tree(tree({"Cargo.toml": PACKAGE, **files})).vendored is vendored


def test_the_rust_that_it_asks_for(tree):
    assert read_cargo_tree(tree({"Cargo.toml": f'{PACKAGE}rust-version = "1.85"\n'})).rust_version == "1.85"
    workspace = {"Cargo.toml": '[workspace]\nmembers = ["x"]\n[workspace.package]\nrust-version = "1.90"\n'}
    project = {"pyproject.toml": '[tool.maturin]\nmanifest-path = "x/Cargo.toml"\n'}
    member = {"x/Cargo.toml": f"{PACKAGE}rust-version.workspace = true\n"}
    assert read_cargo_tree(tree(workspace | project | member)).rust_version == "1.90"


@pytest.mark.parametrize("text", ["[package", "x = " + "[" * 3000, "x" * (5 << 20)])
def test_a_manifest_that_makes_no_sense(tree, text):
    with pytest.raises(RecipeError, match=r"Cargo\.toml of the source cannot be read"):
        read_cargo_tree(tree({"Cargo.toml": text}))


def test_links_are_not_followed(tree, tmp_path):
    folder = tree({"Cargo.toml": PACKAGE})
    (folder / "Cargo.lock").symlink_to("/etc/passwd")
    assert not read_cargo_tree(folder).locked
    with pytest.raises(RecipeError, match="is a link"):
        read_file(folder, "Cargo.lock")
