"""``emwheels build``, ``test`` and ``list``."""

from __future__ import annotations

import argparse
import json
import operator
import sys
from dataclasses import asdict, replace
from functools import reduce
from typing import TYPE_CHECKING, Any

from packaging.utils import canonicalize_name

from emwheels.cli.opening import (
    DOCUMENTED_PROFILE,
    NAMES,
    add_limits,
    add_profile,
    limits_given,
    open_builds,
    open_environment,
    open_recipes,
    say_bad,
)
from emwheels.cli.own_options import add_own, is_own
from emwheels.errors import BuildError, UsageError, visible
from emwheels.harness.engines import ENGINES
from emwheels.harness.model import ENDS_IN_A_ROW
from emwheels.image.toolchain import TOOLCHAINS
from emwheels.outputs.named import content
from emwheels.pipeline.model import STEPS, Options, Outcome
from emwheels.pipeline.preflight import check_faults, with_locks
from emwheels.pipeline.run import make_run, run_packages
from emwheels.plan.planning import BAD_RECIPE, BLOCKED
from emwheels.progress import print_table
from emwheels.status.documents import due_after
from emwheels.status.ledger import WHEELS
from emwheels.target.profiles import profile_names

if TYPE_CHECKING:
    from collections.abc import Sequence

    from emwheels.checkout import Checkout
    from emwheels.pipeline.environment import Environment
    from emwheels.pipeline.model import Run
    from emwheels.recipe.load import Recipes
    from emwheels.recipe.model import Recipe
    from emwheels.target import Targets


_BUILD_EXAMPLES = """examples:
  emwheels build numpy                         a recipe, with what it needs
  emwheels build .                             the Python project in this folder, without a recipe; to wheelhouse/
  emwheels build . --target 0.29.3,314.0.0     for two Pyodides
  emwheels build dist/acme-1.0.tar.gz          a source archive, https://… of one, or git+https://…@COMMIT
  emwheels build crc32c==2.7.1                 a version of an index
  emwheels build -r requirements.txt           all that a list needs; what is pure is said
"""
_TEST_EXAMPLES = """examples:
  emwheels test msgpack                        all tests, in every engine
  emwheels test msgpack --engine node -k ext  those with ext in their names, in Node; nothing is recorded
  emwheels test msgpack -- -x -vv              pytest's own arguments; nothing is recorded
"""


def add_build(verbs: Any, parents: list[argparse.ArgumentParser]) -> None:
    """Add the parsers of ``list``, ``build`` and ``test``; the first of ``parents`` has what every verb takes."""
    verbs.add_parser("list", parents=parents[:1], help="list the recipes")
    for verb, text in (
        ("build", "build, audit, test and index packages and what they need"),
        ("test", "run the tests of packages again, building what is missing"),
    ):
        run = verbs.add_parser(verb, parents=parents, help=text, formatter_class=argparse.RawDescriptionHelpFormatter)
        run.add_argument("names", nargs="*", metavar="NAME", help=f"{NAMES}; without one, the recipes are listed")
        run.add_argument("--all", action="store_true", help="every recipe")
        add_own(run, verb)
        add_profile(run)
        run.set_defaults(profile=None)
        run.add_argument("--engine", action="append", choices=ENGINES, help="only this engine; may be repeated")
        run.add_argument(
            "--scheduler", metavar="ADDRESS", help="run on a Dask cluster, e.g. tcp://HOST:8786; needs --remote"
        )
        run.add_argument(
            "--locked", action="store_true", help="fail where a lock is missing or outdated, for CI (default: make it)"
        )
        run.add_argument(
            "--test-seconds",
            type=float,
            default=120,
            metavar="S",
            help="limit for one test where its recipe has none (120)",
        )
        run.add_argument(
            "--ends-in-a-row",
            type=int,
            default=ENDS_IN_A_ROW,
            metavar="N",
            help=f"leave out the rest after N interpreters that ended in a row ({ENDS_IN_A_ROW}; 0: never)",
        )
        if verb == "test":
            run.add_argument("-k", metavar="WORD", help="only tests whose names match, as in pytest; not recorded")
            run.set_defaults(rest=())
            run.epilog = _TEST_EXAMPLES
        else:
            run.epilog = _BUILD_EXAMPLES
            run.add_argument(
                "--jobs",
                type=int,
                default=0,
                metavar="N",
                help="CPU cores that all builds share, and the most parallel builds (default: all)",
            )
            run.add_argument(
                "--fail-fast",
                action="store_true",
                help="stop at the first failure (default: build what does not depend on it)",
            )
            run.add_argument("--no-test", action="store_true", help="do not run the tests")
            run.add_argument(
                "--no-ccache", action="store_true", help="compile every object, with an empty compiler cache"
            )
            run.add_argument(
                "--share-cache",
                action="store_true",
                help="use objects of other versions of a recipe too; only where you trust all of them",
            )
            add_limits(run)
            run.add_argument(
                "--from",
                dest="start",
                choices=STEPS,
                help="start one build at this step, with what the one that failed left; what comes of changed files is "
                "not kept",
            )
            run.add_argument("--force", action="store_true", help="build and test even what is up to date")


def run_list(arguments: argparse.Namespace, project: Checkout, targets: Targets) -> int:
    """Print the recipes and return the exit status: not zero if one is bad."""
    _, read = open_recipes(arguments, project, targets)
    recipes = read.sound
    status = say_bad(read.bad)
    if arguments.json:
        rows = [
            {"name": r.name, "version": r.version, "summary": r.about.summary, "tests": _kind_of_tests(r)}
            | ({} if project.is_own(r.folder) else {"from": project.origin(r.folder)})
            for r in recipes.values()
        ]
        print(json.dumps([*rows, *_plain_bad(read)], indent=1))
        return status
    width = max(map(len, [*recipes, *read.bad, *read.blocked]), default=0)
    for recipe in recipes.values():
        mark = "" if project.is_own(recipe.folder) else f"  [{project.origin(recipe.folder)}]"
        mark += "  [imports only]" if _kind_of_tests(recipe) == "imports only" else ""
        print(f"{recipe.name:{width}}  {recipe.version:12}  {recipe.about.summary or ''}{mark}")
    for name, problems in read.bad.items():
        print(f"{name:{width}}  {BAD_RECIPE:12}  {len(problems.problems)} to mend")
    for name, needs in read.blocked.items():
        print(f"{name:{width}}  {BLOCKED:12}  needs {', '.join(needs)}")
    print(f"\nTo build one and test it: {_words_of_a_build(project)}")
    profiles = ", ".join(profile_names(targets.get(None).profiles))
    print(f"Targets: {', '.join(targets.targets)} (default {targets.default}); profiles: {profiles}")
    return status


def _words_of_a_build(project: Checkout) -> str:
    nox = (project.root / "noxfile.py").is_file()
    return "nox -s build-package -- NAME    (or: emwheels build NAME)" if nox else "emwheels build NAME"


def _plain_bad(read: Recipes) -> list[dict[str, Any]]:
    """Return what `list --json` prints of recipes that cannot be built."""
    bad = [
        {"name": name, "state": BAD_RECIPE, "errors": list(map(str, problems.problems))}
        for name, problems in read.bad.items()
    ]
    return [*bad, *({"name": name, "state": BLOCKED, "needs": list(of)} for name, of in read.blocked.items())]


def _kind_of_tests(recipe: Recipe) -> str:
    """Return what there is to try in the engines: ``tests``, ``imports only``, or nothing for a library."""
    return ("tests" if recipe.tests else "imports only") if recipe.is_tested else ""


def run_build(arguments: argparse.Namespace, project: Checkout, targets: Targets) -> int:
    """Build and test, print what came of it, and return the exit status: that of the first failure."""
    if is_own(arguments):
        from emwheels.cli.own import run_own  # it loads what recipes do not need

        return run_own(arguments, project, targets)
    arguments.profile = arguments.profile or DOCUMENTED_PROFILE
    if not arguments.names and not arguments.all:
        return run_list(arguments, project, targets)
    if arguments.names and arguments.all:
        raise UsageError("give names or --all, not both")
    only_test = arguments.verb == "test"
    chosen = _chosen(arguments) if only_test else ()
    if not only_test and arguments.jobs < 0:
        raise UsageError(f"--jobs {arguments.jobs}: give the number of cores", hint="0 takes those of the machine")
    options = Options(
        profile=arguments.profile,
        engines=tuple(arguments.engine or ENGINES),
        test=only_test or not arguments.no_test,
        rebuild=not only_test and arguments.force,
        retest=only_test or arguments.force,
        test_seconds=arguments.test_seconds,
        ends_in_a_row=arguments.ends_in_a_row,
        arguments=chosen,
        only=tuple(canonicalize_name(name) for name in arguments.names) if chosen else (),
        publish=not chosen,
        ccache=only_test or not arguments.no_ccache,
        share_cache=not only_test and arguments.share_cache,
        limits={} if only_test else limits_given(arguments),
        jobs=0 if only_test else arguments.jobs,
        fail_fast=not only_test and arguments.fail_fast,
    )
    if arguments.scheduler and (not arguments.remote or arguments.offline):
        raise UsageError(
            "--scheduler needs --remote: the workers hand builds to each other through it",
            hint="--remote oci://HOST/NAME, a registry that this machine and all workers can reach",
        )
    if not only_test and arguments.start:
        options = _from(arguments, options)
    environment = open_environment(arguments, project, targets)
    run = make_run(environment, arguments.names, options, builds=open_builds(arguments, environment))
    run = with_locks(run, locked=arguments.locked)
    check_faults(run)
    if arguments.scheduler:
        from emwheels.pipeline.worker import run_on_cluster

        outcomes = run_on_cluster(arguments.scheduler, run, arguments.names, arguments.remote)
    else:
        outcomes = run_packages(run)
    if arguments.names and any(outcome.state == "built" for outcome in outcomes):
        open_recipes(arguments, project, targets, arguments.names)  # which warns of others that are bad, but takes time
    due = _due(environment, options.profile, outcomes)
    if arguments.json:
        print(json.dumps([_plain(outcome) | {"due": due.get(outcome.name, [])} for outcome in outcomes], indent=1))
    else:
        _print_outcomes(outcomes)
        _print_failures(outcomes)
        _offer_remedies(run, outcomes)
        if chosen:
            print("These were some of the tests, or all of them in another way: nothing is recorded.")
        for name, results in due.items():
            print(f"{name} has other content than docs/ tells of; due: {', '.join(results)}")
        if due:
            print("To have them again: emwheels upstream-tests --due, then emwheels tables")
    failed = [outcome.error for outcome in outcomes if outcome.error is not None]
    return failed[0].exit_code if failed else 0


def _from(arguments: argparse.Namespace, options: Options) -> Options:
    """Return the options of a build that starts at a step. Raises `UsageError` for what does not go with it."""
    if len(arguments.names) != 1 or arguments.force or arguments.scheduler:
        raise UsageError(
            f"--from {arguments.start} is for one recipe, and goes with neither --force nor --scheduler",
            hint=f"emwheels build NAME --from {arguments.start}",
        )
    whole = arguments.start != "compile"
    if arguments.start == "test" and not options.test:
        raise UsageError("--from test and --no-test leave nothing to do", hint="leave one of them out")
    name = canonicalize_name(arguments.names[0])
    return replace(
        options,
        starts={name: arguments.start},
        test=whole and options.test,
        retest=arguments.start == "test",
        publish=whole,
    )


def _due(environment: Environment, profile: str, outcomes: Sequence[Outcome]) -> dict[str, list[str]]:
    """Return for each package whose content a build changed the results in docs/ that are of another."""
    docs = environment.project.root / "docs"
    if environment.toolchain_name != TOOLCHAINS[0] or not (docs / WHEELS).is_file():
        return {}
    built = [each.output for each in outcomes if each.state in ("built", "failed") and each.output is not None]
    contents = {output.name: content(output, environment.store) for output in built}
    return due_after(docs, contents, target=environment.target.name, profile=profile)


def _plain(outcome: Outcome) -> dict[str, Any]:
    return {
        "name": outcome.name,
        "state": outcome.state,
        "why": outcome.why,
        "output": asdict(outcome.output) if outcome.output else None,
        "phases": outcome.phases,
        "engines": outcome.engines,
        "failures": [
            {"engine": engine, "test": case.nodeid, "message": case.message, "output": case.output}
            for engine, case in outcome.failures
        ],
        "ccache": asdict(outcome.ccache) if outcome.ccache else None,
        "error": outcome.error.message if outcome.error else None,
    }


def _chosen(arguments: argparse.Namespace) -> tuple[str, ...]:
    """Return pytest's arguments of the command line."""
    return (*(("-k", arguments.k) if arguments.k is not None else ()), *arguments.rest)


def _print_failures(outcomes: Sequence[Outcome]) -> None:
    """Print what pytest said of the tests that failed, to standard error: of the first, and only the end of each."""
    failures = [(outcome.name, engine, case) for outcome in outcomes for engine, case in outcome.failures]
    for name, engine, case in failures[:_FAILURES_SHOWN]:
        said = "\n".join(part for part in (case.message, case.output) if part).strip()
        print(f"--- {name}: {engine}: {visible(case.nodeid, lines=False)}\n{visible(said[-_SHOWN:])}", file=sys.stderr)
    if len(failures) > _FAILURES_SHOWN:
        print(f"--- and {len(failures) - _FAILURES_SHOWN} more, in the JUnit XML", file=sys.stderr)


def _offer_remedies(run: Run, outcomes: Sequence[Outcome]) -> None:
    failed = [outcome.name for outcome in outcomes if isinstance(outcome.error, BuildError)]
    if failed:
        from emwheels.cli.fix import offer_remedies  # it loads what nothing else here needs

        offer_remedies(run, failed)


_FAILURES_SHOWN = 10
_SHOWN = 8000
"""Characters of what pytest said of a test."""


def _note(outcome: Outcome) -> str:
    """Return why a package came out as it did, on one line, or what it came out as."""
    if outcome.error is not None:
        return outcome.error.message.partition("\n")[0].rstrip(":")
    return outcome.why or (outcome.output.filename if outcome.output else "")


def _print_outcomes(outcomes: Sequence[Outcome]) -> None:
    rows = (
        (
            outcome.name,
            outcome.state,
            f"{outcome.output.size:,}" if outcome.output else "",
            f"{sum(outcome.phases.values()):.1f}" if outcome.phases else "",
            str(outcome.ccache) if outcome.ccache else "",
            "; ".join(f"{engine} {summary}" for engine, summary in outcome.engines.items()),
            _note(outcome),
        )
        for outcome in outcomes
    )
    headings = ("package", "result", "bytes", "seconds", "ccache", "tests", "wheel, or why")
    print_table(headings, rows, right=("bytes", "seconds"))
    hits = [outcome.ccache for outcome in outcomes if outcome.ccache]
    if hits:
        print(f"ccache: {reduce(operator.add, hits)}")
