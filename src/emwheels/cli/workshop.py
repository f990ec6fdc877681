"""Locks, builds and tests one recipe for a command that writes it; what it says is kept for a diagnosis."""

from __future__ import annotations

import sys
from contextlib import redirect_stdout
from typing import TYPE_CHECKING

from emwheels.author.new_build import Attempt
from emwheels.cli.lock import run_lock
from emwheels.cli.main import command_parser
from emwheels.errors import EmwheelsError
from emwheels.pipeline.model import Options
from emwheels.pipeline.run import make_run, run_packages
from emwheels.recipe.load import find_recipe, load_recipes

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from emwheels.author.new_source import Look
    from emwheels.pipeline.environment import Environment
    from emwheels.pipeline.model import Outcome
    from emwheels.recipe.model import Recipe

_LOG_END = 1 << 20
"""Bytes of a log that are read."""
_MOST_LOGS = 20


class CommandWorkshop:
    """A `Workshop` of the command: what ``emwheels lock``, ``build`` and ``test`` do, a recipe at a time."""

    def __init__(self, environment: Environment, engines: tuple[str, ...]) -> None:
        self.environment = environment
        self._engines = engines

    def recipes(self) -> Mapping[str, Recipe]:
        """Return every recipe as it is now."""
        project = self.environment.project
        return load_recipes(project.recipes, patches=project.patches)

    def lock(self, name: str) -> Attempt:
        """Pin what the recipe requires; of a library there is nothing to pin."""
        project = self.environment.project
        if find_recipe(name, self.recipes(), project.recipes).build.type != "package":
            return Attempt()
        options = ["--target", self.environment.target.name, "--toolchain", self.environment.toolchain_name]
        arguments = command_parser().parse_args(["lock", *options, name])
        try:
            with redirect_stdout(sys.stderr):
                run_lock(arguments, project, self.environment.asked)
        except EmwheelsError as error:
            return Attempt(error=error, log=f"{error.message}\n{error.hint}")
        return Attempt()

    def build(self, name: str) -> Attempt:
        """Build, and publish nothing."""
        return self._run(name, Options(test=False, publish=False))

    def test(self, name: str) -> Attempt:
        """Test in the engines, and publish what passes."""
        return self._run(name, Options(engines=self._engines))

    def find_library(self, look: Look) -> str:
        """Return nothing yet: only recipes that are here are known."""
        self.say(look.name, "no recipe provides it")
        return ""

    def say(self, name: str, text: str) -> None:
        """Tell the user one thing."""
        self.environment.board.say(name, text)

    def _run(self, name: str, options: Options) -> Attempt:
        try:
            outcomes = {one.name: one for one in run_packages(make_run(self.environment, [name], options))}
        except EmwheelsError as error:
            return Attempt(error=error, log=f"{error.message}\n{error.hint}")
        outcome = outcomes[name]
        at_fault = next((one for one in outcomes.values() if one.error is not None), None)
        if at_fault is not None:
            log = self._log(at_fault, options) if at_fault.name == name else ""
            return Attempt(error=at_fault.error, log=log)
        wheel = None
        if outcome.output is not None and outcome.output.kind == "wheels":
            wheel = self.environment.named_wheel(outcome.output)
        summary = "; ".join(f"{engine} {summary}" for engine, summary in outcome.engines.items())
        return Attempt(wheel=wheel, summary=summary)

    def _log(self, outcome: Outcome, options: Options) -> str:
        """Return the end of what a failed build wrote, and of what its tests did."""
        environment = self.environment
        log = environment.logs / outcome.name / f"{environment.target.name}-{options.profile}.log"
        texts = [] if outcome.output is not None else [_end(log)]
        reports = environment.dist(options.profile) / "reports" / outcome.name / environment.target.name
        if outcome.output is not None and reports.is_dir():
            texts += [_end(path) for path in sorted(reports.rglob("*.log"))[:_MOST_LOGS]]
        return "\n".join(texts)


def _end(path: Path) -> str:
    if not path.is_file() or path.is_symlink():
        return ""
    with path.open("rb") as stream:
        stream.seek(max(0, path.stat().st_size - _LOG_END))
        return stream.read(_LOG_END).decode(errors="replace")
