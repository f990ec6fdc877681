"""The wheel with a package's own tests, which a build keeps beside the package's (``unvendor-tests``)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from emwheels.outputs.builds import TESTS_KIND

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from emwheels.harness.model import Suite
    from emwheels.outputs.builds import Output
    from emwheels.pipeline.model import Run
    from emwheels.recipe.model import Recipe


def tests_of(run: Run, output: Output) -> Path | None:
    """Return the wheel with the tests that were taken out of ``output``, under its own name; None if none was."""
    build = run.builds.get(output.key)
    if build is None or "tests" not in build[0]:
        return None
    kept = build[0]["tests"]
    return run.environment.named_wheel(
        replace(output, kind=TESTS_KIND, filename=kept["filename"], sha256=kept["sha256"])
    )


def over_the_wheel(run: Run, recipe: Recipe, outputs: Mapping[str, Output], suite: Suite) -> tuple[Suite, list[Path]]:
    """Return ``suite`` so that it installs the tests over the wheel, and the wheel that has them to be served."""
    wheel = tests_of(run, outputs[recipe.name])
    if wheel is None:
        return suite, []
    required = f"{recipe.name}-tests=={recipe.version}"
    return replace(suite, requirements=(*suite.requirements, required)), [wheel]
