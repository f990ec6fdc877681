"""Tests that are expected to fail: their failures are no news, and a pass of one is."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from emwheels.harness.model import Case

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_KEY = "extra.emwheels.test.expected-failures"


def judged(cases: Sequence[Case], expected: Mapping[str, str], *, complete: bool) -> list[Case]:
    """Return ``cases`` with each one of ``expected`` (name -> reason) skipped if it failed, and failed if it passed.

    It does not matter how a test failed: one that kills its interpreter cannot be marked inside of it. If the run is
    ``complete``, an entry without a test is an error.
    """
    found = [_judged(case, expected.get(entry, "")) if entry else case for case, entry in _entries(cases, expected)]
    lost = sorted(set(expected) - {entry for _, entry in _entries(cases, expected)}) if complete else []
    message = f"there is no such test: take the entry out of {_KEY}"
    return found + [Case(nodeid=name, outcome="error", seconds=0, message=message) for name in lost]


def _entries(cases: Iterable[Case], expected: Mapping[str, str]) -> list[tuple[Case, str]]:
    """Return each case with the name that ``expected`` has for it: with parameters, or without."""
    return [
        (case, next((name for name in (case.nodeid, case.nodeid.partition("[")[0]) if name in expected), ""))
        for case in cases
    ]


def _judged(case: Case, reason: str) -> Case:
    if case.outcome in ("failed", "error"):
        return replace(case, outcome="skipped", message=f"expected failure: {reason}\n{case.message}")
    if case.outcome == "passed":
        message = f"passed, and was expected to fail ({reason}): take the entry out of {_KEY}"
        return replace(case, outcome="failed", message=message)
    return case
