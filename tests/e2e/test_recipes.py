"""Every recipe of this repository: built, audited, indexed, and its tests passed in every engine."""

from __future__ import annotations

from pathlib import Path

import pytest

from emwheels.harness import ENGINES
from emwheels.pipeline import Options
from emwheels.recipe import dependency_order, load_recipes

CHECKOUT = Path(__file__).resolve().parents[2]
RECIPES = load_recipes(CHECKOUT / "recipes", patches=CHECKOUT / "patches")

pytestmark = [pytest.mark.image, pytest.mark.network, pytest.mark.timeout(1800)]


@pytest.mark.parametrize("name", dependency_order(RECIPES))
def test_recipe(pipeline, name):
    outcomes = {outcome.name: outcome for outcome in pipeline.run([name], Options())}
    outcome = outcomes[name]
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
    assert pipeline.run([name], Options())[-1].state == "reused"
