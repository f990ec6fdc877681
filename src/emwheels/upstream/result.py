"""What came of a suite: counts, and each failure with the reason that was found for it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from emwheels.errors import EmwheelsError
from emwheels.harness.report import headline

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from emwheels.harness.model import Case, EngineResult
    from emwheels.upstream.suite import UpstreamSuite

_NAMES_KEPT = 40
"""Names of failed tests that are kept for one reason: all of them would make the committed file a log."""


@dataclass(frozen=True, kw_only=True)
class Group:
    """Failures with one reason. ``reason`` is empty for those that nobody has looked into."""

    reason: str
    count: int
    tests: tuple[str, ...]
    """Names, the first of them."""
    message: str
    """The line that names the error, of the first."""


@dataclass(frozen=True, kw_only=True)
class SuiteResult:
    """One run of a suite."""

    package: str
    version: str
    target: str
    engine: str
    date: str
    seconds: float
    passed: int
    failed: int
    skipped: int
    failures: tuple[Group, ...] = ()
    left_out: tuple[tuple[str, str], ...] = ()
    """Pairs of a pattern of files and the reason."""
    wheels: Mapping[str, str] = field(default_factory=dict)
    """The content (`emwheels.wheel.content_of`) of each wheel that took part, the package's own among them."""
    image: str = ""
    """Digest of the image that the engine is of."""

    @property
    def ran(self) -> int:
        """Tests that ran to an end or were killed; skipped ones did not."""
        return self.passed + self.failed

    @property
    def percent(self) -> str:
        """The share of those that passed, rounded down, so that 100 means all; empty if none ran."""
        return f"{int(10000 * self.passed / self.ran) / 100:.2f} %" if self.ran else ""

    @property
    def unexplained(self) -> int:
        """Failures without a reason."""
        return sum(group.count for group in self.failures if not group.reason)


@dataclass(frozen=True, kw_only=True)
class Smoke:
    """What one engine made of the part of a suite that runs with the recipe's own tests."""

    passed: int
    ran: int
    unexplained: tuple[Case, ...]
    """Failures for which upstream.yaml has no reason."""


def smoke_of(result: EngineResult, suite: UpstreamSuite) -> Smoke:
    """Count, and leave aside the failures that have a reason."""
    failures = [case for case in result.cases if case.outcome in ("failed", "error")]
    return Smoke(
        passed=result.passed,
        ran=result.passed + len(failures),
        unexplained=tuple(case for case in failures if not _reason(case.nodeid, suite)),
    )


def _reason(nodeid: str, suite: UpstreamSuite) -> str:
    return next((each.reason for each in suite.reasons if fnmatchcase(nodeid, each.tests)), "")


def judge(
    result: EngineResult,
    suite: UpstreamSuite,
    *,
    package: str,
    version: str,
    target: str,
    date: str,
    wheels: Mapping[str, str],
    image: str,
) -> SuiteResult:
    """Count, and put each failure to the first reason of ``suite`` that fits its name."""
    groups: dict[str, list[tuple[str, str]]] = {}
    for case in result.cases:
        if case.outcome in ("failed", "error"):
            groups.setdefault(_reason(case.nodeid, suite), []).append((case.nodeid, headline(case.message)))
    return SuiteResult(
        package=package,
        version=version,
        target=target,
        engine=result.engine,
        date=date,
        seconds=round(result.seconds, 1),
        passed=result.passed,
        failed=result.failed + result.errors,
        skipped=result.skipped,
        failures=tuple(
            Group(
                reason=reason,
                count=len(cases),
                tests=tuple(name for name, _ in cases[:_NAMES_KEPT]),
                message=cases[0][1][:200],
            )
            for reason, cases in sorted(groups.items(), key=lambda item: (item[0] != "", -len(item[1]), item[0]))
        ),
        left_out=tuple((each.tests, each.reason) for each in suite.left_out),
        wheels=dict(wheels),
        image=image,
    )


def write_result(result: SuiteResult, path: Path) -> None:
    """Write ``result`` as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(asdict(result), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def read_result(path: Path) -> SuiteResult:
    """Read what `write_result` wrote. Raises `EmwheelsError` for anything else."""
    try:
        record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        record["failures"] = tuple(Group(**group | {"tests": tuple(group["tests"])}) for group in record["failures"])
        record["left_out"] = tuple((tests, reason) for tests, reason in record["left_out"])
        return _checked(SuiteResult(**record))
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise EmwheelsError(
            f"{path}: not the result of a suite: {error}", hint="make it again: emwheels upstream-tests NAME"
        ) from error


def _checked(result: SuiteResult) -> SuiteResult:
    counts = (result.passed, result.failed, result.skipped, *(group.count for group in result.failures))
    if not all(isinstance(count, int) for count in counts) or not isinstance(result.seconds, int | float):
        raise TypeError("a count, or its seconds, are no number")
    if not isinstance(result.wheels, dict):
        raise TypeError("its wheels are no mapping")
    return result
