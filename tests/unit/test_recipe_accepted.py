from __future__ import annotations

import pytest

from emwheels.errors import RecipeError
from emwheels.recipe.accepted import RULES, Accepted, accepted_findings
from emwheels.recipe.load import load_recipe

META = """\
package: {name: demo, version: '1.0'}
source: {url: 'pkg:pypi/demo@1.0', sha256: 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef}
"""
GOOD = """\
extra:
  emwheels:
    accepted:
      - rule: split-type
        what: geos::geom::*
        reason: >
          each module has
          its own
      - {rule: split-type, what: Shape, reason: never thrown}
"""


@pytest.fixture
def accepted(tmp_path):
    """Return what the recipe accepts that has ``extra`` in its meta.yaml."""

    def accepted(extra):
        (tmp_path / "demo").mkdir()
        (tmp_path / "demo" / "meta.yaml").write_text(META + extra)
        return accepted_findings(load_recipe(tmp_path / "demo", patches=tmp_path / "patches"))

    return accepted


def test_what_is_accepted(accepted):
    assert accepted(GOOD) == (
        Accepted(rule="split-type", what="geos::geom::*", reason="each module has its own"),
        Accepted(rule="split-type", what="Shape", reason="never thrown"),
    )


@pytest.mark.parametrize(
    "extra",
    [
        "",
        "extra: {emwheels: {}}",
        "extra: {emwheels: {accepted: []}}",
        "extra: {emwheels: {profiles: {}}}",
        "extra: {recipe-maintainers: [somebody]}",
    ],
)
def test_nothing_is_accepted(accepted, extra):
    assert accepted(extra) == ()


@pytest.mark.parametrize(
    ("entries", "where", "said"),
    [
        ("text", "", "must be a list"),
        ("{rule: split-type, what: x, reason: y}", "", "must be a list"),
        ("[split-type]", "[0]", "must have the keys rule, what and reason"),
        ("[{rule: split-type, what: x}]", "[0]", "must have the keys"),
        ("[{rule: split-type, what: x, reason: ' '}]", "[0]", "must have the keys"),
        ("[{rule: split-type, what: x, reason: 1}]", "[0]", "must have the keys"),
        ("[{rule: split-type, what: [x], reason: y}]", "[0]", "must have the keys"),
        ("[{rule: split-type, what: x, reason: y, until: z}]", "[0]", "must have the keys"),
        (
            "[{rule: split-type, what: x, reason: y}, {rule: slot, what: x, reason: y}]",
            "[1]",
            f"findings of 'slot' cannot be accepted, only of {', '.join(RULES)}",
        ),
    ],
)
def test_mistakes(accepted, entries, where, said):
    with pytest.raises(RecipeError) as caught:
        accepted(f"extra: {{emwheels: {{accepted: {entries}}}}}")
    assert f"demo/meta.yaml: extra.emwheels.accepted{where}: {said}" in caught.value.message
    assert "rule: split-type" in caught.value.hint
