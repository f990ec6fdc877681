"""emwheels.author.relations: what needs what, as data, as Graphviz's text and as a picture."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emwheels.author.relations import Need, dot, needed, needing, relations, svg
from emwheels.errors import RecipeError
from emwheels.recipe.model import About, Package, Recipe, Requirements, Source

SVG = "{http://www.w3.org/2000/svg}"


def recipe_of(name, *, run=(), host=(), summary=None):
    return Recipe(
        folder=Path("recipes") / name,
        package=Package(name=name, version="1.0"),
        source=Source(path="."),
        requirements=Requirements(run=run, host=host),
        about=About(summary=summary),
    )


RECIPES = {
    recipe.name: recipe
    for recipe in (
        recipe_of("app", run=("lib", "six"), host=("lib",), summary='Does <this> & "that"'),
        recipe_of("lib", host=("zlib",)),
        recipe_of("zlib"),
        recipe_of("alone"),
    )
}


def test_what_is_needed_and_what_needs_it():
    assert needed(["app"], RECIPES) == ["lib", "six", "zlib"]
    assert needed(["lib", "zlib"], RECIPES) == []
    assert needing(["zlib"], RECIPES) == ["app", "lib"]
    assert needing(["six"], RECIPES) == ["app"]
    assert needing(["app"], RECIPES) == []


def test_recipes_that_need_each_other():
    ring = {"a": recipe_of("a", run=("b",)), "b": recipe_of("b", run=("a",))}
    assert needed(["a"], ring) == ["b"]
    with pytest.raises(RecipeError, match=r"need each other: (a -> b -> a|b -> a -> b)"):
        svg(relations(["a"], ring))
    assert '"a" -> "b"' in dot(relations(["a"], ring))


def test_relations():
    graph = relations(["lib", "app"], RECIPES)
    assert list(graph.titles) == ["app", "lib", "six", "zlib"]
    assert graph.foreign == {"six"}
    assert set(graph.needs) == {
        Need(name="app", other="lib", kind="host"),
        Need(name="app", other="lib", kind="run"),
        Need(name="app", other="six", kind="run"),
        Need(name="lib", other="zlib", kind="host"),
    }
    assert graph.titles["app"] == 'app 1.0: Does <this> & "that"; nothing needs it'
    assert graph.titles["six"] == "six: pure Python from an index; needed by app"


def test_text_for_graphviz():
    lines = dot(relations(["app"], RECIPES)).splitlines()
    assert lines[0] == "digraph recipes {"
    assert '  "app" [tooltip="app 1.0: Does <this> & \\"that\\"; nothing needs it"];' in lines
    assert '  "app" -> "six" [style=dashed];' in lines
    assert '  "lib" -> "zlib";' in lines


def boxes(picture):
    root = ET.fromstring(picture)
    return {
        group.find(f"{SVG}text").text: (float(box.get("x")), float(box.get("y")), group.get("class"))
        for group in root.iter(f"{SVG}g")
        for box in [group.find(f"{SVG}rect")]
    }, root


def test_a_picture_with_titles():
    places, root = boxes(svg(relations(RECIPES, RECIPES)))
    assert places.keys() == {"alone", "app", "lib", "six", "zlib"}
    assert places["zlib"][0] < places["lib"][0] < places["app"][0]
    assert places["six"][2] == "foreign"
    titles = {element.text for element in root.iter(f"{SVG}title")}
    assert {"What 5 packages need", "lib is compiled against zlib", "app needs at run time six"} <= titles
    assert 'app 1.0: Does <this> & "that"; nothing needs it' in titles
    assert len(list(root.iter(f"{SVG}path"))) == 4


def test_a_picture_of_nothing_and_of_a_long_name():
    assert boxes(svg(relations([], RECIPES)))[0] == {}
    long = {"a" * 40: recipe_of("a" * 40)}
    assert list(boxes(svg(relations(long, long)))[0]) == ["a" * 23 + "…"]


@st.composite
def acyclic(draw):
    names = [f"p{i}" for i in range(draw(st.integers(1, 15)))]
    recipes = {}
    for i, name in enumerate(names):
        needs = st.lists(st.sampled_from([*names[:i], "other"]), max_size=4).map(tuple)
        recipes[name] = recipe_of(name, run=draw(needs), host=draw(needs))
    return recipes


@given(acyclic())
def test_no_two_boxes_on_one_place_and_every_arrow_to_the_left(recipes):
    graph = relations(recipes, recipes)
    places, root = boxes(svg(graph))
    assert places.keys() == graph.titles.keys()
    assert len({place[:2] for place in places.values()}) == len(places)
    assert all(places[need.other][0] < places[need.name][0] for need in graph.needs)
    width, height = float(root.get("width")), float(root.get("viewBox").split()[3])
    assert all(0 <= x < width and 0 <= y < height for x, y, _ in places.values())
