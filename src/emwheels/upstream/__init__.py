"""A package's own test suite, run inside Pyodide: what to run, what came of it, and why tests fail."""

from __future__ import annotations

from emwheels.upstream.result import Group, Smoke, SuiteResult, judge, read_result, smoke_of, write_result
from emwheels.upstream.suite import (
    LOCK_FILE,
    SUITE_FILE,
    Reason,
    UpstreamSuite,
    lay_out,
    read_suite,
    split_requirements,
)

__all__ = [
    "LOCK_FILE",
    "SUITE_FILE",
    "Group",
    "Reason",
    "Smoke",
    "SuiteResult",
    "UpstreamSuite",
    "judge",
    "lay_out",
    "read_result",
    "read_suite",
    "smoke_of",
    "split_requirements",
    "write_result",
]
