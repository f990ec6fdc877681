"""A package's own suite in Node: what fails with a reason and without one, hangs or kills the interpreter."""

from __future__ import annotations

import json

import pytest

pytestmark = [pytest.mark.image, pytest.mark.timeout(400)]

CODE = "static PyObject *add(PyObject *s, PyObject *v) { return PyLong_FromLong(PyLong_AsLong(v) + 1); }\n"
SUITE = """
import ctypes
import pytest
import tiny

@pytest.mark.parametrize("number", range(20))
def test_add(number): assert tiny.add(number) == number + 1
def test_thread():
    import threading
    threading.Thread(target=print).start()
def test_bug(): assert tiny.add(1) == 3
def test_null(): ctypes.string_at(0xFFFFFFF0, 64)
def test_hang():
    while True: pass
@pytest.mark.skip(reason="not here")
def test_skipped(): pass
def test_after(): assert tiny.add(1) == 2
"""
YAML = """
files: [checks]
paths: [checks]
backend-flags: |
  unknown=setting
left-out:
  - tests: checks/test_command.py
    reason: it starts a process
reasons:
  - tests: "*::test_thread"
    reason: no threads
"""


def test_a_suite_with_every_kind_of_failure(tiny_project, extension, module):
    members = extension("tiny", module("tiny", CODE, "add"))
    members |= {"checks/test_own.py": SUITE, "checks/test_command.py": "raise ImportError('no processes')\n"}
    folder = tiny_project.recipe("tiny", members)
    (folder / "upstream.yaml").write_text(YAML)
    usual = tiny_project.json("build", "tiny", "--no-test").json()["tiny"]["output"]["sha256"]

    done = tiny_project.json("upstream-tests", "tiny", "--test-seconds", "5", status=8)
    written = json.loads((tiny_project.root / "docs" / "upstream-tests" / "tiny.json").read_bytes())
    assert [written] == json.loads(done.out)
    assert (written["passed"], written["failed"], written["skipped"]) == (21, 4, 1)
    failures = {row["reason"]: sorted(name.partition("::")[2] for name in row["tests"]) for row in written["failures"]}
    assert failures == {"no threads": ["test_thread"], "": ["test_bug", "test_hang", "test_null"]}
    assert written["left_out"] == [["checks/test_command.py", "it starts a process"]]

    # The wheel that was built for it, with other flags, is neither published nor what comes next is compared with.
    again = tiny_project.json("build", "tiny", "--no-test").json()["tiny"]
    assert (again["state"], again["output"]["sha256"]) == ("reused", usual)
    assert tiny_project.json("plan", "tiny").json()["tiny"]["state"] == "up to date"
    (folder / "meta.yaml").write_text((folder / "meta.yaml").read_text() + "build:\n  cflags: -DX=1\n")
    (row,) = tiny_project.json("plan", "tiny").json().values()
    assert row["why"] == ["build.cflags added"]


def test_results_belong_to_the_wheel_and_smoke_tests_run_with_the_recipe_s_own(tiny_project, extension, module):
    members = extension("tiny", module("tiny", CODE, "add"))
    members["checks/test_quick.py"] = (
        "import tiny\n\ndef test_add(): assert tiny.add(1) == 2\n\ndef test_thread():\n"
        "    import threading\n    threading.Thread(target=print).start()\n"
    )
    members["checks/test_slow.py"] = "def test_slow(): assert False, 'not of the smoke tests'\n"
    folder = tiny_project.recipe("tiny", members, tests={"test_tiny.py": "import tiny\n\ndef test(): tiny.add(1)\n"})
    suite = 'files: [checks]\nreasons:\n  - {tests: "*::test_thread", reason: no threads}\n'
    smoke = suite + "smoke: [checks/test_quick.py]\n"
    (folder / "upstream.yaml").write_text(smoke)
    docs = tiny_project.root / "docs"

    done = tiny_project.json("build", "tiny", "--engine", "node").json()["tiny"]
    assert done["engines"] == {"node": "1 passed, 1 of 2 upstream"}
    (folder / "upstream.yaml").write_text(
        suite.replace("no threads}", 'no threads}\n  - {tests: "*::test_slow", reason: x}')
    )
    assert tiny_project.json("upstream-tests", "tiny").status == 0
    written = json.loads((docs / "upstream-tests" / "tiny.json").read_bytes())
    assert tiny_project.run("tables").status == 0
    (present,) = json.loads((docs / "wheels.json").read_bytes())["wheels"]
    assert written["wheels"] == {"tiny": present["content"]}
    assert json.loads(tiny_project.json("upstream-tests", "--due").out) == [], "the result is of the present wheel"
    assert tiny_project.run("tables", "--check").status == 0

    # Another wheel: its results are due, and the tables say so.
    smoke = smoke.replace("test_thread", "test_nothing")
    (folder / "upstream.yaml").write_text(smoke)
    more = "static PyObject *other(PyObject *s, PyObject *v) { return PyLong_FromLong(7); }\n"
    members |= extension("tiny", module("tiny", CODE + more, "add", "other"))
    tiny_project.recipe("tiny", members, tests={"test_tiny.py": "import tiny\n\ndef test(): tiny.add(1)\n"})
    assert tiny_project.run("tables", "--check").status == 1
    failed = tiny_project.json("build", "tiny", "--engine", "node", status=8).json()["tiny"]
    assert failed["due"] == ["upstream-tests/tiny"]
    assert "checks/test_quick.py::test_thread" in failed["error"]
    tiny_project.run("tables")
    checked = tiny_project.run("tables", "--check")
    assert (checked.status, "upstream-tests/tiny: of another tiny" in checked.err) == (1, True), checked.err
    assert "**stale**" in (docs / "upstream-tests.md").read_text()
