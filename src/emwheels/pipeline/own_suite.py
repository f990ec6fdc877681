"""How the harness runs a recipe's own tests: what it imports, what is installed beside, limits, expected failures."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from emwheels.errors import RecipeError
from emwheels.harness.model import Suite
from emwheels.outputs.named import modules
from emwheels.recipe.own_tests import TEST_LOCK

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from emwheels.outputs.builds import Output
    from emwheels.pipeline.model import Run
    from emwheels.recipe.model import Recipe


def suite_of(run: Run, recipe: Recipe, output: Output) -> Suite:
    """Return how the tests of ``recipe`` are run on ``output``. Raises `RecipeError` and `HarnessError`."""
    options, own = run.options, recipe.own_tests
    return Suite(
        paths=own.paths,
        options=(*own.arguments, *options.arguments),
        requirements=own.requirements,
        imports=imports_of(run, recipe, output),
        environment=own.environment,
        seconds={engine: own.seconds_of(engine) for engine in options.engines},
        expected={engine: own.expected_of(engine) for engine in options.engines},
        ends_in_a_row=options.ends_in_a_row,
        strict=not options.arguments,  # with -x pytest leaves out tests that it collected
        partial=bool(own.arguments or own.paths or options.arguments),
    )


def imports_of(run: Run, recipe: Recipe, output: Output) -> dict[str, str]:
    """Return the modules to import -> why one is skipped: ``test.imports``, or without any test those of the wheel.

    Raises `RecipeError` for a module to skip that the wheel does not have.
    """
    if recipe.test.imports or recipe.tests:
        return dict.fromkeys(recipe.test.imports, "")
    found = modules(output, run.environment.store)
    skipped = recipe.own_tests.imports_skip
    if lost := sorted(set(skipped).difference(found)):
        raise RecipeError(
            f"{recipe.folder / 'meta.yaml'}: extra.emwheels.test.imports-skip: the wheel has no module {lost[0]}",
            hint=f"its modules are: {', '.join(found) or 'none'}",
        )
    return {module: skipped.get(module, "") for module in found}


def locked_for_tests(run: Run, recipe: Recipe) -> Sequence[Path]:
    """Return the wheels that the recipe's own tests need and no recipe builds. Raises `RecipeError` without a lock."""
    to_lock = recipe.own_tests.to_lock(run.recipes)
    if not to_lock:
        return ()
    if recipe.test_lock is None:
        raise RecipeError(
            f"{recipe.folder}: extra.emwheels.test.requirements has {', '.join(to_lock)}, but there is no {TEST_LOCK}",
            hint=f"make it: emwheels lock {recipe.name}",
        )
    return run.environment.pure_wheels(recipe.test_lock)


def key_of_suite(recipe: Recipe) -> bytes:
    """Return what meta.yaml says that can change the results of the recipe's tests; nothing if it is silent."""
    own = recipe.own.get("test")
    said = {"imports": list(recipe.test.imports)} | ({"own": own} if own else {})
    return json.dumps(said, sort_keys=True).encode() if own or recipe.test.imports else b""
