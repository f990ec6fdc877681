"""The part of a source's own tests that runs with a new recipe's: tried in one engine, written, and tested in all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from emwheels.author.new_suite import Candidates, Tried, find_candidates, passing, write_suite
from emwheels.errors import EmwheelsError
from emwheels.harness.engines import SUITE_ENGINE
from emwheels.pipeline.model import Options
from emwheels.pipeline.run import make_run, outputs_of, run_packages
from emwheels.pipeline.sources import source_tree
from emwheels.pipeline.testing import run_smoke
from emwheels.upstream import SUITE_FILE, read_suite

if TYPE_CHECKING:
    from pathlib import Path

    from emwheels.author.new_build import Attempt
    from emwheels.cli.workshop import CommandWorkshop
    from emwheels.recipe.model import Recipe

_TEST_SECONDS = 60.0
"""For one test, and for collecting them all."""


def add_own_tests(name: str, folder: Path, workshop: CommandWorkshop) -> Attempt | None:
    """Write upstream.yaml with those of the source's tests that pass, and test again; None if there are none.

    What does not pass in every engine is left out; where that leaves nothing, no upstream.yaml stays.
    """
    file = folder / SUITE_FILE
    recipe = workshop.recipes()[name]
    if file.exists():
        return None
    try:
        found = _candidates(recipe, workshop)
        kept = _kept(name, found, file, workshop) if found else []
    except EmwheelsError as error:
        workshop.say(name, f"its own tests could not be tried: {error.message.partition(chr(10))[0]}")
        found, kept = None, []
    except BaseException:  # an interrupt: what was not tried to its end does not stay
        file.unlink(missing_ok=True)
        raise
    if not found or not kept:
        file.unlink(missing_ok=True)
        return None
    write_suite(file, found, kept)
    attempt = workshop.test(name)
    if attempt.error is not None:
        file.unlink()
        workshop.say(name, "its own tests do not pass in every engine, so none is kept")
        return workshop.test(name)
    workshop.say(name, f"wrote {SUITE_FILE}: {len(kept)} of its own test files run with the recipe's")
    return attempt


def _candidates(recipe: Recipe, workshop: CommandWorkshop) -> Candidates | None:
    with source_tree(workshop.environment, recipe) as tree:
        return find_candidates(tree, recipe.package.top_level, recipe.requirements.run)


def _kept(name: str, found: Candidates, file: Path, workshop: CommandWorkshop) -> list[str]:
    """Run the candidates in one engine, tell which are left out, and return the others."""
    write_suite(file, found, found.files)
    environment = workshop.environment
    run = make_run(environment, [name], Options(test=False, publish=False, test_seconds=_TEST_SECONDS))
    recipe, suite = run.recipes[name], read_suite(file.parent)
    assert suite is not None
    reports = environment.dist(run.options.profile) / "reports" / name / environment.target.name / "tried"
    results = run_smoke(run, recipe, suite, outputs_of(run_packages(run)), engines=[SUITE_ENGINE], reports=reports)
    tried = [
        Tried(nodeid=case.nodeid, outcome=case.outcome, seconds=case.seconds, message=case.message)
        for case in results[SUITE_ENGINE].cases
    ]
    kept, left_out = passing(found.files, tried)
    for path, why in left_out.items():
        workshop.say(name, f"left out of its own tests: {path}: {why}")
    return kept
