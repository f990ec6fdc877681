"""The table of rules has every rule that the audit reports, and no other."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import get_args

import pytest

from emwheels.audit.model import Rule
from emwheels.audit.rules import RULES
from emwheels.recipe.accepted import RULES as ACCEPTABLE

SOURCE = Path(__file__).parents[2] / "src" / "emwheels" / "audit"


def reported():
    """Return the first argument of each call of ``report``."""
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            match node:
                case ast.Call(func=ast.Attribute(attr="report"), args=[ast.Constant(value=rule), *_]):
                    yield rule


def test_every_rule_that_is_reported_and_no_other():
    assert set(RULES) == set(get_args(Rule)) == set(reported())


def test_what_a_recipe_may_accept_is_a_rule():
    assert set(ACCEPTABLE) <= set(RULES)


@pytest.mark.parametrize("rule", RULES)
def test_texts_are_sentences(rule):
    for text in (RULES[rule].means, RULES[rule].fix):
        assert text.endswith(".")
        assert all(len(sentence.split()) <= 25 for sentence in text.split(". "))
