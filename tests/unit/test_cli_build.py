"""``emwheels build``: what is refused before anything is built, and what is said afterwards; see test_cli.py."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from sample_run import LIBRARY, add_recipe, keep, make_environment
from small_project import make_command_in

from emwheels.build.compiler_cache import Hits
from emwheels.errors import BuildError, HarnessError
from emwheels.harness.model import Case
from emwheels.outputs.named import content
from emwheels.pipeline.model import Outcome
from emwheels.pipeline.run import make_run
from emwheels.status.ledger import Ledger, LedgerWheel, write_ledger

REMOTE = "oci://registry.example.org/builds"


@pytest.fixture
def environment(tmp_path):
    environment = make_environment(tmp_path)
    add_recipe(environment, "tiny")
    return environment


@pytest.fixture
def outcomes(monkeypatch):
    """What a run gives; ``outcomes.runs`` are the runs, and those on a cluster with how they were asked for."""

    class Outcomes(list):
        def __init__(self):
            super().__init__()
            self.runs = []

        def __call__(self, run):
            self.runs.append(run)
            return list(self)

        def on_cluster(self, address, run, names, remote):
            self.runs.append((address, list(names), remote))
            return list(self)

    given = Outcomes()
    monkeypatch.setattr("emwheels.cli.build.run_packages", given)
    monkeypatch.setattr("emwheels.pipeline.worker.run_on_cluster", given.on_cluster)
    return given


@pytest.fixture
def command(environment, outcomes, monkeypatch, capsys):
    return make_command_in(environment, "build", monkeypatch, capsys)


@pytest.mark.parametrize("more", [[], ["--remote", REMOTE, "--offline"]])
def test_a_cluster_needs_a_store_to_share(command, outcomes, more):
    said = command("build", "tiny", "--scheduler", "tcp://host:8786", *more, status=2)
    assert said.err.startswith("emwheels: --scheduler needs --remote: ")
    assert "oci://HOST/NAME" in said.err
    assert outcomes.runs == []


def test_a_run_on_a_cluster(command, outcomes):
    command("build", "tiny", "--scheduler", "tcp://host:8786", "--remote", REMOTE)
    assert outcomes.runs == [("tcp://host:8786", ["tiny"], REMOTE)]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["build"], {"jobs": 0, "fail_fast": False, "ccache": True, "rebuild": False, "retest": False}),
        (["build", "--jobs", "3", "--fail-fast", "--no-ccache"], {"jobs": 3, "fail_fast": True, "ccache": False}),
        (["build", "--force"], {"rebuild": True, "retest": True, "test": True}),
        (["build", "--engine", "node", "--engine", "chromium-page"], {"engines": ("node", "chromium-page")}),
        (["test"], {"test": True, "retest": True, "rebuild": False, "jobs": 0, "ccache": True}),
    ],
)
def test_options_of_a_run(command, outcomes, arguments, expected):
    command(arguments[0], "tiny", *arguments[1:])
    (run,) = outcomes.runs
    assert {name: getattr(run.options, name) for name in expected} == expected


@pytest.mark.parametrize("arguments", [["--jobs", "2"], ["--force"], ["--no-test"]])
def test_what_only_a_build_takes_is_refused_for_tests(command, outcomes, arguments):
    assert "unrecognized arguments" in command("test", "tiny", *arguments, status=2).err
    assert outcomes.runs == []


def test_hits_of_the_compiler_cache_are_added_up(command, outcomes):
    outcomes += [
        Outcome(name="tiny", state="built", ccache=Hits(hits=3, misses=1)),
        Outcome(name="other", state="built", ccache=Hits(hits=1, misses=5)),
        Outcome(name="third", state="reused", why="it is there"),
    ]
    said = command("build", "tiny")
    assert said.lines()[-1] == "ccache: 4 of 10 (40.0 %)"
    assert "third reused it is there" in said.lines()


def test_the_last_column_says_what_came_of_a_package(command, outcomes):
    outcomes += [
        Outcome(name="a", state="failed", error=HarnessError("tests of a failed:\n  node: test_it", hint="see")),
        Outcome(name="b", state="blocked", why="needs a"),
    ]
    lines = command("build", "tiny", status=8).lines()
    assert lines == [
        "package result bytes seconds ccache tests wheel, or why",
        "a failed tests of a failed",
        "b blocked needs a",
    ]


def test_the_status_is_that_of_the_first_failure(command, outcomes):
    outcomes += [
        Outcome(name="a", state="failed", error=HarnessError("tests failed")),
        Outcome(name="b", state="failed", error=BuildError("it broke")),
    ]
    command("build", "tiny", status=8)


@pytest.fixture
def documents(environment, outcomes):
    """Results in docs/ of another build of ``tiny`` than the one that a run gives."""
    docs = environment.project.root / "docs"
    (docs / "reproduce").mkdir(parents=True)
    write_ledger(Ledger(target="314.0.7", profile="speed", date="2026-01-01", wheels={}), docs / "wheels.json")

    def note(wheel):
        document = {"name": "tiny", "date": "2026-01-02", "wheels": {"tiny": wheel}}
        (docs / "reproduce" / "tiny.json").write_text(json.dumps(document))

    note("a" * 64)
    output = keep(make_run(environment, ["tiny"]), "tiny")
    outcomes.append(Outcome(name="tiny", state="built", output=output))
    return lambda: note(content(output, environment.store))


def test_results_that_are_of_another_wheel_now_are_told(command, documents):
    assert command("build", "tiny").lines()[-2:] == [
        "tiny has other content than docs/ tells of; due: reproduce/tiny",
        "To have them again: emwheels upstream-tests --due, then emwheels tables",
    ]
    assert command("build", "tiny", "--json").json()[0]["due"] == ["reproduce/tiny"]


def test_results_that_are_of_this_wheel_are_not_due(command, documents):
    documents()
    assert "due" not in command("build", "tiny").out
    assert command("build", "tiny", "--json").json()[0]["due"] == []


def test_a_build_that_gives_the_known_content_again_makes_nothing_due(command, documents, environment, outcomes):
    output = outcomes[0].output
    wheel = LedgerWheel(
        name="tiny",
        version="1.0",
        kind="wheels",
        filename=output.filename,
        sha256="b" * 64,
        content=content(output, environment.store),
        bytes=1,
        seconds=1.0,
        inputs="c" * 64,
        engines={},
    )
    ledger = Ledger(target="314.0.7", profile="speed", date="2026-01-01", wheels={"tiny": wheel})
    write_ledger(ledger, environment.project.root / "docs" / "wheels.json")
    assert "due" not in command("build", "tiny").out


def test_what_was_not_built_makes_nothing_due(command, documents, outcomes):
    outcomes[0].state = "reused"
    assert "due" not in command("build", "tiny").out


def test_another_profile_makes_nothing_due(command, documents):
    assert "due" not in command("build", "tiny", "--profile", "size").out
    assert command("build", "tiny", "--profile", "size", "--json").json()[0]["due"] == []


def test_another_toolchain_makes_nothing_due(command, documents, environment):
    environment.toolchain_name = "emsdk"
    assert command("build", "tiny", "--json").json()[0]["due"] == []


def test_another_target_makes_nothing_due(command, documents, environment):
    environment.target = replace(environment.target, name="315.0.0-alpha.2")
    assert command("build", "tiny", "--json").json()[0]["due"] == []


def test_a_bad_recipe_is_listed_with_what_needs_it(command, environment):
    folder = add_recipe(environment, "bad", "bild: {}\n")
    add_recipe(environment, "above", "requirements:\n  run: [bad]\n")
    said = command("list", status=3)
    assert said.lines()[:3] == ["tiny 1.0 [imports only]", "bad bad recipe 1 to mend", "above blocked needs bad"]
    assert f"{folder / 'meta.yaml'}:7: bild: unknown key; did you mean build?" in said.err
    assert command("list", "--json", status=3).json() == [
        {"name": "tiny", "version": "1.0", "summary": None, "tests": "imports only"},
        {
            "name": "bad",
            "state": "bad recipe",
            "errors": [f"{folder / 'meta.yaml'}:7: bild: unknown key; did you mean build?"],
        },
        {"name": "above", "state": "blocked", "needs": ["bad"]},
    ]


def test_a_bad_recipe_that_is_neither_named_nor_needed_costs_nothing(command, environment, outcomes):
    add_recipe(environment, "bad", "bild: {}\n")
    outcomes.append(Outcome(name="tiny", state="built"))
    said = command("build", "tiny")
    assert [list(run.recipes) for run in outcomes.runs] == [["tiny"]]
    assert said.err.rstrip().endswith("recipes: warning: bad left out, as its recipe has errors; see: emwheels list")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (["-k", "word"], ("-k", "word")),
        (["--", "-x", "--tb=long"], ("-x", "--tb=long")),
        (["--engine", "node", "-k", "a or b", "--", "-k", "c"], ("-k", "a or b", "-k", "c")),
    ],
)
def test_some_of_the_tests_are_run_and_nothing_is_recorded(command, outcomes, given, expected):
    said = command("test", "Tiny", *given)
    (run,) = outcomes.runs
    assert (run.options.arguments, run.options.only, run.options.publish) == (expected, ("tiny",), False)
    assert said.lines()[-1].endswith("nothing is recorded.")


def test_all_of_the_tests_are_recorded(command, outcomes):
    assert "recorded" not in command("test", "tiny", "--ends-in-a-row", "3").out
    (run,) = outcomes.runs
    assert (run.options.arguments, run.options.only, run.options.publish) == ((), (), True)
    assert run.options.ends_in_a_row == 3


def test_what_pytest_said_of_failures_is_shown(command, outcomes):
    case = Case(nodeid="t.py::a", outcome="failed", seconds=1, message="E  \x1b[2Jbroke", output="said so")
    failures = [("node", replace(case, nodeid=f"t.py::a{number}")) for number in range(12)]
    outcomes.append(Outcome(name="a", state="failed", error=HarnessError("tests of a failed"), failures=failures))
    said = command("test", "tiny", status=8).err
    assert "--- a: node: t.py::a0\nE  \\x1b[2Jbroke\nsaid so\n" in said
    assert "t.py::a9" in said
    assert "t.py::a10" not in said
    assert "--- and 2 more, in the JUnit XML" in said
    row = command("test", "tiny", "--json", status=8).json()[0]
    assert row["failures"][0] == {"engine": "node", "test": "t.py::a0", "message": case.message, "output": "said so"}


def test_recipes_without_tests_are_listed_as_such(command, environment):
    add_recipe(environment, "zlib", LIBRARY)
    add_recipe(environment, "whole", files={"test_it.py": "def test_it(): pass\n"})
    kinds = {row["name"]: row["tests"] for row in command("list", "--json").json()}
    assert kinds == {"tiny": "imports only", "whole": "tests", "zlib": ""}
    marked = [line.split()[0] for line in command("list").lines() if "[imports only]" in line]
    assert marked == ["tiny"]
