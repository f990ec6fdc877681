"""The recipes of this repository: some are built here, the others tested if the cache has them built."""

from __future__ import annotations

from pathlib import Path

import pytest

from emwheels.harness.engines import ENGINES
from emwheels.pipeline.run import make_run, run_packages
from emwheels.pipeline.survey import survey
from emwheels.recipe.graph import dependency_order
from emwheels.recipe.load import load_recipes

CHECKOUT = Path(__file__).resolve().parents[2]
RECIPES = load_recipes(CHECKOUT / "recipes", patches=CHECKOUT / "patches")
BUILT_HERE = ("msgpack", "numpy", "contourpy", "pyyaml")
"""C, meson with its own headers, C++, and a static library. With what they need, they are built wherever this runs;
all recipes would take hours."""

pytestmark = [pytest.mark.image, pytest.mark.network, pytest.mark.timeout(1800)]


def with_needs(names):
    loaded = load_recipes(CHECKOUT / "recipes", patches=CHECKOUT / "patches", names=names)
    return dependency_order(loaded)


def check(environment, name):
    outcome = next(outcome for outcome in run_packages(make_run(environment, [name])) if outcome.name == name)
    assert outcome.error is None, outcome.error.message
    assert outcome.state in ("built", "reused")
    output = outcome.output
    if output.kind != "wheels":
        assert RECIPES[name].build.type == "static_library"
        return
    assert set(outcome.engines) == set(ENGINES)
    page = (CHECKOUT / "dist" / "simple" / name / "index.html").read_text()
    assert f'href="../../wheels/{output.filename}#sha256={output.sha256}"' in page
    assert (CHECKOUT / "dist" / "wheels" / output.filename).stat().st_size == output.size
    assert run_packages(make_run(environment, [name]))[-1].state == "reused"


@pytest.mark.parametrize("name", with_needs(BUILT_HERE))
def test_recipe(environment, name):
    check(environment, name)


@pytest.mark.parametrize("name", [name for name in dependency_order(RECIPES) if name not in with_needs(BUILT_HERE)])
def test_recipe_that_is_in_the_cache(environment, name):
    missing = [outcome.name for outcome in survey(make_run(environment, [name])) if outcome.state == "missing"]
    if missing:
        pytest.skip(f"not in the cache: {', '.join(missing)}; nox -s build-package -- {name}")
    check(environment, name)


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_recipe_has_tests(name):
    assert RECIPES[name].tests or RECIPES[name].build.type == "static_library"
