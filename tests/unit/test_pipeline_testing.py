from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from packed import tar_gz
from sample_run import LIBRARY, add_recipe, keep, make_environment, wheel_of
from synthetic_wheels import make_wheel

from emwheels.errors import HarnessError, RecipeError, StoppedError
from emwheels.harness.engines import ENGINES
from emwheels.harness.model import Case, EngineResult, Event
from emwheels.pipeline import testing
from emwheels.pipeline.model import Options, Outcome
from emwheels.pipeline.run import make_run
from emwheels.wheel import REPORT

TEST = {"test_tiny.py": "def test_it():\n    import tiny\n"}
SMOKE = """\
files: [tests]
smoke: [tests/test_core.py]
reasons:
  - tests: "*::test_threads"
    reason: there are no threads
"""


class Harness:
    """Stands for `emwheels.harness.run_tests`; ``calls`` are what it was given, ``cases`` what comes of them.

    A test is a name and how it ended: ``test_a failed``; ``smoke`` are those of a suite.
    """

    def __init__(self):
        self.calls = []
        self.cases = dict.fromkeys(ENGINES, ("test_it passed",))
        self.smoke = dict.fromkeys(ENGINES, ("tests/test_core.py::test_smoke passed",))
        self.message = "def test():\n>   assert 1 == 2\nE   assert 1 == 2\n"

    def __call__(self, *, engines, suite, on_event, **given):
        self.calls.append({"engines": list(engines), "suite": suite, **given})
        cases = self.smoke if suite.paths else self.cases
        found = {}
        for engine in engines:
            on_event(Event(engine=engine, kind="boot"))
            on_event(Event(engine=engine, kind="case", nodeid="test_it", outcome="passed"))
            made = [text.split() for text in cases[engine]]
            found[engine] = EngineResult(
                engine=engine,
                cases=tuple(Case(nodeid=name, outcome=how, seconds=0.1, message=self.message) for name, how in made),
                seconds=1.5,
                boot_seconds=1.0,
                console=given["output"] / f"{engine}.log",
            )
        return found

    @property
    def engines(self):
        return [call["engines"] for call in self.calls]


@pytest.fixture
def harness(monkeypatch):
    made = Harness()
    monkeypatch.setattr("emwheels.pipeline.testing.run_tests", made)
    return made


@pytest.fixture
def environment(tmp_path):
    environment = make_environment(tmp_path)
    add_recipe(environment, "zlib", LIBRARY)
    add_recipe(environment, "base")
    add_recipe(environment, "tiny", "requirements:\n  host: [zlib]\n  run: [Base]\n", files=TEST)
    return environment


@pytest.fixture
def run(environment):
    return make_run(environment, [], Options(engines=("node", "chromium-page")))


@pytest.fixture
def outputs(run):
    found = {"zlib": keep(run, "zlib", file=run.recipes["zlib"].folder / "meta.yaml"), "base": keep(run, "base")}
    return found | {"tiny": keep(run, "tiny", found)}


@pytest.fixture
def tests(harness, run, outputs):
    """Run the tests of tiny and return what was noted."""

    def tests(outputs=outputs, run=run, **options):
        outcome = Outcome(name="tiny", state="built", output=outputs["tiny"])
        given = replace(run, options=replace(run.options, **options))
        testing.test_package(given, given.recipes["tiny"], outputs, outcome)
        return outcome

    return tests


def rebuilt(run, outputs, name):
    """Return the outputs with another wheel of ``name``."""
    return outputs | {name: keep(run, name, outputs, file=wheel_of(run, name, "VALUE = 2\n"))}


def test_tests_run_in_each_engine(tests, harness, environment):
    outcome = tests()
    assert outcome.engines == {"node": "1 passed", "chromium-page": "1 passed"}
    assert list(outcome.phases) == ["test"]
    assert harness.engines == [["node", "chromium-page"]]
    assert environment.board.lines == [
        "tiny: test",
        "tiny: tests in node",
        "tiny: tests in chromium-page",
        "tiny: node: 1 passed in 1.5 s",
        "tiny: chromium-page: 1 passed in 1.5 s",
    ]


def test_the_harness_gets_what_was_built_and_what_it_needs_to_run(tests, harness, environment, outputs, run):
    tests(test_seconds=7)
    (call,) = harness.calls
    assert [path.name for path in call["wheels"]] == ["tiny-1.0-py3-none-any.whl", "base-1.0-py3-none-any.whl"]
    assert call["requirements"] == ["tiny==1.0"]
    assert call["content"] == outputs["tiny"].content
    assert call["tests"] == run.recipes["tiny"].folder
    assert call["output"] == environment.project.dist / "reports" / "tiny" / "314.0.7"
    assert call["harness_wheels"] == list(environment.harness_wheels)
    assert (call["test_seconds"], call["image"], call["runtime"]) == (7, environment.test_image, environment.runtime)


def test_reports_of_another_profile_lie_elsewhere(tests, harness, environment):
    tests(profile="size")
    assert harness.calls[0]["output"] == environment.project.dist / "size" / "reports" / "tiny" / "314.0.7"


def test_what_passed_is_not_run_again(tests, harness, environment, run, outputs):
    first = tests()
    second = tests()
    assert len(harness.calls) == 1
    assert second.engines == first.engines == testing.tested(run, run.recipes["tiny"], outputs)
    assert second.phases == {}


def test_only_engines_without_a_result_run(tests, harness):
    tests(engines=("node",))
    assert set(tests(engines=ENGINES).engines) == set(ENGINES)
    assert harness.engines == [["node"], ["chromium-page", "chromium-worker"]]


def test_asked_again_they_run_although_they_passed(tests, harness):
    tests()
    harness.cases["node"] = ("test_it passed", "test_more passed")
    assert tests(retest=True).engines["node"] == "2 passed"
    assert len(harness.calls) == 2


@pytest.mark.parametrize("name", ["tiny", "base"])
def test_another_wheel_is_tested(tests, harness, run, outputs, name):
    tests()
    tests(rebuilt(run, outputs, name))
    assert len(harness.calls) == 2
    tests()
    assert len(harness.calls) == 2, "what the first one passed still counts"


def test_a_failure_is_an_error_and_is_not_remembered(tests, harness, run, outputs, environment):
    harness.cases["node"] = ("test_a passed", "test_b failed", "test_c error")
    with pytest.raises(HarnessError, match="tests of tiny failed:") as caught:
        tests()
    assert caught.value.message.splitlines()[1:] == [
        "  node: test_b: E   assert 1 == 2",
        "  node: test_c: E   assert 1 == 2",
    ]
    assert str(environment.project.dist / "reports" / "tiny") in caught.value.hint
    assert testing.tested(run, run.recipes["tiny"], outputs) == {"chromium-page": "1 passed"}
    harness.cases["node"] = ("test_a passed",)
    tests()
    assert harness.engines[1:] == [["node"]]


def test_what_came_of_a_failure_is_noted(harness, run, outputs):
    harness.cases["node"] = ("test_a passed", "test_b failed", "test_c skipped")
    outcome = Outcome(name="tiny", state="built")
    with pytest.raises(HarnessError):
        testing.test_package(run, run.recipes["tiny"], outputs, outcome)
    assert outcome.engines == {"node": "1 passed, 1 skipped, 1 failed", "chromium-page": "1 passed"}
    assert list(outcome.phases) == ["test"]


@pytest.mark.parametrize(("failures", "lines"), [(20, 21), (21, 22), (30, 22)])
def test_no_more_than_twenty_failures_are_listed(tests, harness, failures, lines):
    harness.cases["node"] = tuple(f"test_{number} failed" for number in range(failures))
    with pytest.raises(HarnessError) as caught:
        tests()
    shown = caught.value.message.splitlines()
    assert len(shown) == lines
    assert (shown[-1] == f"  and {failures - 20} more") == (failures > 20)


@pytest.mark.parametrize(
    ("message", "line"),
    [
        ("", ""),
        ("\n  it hung\nfor long", "it hung"),
        ("E   first\nE   second", "E   first"),
        ('x\nE     File "test_b.py", line 3\nE   SyntaxError: bad', 'E     File "test_b.py", line 3: SyntaxError: bad'),
        ("x" * 500, "x" * 200),
    ],
)
def test_a_failure_is_told_by_the_line_that_says_most(tests, harness, message, line):
    harness.message = message
    harness.cases["node"] = ("test_b failed",)
    with pytest.raises(HarnessError) as caught:
        tests()
    assert caught.value.message == f"tests of tiny failed:\n  node: test_b: {line}"


def test_nothing_begins_once_everything_is_to_end(tests, harness, run):
    run.stopping.set()
    with pytest.raises(StoppedError):
        tests()
    assert harness.calls == []


def test_contents_are_those_of_the_wheels_that_take_part(run, outputs):
    found = testing.contents(run, ["tiny"], outputs)
    assert found == {name: outputs[name].content for name in ("tiny", "base")}
    assert testing.contents(run, ["base", "zlib"], outputs) == {"base": outputs["base"].content}


def test_what_was_tested_is_in_the_record(tests, environment, run, outputs):
    tests(engines=("node",))
    wheels = [outputs["tiny"], outputs["base"]]
    record = environment.store.get_record("tests", testing.key_of_tests(run, run.recipes["tiny"], wheels, "node"))
    assert record == {"summary": "1 passed", "wheels": testing.contents(run, ["tiny"], outputs)}


# What changes the results of tests, and what does not.


@pytest.fixture
def key(environment, outputs):
    """Return the key of tiny's tests as things are now."""

    def key(engine="node", names=("tiny", "base"), outputs=outputs):
        again = make_run(environment, [])
        return testing.key_of_tests(again, again.recipes["tiny"], [outputs[name] for name in names], engine)

    return key


def test_engine_wheels_image_and_target_change_the_results(key, environment, run, outputs):
    found = [key(), key("chromium-page"), key(names=("tiny",)), key(outputs=rebuilt(run, outputs, "base"))]
    environment.target = replace(environment.target, name="315.0.0")
    found.append(key())
    environment.test_image_digest = "sha256:2"
    found.append(key())
    assert len(set(found)) == len(found)


def test_a_build_that_holds_the_same_has_the_same_results(key, run, outputs):
    files = {"base.py": "VALUE = 1\n", f"base-{run.recipes['base'].version}.dist-info/{REPORT}": "another"}
    again = keep(run, "base", outputs, file=wheel_of(run, "base", "again", files=files))
    assert again.sha256 != outputs["base"].sha256
    assert key(outputs=outputs | {"base": again}) == key()


@pytest.mark.parametrize(
    "name",
    ["test_tiny.py", "test_more.py", "data.txt", "conftest.py", "requirements.run.txt", "../base/requirements.run.txt"],
)
def test_files_of_the_tests_change_the_results(key, run, name):
    before = key()
    path = run.recipes["tiny"].folder / name
    path.write_text("# changed\n")
    assert key() != before
    path.unlink()


@pytest.mark.parametrize("name", ["requirements.build.txt", "upstream.yaml", "requirements.upstream.txt"])
def test_files_that_no_test_sees_leave_the_results(key, run, name):
    before = key()
    (run.recipes["tiny"].folder / name).write_text("files: [tests]\n")
    assert key() == before


def test_descriptions_and_caches_leave_the_results(key, run):
    before = key()
    folder = run.recipes["tiny"].folder
    (folder / "meta.yaml").write_text((folder / "meta.yaml").read_text() + "about:\n  summary: Tiny\n")
    (folder / "__pycache__").mkdir()
    (folder / "__pycache__" / "test_tiny.cpython-314.pyc").write_bytes(b"")
    assert key() == before


def test_a_suite_that_runs_along_changes_the_results(key, run):
    found = [key()]
    for text in (SMOKE, SMOKE.replace("threads", "processes")):
        (run.recipes["tiny"].folder / "upstream.yaml").write_text(text)
        found.append(key())
    (run.recipes["tiny"].folder / "requirements.upstream.txt").write_text("a==1\n")
    found.append(key())
    assert len(set(found)) == len(found)


# What is served beside the wheels.


def test_what_recipes_need_of_the_index_is_served_as_well(tests, harness, environment, run, tmp_path):
    locks = {name: run.recipes[name].folder / "requirements.run.txt" for name in ("tiny", "base")}
    for name, versions in (("tiny", {"six": "1.0", "pytest": "8.0"}), ("base", {"six": "2.0", "attrs": "3.0"})):
        made = [make_wheel(tmp_path / name, *each) for each in versions.items()]
        locks[name].write_text(name)
        environment.fetcher.give(locks[name], *((wheel.name, wheel.read_bytes()) for wheel in made))
    tests(run=replace(make_run(environment, []), options=run.options))
    names = [path.name.split("-py3")[0] for path in harness.calls[0]["harness_wheels"]]
    assert names == ["pytest-9.0", "six-1.0", "attrs-3.0"], "the harness's own first, then the first recipe's"


def test_what_is_given_beside_does_not_replace_the_harness_s(harness, environment, run, outputs, tmp_path):
    beside = [make_wheel(tmp_path, "pytest", "8.0"), make_wheel(tmp_path, "hypothesis", "6.0")]
    testing.run_in_engines(
        run,
        run.recipes["base"],
        outputs,
        tests=tmp_path,
        engines=["node"],
        output=tmp_path,
        also=["tiny"],
        beside=beside,
        on_event=lambda _event: None,
    )
    (call,) = harness.calls
    assert sorted(path.name.split("-py3")[0] for path in call["harness_wheels"]) == ["hypothesis-6.0", "pytest-9.0"]
    assert [path.name.split("-")[0] for path in call["wheels"]] == ["base", "tiny"]


def test_needs_of_the_index_without_a_lock_are_refused(harness, environment):
    folder = add_recipe(environment, "lone", "requirements:\n  run: [six, attrs]\n", files=TEST)
    run = make_run(environment, ["lone"], Options(engines=("node",)))
    outputs = {"lone": keep(run, "lone")}
    with pytest.raises(RecipeError, match="has six, attrs, but there is no") as caught:
        testing.test_package(run, run.recipes["lone"], outputs, Outcome(name="lone", state="built"))
    assert str(folder) in caught.value.message
    assert caught.value.hint == "make it: emwheels lock lone"
    assert harness.calls == []


# With a part of the package's own suite.


@pytest.fixture
def smoke(environment, run):
    archive = tar_gz({"tiny-1.0/tests/test_core.py": ""})
    environment.fetcher.give("pkg:pypi/tiny@1.0", ("tiny-1.0.tar.gz", archive))
    (run.recipes["tiny"].folder / "upstream.yaml").write_text(SMOKE)


def test_a_suite_s_files_run_with_the_recipe_s_own_tests(smoke, tests, harness, environment):
    assert tests().engines == dict.fromkeys(("node", "chromium-page"), "1 passed, 1 of 1 upstream")
    own, upstream = harness.calls
    assert (own["suite"].paths, upstream["suite"].paths) == ((), ("tests/test_core.py",))
    assert own["engines"] == upstream["engines"]
    assert upstream["output"] == environment.project.dist / "reports" / "tiny" / "314.0.7" / "smoke"
    assert upstream["wheels"] == own["wheels"]
    tests()
    assert len(harness.calls) == 2, "they passed together"
    began = [line for line in environment.board.lines if " in node" in line and "passed" not in line]
    assert began == ["tiny: tests in node", "tiny: upstream tests in node"]


def test_failures_of_the_suite_with_a_reason_are_counted_only(smoke, tests, harness):
    harness.smoke["node"] = ("tests/test_core.py::test_a passed", "tests/test_core.py::test_threads failed")
    assert tests().engines["node"] == "1 passed, 1 of 2 upstream"


def test_other_failures_of_the_suite_fail_the_tests(smoke, tests, harness, run, outputs):
    harness.smoke["node"] = ("tests/test_core.py::test_a failed", "tests/test_core.py::test_threads failed")
    with pytest.raises(HarnessError) as caught:
        tests()
    assert caught.value.message.splitlines()[1:] == ["  node: tests/test_core.py::test_a: E   assert 1 == 2"]
    assert testing.tested(run, run.recipes["tiny"], outputs) == {"chromium-page": "1 passed, 1 of 1 upstream"}


# What a recipe says of its own tests.


@pytest.fixture
def lone(environment, harness, run):
    """Test a recipe of its own, ``meta`` and ``files``, and return what was noted."""

    def lone(meta="", files=None, **options):
        add_recipe(environment, "lone", meta, files=files)
        again = replace(make_run(environment, []), options=replace(run.options, engines=("node",), **options))
        outputs = {name: keep(again, name) for name in ("base", "lone")}
        outcome = Outcome(name="lone", state="built", output=outputs["lone"])
        testing.test_package(again, again.recipes["lone"], outputs, outcome)
        return outcome

    return lone


def own(text):
    return f"extra:\n  emwheels:\n    test: {{{text}}}\n"


def test_without_tests_the_modules_of_the_wheel_are_imported(lone, harness):
    assert lone().engines == {"node": "1 passed"}
    assert harness.calls[0]["suite"].imports == {"lone": ""}
    assert not harness.calls[0]["suite"].partial


def test_imports_that_are_named_go_with_the_tests(lone, harness):
    lone("test:\n  imports: [lone, lone.fast]\n", files=TEST)
    lone("", files=TEST)
    assert [call["suite"].imports for call in harness.calls] == [{"lone": "", "lone.fast": ""}, {}]


def test_only_imports_are_said_to_be_that():
    cases = [
        Case(nodeid="import a", outcome="passed", seconds=0),
        Case(nodeid="import b", outcome="skipped", seconds=0),
    ]
    result = EngineResult(engine="node", cases=tuple(cases), seconds=1, boot_seconds=1, console=Path("log"))
    assert testing._summary(result, None) == ("imports only: 1 passed, 1 skipped", [])
    left_out = Case(nodeid="t.py::a", outcome="skipped", seconds=0, message="not run: 10 interpreters in a row ended")
    assert testing._summary(replace(result, cases=(*cases, left_out)), None)[0] == "1 passed, 1 skipped, 1 not run"


def test_a_module_may_be_left_out_with_a_reason(lone, harness):
    lone(own("imports-skip: {lone: needs a GPU}"))
    assert harness.calls[0]["suite"].imports == {"lone": "needs a GPU"}
    with pytest.raises(RecipeError, match=r"imports-skip: the wheel has no module gone") as caught:
        lone(own("imports-skip: {gone: needs a GPU}"))
    assert caught.value.hint == "its modules are: lone"


def test_what_tests_need_is_served_and_installed_as_well(lone, harness, environment, tmp_path):
    wheel = make_wheel(tmp_path, "hypothesis", "6.0")
    lock = environment.project.recipes / "lone" / "requirements.test.txt"
    environment.fetcher.give(lock, (wheel.name, wheel.read_bytes()))
    lone(own("requirements: [hypothesis, base]"), files={**TEST, lock.name: "hypothesis==6.0\n"})
    (call,) = harness.calls
    assert call["suite"].requirements == ("hypothesis", "base")
    assert [path.name.split("-")[0] for path in call["wheels"]] == ["lone", "base"]
    assert wheel.name in [path.name for path in call["harness_wheels"]]


def test_needs_of_tests_without_a_lock_are_refused(lone, harness):
    with pytest.raises(RecipeError, match="has hypothesis, but there is no requirements"):
        lone(own("requirements: [hypothesis, base]"), files=TEST)
    assert harness.calls == []


def test_the_harness_gets_what_the_recipe_says(lone, harness):
    text = "arguments: [-x], environment: {A: b}, time: {node: 3}, expected-failures: {all: {a: b}}"
    lone(own(text), files=TEST, ends_in_a_row=4)
    suite = harness.calls[0]["suite"]
    assert (suite.options, suite.partial, suite.strict, suite.ends_in_a_row) == (("-x",), True, True, 4)
    assert (suite.environment, suite.seconds) == ({"A": "b"}, {"node": {"": 3}})
    assert suite.expected == {"node": {"a": "b"}}


def test_what_came_of_some_of_the_tests_is_not_recorded(lone, harness, environment):
    outcome = lone(files=TEST, arguments=("-k", "word"))
    assert outcome.engines == {"node": "1 passed"}
    assert harness.calls[0]["suite"].options == ("-k", "word")
    assert harness.calls[0]["output"].name == "selected"
    lone(files=TEST)
    assert len(harness.calls) == 2, "it is run as if nothing had been"
    lone(files=TEST)
    assert len(harness.calls) == 2
    lone(files=TEST, arguments=("-k", "word"))
    assert len(harness.calls) == 3, "asked for, it is run"


def test_failures_are_in_the_outcome(tests, harness, run, outputs):
    harness.cases["node"] = ("test_it failed",)
    outcome = Outcome(name="tiny", state="built", output=outputs["tiny"])
    with pytest.raises(HarnessError):
        testing.test_package(run, run.recipes["tiny"], outputs, outcome)
    assert [(engine, case.nodeid, case.message) for engine, case in outcome.failures] == [
        ("node", "test_it", harness.message)
    ]


@pytest.mark.parametrize(
    "meta", ["test:\n  imports: [tiny]\n", own("environment: {A: b}"), own("requirements: [base]")]
)
def test_what_the_recipe_says_of_its_tests_changes_the_results(key, run, environment, meta):
    before = key()
    path = run.recipes["tiny"].folder / "meta.yaml"
    path.write_text(path.read_text() + meta)
    assert key() != before
