"""What a recipe of another version has to pass before ``emwheels bump`` takes it over."""

from __future__ import annotations

import sys
from contextlib import redirect_stdout
from dataclasses import replace
from typing import TYPE_CHECKING

from emwheels.cli.lock import run_lock
from emwheels.cli.opening import open_builds
from emwheels.cli.upstream import run_upstream_tests
from emwheels.errors import BuildError, HarnessError
from emwheels.harness.engines import ENGINES
from emwheels.pipeline.gathering import try_patches
from emwheels.pipeline.model import Options
from emwheels.pipeline.run import make_run, run_packages
from emwheels.recipe.load import load_recipe
from emwheels.upstream import SUITE_FILE, read_result

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable
    from pathlib import Path

    from emwheels.author.bump import Step
    from emwheels.checkout import Checkout
    from emwheels.pipeline.environment import Environment
    from emwheels.recipe.model import Recipe


def noted(recipe: Recipe) -> str:
    """Return the file of the project that has the result of a recipe's upstream suite."""
    return f"docs/upstream-tests/{recipe.name}.json"


def steps_of(arguments: argparse.Namespace, environment: Environment, recipe: Recipe) -> list[Step]:
    """Return what a rewritten recipe has to pass, in the order in which a failure costs least."""
    name, targets = recipe.name, environment.asked
    options = ["--target", environment.target.name, "--toolchain", environment.toolchain_name]

    def lock(trial: Checkout) -> str:
        with redirect_stdout(sys.stderr):
            run_lock(_arguments_of("lock", name, *options), trial, targets)
        return "build and run requirements are pinned"

    def patches(trial: Checkout) -> str:
        return _patched(environment, load_recipe(trial.recipes / recipe.folder.name))

    def build(trial: Checkout) -> str:
        return _built(arguments, environment.with_project(trial), name)

    def suite(trial: Checkout) -> str:
        with redirect_stdout(sys.stderr):
            status = run_upstream_tests(_arguments_of("upstream-tests", name, *options), trial, targets)
        return _judged(environment.project.root / noted(recipe), trial.root / noted(recipe), status)

    steps: list[tuple[str, Callable[[Checkout], str]]] = []
    if recipe.patches and not arguments.no_build:
        steps.append(("patches", patches))
    if recipe.takes_wheels:
        steps.append(("lock", lock))
    if not arguments.no_build:
        steps.append(("build and test", build))
        if (recipe.folder / SUITE_FILE).is_file():
            steps.append(("upstream suite", suite))
    return [(what, _in_copy(environment.project, step)) for what, step in steps]


def _in_copy(project: Checkout, step: Callable[[Checkout], str]) -> Callable[[Path], str]:
    return lambda root: step(replace(project, root=root))


def _arguments_of(*words: str) -> argparse.Namespace:
    """Return the options of another verb, as if they had been typed."""
    from emwheels.cli.main import command_parser  # which loads this

    return command_parser().parse_args(words)


def _patched(environment: Environment, recipe: Recipe) -> str:
    try_patches(environment, recipe)
    count = len(recipe.patches)
    return f"{count} {'patch applies' if count == 1 else 'patches apply'}"


def _built(arguments: argparse.Namespace, environment: Environment, name: str) -> str:
    options = Options(profile=arguments.profile, engines=tuple(arguments.engine or ENGINES), publish=False)
    outcomes = run_packages(make_run(environment, [name], options, builds=open_builds(arguments, environment)))
    for outcome in outcomes:
        if outcome.error is not None:
            raise outcome.error
    own = next(outcome for outcome in outcomes if outcome.name == name)
    if own.output is None:
        raise BuildError(f"{name} was not built: {own.why}")
    tests = "; ".join(f"{engine} {summary}" for engine, summary in own.engines.items()) or "it has no tests"
    return f"{own.output.filename}, {own.output.size:,} bytes; {tests}"


def _judged(before: Path, after: Path, status: int) -> str:
    """Say what came of a suite. Raises `HarnessError` for failures without a reason that it did not have before."""
    if not after.is_file():
        return "ran" if not status else f"ended with status {status}"
    result = read_result(after)
    old = read_result(before) if before.is_file() and before != after else None
    known = {test for group in (old.failures if old else ()) for test in group.tests}
    new = [test for group in result.failures if not group.reason for test in group.tests if test not in known]
    words = f"{result.passed:,} of {result.ran:,} passed"
    shown = ", ".join(new[:9])
    if status and (new or result.unexplained > (old.unexplained if old else 0)):
        raise HarnessError(
            f"the upstream suite has {result.unexplained} failures without a reason, {words}; new: {shown}",
            hint="look into them, and write what explains them into upstream.yaml",
        )
    return f"{words} ({old.passed:,} of {old.ran:,} before)" if old else words
