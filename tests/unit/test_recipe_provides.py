"""What libraries can be asked for by."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from emwheels.errors import RecipeError
from emwheels.plan.key import build_key
from emwheels.recipe.load import load_recipe, load_recipes
from emwheels.recipe.provides import Provides, providers, provides, with_needs

ROOT = Path(__file__).parents[2]
META = """\
package: {name: demo, version: '1.0'}
source: {url: 'pkg:deb/debian/demo@1.0', sha256: 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef}
build: {type: static_library, script: make}
"""


@pytest.fixture
def recipe_with(tmp_path):
    def make(value=None):
        folder = tmp_path / "demo"
        folder.mkdir(exist_ok=True)
        extra = {} if value is None else {"extra": {"emwheels": {"provides": value}}}
        (folder / "meta.yaml").write_text(META + (yaml.safe_dump(extra) if extra else ""))
        return load_recipe(folder, patches=tmp_path / "patches")

    return make


@pytest.fixture(scope="module")
def recipes():
    return load_recipes(ROOT / "recipes", patches=ROOT / "patches")


def test_what_is_written_is_read(recipe_with):
    assert provides(recipe_with({"pkg-config": ["demo"], "headers": ["demo/*"]})) == Provides(
        pkg_config=("demo",), headers=("demo/*",)
    )
    assert provides(recipe_with()) == Provides()


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ([], "provides: must be a mapping"),
        ({"soname": ["x"]}, "provides.soname: is not one of pkg-config, cmake, headers, libraries"),
        ({"cmake": "Demo"}, "provides.cmake: must be a list of texts"),
        ({"cmake": [1]}, "provides.cmake: must be a list of texts"),
    ],
)
def test_a_wrong_value_is_named(recipe_with, value, said):
    with pytest.raises(RecipeError, match=f"demo/meta.yaml: extra.emwheels.{said}"):
        provides(recipe_with(value))


@pytest.mark.parametrize(
    ("kind", "name", "found"),
    [
        ("pkg-config", "libxml-2.0", ["libxml2"]),
        ("cmake", "ZLIB", ["zlib"]),
        ("cmake", "LIBXML2", ["libxml2"]),
        ("headers", "libxml/parser.h", ["libxml2"]),
        ("headers", "H5public.h", ["hdf5"]),
        ("libraries", "z", ["zlib"]),
        ("libraries", "sndfile", []),
    ],
)
def test_recipes_here_are_found_by_what_sources_ask_for(recipes, kind, name, found):
    assert providers(recipes, kind, name) == found


def test_every_library_says_what_it_provides(recipes):
    silent = [r.name for r in recipes.values() if r.build.type == "static_library" and provides(r) == Provides()]
    assert silent == ["f2c"], "f2c is a program"


def test_libraries_inside_a_library_come_with_it(recipes):
    assert with_needs(["freetype"], recipes) == ["freetype", "zlib", "libpng"]


def test_the_key_of_a_build_does_not_know_it(recipe_with, targets):
    def key(recipe):
        return build_key(
            recipe, targets.get(None), profile="speed", image_digest="", toolchain="", toolchain_key="", dependencies={}
        ).digest

    assert key(recipe_with({"libraries": ["demo"]})) == key(recipe_with())
