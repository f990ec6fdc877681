"""A whole run, with two functions in place of the stages that take long: who is at it when, and what comes of it."""

from __future__ import annotations

import errno
import os
import threading
from concurrent.futures import Future
from dataclasses import replace

import pytest
from index_reader import problems
from sample_run import LIBRARY, add_recipe, keep, make_environment

from emwheels.errors import BuildError, EmwheelsError, HarnessError, ImageError, RecipeError, StoppedError, UsageError
from emwheels.index.places.folder import Folder
from emwheels.outputs.builds import Builds
from emwheels.outputs.remote.folder import LocalFolder
from emwheels.pipeline.environment import Environment
from emwheels.pipeline.known import existing, key_of
from emwheels.pipeline.model import Options, Outcome, Stage, Step
from emwheels.pipeline.run import do_step, make_run, outputs_of, run_packages

TEST = {"test_it.py": "def test_it(): pass\n"}


class Stages:
    """Stands for the stages that build and test; ``errors`` is what fails: ``build tiny`` -> an exception.

    ``done`` are the steps that were done, ``shown`` what the status page was written of.
    """

    def __init__(self):
        self.done, self.errors, self.shown = [], {}, []
        self.jobservers = []
        self.given = {}

    def build(self, run, recipe, key, outputs, to):
        self.jobservers.append(run.jobserver)
        self._do(f"build {recipe.name}", outputs)
        to.phases["compile"] = 1.0
        return keep(run, recipe.name, outputs, file=recipe.folder / "meta.yaml" if recipe.build.script else None)

    def test(self, run, recipe, outputs, to):
        to.phases["test"] = 1.0
        to.engines["node"] = "1 failed" if f"test {recipe.name}" in self.errors else "1 passed"
        self._do(f"test {recipe.name}", outputs)

    def _do(self, step, outputs):
        self.done.append(step)
        self.given[step] = sorted(outputs)
        if step in self.errors:
            raise self.errors[step]


@pytest.fixture
def stages(monkeypatch):
    made = Stages()
    monkeypatch.setattr("emwheels.pipeline.building.build_package", made.build)
    monkeypatch.setattr("emwheels.pipeline.run.test_package", made.test)
    monkeypatch.setattr("emwheels.pipeline.run.available_memory", lambda: 0)  # no limit, however full the machine is
    monkeypatch.setattr("emwheels.pipeline.run.show_status", lambda _run, tested: made.shown.append(dict(tested)))
    return made


@pytest.fixture
def environment(tmp_path):
    """A library, what is compiled against it, what that needs to run, and one that has to do with none of them."""
    environment = make_environment(tmp_path)
    add_recipe(environment, "zlib", LIBRARY)
    add_recipe(environment, "base", "requirements:\n  host: [zlib]\n", files=TEST)
    add_recipe(environment, "above", "requirements:\n  run: [base]\n", files=TEST)
    add_recipe(environment, "lone")
    return environment


@pytest.fixture
def run_all(environment, stages):
    """Run everything, one task at a time unless there are more jobs, and return the outcomes by name."""

    def run_all(names=(), *, builds=None, **options):
        run = make_run(environment, names, Options(**{"jobs": 1, **options}), builds=builds)
        return {outcome.name: outcome for outcome in run_packages(run)}

    return run_all


def states(outcomes):
    return {name: outcome.state for name, outcome in outcomes.items()}


def published(environment):
    return sorted(path.name.split("-")[0] for path in (environment.project.dist / "wheels").glob("*.whl"))


def test_everything_is_built_tested_and_published(run_all, stages, environment):
    outcomes = run_all()
    assert states(outcomes) == dict.fromkeys(("lone", "zlib", "base", "above"), "built")
    built = [f"build {name}" for name in ("above", "base", "lone", "zlib")]
    assert sorted(stages.done) == [*built, "test above", "test base", "test lone"]
    assert outcomes["base"].engines == {"node": "1 passed"}
    assert outcomes["base"].phases == {"compile": 1.0, "test": 1.0}
    assert published(environment) == ["above", "base", "lone"]
    assert stages.shown == [{name: {"node": "1 passed"} for name in ("lone", "base", "above")}]


def test_outcomes_come_in_the_order_of_needs(run_all):
    names = list(run_all(jobs=4))
    assert names.index("zlib") < names.index("base") < names.index("above")


def test_a_step_gets_what_it_needs(run_all, stages):
    run_all()
    assert stages.given["build base"] == ["zlib"]
    assert stages.given["build above"] == ["base"]
    assert stages.given["test above"] == ["above", "base"]


def test_what_is_there_is_reused(run_all, stages, environment):
    run_all(test=False)
    stages.done.clear()
    outcomes = run_all(test=False)
    assert states(outcomes) == dict.fromkeys(("lone", "zlib", "base", "above"), "reused")
    assert outcomes["base"].why == "nothing that can change the output has changed"
    assert stages.done == []


def test_the_status_page_is_written_only_if_there_is_something_new(run_all, stages):
    run_all(test=False)
    run_all(test=False)
    assert [sorted(shown) for shown in stages.shown] == [["above", "base", "lone"]]
    run_all()
    assert [sorted(shown) for shown in stages.shown[1:]] == [["above", "base", "lone"]], "those that were tested now"


def test_why_something_is_built_is_said(run_all, environment):
    run_all(["zlib"])
    assert "zlib: to build: never built" in environment.board.lines
    run_all(["zlib"], rebuild=True)
    assert "zlib: to build: asked to build it again" in environment.board.lines
    add_recipe(environment, "zlib", LIBRARY, version="2.0")
    run_all(["zlib"])
    assert any("to build: " in line and "version 1.0 -> 2.0" in line for line in environment.board.lines)


def test_asked_to_build_again_everything_is_built(run_all):
    run_all(test=False)
    assert set(states(run_all(test=False, rebuild=True)).values()) == {"built"}


def test_what_another_machine_built_comes_from_the_remote_store(run_all, stages, environment, tmp_path):
    remote = LocalFolder(tmp_path / "remote")
    run_all(["base"], test=False, builds=Builds(environment.store, remote, push=True))
    elsewhere = make_environment(tmp_path / "elsewhere")
    project = replace(elsewhere.project, root=environment.project.root)
    there = elsewhere.with_project(project)
    for name in ("image_digest", "toolchain", "release"):
        setattr(there, name, getattr(environment, name))
    stages.done.clear()
    run = make_run(there, ["base"], Options(jobs=1, test=False), builds=Builds(there.store, remote))
    outcomes = {outcome.name: outcome for outcome in run_packages(run)}
    assert {name: (outcome.state, outcome.why) for name, outcome in outcomes.items()} == dict.fromkeys(
        ("zlib", "base"), ("reused", "from the remote store")
    )
    assert stages.done == []


def test_a_failure_blocks_what_needs_it_and_nothing_else(run_all, stages, environment):
    stages.errors["build zlib"] = BuildError("it does not compile", hint="see the log")
    outcomes = run_all()
    assert states(outcomes) == {"zlib": "failed", "base": "blocked", "above": "blocked", "lone": "built"}
    assert outcomes["zlib"].error is stages.errors["build zlib"]
    assert (outcomes["base"].why, outcomes["above"].why) == ("needs zlib", "needs zlib")
    assert "zlib: failed: it does not compile\n  see the log" in environment.board.lines
    assert published(environment) == ["lone"]
    assert [step for step in stages.done if step.startswith("test")] == ["test lone"]


def test_only_the_tests_of_what_was_chosen_are_run(run_all, stages, environment):
    run_all(only=("above",), arguments=("-k", "word"), publish=False)
    assert [step for step in stages.done if step.startswith("test")] == ["test above"]
    assert published(environment) == []
    assert stages.shown == []


def test_outputs_are_those_of_a_run_without_errors(run_all, stages):
    outcomes = run_all()
    assert outputs_of(outcomes.values()) == {name: outcome.output for name, outcome in outcomes.items()}
    stages.errors["test base"] = HarnessError("tests failed")
    with pytest.raises(HarnessError, match="tests failed"):
        outputs_of(run_all(retest=True).values())


def test_all_that_failed_is_named_where_it_blocks(run_all, stages, environment):
    add_recipe(environment, "png", LIBRARY)
    add_recipe(environment, "viewer", "requirements:\n  host: [zlib, png]\n")
    stages.errors |= {f"build {name}": BuildError("it does not compile") for name in ("zlib", "png")}
    assert run_all(["viewer"])["viewer"].why == "needs png, zlib"


def test_after_a_failure_nothing_more_is_started_if_asked_so(run_all, stages):
    stages.errors["build zlib"] = BuildError("it does not compile")
    assert states(run_all(fail_fast=True)) == {
        "zlib": "failed",
        "base": "blocked",
        "above": "blocked",
        "lone": "not started",
    }
    assert stages.done == ["build zlib"]


def test_a_package_that_fails_its_tests_is_not_published_and_what_needs_it_goes_on(run_all, stages, environment):
    stages.errors["test base"] = HarnessError("tests of base failed")
    outcomes = run_all()
    assert states(outcomes) == {"lone": "built", "zlib": "built", "base": "failed", "above": "built"}
    assert outcomes["base"].engines == {"node": "1 failed"}
    assert outcomes["base"].output is not None
    assert published(environment) == ["above", "lone"]
    assert "base" not in stages.shown[0]


def test_a_wheel_that_fails_its_tests_does_not_stay_published(run_all, stages, environment):
    run_all(test=False)
    assert published(environment) == ["above", "base", "lone"]
    stages.shown.clear()
    stages.errors["test base"] = HarnessError("tests of base failed")
    outcomes = run_all()
    assert (outcomes["base"].state, outcomes["base"].why) == ("failed", "")
    assert published(environment) == ["above", "lone"]
    assert problems(Folder(environment.project.dist).read) == []
    assert stages.shown[0]["base"] == {"node": "1 failed"}
    filename = outcomes["base"].output.filename
    assert f"base: {filename} is no longer in the index: its tests failed" in environment.board.lines


def test_a_wheel_stays_published_if_its_tests_could_not_begin(run_all, stages, environment):
    run_all(test=False)
    stages.errors["test base"] = ImageError("there is no engine")
    assert run_all()["base"].state == "failed"
    assert published(environment) == ["above", "base", "lone"]


def test_without_tests_nothing_is_tested_and_all_is_published(run_all, stages, environment):
    run_all(test=False)
    assert not any(step.startswith("test") for step in stages.done)
    assert published(environment) == ["above", "base", "lone"]


def test_a_failure_of_the_system_is_a_message(run_all, stages, environment):
    stages.errors["build zlib"] = OSError(errno.ENOSPC, "No space left on device", "objects/a.o")
    error = run_all()["zlib"].error
    assert isinstance(error, EmwheelsError)
    assert error.message == "No space left on device: objects/a.o"
    assert "zlib: failed: No space left on device: objects/a.o\n  free some space" in "\n".join(environment.board.lines)


def test_what_nobody_can_mend_is_raised_and_what_was_published_is_shown(run_all, stages):
    stages.errors["test base"] = ZeroDivisionError("a mistake in this program")
    with pytest.raises(ZeroDivisionError, match="a mistake"):
        run_all()
    (shown,) = stages.shown
    assert "above" in shown, "its tests are done before"
    assert "base" not in shown


@pytest.fixture
def without_image(monkeypatch):
    def ask(_environment):
        raise ImageError("there is no image")

    monkeypatch.setattr(Environment, "image_digest", property(ask))


def test_recipes_that_need_each_other_are_told_before_the_image_is_made(without_image, environment, stages):
    add_recipe(environment, "zlib", LIBRARY + "requirements:\n  host: [base]\n")
    with pytest.raises(RecipeError, match="these recipes need each other: base -> zlib -> base"):
        run_packages(make_run(environment, []))
    assert stages.done == []


def test_without_an_image_no_package_is_begun(without_image, environment, stages):
    with pytest.raises(ImageError, match="there is no image"):
        run_packages(make_run(environment, []))
    assert (stages.done, environment.board.lines) == ([], [])


def test_builds_share_the_cores_of_the_run(run_all, stages, environment):
    run_all(jobs=3)
    (server,) = set(stages.jobservers)
    assert server.cores == 3
    assert not server.folder.exists()
    assert list((environment.project.cache / "work").iterdir()) == []


def test_what_a_killed_run_left_is_removed(run_all, environment):
    left = environment.project.cache / "work" / "tiny-999999999"
    left.mkdir(parents=True)
    run_all(["zlib"])
    assert not left.exists()


def test_a_killed_run_that_had_the_number_of_this_process_is_in_no_way(run_all, environment):
    left = environment.project.cache / "work" / f"jobserver-{os.getpid()}"
    left.mkdir(parents=True)
    os.mkfifo(left / "jobs")
    assert states(run_all(["lone"])) == {"lone": "built"}


def test_packages_that_do_not_need_each_other_are_built_at_the_same_time(run_all, stages, monkeypatch):
    both = threading.Barrier(2, timeout=60)

    def build(run, recipe, key, outputs, to):
        if recipe.name in ("zlib", "lone"):
            both.wait()  # for the other one
        return stages.build(run, recipe, key, outputs, to)

    monkeypatch.setattr("emwheels.pipeline.building.build_package", build)
    assert set(states(run_all(jobs=2, test=False)).values()) == {"built"}


class Elsewhere:
    """An executor that does each task at once, in this thread, and notes which."""

    jobs, memory = 1, 0

    def __init__(self, run):
        self.run, self.steps, self.stopped = run, [], False

    def submit(self, task, given):
        self.steps.append(str(task.identity))
        future = Future()
        future.set_result(do_step(self.run, task.identity, given))
        return future

    def stop(self):
        self.stopped = True


def test_an_executor_that_is_handed_in_does_the_tasks(environment, stages):
    run = make_run(environment, ["base"])
    executor = Elsewhere(run)
    outcomes = run_packages(run, executor=executor)
    assert executor.steps == stages.done == ["build zlib", "build base", "test base"]
    assert [outcome.state for outcome in outcomes] == ["built", "built"]
    assert published(environment) == ["base"]
    assert not executor.stopped


# One task.


def outcome_of(run, name, **more):
    return Outcome(name=name, state="built", output=keep(run, name, **more))


def test_a_step_that_tests_leaves_the_outcome_of_the_build_as_it_was(environment, stages):
    run = make_run(environment, ["above"])
    built = replace(outcome_of(run, "above"), phases={"compile": 2.0})
    tested = do_step(run, Step(Stage.TEST, "above"), {Step(Stage.BUILD, "above"): built})
    assert (tested.state, tested.phases, tested.engines) == (
        "built",
        {"compile": 2.0, "test": 1.0},
        {"node": "1 passed"},
    )
    assert (built.phases, built.engines) == ({"compile": 2.0}, {})


def test_a_step_that_fails_returns_its_error(environment, stages):
    stages.errors["build zlib"] = BuildError("it does not compile")
    outcome = do_step(make_run(environment, ["zlib"]), Step(Stage.BUILD, "zlib"), {})
    assert (outcome.state, outcome.output) == ("failed", None)
    assert outcome.error is stages.errors["build zlib"]


def test_of_a_step_that_was_stopped_nothing_is_said(environment, stages):
    run = make_run(environment, ["zlib"])
    run.stopping.set()
    outcome = do_step(run, Step(Stage.BUILD, "zlib"), {})
    assert isinstance(outcome.error, StoppedError)
    assert (environment.board.lines, stages.done) == ([], [])


def test_what_another_run_built_in_the_meantime_is_reused(environment, stages, monkeypatch):
    run = make_run(environment, ["zlib"])
    asked = []

    def late(run, key):
        asked.append(key)
        if len(asked) == 2:  # the lock is held now
            keep(run, "zlib", file=run.recipes["zlib"].folder / "meta.yaml")
        return existing(run, key)

    monkeypatch.setattr("emwheels.pipeline.run.existing", late)
    outcome = do_step(run, Step(Stage.BUILD, "zlib"), {})
    assert (outcome.state, stages.done, len(asked)) == ("reused", [], 2)
    assert outcome.output.key == key_of(run, run.recipes["zlib"], {}).digest


# What a run is of.


def test_a_run_has_what_its_packages_need(environment):
    assert list(make_run(environment, ["above"]).recipes) == ["above", "base", "zlib"]
    assert list(make_run(environment, []).recipes) == ["above", "base", "lone", "zlib"]
    assert make_run(environment, ["lone"]).options == Options()


def test_a_name_that_no_recipe_has_is_refused(environment):
    with pytest.raises(UsageError, match="there is no recipe"):
        make_run(environment, ["bas"])


def test_a_recipe_that_is_wrong_is_told_by_its_file(environment):
    folder = add_recipe(environment, "lone", "bild: {}\n")
    run = make_run(environment, [])
    assert f"{folder / 'meta.yaml'}:7: bild: unknown key" in run.bad["lone"].message
    assert list(run.recipes) == ["above", "base", "zlib"]


def test_a_bad_recipe_costs_what_needs_it_and_nothing_is_done_for_it(environment):
    add_recipe(environment, "zlib", "bild: {}\n")
    outcomes = run_packages(make_run(environment, ["above", "base"]))
    assert [(each.name, each.state, each.why) for each in outcomes] == [
        ("zlib", "bad recipe", ""),
        ("above", "blocked", "needs zlib"),
        ("base", "blocked", "needs zlib"),
    ]
    assert isinstance(outcomes[0].error, RecipeError)
    assert any("bild: unknown key" in line for line in environment.board.lines)


def test_builds_of_the_local_store_are_those_of_the_run(environment):
    run = make_run(environment, ["lone"])
    output = keep(run, "lone")
    assert run.builds.get(output.key)[1] == "store"
    environment.store.path_of("wheels", output.sha256).unlink()
    assert run.builds.get(output.key) is None
    assert environment.board.lines[-1].startswith("store: ")
