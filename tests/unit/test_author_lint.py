"""emwheels.author.lint: each rule on a recipe that breaks it and nothing else, what is mended, what is accepted."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emwheels.author.lint import RULES, LintOptions, lint, mend
from emwheels.author.lint.testing import ruff_program
from emwheels.errors import UsageError

CHECKOUT = Path(__file__).parents[2]
META = """\
package:
  name: demo
  version: 1.2.3
  top-level:
    - demo
source:
  url: pkg:pypi/demo@1.2.3
  sha256: "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
requirements:
  run:
    - base  # what it calls
    - tzdata
  host:
    - base
about:
  home: https://demo.example
  summary: Something
  license: MIT
"""
BASE = """\
package:
  name: base
  version: '2.0'
source:
  url: pkg:pypi/base@2.0
  sha256: "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
build:
  cross-build-env: true
about:
  home: https://base.example
  summary: What others compile against
  license: MIT
"""
HASH = f"--hash=sha256:{'0' * 64}"
TEST = "import demo\n\n\ndef test_demo():\n    assert demo.VALUE == 1\n"
PATCH = "The type is wrong.\nReported upstream; it can go with 1.3.\n\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n"


@pytest.fixture
def root(tmp_path):
    """A project of two recipes that no rule has anything to say of."""
    for name, meta in (("demo", META), ("base", BASE)):
        folder = tmp_path / "recipes" / name
        folder.mkdir(parents=True)
        (folder / "meta.yaml").write_text(meta)
        (folder / f"test_{name}.py").write_text(TEST)
        (folder / "requirements.build.txt").write_text(f"setuptools==80.0 \\\n    {HASH}\n")
    demo = tmp_path / "recipes" / "demo"
    with (demo / "requirements.build.txt").open("a") as lock:
        lock.write(f"base==2.0 ; python_version >= '3' \\\n    {HASH}\n")
    (demo / "requirements.run.txt").write_text(f"tzdata==2026.1 {HASH}\n")
    (tmp_path / "patches" / "demo").mkdir(parents=True)
    (tmp_path / "patches" / "demo" / "0001-type.patch").write_text(PATCH)
    return tmp_path


def options(root, **more):
    return LintOptions(recipes=root / "recipes", patches=root / "patches", **more)


def said(root, **more):
    """Return what lint says: rule, file below the project, line, message."""
    return [
        (remark.rule, remark.file.relative_to(root).as_posix(), remark.line, remark.message)
        for remark in lint(options(root, **more))
    ]


def edit(root, old, new, file="recipes/demo/meta.yaml"):
    text = (root / file).read_text()
    assert old in text
    (root / file).write_text(text.replace(old, new))


def test_nothing_to_say(root):
    assert said(root, ruff=ruff_program(), modules={"demo": frozenset({"demo"})}) == []


def test_the_recipes_of_this_checkout_have_nothing_to_mend():
    found = lint(LintOptions(recipes=CHECKOUT / "recipes", patches=CHECKOUT / "patches"))
    assert [f"{remark.file}:{remark.line}: {remark.rule}: {remark.message}" for remark in found] == []


BROKEN = [
    ("version", "demo@1.2.3", "demo@1.2.4", 3, "package.version: is 1.2.3, and source.url has 1.2.4"),
    ("version", "pkg:pypi/demo@1.2.3", "https://a.example/demo-2.zip", 3, "which does not stand in source.url"),
    ("twice", "  host:\n    - base\n", "  host:\n    - base\n    - Base\n", 15, "base is there already"),
    ("order", "    - base  # what it calls\n    - tzdata\n", "    - tzdata\n    - base\n", 10, "is not sorted"),
    ("run", "    - base  # what it calls\n    - tzdata\n", "    - tzdata\n", 13, "requirements.run does not name it"),
    ("host", "  host:\n    - base\n", "", 9, "requirements.build.txt pins base, which others compile against"),
    ("lock", "  host:\n", "  build-extras: [setuptools>81]\n  host:\n", 13, "does not pin setuptools>81"),
    ("licence", "  license: MIT\n", "", 15, "about.license: is missing"),
    ("licence", "license: MIT", "license: My own", 18, "My own is no SPDX expression"),
    ("licence", "license: MIT", "license: mit or apache-2.0", 18, "mit or apache-2.0 is written MIT OR Apache-2.0"),
    ("about", "  home: https://demo.example\n", "", 15, "about.home: is missing"),
    ("about", "  summary: Something\n", "  summary:\n", 17, "about.summary: is missing"),
    ("selector", "    - tzdata\n", "    - tzdata  # [win]\n", 12, "# [win] has no effect"),
    (
        "format",
        "about:",
        "extra:\n  emwheels:\n    limit: {}\nabout:",
        17,
        "extra.emwheels.limit: unknown key; did you mean limits?",
    ),
    ("blanks", "  name: demo\n", "  name: demo  \n", 2, "blanks at the end of the line"),
    ("blanks", "license: MIT\n", "license: MIT", 18, "the last line has no end"),
    ("blanks", "# what it calls", "# what\tit calls", 11, "a tab in"),
    ("format", "license: MIT", "licence: MIT", 18, "about.licence: unknown key; did you mean license?"),
    ("format", "  host:\n    - base", "  host:\n    - bas", 14, "there is no recipe bas; did you mean base?"),
]


@pytest.mark.parametrize("broken", BROKEN)
def test_a_fault_of_meta_yaml(root, broken):
    rule, old, new, line, message = broken
    edit(root, old, new)
    found = said(root)
    assert (rule, "recipes/demo/meta.yaml", line) in [each[:3] for each in found]
    assert any(message in each[3] for each in found if each[0] == rule)
    assert {each[0] for each in found} <= {rule, "lock", "unused", "host"}, "a rule speaks of another's fault"


def test_columns(root):
    edit(root, "license: MIT", "license: My own")
    edit(root, "    - tzdata\n", "    - tzdata  # [win]\n")
    assert {(remark.rule, remark.column) for remark in lint(options(root))} == {("licence", 3), ("selector", 15)}


@pytest.mark.parametrize(
    ("debian", "version"),
    [("1.2.3+dfsg", "1.2.3"), ("1.3.dfsg+really1.4", "1.4"), ("2:1.2.3", "1.2.3"), ("1.2~rc1+ds2", "1.2rc1")],
)
def test_versions_as_debian_writes_them(root, debian, version):
    edit(root, "version: 1.2.3", f"version: {version!r}")
    edit(root, "pkg:pypi/demo@1.2.3", f"pkg:deb/debian/libdemo@{debian}")
    assert said(root) == []
    edit(root, f"version: {version!r}", "version: '9'")
    assert [each[0] for each in said(root)] == ["version"]


def test_the_archive_of_another_project_has_versions_of_its_own(root):
    edit(root, "pkg:pypi/demo@1.2.3", "pkg:pypi/demo-tools@7")
    assert said(root) == []


def test_a_name_that_is_not_normalised(root):
    (root / "recipes" / "demo").rename(root / "recipes" / "De_mo")
    edit(root, "name: demo", "name: De_mo", "recipes/De_mo/meta.yaml")
    (root / "patches" / "demo").rename(root / "patches" / "de-mo")
    assert said(root, names=["de.mo"]) == [
        ("name", "recipes/De_mo/meta.yaml", 2, "package.name: De_mo is de-mo when normalised")
    ]


def test_top_level_of_the_built_wheel(root):
    assert said(root, modules={"demo": frozenset({"_demo", "demos"})}) == [
        (
            "top-level",
            "recipes/demo/meta.yaml",
            5,
            "package.top-level[0]: the built wheel has no demo; did you mean demos?",
        )
    ]


@pytest.mark.parametrize(
    ("name", "text", "rule", "message"),
    [
        ("0001-type.patch", PATCH.replace("Reported upstream; it can go with 1.3.\n", ""), "patch", "one line"),
        ("0001-type.patch", "Only words.\nAnd more.\n", "patch", "has no change in it"),
        ("0001-type.patch", PATCH[PATCH.index("---") :], "format", "has no header"),
        ("0002-more.txt", PATCH, "unused", "is no patch by its name"),
    ],
)
def test_a_fault_of_a_patch(root, name, text, rule, message):
    (root / "patches" / "demo" / name).write_text(text)
    ((found, file, _, words),) = said(root)
    assert (found, file) == (rule, f"patches/demo/{name}")
    assert message in words


def test_what_nothing_uses(root):
    (root / "recipes" / "demo" / "fix.patch").write_text(PATCH)
    (root / "patches" / "dem").mkdir()
    (root / "recipes" / "base" / "requirements.run.txt").write_text(f"tzdata==2026.1 {HASH}\n")
    assert {each[:2] for each in said(root)} == {
        ("unused", "recipes/demo/fix.patch"), ("unused", "patches"), ("unused", "recipes/base/requirements.run.txt")
    }  # fmt: skip
    assert {each[1] for each in said(root, names=["demo"])} == {"recipes/demo/fix.patch"}


def test_locks_that_are_missing_or_of_yesterday(root):
    edit(root, "version: '2.0'", "version: '2.1'", "recipes/base/meta.yaml")
    edit(root, "base@2.0", "base@2.1", "recipes/base/meta.yaml")
    (root / "recipes" / "base" / "requirements.build.txt").unlink()
    (root / "recipes" / "demo" / "requirements.run.txt").write_text(f"six==1 {HASH}\n")
    assert {each[1:] for each in said(root) if each[0] == "lock"} == {
        ("recipes/base/requirements.build.txt", 1, "is missing"),
        ("recipes/demo/requirements.build.txt", 1, "does not pin base==2.1, which is the version of its recipe"),
        ("recipes/demo/requirements.run.txt", 1, "does not pin tzdata, which requirements.run names"),
    }


def of_tests(root, text):
    file = root / "recipes" / "demo" / "test_demo.py"
    file.write_text(text)
    return [(each[0], each[2]) for each in said(root) if each[1].endswith(".py")]


@pytest.mark.parametrize(
    "text",
    [
        "def test_x():\n    assert 1\n",
        "def test_x():\n    with pytest.raises(ValueError): f()\n",
        "def test_x():\n    import demo._c\n",
        "def test_x():\n    np.testing.assert_allclose(1, 1)\n",
        "def near(a): assert a\ndef test_x():\n    near(1)\n",
        "@pytest.fixture\ndef made(): assert 1\ndef test_x(made):\n    made()\n",
        "class TestAll:\n    def test_x(self):\n        assert 1\n",
        "from helpers import right\ndef test_x():\n    right(1)\n",
    ],
)
def test_tests_that_check_something(root, text):
    (root / "recipes" / "demo" / "helpers.py").write_text("def right(value):\n    assert value\n")
    assert of_tests(root, text) == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("import demo\n\n\ndef test_x():\n    demo.run()\n", [("no-check", 4)]),
        ("def again(): again()\ndef test_x():\n    again()\n", [("no-check", 2)]),
        ("VALUE = 1\n", [("no-test", 1)]),
        ("def test_x(:\n", [("no-check", 1)]),
    ],
)
def test_tests_that_check_nothing(root, text, found):
    assert of_tests(root, text) == found


def test_a_package_without_tests_and_a_library_that_needs_none(root):
    (root / "recipes" / "base" / "test_base.py").unlink()
    assert [each[:2] for each in said(root)] == [("no-test", "recipes/base")]
    edit(root, "  cross-build-env: true", "  type: static_library\n  script: make", "recipes/base/meta.yaml")
    (root / "recipes" / "base" / "requirements.build.txt").unlink()
    assert said(root, names=["base"]) == []


@pytest.mark.skipif(ruff_program() is None, reason="ruff is not installed")
def test_ruff_with_the_configuration_of_the_project(root):
    file = root / "recipes" / "demo" / "test_demo.py"
    file.write_text(f"import os\n{TEST}")
    assert said(root) == []
    assert ("ruff", "recipes/demo/test_demo.py", 1) in [each[:3] for each in said(root, ruff=ruff_program())]
    assert any(each[3].startswith("F401: ") for each in said(root, ruff=ruff_program()))
    (root / "pyproject.toml").write_text('[tool.ruff.lint]\nselect = ["E7"]\n')
    assert said(root, ruff=ruff_program()) == []


def test_ruff_that_does_not_run(root):
    found = said(root, ruff="/bin/false")
    assert [each[0] for each in found] == ["ruff"]
    assert "did not run" in found[0][3]


def test_a_recipe_that_cannot_be_read_does_not_stop_the_others(root):
    (root / "recipes" / "base" / "meta.yaml").write_text("[")
    edit(root, "license: MIT", "license: My own")
    rules = {(each[0], each[1]) for each in said(root)}
    assert {("format", "recipes/base/meta.yaml"), ("licence", "recipes/demo/meta.yaml")} <= rules


def test_unknown_name(root):
    with pytest.raises(UsageError, match=r"there is no recipe dmo; did you mean demo\?"):
        lint(options(root, names=["dmo"]))


MENDED = [
    ("    - tzdata\n", "    - tzdata\n    - Tzdata\n", META),
    ("    - base  # what it calls\n    - tzdata\n", "    - tzdata\n    - base  # what it calls\n", META),
    ("license: MIT", "license: mit", META),
    ("  name: demo\n", "  name: demo  \n", META),
    ("license: MIT\n", "license: MIT\n\n\n", META),
    ("license: MIT\n", "license: MIT", META),
]


@pytest.mark.parametrize(("old", "new", "after"), MENDED)
def test_what_is_mended(root, old, new, after):
    edit(root, old, new)
    changed = (root / "recipes/demo/meta.yaml").read_text()
    mended = mend(options(root))
    assert said(root) == []
    assert (root / "recipes/demo/meta.yaml").read_text() == after or changed.endswith("\n\n\n")
    assert all(RULES[remark.rule].mends for remark in mended)
    assert mend(options(root)) == []


def test_a_missing_run_requirement_is_added_in_its_place(root):
    edit(root, "    - base  # what it calls\n    - tzdata\n", "    - tzdata  # time zones\n")
    assert [remark.rule for remark in mend(options(root))] == ["run", "order"]
    assert "  run:\n    - base\n    - tzdata  # time zones\n  host:\n" in (root / "recipes/demo/meta.yaml").read_text()
    assert said(root) == []


def test_blanks_that_are_part_of_a_value_stay(root):
    edit(root, "about:", "build:\n  script: |\n    cat <<X  \n    X\nabout:")
    before = (root / "recipes/demo/meta.yaml").read_text()
    assert mend(options(root)) == []
    assert (root / "recipes/demo/meta.yaml").read_text() == before
    assert [each[0] for each in said(root)] == ["blanks"]


def test_what_is_accepted_with_a_reason(root):
    edit(root, "  home: https://demo.example\n", "")
    accept = "extra:\n  emwheels:\n    lint:\n      - rule: {}\n        reason: it has no page\nabout:"
    edit(root, "about:", accept.format("about"))
    assert said(root) == []
    edit(root, "rule: about", "rule: licence")
    assert sorted(each[0] for each in said(root)) == ["about", "acceptance"]
    edit(root, "rule: licence", "rule: format")
    assert any("format cannot be accepted" in each[3] for each in said(root))
    edit(root, "        reason: it has no page\n", "")
    assert any("must have the keys rule and reason" in each[3] for each in said(root))


@pytest.mark.parametrize("value", ["1", "{}", "[1]", "[{rule: 1, reason: x}]", "[{rule: about, reason: ' '}]"])
def test_a_list_of_what_is_accepted_that_is_none(root, value):
    edit(root, "about:", f"extra: {{emwheels: {{lint: {value}}}}}\nabout:")
    found = [each[0] for each in said(root)]
    assert found == ["acceptance"]


def test_every_rule_has_its_words():
    for name, rule in RULES.items():
        assert re.fullmatch("[a-z-]+", name)
        assert all((rule.what, rule.why, rule.mend)), name


@given(st.text(st.characters(codec="utf-8"), max_size=60))
def test_no_text_of_a_meta_yaml_ends_in_an_exception(tmp_path_factory, text):
    root = tmp_path_factory.mktemp("hostile", numbered=True)
    folder = root / "recipes" / "demo"
    folder.mkdir(parents=True)
    (folder / "meta.yaml").write_text(META + text, newline="")
    (folder / "test_demo.py").write_text(text, newline="")
    lint(options(root))
    mend(options(root))


def test_it_never_runs_what_it_reads(root):
    marker = root / "ran"
    (root / "recipes" / "demo" / "test_demo.py").write_text(f"open({str(marker)!r}, 'w')\n{TEST}")
    (root / "recipes" / "demo" / "helpers.py").write_text(f"open({str(marker)!r}, 'w')\n")
    said(root, ruff=ruff_program())
    assert not marker.exists()


def test_a_pipe_in_place_of_a_helper(root):
    os.mkfifo(root / "recipes" / "demo" / "helpers.py")
    code = "import sys; from pathlib import Path; from emwheels.author.lint import *; r = Path(sys.argv[1])\n"
    code += "print(len(lint(LintOptions(recipes=r / 'recipes', patches=r / 'patches'))))"
    done = subprocess.run([sys.executable, "-c", code, root], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "0\n"
