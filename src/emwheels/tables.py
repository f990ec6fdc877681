"""docs/packages.md, docs/upstream-tests.md and docs/reproduce.md, written from what is recorded in docs/."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from emwheels.harness.engines import ENGINES
from emwheels.status.ledger import SHORT

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from emwheels.recipe.model import Recipe
    from emwheels.status.ledger import Ledger
    from emwheels.upstream import SuiteResult

_GENERATED = "<!-- Written by `nox -s tables`; do not edit. -->"


def packages_page(recipes: Mapping[str, Recipe], ledger: Ledger, suites: Mapping[str, SuiteResult]) -> str:
    """Return docs/packages.md: every recipe, what its build came out as, and its tests."""
    rows, libraries = [], []
    for name, recipe in sorted(recipes.items()):
        wheel = ledger.wheels.get(name)
        size = f"{wheel.bytes:,}" if wheel else "not built"
        seconds = f"{wheel.seconds:.0f}" if wheel else ""
        content = f"`{wheel.content[:SHORT]}`" if wheel else ""
        if recipe.build.type != "package":
            libraries.append((name, recipe.version, size, content, seconds, recipe.about.license or ""))
            continue
        engines = wheel.engines if wheel else {}
        tests = [engines.get(engine, "not run") for engine in ENGINES] if recipe.tests else ["no tests"] * 3
        suite = suites.get(name)
        share = f"{_share(suite)}{_mark(suite.wheels, suite.date, ledger)}" if suite else ""
        rows.append((name, recipe.version, size, content, seconds, *tests, share))
    return "\n".join([
        "# Packages",
        "",
        _GENERATED,
        "",
        f"Built for Pyodide {ledger.target} with the profile `{ledger.profile}`; as of {ledger.date}. *Content* is the",
        "start of the hash of what a wheel holds, without its build report, SBOM and RECORD. Every result belongs to a",
        "content, and one of another wheel is marked as stale. Build time is the wall time of the compile phase, on a",
        "machine that had other work, with what its compiler cache had. The upstream suite runs in Node;",
        "[upstream-tests.md](upstream-tests.md) has the details.",
        "",
        *_table(
            ("package", "version", "wheel, bytes", "content", "build, s", *ENGINES, "upstream suite"),
            rows,
            right=(2, 4),
        ),
        "",
        "C and C++ libraries, linked into the wheels, and programs that make them:",
        "",
        *_table(
            ("library", "version", "archive, bytes", "sha256", "build, s", "licence"), libraries, right=(2, 4)
        ),
        "",
    ])  # fmt: skip


def upstream_page(suites: Iterable[SuiteResult], ledger: Ledger) -> str:
    """Return docs/upstream-tests.md: what came of each suite, and the reason of each failure."""
    ordered = sorted(suites, key=lambda suite: suite.package)
    heads = (
        "package",
        "version",
        "Pyodide",
        "ran",
        "passed",
        "",
        "failed",
        "no reason yet",
        "skipped",
        "s",
        "date",
        "of",
    )
    lines = [
        "# Upstream test suites",
        "",
        _GENERATED,
        "",
        "Each package's own tests, run inside Pyodide in Node on the wheel built here:",
        "`nox -s upstream-tests -- NAME`. *Failed* counts tests that failed, hung or killed the engine, and files that",
        "could not be collected; *skipped* are those that the suite itself leaves out here or expects to fail. *Of* is",
        "the content of the wheel: that of [packages.md](packages.md), or the row is stale.",
        "",
        *_table(
            heads,
            [
                (
                    suite.package,
                    suite.version,
                    suite.target,
                    f"{suite.ran:,}",
                    f"{suite.passed:,}",
                    suite.percent,
                    f"{suite.failed:,}",
                    f"{suite.unexplained:,}",
                    f"{suite.skipped:,}",
                    f"{suite.seconds:.0f}",
                    suite.date,
                    _of(suite.package, suite.wheels, ledger),
                )
                for suite in ordered
            ],
            right=(3, 4, 5, 6, 7, 8, 9),
        ),
    ]
    for suite in ordered:
        if not suite.failures and not suite.left_out:
            continue
        lines += ["", f"## {suite.package}", ""]
        for pattern, reason in suite.left_out:
            lines.append(f"* not run: `{pattern}`: {reason}")
        for group in suite.failures:
            shown = ", ".join(f"`{test}`" for test in group.tests[:3])
            more = f" and {group.count - 3} more" if group.count > 3 else ""
            lines.append(f"* {group.count} failed: **{group.reason or 'no reason yet'}**: {shown}{more}")
    return "\n".join([*lines, ""])


def reproduce_page(rows: Sequence[Mapping[str, Any]], ledger: Ledger) -> str:
    """Return docs/reproduce.md from what `emwheels reproduce` noted of each package."""
    return "\n".join([
        "# The same inputs, the same bytes",
        "",
        _GENERATED,
        "",
        "What `emwheels reproduce` found, or `--once`, which makes only the second of its two builds: see",
        "[reliability.md](reliability.md#the-same-inputs-the-same-bytes). *Of* is the content of what was built.",
        "",
        *_table(
            ("recipe", "version", "every byte equal", "how", "date", "of"),
            [
                (
                    str(row["name"]),
                    str(row["version"]),
                    "yes" if row["same"] else f"no: {row['difference']}",
                    str(row["how"]),
                    str(row["date"]),
                    _of(str(row["name"]), row["wheels"], ledger),
                )
                for row in sorted(rows, key=lambda row: str(row["name"]))
            ],
            right=(),
        ),
        "",
    ])  # fmt: skip


def _of(package: str, wheels: Mapping[str, str], ledger: Ledger) -> str:
    """Return the content of a package's wheel, or what is stale about a result."""
    if not wheels:
        return "**stale**: an earlier wheel"
    content = f"`{wheels.get(package, '')[:SHORT]}`"
    others = ledger.others(wheels)
    return f"**stale**: {content}, another {', '.join(others)}" if others else content


def _mark(wheels: Mapping[str, str], date: str, ledger: Ledger) -> str:
    return f", **stale**, {date}" if not wheels or ledger.others(wheels) else ""


def _share(suite: SuiteResult) -> str:
    return f"{suite.passed:,} of {suite.ran:,} ({suite.percent})"


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]], *, right: Sequence[int]) -> list[str]:
    rule = ["---:" if i in right else "---" for i in range(len(heads))]
    return [f"| {' | '.join(cells)} |" for cells in (heads, rule, *rows)]
