"""Tests that are expected to fail."""

from __future__ import annotations

import pytest

from emwheels.harness.expected import judged
from emwheels.harness.model import Case
from emwheels.harness.model import Outcome as HowItEnded


def case(nodeid: str, outcome: HowItEnded) -> Case:
    return Case(nodeid=nodeid, outcome=outcome, seconds=1, message="E  it broke" if outcome != "passed" else "")


@pytest.mark.parametrize("outcome", ["failed", "error"])
def test_a_failure_that_is_expected_is_skipped_with_the_reason(outcome: HowItEnded) -> None:
    (found,) = judged([case("t.py::a", outcome)], {"t.py::a": "no threads"}, complete=True)
    assert (found.outcome, found.message) == ("skipped", "expected failure: no threads\nE  it broke")


def test_a_pass_that_is_not_expected_is_a_failure_that_says_what_to_do() -> None:
    (found,) = judged([case("t.py::a", "passed")], {"t.py::a": "no threads"}, complete=True)
    assert found.outcome == "failed"
    assert found.message.startswith("passed, and was expected to fail (no threads): take the entry out of extra.")


def test_a_name_without_parameters_stands_for_all_of_them() -> None:
    cases = [case("t.py::a[1]", "failed"), case("t.py::a[2]", "failed"), case("t.py::ab", "failed")]
    found = judged(cases, {"t.py::a": "no threads", "t.py::ab[1]": "none"}, complete=False)
    assert [each.outcome for each in found] == ["skipped", "skipped", "failed"]


def test_an_entry_without_a_test_is_an_error_of_a_whole_run_alone() -> None:
    cases = [case("t.py::a", "passed")]
    assert judged(cases, {"t.py::gone": "no threads"}, complete=False) == cases
    lost = judged(cases, {"t.py::gone": "no threads"}, complete=True)[1:]
    assert [(each.nodeid, each.outcome) for each in lost] == [("t.py::gone", "error")]
    assert "there is no such test" in lost[0].message


def test_a_test_that_was_left_out_is_left_as_it_is() -> None:
    skipped = case("t.py::a", "skipped")
    assert judged([skipped], {"t.py::a": "no threads"}, complete=True) == [skipped]
