"""What the README says of the recipes is so."""

from __future__ import annotations

from pathlib import Path

from emwheels.recipe.load import load_recipes

ROOT = Path(__file__).parents[2]


def test_the_list_of_recipes() -> None:
    _, _, text = (ROOT / "README.md").read_text(encoding="utf-8").partition("$ emwheels list\n")
    shown = [line.split(maxsplit=2) for line in text.partition("\n\n")[0].splitlines()]
    recipes = load_recipes(ROOT / "recipes", patches=ROOT / "patches")
    assert shown == [[name, r.version, r.about.summary] for name, r in sorted(recipes.items())]
