"""``emwheels bump`` through the real compiler: a newer version is taken, and one that is no good is not."""

from __future__ import annotations

import hashlib

import pytest
from packed import tar_gz

pytestmark = [pytest.mark.image, pytest.mark.network, pytest.mark.timeout(1800)]

NAME = "emwheels-small-example"
MODULE = "small_example"
CODE = "static PyObject *answer(PyObject *m, PyObject *x)\n{\n    return PyLong_FromLong(41);\n}\n"
PATCH = f"""Why: 41 is wrong.

--- a/{MODULE}.c
+++ b/{MODULE}.c
@@ -1,7 +1,7 @@
 #include <Python.h>
 static PyObject *answer(PyObject *m, PyObject *x)
 {{
-    return PyLong_FromLong(41);
+    return PyLong_FromLong(41 + OFFSET);
 }}
 \n static PyMethodDef methods[] = {{
"""
TEST = f"import {MODULE}\n\ndef test_answer():\n    assert {MODULE}.answer(0) == 42\n"


@pytest.fixture
def release(tmp_path, extension, module, tiny_project):
    """Return a function that puts a version onto the index, and returns the hash of its source."""
    links = tmp_path / "links"
    links.mkdir()
    tiny_project.env["PIP_FIND_LINKS"] = str(links)

    def put(version, offset, code=CODE):
        members = extension(MODULE, module(MODULE, code, "answer"), define_macros=[("OFFSET", offset)])
        members["pyproject.toml"] = (
            members["pyproject.toml"].replace('version = "1.0"', f'version = "{version}"').replace(MODULE, NAME)
        )
        archive = tar_gz({f"{NAME}-{version}/{path}": content for path, content in members.items()})
        (links / f"{NAME.replace('-', '_')}-{version}.tar.gz").write_bytes(archive)
        return hashlib.sha256(archive).hexdigest()

    return put


def test_a_newer_version_is_taken(tiny_project, release):
    first = release("1.0", "1")
    folder = tiny_project.recipe_from(NAME, f"pkg:pypi/{NAME}@1.0", first, tests={"test_it.py": TEST})
    tiny_project.patch(NAME, PATCH)
    second = release("1.1", "1")
    done = tiny_project.run("bump", NAME, "--engine", "node", seconds=1200)
    assert done.status == 0, done.err
    assert f"{NAME} 1.0 -> 1.1: bumped" in done.out
    assert "patches: 1 patch applies" in done.out
    assert "node 1 passed" in done.out
    text = (folder / "meta.yaml").read_text()
    assert f"url: pkg:pypi/{NAME}@1.1\n  sha256: {second}" in text
    assert not tiny_project.published()

    release("1.2", "1", CODE.replace("41", "40"))
    done = tiny_project.run("bump", NAME, "--engine", "node", seconds=1200)
    assert done.status == 3, done.err
    assert "0001-tiny.patch: does not apply to the source" in done.out
    assert f"{MODULE}.c" in done.out
    assert (folder / "meta.yaml").read_text() == text

    release("1.3", "2")
    done = tiny_project.run("bump", NAME, "--engine", "node", seconds=1200)
    assert done.status == 8, done.err
    assert f"{NAME} 1.1 -> 1.3: failed" in done.out
    assert "test_answer" in done.out
    assert (folder / "meta.yaml").read_text() == text

    done = tiny_project.run("build", NAME, "--engine", "node", seconds=1200)
    assert done.status == 0, done.err
    assert "reused" in done.out  # what was tried is what is built
    (wheel,) = tiny_project.published()
    assert wheel.startswith(f"{NAME.replace('-', '_')}-1.1-")
