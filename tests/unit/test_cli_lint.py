"""``emwheels lint``: what is printed, what is mended, which recipes are looked at, and the exit status."""

from __future__ import annotations

import shutil
import subprocess

import pytest
from sample_run import LIBRARY, add_recipe, keep, make_environment
from small_project import make_command

from emwheels.author.lint import RULES
from emwheels.pipeline.model import Options
from emwheels.pipeline.run import make_run

ABOUT = "about:\n  home: https://a.example\n  summary: Something\n  license: MIT\n"
TEST = {"test_x.py": "def test_x():\n    assert 1\n"}
UNSORTED = "requirements:\n  run:\n    - zeta\n    - alpha\n"


@pytest.fixture
def environment(tmp_path):
    environment = make_environment(tmp_path)
    for name in ("alpha", "zeta"):
        add_recipe(environment, name, ABOUT, files=TEST)
    return environment


@pytest.fixture
def command(environment, monkeypatch, capsys):
    monkeypatch.setattr("emwheels.cli.lint.ruff_program", lambda: None)
    monkeypatch.setattr("emwheels.cli.main.load_targets", lambda file, use: environment.asked)
    return make_command(environment.project.root, monkeypatch, capsys, cache=environment.project.cache)


def test_nothing_to_mend(command):
    assert command("lint").out == "nothing to mend\n"
    assert command("lint", "--json").json() == []


def test_what_is_wrong_with_its_place_and_what_to_do(command, environment):
    add_recipe(environment, "app", UNSORTED + ABOUT.replace("MIT", "Mine"), files=TEST)
    said = command("lint", status=3).out.splitlines()
    assert said[0] == "recipes/app/meta.yaml:8:3: order: requirements.run: is not sorted"
    assert said[1] == "recipes/app/meta.yaml:14:3: licence: about.license: Mine is no SPDX expression"
    assert said[2] == f"  licence: {RULES['licence'].why}; {RULES['licence'].mend}"
    assert said[-1] == "2 left, 1 of them by --fix"
    rows = command("lint", "app", "--json", status=3).json()
    assert [(row["rule"], row["line"], row["column"], row["mendable"]) for row in rows] == [
        ("order", 8, 3, True), ("licence", 14, 3, False),
    ]  # fmt: skip
    assert command("lint", "alpha").out == "nothing to mend\n"


def test_fix_says_what_it_did(command, environment):
    folder = add_recipe(environment, "app", UNSORTED.replace("- zeta", "- zeta  # why") + ABOUT, files=TEST)
    assert command("lint", "--fix").out.splitlines() == [
        "recipes/app/meta.yaml:8:3: order: requirements.run: is not sorted (mended)", "1 mended, nothing to mend",
    ]  # fmt: skip
    assert "    - alpha\n    - zeta  # why\n" in (folder / "meta.yaml").read_text()
    assert command("lint", "--fix").out == "nothing to mend\n"


def test_fix_as_json(command, environment):
    add_recipe(environment, "app", UNSORTED + ABOUT.replace("MIT", "Mine"), files=TEST)
    rows = command("lint", "--fix", "--json", status=3).json()
    assert [(row["rule"], row["mended"]) for row in rows] == [("order", True), ("licence", False)]


def test_top_level_of_the_last_wheel(command, environment):
    folder = add_recipe(environment, "alpha", ABOUT, files=TEST)
    keep(make_run(environment, ["alpha"], Options()), "alpha")
    meta = folder / "meta.yaml"
    meta.write_text(meta.read_text().replace("source:", "  top-level: [alpha, alpa]\nsource:"))
    (said, *_) = command("lint", "alpha", status=3).out.splitlines()
    assert said.endswith("top-level: package.top-level[1]: the built wheel has no alpa; did you mean alpha?")


def git(root, *arguments):
    identity = ["-c", "user.name=Somebody", "-c", "user.email=somebody@example.org"]
    subprocess.run(["git", "-C", root, *identity, *arguments], check=True, capture_output=True)


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_only_what_changed(command, environment):
    root = environment.project.root
    for name in ("old", "newer", "patched"):
        add_recipe(environment, name, UNSORTED + ABOUT, files=TEST)
    git(root, "init")
    git(root, "add", ".")
    git(root, "commit", "-m", "first")
    assert command("lint", "--changed").out == "nothing to mend\n"
    add_recipe(environment, "newest", UNSORTED + ABOUT, files=TEST)
    (root / "recipes" / "newer" / "test_x.py").write_text("def test_x():\n    assert 2\n")
    (root / "patches" / "patched").mkdir(parents=True)
    (root / "patches" / "patched" / "0001-x.patch").write_text("One.\nTwo.\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n")
    shutil.rmtree(root / "recipes" / "old")
    rows = command("lint", "--changed", "--json", status=3).json()
    assert {row["recipe"] for row in rows} == {"newest", "newer", "patched"}
    git(root, "add", ".")
    git(root, "commit", "-m", "second")
    assert command("lint", "--changed", "--json").json() == []
    rows = command("lint", "--since", "HEAD~1", "--json", status=3).json()
    assert {row["recipe"] for row in rows} == {"newest", "newer", "patched"}
    assert "git cannot say what changed" in command("lint", "--since", "nowhere", status=2).err
    assert "is no revision" in command("lint", "--since=--output=x", status=2).err


def test_what_was_asked_for_wrongly(command, monkeypatch):
    assert "did you mean alpha?" in command("lint", "alpa", status=2).err
    assert "not both" in command("lint", "alpha", "--changed", status=2).err
    monkeypatch.setenv("PATH", "/nowhere")
    assert "git is not installed" in command("lint", "--changed", status=2).err


def test_rules(command):
    rows = command("lint", "--rules", "--json").json()
    assert [row["rule"] for row in rows] == list(RULES)
    said = command("lint", "--rules").out
    assert all(f"{rule.what}\n" in said and f"  do: {rule.mend}\n" in said for rule in RULES.values())


def test_a_library_needs_no_test(command, environment):
    add_recipe(environment, "lib", LIBRARY + ABOUT, locked=False)
    assert command("lint", "lib").out == "nothing to mend\n"


def test_what_acts_on_a_terminal_is_shown(command, environment):
    add_recipe(environment, "app", ABOUT.replace("MIT", '"\\e[31mMIT"'), files=TEST)
    said = command("lint", "app", status=3).out
    assert "\x1b" not in said
    assert "\\x1b[31mMIT is no SPDX expression" in said
