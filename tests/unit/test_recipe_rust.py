"""Which recipes are in Rust, what their builds are given, and what their keys have."""

from __future__ import annotations

import json

import pytest
from sample_target import TARGET

from emwheels.build.rust import rust_environment
from emwheels.build.source import plain_recipe
from emwheels.plan.key import build_key, code_digest, explain
from emwheels.profile import LINK_OPTIONS, rust_flags
from emwheels.recipe.load import RecipeProblems, load_recipe
from emwheels.recipe.rust import is_rust
from emwheels.target.profiles import PROFILES

HASH = f" \\\n    --hash=sha256:{'0' * 64}\n"


@pytest.fixture
def recipe(tmp_path):
    def make(meta="", lock=""):
        folder = tmp_path / "recipes" / "demo"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "meta.yaml").write_text(
            f"package:\n  name: demo\n  version: '1.0'\nsource:\n  url: pkg:pypi/demo@1.0\n  sha256: {'a' * 64}\n{meta}"
        )
        (folder / "requirements.build.txt").write_text(lock)
        return load_recipe(folder, patches=tmp_path / "patches")

    return make


def key(recipe, rust=""):
    given = {"profile": "speed", "image_digest": "i", "toolchain": "debian", "toolchain_key": "t", "dependencies": {}}
    return build_key(recipe, TARGET, rust=rust, **given)


@pytest.mark.parametrize(
    ("meta", "lock", "rust"),
    [
        ("", f"setuptools==80.0{HASH}", False),
        ("", f"maturin==1.16.0{HASH}", True),
        ("", f"setuptools==80.0{HASH}Setuptools_Rust==1.0{HASH}", True),
        ("requirements:\n  executable: [cmake]\n", "", False),
        ("requirements:\n  executable: [cmake, rustup]\n", "", True),
    ],
)
def test_which_recipes_are_in_rust(recipe, meta, lock, rust):
    assert is_rust(recipe(meta, lock)) is rust


def test_a_cargo_lock_that_leads_elsewhere_is_no_recipe(recipe, tmp_path):
    (recipe().folder / "Cargo.lock").symlink_to("/etc/hostname")
    with pytest.raises(RecipeProblems, match=r"Cargo\.lock"):
        load_recipe(tmp_path / "recipes" / "demo", patches=tmp_path / "patches")


def test_pyodide_build_hears_nothing_of_rust(recipe):
    plain = plain_recipe(recipe("requirements:\n  executable: [cargo, cmake, rustc, rustup]\n"), "/source")
    assert plain["requirements"]["executable"] == ["cmake"]


def test_the_layer_is_in_keys_of_rust_alone(recipe, tmp_path):
    made = recipe(lock=f"maturin==1.16.0{HASH}")
    assert "rust" not in key(made).inputs
    one, other = key(made, "sha256:1"), key(made, "sha256:2")
    assert one.inputs["rust"]["layer"] == "sha256:1"
    assert one.changed(other.inputs) == ["rust/layer"]
    assert explain(other, one.inputs) == ["the Rust layer changed"]
    (made.folder / "Cargo.lock").write_text("version = 4\n")
    locked = key(made, "sha256:1")
    assert explain(locked, one.inputs) == ["Cargo.lock added"]
    assert code_digest(locked) != code_digest(one)


def test_what_a_build_in_rust_sees():
    seen = rust_environment(PROFILES["speed"], "/usr/bin")
    flags = seen["CARGO_TARGET_WASM32_UNKNOWN_EMSCRIPTEN_RUSTFLAGS"].split()
    assert "--remap-path-prefix=/mnt/work/=" in flags
    assert "-Ctarget-feature=+simd128" in flags
    assert [f"-Clink-arg={option}" in flags for option in LINK_OPTIONS] == [True] * len(LINK_OPTIONS)
    assert seen["PATH"] == "/usr/bin:/mnt/rust/bin"
    assert seen["CARGO_NET_OFFLINE"] == "true"
    assert "CARGO_PROFILE_RELEASE_OPT_LEVEL" not in seen


def test_a_profile_is_cargos_too():
    assert rust_environment(PROFILES["size"], "")["CARGO_PROFILE_RELEASE_OPT_LEVEL"] == "z"
    debug = rust_environment(PROFILES["debug"], "")
    assert debug["CARGO_PROFILE_RELEASE_OPT_LEVEL"] == "1"
    assert debug["CARGO_PROFILE_RELEASE_DEBUG"] == "true"
    assert rust_flags(["-O3"]) == []
    assert rust_flags(["-msimd128", "-mrelaxed-simd"]) == ["-Ctarget-feature=+simd128,+relaxed-simd"]


def test_keys_are_plain_data(recipe):
    made = key(recipe(lock=f"maturin==1.16.0{HASH}"), "sha256:1")
    assert json.loads(json.dumps(made.inputs)) == made.inputs
