"""A recipe of another version: what changes, and that nothing does where a step fails or somebody stops it."""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from emwheels.author import bump as bumping
from emwheels.author.bump import bump, changed
from emwheels.checkout import Checkout
from emwheels.errors import BuildError, RecipeError
from emwheels.recipe.load import load_recipes

CHECKOUT = Path(__file__).parents[2]
TEXT = """\
# what it is
package:
  name: tiny
  version: {version} # as upstream has it
source:
  url: {url} # of the index
  sha256: {zeros}
about:
  license: MIT
"""
LIBRARY = "build:\n  type: static_library\n  script: make\n"
SHA = hashlib.sha256(b"").hexdigest()


@pytest.fixture
def project(tmp_path):
    (tmp_path / "patches").mkdir()
    shutil.copyfile(CHECKOUT / "targets.toml", tmp_path / "targets.toml")
    return Checkout(root=tmp_path, cache=tmp_path / "cache")


@pytest.fixture
def make(project):
    def write(version="'1.0'", url="pkg:pypi/tiny@1.0", more=""):
        folder = project.recipes / "tiny"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "meta.yaml").write_text(TEXT.format(version=version, url=url, zeros="0" * 64) + more)
        (folder / "requirements.build.txt").write_text("old==1\n")
        return load_recipes(project.recipes, patches=project.patches)["tiny"]

    return write


@pytest.mark.parametrize(
    ("given", "to", "becomes", "at"),
    [
        (("'1.0'", "pkg:pypi/tiny@1.0"), "1.10", "1.10", "pkg:pypi/tiny@1.10"),
        (
            ("'1.0'", "pkg:pypi/tiny@1.0?file_name=tiny-1.0.zip"),
            "1.1",
            "1.1",
            "pkg:pypi/tiny@1.1?file_name=tiny-1.1.zip",
        ),
        (("1.3.2", "pkg:deb/debian/zlib@1.3.dfsg+really1.3.2"), "1.4+dfsg", "1.4", "pkg:deb/debian/zlib@1.4+dfsg"),
        (("0.3.34", "pkg:deb/debian/b@0.3.34%2Bds"), "0.4+ds", "0.4", "pkg:deb/debian/b@0.4%2Bds"),
        (("20240504", "pkg:deb/debian/f2c@20240504"), "20270101", "20270101", "pkg:deb/debian/f2c@20270101"),
        (("'1.0'", "https://files.example/ab/cd/tiny-1.0.tar.gz"), "1.1", "1.1", "pkg:pypi/tiny@1.1"),
        (("'1.0'", "https://code.example/x/v1.0.tar.gz"), "1.1", "1.1", "https://code.example/x/v1.1.tar.gz"),
    ],
)
def test_what_changes(make, given, to, becomes, at):
    change = changed(make(*given), to)
    assert (change.version, change.url) == (becomes, at)


@pytest.mark.parametrize(
    ("version", "url", "fault"),
    [
        ("'6.31'", "pkg:pypi/otter@1.0", "version 6.31 is not that of its source, otter 1.0"),
        ("'1.0'", "https://code.example/x/9.tar.gz", "the version does not stand in source.url"),
    ],
)
def test_what_people_have_to_change(make, version, url, fault):
    with pytest.raises(RecipeError, match=fault) as caught:
        changed(make(version, url), "2")
    assert "by hand" in caught.value.hint


def parts_of(project):
    return [project.recipes, project.patches, project.targets_file]


def run(project, recipe, *steps, to="1.1", **options):
    return bump(
        project.root,
        recipe,
        changed(recipe, to),
        sha256=lambda url: SHA,
        steps=[(step.__name__, lambda root, step=step: step(replace(project, root=root))) for step in steps],
        parts=parts_of(project),
        folder=project.cache / "bump" / recipe.name,
        **options,
    )


def text_of(project):
    return (project.recipes / "tiny" / "meta.yaml").read_text()


def lock(trial):
    (trial.recipes / "tiny" / "requirements.build.txt").write_text("new==2\n")
    (trial.recipes / "tiny" / "requirements.run.txt").write_text("run==1\n")
    return "locked"


def fail(trial):
    raise BuildError("it does not compile", hint="mend it")


def test_all_went_well(make, project):
    recipe = make()
    before = text_of(project)

    def looks(trial):
        assert trial.root != project.root
        assert load_recipes(trial.recipes, patches=trial.patches)["tiny"].version == "1.1"
        assert text_of(project) == before
        (trial.root / "docs").mkdir()
        (trial.root / "docs" / "tiny.json").write_text("{}")
        return "fine"

    done = run(project, recipe, lock, looks, also=["docs/tiny.json"])
    assert (done.error, done.written, done.steps) == (None, True, (("lock", "locked"), ("looks", "fine")))
    assert text_of(project) == TEXT.format(version="'1.1'", url="pkg:pypi/tiny@1.1", zeros=SHA)
    assert (project.recipes / "tiny" / "requirements.build.txt").read_text() == "new==2\n"
    assert (project.recipes / "tiny" / "requirements.run.txt").read_text() == "run==1\n"
    assert (project.root / "docs" / "tiny.json").read_text() == "{}"
    assert "-  url: pkg:pypi/tiny@1.0 # of the index" in done.diff
    assert not (project.cache / "bump" / "tiny").exists()


def state(project):
    return {path: path.read_bytes() for path in sorted(project.recipes.rglob("*")) if path.is_file()}


def test_a_step_that_fails_leaves_the_recipe_as_it_was(make, project):
    recipe = make()
    before = state(project)
    done = run(project, recipe, lock, fail)
    assert state(project) == before
    assert (done.error.message, done.written, done.steps) == ("it does not compile", False, (("lock", "locked"),))
    assert "+  url: pkg:pypi/tiny@1.1" in done.diff
    tried = project.cache / "bump" / "tiny" / "recipes" / "tiny" / "meta.yaml"
    assert "tiny@1.1" in tried.read_text()


def test_a_disk_that_is_full_is_a_failure_like_others(make, project):
    recipe = make()
    before = state(project)

    def full(trial):
        raise OSError(28, "No space left on device", "x")

    done = run(project, recipe, full)
    assert state(project) == before
    assert "No space left on device" in done.error.message


def test_what_is_kept_all_the_same(make, project):
    done = run(project, make(), lock, fail, keep=True)
    assert done.error is not None
    assert done.written
    assert "tiny@1.1" in text_of(project)


def test_stopped(make, project):
    recipe = make()
    before = state(project)

    def stop(trial):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(project, recipe, lock, stop)
    assert state(project) == before


@pytest.mark.parametrize("at", [1, 2, 3])
def test_stopped_while_it_is_taken_over(make, project, monkeypatch, at):
    recipe = make()
    before = state(project)
    put, calls = bumping._put, []

    def stopped(path, content):
        calls.append(path)
        if len(calls) == at:
            raise KeyboardInterrupt
        put(path, content)

    monkeypatch.setattr(bumping, "_put", stopped)
    with pytest.raises(KeyboardInterrupt):
        run(project, recipe, lock)
    assert state(project) == before


def test_a_recipe_that_somebody_changes_meanwhile_stays_theirs(make, project):
    recipe = make()

    def edits(trial):
        (project.recipes / "tiny" / "meta.yaml").write_text("theirs\n")
        return ""

    with pytest.raises(RecipeError, match=r"meta\.yaml: changed while the new version was tried"):
        run(project, recipe, edits)
    assert text_of(project) == "theirs\n"


def test_another_attempt_starts_afresh(make, project):
    recipe = make()
    run(project, recipe, lock, fail)
    done = run(project, recipe)
    assert done.error is None
    assert (project.recipes / "tiny" / "requirements.build.txt").read_text() == "old==1\n"


def test_a_source_that_cannot_be_had(make, project):
    recipe = make()
    before = state(project)

    def nothing(url):
        raise BuildError(f"{url} is not there")

    options = {"steps": [], "parts": parts_of(project), "folder": project.cache / "x"}
    done = bump(project.root, recipe, changed(recipe, "9"), sha256=nothing, **options)
    assert (done.error.message, done.diff, done.written) == ("pkg:pypi/tiny@9 is not there", "", False)
    assert state(project) == before
