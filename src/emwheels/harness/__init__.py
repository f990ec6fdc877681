"""Wheels + tests -> results per engine: run a recipe's pytest tests inside Pyodide, in Node and in Chromium.

The wheels are installed by micropip from a local index, as a user's would be. Everything runs inside the image, with
no network but loopback. A test that hangs or kills its engine is a failed test; the engine is started again without
it and goes on.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from emwheels.errors import UsageError
from emwheels.harness import stage as _stage
from emwheels.harness.drive import drive, runtime_mounts
from emwheels.harness.engines import ENGINES
from emwheels.harness.install import Install, Installed, try_installs
from emwheels.harness.listing import list_tests
from emwheels.harness.model import Case, EngineResult, Event, Suite
from emwheels.image.model import Mount
from emwheels.image.places import STAGE, TESTS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from emwheels.image.model import Image

__all__ = ["ENGINES", "Case", "EngineResult", "Event", "Install", "Installed", "Suite", "run_tests", "try_installs"]


def run_tests(
    *,
    image: Image,
    runtime: Path,
    playwright_core: Path,
    harness_wheels: Sequence[Path],
    wheels: Sequence[Path],
    requirements: Sequence[str],
    tests: Path,
    engines: Sequence[str],
    output: Path,
    suite: Suite = Suite(),  # noqa: B008  (it is immutable)
    test_seconds: float = 120,
    boot_seconds: float = 120,
    on_event: Callable[[Event], None] | None = None,
    content: str = "",
) -> dict[str, EngineResult]:
    """Run the tests of folder ``tests`` in each of ``engines``, one after another, and return a result for each.

    ``runtime`` and ``playwright_core`` are the unpacked npm packages ``pyodide`` and ``playwright-core``; ``wheels``
    are the wheel under test and its dependencies, of which micropip installs ``requirements``. ``output`` gets
    ``ENGINE.xml`` (JUnit), which names the ``content`` of the wheel under test, and ``ENGINE.log``. Tests that fail are
    in the results; `HarnessError` is raised only if they could not be run at all, `UsageError` for an engine that does
    not exist.
    """
    for engine in engines:
        if engine not in ENGINES:
            raise UsageError(f"there is no engine {engine!r}", hint=f"engines are: {', '.join(ENGINES)}")
    listed = list_tests(tests) if suite.strict and not suite.partial else frozenset()
    with tempfile.TemporaryDirectory(prefix="emwheels-harness-") as folder:
        _stage.stage(
            Path(folder),
            harness_wheels=harness_wheels,
            wheels=wheels,
            requirements=requirements,
            tests=tests,
            engines=engines,
            suite=suite,
            limits=_stage.Patience(boot=boot_seconds, test=test_seconds),
        )
        mounts = (
            *runtime_mounts(runtime, playwright_core),
            Mount(host=tests, inside=TESTS),
            Mount(host=Path(folder), inside=STAGE),
        )
        return drive(
            image,
            mounts,
            engines=engines,
            output=output,
            on_event=on_event,
            content=content,
            listed=listed,
            suite=suite,
        )
