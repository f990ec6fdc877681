"""``emwheels build``, ``test`` and ``list``."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from emwheels.build.compiler_cache import Hits
from emwheels.cli.opening import add_limits, add_profile, limits_given, open_builds, open_environment
from emwheels.errors import UsageError
from emwheels.harness.engines import ENGINES
from emwheels.image.toolchain import TOOLCHAINS
from emwheels.outputs.named import content
from emwheels.pipeline.model import Options, Outcome
from emwheels.pipeline.preflight import check_faults, with_locks
from emwheels.pipeline.run import make_run, run_packages
from emwheels.profile import PROFILES
from emwheels.progress import print_table
from emwheels.recipe.load import load_recipes
from emwheels.status.documents import due_after
from emwheels.status.ledger import WHEELS

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from emwheels.checkout import Checkout
    from emwheels.pipeline.environment import Environment
    from emwheels.target import Targets


def add_build(verbs: Any, parents: list[argparse.ArgumentParser]) -> None:
    """Add the parsers of ``list``, ``build`` and ``test``; the first of ``parents`` has what every verb takes."""
    verbs.add_parser("list", parents=parents[:1], help="list the recipes")
    for verb, text in (
        ("build", "build, audit, test and index packages and what they need"),
        ("test", "run the tests of packages again, building what is missing"),
    ):
        run = verbs.add_parser(verb, parents=parents, help=text)
        run.add_argument("names", nargs="*", metavar="NAME", help="a recipe; without one, the recipes are listed")
        run.add_argument("--all", action="store_true", help="every recipe")
        add_profile(run)
        run.add_argument("--engine", action="append", choices=ENGINES, help="only this engine; may be repeated")
        run.add_argument(
            "--scheduler", metavar="ADDRESS", help="run on a Dask cluster, e.g. tcp://HOST:8786; needs --remote"
        )
        run.add_argument(
            "--locked", action="store_true", help="fail where a lock is missing or outdated, for CI (default: make it)"
        )
        run.add_argument("--test-seconds", type=float, default=120, metavar="S", help="limit for one test (120)")
        if verb == "build":
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
            run.add_argument("--force", action="store_true", help="build and test even what is up to date")


def run_list(arguments: argparse.Namespace, project: Checkout, targets: Targets) -> int:
    """Print the recipes and return the exit status."""
    recipes = load_recipes(project.recipes, patches=project.patches)
    if arguments.json:
        rows = [{"name": r.name, "version": r.version, "summary": r.about.summary} for r in recipes.values()]
        print(json.dumps(rows, indent=1))
        return 0
    width = max(len(name) for name in recipes) if recipes else 0
    for recipe in recipes.values():
        print(f"{recipe.name:{width}}  {recipe.version:12}  {recipe.about.summary or ''}")
    print("\nTo build one and test it: nox -s build-package -- NAME    (or: emwheels build NAME)")
    print(f"Targets: {', '.join(targets.targets)} (default {targets.default}); profiles: {', '.join(PROFILES)}")
    return 0


def run_build(arguments: argparse.Namespace, project: Checkout, targets: Targets) -> int:
    """Build and test, print what came of it, and return the exit status: that of the first failure."""
    if not arguments.names and not arguments.all:
        return run_list(arguments, project, targets)
    if arguments.names and arguments.all:
        raise UsageError("give names or --all, not both")
    only_test = arguments.verb == "test"
    if not only_test and arguments.jobs < 0:
        raise UsageError(f"--jobs {arguments.jobs}: give the number of cores", hint="0 takes those of the machine")
    options = Options(
        profile=arguments.profile,
        engines=tuple(arguments.engine or ENGINES),
        test=only_test or not arguments.no_test,
        rebuild=not only_test and arguments.force,
        retest=only_test or arguments.force,
        test_seconds=arguments.test_seconds,
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
    environment = open_environment(arguments, project, targets)
    run = make_run(environment, arguments.names, options, builds=open_builds(arguments, environment))
    run = with_locks(run, arguments.names, locked=arguments.locked)
    check_faults(run, arguments.names)
    if arguments.scheduler:
        from emwheels.pipeline.worker import run_on_cluster

        outcomes = run_on_cluster(arguments.scheduler, run, arguments.names, arguments.remote)
    else:
        outcomes = run_packages(run)
    due = _due(environment, options.profile, outcomes)
    if arguments.json:
        print(json.dumps([_plain(outcome) | {"due": due.get(outcome.name, [])} for outcome in outcomes], indent=1))
    else:
        _print_outcomes(outcomes)
        for name, results in due.items():
            print(f"{name} has other content than docs/ tells of; due: {', '.join(results)}")
        if due:
            print("To have them again: emwheels upstream-tests --due, then emwheels tables")
    failed = [outcome.error for outcome in outcomes if outcome.error is not None]
    return failed[0].exit_code if failed else 0


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
        "ccache": asdict(outcome.ccache) if outcome.ccache else None,
        "error": outcome.error.message if outcome.error else None,
    }


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
        print(f"ccache: {sum(hits, Hits())}")
