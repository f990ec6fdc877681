from __future__ import annotations

import pickle
from dataclasses import FrozenInstanceError

import pytest
from sample_run import add_recipe, make_environment

from emwheels.errors import UsageError
from emwheels.harness.engines import ENGINES
from emwheels.pipeline.model import Options, Outcome, Stage, Step
from emwheels.pipeline.run import make_run


def test_a_recipe_is_found_in_any_spelling_of_its_name(tmp_path):
    environment = make_environment(tmp_path)
    add_recipe(environment, "Tiny.Package")
    run = make_run(environment, ["tiny-package"])
    for name in ("Tiny.Package", "tiny_package", "TINY-package"):
        assert run.recipe(name) is run.recipes["tiny-package"]
    with pytest.raises(UsageError, match=r"there is no recipe tiny-packag; did you mean tiny-package\?"):
        run.recipe("tiny-packag")


def test_a_run_is_not_changed_and_two_runs_are_not_stopped_together(tmp_path):
    environment = make_environment(tmp_path)
    add_recipe(environment, "tiny")
    one, other = make_run(environment, []), make_run(environment, [])
    one.stopping.set()
    assert not other.stopping.is_set()
    with pytest.raises(FrozenInstanceError):
        one.options = Options()


def test_by_default_everything_is_tested_in_every_engine():
    options = Options()
    assert options.engines == tuple(ENGINES)
    assert (options.profile, options.test, options.rebuild, options.retest) == ("speed", True, False, False)


def test_a_step_says_what_it_does():
    assert str(Step(Stage.BUILD, "numpy")) == "build numpy"
    assert str(Step(Stage.TEST, "numpy")) == "test numpy"


def test_of_two_steps_builds_come_first():
    steps = [Step(Stage.TEST, "a"), Step(Stage.BUILD, "b"), Step(Stage.BUILD, "a")]
    assert list(map(str, sorted(steps))) == ["build a", "build b", "test a"]


def test_what_goes_to_another_process_arrives_as_it_was():
    step, outcome = Step(Stage.TEST, "tiny"), Outcome(name="tiny", state="built", phases={"test": 1.5})
    assert pickle.loads(pickle.dumps((step, outcome, Options(jobs=3)))) == (step, outcome, Options(jobs=3))


def test_outcomes_do_not_share_what_is_noted_in_them():
    one, other = Outcome(name="a", state="failed"), Outcome(name="b", state="failed")
    one.phases["compile"], one.engines["node"] = 1.0, "1 passed"
    assert (other.phases, other.engines) == ({}, {})
