from __future__ import annotations

import pytest
from sample_run import LIBRARY, add_recipe, keep, make_environment, wheel_of

from emwheels.errors import RecipeError
from emwheels.pipeline.model import Options
from emwheels.pipeline.run import make_run
from emwheels.pipeline.survey import plan, survey
from emwheels.pipeline.testing import key_of_tests
from emwheels.plan.planning import BLOCKED, TO_BUILD, UP_TO_DATE


@pytest.fixture
def environment(tmp_path):
    environment = make_environment(tmp_path)
    add_recipe(environment, "zlib", LIBRARY)
    add_recipe(environment, "base", "requirements:\n  host: [zlib]\n")
    add_recipe(environment, "above", "requirements:\n  run: [base]\n")
    return environment


@pytest.fixture
def run(environment):
    return make_run(environment, [], Options(engines=("node", "chromium-page")))


@pytest.fixture
def zlib(run, tmp_path):
    (tmp_path / "archive").write_bytes(b"library")
    return keep(run, "zlib", file=tmp_path / "archive")


def states(run):
    return {outcome.name: outcome.state for outcome in survey(run)}


def test_of_packages_that_were_never_built_nothing_is_there(run):
    assert states(run) == {"zlib": "missing", "base": "missing", "above": "missing"}
    assert [outcome.output for outcome in survey(run)] == [None] * 3


def test_what_is_there_comes_in_the_order_of_needs(run, zlib):
    base = keep(run, "base", {"zlib": zlib})
    assert [(outcome.name, outcome.output) for outcome in survey(run)] == [
        ("zlib", zlib),
        ("base", base),
        ("above", None),
    ]
    assert states(run) == {"zlib": "reused", "base": "reused", "above": "missing"}


def test_a_host_requirement_may_be_spelled_in_another_way(environment, zlib):
    add_recipe(environment, "base", "requirements:\n  host: [ZLib]\n")
    run = make_run(environment, ["base"])
    keep(run, "base", {"zlib": zlib})
    assert states(run) == {"zlib": "reused", "base": "reused"}


def test_a_package_is_missing_with_what_it_is_compiled_against(run, environment, zlib):
    keep(run, "base", {"zlib": zlib})
    environment.store.path_of("libraries", zlib.sha256).unlink()
    assert states(run) == {"zlib": "missing", "base": "missing", "above": "missing"}


def test_a_package_is_there_without_what_it_needs_at_run_time(run):
    keep(run, "above")
    assert states(run)["above"] == "reused"


def test_a_package_of_another_library_is_missing(run, zlib, tmp_path):
    keep(run, "base", {"zlib": zlib})
    (tmp_path / "archive").write_bytes(b"another library")
    keep(run, "zlib", file=tmp_path / "archive")
    assert states(run)["base"] == "missing"


def test_engines_are_those_in_which_the_tests_passed(run, environment, zlib):
    base = keep(run, "base", {"zlib": zlib})
    assert survey(run)[1].engines == {}
    key = key_of_tests(run, run.recipes["base"], [base], "node")
    environment.store.add_record("tests", key, {"summary": "3 passed"})
    assert survey(run)[1].engines == {"node": "3 passed"}
    keep(run, "base", {"zlib": zlib}, file=wheel_of(run, "base", "VALUE = 2\n"))
    assert survey(run)[1].engines == {}


def test_a_survey_fetches_and_changes_nothing(run, environment, zlib):
    before = sorted(environment.store.root.rglob("*"))
    survey(run)
    assert environment.fetcher.asked == []
    assert sorted(environment.store.root.rglob("*")) == before


def test_recipes_that_need_each_other_have_no_survey(environment):
    add_recipe(environment, "zlib", LIBRARY + "requirements:\n  host: [base]\n")
    with pytest.raises(RecipeError, match="need each other: base -> zlib -> base"):
        survey(make_run(environment, []))


def test_a_plan_says_what_a_run_would_do(run, environment, zlib):
    planned = {package.name: package for package in plan(run)}
    assert {name: package.state for name, package in planned.items()} == {
        "zlib": UP_TO_DATE,
        "base": TO_BUILD,
        "above": TO_BUILD,
    }
    assert planned["base"].why == ("never built",)
    assert environment.fetcher.asked == []


def test_a_recipe_with_a_fault_blocks_what_needs_it(environment):
    (environment.project.recipes / "base" / "src").mkdir()
    add_recipe(environment, "base", source="path: src")  # an empty folder
    planned = {package.name: package for package in plan(make_run(environment, []))}
    assert planned["base"].state == planned["above"].state == BLOCKED
    assert planned["base"].why[0].startswith("source.path: ")
    assert planned["above"].why == ("needs base",)


def test_a_lock_that_is_missing_is_said(environment):
    add_recipe(environment, "base", locked=False)
    (environment.project.recipes / "base" / "requirements.build.txt").unlink()
    planned = {package.name: package for package in plan(make_run(environment, []))}
    assert any("needs a lock: there is no requirements.build.txt" in why for why in planned["base"].why)
