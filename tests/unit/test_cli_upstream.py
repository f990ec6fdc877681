"""``emwheels upstream-tests``: which suites are run, on which wheel, and what is noted and said of them."""

from __future__ import annotations

import json

import pytest
from sample_run import add_recipe, keep, make_environment, wheel_of
from small_project import make_command_in

from emwheels.errors import BuildError
from emwheels.outputs.builds import Builds
from emwheels.outputs.named import content
from emwheels.pipeline.model import Options, Outcome
from emwheels.pipeline.run import make_run, run_packages
from emwheels.status.ledger import Ledger, LedgerWheel, write_ledger
from emwheels.upstream import Group, SuiteResult, read_result, write_result

SUITE = {"upstream.yaml": "files: [tests]\n"}
KNOWN = Group(reason="no threads", count=2, tests=("t.py::a", "t.py::b"), message="RuntimeError: no threads")
UNKNOWN = Group(reason="", count=3, tests=("t.py::c", "t.py::d", "t.py::e"), message="assert 1 == 2")


def result(package="tiny", **more):
    given = {"package": package, "version": "1.0", "target": "314.0.7", "engine": "node", "date": "2026-01-02"}
    given |= {"seconds": 12.4, "passed": 1998, "failed": 2, "skipped": 4, "failures": (KNOWN,)}
    return SuiteResult(**given | more)


@pytest.fixture
def environment(tmp_path):
    """Two packages with suites and one without; the wheels of all are in the store."""
    environment = make_environment(tmp_path)
    add_recipe(environment, "above", "requirements:\n  run: [tiny]\n", files=SUITE)
    add_recipe(environment, "plain")
    add_recipe(environment, "tiny", files=SUITE)
    run = make_run(environment, [], Options(test=False))
    for name in run.recipes:
        keep(run, name)
    return environment


@pytest.fixture
def suites(monkeypatch):
    """What comes of the suite of each package; ``suites.asked`` is what was run, on which wheels."""

    class Suites(dict):
        def __init__(self):
            super().__init__()
            self.asked = []

        def __call__(self, run, recipe, suite, outputs, *, reports, also, wheels):
            asked = {"name": recipe.name, "run": run, "outputs": dict(outputs), "reports": reports, "also": also}
            self.asked.append(asked)
            return self.get(recipe.name) or result(recipe.name, wheels=wheels)

    given = Suites()
    monkeypatch.setattr("emwheels.cli.upstream.run_suite", given)
    return given


@pytest.fixture
def command(environment, suites, monkeypatch, capsys):
    return make_command_in(environment, "upstream", monkeypatch, capsys)


def noted(environment, name="tiny"):
    return read_result(environment.project.root / "docs" / "upstream-tests" / f"{name}.json")


def ran(suites):
    return [each["name"] for each in suites.asked]


def test_every_recipe_with_a_suite(command, suites, environment):
    command("upstream-tests")
    assert ran(suites) == ["above", "tiny"]
    assert sorted(path.stem for path in (environment.project.root / "docs" / "upstream-tests").iterdir()) == [
        "above",
        "tiny",
    ]


def test_a_result_is_noted_with_the_wheels_that_it_is_of(command, environment):
    command("upstream-tests", "above")
    run = make_run(environment, [])
    assert noted(environment, "above").wheels == {
        name: content(keep(run, name), environment.store) for name in ("tiny", "above")
    }


def test_a_result_of_another_target_is_said_and_not_noted(command, suites, documents):
    before = {path: path.read_bytes() for path in documents.rglob("*.json")}
    assert "1,998 passed" in command("upstream-tests", "tiny", "--due", "--target", "315.0.0-alpha.2").err
    assert ran(suites) == ["tiny"]
    assert {path: path.read_bytes() for path in documents.rglob("*.json")} == before


def test_what_came_of_a_suite_is_said(command, suites):
    suites["tiny"] = result(failures=(UNKNOWN, KNOWN), failed=5, passed=19995)
    said = command("upstream-tests", "tiny", status=8)
    assert said.err.splitlines() == [
        "tiny: 20,000 ran, 19,995 passed (99.97 %), 5 failed, 4 skipped in 12 s",
        "      3 no reason known: t.py::c: assert 1 == 2",
        "        t.py::d",
        "        t.py::e",
        "      2 no threads: t.py::a: RuntimeError: no threads",
    ]
    assert said.out == ""


def test_failures_that_all_have_a_reason_are_no_failure(command, suites):
    suites["tiny"] = result(failures=(KNOWN,))
    command("upstream-tests", "tiny")


def test_what_failed_without_a_reason_is_noted_and_the_rest_runs(command, suites, environment):
    suites["above"] = result("above", failures=(UNKNOWN,), failed=3)
    command("upstream-tests", status=8)
    assert ran(suites) == ["above", "tiny"]
    assert noted(environment, "above").unexplained == 3


def test_json(command, suites):
    rows = command("upstream-tests", "--json").json()
    assert [(row["package"], row["passed"], row["failures"][0]["reason"]) for row in rows] == [
        ("above", 1998, "no threads"),
        ("tiny", 1998, "no threads"),
    ]


def test_the_limit_for_a_test_and_the_place_of_the_reports(command, suites, environment):
    command("upstream-tests", "tiny", "--test-seconds", "7")
    (asked,) = suites.asked
    assert asked["run"].options.test_seconds == 7
    assert not asked["run"].options.test, "the recipe's own tests are not run"
    assert asked["reports"] == environment.project.dist / "reports"


def test_only_those_whose_result_is_of_other_wheels(command, suites, environment):
    command("upstream-tests")
    suites.asked.clear()
    command("upstream-tests", "--due")
    assert ran(suites) == []
    assert environment.board.lines[-1] == "tiny: upstream tests: the noted result is of the present wheels"
    run = make_run(environment, [])
    keep(run, "above", file=wheel_of(run, "above", "VALUE = 2\n"))
    command("upstream-tests", "--due")
    assert ran(suites) == ["above"], "tiny does not need it"


def test_all_are_due_where_nothing_is_noted(command, suites):
    command("upstream-tests", "--due", "tiny")
    assert ran(suites) == ["tiny"]


def test_recipes_that_the_tests_need_are_in_the_run(command, suites, environment):
    add_recipe(environment, "tiny", files={"upstream.yaml": "files: [tests]\nrequirements: [Plain>=1, pytest-mock]\n"})
    command("upstream-tests", "tiny")
    (asked,) = suites.asked
    assert asked["also"] == ["plain"]
    assert sorted(asked["outputs"]) == ["plain", "tiny"]
    assert sorted(noted(environment).wheels) == ["plain", "tiny"]


def test_a_recipe_that_there_is_not(command, suites):
    said = command("upstream-tests", "tiny", "tyni", status=2).err
    assert said.startswith("emwheels: there is no recipe tyni\n")
    assert ran(suites) == []


def test_a_recipe_without_a_suite(command, suites):
    said = command("upstream-tests", "plain", "tiny", status=2)
    assert said.err == "emwheels: plain: no upstream.yaml\n  docs/adding-a-recipe.md says what to write into it\n"
    assert ran(suites) == []


def test_a_suite_that_is_wrong_is_told_by_its_file(command, environment):
    path = environment.project.recipes / "tiny" / "upstream.yaml"
    path.write_text("files: [../secret]\n")
    assert f"{path}: '../secret' leads out of the source" in command("upstream-tests", "tiny", status=3).err


def test_a_package_that_does_not_build_has_no_result(command, suites, environment, monkeypatch):
    failed = Outcome(name="tiny", state="failed", error=BuildError("tiny did not build", hint="see the log"))
    monkeypatch.setattr("emwheels.cli.upstream.run_packages", lambda run: [failed])
    assert command("upstream-tests", "tiny", status=6).err == "emwheels: tiny did not build\n  see the log\n"
    assert environment.board.lines[-1] == "tiny: upstream tests: not run: tiny did not build"
    assert not (environment.project.root / "docs").exists()


def test_the_suites_of_others_run(command, suites, environment, monkeypatch):
    """The first one does not build."""

    def run(given):
        if "other" in given.recipes:
            return [Outcome(name="other", state="failed", error=BuildError("other did not build"))]
        return run_packages(given)

    add_recipe(environment, "other", files={"upstream.yaml": "files: [tests]\n"})
    monkeypatch.setattr("emwheels.cli.upstream.run_packages", run)
    said = command("upstream-tests", "other", "tiny", status=6)
    assert "other did not build" in said.err
    assert [path.stem for path in (environment.project.root / "docs" / "upstream-tests").iterdir()] == ["tiny"]


# Wheels that are built for the tests.


@pytest.fixture
def flags(environment, command, monkeypatch):
    """A suite that needs compiled parts that users do not get. Returns what says how its wheel comes out."""
    add_recipe(environment, "tiny", files={"upstream.yaml": "files: [tests]\nbackend-flags: tests=true\n"})
    usual = environment.with_project

    def with_project(project):
        own = usual(project)
        for name in ("image_digest", "toolchain", "fetcher", "release"):
            vars(own)[name] = vars(environment)[name]
        return own

    monkeypatch.setattr(environment, "with_project", with_project)
    shipped = {"tiny.py": "VALUE = 1\n"}

    def comes_out(**members):
        def build(run):
            found = []
            for name, recipe in run.recipes.items():
                files = shipped | members if "tests=true" in recipe.build.backend_flags else shipped
                wheel = wheel_of(run, name, repr(files), files=files)
                found.append(Outcome(name=name, state="built", output=keep(run, name, file=wheel, latest=False)))
            return found

        monkeypatch.setattr("emwheels.cli.upstream.run_packages", build)

    return comes_out


def test_a_suite_with_flags_runs_on_a_wheel_of_its_own(command, suites, flags, environment):
    flags(**{"_tests.so": "compiled"})
    command("upstream-tests", "tiny")
    (asked,) = suites.asked
    run = asked["run"]
    assert run.options.aside == ("tiny",), "it is not noted as the latest build"
    assert run.recipes["tiny"].build.backend_flags == "tests=true"
    assert run.environment.project.root != environment.project.root
    assert run.environment.project.cache == environment.project.cache
    assert not run.environment.project.root.exists(), "the copy of the project is gone"
    assert asked["reports"] == environment.project.dist / "reports", "the reports are the project's"
    assert environment.store.get("wheels", asked["outputs"]["tiny"].sha256)


def test_the_result_counts_for_the_wheel_that_users_get(command, suites, flags, environment):
    flags(**{"_tests.so": "compiled"})
    command("upstream-tests", "tiny")
    run = make_run(environment, ["tiny"])
    wheel = wheel_of(run, "tiny", "shipped", files={"tiny.py": "VALUE = 1\n"})
    assert noted(environment).wheels == {"tiny": content(keep(run, "tiny", file=wheel), environment.store)}
    assert not any("warning" in line for line in environment.board.lines)


def test_the_result_does_not_count_where_the_wheel_has_other_bytes(command, suites, flags, environment):
    flags(**{"tiny.py": "VALUE = 3\n"})
    command("upstream-tests", "tiny")
    (warning,) = [line for line in environment.board.lines if "warning" in line]
    assert "differs from the one that users get in 1 files (tiny.py)" in warning
    (asked,) = suites.asked
    assert noted(environment).wheels == {"tiny": content(asked["outputs"]["tiny"], environment.store)}


# What is noted.


@pytest.fixture
def documents(environment):
    docs = environment.project.root / "docs"
    docs.mkdir()
    wheel = {"version": "1.0", "kind": "wheels", "filename": "f", "sha256": "0" * 64, "bytes": 1, "seconds": 1.0}
    wheels = {name: LedgerWheel(name=name, content=name[0] * 64, inputs="", **wheel) for name in ("tiny", "above")}
    write_ledger(Ledger(target="314.0.7", profile="speed", date="2026-01-01", wheels=wheels), docs / "wheels.json")
    for each in (
        result("tiny", wheels={"tiny": "t" * 64}),
        result("above", wheels={"above": "a" * 64, "tiny": "x" * 64}),
        result("old", failed=0, failures=()),
    ):
        write_result(each, docs / "upstream-tests" / f"{each.package}.json")
    return docs


def test_what_is_noted_is_listed_against_the_present_wheels(command, documents, suites):
    assert command("upstream-tests", "--list").lines() == [
        "above 1,998 of 2,000 2026-01-02 STALE, of another wheel",
        "old 1,998 of 1,998 2026-01-02 STALE, of another wheel",
        "tiny 1,998 of 2,000 2026-01-02 of the present wheel",
    ]
    assert ran(suites) == []


def test_of_those_named_in_json(command, documents):
    (row,) = command("upstream-tests", "--list", "tiny", "--json").json()
    assert (row["package"], row["stale"], row["wheels"]) == ("tiny", False, {"tiny": "t" * 64})
    assert command("upstream-tests", "--list", "plain", "--json").json() == []


def test_nothing_is_noted(command):
    assert command("upstream-tests", "--list").out == ""


@pytest.mark.parametrize("text", ["", "[]", "{}", json.dumps({"failures": [], "left_out": [], "surplus": 1})])
def test_a_noted_file_that_is_no_result(command, documents, text):
    path = documents / "upstream-tests" / "tiny.json"
    path.write_text(text)
    said = command("upstream-tests", "--list", status=1)
    assert f"{path}: not the result of a suite" in said.err
    assert "make it again" in said.err


def test_the_builds_are_those_of_the_local_store(command, suites, environment):
    command("upstream-tests", "tiny")
    assert isinstance(suites.asked[0]["run"].builds, Builds)
    assert suites.asked[0]["run"].builds._remote is None
