"""``emwheels upstream-tests``: packages' own test suites, and what came of them."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from emwheels.cli.opening import NAMES, is_documented, open_builds, open_environment, open_recipes, say_bad
from emwheels.errors import AuditError, BuildError, FetchError, HarnessError, UsageError
from emwheels.harness.engines import ENGINES, SUITE_ENGINE
from emwheels.pipeline.model import Options
from emwheels.pipeline.run import make_run, run_packages
from emwheels.pipeline.testing import contents
from emwheels.pipeline.upstream_suite import content_of_shipped, project_for_tests, run_suite
from emwheels.recipe.select import is_selector
from emwheels.status.ledger import WHEELS, read_ledger
from emwheels.upstream import (
    SUITE_FILE,
    SuiteResult,
    read_result,
    read_suite,
    split_requirements,
    write_result,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from emwheels.checkout import Checkout
    from emwheels.outputs.builds import Output
    from emwheels.pipeline.model import Run
    from emwheels.target import Targets
    from emwheels.upstream.suite import UpstreamSuite

_ENGINE = ENGINES[SUITE_ENGINE].title
_EXAMPLES = f"""examples:
  emwheels upstream-tests msgpack    run msgpack's suite in {_ENGINE} and write docs/upstream-tests/msgpack.json
  emwheels upstream-tests            every recipe that has an upstream.yaml
  emwheels upstream-tests --due      only those whose noted result is of other wheels than the present ones
  emwheels upstream-tests --list     what is noted, with its date, and whether it is stale; runs nothing

exit status: 0 every failure has a reason in upstream.yaml, 8 there are failures without
"""


def add_upstream_tests(verbs: Any, common: argparse.ArgumentParser) -> None:
    """Add the verb's parser."""
    parser = verbs.add_parser(
        "upstream-tests",
        parents=[common],
        help="run packages' own test suites in Pyodide; note what came of it",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"{NAMES} (default: all with an upstream.yaml)")
    parser.add_argument("--due", action="store_true", help="only where the noted result is of other wheels")
    parser.add_argument("--list", action="store_true", help="show what is noted, and whether it is stale; run nothing")
    parser.add_argument("--test-seconds", type=float, default=120, metavar="S", help="limit for one test (120)")


def run_upstream_tests(arguments: argparse.Namespace, project: Checkout, targets: Targets) -> int:
    """Run the suites, write and print what came of them, and return the exit status."""
    if arguments.list:
        return _list(arguments, project.root / "docs")
    environment = open_environment(arguments, project, targets)
    builds = open_builds(arguments, environment)
    read, every = open_recipes(arguments, project, targets, arguments.names)
    recipes, bad = every.sound | read.sound, say_bad(read.bad)
    suites = {name: read_suite(read.sound[name].folder) for name in read.names if name in read.sound}
    missing = [name for name, suite in suites.items() if suite is None]
    if arguments.names and missing and (len(missing) == len(suites) or not any(map(is_selector, arguments.names))):
        raise UsageError(
            f"{', '.join(missing)}: no {SUITE_FILE}", hint="docs/adding-a-recipe.md says what to write into it"
        )
    documented = is_documented(arguments, targets)
    results, errors = [], []
    for name, suite in suites.items():
        if suite is None:
            continue
        also, _ = split_requirements(suite, recipes)
        options = Options(test=False, test_seconds=arguments.test_seconds)
        try:
            run = make_run(environment, [name, *also], options, builds=builds)
            outputs = _built(run)
            wheels = contents(run, [name, *also], outputs)
            noted = project.root / "docs" / "upstream-tests" / f"{name}.json"
            if arguments.due and documented and noted.is_file() and read_result(noted).wheels == wheels:
                environment.board.say(name, "upstream tests: the noted result is of the present wheels")
                continue
            result = _run(run, name, suite, outputs, also=also, wheels=wheels)
        except (BuildError, AuditError, FetchError) as error:  # the other suites are none of its
            environment.board.say(name, f"upstream tests: not run: {error.message.partition(chr(10))[0]}")
            errors.append(error)
            continue
        if documented:  # docs/ is about no other target: a result of another would replace the one that counts
            write_result(result, noted)
        results.append(result)
        _print_suite(result)
    if arguments.json:
        print(json.dumps([asdict(result) for result in results], indent=1))
    if errors:
        raise errors[0]
    return HarnessError.exit_code if any(result.unexplained for result in results) else bad


def _run(
    run: Run,
    name: str,
    suite: UpstreamSuite,
    outputs: dict[str, Output],
    *,
    also: Sequence[str],
    wheels: dict[str, str],
) -> SuiteResult:
    """Run one suite, on a wheel that is built for it where the suite needs more in it than users get."""
    environment = run.environment
    reports = environment.dist(run.options.profile) / "reports"
    recipe = run.recipes[name]
    if not suite.backend_flags:
        return run_suite(run, recipe, suite, outputs, reports=reports, also=also, wheels=wheels)
    with TemporaryDirectory(prefix="emwheels-upstream-") as folder:
        own = environment.with_project(
            project_for_tests(environment.project, recipe, suite.backend_flags, Path(folder))
        )
        for_tests = make_run(own, [name, *also], replace(run.options, aside=(name,)), builds=run.builds)
        built = _built(for_tests)
        content_of = {name: content_of_shipped(environment, outputs[name], built[name])}
        return run_suite(for_tests, recipe, suite, built, reports=reports, also=also, wheels=wheels | content_of)


def _list(arguments: argparse.Namespace, docs: Path) -> int:
    """Print what is noted of suites, against the wheels that docs/wheels.json has, and return the exit status."""
    ledger = read_ledger(docs / WHEELS)
    noted = [read_result(path) for path in sorted((docs / "upstream-tests").glob("*.json"))]
    if arguments.names:
        noted = [result for result in noted if result.package in arguments.names]
    stale = {result.package: not result.wheels or bool(ledger.others(result.wheels)) for result in noted}
    if arguments.json:
        print(json.dumps([asdict(result) | {"stale": stale[result.package]} for result in noted], indent=1))
        return 0
    for result in noted:
        of = "STALE, of another wheel" if stale[result.package] else "of the present wheel"
        print(f"{result.package:24} {result.passed:>9,} of {result.ran:>9,}  {result.date}  {of}")
    return 0


def _built(run: Run) -> dict[str, Output]:
    outcomes = run_packages(run)
    if errors := [outcome.error for outcome in outcomes if outcome.error is not None]:
        raise errors[0]
    return {outcome.name: outcome.output for outcome in outcomes if outcome.output is not None}


def _print_suite(result: SuiteResult) -> None:
    say = sys.stderr
    print(
        f"{result.package}: {result.ran:,} ran, {result.passed:,} passed ({result.percent}), "
        f"{result.failed:,} failed, {result.skipped:,} skipped in {result.seconds:.0f} s",
        file=say,
    )
    for group in result.failures:
        print(f"  {group.count:5} {group.reason or 'no reason known'}: {group.tests[0]}: {group.message}", file=say)
        if not group.reason:
            for test in group.tests[1:]:
                print(f"        {test}", file=say)
