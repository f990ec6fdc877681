"""What flows through a run: its options, what its stages share, its tasks, and what came of a package."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from emwheels.harness.engines import ENGINES
from emwheels.harness.model import ENDS_IN_A_ROW
from emwheels.recipe.load import find_recipe

if TYPE_CHECKING:
    from collections.abc import Mapping

    from emwheels.build.compiler_cache import Hits
    from emwheels.errors import EmwheelsError
    from emwheels.harness.model import Case
    from emwheels.outputs.builds import Builds, Output
    from emwheels.pipeline.environment import Environment
    from emwheels.recipe.load import RecipeProblems
    from emwheels.recipe.model import Recipe
    from emwheels.schedule import JobServer

STEPS = ("compile", "audit", "test")
"""Where a build can start that does not start at the beginning."""
PREPARE = "prepare"
"""As if one of them: everything is laid out, nothing is compiled."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """What a run is to do."""

    profile: str = "speed"
    engines: tuple[str, ...] = field(default_factory=lambda: tuple(ENGINES))
    test: bool = True
    rebuild: bool = False
    retest: bool = False
    test_seconds: float = 120.0
    """Limit for one test, where its recipe has none."""
    ends_in_a_row: int = ENDS_IN_A_ROW
    """Interpreters that may end one after another before the rest of the tests is left out; 0 for any number."""
    arguments: tuple[str, ...] = ()
    """Of pytest. With some, what comes of the tests is only shown: nothing is noted of it, nothing is published."""
    only: tuple[str, ...] = ()
    """Names of the packages whose tests are run; all of the run if empty."""
    ccache: bool = True
    """Whether compilers look up objects in the compiler cache. The bytes that come out are the same."""
    share_cache: bool = False
    """Whether all builds of a recipe share a compiler cache, however much the recipe has changed."""
    limits: Mapping[str, str] = field(default_factory=dict)
    """Limits of the command line, as `Limits.with_texts` reads them."""
    jobs: int = 0
    """Cores that all builds may use together, and the most packages at the same time; 0 for those of this machine."""
    fail_fast: bool = False
    """Start nothing more after the first failure."""
    publish: bool = True
    """Whether what was built goes into the index and onto the status page."""
    starts: Mapping[str, str] = field(default_factory=dict)
    """Package -> the step that its build starts at: one of `STEPS`, or `PREPARE`."""
    aside: tuple[str, ...] = ()
    """Packages that are built otherwise than their recipes say: what comes out is not noted as their latest build."""


@dataclass(frozen=True, kw_only=True)
class Run:
    """What the stages of one run share. `emwheels.pipeline.run.make_run` makes it, complete."""

    environment: Environment
    recipes: Mapping[str, Recipe]
    """Those that the run is about, by name, with all that they need; none that is bad, or needs one that is."""
    options: Options
    builds: Builds
    stopping: threading.Event = field(default_factory=threading.Event)
    """Set when everything is to end."""
    jobserver: JobServer | None = None
    """Shares the cores between builds; without it, a build takes what it wants."""
    names: tuple[str, ...] = ()
    """What was asked for."""
    bad: Mapping[str, RecipeProblems] = field(default_factory=dict)
    """Recipes that the run was to be about, or that it needs, in which something is wrong."""
    blocked: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """What needs them -> the bad ones that it needs."""

    def recipe(self, name: str) -> Recipe:
        """Return the recipe called ``name``, in any spelling of PEP 503. Raises `UsageError`."""
        return find_recipe(name, self.recipes, self.environment.project.shelves)


class Stage(StrEnum):
    """What a task does with a package."""

    BUILD = "build"
    TEST = "test"


class Step(NamedTuple):
    """The identity of a task of a run."""

    stage: Stage
    name: str

    def __str__(self) -> str:
        """E.g. ``build numpy``."""
        return f"{self.stage} {self.name}"


@dataclass(kw_only=True)
class Outcome:
    """What a run did with one package."""

    name: str
    state: str
    """``built``, ``reused``, ``works`` (not kept), ``prepared``, ``failed``, ``blocked``, ``not started`` or
    ``bad recipe``; in a survey ``reused`` or ``missing``."""
    why: str = ""
    output: Output | None = None
    phases: dict[str, float] = field(default_factory=dict)
    """Phase -> wall seconds."""
    engines: dict[str, str] = field(default_factory=dict)
    """Engine -> ``16 passed``."""
    failures: list[tuple[str, Case]] = field(default_factory=list)
    """Engines and the tests that failed there."""
    error: EmwheelsError | None = None
    ccache: Hits | None = None
    """What came out of the compiler cache, if it was used."""
