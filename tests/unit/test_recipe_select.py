"""Selectors: which recipes the words of a command line pick."""

from __future__ import annotations

from pathlib import Path

import pytest

from emwheels.errors import UsageError
from emwheels.recipe.model import Package, Recipe, Source
from emwheels.recipe.select import is_selector, select


def recipe(name, *tags, disabled=False):
    package = Package(name=name, version="1", tag=tags, disabled=disabled)
    return Recipe(folder=Path(name), package=package, source=Source())


KNOWN = {
    "numpy": recipe("numpy", "core"),
    "py-yaml": recipe("py-yaml", "core", "text"),
    "pyarrow": recipe("pyarrow", "slow"),
    "unready": recipe("unready", "core", disabled=True),
    "unreadable": None,
}


@pytest.mark.parametrize(
    ("words", "picked"),
    [
        (["numpy"], ["numpy"]),
        (["Py_Yaml,numpy"], ["numpy", "py-yaml"]),
        (["*"], ["numpy", "py-yaml", "pyarrow", "unreadable"]),
        (["py*"], ["py-yaml", "pyarrow"]),
        (["Py_*"], ["py-yaml"]),
        (["tag:core"], ["numpy", "py-yaml"]),
        (["tag:core", "tag:slow"], ["numpy", "py-yaml", "pyarrow"]),
        (["tag:core,!numpy"], ["py-yaml"]),
        (["!numpy", "tag:core"], ["py-yaml"]),
        (["!tag:core"], ["pyarrow", "unreadable"]),
        (["!py*,!unreadable"], ["numpy"]),
        (["*,!tag:core, !unreadable"], ["pyarrow"]),
        (["unready"], ["unready"]),
        (["*", "unready"], ["numpy", "py-yaml", "pyarrow", "unready", "unreadable"]),
    ],
)
def test_what_is_picked(words, picked):
    assert select(words, KNOWN) == picked


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nunpy"], "there is no recipe nunpy; did you mean numpy?"),
        (["*", "!nunpy"], "there is no recipe nunpy; did you mean numpy?"),
        (["tag:cor"], "no recipe has the tag cor; did you mean core?"),
        (["tag:zz"], "no recipe has the tag zz; there are core, slow, text"),
        (["!tag:zz"], "no recipe has the tag zz"),
        (["z*"], "no recipe is called z*"),
        (["numpy,!numpy"], "numpy !numpy picks no recipe"),
        (["!*"], "!* picks no recipe"),
        (["numpy,"], "a selector is empty"),
        (["!"], "a selector is empty"),
        (["tag:\x1b[2J"], "no recipe has the tag \\x1b[2J"),
    ],
)
def test_what_picks_nothing(words, message):
    with pytest.raises(UsageError) as caught:
        select(words, KNOWN)
    assert caught.value.message.startswith(message)
    assert caught.value.hint


@pytest.mark.parametrize("word", ["*", "py*", "tag:x", "!x", "a,b", "p?", "[ab]*"])
def test_what_is_a_selector(word):
    assert is_selector(word)


@pytest.mark.parametrize("word", ["numpy", "scikit-learn", "Py_Yaml", "a.b"])
def test_what_is_a_name(word):
    assert not is_selector(word)


def test_a_project_without_recipes():
    with pytest.raises(UsageError):
        select(["*"], {})
