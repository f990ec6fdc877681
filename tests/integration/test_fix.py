"""A package that does not build until `emwheels fix` has changed its recipe, with the real tools."""

from __future__ import annotations

SETUP = """import os
from setuptools import Extension, setup

if os.environ.get("SETUPTOOLS_SCM_PRETEND_VERSION") != "1.0":
    raise LookupError("setuptools-scm was unable to detect version for this folder")
setup(ext_modules=[Extension("tiny", ["tiny.c"])])
"""


def test_a_build_is_mended(tiny_project, extension, module):
    code = "static PyObject *twice(PyObject *self, PyObject *x) { return PyNumber_Add(x, x); }"
    members = dict(extension("tiny", module("tiny", code, "twice"))) | {"setup.py": SETUP}
    tiny_project.recipe("tiny", members, "# why: a test\nabout:\n  license: MIT\n")
    failed = tiny_project.run("build", "--no-test", "tiny")
    assert failed.status == 6
    assert (
        "  | setup.py, line 5, in <module>\n  | LookupError: setuptools-scm was unable to detect version" in failed.err
    )
    assert "Traceback" not in failed.err
    assert "To write this: emwheels fix tiny --apply" in failed.err
    assert "+    export SETUPTOOLS_SCM_PRETEND_VERSION=1.0" in failed.err

    assert tiny_project.run("fix", "tiny", "--apply").status == 0
    built = tiny_project.run("build", "--no-test", "tiny")
    assert built.status == 0, built.err
    assert "# why: a test" in (tiny_project.root / "recipes" / "tiny" / "meta.yaml").read_text()
    assert tiny_project.run("fix", "tiny").status == 2
