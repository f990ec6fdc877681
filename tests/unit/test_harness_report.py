from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as ET

from hypothesis import given
from hypothesis import strategies as st

from emwheels.harness.model import Case, EngineResult
from emwheels.harness.report import clean, junit


def result(*cases: Case) -> EngineResult:
    return EngineResult(engine="node", cases=cases, seconds=3, boot_seconds=2, console=Path("node.log"))


@given(st.text(st.characters(exclude_categories=[])))
def test_any_text_makes_xml_that_can_be_read(text: str) -> None:
    case = Case(nodeid=f"test_a.py::{text}", outcome="failed", seconds=0, message=text, output=text)
    ET.fromstring(junit(result(case)))


def test_clean_keeps_what_is_legal() -> None:
    assert clean("é\t\n😀\x00\ud800") == "é\t\n😀\\x00\\ud800"


def test_junit() -> None:
    root = ET.fromstring(
        junit(
            result(
                Case(nodeid="test_a.py::test_x[1::2]", outcome="passed", seconds=0.5, output="hello"),
                Case(nodeid="test_a.py::test_y", outcome="failed", seconds=0, message="    f()\nE   ValueError: no\n"),
                Case(nodeid="test_b.py", outcome="error", seconds=0, message="Traceback (most\n  ...\nOSError: x"),
                Case(nodeid="test_a.py::test_z", outcome="skipped", seconds=0, message="not here"),
            )
        )
    )
    (suite,) = root
    assert {key: suite.get(key) for key in ("tests", "failures", "errors", "skipped")} == {
        "tests": "4",
        "failures": "1",
        "errors": "1",
        "skipped": "1",
    }
    x, y, b, z = suite.findall("testcase")
    assert (x.get("classname"), x.get("name"), x.findtext("system-out")) == ("test_a.py", "test_x[1::2]", "hello")
    assert [case[0].get("message") for case in (y, b, z)] == ["ValueError: no", "OSError: x", "not here"]


def test_counts() -> None:
    good = result(Case(nodeid="a", outcome="passed", seconds=0), Case(nodeid="b", outcome="skipped", seconds=0))
    assert (good.passed, good.failed, good.skipped, good.errors, good.ok) == (1, 0, 1, 0, True)
    assert not result(Case(nodeid="boot", outcome="error", seconds=0)).ok
