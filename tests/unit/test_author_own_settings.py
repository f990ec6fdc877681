"""``[tool.emwheels]``: what it says for a target, and each mistake with its line."""

from __future__ import annotations

import tomllib

import jsonschema
import pytest

from emwheels.author import own_settings
from emwheels.author.own_settings import OPTIONS, OwnTable, own_schema
from emwheels.errors import UsageError
from emwheels.recipe.overrides import Aim

AIM = Aim(abis={"314.0.7": "pyemscripten_2026_0", "315.0.0": "pyemscripten_2027_0"})


def table(text):
    return OwnTable("pyproject.toml", text, tomllib.loads(text), AIM)


def test_overrides_replace_for_the_targets_that_they_fit():
    read = table("""\
[tool.emwheels]
cflags = "-DA"
test-sources = ["tests"]
[[tool.emwheels.overrides]]
target = "315*"
cflags = "-DB"
[[tool.emwheels.overrides]]
target = "*_2027_0"
cflags = "-DC"
test-sources = []
""")
    assert read.of("314.0.7").text("cflags") == "-DA"
    assert (read.of("315.0.0").text("cflags"), read.of("315.0.0").texts("test-sources")) == ("-DC", ())
    assert read.common.texts("test-sources") == ("tests",)


def test_the_schema_takes_and_refuses_what_the_table_does():
    schema = own_schema()
    right = "cflags = ''\ntest-command = ['a']\nconfig-settings = {a = 'b', c = ['d']}\nenvironment = {A = 'b'}\n"
    right += "[[overrides]]\ntarget = '3*'\ntest-command = 'a'\n"
    jsonschema.validate(tomllib.loads(right), schema)
    for wrong in ("x = 1", "cflags = []", "targets = '1'", "[environment]\nA = 1", "[[overrides]]\nengines = []"):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(tomllib.loads(wrong), schema)


def test_nothing_is_said():
    assert not table("[project]\nname = 'x'\n").of("314.0.7").has("cflags")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[tool.emwheels]\ntest-comand = 'x'\n", ":2: tool.emwheels.test-comand: unknown key; did you mean test-co"),
        ("[tool.emwheels]\ncflags = ['-O3']\n", ":2: tool.emwheels.cflags: must be text"),
        ("[tool]\nemwheels = 3\n", ":2: tool.emwheels: must be a table"),
        ("[tool.emwheels.environment]\nA = 1\n", ":1: tool.emwheels.environment: must be a table of texts"),
        ("[tool.emwheels.environment]\n'A;B' = ''\n", "tool.emwheels.environment: A;B is not the name of a variable"),
        ("[tool.emwheels]\n\ntest-requires = ['a b c']\n", ":3: tool.emwheels.test-requires: a b c is not a"),
        ("[tool.emwheels]\nbuild-requires = ['a @ https://x']\n", "is a direct reference; write NAME==VERSION"),
        ("[tool.emwheels]\ntest-sources = ['../x']\n", "../x leads out of the project"),
        ("[tool.emwheels]\noverrides = 1\n", ":2: tool.emwheels.overrides: must be a list of tables"),
        (
            "[[tool.emwheels.overrides]]\ntarget = '314*'\n[[tool.emwheels.overrides]]\ntarget = '3*'\nengines = []\n",
            ":5: tool.emwheels.overrides[1].engines: unknown key; it is the same for all targets",
        ),
        ("[[tool.emwheels.overrides]]\ntarget = '9*'\n", ":2: tool.emwheels.overrides[0].target: 9* fits no target"),
        ("[[tool.emwheels.overrides]]\ncflags = ''\n", ":1: tool.emwheels.overrides[0].target: is missing"),
    ],
)  # fmt: skip
def test_mistakes(text, message):
    with pytest.raises(UsageError) as caught:
        table(text)
    assert message in caught.value.message


def test_all_mistakes_at_once():
    with pytest.raises(UsageError) as caught:
        table("[tool.emwheels]\nx = 1\ncflags = 2\n")
    assert caught.value.message.count("\n") == 1


def test_every_option_is_explained():
    assert all(option.means.rstrip("…").endswith((".", " ")) for option in OPTIONS.values())


def test_lines_of_spaces_are_read_at_once():
    for text in (" " * 20_000 + "x", "[" + " " * 20_000 + "x", "a" + " " * 20_000 + "b"):
        assert own_settings._lines(text) == {}


@pytest.mark.parametrize("name", ["", ".", "./"])
def test_the_whole_project_is_no_source_of_tests(name):
    assert "in the project" in own_settings.OPTIONS["test-sources"].check(name)
