"""Overrides: what a recipe says otherwise for some targets."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sample_run import TARGET

from emwheels.errors import RecipeError
from emwheels.plan.key import build_key
from emwheels.recipe.keys import KEYS
from emwheels.recipe.load import RecipeProblems, load_recipes
from emwheels.recipe.overrides import OVERRIDABLE, Aim

PLAIN = """\
package:
  name: demo
  version: 1.2.3
source:
  url: pkg:pypi/demo@1.2.3
  sha256: "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
build:
  cflags: -A
  ldflags: -L
requirements:
  host: [zlib]
extra:
  emwheels:
    limits: {time: 1h}
"""
OVERRIDES = """\
    overrides:
      - target: "315*"
        build: {cflags: -B, script: export X=1}
        requirements:
          host: []
      - target: pyemscripten_2027_0
        build: {cflags: -C}
      - target: "3*"
        source:
          patches: [new.patch]
"""
OLD, NEW = "314.0.7", "315.0.0"
ABIS = {OLD: "pyemscripten_2026_0", NEW: "pyemscripten_2027_0"}


@pytest.fixture
def recipes(tmp_path):
    for name in ("demo", "zlib"):
        folder = tmp_path / "recipes" / name
        folder.mkdir(parents=True)
        (folder / "meta.yaml").write_text(PLAIN.replace("demo", name).replace("[zlib]", "[]"))
    write(tmp_path / "recipes", OVERRIDES)
    (tmp_path / "recipes" / "demo" / "new.patch").write_text("why\n--- a/x\n+++ b/x\n")
    return tmp_path / "recipes"


def write(recipes, overrides):
    (recipes / "demo" / "meta.yaml").write_text(PLAIN + overrides)


def load(recipes, target="", name="demo"):
    aim = Aim(target=target, abis=ABIS)
    return load_recipes(recipes, patches=recipes / "none", names=[name], aim=aim)[name]


def test_without_a_target_there_are_no_overrides(recipes):
    recipe = load(recipes)
    assert (recipe.build.cflags, recipe.build.script, recipe.requirements.host) == ("-A", None, ("zlib",))
    assert recipe.patches == ()


def test_what_fits_is_in_place_and_the_later_counts(recipes):
    old, new = load(recipes, OLD), load(recipes, NEW)
    assert (old.build.cflags, new.build.cflags) == ("-A", "-C")
    assert (old.build.script, new.build.script) == (None, "export X=1")
    assert old.build.ldflags == new.build.ldflags == "-L"
    assert (old.requirements.host, new.requirements.host) == (("zlib",), ())
    assert [path.name for path in old.patches] == [path.name for path in new.patches] == ["new.patch"]
    assert new.document["build"] == {"cflags": "-C", "ldflags": "-L", "script": "export X=1"}
    assert new.own == {"limits": {"time": "1h"}}  # what is made of the document is not overridden again


def test_what_is_needed_is_that_of_the_target(recipes):
    aim = {name: Aim(target=name, abis=ABIS) for name in ABIS}
    for name, needed in ((OLD, ["demo", "zlib"]), (NEW, ["demo"])):
        assert list(load_recipes(recipes, patches=recipes / "none", names=["demo"], aim=aim[name])) == needed


def key(recipe):
    target = replace(TARGET, name="a target")
    return build_key(recipe, target, profile="speed", image_digest="", toolchain="", toolchain_key="", dependencies={})


def test_the_build_key_changes_for_what_fits_and_nothing_else(recipes):
    write(recipes, "")
    before = {target: key(load(recipes, target)).digest for target in ABIS}
    write(recipes, '    overrides:\n      - target: "315*"\n        build: {cflags: -B}\n')
    assert key(load(recipes, OLD)).digest == before[OLD] == before[NEW]
    assert key(load(recipes, NEW)).changed(key(load(recipes, OLD)).inputs) == ["recipe/build/cflags"]


@pytest.mark.parametrize(
    ("text", "line", "where", "words"),
    [
        ("    overrides: 1\n", 15, "", "must be a list"),
        ("    overrides:\n    - x\n", 16, "[0]", "must be a mapping"),
        ("    overrides:\n    - build: {cflags: x}\n", 16, "[0].target", "is missing"),
        ("    overrides:\n    - target: 315\n      build: {cflags: x}\n", 16, "[0].target", "must be text"),
        ("    overrides:\n    - target: '316*'\n      build: {}\n", 16, "[0].target", "316* fits no target of targets"),
        ("    overrides:\n    - target: '315*'\n", 16, "[0]", "changes nothing"),
        ("    overrides:\n    - target: '*'\n      bild: {}\n", 17, "[0].bild", "did you mean build?"),
        ("    overrides:\n    - target: '*'\n      about: {}\n", 17, "[0].about", "what can is in package, source"),
        ("    overrides:\n    - target: '*'\n      build: x\n", 17, "[0].build", "must be a mapping"),
        (
            "    overrides:\n    - target: '*'\n      build: {type: x}\n",
            17,
            "[0].build.type",
            "cannot differ by target",
        ),
        (
            "    overrides:\n    - target: '*'\n      requirements: {constraint: []}\n",
            17,
            "[0].requirements.constraint",
            "cannot differ by target; of requirements, these can: host, run, executable",
        ),
        (
            "    overrides:\n    - target: '*'\n      package: {version: 2}\n",
            17,
            "[0].package.version",
            "cannot differ",
        ),
    ],
)
@pytest.mark.parametrize("target", ["", OLD, NEW])
def test_what_is_no_override(recipes, text, line, where, words, target):  # noqa: PLR0917
    write(recipes, text)
    with pytest.raises(RecipeProblems) as caught:
        load(recipes, target)
    problem = caught.value.problems[0]
    assert (problem.line, problem.key) == (line, f"extra.emwheels.overrides{where}")
    assert words in problem.message


@pytest.mark.parametrize("target", ["", OLD, NEW])
def test_a_wrong_value_is_found_for_every_target_once_and_by_its_line(recipes, target):
    write(recipes, OVERRIDES.replace("host: []", "host: [a b]").replace("cflags: -C", "cflags: 1"))
    with pytest.raises(RecipeProblems) as caught:
        load(recipes, target)
    assert [(problem.line, problem.key) for problem in caught.value.problems] == [
        (19, "requirements.host[0]"),
        (21, "build.cflags"),
    ]


def test_what_is_wrong_beside_overrides_is_said_once(recipes):
    folder = recipes / "demo"
    (folder / "meta.yaml").write_text(PLAIN.replace("  sha256", "  sha265").replace("-L", "[]") + OVERRIDES)
    with pytest.raises(RecipeProblems) as caught:
        load(recipes, NEW)
    assert [problem.key for problem in caught.value.problems] == ["source.sha256", "source.sha265", "build.ldflags"]


def test_overrides_of_what_makes_no_sense(recipes):
    for text in ("extra: []\n", "extra: {emwheels: []}\n"):
        (recipes / "demo" / "meta.yaml").write_text(PLAIN.partition("extra:")[0] + text)
        with pytest.raises(RecipeError):
            load(recipes, NEW)


def test_patterns():
    aim = Aim(abis=ABIS)
    assert [aim.fits(pattern, NEW) for pattern in ("315*", "315.0.0", "pyemscripten_2027_0", "*_2027_*", "*")] == [
        True
    ] * 5
    assert [aim.fits(pattern, OLD) for pattern in ("315*", "pyemscripten_2027_0", "314")] == [False] * 3


def test_what_can_be_overridden_are_keys():
    assert set(OVERRIDABLE) < set(KEYS)
