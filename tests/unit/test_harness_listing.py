"""The tests of a folder by their files alone, and what a report must have a word of."""

from __future__ import annotations

from textwrap import dedent

import pytest

from emwheels.harness.listing import list_tests, missing_tests
from emwheels.harness.model import Case


@pytest.fixture
def listed(tmp_path):
    def listed(**files):
        for name, text in files.items():
            (tmp_path / f"{name}.py").write_text(dedent(text))
        return sorted(list_tests(tmp_path))

    return listed


def test_functions_and_methods_are_listed(listed):
    text = """
        import pytest
        def helper(): pass
        def test_a(): pass
        @pytest.mark.parametrize("x", [1, 2])
        async def test_b(x): pass
        class TestC:
            def test_d(self): pass
            def other(self): pass
        class Other:
            def test_e(self): pass
    """
    assert listed(test_x=text, other=text) == ["test_x.py::TestC::test_d", "test_x.py::test_a", "test_x.py::test_b"]


@pytest.mark.parametrize(
    "text",
    [
        "if False:\n    def test_a(): pass",
        "import pytest\n@pytest.fixture\ndef test_data(): return 1",
        "class TestA:\n    def __init__(self): pass\n    def test_b(self): pass",
        "class TestA:\n    __test__ = False\n    def test_b(self): pass",
        "def test_a(:",
        "\0",
    ],
)
def test_what_pytest_may_leave_out_is_not_listed(listed, text):
    assert listed(test_x=text) == []


def test_a_conftest_that_chooses_tests_lists_none(listed):
    assert listed(test_x="def test_a(): pass", conftest="collect_ignore = ['test_x.py']") == []


def case(nodeid, outcome="passed"):
    return Case(nodeid=nodeid, outcome=outcome, seconds=0)


def test_a_case_of_a_parameter_or_of_the_file_is_a_word():
    tests = ["test_a.py::test_b", "test_a.py::TestC::test_d", "test_e.py::test_f", "test_g.py::test_h"]
    cases = [case("test_a.py::test_b[1-x::y]"), case("test_a.py::test_b[2]"), case("test_e.py", "skipped")]
    assert missing_tests(tests, cases) == ["test_a.py::TestC::test_d", "test_g.py::test_h"]
    assert missing_tests([], cases) == []
