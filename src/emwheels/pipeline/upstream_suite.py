"""Run one package's suite on the wheel that is in the store."""

from __future__ import annotations

import copy
import json
import shutil
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from emwheels.harness.engines import SUITE_ENGINE
from emwheels.outputs.named import content
from emwheels.pipeline.suite_files import staged
from emwheels.pipeline.testing import run_in_engines
from emwheels.pipeline.unvendored import over_the_wheel
from emwheels.recipe.load import patches_of
from emwheels.upstream.result import SuiteResult, judge
from emwheels.wheel import changed_members

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from emwheels.checkout import Checkout
    from emwheels.harness.model import Event
    from emwheels.outputs.builds import Output
    from emwheels.pipeline.environment import Environment
    from emwheels.pipeline.model import Run
    from emwheels.progress import Board
    from emwheels.recipe.model import Recipe
    from emwheels.upstream.suite import UpstreamSuite

_SAID_EVERY = 1000


def run_suite(
    run: Run,
    recipe: Recipe,
    suite: UpstreamSuite,
    outputs: Mapping[str, Output],
    *,
    reports: Path,
    also: Sequence[str] = (),
    engine: str = SUITE_ENGINE,
    wheels: Mapping[str, str],
) -> SuiteResult:
    """Run ``suite`` on the outputs of ``recipe``, of the recipes ``also`` that its tests import, and what these need.

    The JUnit XML and the log go to ``reports``. ``wheels`` is the content of each wheel that takes part.

    A test that hangs or kills its engine is a failure with its name; the rest goes on. Raises `RecipeError` where the
    suite is not what upstream.yaml says, `FetchError` and `HarnessError`.
    """
    environment = run.environment
    with staged(run.environment, recipe, suite, also=also) as ready:
        environment.board.say(recipe.name, f"upstream tests: {ready.files} files")
        with_tests, own = over_the_wheel(run, recipe, outputs, ready.suite)
        results = run_in_engines(
            run,
            recipe,
            outputs,
            tests=ready.tests,
            engines=[engine],
            output=reports / recipe.name / environment.target.name / "upstream",
            suite=with_tests,
            also=also,
            beside=[*ready.beside, *own],
            on_event=_progress(environment.board, recipe.name),
        )
    return judge(
        results[engine],
        suite,
        package=recipe.name,
        version=recipe.version,
        target=environment.target.name,
        date=datetime.now(UTC).date().isoformat(),
        wheels=wheels,
        image=environment.test_image_digest,
    )


def project_for_tests(project: Checkout, recipe: Recipe, flags: str, folder: Path) -> Checkout:
    """Return a copy of ``project`` in the empty ``folder`` in which ``recipe`` is built with further backend flags.

    It has the same cache, and a ``dist`` of its own, as what is built so is not to be published.
    """
    copied = replace(project, root=folder)
    for kept, copy_of in ((project.recipes, copied.recipes), (project.patches, copied.patches)):
        if kept.is_dir():
            shutil.copytree(kept, copy_of, symlinks=True)
    place = copied.recipes / recipe.folder.name
    if not project.is_own(recipe.folder):  # in the copy it takes the place of the one that is elsewhere
        shutil.copytree(recipe.folder, place)
        if (patches := patches_of(recipe.folder)) is not None:
            shutil.copytree(patches, copied.patches / place.name)
    document: dict[str, Any] = copy.deepcopy(dict(recipe.document))
    document["package"]["version"] = recipe.version
    build = document.setdefault("build", {})
    build["backend-flags"] = f"{recipe.build.backend_flags.rstrip()}\n{flags}".strip()
    # JSON is YAML.
    (place / "meta.yaml").write_text(json.dumps(document, indent=1), encoding="utf-8")
    return copied


def _progress(board: Board, name: str) -> Callable[[Event], None]:
    counts = {"done": 0, "bad": 0}

    def show(event: Event) -> None:
        if event.kind == "boot":
            board.say(name, f"upstream tests in {event.engine}")
        if event.kind != "case":
            return
        counts["done"] += 1
        counts["bad"] += event.outcome in ("failed", "error")
        if counts["done"] % _SAID_EVERY == 0:
            board.say(name, f"{counts['done']:,} tests, {counts['bad']:,} failed; at {event.nodeid[:100]}")

    return show


def content_of_shipped(environment: Environment, shipped: Output, tested: Output) -> str:
    """Return the content of the wheel that users get, if all that is in it is in the wheel that is ``tested`` as well.

    That has compiled parts of tests besides. If it has anything with other bytes, the result is of itself alone.
    """
    changed = changed_members(*(environment.store.get(output.kind, output.sha256) for output in (shipped, tested)))
    if not changed:
        return content(shipped, environment.store)
    shown = ", ".join(changed[:3])
    environment.board.say(
        shipped.name,
        f"warning: the wheel that is built for the tests differs from the one that users get in {len(changed)} files "
        f"({shown}): the result does not count for that",
    )
    return content(tested, environment.store)
