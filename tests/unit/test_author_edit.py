"""emwheels.author.edit: changes that leave the rest of a meta.yaml alone."""

from pathlib import Path

import pytest

from emwheels.author.edit import Edit, difference, edited, written
from emwheels.errors import RecipeError

CHECKOUT = Path(__file__).parents[2]
TEXT = """\
# a remark at the top
package:
  name: tiny
  version: "1.10" # in quotes

source:
  url: pkg:pypi/tiny@1.10
  sha256: 0000
requirements:
  # what it links
  host:
    - zlib
"""


@pytest.mark.parametrize("recipe", sorted(path.parent.name for path in CHECKOUT.glob("recipes/*/meta.yaml")))
def test_nothing_changes_without_a_change(recipe: str) -> None:
    text = (CHECKOUT / "recipes" / recipe / "meta.yaml").read_text()
    assert edited(text, [], "meta.yaml") == text


def test_a_version_changes_and_every_other_line_stays() -> None:
    after = edited(TEXT, [Edit(key="package.version", value="1.11"), Edit(key="source.sha256", value="1111")], "m")
    changed = [line for line in difference(TEXT, after, "m").splitlines() if line[0] in "+-"][2:]
    assert [line.split(":")[0].strip("+- ") for line in changed] == ["version", "version", "sha256", "sha256"]
    assert "# in quotes" in after
    assert "# a remark at the top" in after
    assert "# what it links" in after


def test_an_addition_joins_the_list_once_and_makes_it_where_there_is_none() -> None:
    add = Edit(key="requirements.host", value="numpy", adds=True)
    after = edited(TEXT, [add, add, Edit(key="requirements.run", value="numpy", adds=True)], "m")
    assert after.endswith("  host:\n    - zlib\n    - numpy\n  run:\n    - numpy\n")


def test_a_key_is_removed_and_one_that_is_not_there_is_no_matter() -> None:
    after = edited(TEXT, [Edit(key="source.sha256"), Edit(key="build.script")], "m")
    assert "sha256" not in after
    assert "build" not in after


@pytest.mark.parametrize("edit", [Edit(key="package.name.x", value="y"), Edit(key="source.url", value="y", adds=True)])
def test_what_is_no_mapping_or_list_is_named(edit: Edit) -> None:
    with pytest.raises(RecipeError, match=r"meta\.yaml: .* is no "):
        edited(TEXT, [edit], "meta.yaml")


def test_a_new_file_has_its_sections_in_order_and_scripts_as_blocks() -> None:
    text = written({"build": {"script": "a\nb\n"}, "package": {"name": "x", "version": "1"}, "test": {}})
    assert text == "package:\n  name: x\n  version: '1'\nbuild:\n  script: |\n    a\n    b\n"
