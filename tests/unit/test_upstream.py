from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

import pytest

from emwheels.checkout import Checkout
from emwheels.errors import EmwheelsError, RecipeError
from emwheels.harness.model import Case, EngineResult
from emwheels.pipeline.upstream_suite import project_for_tests
from emwheels.recipe.load import load_recipes
from emwheels.upstream import (
    Reason,
    Smoke,
    SuiteResult,
    UpstreamSuite,
    judge,
    lay_out,
    read_result,
    read_suite,
    smoke_of,
    split_requirements,
    write_result,
)

if TYPE_CHECKING:
    from pathlib import Path

GOOD = """
files: [pkg/**/tests, conftest.py]
base: src
into: site-packages
paths: [pkg]
options: [-m, not slow]
requirements: [hypothesis>=6]
left-out:
  - {tests: "pkg/b/*", reason: needs a compiler}
reasons:
  - tests: "*::test_thread*"
    reason: >
      no
      threads
  - {tests: "*", reason: 32-bit}
"""


def write(folder: Path, text: str) -> Path:
    (folder / "upstream.yaml").write_text(text)
    return folder


def test_everything_that_can_be_said(tmp_path: Path) -> None:
    assert read_suite(tmp_path) is None
    assert read_suite(write(tmp_path, GOOD)) == UpstreamSuite(
        files=("pkg/**/tests", "conftest.py"),
        base="src",
        into="site-packages",
        paths=("pkg",),
        options=("-m", "not slow"),
        requirements=("hypothesis>=6",),
        left_out=(Reason(tests="pkg/b/*", reason="needs a compiler"),),
        reasons=(Reason(tests="*::test_thread*", reason="no threads"), Reason(tests="*", reason="32-bit")),
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[", "upstream.yaml"),
        ("3", "must be a mapping"),
        ("paths: [a]", "files: is missing"),
        ("files: tests", "files: must be a list of texts"),
        ("files: [tests]\nfile: x", "file: unknown key"),
        ("files: [../x]", "leads out of the source"),
        ("files: [x]\nbase: /etc", "leads out of the source"),
        ("files: [x]\ninto: somewhere", "into: must be one of tests, site-packages"),
        ("files: [x]\nrequirements: [a b]", "requirements: 'a b' is not a requirement"),
        ("files: [x]\nconftest: ../other.py", "conftest: must be the name of a file beside upstream.yaml"),
        ("files: [x]\nconftest: gone.py", "conftest: must be the name of a file beside upstream.yaml"),
        ("files: [x]\nreasons: [{tests: x}]", "each entry has the keys"),
        ("files: [x]\nleft-out: [{tests: x, reason: ' '}]", "each entry has the keys"),
    ],
)
def test_mistakes(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(RecipeError, match=r"upstream\.yaml") as caught:
        read_suite(write(tmp_path, text))
    assert said in caught.value.message


def test_requirements_of_tests_may_be_recipes() -> None:
    suite = UpstreamSuite(files=("tests",), requirements=("hypothesis<7", "Pillow", "scikit_image>=0.2"))
    assert split_requirements(suite, ["numpy", "pillow", "scikit-image"]) == (
        ["pillow", "scikit-image"],
        ["hypothesis<7"],
    )


def test_files_are_laid_out_without_those_left_out(tmp_path: Path) -> None:
    source = tmp_path / "source" / "src"
    for name in (
        "pkg/a/tests/test_a.py",
        "pkg/a/tests/data/x.bin",
        "pkg/b/tests/test_b.py",
        "pkg/code.py",
        "conftest.py",
    ):
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_text(name)
    (source / "pkg/a/tests/link").symlink_to("/etc/passwd")
    suite = read_suite(write(tmp_path, GOOD))
    assert suite is not None
    assert lay_out(suite, tmp_path / "source", tmp_path / "out") == 3
    found = sorted(path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*.*"))
    assert found == ["conftest.py", "pkg/a/tests/data/x.bin", "pkg/a/tests/test_a.py"]
    with pytest.raises(RecipeError, match=r"nothing in the source is called 'gone'"):
        lay_out(UpstreamSuite(files=("gone",)), tmp_path / "source", tmp_path / "out")


def test_a_conftest_of_the_recipe(tmp_path: Path) -> None:
    (tmp_path / "ours.py").write_text("ours")
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "test_a.py").write_text("")
    suite = read_suite(write(tmp_path, "files: [test_a.py]\nconftest: ours.py"))
    assert suite is not None
    assert lay_out(suite, tmp_path / "source", tmp_path / "out") == 1
    assert (tmp_path / "out" / "conftest.py").read_text() == "ours"
    with pytest.raises(RecipeError, match=r"ours\.py: the suite has a conftest\.py of its own"):
        lay_out(suite, tmp_path / "source", tmp_path / "out")


def case(nodeid: str, outcome: str, message: str = "") -> Case:
    return Case(nodeid=nodeid, outcome=outcome, seconds=0.1, message=message)  # type: ignore[arg-type]


def test_each_failure_gets_the_first_reason_that_fits(tmp_path: Path) -> None:
    cases = (
        case("a.py::test_ok", "passed"),
        case("a.py::test_thread_1", "failed", "E   RuntimeError: can't start new thread"),
        case("a.py::test_thread_2", "failed", "timeout: still running after 120 s"),
        case("b.py", "error", "E   ModuleNotFoundError: No module named 'x'"),
        case("a.py::test_other", "failed", "E   assert 0"),
        case("a.py::test_s", "skipped"),
    )
    engine = EngineResult(engine="node", cases=cases, seconds=12.34, boot_seconds=1, console=tmp_path / "log")
    suite = UpstreamSuite(
        files=("a.py",),
        left_out=(Reason(tests="c.py", reason="slow"),),
        reasons=(Reason(tests="*thread*", reason="no threads"), Reason(tests="b.py", reason="no module x")),
    )
    wheels = {"p": "1" * 64, "numpy": "2" * 64}
    result = judge(
        engine, suite, package="p", version="1", target="t", date="2026-01-02", wheels=wheels, image="sha256:1"
    )
    assert (result.passed, result.failed, result.skipped, result.ran, result.unexplained) == (1, 4, 1, 5, 1)
    assert [(group.reason, group.count, group.tests) for group in result.failures] == [
        ("", 1, ("a.py::test_other",)),
        ("no threads", 2, ("a.py::test_thread_1", "a.py::test_thread_2")),
        ("no module x", 1, ("b.py",)),
    ]
    assert result.failures[1].message == "RuntimeError: can't start new thread"
    assert result.left_out == (("c.py", "slow"),)
    assert (result.wheels, result.image) == (wheels, "sha256:1")
    write_result(result, tmp_path / "deep" / "p.json")
    assert read_result(tmp_path / "deep" / "p.json") == result


def test_a_result_from_before_wheels_were_noted(tmp_path: Path) -> None:
    path = tmp_path / "p.json"
    engine = EngineResult(engine="node", cases=(), seconds=1, boot_seconds=1, console=tmp_path / "log")
    suite = UpstreamSuite(files=("a.py",))
    write_result(
        judge(engine, suite, package="p", version="1", target="t", date="2026-01-02", wheels={"p": "1"}, image="i"),
        path,
    )
    record = json.loads(path.read_text())
    del record["wheels"], record["image"]
    path.write_text(json.dumps(record))
    assert (read_result(path).wheels, read_result(path).image) == ({}, "")


def test_the_part_of_a_suite_that_runs_with_the_tests_of_a_recipe(tmp_path: Path) -> None:
    cases = (
        case("a.py::test_ok", "passed"),
        case("a.py::test_thread", "failed"),
        case("a.py::test_other", "failed"),
        case("b.py", "error"),
        case("a.py::test_s", "skipped"),
    )
    engine = EngineResult(engine="node", cases=cases, seconds=1, boot_seconds=1, console=tmp_path / "log")
    suite = UpstreamSuite(files=("a.py",), reasons=(Reason(tests="*thread*", reason="no threads"),))
    assert smoke_of(engine, suite) == Smoke(passed=1, ran=4, unexplained=(cases[2], cases[3]))


def test_file_that_is_no_result(tmp_path: Path) -> None:
    given = {"package": "p", "version": "1", "target": "1", "engine": "node", "date": "2026-01-02", "seconds": 1.5}
    whole = asdict(SuiteResult(**given, passed=1, failed=0, skipped=0))
    (tmp_path / "x.json").write_text(json.dumps(whole))
    assert read_result(tmp_path / "x.json").passed == 1
    wrong = ({"passed": "3"}, {"seconds": None}, {"wheels": []}, {"failures": [3]}, {"left_out": 3})
    texts = [json.dumps(whole | change) for change in wrong]
    for text in ("{", "[]", "{}", "null", '{"failures": [], "left_out": [], "colour": 1}', *texts):
        (tmp_path / "x.json").write_text(text)
        with pytest.raises(EmwheelsError, match="not the result of a suite"):
            read_result(tmp_path / "x.json")


def test_a_package_is_built_otherwise_for_its_tests(tmp_path: Path) -> None:
    root = tmp_path / "project"
    (root / "recipes" / "tiny").mkdir(parents=True)
    meta = root / "recipes" / "tiny" / "meta.yaml"
    meta.write_text(
        "package: {name: tiny, version: '1.10'}\nsource: {url: 'pkg:pypi/tiny@1.10', sha256: " + "0" * 64 + "}\n"
        "build:\n  backend-flags: |\n    build-dir=b\n"
    )
    before = meta.read_text()
    project = Checkout(root=root, cache=tmp_path / "cache")
    tiny = load_recipes(project.recipes, patches=project.patches)["tiny"]
    other = project_for_tests(project, tiny, "install-args=--tags=tests", tmp_path / "copy")
    recipe = load_recipes(other.recipes, patches=other.patches)["tiny"]
    assert recipe.build.backend_flags.split() == ["build-dir=b", "install-args=--tags=tests"]
    assert recipe.version == "1.10"
    assert other.dist != project.dist
    assert other.cache == project.cache
    assert meta.read_text() == before


@pytest.mark.parametrize("text", ["smoke: " + "[" * 100_000, "files: 2001-99-99"])
def test_a_file_that_cannot_be_read_is_told_by_its_name(tmp_path, text):
    (tmp_path / "upstream.yaml").write_text(text)
    with pytest.raises(RecipeError, match=r"upstream\.yaml"):
        read_suite(tmp_path)
