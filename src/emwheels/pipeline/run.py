"""The whole path for some packages: reads the recipes, runs every package's stages over the graph, publishes."""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from emwheels.errors import EmwheelsError, HarnessError, ImageError, RecipeError, of_os_error
from emwheels.image.places import JOBSERVER
from emwheels.outputs.builds import Builds
from emwheels.pipeline.known import existing, fault, key_of, latest
from emwheels.pipeline.model import Options, Outcome, Run, Stage, Step
from emwheels.pipeline.phases import alone, remove_stale_work
from emwheels.pipeline.publishing import publish_package, show_status, withdraw_package
from emwheels.pipeline.testing import test_package
from emwheels.plan.key import explain
from emwheels.plan.planning import BAD_RECIPE
from emwheels.recipe.graph import closure_for_tests, dependency_order, required_recipes
from emwheels.recipe.load import read_recipes, recipe_folders
from emwheels.schedule import (
    JobServer,
    LocalExecutor,
    State,
    Task,
    TaskResult,
    available_cores,
    available_memory,
    run_tasks,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from emwheels.outputs.builds import Output
    from emwheels.pipeline.environment import Environment
    from emwheels.recipe.model import Recipe
    from emwheels.schedule import Executor


def make_run(
    environment: Environment, names: Sequence[str], options: Options | None = None, *, builds: Builds | None = None
) -> Run:
    """Return a run of the recipes that ``names`` pick (all of the project if empty) and what they need.

    ``builds`` is what was built before; without it, what is in the local store. Raises `UsageError` for a name that no
    recipe has, and `RecipeError` for patches of none; what is wrong with recipes is in the run.
    """
    project = environment.project
    read = read_recipes(project.shelves, names=names or None, aim=environment.aim, of_first=True)
    return Run(
        environment=environment,
        recipes=read.sound,
        names=read.names,
        bad=read.bad,
        blocked=read.blocked,
        options=options or Options(),
        builds=builds or Builds(environment.store, say=lambda text: environment.board.say("store", text)),
    )


def run_packages(run: Run, *, executor: Executor[Step, Outcome] | None = None, proving: bool = False) -> list[Outcome]:
    """Build and test the packages of ``run`` and return what came of each, in the order of their needs.

    ``executor`` does the tasks somewhere else, by `do_step`; what it built has to be in the remote store when a task
    ends. Without it, this machine does them.

    Packages that do not need each other are built at the same time. A failure blocks what needs the package, and
    nothing else. A signal ends everything that runs before its exception goes on.

    A compiler that took the place of the pinned one, and is of another minor version, is proven first, unless this is
    what is ``proving`` it.

    Bad recipes and what needs them come last, without anything done.
    """
    order = dependency_order(run.recipes)  # a ring is said before anything is done
    left = _left(run)
    if not order:
        return left
    remove_stale_work(run.environment.project.cache / "work")
    if run.options.test:  # making an image is nothing to be done beside builds
        run.environment.make_images()
    else:
        _ = run.environment.image_digest
    if not proving:
        prove_compiler(run.environment)
    cores = run.options.jobs or available_cores()
    with _shared_cores(run, cores) as shared:
        here: LocalExecutor[Step, Outcome] = LocalExecutor(
            lambda step, given: do_step(shared, step, given),
            jobs=cores,
            memory=available_memory(),
            stopping=shared.stopping,
        )
        ends = _Ends(shared, order)
        try:
            results = run_tasks(
                _tasks(shared, cores),
                executor or here,
                ok=lambda outcome: outcome.error is None,
                fail_fast=shared.options.fail_fast,
                on_end=ends,
            )
            ends.name_all_at_fault(results)
        finally:
            ends.show()
    return [*ends.outcomes.values(), *left]


def _left(run: Run) -> list[Outcome]:
    """Say what is wrong with the bad recipes, and return what came of them and of what needs them."""
    for name, problems in run.bad.items():
        run.environment.board.say(name, f"{BAD_RECIPE}: {problems.message}\n  {problems.hint}")
    bad = [Outcome(name=name, state=BAD_RECIPE, error=problems) for name, problems in run.bad.items()]
    blocked = [Outcome(name=name, state="blocked", why=f"needs {', '.join(of)}") for name, of in run.blocked.items()]
    return bad + blocked


def prove_compiler(environment: Environment) -> list[str]:
    """Build and test what proves a compiler that took the place of the pinned one, if that is still to be proven.

    Returns the names of the packages that proved it. Raises `ImageError` for one that does not: the compiler is not
    used then.
    """
    candidate, names = environment.candidate, environment.asked.image.proof
    if candidate is None or not candidate.to_prove:
        return []
    words = f"Emscripten {candidate.emscripten}"
    if unknown := [name for name in names if name not in recipe_folders(environment.project.shelves)]:
        raise ImageError(f"{words} is not used: {unknown[0]!r}, which is to prove it, is no recipe here", hint=_PROOF)
    if not names:
        raise ImageError(f"{words} is not used: no recipe is named that would prove it", hint=_PROOF)
    environment.board.say("image", f"proving {words} with {', '.join(names)}")
    proof = make_run(environment, names, Options(publish=False))
    for outcome in run_packages(proof, proving=True):
        if outcome.error is not None or outcome.state in {"blocked", "not started"}:
            why = outcome.error.message if outcome.error else outcome.why
            raise ImageError(f"{words} is not used: {outcome.name} does not prove it: {why}", hint=_OTHER_WAYS)
    environment.proven()
    return list(names)


_PROOF = "name recipes of this project in image.build.proof of targets.toml"
_OTHER_WAYS = "name a mirror that has the pinned packages (EMWHEELS_DEBIAN_SNAPSHOT), or load a saved image"


def outputs_of(outcomes: Iterable[Outcome]) -> dict[str, Output]:
    """Return what was built, by name. Raises the first error of a package."""
    outputs = {}
    for outcome in outcomes:
        if outcome.error is not None:
            raise outcome.error
        if outcome.output is not None:
            outputs[outcome.name] = outcome.output
    return outputs


@contextmanager
def _shared_cores(run: Run, cores: int) -> Iterator[Run]:
    folder = run.environment.project.cache / "work" / f"jobserver-{os.getpid()}"
    server = JobServer(folder, cores=cores, inside=JOBSERVER)
    try:
        yield replace(run, jobserver=server)
    finally:
        server.close()


def _tasks(run: Run, cores: int) -> list[Task[Step]]:
    """Return two tasks for each package, to build and to test it, the second if there are tests to run.

    What is compiled against a package does not wait for that package's tests.
    """
    tasks = []
    for name, recipe in run.recipes.items():
        wrong = fault(recipe, run.environment.project)  # is said at once, not after what it needs is compiled
        needs = () if wrong else tuple(Step(Stage.BUILD, need) for need in required_recipes(recipe, run.recipes))
        before = latest(run, name) or {}
        seconds = before.get("output", {}).get("seconds", _UNKNOWN_SECONDS)
        memory = before.get("peak_kib", _UNKNOWN_PEAK_KIB) * 1024 * cores
        tasks.append(Task(identity=Step(Stage.BUILD, name), needs=needs, seconds=seconds, memory=memory))
        if _has_tests(run, recipe):
            closure = tuple(Step(Stage.BUILD, need) for need in closure_for_tests(name, run.recipes))
            tasks.append(
                Task(identity=Step(Stage.TEST, name), needs=closure, seconds=_TEST_SECONDS, memory=_TEST_MEMORY)
            )
    return tasks


def _has_tests(run: Run, recipe: Recipe) -> bool:
    return run.options.test and recipe.is_tested and (not run.options.only or recipe.name in run.options.only)


def do_step(run: Run, step: Step, given: Mapping[Step, Outcome]) -> Outcome:
    """Do one task of a run, given what the tasks before it came out as.

    What goes in and comes out can be sent to another process. A failure is in the outcome; of what is not a user's to
    mend, the exception is raised.
    """
    recipe = run.recipes[step.name]
    outputs = {outcome.name: outcome.output for outcome in given.values() if outcome.output is not None}
    if step.stage is Stage.TEST:
        before = given[Step(Stage.BUILD, step.name)]
        outcome = replace(before, phases=dict(before.phases), engines=dict(before.engines))
    else:
        outcome = Outcome(name=step.name, state="failed")
    try:
        if step.stage is Stage.TEST:
            test_package(run, recipe, outputs, outcome)
        else:
            _build_or_reuse(run, recipe, outputs, outcome)
    except (EmwheelsError, OSError) as error:
        outcome.state, outcome.why = "failed", ""
        outcome.error = of_os_error(error) if isinstance(error, OSError) else error
        if not run.stopping.is_set():
            hint = f"\n  {outcome.error.hint}" if outcome.error.hint else ""
            run.environment.board.say(step.name, f"failed: {outcome.error.message}{hint}")
    return outcome


def _build_or_reuse(run: Run, recipe: Recipe, outputs: Mapping[str, Output], outcome: Outcome) -> None:
    if wrong := fault(recipe, run.environment.project):
        raise RecipeError(f"{recipe.folder / 'meta.yaml'}: {wrong}")
    key = key_of(run, recipe, outputs)
    if recipe.name in run.options.starts:
        from emwheels.pipeline.resuming import start_at  # noqa: PLC0415  as below

        with alone(run, recipe.name, key):
            start_at(run, recipe, key, outputs, outcome)
        return
    known = None if run.options.rebuild else existing(run, key)
    if known is None:
        with alone(run, recipe.name, key):
            # Another run may have built it while this one waited.
            known = None if run.options.rebuild else existing(run, key)
            if known is None:
                from emwheels.pipeline.building import build_package  # noqa: PLC0415  half a second, for who builds

                before = latest(run, recipe.name)
                why = explain(key, before["inputs"] if before else None)
                why = ["asked to build it again"] if run.options.rebuild else why
                run.environment.board.say(recipe.name, f"to build: {'; '.join(why)}")
                outcome.output = build_package(run, recipe, key, outputs, outcome)
                outcome.state = "built"
                return
    outcome.output, where = known
    outcome.state, outcome.why = "reused", _REUSED[where]


class _Ends:
    """Notes what came of each task, and publishes a package whose last task it was.

    A wheel whose tests failed does not stay in the index, where a run without tests may have put it.
    """

    def __init__(self, run: Run, order: Sequence[str]) -> None:
        self._run = run
        self.outcomes = {name: Outcome(name=name, state="not started") for name in order}
        self._to_show: dict[str, Mapping[str, str]] = {}
        """Projects of which the status page has to tell something new, with what came of their tests."""

    def __call__(self, step: Step, result: TaskResult[Step, Outcome]) -> None:
        if result.error is not None:
            raise result.error
        name, run = step.name, self._run
        if result.value is not None:
            self.outcomes[name] = result.value
        elif result.state is State.BLOCKED and step.stage is Stage.BUILD:
            self.outcomes[name] = Outcome(name=name, state="blocked", why=_needs(result))
        outcome = self.outcomes[name]
        last = step.stage is Stage.TEST or not _has_tests(run, run.recipes[name])
        wheel = outcome.output if outcome.output is not None and outcome.output.kind == "wheels" else None
        if wheel is None or not last or not run.options.publish:
            return
        published = result.state is State.DONE and (publish_package(run, wheel) or bool(outcome.phases))
        if published or (isinstance(outcome.error, HarnessError) and withdraw_package(run, wheel)):
            self._to_show[name] = outcome.engines

    def name_all_at_fault(self, results: Mapping[Step, TaskResult[Step, Outcome]]) -> None:
        """Say of each package that is blocked what it needs, that which failed later as well."""
        for step, result in results.items():
            if result.state is State.BLOCKED and step.stage is Stage.BUILD:
                self.outcomes[step.name].why = _needs(result)

    def show(self) -> None:
        """Write the status page anew, if there is something new that it tells of."""
        if self._to_show:
            show_status(self._run, self._to_show)


def _needs(result: TaskResult[Step, Outcome]) -> str:
    return f"needs {', '.join(sorted({cause.name for cause in result.blocked_by}))}"


_REUSED = {"store": "nothing that can change the output has changed", "remote": "from the remote store"}
_UNKNOWN_SECONDS = 60.0
_UNKNOWN_PEAK_KIB = 1 << 20
"""What is assumed of a package that was never built: the memory of one compiler that works hard."""
_TEST_SECONDS = 30.0
_TEST_MEMORY = 1 << 30
