"""``emwheels tables``: the pages of docs/ that are made from what was built and tested, and whether they are right."""

from __future__ import annotations

import argparse
import json
import re
import sys
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from emwheels.audit.rules import RULES
from emwheels.cli.opening import NAMES, is_documented, open_environment, open_recipes, say_bad
from emwheels.errors import EmwheelsError, UsageError
from emwheels.harness.engines import ENGINES, SUITE_ENGINE
from emwheels.image.toolchain import TOOLCHAINS
from emwheels.outputs.named import content
from emwheels.pipeline.model import Options, Run
from emwheels.pipeline.run import make_run
from emwheels.pipeline.survey import survey
from emwheels.plan.key import input_digests
from emwheels.status.documents import (
    GENERATED,
    read_page,
    recorded_reproductions,
    recorded_results,
    write_pages,
    written_by_hand,
)
from emwheels.status.ledger import (
    DUE,
    SHORT,
    WHEELS,
    Ledger,
    LedgerWheel,
    problems,
    read_due,
    read_ledger,
    write_ledger,
)
from emwheels.status.stamps import with_stamps
from emwheels.upstream import SUITE_FILE, read_result

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from emwheels.checkout import Checkout
    from emwheels.outputs.builds import Output
    from emwheels.recipe.model import Recipe
    from emwheels.target import Targets
    from emwheels.upstream.result import SuiteResult

_EXAMPLES = """examples:
  emwheels tables            write docs/wheels.json and the pages from what is in the store
  emwheels tables numpy      the same, but only numpy's wheel is looked at; the others stay as they were written
  emwheels tables --check    what in docs/ is of other wheels than it should be; needs nothing but the checkout

exit status: 0 all is right, or --check found nothing; 1 something is stale and not listed in docs/due.yaml, or a
page is not as it would be written
"""


def add_tables(verbs: Any, common: argparse.ArgumentParser) -> None:
    """Add the verb's parser."""
    parser = verbs.add_parser(
        "tables",
        parents=[common],
        help="write the tables of docs/, or check that they are of the present wheels; builds and tests nothing",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"{NAMES}; whose wheels to look at (default: all)")
    parser.add_argument("--check", action="store_true", help="write nothing; fail for what is stale and not listed")


def run_tables(arguments: argparse.Namespace, project: Checkout, targets: Targets) -> int:
    """Write the pages or check them, print what was done, and return the exit status."""
    _check_options(arguments, targets)
    docs = project.root / "docs"
    picked, _ = open_recipes(arguments, project, targets, arguments.names)
    read, _ = open_recipes(arguments, project, targets)  # the project's own, and what they need
    recipes, bad = read.sound | picked.sound, say_bad({**read.bad, **picked.bad})
    own = {name: recipe for name, recipe in recipes.items() if project.is_own(recipe.folder)}
    names = [name for name in picked.names if name in picked.sound] if arguments.names else []
    options, target, pins = Options(), targets.get(arguments.target), targets.image
    compiler = f"Emscripten {pins.emscripten}, LLVM {pins.llvm}, pyodide-build {pins.pyodide_build}"
    inputs = input_digests(recipes, target, profile=options.profile, compiler=compiler)
    ledger, due = read_ledger(docs / WHEELS), read_due(docs / DUE)
    for name in ledger.wheels.keys() & {*read.bad, *read.blocked}:  # nobody can tell whether these are stale
        inputs[name] = ledger.wheels[name].inputs
    results = recorded_results(docs)
    if not arguments.check:
        run = make_run(open_environment(arguments, project, targets), names, options)
        ledger = surveyed(run, ledger, inputs, names)
    pages = generated_pages(docs, ledger, recipes)
    if not arguments.check:
        rules_in = {name for name, text in pages.items() if _AUDIT_RULES.search(text)}
        ledger = replace(ledger, rules_in=tuple(sorted({*ledger.rules_in, *rules_in})))
        write_ledger(ledger, docs / WHEELS)
        write_pages(docs, pages)
        print("\n".join(f"docs/{name}" for name in (WHEELS, *pages)))
        results = recorded_results(docs)
    other = _other_ledger(ledger, target.name, options.profile)
    stale = [] if other else [*problems(ledger, results, due, inputs), *_missing_suites(docs, own)]
    wrong = [*other, *_wrong_pages(docs, pages, ledger)]
    _print_faults([*stale, *wrong], as_json=arguments.json)
    if arguments.check and (stale or wrong):
        raise _refusal(len(stale), len(wrong))
    return bad


def _check_options(arguments: argparse.Namespace, targets: Targets) -> None:
    if not is_documented(arguments, targets):
        raise UsageError(
            f"docs/ is about Pyodide {targets.default} with the toolchain {TOOLCHAINS[0]}, and about nothing else",
            hint="leave --target and --toolchain away; targets.toml has the default target",
        )
    if arguments.check and arguments.names:
        raise UsageError("give names or --check, not both", hint="--check looks at all of docs/")


def _print_faults(faults: Sequence[str], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(faults, indent=1))
    else:
        print("".join(f"docs: {line}\n" for line in faults), file=sys.stderr, end="")


def _refusal(stale: int, wrong: int) -> EmwheelsError:
    """Return what ``--check`` fails with: how many entries are ``stale``, and how many pages are ``wrong``."""
    faults, remedies = [], []
    if stale:
        faults.append(f"{stale} {'entry' if stale == 1 else 'entries'} of docs/ not of the present wheels")
        remedies.append(
            "build and test what is due (emwheels upstream-tests --due; emwheels tables), or list it in docs/due.yaml"
        )
    if wrong:
        faults.append(f"{wrong} {'page' if wrong == 1 else 'pages'} of docs/ not as emwheels writes them")
        remedies.append("write the pages anew: emwheels tables NAME, or without a name for the wheels of all")
    return EmwheelsError("; ".join(faults), hint="\n  ".join(remedies))


def surveyed(run: Run, before: Ledger, inputs: Mapping[str, str], names: Sequence[str] = ()) -> Ledger:
    """Return the wheels that are in the store for the present recipes; of others, what was known ``before``.

    With ``names`` all but these stay as they were. Raises `EmwheelsError` for one that is not in the store.
    """
    target, profile = run.environment.target.name, run.options.profile
    if names and _other_ledger(before, target, profile):
        raise EmwheelsError(
            f"docs/{WHEELS} is of Pyodide {before.target}, {before.profile}; it takes no wheels of {target}, {profile}",
            hint="write all anew: emwheels tables",
        )
    same = not _other_ledger(before, target, profile)
    wheels = {name: wheel for name, wheel in before.wheels.items() if same and name in inputs}
    found = {each.name: (each.output, each.engines) for each in survey(run) if each.output is not None}
    if missing := [name for name in names if name not in found]:
        raise EmwheelsError(
            f"{', '.join(missing)}: no build of it is in the cache", hint=f"emwheels build {' '.join(missing)}"
        )
    for name in names or found:
        wheels[name] = _entry(run, *found[name], inputs[name])
    date = datetime.now(UTC).date().isoformat()
    return replace(before, target=target, profile=profile, date=date, wheels=wheels)


def _entry(run: Run, output: Output, engines: Mapping[str, str], inputs: str) -> LedgerWheel:
    return LedgerWheel(
        name=output.name,
        version=run.recipe(output.name).version,
        kind=output.kind,
        filename=output.filename,
        sha256=output.sha256,
        content=content(output, run.environment.store),
        bytes=output.size,
        seconds=output.seconds,
        inputs=inputs,
        engines=engines,
    )


def generated_pages(docs: Path, ledger: Ledger, recipes: dict[str, Recipe]) -> dict[str, str]:
    """Return the generated pages by name, and those of the others that have stamps as they should be."""
    results = [read_result(path) for path in sorted((docs / "upstream-tests").glob("*.json"))]
    suites = {result.package: result for result in results if result.package in recipes}
    generated = (
        packages_page(recipes, ledger, suites),
        upstream_page(suites.values(), ledger),
        reproduce_page(recorded_reproductions(docs), ledger),
    )
    pages = dict(zip(GENERATED, generated, strict=True))
    for path in written_by_hand(docs):
        text = read_page(path)
        if "<!-- wheels: " in text or _AUDIT_RULES.search(text):
            pages[path.name] = with_audit_rules(with_stamps(text, ledger))
    return pages


def _missing_suites(docs: Path, recipes: dict[str, Recipe]) -> list[str]:
    return [
        f"upstream-tests/{name}: the recipe has {SUITE_FILE}, and no result is noted"
        for name, recipe in recipes.items()
        if (recipe.folder / SUITE_FILE).is_file() and not (docs / "upstream-tests" / f"{name}.json").is_file()
    ]


def _other_ledger(ledger: Ledger, target: str, profile: str) -> list[str]:
    """Return a fault if the ledger has wheels of another target or profile."""
    if not ledger.wheels or (ledger.target, ledger.profile) == (target, profile):
        return []
    return [f"{WHEELS}: is of Pyodide {ledger.target}, {ledger.profile}, and docs/ is to be of {target}, {profile}"]


def _wrong_pages(docs: Path, pages: Mapping[str, str], ledger: Ledger) -> list[str]:
    """Return which of the ``pages`` are other than they should be, and which no longer ask for the audit's rules."""
    faults = [
        f"{name}: is not what `emwheels tables` writes" for name, text in pages.items() if not _holds(docs / name, text)
    ]
    lost = [name for name in ledger.rules_in if not _AUDIT_RULES.search(pages.get(name, ""))]
    return faults + [
        f"{name}: the line `<!-- audit rules: … -->` is gone: put it back, or take the page out of {WHEELS}"
        for name in lost
    ]


def _holds(path: Path, text: str) -> bool:
    return path.is_file() and path.read_bytes() == text.encode()


_AUDIT_RULES = re.compile(r"^(<!-- audit rules: [^\n]*-->\n)(?:\|[^\n]*\n)*", re.MULTILINE)
"""The line above the table of the audit's rules, and the table."""


def with_audit_rules(text: str) -> str:
    """Return a document with the table of the audit's rules below the line that asks for it."""
    rows = [(f"`{name}`", rule.means, rule.fix) for name, rule in RULES.items()]
    table = "\n".join(_table(("rule", "what it means", "what to do"), rows, right=()))
    return _AUDIT_RULES.sub(lambda mark: f"{mark[1]}{table}\n", text)


_SUITES_IN = ENGINES[SUITE_ENGINE].title
_GENERATED = "<!-- Written by `emwheels tables`; do not edit. -->"


def packages_page(recipes: Mapping[str, Recipe], ledger: Ledger, suites: Mapping[str, SuiteResult]) -> str:
    """Return docs/packages.md: every recipe, what its build came out as, and its tests."""
    rows, libraries = [], []
    for name, recipe in sorted(recipes.items()):
        wheel = ledger.wheels.get(name)
        size = f"{wheel.bytes:,}" if wheel else "not built"
        seconds = f"{wheel.seconds:.0f}" if wheel else ""
        content = f"`{wheel.content[:SHORT]}`" if wheel else ""
        version = wheel.version if wheel else recipe.version  # a recipe that has moved on has no such wheel yet
        if recipe.build.type != "package":
            libraries.append((name, version, size, content, seconds, recipe.about.license or ""))
            continue
        engines = wheel.engines if wheel else {}
        tests = [engines.get(engine, "not run") for engine in ENGINES]
        suite = suites.get(name)
        share = f"{_share(suite)}{_mark(suite.wheels, suite.date, ledger)}" if suite else ""
        rows.append((name, version, size, content, seconds, *tests, share))
    return "\n".join([
        "# Packages",
        "",
        _GENERATED,
        "",
        f"Built for Pyodide {ledger.target} with the profile `{ledger.profile}`; as of {ledger.date}. *Content* is the",
        "start of the hash of what a wheel holds, without its build report, SBOM and RECORD. Every result belongs to a",
        "content, and one of another wheel is marked as stale. Build time is the wall time of the compile phase, on a",
        f"machine that had other work, with what its compiler cache had. The upstream suite runs in {_SUITES_IN};",
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
        f"Each package's own tests, run inside Pyodide in {_SUITES_IN} on the wheel built here:",
        "`emwheels upstream-tests NAME`. *Failed* counts tests that failed, hung or killed the engine, and files that",
        "could not be collected. *Skipped* are those that the suite itself leaves out here or expects to fail. *Of* is",
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
