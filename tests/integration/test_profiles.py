"""A debug build and a profile of the project's own, compiled, audited and looked into."""

from __future__ import annotations

import json
import zipfile

from emwheels.audit import wasm
from emwheels.wheel import REPORT

CODE = """
    #include <assert.h>
    static int __attribute__((noinline)) halved_by_hand(int n) { assert(n % 2 == 0); return n / 2; }
    static PyObject *half(PyObject *self, PyObject *x) {
        return PyLong_FromLong(halved_by_hand((int)PyLong_AsLong(x)));
    }
"""


def built(project, profile):
    (row,) = json.loads(project.json("build", "--no-test", "tiny", "--profile", profile).out)
    wheel = project.dist / profile / "wheels" / row["output"]["filename"]
    with zipfile.ZipFile(wheel) as file:
        (library,) = [name for name in file.namelist() if name.endswith(".so")]
        report = next(name for name in file.namelist() if name.endswith(REPORT))
        return file.read(library), file.read(report).decode()


def test_names_lines_and_assertions_of_a_debug_build(tiny_project, extension, module):
    tiny_project.recipe("tiny", extension("tiny", module("tiny", CODE, "half")), "about:\n  license: MIT\n")
    with (tiny_project.root / "targets.toml").open("a") as file:
        file.write('\n[profiles.small-debug]\nbased-on = "size"\nflags = ["-g"]\n')
    data, report = built(tiny_project, "debug")
    sections = wasm.parse(data).custom_sections
    assert {"name", ".debug_info", ".debug_line"} <= set(sections)
    assert b"halved_by_hand" in data
    assert b"n % 2 == 0" in data, "an assertion"
    assert "-UNDEBUG" in report
    data, report = built(tiny_project, "small-debug")
    assert "name" in wasm.parse(data).custom_sections
    assert b"n % 2 == 0" not in data
    assert "small-debug" in report
    assert tiny_project.run("build", "tiny", "--profile", "other").status == 2
    assert tiny_project.run("status", "--profile", "../other").status == 2
