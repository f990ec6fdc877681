"""The tests of a package's own suite, taken out of its source distribution."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from emwheels.build.source import unpack_source
from emwheels.errors import RecipeError
from emwheels.harness.model import Suite
from emwheels.pipeline.sources import source_of
from emwheels.recipe.load import recipe_folders
from emwheels.upstream.suite import LOCK_FILE, SUITE_FILE, UpstreamSuite, lay_out, split_requirements

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from emwheels.pipeline.environment import Environment
    from emwheels.recipe.model import Recipe


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
    environment: Environment, recipe: Recipe, suite: UpstreamSuite, *, also: Sequence[str] = (), smoke: bool = False
) -> Iterator[Staged]:
    """Lay out the tests of ``suite`` until the block ends; of its recipes, only those in ``also`` are installed.

    With ``smoke``, pytest collects the files of that name alone. Raises `RecipeError` where the suite is not what
    upstream.yaml says, and `FetchError`.
    """
    lock = recipe.folder / LOCK_FILE
    of_recipes, locked = split_requirements(suite, recipe_folders(environment.project.shelves))
    if locked and not lock.is_file():
        raise RecipeError(f"{recipe.folder}: there is no {LOCK_FILE}", hint=f"make it: emwheels lock {recipe.name}")
    left = set(of_recipes).difference(also)
    fetched = source_of(environment, recipe)
    with tempfile.TemporaryDirectory(prefix="emwheels-upstream-") as folder:
        tree = unpack_source(recipe, fetched, Path(folder) / "source")
        tests = Path(folder) / "tests"
        files = lay_out(suite, tree, tests)
        if smoke and (missing := [name for name in suite.smoke if not (tests / name).exists()]):
            raise RecipeError(f"{recipe.folder / SUITE_FILE}: smoke: not among the files: {', '.join(missing)}")
        site = f"/lib/python{environment.target.python_minor}/site-packages"
        yield Staged(
            tests=tests,
            files=files,
            suite=Suite(
                root=site if suite.into == "site-packages" else Suite.root,
                paths=suite.smoke if smoke else suite.paths,
                options=suite.options,
                requirements=tuple(text for text, name in suite.required.items() if name not in left),
                ends_in_a_row=0,  # what is known to fail may do so in any number
                strict=False,
            ),
            beside=environment.run_wheels(lock) if locked else (),
        )
