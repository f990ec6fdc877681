"""Rust through the real sandbox: a module, a crate from a registry on loopback, and what is refused before cargo.

What compiles Rust needs its layer, which takes minutes to make: those tests run where it is in the cache.
"""

from __future__ import annotations

import json
import os
import zipfile

import pytest
import rust_package
from crate_registry import SparseRegistry, crate_file

from emwheels.image.rust import load_layer

CRATE = crate_file("three", "1.2.0", {"src/lib.rs": rust_package.THREE}, 'license = "MIT"\n')


@pytest.fixture
def layer(environment, project_cache):
    """Skip where the layer would have to be made, unless that is asked for."""
    if load_layer(project_cache, environment.rust.pins) is None and not os.environ.get("EMWHEELS_TEST_RUST"):
        pytest.skip(
            "no Rust layer in the cache (5 minutes): emwheels image --rust makes it, as does EMWHEELS_TEST_RUST=1"
        )
    return environment.rust.layer


@pytest.fixture
def registry(tiny_project, tmp_path):
    """A registry with a crate, which cargo's configuration of the project's machine names."""
    registry = SparseRegistry(tiny_project.served / tmp_path.name, f"{tiny_project.address}/{tmp_path.name}")
    registry.add("three", "1.2.0", CRATE)
    registry.configure(tmp_path / "cargo")
    tiny_project.env["CARGO_HOME"] = str(tmp_path / "cargo")
    return registry


def add(project, *, meta=rust_package.META, more="", lock=None):
    files = {} if lock is None else {"lock": lock}
    tests = {"test_tiny.py": rust_package.TESTS}
    return project.recipe("tiny", rust_package.members(more=more, **files), meta, tests=tests)


def test_a_module_with_a_crate_c_and_cpp(layer, tiny_project, registry):
    add(tiny_project, lock=registry.lock("tiny"))
    done = tiny_project.run("build", "--engine", "node", "tiny", seconds=1200)
    assert done.status == 0, done.err
    (wheel,) = tiny_project.published()
    with zipfile.ZipFile(tiny_project.dist / "wheels" / wheel) as opened:
        read = {name.partition(".dist-info/")[2]: opened.read(name) for name in opened.namelist()}
        assert [name for name in opened.namelist() if b"/mnt/" in opened.read(name)] == []
    report = json.loads(read["build-report.json"])
    assert report["tools"]["rust"] == "1.97.1"
    assert report["inputs"]["rust"]["layer"] == layer.digest
    (crate,) = json.loads(read["sboms/emwheels.cdx.json"])["components"]
    assert (crate["purl"], crate["licenses"][0]["license"]["id"]) == ("pkg:cargo/three@1.2.0", "MIT")
    again = tiny_project.run("build", "--engine", "node", "--offline", "--json", "tiny")
    assert again.states() == {"tiny": "reused"}


def test_lock_writes_a_cargo_lock_that_the_build_takes(layer, tiny_project, registry):
    folder = add(tiny_project)
    refused = tiny_project.refused(3, "its source has no Cargo.lock", "emwheels lock tiny")
    assert "cargo build" not in refused.err
    # setuptools comes from the lock that is there: crates are all that is new.
    from emwheels.pipeline.crate_locking import lock_crates
    from emwheels.pipeline.environment import environment_here
    from emwheels.recipe.load import load_recipe

    with pytest.MonkeyPatch.context() as patching:
        for name in ("EMWHEELS_CACHE", "CARGO_HOME", "no_proxy", "NO_PROXY"):
            patching.setenv(name, tiny_project.env[name])
        environment = environment_here(tiny_project.root)
        recipe = load_recipe(folder, patches=tiny_project.root / "patches")
        assert lock_crates(environment, recipe) == folder / "Cargo.lock"
    assert f'checksum = "{registry.sums["three", "1.2.0"]}"' in (folder / "Cargo.lock").read_text()
    assert registry.address not in (folder / "Cargo.lock").read_text()
    done = tiny_project.run("build", "--no-test", "tiny", seconds=1200)
    assert done.status == 0, done.err


def test_one_digit_of_a_checksum_is_refused_by_name(tiny_project, registry):
    sha256 = registry.sums["three", "1.2.0"]
    wrong = ("1" if sha256[0] == "0" else "0") + sha256[1:]
    add(tiny_project, lock=registry.lock("tiny").replace(sha256, wrong))
    tiny_project.refused(4, f"three-1.2.0.crate: expected sha256 {wrong}, got {sha256}")


def test_what_is_wrong_is_said_before_cargo_starts(tiny_project, registry):
    add(tiny_project, more='rust-version = "9.99"', lock=registry.lock("tiny"))
    tiny_project.refused(3, "Cargo.toml asks for Rust 9.99, and the layer of targets.toml has 1.97.1")
    add(tiny_project, lock=registry.lock("tiny", source="git+https://example.org/three#0123"))
    tiny_project.refused(3, "three 1.2.0 comes from git", "cargo vendor")
    (registry.folder / "crates" / "three-1.2.0.crate").unlink()
    add(tiny_project, lock=registry.lock("tiny"))
    tiny_project.refused(4, "needs the crate three 1.2.0, which cannot be had", "four ways", "EMWHEELS_CRATES")
