"""Recipes together: which are loaded, what one needs of the others, and in which order they are built."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emwheels.errors import RecipeError, UsageError
from emwheels.recipe.graph import dependency_order, foreign_requirements, required_recipes
from emwheels.recipe.load import RecipeProblems, load_recipe, load_recipes
from emwheels.recipe.model import Package, Recipe, Requirements, Source

PLAIN = """\
package:
  name: demo
  version: 1.2.3
source:
  url: pkg:pypi/demo@1.2.3
  sha256: "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
"""


def write_recipe(recipes: Path, name: str, **requirements: list[str]) -> Path:
    folder = recipes / name
    folder.mkdir(parents=True, exist_ok=True)
    text = PLAIN.replace("name: demo", f"name: {name}")
    (folder / "meta.yaml").write_text(text + json.dumps({"requirements": requirements})[1:-1] + "\n")
    return folder


def test_all_recipes_sorted(tmp_path):
    for name in ("b", "a", ".hidden", "__pycache__"):
        write_recipe(tmp_path, name)
    (tmp_path / "README.md").write_text("")
    assert list(load_recipes(tmp_path, patches=tmp_path)) == ["a", "b"]


def disable(folder):
    meta = folder / "meta.yaml"
    meta.write_text(meta.read_text().replace("package:\n", "package:\n  _disabled: true\n", 1))


def test_disabled_recipe_is_loaded_only_if_named_or_needed(tmp_path):
    write_recipe(tmp_path, "app", run=["lib"])
    disable(write_recipe(tmp_path, "lib", host=["base"]))
    disable(write_recipe(tmp_path, "base"))
    disable(write_recipe(tmp_path, "alone", run=["app"]))
    assert list(load_recipes(tmp_path, patches=tmp_path)) == ["app", "base", "lib"]
    assert list(load_recipes(tmp_path, patches=tmp_path, names=["alone"])) == ["alone", "app", "base", "lib"]


def test_asked_recipes_with_what_they_need(tmp_path):
    write_recipe(tmp_path, "app", run=["NumPy", "purepython"], host=["lib_z"])
    write_recipe(tmp_path, "numpy", host=["blas"])
    write_recipe(tmp_path, "blas")
    write_recipe(tmp_path, "lib-z")
    (tmp_path / "broken").mkdir()
    recipes = load_recipes(tmp_path, patches=tmp_path, names=["App"])
    assert list(recipes) == ["app", "blas", "lib-z", "numpy"]
    assert required_recipes(recipes["app"], recipes) == ["lib-z", "numpy"]
    assert dependency_order(recipes).index("app") == 3


def test_run_requirements_that_no_recipe_is(tmp_path):
    recipe = load_recipe(write_recipe(tmp_path, "app", run=["NumPy", "tzdata", "python-dateutil"]), patches=tmp_path)
    assert foreign_requirements(recipe, ["numpy", "app"]) == ["tzdata", "python-dateutil"]
    assert recipe.run_lock is None
    lock = recipe.folder / "requirements.run.txt"
    lock.touch()
    assert load_recipe(recipe.folder, patches=tmp_path).run_lock == lock


def test_recipes_that_need_each_other_are_loaded_once(tmp_path):
    write_recipe(tmp_path, "a", run=["b"])
    write_recipe(tmp_path, "b", run=["a"])
    assert list(load_recipes(tmp_path, patches=tmp_path, names=["a", "a"])) == ["a", "b"]


def test_problems_of_all_recipes_at_once(tmp_path):
    write_recipe(tmp_path, "a", run=["b"], host=["bb", "nonexistent"])
    (write_recipe(tmp_path, "b") / "meta.yaml").write_text("[")
    (write_recipe(tmp_path, "bbb") / "meta.yaml").write_text("")
    with pytest.raises(RecipeProblems) as caught:
        load_recipes(tmp_path, patches=tmp_path)
    assert [(problem.file.parent.name, problem.key) for problem in caught.value.problems] == [
        ("a", "requirements.host[0]"),
        ("a", "requirements.host[1]"),
        ("b", ""),
        ("bbb", ""),
    ]
    assert "did you mean bbb?" in caught.value.problems[0].message


def test_unknown_recipe(tmp_path):
    write_recipe(tmp_path, "numpy")
    with pytest.raises(UsageError, match=r"there is no recipe nunpy; did you mean numpy\?"):
        load_recipes(tmp_path, patches=tmp_path, names=["nunpy"])
    with pytest.raises(UsageError, match=r"there is no recipe \.\./numpy"):
        load_recipes(tmp_path, patches=tmp_path, names=["../numpy"])


def test_no_recipes_folder(tmp_path):
    with pytest.raises(UsageError, match="cannot be read"):
        load_recipes(tmp_path / "none", patches=tmp_path)


def test_two_folders_of_one_name(tmp_path):
    write_recipe(tmp_path, "a-b")
    write_recipe(tmp_path, "A_b")
    with pytest.raises(RecipeError, match="same name"):
        load_recipes(tmp_path, patches=tmp_path)


def recipe_of(name: str, *, run: tuple[str, ...] = (), host: tuple[str, ...] = ()) -> Recipe:
    return Recipe(
        folder=Path("recipes") / name,
        package=Package(name=name, version="1"),
        source=Source(path="."),
        requirements=Requirements(run=run, host=host),
    )


def test_ring_is_named():
    recipes = {
        "c": recipe_of("c", host=("a",)),
        "a": recipe_of("a", run=("b",)),
        "b": recipe_of("b", run=("c",)),
        "z": recipe_of("z", run=("a",)),
    }
    with pytest.raises(RecipeError, match="a -> b -> c -> a") as caught:
        dependency_order(recipes)
    assert caught.value.hint
    with pytest.raises(RecipeError, match="self -> self"):
        dependency_order({"self": recipe_of("self", run=("self",))})


@st.composite
def acyclic_recipes(draw):
    names = draw(st.permutations([f"p{i}" for i in range(draw(st.integers(1, 12)))]))
    recipes = {}
    for i, name in enumerate(names):
        needs = st.lists(st.sampled_from([*names[:i], "not-a-recipe"]), max_size=5).map(tuple)
        recipes[name] = recipe_of(name, run=draw(needs), host=draw(needs))
    return recipes


@given(acyclic_recipes())
def test_each_comes_after_what_it_needs(recipes):
    order = dependency_order(recipes)
    assert sorted(order) == sorted(recipes)
    for name, recipe in recipes.items():
        for need in required_recipes(recipe, recipes):
            assert order.index(need) < order.index(name)
    assert dependency_order(dict(reversed(recipes.items()))) == order


def write_patch(folder: Path, name: str = "0001-x.patch") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text("Needed because of this.\n\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n")
    return folder / name


@pytest.mark.parametrize(("recipe", "patched"), [("Scikit-Image", "scikit-image"), ("a.b", "A_b"), ("a-b", "a__B")])
def test_patches_are_found_in_any_spelling(tmp_path, recipe, patched):
    folder = write_recipe(tmp_path / "recipes", recipe)
    patch = write_patch(tmp_path / "patches" / patched)
    (loaded,) = load_recipes(tmp_path / "recipes", patches=tmp_path / "patches").values()
    assert loaded.patches == (patch,)
    assert load_recipe(folder, patches=tmp_path / "patches").patches == (patch,)


def test_two_folders_of_patches_for_one_recipe(tmp_path):
    folder = write_recipe(tmp_path / "recipes", "a-b")
    for name in ("a-b", "a_b"):
        write_patch(tmp_path / "patches" / name)
    with pytest.raises(RecipeError, match=r"patches/a-b and .*patches/a_b normalise to the same name"):
        load_recipes(tmp_path / "recipes", patches=tmp_path / "patches")
    with pytest.raises(RecipeError, match="same name"):
        load_recipe(folder, patches=tmp_path / "patches")


@pytest.mark.parametrize("names", [None, ["numpy"]])
def test_patches_of_no_recipe(tmp_path, names):
    write_recipe(tmp_path / "recipes", "numpy")
    write_patch(tmp_path / "patches" / "nunpy")
    (tmp_path / "patches" / ".cache").mkdir()
    with pytest.raises(RecipeError, match=r"patches/nunpy: there is no recipe nunpy; did you mean numpy\?$"):
        load_recipes(tmp_path / "recipes", patches=tmp_path / "patches", names=names)


@pytest.mark.parametrize("name", ["0001-x.patch", "x.DIFF"])
def test_a_patch_beside_the_folders(tmp_path, name):
    write_recipe(tmp_path / "recipes", "numpy")
    patch = write_patch(tmp_path / "patches", name)
    with pytest.raises(RecipeError, match=rf"^{patch} belongs to no recipe$"):
        load_recipes(tmp_path / "recipes", patches=tmp_path / "patches")


def test_patches_that_are_a_file(tmp_path):
    write_recipe(tmp_path / "recipes", "numpy")
    (tmp_path / "patches").touch()
    with pytest.raises(RecipeError, match="patches cannot be read: Not a directory"):
        load_recipes(tmp_path / "recipes", patches=tmp_path / "patches")
