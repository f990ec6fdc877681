"""What is there of some packages, and what a run would do with them: builds and tests nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from emwheels.pipeline.known import KnownBuilds, existing, key_of
from emwheels.pipeline.model import Outcome
from emwheels.pipeline.testing import tested
from emwheels.plan.planning import BAD_RECIPE, BLOCKED, Planned, make_plan
from emwheels.recipe.graph import dependency_order, host_recipes

if TYPE_CHECKING:
    from emwheels.outputs.builds import Output
    from emwheels.pipeline.model import Run
    from emwheels.recipe.load import RecipeProblems


def survey(run: Run) -> list[Outcome]:
    """Return what is there of the packages of ``run``.

    The state is ``reused`` with the output and the engines that passed, or ``missing``.
    """
    outputs: dict[str, Output] = {}
    outcomes = []
    for name in dependency_order(run.recipes):
        recipe = run.recipes[name]
        outcomes.append(outcome := Outcome(name=name, state="missing"))
        if any(need not in outputs for need in host_recipes(recipe, run.recipes)):
            continue
        if build := existing(run, key_of(run, recipe, outputs)):
            outcome.state, outputs[name] = "reused", build[0]
            outcome.output = build[0]
            outcome.engines = tested(run, recipe, outputs)
    return outcomes


def plan(run: Run) -> list[Planned]:
    """Return what ``run`` would do with each package, and why; bad recipes and what needs them come last."""
    bad = [Planned(name=name, state=BAD_RECIPE, why=_lines(problems)) for name, problems in run.bad.items()]
    blocked = [
        Planned(name=name, state=BLOCKED, why=(f"needs {', '.join(of)}",), needs=of) for name, of in run.blocked.items()
    ]
    return [*make_plan(run.recipes, KnownBuilds(run)), *bad, *blocked]


def _lines(problems: RecipeProblems) -> tuple[str, ...]:
    return tuple(map(str, problems.problems))
