"""``emwheels reproduce``: what is said and noted of packages that come out the same, otherwise, or not at all."""

from __future__ import annotations

import json
import re

import pytest
from sample_run import add_recipe, make_environment
from small_project import make_command_in

from emwheels.errors import BuildError, FetchError
from emwheels.pipeline.reproduce import Reproduction

SAME = Reproduction(
    name="tiny",
    version="1.0",
    difference="",
    as_stored=True,
    seconds=(1.25, 2.5),
    sha256="a" * 64,
    varied=("folder", "jobs"),
    content="c" * 64,
)
OTHER = Reproduction(
    name="other",
    version="2.0",
    difference="other.so: byte 8 of 20: b'[one]' | b'[two]'",
    as_stored=True,
    seconds=(3.0, 3.0),
    sha256="b" * 64,
    varied=("folder",),
    content="d" * 64,
    files=("/kept/1/other.whl", "/kept/2/other.whl"),
)


@pytest.fixture
def environment(tmp_path):
    environment = make_environment(tmp_path)
    for name in ("other", "tiny"):
        add_recipe(environment, name)
    return environment


@pytest.fixture
def found(monkeypatch):
    """What comes of each package, by name; ``found.asked`` is how it was asked for."""

    class Found(dict):
        def __init__(self, **found):
            super().__init__(found)
            self.asked = []

        def __call__(self, environment, builds, name, profile, *, once):
            self.asked.append((name, profile, once))
            if isinstance(self[name], Exception):
                raise self[name]
            return self[name]

    given = Found(tiny=SAME, other=OTHER)
    monkeypatch.setattr("emwheels.cli.reproduce.reproduce", given)
    return given


@pytest.fixture
def command(environment, found, monkeypatch, capsys):
    return make_command_in(environment, "reproduce", monkeypatch, capsys)


def test_the_same_bytes(command, environment, found):
    said = command("reproduce", "tiny")
    assert said.lines() == [
        "package same bytes another seconds first difference",
        "tiny yes folder, jobs 1.2 2.5",
        "1 of 1 reproduce",
    ]
    assert environment.board.lines == ["tiny: the same bytes"]
    assert found.asked == [("tiny", "speed", False)]


def test_other_bytes_end_with_6_and_say_where(command, environment):
    said = command("reproduce", "tiny", "other", status=6)
    assert said.lines()[-2:] == [
        "other no folder 3.0 3.0 other.so: byte 8 of 20: b'[one]' | b'[two]'; /kept/1/other.whl; /kept/2/other.whl",
        "1 of 2 reproduce",
    ]
    assert environment.board.lines[-1] == "other: differs: other.so: byte 8 of 20: b'[one]' | b'[two]'"


def test_what_fails_is_told_and_the_rest_goes_on(command, found):
    found["other"] = BuildError("other did not build:\n  a long log", hint="see the log")
    said = command("reproduce", "other", "tiny", status=6)
    assert said.err.startswith("emwheels: other: other did not build:\n")
    assert said.lines()[1:] == [
        "tiny yes folder, jobs 1.2 2.5",
        "other ? failed: other did not build:",
        "1 of 2 reproduce",
    ]


def test_the_status_is_that_of_the_first_failure(command, found):
    found |= {"other": FetchError("no source"), "tiny": BuildError("it broke")}
    command("reproduce", "other", "tiny", status=4)
    command("reproduce", "tiny", "other", status=6)


def test_a_failure_goes_before_a_difference(command, found):
    found["tiny"] = FetchError("no source")
    command("reproduce", "other", "tiny", status=4)


def test_json_has_everything(command, found):
    found["tiny"] = BuildError("it broke")
    rows = command("reproduce", "--all", "--json", status=6).json()
    assert rows[0]["same"] is False
    assert rows[0]["files"] == ["/kept/1/other.whl", "/kept/2/other.whl"]
    assert rows[0]["seconds"] == [3.0, 3.0]
    assert rows[1] == {"name": "tiny", "error": "it broke"}


def test_all_recipes_or_those_named(command, found):
    command("reproduce", "--all", "--profile", "size", "--once", status=6)
    assert found.asked == [("other", "size", True), ("tiny", "size", True)]


@pytest.mark.parametrize("arguments", [[], ["tiny", "--all"]])
def test_neither_names_nor_all_or_both(command, found, arguments):
    assert command("reproduce", *arguments, status=2).err == "emwheels: give names, or --all\n"
    assert found.asked == []


def test_what_came_of_it_is_noted_with_the_wheel_that_it_is_of(command, environment):
    docs = environment.project.root / "docs"
    docs.mkdir()
    command("reproduce", "tiny", "other", status=6)
    noted = {path.stem: json.loads(path.read_text()) for path in (docs / "reproduce").iterdir()}
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", noted["tiny"].pop("date"))
    assert noted["tiny"] == {
        "name": "tiny",
        "version": "1.0",
        "how": "`reproduce`",
        "same": True,
        "difference": "",
        "varied": ["folder", "jobs"],
        "wheels": {"tiny": "c" * 64},
    }
    assert (noted["other"]["same"], noted["other"]["difference"]) == (False, OTHER.difference)
    command("reproduce", "tiny", "--once")
    assert json.loads((docs / "reproduce" / "tiny.json").read_text())["how"] == "`reproduce --once`"


def test_what_failed_leaves_the_note_of_before(command, environment, found):
    (environment.project.root / "docs").mkdir()
    command("reproduce", "tiny")
    note = environment.project.root / "docs" / "reproduce" / "tiny.json"
    before = note.read_bytes()
    found["tiny"] = BuildError("it broke")
    command("reproduce", "tiny", status=6)
    assert note.read_bytes() == before


def test_a_project_without_documents_gets_none(command, environment):
    command("reproduce", "tiny")
    assert not (environment.project.root / "docs").exists()


@pytest.mark.parametrize(
    ("arguments", "noted"), [([], ["tiny"]), (["--profile", "size"], []), (["--toolchain", "emsdk"], [])]
)
def test_only_what_the_documents_are_about_is_noted(command, environment, arguments, noted):
    docs = environment.project.root / "docs"
    docs.mkdir()
    command("reproduce", "tiny", *arguments)
    assert [path.stem for path in docs.rglob("*.json")] == noted
