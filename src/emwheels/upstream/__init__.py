"""A package's own test suite, run inside Pyodide: what to run, what came of it, and why tests fail."""

from __future__ import annotations

from emwheels.upstream.result import Group, SuiteResult, judge, read_result, write_result
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
    "SuiteResult",
    "UpstreamSuite",
    "judge",
    "lay_out",
    "read_result",
    "read_suite",
    "split_requirements",
    "write_result",
]
