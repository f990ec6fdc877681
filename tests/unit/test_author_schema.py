"""The JSON Schema of meta.yaml: what every recipe passes, and what it refuses as the reader of recipes does."""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft7Validator

from emwheels.author.schema import recipe_schema
from emwheels.recipe.document import Findings, read_document
from emwheels.recipe.examine import examine
from emwheels.recipe.keys import KEYS

CHECKOUT = Path(__file__).parents[2]
SCHEMA = recipe_schema()
VALIDATOR = Draft7Validator(SCHEMA)
SECTIONS = [name for name in SCHEMA["properties"] if name != "extra"]
PLAIN = {
    "package": {"name": "demo", "version": "1.0"},
    "source": {"url": "pkg:pypi/demo@1.0", "sha256": "0" * 64},
}
_STRUCTURAL = re.compile(r"unknown key|is missing|duplicate|must be (text|true or false|a list of|a mapping|one of)")


def refused(document):
    return [f"{error.json_path}: {error.message}" for error in VALIDATOR.iter_errors(document)]


def problems_of(folder, document):
    """Return what the reader of recipes says against a document, each with its key."""
    folder.mkdir(exist_ok=True)
    (folder / "meta.yaml").write_text(json.dumps(document))
    return [f"{problem.key}: {problem.message}" for problem in examine(folder, None)[1].problems]


def test_it_is_a_schema():
    Draft7Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("recipe", sorted(path.parent.name for path in CHECKOUT.glob("recipes/*/meta.yaml")))
def test_every_recipe_passes(recipe):
    file = CHECKOUT / "recipes" / recipe / "meta.yaml"
    assert refused(read_document(file, Findings(file))) == []


def below(schema, parts):
    """Return the schema of a key of the table."""
    for part in parts:
        if re.fullmatch("[A-Z]{2,}", part):
            schema = schema["additionalProperties"]
        elif part.endswith("[]"):
            schema = schema["properties"][part[:-2]]["items"]
        else:
            schema = schema["properties"][part]
    return schema


@pytest.mark.parametrize("name", KEYS)
def test_every_key_has_a_type_and_its_words(name):
    schema = below(SCHEMA, name.split("."))
    assert {"type", "enum", "anyOf"} & schema.keys(), f"schema.py does not know the kind {KEYS[name].kind!r}"
    assert schema["description"] == KEYS[name].means


CASES = [
    ("package.name", 3),
    ("package.name", None),
    ("package.version", True),
    ("package.version", ["1.0"]),
    ("package.top-level", "demo"),
    ("package.top-level", [1]),
    ("package._disabled", "yes"),
    ("package.nam", "demo"),
    ("source.sha256", 7),
    ("source.sha256", None),
    ("source.url", ["pkg:pypi/demo@1.0"]),
    ("source.extras", [["one"]]),
    ("source.extras", [["one", "two", "three"]]),
    ("source.extras", [["one", 2]]),
    ("source.extras", {"one": "two"}),
    ("build.type", "shared"),
    ("build.type", None),
    ("build.exports", "some"),
    ("build.exports", [1]),
    ("build.cflags", None),
    ("build.cflags", ["-O3"]),
    ("build.vendor-sharedlib", 1),
    ("build.flags", ""),
    ("requirements.run", "numpy"),
    ("requirements.run", {"numpy": None}),
    ("requirements.run", None),
    ("requirements.hosts", []),
    ("test.imports", [None]),
    ("test.commands", []),
    ("about.home", 5),
    ("about.licence", "MIT"),
    ("extra.recipe-maintainers", "alex"),
    ("package", []),
    ("build", None),
    ("outputs", []),
]


def changed(key, value):
    document = copy.deepcopy(PLAIN)
    *above, last = key.split(".")
    inner = document
    for part in above:
        inner = inner.setdefault(part, {})
    inner[last] = value
    return document


@pytest.mark.parametrize(("key", "value"), CASES)
def test_what_the_reader_refuses_for_its_type_the_schema_refuses(tmp_path, key, value):
    document = changed(key, value)
    assert any(map(_STRUCTURAL.search, problems_of(tmp_path / "demo", document)))
    assert refused(document)


@pytest.mark.parametrize("key", ["package.name", "package.version", "package", "source", "source.sha256", "source.url"])
def test_what_is_missing(tmp_path, key):
    document = copy.deepcopy(PLAIN)
    *above, last = key.split(".")
    inner = document
    for part in above:
        inner = inner[part]
    del inner[last]
    assert any(map(_STRUCTURAL.search, problems_of(tmp_path / "demo", document)))
    assert refused(document)


@pytest.mark.parametrize(
    "own",
    [
        {"acepted": []},
        {"accepted": [{"rule": "split-type", "what": "*"}]},
        {"accepted": [{"rule": "other", "what": "*", "reason": "none"}]},
        {"limits": {"memories": "1G"}},
        {"profiles": {"size": {"environment": {"NAME": 1}}}},
        {"lint": [{"rule": "about"}]},
        {"downloads": [{"name": "fmt", "url": "pkg:deb/debian/fmtlib@10.1.1"}]},
        {"downloads": [{"name": "fmt", "url": "pkg:deb/debian/fmtlib@10.1.1", "sha256": "0" * 64, "unpack": "no"}]},
    ],
)
def test_what_is_wrong_under_extra(own):
    assert refused(PLAIN | {"extra": {"emwheels": own}})


def test_what_is_right_under_extra():
    own = {"limits": {"memory": "12G", "time": 60}, "lint": [{"rule": "about", "reason": "it has no page"}]}
    own["profiles"] = {"fast": {"environment": {"NAME": "1"}}}
    own["downloads"] = [{"name": "fmt", "url": "pkg:deb/debian/fmtlib@10.1.1", "sha256": "0" * 64}]
    assert refused(PLAIN | {"extra": {"emwheels": own, "others": {"a": 1}, "recipe-maintainers": ["alex"]}}) == []


def test_the_line_that_tells_an_editor_names_the_file_that_the_page_writes():
    page = (CHECKOUT / "docs" / "adding-a-recipe.md").read_text()
    written = re.search(r"\$ emwheels recipe schema > (\S+)", page)[1]
    line = re.search(r"^(# yaml-language-server: \$schema=(\S+))$", page, re.MULTILINE)
    assert (CHECKOUT / "recipes" / "NAME" / line[2]).resolve() == CHECKOUT / written
    assert f"`reference/{written}`" in page


def test_a_recipe_with_that_line_is_read(tmp_path):
    (tmp_path / "demo").mkdir()
    text = "# yaml-language-server: $schema=../../meta.schema.json\n" + json.dumps(PLAIN)
    (tmp_path / "demo" / "meta.yaml").write_text(text)
    assert examine(tmp_path / "demo", None)[1].problems == []


SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(0, 10**6), st.floats(0.5, 9.5), st.text("ab.-1", max_size=4),
    st.sampled_from(["package", "static_library", "pyinit", "whole_archive"]),
)  # fmt: skip
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("ab"), inner, max_size=2),
    max_leaves=5,
)
NAMES = {
    section: st.sampled_from([*SCHEMA["properties"][section]["properties"], "unknown", "Name"]) for section in SECTIONS
}


@st.composite
def documents(draw):
    document = copy.deepcopy(PLAIN)
    for section in draw(st.lists(st.sampled_from(SECTIONS), min_size=1, max_size=3)):
        inner = document.setdefault(section, {})
        if draw(st.integers(0, 9)) == 0:
            document[section] = draw(VALUES)
        elif isinstance(inner, dict):
            inner[draw(NAMES[section])] = draw(VALUES)
    return document


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(documents())
def test_both_refuse_the_same_types_and_keys(tmp_path, document):
    problems = problems_of(tmp_path / "demo", document)
    if any(map(_STRUCTURAL.search, problems)):
        assert refused(document), problems
    elif not problems:
        assert refused(document) == []
