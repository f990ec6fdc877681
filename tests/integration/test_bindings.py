"""Every usual way from Python to C, C++ and Fortran, each by a package of its own: built, imported and called."""

from __future__ import annotations

import shutil

import pytest
from binding_packages import BINDINGS, CFFI

from emwheels.checkout import find_project

pytestmark = [pytest.mark.image, pytest.mark.network, pytest.mark.timeout(1800)]
CHECKOUT = find_project().root


@pytest.fixture(scope="module")
def built(make_tiny_project, tmp_path_factory):
    """Lock, build and test all of them in one run, which shares both cores; what came of each, by name."""
    project = make_tiny_project(tmp_path_factory.mktemp("bindings"))
    for name, binding in BINDINGS.items():
        project.recipe(name, binding.files, binding.meta, tests={f"test_{name}.py": binding.test}, locked=False)
        for needed in {*binding.needs} - {*CFFI}:
            shutil.copytree(CHECKOUT / "recipes" / needed, project.root / "recipes" / needed, dirs_exist_ok=True)
    for name, (url, version, sha256, meta) in CFFI.items():
        project.recipe_from(name, url, sha256, meta, version=version, locked=False)
    locked = project.run("lock", "cffi", *BINDINGS)
    assert locked.status == 0, locked.err
    done = project.run("build", *BINDINGS, "--engine", "node", "--json", seconds=1500)
    assert done.out, done.err
    return done.json()


@pytest.mark.parametrize("name", BINDINGS)
def test_is_built_imported_and_called(built, name):
    outcome = built[name]
    tests = BINDINGS[name].test.count("def test_")
    assert (outcome["state"], outcome["error"]) == ("built", None)
    assert outcome["engines"] == {"node": f"{tests} passed"}
