"""Run one package's suite on the wheel that is in the store."""

from __future__ import annotations

import copy
import json
import shutil
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emwheels.errors import RecipeError
from emwheels.fetch.archive import unpack
from emwheels.harness.model import Event, Suite
from emwheels.upstream.result import SuiteResult, judge
from emwheels.upstream.suite import LOCK_FILE, SUITE_FILE, UpstreamSuite, lay_out, split_requirements

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from emwheels.checkout import Project
    from emwheels.outputs.builds import Output
    from emwheels.pipeline.run import Pipeline
    from emwheels.pipeline.testing import TestingSteps
    from emwheels.recipe.model import Recipe

_SAID_EVERY = 1000


@dataclass(frozen=True, kw_only=True)
class Staged:
    """A suite's files, taken out of the source distribution, and how the harness runs them."""

    tests: Path
    files: int
    suite: Suite
    beside: Sequence[Path]
    """The wheels of what the tests need and no recipe builds."""


@contextmanager
def staged(
    steps: TestingSteps, recipe: Recipe, suite: UpstreamSuite, *, also: Sequence[str] = (), smoke: bool = False
) -> Iterator[Staged]:
    """Lay out the tests of ``suite`` until the block ends; of its recipes, only those in ``also`` are installed.

    With ``smoke``, pytest collects the files of that name alone. Raises `RecipeError` where the suite is not what
    upstream.yaml says, and `FetchError`.
    """
    lock = recipe.folder / LOCK_FILE
    of_recipes, locked = split_requirements(
        suite, [path.parent.name for path in steps.project.recipes.glob("*/meta.yaml")]
    )
    if locked and not lock.is_file():
        raise RecipeError(f"{recipe.folder}: there is no {LOCK_FILE}", hint=f"make it: nox -s lock -- {recipe.name}")
    if recipe.source.url is None:
        raise RecipeError(f"{recipe.name} has no source distribution to take tests from")
    left = {name for name in of_recipes if name not in also}
    fetched = steps.fetcher.fetch(recipe.source.url, recipe.source.sha256)
    with tempfile.TemporaryDirectory(prefix="emwheels-upstream-") as folder:
        named = Path(folder) / fetched.filename
        named.symlink_to(fetched.path)
        tree = unpack(named, Path(folder) / "source", strip_single_top=True)
        tests = Path(folder) / "tests"
        files = lay_out(suite, tree, tests)
        if smoke and (missing := [name for name in suite.smoke if not (tests / name).exists()]):
            raise RecipeError(f"{recipe.folder / SUITE_FILE}: smoke: not among the files: {', '.join(missing)}")
        site = f"/lib/python{steps.target.python_minor}/site-packages"
        yield Staged(
            tests=tests,
            files=files,
            suite=Suite(
                root=site if suite.into == "site-packages" else "/tests",
                paths=suite.smoke if smoke else suite.paths,
                options=suite.options,
                requirements=tuple(text for text in suite.requirements if text not in left),
            ),
            beside=steps.pure_wheels(lock) if locked else (),
        )


def run_suite(
    pipeline: Pipeline,
    recipe: Recipe,
    suite: UpstreamSuite,
    outputs: Mapping[str, Output],
    *,
    reports: Path,
    also: Sequence[str] = (),
    engine: str = "node",
    test_seconds: float = 120,
    wheels: Mapping[str, str],
) -> SuiteResult:
    """Run ``suite`` on the outputs of ``recipe``, of the recipes ``also`` that its tests import, and what these need.

    The JUnit XML and the log go to ``reports``. ``wheels`` is the content of each wheel that takes part.

    A test that hangs or kills its engine is a failure with its name; the rest goes on. Raises `RecipeError` where the
    suite is not what upstream.yaml says, `FetchError` and `HarnessError`.
    """
    with staged(pipeline, recipe, suite, also=also) as ready:
        pipeline.board.say(recipe.name, f"upstream tests: {ready.files} files")
        results = pipeline.run_in_engines(
            recipe,
            outputs,
            tests=ready.tests,
            engines=[engine],
            output=reports / recipe.name / pipeline.target.name / "upstream",
            suite=ready.suite,
            also=also,
            beside=ready.beside,
            test_seconds=test_seconds,
            on_event=_progress(pipeline, recipe.name),
        )
    return judge(
        results[engine],
        suite,
        package=recipe.name,
        version=recipe.version,
        target=pipeline.target.name,
        date=datetime.now(UTC).date().isoformat(),
        wheels=wheels,
        image=pipeline.image_digest,
    )


def project_for_tests(project: Project, recipe: Recipe, flags: str, folder: Path) -> Project:
    """Return a copy of ``project`` in the empty ``folder`` in which ``recipe`` is built with further backend flags.

    It has the same cache, and a ``dist`` of its own, as what is built so is not to be published.
    """
    shutil.copytree(project.recipes, folder / "recipes", symlinks=True)
    if project.patches.is_dir():
        shutil.copytree(project.patches, folder / "patches", symlinks=True)
    document: dict[str, Any] = copy.deepcopy(dict(recipe.document))
    document["package"]["version"] = recipe.version
    build = document.setdefault("build", {})
    build["backend-flags"] = f"{recipe.build.backend_flags.rstrip()}\n{flags}".strip()
    # JSON is YAML.
    (folder / "recipes" / recipe.folder.name / "meta.yaml").write_text(json.dumps(document, indent=1), encoding="utf-8")
    return replace(project, root=folder)


def _progress(pipeline: Pipeline, name: str) -> Callable[[Event], None]:
    counts = {"done": 0, "bad": 0}

    def show(event: Event) -> None:
        if event.kind == "boot":
            pipeline.board.say(name, f"upstream tests in {event.engine}")
        if event.kind != "case":
            return
        counts["done"] += 1
        counts["bad"] += event.outcome in ("failed", "error")
        if counts["done"] % _SAID_EVERY == 0:
            pipeline.board.say(name, f"{counts['done']:,} tests, {counts['bad']:,} failed; at {event.nodeid[:100]}")

    return show
