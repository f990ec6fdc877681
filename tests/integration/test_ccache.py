"""The compiler cache in the sandbox: it hits, it changes no byte, and it is said when it hits nothing."""

from __future__ import annotations

import shutil

import pytest

pytestmark = [pytest.mark.image, pytest.mark.timeout(400)]

CODE = "static PyObject *same(PyObject *self, PyObject *value) { return Py_NewRef(value); }"


def test_objects_come_from_the_cache(tiny_project, extension, module):
    # The folder of the build requirements is on the command line, as it is for pybind11 or Cython packages.
    tiny_project.recipe(
        "tiny",
        extension("tiny", module("tiny", CODE, "same"))
        | {
            "setup.py": (
                "import sys\nfrom setuptools import Extension, setup\n"
                'setup(ext_modules=[Extension("tiny", ["tiny.c"], include_dirs=[sys.prefix])])\n'
            )
        },
    )

    def build(*extra):
        done = tiny_project.json("build", "tiny", "--no-test", *extra)
        return done.json()["tiny"], done.err

    first, said = build()
    assert first["ccache"] == {"hits": 0, "misses": 1}
    assert "ccache" not in said, "the first build cannot hit anything"

    again, _ = build("--force")
    assert again["ccache"] == {"hits": 1, "misses": 0}
    without, _ = build("--force", "--no-ccache")
    assert without["ccache"] is None
    assert first["output"]["sha256"] == again["output"]["sha256"] == without["output"]["sha256"]

    shutil.rmtree(tiny_project.cache / "ccache")
    build("--force", "--no-ccache")
    lost, said = build("--force")
    assert lost["ccache"] == {"hits": 0, "misses": 1}
    assert "warning: ccache had none of 1 objects" not in said, "the last build used no cache"
    shutil.rmtree(tiny_project.cache / "ccache")
    _, said = build("--force")
    assert "warning: ccache had none of 1 objects" in said
    printed = tiny_project.run("build", "tiny", "--no-test", "--force").out
    assert "ccache: 1 of 1 (100.0 %)" in printed
