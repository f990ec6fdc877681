from __future__ import annotations

import json
from dataclasses import replace

import pytest
from sample_run import add_recipe, keep, make_environment, wheel_of
from synthetic_wheels import WASM, make_wheel
from wasm_encoding import HEADER, custom, name, sized, vector

from emwheels.audit import audit_wheel
from emwheels.errors import AuditError, RecipeError
from emwheels.pipeline.judging import judge_tests, judge_wheel
from emwheels.pipeline.model import Options
from emwheels.pipeline.run import make_run

BIG = "VALUE = '" + "x" * 5000 + "'\n"


def side_module(*needed):
    """Encode a shared library that is linked to others."""
    return HEADER + custom("dylink.0", b"\x02" + sized(vector(*map(name, needed))))


@pytest.fixture
def environment(tmp_path):
    environment = make_environment(tmp_path)
    add_recipe(environment, "base")
    add_recipe(environment, "tiny", "requirements:\n  run: [base, elsewhere]\n")
    return environment


@pytest.fixture
def run(environment):
    return make_run(environment, [])


@pytest.fixture
def judge(run):
    def judge(wheel, outputs=None, **options):
        given = replace(run, options=Options(**options))
        return judge_wheel(given, run.recipes["tiny"], wheel, outputs or {})

    return judge


@pytest.fixture
def bad(run):
    """A wheel that lost its extension: it is tagged for a platform and has nothing of it."""
    return wheel_of(run, "tiny", tag=WASM)


def test_a_good_wheel_has_a_report(run, judge, environment):
    wheel = wheel_of(run, "tiny")
    report = judge(wheel)
    assert (report["wheel"], report["size"], report["findings"]) == (wheel.name, wheel.stat().st_size, [])
    written = environment.project.dist / "reports" / "tiny" / "audit-314.0.7.json"
    assert json.loads(written.read_text()) == report
    assert environment.board.lines == []
    assert not environment.logs.exists()


def test_reports_of_another_profile_lie_elsewhere(run, judge, environment):
    judge(wheel_of(run, "tiny"), profile="size")
    assert (environment.project.dist / "size" / "reports" / "tiny" / "audit-314.0.7.json").is_file()
    assert not (environment.project.dist / "reports").exists()


def test_a_wheel_with_an_error_is_refused_and_kept_beside_the_logs(judge, environment, bad):
    with pytest.raises(AuditError, match="must not be published") as caught:
        judge(bad)
    rejected = environment.logs / "tiny" / "rejected" / bad.name
    assert rejected.read_bytes() == bad.read_bytes()
    assert f"\n  tag: {bad.name}: it has no shared library" in caught.value.message
    assert str(rejected) in caught.value.hint
    assert str(environment.project.dist / "reports" / "tiny") in caught.value.hint


def test_the_report_of_a_wheel_that_is_refused_is_written_and_shown(judge, environment, bad):
    with pytest.raises(AuditError):
        judge(bad)
    report = json.loads((environment.project.dist / "reports" / "tiny" / "audit-314.0.7.json").read_text())
    assert [finding["rule"] for finding in report["findings"]] == ["tag"]
    (line,) = environment.board.lines
    assert line.startswith(f"tiny: audit error: tag: {bad.name}: it has no shared library")
    assert list(environment.project.dist.rglob("*.whl")) == []


def test_a_path_of_the_build_is_found(run, judge):
    with pytest.raises(AuditError, match="build-path"):
        judge(wheel_of(run, "tiny", "WHERE = '/mnt/work/source'\n"))


def test_a_wheel_that_grew_is_published_with_a_warning(run, judge, environment):
    keep(run, "tiny")
    report = judge(wheel_of(run, "tiny", BIG))
    assert [(finding["severity"], finding["rule"]) for finding in report["findings"]] == [("warning", "size")]
    assert "accepted last" in environment.board.lines[0]
    assert environment.board.lines[0].startswith("tiny: audit warning: size: ")


def test_a_package_that_is_built_aside_has_no_accepted_size(run, judge):
    keep(run, "tiny")
    big = wheel_of(run, "tiny", BIG)
    assert judge(big, aside=("tiny",))["findings"] == []
    assert judge(big, aside=("base",))["findings"] != []


def test_sizes_of_another_profile_are_not_compared(run, judge):
    keep(run, "tiny")
    assert judge(wheel_of(run, "tiny", BIG), profile="size")["findings"] == []


@pytest.mark.parametrize("spelling", ["base", "Base"])
def test_a_library_of_a_run_requirement_is_found(environment, spelling):
    add_recipe(environment, "tiny", f"requirements:\n  run: [{spelling}]\n")
    run = make_run(environment, [])

    def judge(wheel, outputs=None):
        return judge_wheel(run, run.recipes["tiny"], wheel, outputs or {})

    files = {"tiny/_core.so": side_module("libbase.so")}
    wheel = wheel_of(run, "tiny", tag=WASM, files=files)
    base = keep(run, "base", file=wheel_of(run, "base", tag=WASM, files={"base.libs/libbase.so": side_module()}))
    report = judge(wheel, {"base": base})
    assert report["findings"] == []
    assert [module["needed"] for module in report["modules"]] == [["libbase.so"]]
    with pytest.raises(AuditError, match=r"needs libbase\.so|libbase\.so, which neither"):
        judge(wheel)


def test_a_runtime_that_cannot_be_read_is_told_by_its_folder(run, judge, environment):
    (environment.runtime / "pyodide.asm.wasm").unlink()
    with pytest.raises(AuditError, match=r"the runtime in .* cannot be read"):
        judge(wheel_of(run, "tiny"))


def test_what_a_recipe_accepts_has_to_be_written_in_full(run, environment):
    add_recipe(environment, "tiny", "extra:\n  emwheels:\n    accepted: [{rule: split-type}]\n")
    again = make_run(environment, ["tiny"])
    with pytest.raises(RecipeError, match=r"extra\.emwheels\.accepted\[0\]"):
        judge_wheel(again, again.recipes["tiny"], wheel_of(run, "tiny"), {})


def test_what_a_recipe_accepts_reaches_the_audit(run, environment, monkeypatch):
    accepted = "[{rule: split-type, what: 'geos::*', reason: They are not passed on.}]"
    add_recipe(environment, "tiny", f"extra:\n  emwheels:\n    accepted: {accepted}\n")
    again, asked = make_run(environment, ["tiny"]), []

    def audit(wheel, **options):
        asked.append(options["accepted_types"])
        return audit_wheel(wheel, **options)

    monkeypatch.setattr("emwheels.pipeline.judging.audit_wheel", audit)
    judge_wheel(again, again.recipes["tiny"], wheel_of(run, "tiny"), {})
    assert asked == [["geos::*"]]


def test_the_wheel_with_the_tests_is_judged_beside_the_other(run, tmp_path, environment):
    wheel = wheel_of(run, "tiny")
    tests = make_wheel(tmp_path, "tiny_tests", files={"tiny/tests/test_a.py": "", "tests/test_b.py": ""})
    judge_tests(run, run.recipes["tiny"], tests, wheel, {})
    assert (environment.project.dist / "reports" / "tiny" / "tests" / "audit-314.0.7.json").is_file()
    assert environment.board.lines == []
    other = make_wheel(tmp_path, "other_tests", files={"tiny/tests/test_a.py": ""})
    with pytest.raises(AuditError, match=r"identity: .* it is other-tests 1\.0, and the recipe is for tiny-tests 1\.0"):
        judge_tests(run, run.recipes["tiny"], other, wheel, {})
