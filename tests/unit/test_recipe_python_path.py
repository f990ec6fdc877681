from __future__ import annotations

import pytest

from emwheels.errors import RecipeError
from emwheels.recipe.load import load_recipe
from emwheels.recipe.python_path import python_path

META = """\
package: {name: demo, version: '1.0'}
source: {url: 'pkg:pypi/demo@1.0', sha256: 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef}
"""


@pytest.fixture
def modules(tmp_path):
    """Return the modules of the recipe that has ``extra`` in its meta.yaml, and fix.py beside it."""
    folder = tmp_path / "demo"
    folder.mkdir()
    (folder / "fix.py").write_text("1\n")
    (folder / "sitecustomize.py").write_text("1\n")
    (folder / "link.py").symlink_to(tmp_path / "elsewhere.py")
    (tmp_path / "elsewhere.py").write_text("1\n")

    def modules(extra):
        (folder / "meta.yaml").write_text(META + extra)
        return python_path(load_recipe(folder, patches=tmp_path / "patches"))

    return modules


def test_modules(modules, tmp_path):
    assert modules("extra: {emwheels: {python-path: [fix.py]}}") == {"fix.py": tmp_path / "demo" / "fix.py"}


@pytest.mark.parametrize("extra", ["", "extra: {emwheels: text}", "extra: {emwheels: {python-path: []}}"])
def test_none(modules, extra):
    assert modules(extra) == {}


@pytest.mark.parametrize(
    ("names", "where", "said"),
    [
        ("fix.py", "", "must be a list"),
        ("[fix]", "[0]", "'fix' is not the file name of a module"),
        ("[../demo/fix.py]", "[0]", "'../demo/fix.py' is not the file name of a module"),
        ("[fix.py, 3]", "[1]", "3 is not the file name of a module"),
        ("[other.py]", "[0]", "there is no file other.py in the recipe's folder"),
        ("[link.py]", "[0]", "there is no file link.py in the recipe's folder"),
        ("[sitecustomize.py]", "[0]", "sitecustomize.py is emwheels's own"),
    ],
)
def test_mistakes(modules, names, where, said):
    with pytest.raises(RecipeError) as caught:
        modules(f"extra: {{emwheels: {{python-path: {names}}}}}")
    assert f"demo/meta.yaml: extra.emwheels.python-path{where}: {said}" in caught.value.message
    assert "python-path: [module.py]" in caught.value.hint
