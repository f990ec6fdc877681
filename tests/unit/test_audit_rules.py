"""The table of rules has every rule that the audit reports, and no other."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import get_args

import pytest

from emwheels.audit.model import Rule
from emwheels.audit.rules import RULES
from emwheels.cli.tables import with_audit_rules
from emwheels.recipe.accepted import RULES as ACCEPTABLE

CHECKOUT = Path(__file__).parents[2]
SOURCE = CHECKOUT / "src" / "emwheels" / "audit"


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


def test_one_page_has_the_table_as_it_is_here():
    pages = {page.name: page.read_text() for page in [*CHECKOUT.glob("*.md"), *(CHECKOUT / "docs").glob("*.md")]}
    assert [name for name, text in pages.items() if "<!-- audit rules: " in text] == ["troubleshooting.md"]
    assert with_audit_rules(pages["troubleshooting.md"]) == pages["troubleshooting.md"], "run `nox -s tables`"


@pytest.mark.parametrize("rule", RULES)
def test_no_other_table_has_a_row_of_a_rule(rule):
    pages = [*CHECKOUT.glob("*.md"), *(CHECKOUT / "docs").glob("*.md")]
    assert [page.name for page in pages if f"\n| `{rule}` |" in page.read_text()] == ["troubleshooting.md"]
