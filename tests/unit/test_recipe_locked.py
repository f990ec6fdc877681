"""Lock files held against what the recipe asks for."""

from __future__ import annotations

import pytest

from emwheels.recipe.load import load_recipes
from emwheels.recipe.locked import FOLLOWED, build_names, followed_recipes, lock_needed, pinned_versions

HASH = f" \\\n    --hash=sha256:{'0' * 64}\n"
HEADERS = "build:\n  cross-build-env: true\n  cross-build-files: [heads/core.h]\n"


@pytest.fixture
def project(tmp_path):
    (tmp_path / "recipes").mkdir()

    def add(name, meta="", **locks):
        folder = tmp_path / "recipes" / name
        folder.mkdir()
        (folder / "meta.yaml").write_text(
            f"package:\n  name: {name}\n  version: '1.0'\n"
            f"source:\n  url: pkg:pypi/{name}@1.0\n  sha256: {'a' * 64}\n{meta}"
        )
        for kind, text in locks.items():
            (folder / f"requirements.{kind}.txt").write_text(text)
        return load_recipes(tmp_path / "recipes", patches=tmp_path / "patches")

    return add


@pytest.mark.parametrize(
    ("meta", "locks", "why"),
    [
        ("", {}, "there is no requirements.build.txt"),
        ("", {"build": ""}, ""),
        ("build-extras: [ninja]", {"build": f"cython==3.0{HASH}"}, "has no ninja, which requirements.build-extras has"),
        ("build-extras: [Ninja]", {"build": f"ninja==1.0{HASH}"}, ""),
        ("build-extras: ['ninja>=2']", {"build": f"ninja==1.0{HASH}"}, "pins ninja 1.0, and requirements.build-extras"),
        ("build-extras: ['x; python_version < \"3\"']", {"build": ""}, ""),
        ("constraint: ['cython<3']", {"build": f"cython==3.0{HASH}"}, "pins cython 3.0, and requirements.constraint"),
        ("constraint: ['cython<3']", {"build": ""}, ""),
        ("run: [toolz]", {"build": ""}, "there is no requirements.run.txt, and requirements.run has toolz"),
        ("run: [toolz]", {"build": "", "run": f"six==1{HASH}"}, "requirements.run.txt has no toolz"),
        ("run: [toolz, base]", {"build": "", "run": f"toolz==1{HASH}"}, ""),
        ("host: [heads]", {"build": f"heads==0.9{HASH}"}, "pins heads 0.9, and requirements.host has the recipe"),
        ("host: [heads]", {"build": f"heads==1{HASH}"}, ""),
    ],
)
def test_what_a_lock_lacks_is_named(project, meta, locks, why):
    project("base", build="")
    project("heads", HEADERS, build="")
    recipes = project("tiny", f"requirements:\n  {meta}\n" if meta else "", **locks)
    found = lock_needed(recipes["tiny"], recipes)
    assert (why in found) if why else found == ""


def test_recipes_that_pure_packages_need_are_run_requirements(project):
    project("base", build="")
    lock = f"six==1{HASH}{FOLLOWED}Base\n"
    recipes = project("tiny", "requirements:\n  run: [six]\n", build="", run=lock)
    assert recipes["tiny"].requirements.run == ("six", "base")
    assert lock_needed(recipes["tiny"], recipes) == ""
    assert followed_recipes(recipes["tiny"].run_lock) == ("base",)


def test_what_a_lock_pins(project):
    recipes = project("tiny", build=f"# comment==1\nA.b[x]==1.0 ; python_version < '3.15'{HASH}A-b==2.0{HASH}")
    assert pinned_versions(recipes["tiny"].build_lock) == {"a-b": {"1.0", "2.0"}}
    assert pinned_versions(None) == {}
    assert build_names(recipes["tiny"]) == {"a-b"}
