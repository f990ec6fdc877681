"""``extra.emwheels.test`` of meta.yaml, and what is wrong with it, by line."""

from __future__ import annotations

from textwrap import dedent, indent

import pytest

from emwheels.harness import engines
from emwheels.recipe import own_tests
from emwheels.recipe.graph import closure_for_tests, recipes_for_tests
from emwheels.recipe.load import RecipeProblems, load_recipe, load_recipes
from emwheels.recipe.own_tests import OwnTests

META = """\
package: {{name: {name}, version: '1.0'}}
source: {{url: 'pkg:pypi/{name}@1.0', sha256: {hash}}}
{more}extra:
  emwheels:
    test:
"""
EVERYTHING = """\
requirements: [hypothesis>=6, Base]
environment: {WORD: "1"}
arguments: [-k, not slow]
time: {all: {"test_a.py::test_b": 300}, node: 60}
expected-failures:
  all: {"test_a.py::test_b": no threads}
  node: {"test_a.py::test_c[1]": no files}
"""


@pytest.fixture
def load(tmp_path):
    """Write a recipe whose tests are told of by ``text``, and load it."""

    def load(text, name="tiny", more=""):
        folder = tmp_path / "recipes" / name
        folder.mkdir(parents=True, exist_ok=True)
        meta = META.format(name=name, hash="0" * 64, more=more)
        (folder / "meta.yaml").write_text(meta + indent(dedent(text), "      "))
        return load_recipe(folder, patches=tmp_path / "patches")

    return load


def test_every_key(load):
    own = load(EVERYTHING).own_tests
    assert own.requirements == ("hypothesis>=6", "Base")
    assert own.required == {"hypothesis>=6": "hypothesis", "Base": "base"}
    assert own.to_lock(["base", "other"]) == ["hypothesis>=6"]
    assert own.environment == {"WORD": "1"}
    assert own.arguments == ("-k", "not slow")
    assert own.seconds_of("node") == {"test_a.py::test_b": 300, "": 60}
    assert own.seconds_of("chromium-page") == {"test_a.py::test_b": 300}
    assert own.expected_of("node") == {"test_a.py::test_b": "no threads", "test_a.py::test_c[1]": "no files"}
    assert own.expected_of("chromium-page") == {"test_a.py::test_b": "no threads"}
    assert load("imports-skip: {tiny.gpu: there is none}").own_tests.imports_skip == {"tiny.gpu": "there is none"}


def test_without_the_key(load):
    assert load("null").own_tests == OwnTests()


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("- a", 5, "extra.emwheels.test: must be a mapping"),
        ("\ntimes: {node: 1}", 7, "times: unknown key; did you mean time?"),
        ("requirements: x", 6, "must be a list of texts"),
        ("requirements:\n- ok\n- 'a b'", 8, "is not a requirement (PEP 508)"),
        ("requirements: ['a @ https://example.org/a.whl']", 6, "is a direct reference"),
        ("requirements: [a.b, a-b>1]", 6, "a-b is there twice"),
        ("environment:\n  X: 1", 7, "test.environment.X: must be text (put a number in quotes)"),
        ("environment: {'A B': x}", 6, "is not the name of a variable"),
        ('environment: {A: "x\\0"}', 6, "has a NUL"),
        ("environment: []", 6, "must be a mapping of a variable to text"),
        ("arguments: [1]", 6, "must be a list of texts"),
        ("time:\n  nodes: 3", 7, "must be one of node, chromium-page, chromium-worker, all; did you mean node?"),
        ("time: {node: 0}", 6, "must be a number of seconds, more than 0"),
        ("time: {node: true}", 6, "must be a number of seconds"),
        ("time:\n  all:\n    test_a.py::test_b: long", 8, "time.all.test_a.py::test_b: must be a number of seconds"),
        ("expected-failures: {all: [a]}", 6, "must be a mapping of tests to reasons"),
        ("expected-failures:\n  node:\n    test_a.py::b: x\n    test_a.py::c: ''", 9, "must say why the test fails"),
        ("imports-skip: {a-b: x}", 6, "is not the name of a module"),
        ("imports-skip: {a.b: ' '}", 6, "must be text"),
    ],
)
def test_mistakes_are_told_by_their_line(load, text, line, message):
    with pytest.raises(RecipeProblems) as caught:
        load(text)
    assert [problem.line for problem in caught.value.problems] == [line]
    assert message in str(caught.value.problems[0])


def test_modules_to_skip_have_an_effect(load):
    with pytest.raises(RecipeProblems, match=r"imports-skip: has no effect beside test\.imports"):
        load("imports-skip: {a: x}", more="test: {imports: [a]}\n")


@pytest.mark.parametrize("name", ["a-b", "a..b", "", "a.b "])
def test_what_is_imported_is_the_name_of_a_module(load, name):
    with pytest.raises(RecipeProblems, match=r"test.imports\[1\]: .*is not the name of a module"):
        load("{}", more=f"test: {{imports: [a.b, '{name}']}}\n")


def test_engines_are_those_that_there_are():
    assert tuple(engines.ENGINES) == own_tests.ENGINES


def test_recipes_that_tests_need_are_loaded_too(load, tmp_path):
    load("null", "base", "requirements: {run: [below]}\n")
    load("null", "below")
    load("requirements: [hypothesis, Base==1.0]")
    recipes = load_recipes(tmp_path / "recipes", patches=tmp_path / "patches", names=["tiny"])
    assert list(recipes) == ["base", "below", "tiny"]
    assert recipes_for_tests(recipes["tiny"], recipes) == ["base"]
    assert closure_for_tests("tiny", recipes) == ["tiny", "base", "below"]
    assert closure_for_tests("base", recipes) == ["base", "below"]
