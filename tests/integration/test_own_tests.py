"""A recipe's own tests, through the real toolchain and in Node: imports, what they need, what is expected to fail."""

from __future__ import annotations

import pytest

pytestmark = [pytest.mark.image, pytest.mark.timeout(900)]

TEST_KEYS = """
    extra:
      emwheels:
        test:
          requirements: [helper]
          environment: {WORD: "a b"}
          expected-failures:
            node: {"test_tiny.py::test_kill": there are no signals}
"""
TESTS = """
    import os
    import helper, tiny
    def test_need(): assert helper.seven(tiny) == 7
    def test_word(): assert os.environ["WORD"] == "a b"
    def test_kill(): os.abort()
"""


def test_imports_needs_environment_and_expected_failures(tiny_project, extension, module):
    seven = "static PyObject *seven(PyObject *self, PyObject *arg) { return PyLong_FromLong(7); }"
    for name in ("helper", "tiny"):
        tiny_project.recipe(name, extension(name, module(name, seven, "seven")), TEST_KEYS if name == "tiny" else "")
    (tiny_project.root / "recipes" / "tiny" / "test_tiny.py").write_text(TESTS.replace("\n    ", "\n"))

    done = tiny_project.json("build", "tiny", "--engine", "node", status=0)
    rows = done.json()
    assert rows["helper"]["engines"] == {"node": "imports only: 1 passed"}
    assert rows["tiny"]["engines"] == {"node": "2 passed, 1 skipped"}
    report = (tiny_project.dist / "reports" / "helper").glob("*/node.xml")
    assert 'name="import helper"' in next(iter(report)).read_text()

    some = tiny_project.run("test", "tiny", "--engine", "node", "-k", "need")
    assert (some.status, "node 1 passed" in some.out) == (0, True), some.err
    assert "nothing is recorded" in some.out
