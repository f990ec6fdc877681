"""The whole path for some packages: reads the recipes, runs every package's steps over the graph, publishes."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from emwheels import index
from emwheels.errors import EmwheelsError, of_os_error
from emwheels.image.removal import remove_tree
from emwheels.outputs.builds import KIND
from emwheels.outputs.latest import latest_key
from emwheels.pipeline.model import Options, Outcome
from emwheels.pipeline.testing import TestingSteps
from emwheels.plan.key import explain
from emwheels.plan.planning import Planned, make_plan
from emwheels.recipe.graph import dependency_order, required_recipes, run_closure
from emwheels.recipe.load import load_recipes
from emwheels.schedule import (
    JobServer,
    LocalExecutor,
    Result,
    State,
    Task,
    available_cores,
    available_memory,
    run_tasks,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from emwheels.outputs.builds import Output
    from emwheels.recipe.model import Recipe
    from emwheels.schedule import Executor


class Pipeline(TestingSteps):
    """Runs packages of one project for one target."""

    def recipe(self, name: str) -> Recipe:
        """Return the recipe called ``name`` of those that the last run was about, in any spelling of PEP 503."""
        return next(
            recipe for own, recipe in self._recipes.items() if canonicalize_name(own) == canonicalize_name(name)
        )

    def plan(self, names: Sequence[str], profile: str) -> list[Planned]:
        """Return what `run` would do with ``names`` (all if empty) and what they need, and why. Builds nothing."""
        self.load(names)
        return make_plan(self._recipes, profile, self)

    def load(self, names: Sequence[str]) -> None:
        """Read the recipes of ``names`` (all if empty) and of what they need: `step` works on them."""
        self._recipes = load_recipes(self.project.recipes, patches=self.project.patches, names=names or None)

    def bring(self, output: Output) -> None:
        """See to it that what another machine built is in the local store."""
        if self.builds.get(output.key) is None:
            raise EmwheelsError(
                f"{output.name} was built elsewhere and cannot be had from the remote store",
                hint="run the command again: what cannot be had is built again",
            )

    def stop(self) -> None:
        """Let tasks that are at work here end at the next occasion."""
        self._stopping.set()

    def run(
        self, names: Sequence[str], options: Options, *, executor: Executor[Outcome] | None = None
    ) -> list[Outcome]:
        """Build ``names`` and what they need and return what came of each, in the order of their needs.

        ``executor`` does the tasks somewhere else, with `step` of a pipeline that has loaded the same names; what it
        built has to be in the remote store when a task ends. Without it, this machine does them.

        Packages that do not need each other are built at the same time. A failure blocks what needs the package, and
        nothing else. A signal ends everything that runs before its exception goes on.
        """
        self.load(names)
        remove_stale_work(self.project.cache / "work")
        outcomes = {name: Outcome(name=name, state="not started") for name in dependency_order(self._recipes)}
        _ = self.image_digest  # making the image is nothing to be done beside builds
        cores = options.jobs or available_cores()
        here = LocalExecutor(lambda task, given: self.step(task, given, options), jobs=cores, memory=available_memory())
        self._stopping = here.stopping
        self._jobserver = server = JobServer(
            self.project.cache / "work" / f"jobserver-{os.getpid()}", cores=cores, inside="/mnt/jobserver"
        )
        try:
            run_tasks(
                self._tasks(options, cores),
                executor or here,
                ok=lambda outcome: outcome.error is None,
                fail_fast=options.fail_fast,
                on_end=lambda task, result: self._ended(task, result, options, outcomes),
            )
        finally:
            self._jobserver = None
            server.close()
            self._write_status(options)
        return list(outcomes.values())

    def _write_status(self, options: Options) -> None:
        """Write the status page anew, if the run has built, tested or published something that it tells of."""
        if self._to_show:
            from emwheels.status import write_status

            targets = list(self.targets.targets.values())
            write_status(self.dist(options.profile), self.store, targets, profile=options.profile, tested=self._to_show)
            self._to_show = {}

    def survey(self, names: Sequence[str], options: Options) -> list[Outcome]:
        """Return what is there of ``names`` (or of every recipe) and what they need; builds and tests nothing.

        The state is ``reused`` with the output and the engines that passed, or ``missing``.
        """
        self.load(names)
        outputs: dict[str, Output] = {}
        outcomes = []
        for name in dependency_order(self._recipes):
            recipe = self._recipes[name]
            outcomes.append(outcome := Outcome(name=name, state="missing"))
            if any(need not in outputs for need in recipe.requirements.host):
                continue
            if found := self.existing(self.key(recipe, options.profile, outputs)):
                outcome.state, outputs[name] = "reused", found[0]
                outcome.output = found[0]
                outcome.engines = self.tested(recipe, outputs, options.engines)
        return outcomes

    def _tasks(self, options: Options, cores: int) -> list[Task]:
        """Return two tasks for each package, ``build NAME`` and ``test NAME``, the second if there are tests to run.

        What is compiled against a package does not wait for that package's tests.
        """
        tasks = []
        for name, recipe in self._recipes.items():
            needs = tuple(f"build {need}" for need in required_recipes(recipe, self._recipes))
            latest = self.latest(name, options.profile) or {}
            seconds = latest.get("output", {}).get("seconds", _UNKNOWN_SECONDS)
            memory = latest.get("peak_kib", _UNKNOWN_PEAK_KIB) * 1024 * cores
            tasks.append(Task(name=f"build {name}", needs=needs, seconds=seconds, memory=memory))
            if options.test and recipe.tests and recipe.build.type != "static_library":
                closure = tuple(f"build {need}" for need in run_closure(name, self._recipes))
                tasks.append(Task(name=f"test {name}", needs=closure, seconds=_TEST_SECONDS, memory=_TEST_MEMORY))
        return tasks

    def step(self, task: str, given: Mapping[str, Outcome], options: Options) -> Outcome:
        """Do one task of a run: ``build NAME`` or ``test NAME``, given what the tasks before it came out as.

        What goes in and comes out can be sent to another process. A failure is in the outcome; of what is not a
        user's to mend, the exception is raised.
        """
        what, _, name = task.partition(" ")
        recipe = self._recipes[name]
        outputs = {outcome.name: outcome.output for outcome in given.values() if outcome.output is not None}
        if what == "test":
            before = given[f"build {name}"]
            outcome = replace(before, phases=dict(before.phases), engines=dict(before.engines))
        else:
            outcome = Outcome(name=name, state="failed")
        try:
            if what == "test":
                self.test(recipe, outputs, options, outcome)
            else:
                self._build_or_reuse(recipe, options, outputs, outcome)
        except (EmwheelsError, OSError) as error:
            outcome.state, outcome.error = "failed", of_os_error(error) if isinstance(error, OSError) else error
            if not self._stopping.is_set():
                hint = f"\n  {outcome.error.hint}" if outcome.error.hint else ""
                self.board.say(name, f"failed: {outcome.error.message}{hint}")
        return outcome

    def _build_or_reuse(
        self, recipe: Recipe, options: Options, outputs: Mapping[str, Output], outcome: Outcome
    ) -> None:
        key = self.key(recipe, options.profile, outputs)
        found = None if options.rebuild else self.existing(key)
        if found is None:
            with self._alone(recipe.name, key):
                # Another run may have built it while this one waited.
                found = None if options.rebuild else self.existing(key)
                if found is None:
                    latest = self.latest(recipe.name, options.profile)
                    why = explain(key, latest["inputs"] if latest else None)
                    why = ["asked to build it again"] if options.rebuild else why
                    self.board.say(recipe.name, f"to build: {'; '.join(why)}")
                    outcome.output = self.build(recipe, key, options, outputs, outcome)
                    outcome.state = "built"
                    return
        outcome.output, where = found
        outcome.state, outcome.why = "reused", _REUSED[where]

    def _ended(self, task: str, result: Result[Outcome], options: Options, outcomes: dict[str, Outcome]) -> None:
        """Note what came of a task; publish a package whose last task it was."""
        what, _, name = task.partition(" ")
        if result.error is not None:
            raise result.error
        if result.value is not None:
            outcomes[name] = result.value
        elif result.state is State.BLOCKED and what == "build":
            at_fault = sorted({cause.partition(" ")[2] for cause in result.blocked_by})
            outcomes[name] = Outcome(name=name, state="blocked", why=f"needs {', '.join(at_fault)}")
        recipe, output = self._recipes[name], outcomes[name].output
        tested = what == "test" or not (options.test and recipe.tests)
        if result.state is State.DONE and tested and output is not None and output.kind == "wheels":
            self.store.add_root(self.dist(options.profile).resolve() / "wheels")
            if not self.store.has(output.kind, output.sha256):  # built on another machine
                self.builds.get(output.key)
            # Its bytes were verified, or written, a moment ago.
            wheel = self.store.get(output.kind, output.sha256, verify=False)
            self._remember(output, options.profile)
            dist = self.dist(options.profile)
            published = index.publish(dist, wheel, output.filename, release=self.release, sha256=output.sha256)
            if published or outcomes[name].phases:
                self._to_show[canonicalize_name(name)] = outcomes[name].engines

    def _remember(self, output: Output, profile: str) -> None:
        """See to it that what is published is what `latest` tells of, wherever and whenever it was built."""
        latest = self.latest(output.name, profile)
        if latest is None or latest["output"]["key"] != output.key:
            record = self.store.get_record(KIND, output.key)
            if record is not None:
                self.store.add_record("latest", latest_key(output.name, self.target.name, profile), record)


_REUSED = {"store": "nothing that can change the output has changed", "remote": "from the remote store"}
_UNKNOWN_SECONDS = 60.0
_UNKNOWN_PEAK_KIB = 1 << 20
"""What is assumed of a package that was never built: the memory of one compiler that works hard."""
_TEST_SECONDS = 30.0
_TEST_MEMORY = 1 << 30


def remove_stale_work(folder: Path) -> None:
    """Remove the folders of builds whose process is gone."""
    for path in folder.glob("*-*"):
        match = re.fullmatch(r".*-(\d+)", path.name)
        if match and not Path(f"/proc/{match[1]}").exists():
            remove_tree(path)
