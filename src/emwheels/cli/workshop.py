"""Locks, builds and tests one recipe for a command that writes it; what it says is kept for a diagnosis."""

from __future__ import annotations

import shutil
import sys
from contextlib import redirect_stdout
from functools import cached_property
from typing import TYPE_CHECKING

from emwheels.author.failure import said_by
from emwheels.author.new import write_recipe
from emwheels.author.new_build import Attempt, bring_up
from emwheels.author.new_debian import DebianSource, DebianSources
from emwheels.author.new_library import library_name, library_recipes
from emwheels.cli.fix import reports_of
from emwheels.cli.lock import run_lock
from emwheels.cli.main import command_parser
from emwheels.errors import EmwheelsError, FetchError, RecipeError
from emwheels.image.host_tools import debian_mirror, default_mirror
from emwheels.pipeline.model import Options
from emwheels.pipeline.run import make_run, run_packages
from emwheels.recipe.load import find_recipe, load_recipes

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from emwheels.author.new_source import Look
    from emwheels.fetch.fetcher import Fetched
    from emwheels.pipeline.environment import Environment
    from emwheels.pipeline.model import Outcome
    from emwheels.recipe.model import Recipe


class CommandWorkshop:
    """A `Workshop` of the command: what ``emwheels lock``, ``build`` and ``test`` do, a recipe at a time."""

    def __init__(self, environment: Environment, engines: tuple[str, ...]) -> None:
        self.environment = environment
        self._engines = engines
        self._libraries: set[str] = set()
        """Libraries that were tried."""

    @cached_property
    def _debian(self) -> DebianSources:
        suite = self.environment.asked.image.suite
        return DebianSources(self.environment.project.cache / "debian", suite, debian_mirror() or default_mirror(suite))

    def recipes(self) -> Mapping[str, Recipe]:
        """Return every recipe as it is now."""
        project = self.environment.project
        return load_recipes(project.shelves)

    def lock(self, name: str) -> Attempt:
        """Pin what the recipe requires; of a library there is nothing to pin."""
        project = self.environment.project
        if not find_recipe(name, self.recipes(), project.shelves).takes_wheels:
            return Attempt()
        options = ["--target", self.environment.target.name, "--toolchain", self.environment.toolchain_name]
        arguments = command_parser().parse_args(["lock", *options, name])
        try:
            with redirect_stdout(sys.stderr):
                run_lock(arguments, project, self.environment.asked)
        except EmwheelsError as error:
            self.say(name, f"failed: {error.message}")
            return Attempt(error=error, log=f"{error.message}\n{error.hint}")
        return Attempt()

    def build(self, name: str) -> Attempt:
        """Build, and publish nothing."""
        return self._run(name, Options(test=False, publish=False))

    def test(self, name: str) -> Attempt:
        """Test in the engines, and publish what passes."""
        return self._run(name, Options(engines=self._engines))

    def find_library(self, look: Look) -> str:
        """Write and build a recipe for the library of Debian's that has what a source looks for; empty without one."""
        try:
            with self.environment.board.phase(look.name, "search Debian's packages"):
                source = self._first_there(look.name, self._debian.find(look))
            if source is None:
                self.say(look.name, f"neither a recipe nor Debian has it ({look.kind})")
                return ""
            if library_name(source, self.recipes()) in self._libraries:
                return ""
            self.say(look.name, f"Debian's {source.name} {source.version} has it ({look.kind})")
            return self.write_library(source, self.library_texts(source))
        except EmwheelsError as error:
            self.say(look.name, error.message)
            return ""

    def library_source(self, name: str, version: str) -> DebianSource:
        """Return Debian's source package ``name``, the newest where no version is given. Raises `FetchError`."""
        if version:
            fetched = self.environment.fetcher.fetch(f"pkg:deb/debian/{name}@{version}", None)
            return DebianSource(name=name, version=version, filename=fetched.filename, sha256=fetched.sha256)
        with self.environment.board.phase(name, "search Debian's packages"):
            source = self._first_there(name, self._debian.sources(name))
        if source is None:
            raise FetchError(f"Debian has no source package {name!r} with an upstream archive", hint="check the name")
        return source

    def _first_there(self, what: str, sources: Iterable[DebianSource]) -> DebianSource | None:
        """Return the first source whose archive can be fetched; None without any. Raises the first `FetchError`."""
        missing: FetchError | None = None
        for source in sources:
            try:
                self._fetched(source)
            except FetchError as error:
                missing = missing or error
                self.say(what, f"{source.name} {source.version}: {error.message}; another suite may have one")
            else:
                return source
        if missing:
            raise missing
        return None

    def _fetched(self, source: DebianSource) -> Fetched:
        return self.environment.fetcher.fetch(f"pkg:deb/debian/{source.name}@{source.version}", source.sha256)

    def library_texts(self, source: DebianSource) -> list[str]:
        """Return a meta.yaml for each way to build a library. Raises `RecipeError` for one that has none."""
        recipes = self.recipes()
        texts = library_recipes(source, library_name(source, recipes), self._fetched(source).path, recipes)
        if not texts:
            raise RecipeError(
                f"{source.filename} has no CMakeLists.txt, configure, meson.build or Makefile",
                hint="write the recipe by hand",
            )
        return texts

    def write_library(self, source: DebianSource, texts: list[str]) -> str:
        """Write the first recipe of ``texts`` that builds, and return its name; empty if none does."""
        project = self.environment.project
        name = library_name(source, self.recipes())
        folder = project.recipes / name
        self._libraries.add(name)
        for text in texts:
            write_recipe(folder, text, project.patches)
            self.say(name, f"wrote {folder.relative_to(project.root)}/meta.yaml")
            if bring_up(name, folder, self, self.environment.target).error is None:
                return name
            shutil.rmtree(folder)
            self.say(name, f"removed {folder.relative_to(project.root)}: it did not build")
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
            return Attempt(error=at_fault.error, log=log, tests=at_fault.output is not None)
        wheel = archive = None
        if outcome.output is not None and outcome.output.kind == "wheels":
            wheel = self.environment.named_wheel(outcome.output)
        elif outcome.output is not None:
            archive = self.environment.store.get(outcome.output.kind, outcome.output.sha256)
        summary = "; ".join(f"{engine} {summary}" for engine, summary in outcome.engines.items())
        return Attempt(wheel=wheel, archive=archive, summary=summary)

    def _log(self, outcome: Outcome, options: Options) -> str:
        """Return the end of what a failed build wrote, and of what its tests did."""
        environment = self.environment
        log = environment.logs / outcome.name / f"{environment.target.name}-{options.profile}.log"
        reports = reports_of(environment, outcome.name, options.profile)
        return said_by(log if outcome.output is None else None, reports)
