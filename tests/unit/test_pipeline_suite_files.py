from __future__ import annotations

import pytest
from packed import tar_gz
from sample_run import add_recipe, make_environment
from synthetic_wheels import make_wheel

from emwheels.errors import RecipeError
from emwheels.pipeline.run import make_run
from emwheels.pipeline.suite_files import staged
from emwheels.upstream import read_suite

SOURCE = {"tests/test_a.py": "A", "tests/test_b.py": "B", "tests/data/x.txt": "X", "tiny/core.py": "C"}
SUITE = "files: [tests]\npaths: [tests]\noptions: [-q]\n"


def archive(files):
    """Return a source distribution: a tar.gz with one folder at its top."""
    return tar_gz({f"tiny-1.0/{name}": text for name, text in files.items()})


@pytest.fixture
def environment(tmp_path):
    environment = make_environment(tmp_path)
    environment.fetcher.give("pkg:pypi/tiny@1.0", ("tiny-1.0.tar.gz", archive(SOURCE)))
    add_recipe(environment, "helper")
    return environment


@pytest.fixture
def stage(environment):
    """Lay out what an upstream.yaml says; the recipe has other files as well."""

    def stage(text=SUITE, files=None, source="", **options):
        add_recipe(environment, "tiny", files={"upstream.yaml": text, **(files or {})}, source=source)
        recipe = make_run(environment, ["tiny"]).recipes["tiny"]
        return staged(environment, recipe, read_suite(recipe.folder), **options)

    return stage


def files(folder):
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


def test_the_tests_are_taken_out_of_the_source(stage):
    with stage() as ready:
        assert files(ready.tests) == {name: text for name, text in SOURCE.items() if name.startswith("tests/")}
        assert ready.files == 3
        assert (ready.suite.root, ready.suite.paths, ready.suite.options) == ("/tests", ("tests",), ("-q",))
        assert ready.beside == ()


def test_they_are_gone_afterwards(stage):
    with stage() as ready:
        assert ready.tests.is_dir()
    assert not ready.tests.parent.exists()


def test_they_are_gone_if_their_run_fails(stage):
    context = stage()
    ready = context.__enter__()
    assert context.__exit__(ValueError, ValueError("broken"), None) is not True
    assert not ready.tests.parent.exists()


def test_tests_of_an_installed_package_go_where_it_is(stage):
    with stage(f"{SUITE}into: site-packages\n") as ready:
        assert ready.suite.root == "/lib/python3.14/site-packages"


def test_of_a_smoke_run_only_its_files_are_collected(stage):
    text = f"{SUITE}smoke: [tests/test_b.py]\n"
    with stage(text, smoke=True) as ready:
        assert ready.suite.paths == ("tests/test_b.py",)
        assert ready.files == 3, "the others may be imported"
    with stage(text) as ready:
        assert ready.suite.paths == ("tests",)


def test_a_smoke_file_that_is_not_there_is_named(stage, environment):
    text = f"{SUITE}smoke: [tests/test_b.py, tests/test_moved.py]\n"
    with (
        pytest.raises(RecipeError, match=r"not among the files: tests/test_moved\.py$") as caught,
        stage(text, smoke=True),
    ):
        pytest.fail("it was laid out")
    assert str(environment.project.recipes / "tiny" / "upstream.yaml") in caught.value.message
    with stage(text) as ready:
        assert ready.files == 3


def test_a_pattern_without_files_is_told(stage):
    with pytest.raises(RecipeError, match="nothing in the source is called 'moved'"), stage("files: [moved]\n"):
        pytest.fail("it was laid out")


def test_requirements_that_are_locked_are_served_beside(stage, environment, tmp_path):
    wheel = make_wheel(tmp_path / "wheels", "hypothesis", "6.1")
    lock = environment.project.recipes / "tiny" / "requirements.upstream.txt"
    environment.fetcher.give(lock, (wheel.name, wheel.read_bytes()))
    with stage(f"{SUITE}requirements: ['hypothesis<7']\n", {lock.name: "hypothesis==6.1\n"}) as ready:
        assert ready.suite.requirements == ("hypothesis<7",)
        assert [path.name for path in ready.beside] == [wheel.name]
        assert ready.beside[0].read_bytes() == wheel.read_bytes()
    tags = f"{environment.target.platform_tag} pyodide_2026_0_wasm32 any"
    assert f"tiny/{lock.name} 3.14 {tags}" in environment.fetcher.asked


def test_requirements_without_a_lock_are_refused(stage, environment):
    with (
        pytest.raises(RecipeError, match=r"there is no requirements\.upstream\.txt") as caught,
        stage(f"{SUITE}requirements: [hypothesis]\n"),
    ):
        pytest.fail("it was laid out")
    assert str(environment.project.recipes / "tiny") in caught.value.message
    assert caught.value.hint == "make it: emwheels lock tiny"
    assert environment.fetcher.asked == []


@pytest.mark.parametrize("helper", ["helper", "Helper>=1"])
def test_a_recipe_among_the_requirements_is_installed_only_if_it_takes_part(stage, environment, helper):
    text = f"{SUITE}requirements: ['{helper}']\n"
    with stage(text, also=["helper"]) as ready:
        assert (ready.suite.requirements, ready.beside) == ((helper,), ())
    with stage(text) as ready:
        assert ready.suite.requirements == ()
    assert environment.fetcher.asked == ["pkg:pypi/tiny@1.0"] * 2


def test_the_suite_of_a_source_that_is_a_folder(stage, environment):
    tests = environment.project.recipes / "tiny" / "src" / "tests"
    tests.mkdir(parents=True)
    (tests / "test_a.py").write_text("of the folder")
    with stage(source="path: src") as ready:
        assert files(ready.tests) == {"tests/test_a.py": "of the folder"}
