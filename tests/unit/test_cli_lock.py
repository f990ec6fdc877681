"""``emwheels lock``: which requirements are locked where; the resolver itself is in test_lock.py."""

from __future__ import annotations

import pytest
from packed import tar_gz
from sample_run import LIBRARY, add_recipe, make_environment
from small_project import make_command_in

from emwheels.errors import RecipeError
from emwheels.fetch.lock import Pinned

PYPROJECT = '[build-system]\nrequires = ["setuptools>=77", "numpy>=2"]\n'


@pytest.fixture
def environment(tmp_path):
    environment = make_environment(tmp_path)
    add_recipe(environment, "tiny")
    environment.fetcher.give("pkg:pypi/tiny@1.0", ("tiny-1.0.tar.gz", tar_gz({"tiny-1.0/pyproject.toml": PYPROJECT})))
    return environment


@pytest.fixture
def locked(monkeypatch, environment):
    """What was locked into which file, relative to the recipes; each file is written."""
    calls = {}

    def lock(requirements, destination, *, pythons, **options):
        calls[f"{destination.parent.name}/{destination.name}"] = list(requirements)
        calls["pythons"], calls["recipes"] = list(pythons), options.get("recipes", calls.get("recipes"))
        destination.write_text("locked\n")
        calls["any_index"] = options["any_index"]
        return [Pinned(name="cython", version="3.2", index="https://index.example/simple/")]

    monkeypatch.setattr("emwheels.pipeline.locking.lock_build_requirements", lock)
    monkeypatch.setattr("emwheels.pipeline.locking.lock_pure_requirements", lock)
    monkeypatch.setattr("emwheels.pipeline.locking.ask_backend", lambda *_arguments, **_options: [])
    return calls


@pytest.fixture
def command(environment, locked, monkeypatch, capsys):
    monkeypatch.setattr("emwheels.pipeline.locking.Downloader", lambda **_options: None)
    return make_command_in(environment, "lock", monkeypatch, capsys)


def test_build_requirements_are_those_of_the_source(command, locked, environment):
    assert command("lock", "tiny").out == "recipes/tiny/requirements.build.txt\n"
    assert locked["tiny/requirements.build.txt"] == ["setuptools>=77", "numpy>=2"]
    assert locked["pythons"] == sorted({target.python_minor for target in environment.targets.targets.values()})


def test_it_is_told_from_which_index_each_version_came(command, environment):
    command("lock", "tiny")
    assert environment.board.lines[-1] == "tiny: cython 3.2 from https://index.example/simple/"


def test_projects_that_may_come_from_any_index_are_passed_on(command, locked):
    command("lock", "tiny", "--any-index", "cython", "--any-index", "six")
    assert locked["any_index"] == ("cython", "six")


def test_a_direct_reference_of_the_source_is_refused_by_file_and_line(command, environment, locked):
    text = '[build-system]\nrequires = [\n  "setuptools",\n  "evil @ git+https://u:secret@example.org/evil",\n]\n'
    environment.fetcher.give("pkg:pypi/tiny@1.0", ("tiny-1.0.tar.gz", tar_gz({"tiny-1.0/pyproject.toml": text})))
    said = command("lock", "tiny", status=3).err
    assert "tiny-1.0.tar.gz: pyproject.toml:4: build-system.requires: evil is a repository" in said
    assert "name the package and a version" in said
    assert "secret" not in said
    assert locked == {}


@pytest.mark.parametrize(
    ("more", "files", "where"),
    [
        ("requirements:\n  build-extras: ['evil @ https://example.org/evil.whl']\n", {}, "meta.yaml:"),
        ("", {"upstream.yaml": "files: [tests]\nrequirements:\n- six\n- evil @ https://example.org/x.whl\n"}, "line 4"),
    ],
)
def test_a_direct_reference_of_a_recipe_is_refused(command, environment, more, files, where):
    add_recipe(environment, "tiny", more, files=files)
    said = command("lock", "tiny", status=3).err
    assert where in said
    assert "is a direct reference; write NAME==VERSION" in said


def test_a_recipe_is_found_in_any_spelling_of_its_name(command):
    assert command("lock", "Tiny").out == "recipes/tiny/requirements.build.txt\n"


def test_a_recipe_adds_what_its_backend_asks_for(command, locked, environment):
    add_recipe(environment, "tiny", "requirements:\n  build-extras: [ninja]\n")
    command("lock", "tiny")
    assert locked["tiny/requirements.build.txt"] == ["setuptools>=77", "numpy>=2", "ninja"]


def test_what_is_compiled_against_is_at_the_version_of_its_recipe(command, locked, environment):
    add_recipe(
        environment,
        "numpy",
        "build:\n  cross-build-env: true\n  cross-build-files: [numpy/core.h]\n",
        version="2.5.1",
    )
    add_recipe(environment, "tiny", "requirements:\n  host: [numpy]\n")
    command("lock", "tiny")
    assert locked["tiny/requirements.build.txt"] == ["setuptools>=77", "numpy==2.5.1"]


def test_run_requirements_that_no_recipe_builds_are_locked_too(command, locked, environment):
    add_recipe(environment, "zlib", LIBRARY)
    add_recipe(environment, "base")
    add_recipe(environment, "tiny", "requirements:\n  run: [base, six]\n")
    assert command("lock", "tiny").out.splitlines() == [
        "recipes/tiny/requirements.build.txt",
        "recipes/tiny/requirements.run.txt",
    ]
    assert locked["tiny/requirements.run.txt"] == ["six"]
    assert locked["recipes"] == {"base": "1.0", "tiny": "1.0"}, "a library of C answers no requirement"
    assert any("requirements.run.txt" in each for each in environment.fetcher.asked), "they are fetched at once"


def test_a_lock_that_nothing_needs_any_more_is_removed(command, environment):
    folder = environment.project.recipes / "tiny"
    for name in ("requirements.run.txt", "requirements.upstream.txt"):
        (folder / name).write_text("six==1.16\n")
    assert command("lock", "tiny").out == "recipes/tiny/requirements.build.txt\n"
    assert sorted(path.name for path in folder.iterdir()) == ["meta.yaml", "requirements.build.txt"]


def test_requirements_of_upstream_s_tests_are_locked_but_for_recipes(command, locked, environment):
    add_recipe(environment, "base")
    suite = {"upstream.yaml": "files: [tests]\nrequirements: [Base, 'hypothesis>=6']\n"}
    add_recipe(environment, "tiny", files=suite)
    assert command("lock", "tiny").out.splitlines()[-1] == "recipes/tiny/requirements.upstream.txt"
    assert locked["tiny/requirements.upstream.txt"] == ["hypothesis>=6"]


def test_several_at_once(command, locked, environment):
    add_recipe(environment, "base")
    environment.fetcher.give("pkg:pypi/base@1.0", ("base-1.0.tar.gz", tar_gz({"base-1.0/setup.py": ""})))
    assert command("lock", "base", "tiny").out.splitlines() == [
        "recipes/base/requirements.build.txt",
        "recipes/tiny/requirements.build.txt",
    ]
    assert locked["base/requirements.build.txt"] == ["setuptools>=40.8.0"], "without a pyproject.toml (PEP 518)"


def test_a_library_has_nothing_to_lock(command, locked, environment):
    add_recipe(environment, "zlib", LIBRARY)
    said = command("lock", "zlib", status=2)
    assert said.err == "emwheels: zlib has no build requirements of its own: it is a static_library\n"
    assert locked == {}


def test_a_recipe_that_there_is_not(command, locked):
    assert "there is no recipe tinny; did you mean tiny?" in command("lock", "tinny", status=2).err
    assert locked == {}


def test_a_source_whose_pyproject_is_wrong(command, environment):
    bad = tar_gz({"tiny-1.0/pyproject.toml": "[build-system\n"})
    environment.fetcher.give("pkg:pypi/tiny@1.0", ("tiny-1.0.tar.gz", bad))
    said = command("lock", "tiny", status=3)
    assert "pyproject.toml" in said.err
    assert "a patch of the recipe can correct it" in said.err


def test_without_a_solution_the_lock_of_before_stays(command, environment, monkeypatch):
    def fail(*_arguments, **_options):
        raise RecipeError("no solution found", hint="loosen them")

    monkeypatch.setattr("emwheels.pipeline.locking.lock_build_requirements", fail)
    before = (environment.project.recipes / "tiny" / "requirements.build.txt").read_bytes()
    assert command("lock", "tiny", status=3).err == "emwheels: no solution found\n  loosen them\n"
    assert (environment.project.recipes / "tiny" / "requirements.build.txt").read_bytes() == before


def test_a_name_is_needed(command):
    assert "required: NAME" in command("lock", status=2).err


def test_a_bad_recipe_is_left_out_and_those_beside_it_are_locked(command, environment, locked):
    add_recipe(environment, "bad", "bild: {}\n")
    assert "bild: unknown key" in command("lock", "tiny", "bad", status=3).err
    assert "tiny/requirements.build.txt" in locked
    said = command("lock", "tiny").err
    assert "warning: bad left out, as its recipe has errors; see: emwheels list" in said
    assert "bild" not in said


def test_a_pattern_locks_packages_alone(command, environment, locked):
    add_recipe(environment, "zlib", LIBRARY)
    assert command("lock", "*").out == "recipes/tiny/requirements.build.txt\n"


def test_the_folder_of_the_archive_is_that_of_the_recipe(command, environment, locked):
    source = tar_gz({"a/pyproject.toml": PYPROJECT, "b/x": ""})
    environment.fetcher.give("pkg:pypi/two@1.0", ("two-1.0.tar.gz", source))
    where = f"url: pkg:pypi/two@1.0\n  sha256: {'0' * 64}\n  extract_dir: "
    add_recipe(environment, "two", source=f"{where}a")
    command("lock", "two")
    assert locked["two/requirements.build.txt"] == ["setuptools>=77", "numpy>=2"]
    add_recipe(environment, "two", source=f"{where}c")
    said = command("lock", "two", status=3).err
    assert "meta.yaml: source.extract_dir: two-1.0.tar.gz has no folder 'c'" in said
    assert "at its top are: a, b" in said


def test_what_the_recipe_s_own_tests_need_is_locked_less_recipes(command, environment, locked):
    add_recipe(environment, "other")
    meta = "extra:\n  emwheels:\n    test: {requirements: ['hypothesis>=6', Other]}\n"
    file = add_recipe(environment, "tiny", meta) / "requirements.test.txt"
    assert command("lock", "tiny").out.splitlines()[-1] == "recipes/tiny/requirements.test.txt"
    assert locked["tiny/requirements.test.txt"] == ["hypothesis>=6"]
    add_recipe(environment, "tiny")
    command("lock", "tiny")
    assert not file.exists(), "it is needed no more"
