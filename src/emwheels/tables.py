"""docs/packages.md and docs/upstream-tests.md, written from the recipes, the store and the results of suites."""

from __future__ import annotations

from typing import TYPE_CHECKING

from emwheels.harness import ENGINES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from emwheels.package import Outcome
    from emwheels.recipe import Recipe
    from emwheels.upstream import SuiteResult

_GENERATED = "<!-- Written by `nox -s tables`; do not edit. -->"


def packages_page(
    recipes: Mapping[str, Recipe],
    outcomes: Iterable[Outcome],
    suites: Mapping[str, SuiteResult],
    *,
    target: str,
    profile: str,
    date: str,
) -> str:
    """Return docs/packages.md: every recipe, what its build came out as, and its tests."""
    rows, libraries = [], []
    for outcome in sorted(outcomes, key=lambda outcome: outcome.name):
        recipe, output = recipes[outcome.name], outcome.output
        size = f"{output.size:,}" if output else "not built"
        seconds = f"{output.seconds:.0f}" if output else ""
        if recipe.build.type != "package":
            libraries.append((recipe.name, recipe.version, size, seconds, recipe.about.license or ""))
            continue
        tests = [outcome.engines.get(engine, "not run") for engine in ENGINES] if recipe.tests else ["no tests"] * 3
        suite = suites.get(recipe.name)
        rows.append((recipe.name, recipe.version, size, seconds, *tests, _share(suite) if suite else ""))
    return "\n".join([
        "# Packages",
        "",
        _GENERATED,
        "",
        f"Built for Pyodide {target} with the profile `{profile}`; as of {date}. Build time is the wall time of the",
        "compile phase, on a machine that had other work at the time, with what its compiler cache had. The",
        "upstream suite runs in Node;",
        "[upstream-tests.md](upstream-tests.md) has the details.",
        "",
        *_table(
            ("package", "version", "wheel, bytes", "build, s", *ENGINES, "upstream suite"), rows, right=(2, 3)
        ),
        "",
        "C and C++ libraries, linked into the wheels, and programs that make them:",
        "",
        *_table(("library", "version", "archive, bytes", "build, s", "licence"), libraries, right=(2, 3)),
        "",
    ])  # fmt: skip


def upstream_page(suites: Iterable[SuiteResult]) -> str:
    """Return docs/upstream-tests.md: what came of each suite, and the reason of each failure."""
    ordered = sorted(suites, key=lambda suite: suite.package)
    lines = [
        "# Upstream test suites",
        "",
        _GENERATED,
        "",
        "Each package's own tests, run inside Pyodide in Node on the wheel built here:",
        "`nox -s upstream-tests -- NAME`. *Failed* counts tests that failed, hung or killed the engine, and files that",
        "could not be collected; *skipped* are those that the suite itself leaves out here or expects to fail.",
        "",
        *_table(
            ("package", "version", "Pyodide", "ran", "passed", "", "failed", "no reason yet", "skipped", "s", "date"),
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


def _share(suite: SuiteResult) -> str:
    return f"{suite.passed:,} of {suite.ran:,} ({suite.percent})"


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]], *, right: Sequence[int]) -> list[str]:
    rule = ["---:" if i in right else "---" for i in range(len(heads))]
    return [f"| {' | '.join(cells)} |" for cells in (heads, rule, *rows)]
