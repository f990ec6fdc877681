"""A package's own suite, run with a function in place of the engines: on what, and what is made of the result."""

from __future__ import annotations

import pytest
from packed import tar_gz
from sample_run import TEST_IMAGE, add_recipe, keep, make_environment
from synthetic_wheels import make_wheel

from emwheels.errors import RecipeError
from emwheels.harness.model import Case, EngineResult, Event
from emwheels.pipeline.model import Options
from emwheels.pipeline.run import make_run
from emwheels.pipeline.upstream_suite import run_suite
from emwheels.upstream import read_suite

SUITE = """\
files: [tests]
paths: [tests/test_a.py]
options: [-x]
reasons:
  - {tests: "*::b", reason: no threads}
"""
CASES = (
    Case(nodeid="t.py::a", outcome="passed", seconds=1.0),
    Case(nodeid="t.py::b", outcome="failed", seconds=1.0, message="E   RuntimeError: can't start new thread"),
    Case(nodeid="t.py::c", outcome="error", seconds=1.0, message="E   assert 1 == 2"),
)


@pytest.fixture
def environment(tmp_path):
    environment = make_environment(tmp_path)
    add_recipe(environment, "tiny", files={"upstream.yaml": SUITE})
    source = {"tiny-1.0/tests/test_a.py": "def test(): pass\n", "tiny-1.0/tests/data.txt": "x", "tiny-1.0/setup.py": ""}
    environment.fetcher.give("pkg:pypi/tiny@1.0", ("tiny-1.0.tar.gz", tar_gz(source)))
    return environment


@pytest.fixture
def suite(environment, monkeypatch, tmp_path):
    """Run the suite of ``tiny``; the engine tells ``events``. ``suite.asked`` is what it was given."""

    def run_in_engines(run, recipe, outputs, *, tests, engines, on_event, **options):
        suite.asked = options | {"engines": engines, "outputs": dict(outputs), "tests": tests}
        suite.files = sorted(path.relative_to(tests).as_posix() for path in tests.rglob("*") if path.is_file())
        for event in suite.events:
            on_event(event)
        return {
            engine: EngineResult(
                engine=engine, cases=CASES, seconds=12.345, boot_seconds=1.0, console=tests / "console.log"
            )
            for engine in engines
        }

    def suite(**options):
        run = make_run(environment, ["tiny"], Options(test=False))
        recipe = run.recipes["tiny"]
        outputs = {"tiny": keep(run, "tiny", **suite.record)}
        return run_suite(
            run,
            recipe,
            read_suite(recipe.folder),
            outputs,
            reports=tmp_path / "reports",
            wheels={"tiny": "c" * 64},
            **options,
        )

    suite.events = ()
    suite.record = {}
    monkeypatch.setattr("emwheels.pipeline.upstream_suite.run_in_engines", run_in_engines)
    return suite


def test_a_result_is_of_the_package_the_target_the_wheels_and_the_image(suite, environment):
    result = suite()
    assert (result.package, result.version, result.target) == ("tiny", "1.0", environment.target.name)
    assert (result.engine, result.seconds, result.wheels, result.image) == (
        "node",
        12.3,
        {"tiny": "c" * 64},
        TEST_IMAGE,
    )
    assert (result.passed, result.failed, result.unexplained) == (1, 2, 1)
    assert [(group.reason, group.tests) for group in result.failures] == [
        ("", ("t.py::c",)),
        ("no threads", ("t.py::b",)),
    ]


def test_the_tests_that_were_taken_out_of_the_wheel_are_installed_over_it(suite, environment, tmp_path):
    suite()
    assert (suite.asked["suite"].requirements, suite.asked["beside"]) == ((), [])
    wheel = make_wheel(tmp_path, "tiny_tests", files={"tiny/tests/test_a.py": ""})
    sha256 = environment.store.put_file("wheels", wheel)
    suite.record = {"tests": {"filename": wheel.name, "sha256": sha256, "size": wheel.stat().st_size}}
    suite()
    assert suite.asked["suite"].requirements == ("tiny-tests==1.0",)
    (served,) = suite.asked["beside"]
    assert (served.name, served.read_bytes()) == (wheel.name, wheel.read_bytes())


def test_the_files_of_the_suite_are_laid_out_and_gone_afterwards(suite, environment):
    suite()
    assert suite.files == ["tests/data.txt", "tests/test_a.py"]
    assert not suite.asked["tests"].exists()
    assert "tiny: upstream tests: 2 files" in environment.board.lines


def test_pytest_is_run_as_the_suite_says_and_reports_are_kept_apart(suite, environment, tmp_path):
    suite(engine="chromium")
    assert suite.asked["engines"] == ["chromium"]
    assert (suite.asked["suite"].paths, suite.asked["suite"].options) == (("tests/test_a.py",), ("-x",))
    assert suite.asked["output"] == tmp_path / "reports" / "tiny" / environment.target.name / "upstream"


def test_progress_is_said_every_thousand_tests(suite, environment):
    case = {"engine": "node", "kind": "case"}
    passed = [Event(nodeid=f"t.py::{number}", outcome="passed", **case) for number in range(1997)]
    failed = [Event(nodeid="n" * 300, outcome=outcome, **case) for outcome in ("failed", "error", "skipped")]
    suite.events = [Event(engine="node", kind="boot"), *failed, *passed, Event(engine="node", kind="end")]
    suite()
    assert environment.board.lines[-3:] == [
        "tiny: upstream tests in node",
        "tiny: 1,000 tests, 2 failed; at t.py::996",
        "tiny: 2,000 tests, 2 failed; at t.py::1996",
    ]


def test_tests_that_have_moved_are_told(suite, environment):
    add_recipe(environment, "tiny", files={"upstream.yaml": "files: [test]\n"})
    with pytest.raises(RecipeError, match="nothing in the source is called 'test'"):
        suite()


def test_requirements_that_are_not_locked_are_told(suite, environment):
    add_recipe(environment, "tiny", files={"upstream.yaml": "files: [tests]\nrequirements: [hypothesis]\n"})
    with pytest.raises(RecipeError, match=r"there is no requirements\.upstream\.txt") as caught:
        suite()
    assert "emwheels lock tiny" in caught.value.hint
