"""What a run of the tests gives: cases, a result per engine, and events on the way."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

Outcome = Literal["passed", "failed", "skipped", "error"]

IMPORT = "import "
"""What the names of tests begin with that are an import and no more: ``import x.y``."""
IMPORTS_ONLY = "imports only: "
"""What the words for a run begin with in which nothing else was tried."""
NOT_RUN = "not run: "
"""What the messages of tests begin with that were left out because interpreters kept ending."""
ENDS_IN_A_ROW = 10
"""How many interpreters may end one after another, by a trap or a time limit and without a test that passes between,
before the rest of an engine's tests is left out."""


@dataclass(frozen=True, kw_only=True)
class Suite:
    """What pytest is to run, beside the folder of tests.

    The defaults are those of a recipe's own tests; an upstream suite has others.
    """

    root: str = "/tests"
    """Where the folder's files are put inside Pyodide, and pytest's root: ``/lib/…/site-packages`` for tests that
    belong into the installed package."""
    paths: tuple[str, ...] = ()
    """What pytest collects, relative to ``root``; everything if empty."""
    options: tuple[str, ...] = ()
    """Further options of pytest."""
    requirements: tuple[str, ...] = ()
    """What the tests need beside the package and pytest (PEP 508); the wheels are among the harness's."""
    imports: Mapping[str, str] = field(default_factory=dict)
    """Modules to import, each a test of its own -> why one is skipped; empty for those that are not."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Variables that the interpreter sees."""
    seconds: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """Engine -> test -> limit for it; the empty name is every other test of the engine."""
    expected: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Engine -> test -> why it fails. A test without its parameters stands for all of them."""
    ends_in_a_row: int = ENDS_IN_A_ROW
    """See there; 0 goes on however many there are."""
    strict: bool = True
    """Whether the report has to be pytest's, test by test. Upstream suites may have reports of their own making."""
    partial: bool = False
    """Whether options choose among the tests, so that some that are known need not be heard of."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """One test, or one thing that went wrong outside a test.

    ``nodeid`` is pytest's name of the test; the file for one that cannot be collected; ``boot`` for an engine that
    did not come up; ``session`` for pytest itself.
    """

    nodeid: str
    outcome: Outcome
    seconds: float
    message: str = ""
    output: str = ""


@dataclass(frozen=True, kw_only=True)
class EngineResult:
    """What one engine made of the tests."""

    engine: str
    cases: tuple[Case, ...]
    seconds: float
    """Wall time of the engine, with every restart."""
    boot_seconds: float
    """Loading Pyodide and installing the wheels, the first time; 0 if it never came up."""
    console: Path
    """The log: what the engine and the tests printed, warnings, the browser's console."""
    content: str = ""
    """Of the wheel under test (`emwheels.wheel.content_of`); empty if it is not to be told by that."""

    def count(self, outcome: Outcome) -> int:
        """How many cases ended like that."""
        return sum(case.outcome == outcome for case in self.cases)

    @property
    def passed(self) -> int:
        """Tests that passed."""
        return self.count("passed")

    @property
    def failed(self) -> int:
        """Tests that failed, hung or killed their engine."""
        return self.count("failed")

    @property
    def skipped(self) -> int:
        """Tests that did not run, or failed as expected."""
        return self.count("skipped")

    @property
    def errors(self) -> int:
        """Things that went wrong outside a test: boot, collection, fixtures."""
        return self.count("error")

    @property
    def ok(self) -> bool:
        """True if tests ran and none of them failed."""
        return self.failed == 0 and self.errors == 0


@dataclass(frozen=True, kw_only=True)
class Event:
    """Progress: an engine came up (``boot``) or is done (``end``); a test begins (``start``) or ended (``case``)."""

    engine: str
    kind: Literal["boot", "start", "case", "end"]
    nodeid: str = ""
    outcome: Outcome | None = None
    seconds: float = 0.0
