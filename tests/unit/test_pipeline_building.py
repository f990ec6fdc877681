from __future__ import annotations

import json
from dataclasses import replace

import pytest
from sample_run import LIBRARY, Compiler, add_recipe, keep, make_environment, wheel_of
from synthetic_wheels import WASM

from emwheels.build.compiler_cache import Hits
from emwheels.errors import AuditError, BuildError, FetchError, RecipeError, StoppedError
from emwheels.outputs.builds import Output
from emwheels.pipeline.building import build_package
from emwheels.pipeline.known import existing, key_of, latest
from emwheels.pipeline.model import Options, Outcome
from emwheels.pipeline.run import make_run
from emwheels.wheel import content_of

MISSES = Hits(misses=12)
BEFORE = {"ccache objects": 12}
"""What the record of a build says that kept its objects."""


@pytest.fixture
def environment(tmp_path):
    environment = make_environment(tmp_path)
    add_recipe(environment, "zlib", LIBRARY)
    add_recipe(environment, "tiny")
    return environment


@pytest.fixture
def run(environment):
    return make_run(environment, [])


@pytest.fixture
def compiler(monkeypatch):
    """A function that puts another `Compiler` in the place of the real one."""

    def compiler(**options):
        made = Compiler(**options)
        made.put_in(monkeypatch)
        return made

    return compiler


@pytest.fixture(autouse=True)
def working(compiler):
    return compiler()


def build(run, name="tiny", outputs=None):
    """Build and return the output, and what was noted."""
    recipe, outcome = run.recipes[name], Outcome(name=name, state="failed")
    return build_package(run, recipe, key_of(run, recipe, outputs or {}), outputs or {}, outcome), outcome


def warnings(environment):
    return [line for line in environment.board.lines if "no hit in the compiler cache" in line]


def test_what_was_built_is_kept_under_its_key(run, environment):
    output, _ = build(run)
    key = key_of(run, run.recipes["tiny"], {})
    assert existing(run, key) == (output, "store")
    wheel = environment.store.get("wheels", output.sha256)
    assert (output.kind, output.filename, output.key) == ("wheels", "tiny-1.0-py3-none-any.whl", key.digest)
    assert (output.size, output.content) == (wheel.stat().st_size, content_of(wheel))
    assert output.seconds == 2.346


def test_the_record_has_what_later_runs_ask_for(run, environment, compiler):
    compiler(hits=Hits(hits=1, misses=2))
    output, _ = build(run)
    record = environment.store.get_record("builds", output.key)
    assert Output.of(record) == output
    assert record["inputs"] == dict(key_of(run, run.recipes["tiny"], {}).inputs)
    assert (record["peak_kib"], record["ccache objects"]) == (4321, 3)
    assert record["audit"]["wheel"] == output.filename
    assert environment.store.get("logs", record["log"]).read_text() == "it compiles\n"


def test_it_is_the_latest_build(run):
    output, _ = build(run)
    assert Output.of(latest(run, "tiny")) == output


def test_what_is_built_aside_is_kept_and_not_the_latest(run, environment):
    before = keep(run, "tiny", file=wheel_of(run, "tiny", "VALUE = 3\n"))
    aside = replace(run, options=Options(aside=("tiny",)))
    output, _ = build(aside)
    assert Output.of(latest(run, "tiny")) == before != output
    assert environment.store.get_record("builds", output.key)["output"]["sha256"] == output.sha256


def test_a_library_is_not_audited(run, environment):
    output, outcome = build(run, "zlib")
    assert (output.kind, output.filename, output.content) == ("libraries", "zlib-1.0.tar.gz", "")
    assert environment.store.get("libraries", output.sha256).read_bytes() == b"archive of zlib"
    assert list(outcome.phases) == ["fetch", "compile"]
    assert latest(run, "zlib")["audit"] == {}


def test_phases_are_noted_and_shown(run, environment):
    _, outcome = build(run)
    assert list(outcome.phases) == ["fetch", "compile", "audit"]
    assert environment.board.lines == ["tiny: fetch", "tiny: compile", "tiny: audit"]


def test_the_compiler_gets_image_toolchain_and_an_own_folder(run, environment, working):
    build(run)
    assert working.given == [(environment.image, environment.toolchain)]
    assert working.work[0].parent == environment.project.cache / "work"
    assert working.inputs[0].recipe is run.recipes["tiny"]
    assert list((environment.project.cache / "work").iterdir()) == []


def test_logs_of_two_profiles_lie_beside_each_other(run, environment):
    for profile in ("speed", "size"):
        build(replace(run, options=Options(profile=profile)))
    names = sorted(path.name for path in (environment.logs / "tiny").iterdir())
    assert names == ["314.0.7-size.log", "314.0.7-speed.log"]


def test_of_a_package_to_compile_against_what_others_see_counts(environment):
    meta = "build:\n  cross-build-env: true\n  cross-build-files: [base.h]\n"
    add_recipe(environment, "base", meta)
    run = make_run(environment, ["base"])
    output, _ = build(run, "base")
    wheel = environment.store.get("wheels", output.sha256)
    assert output.content == content_of(wheel, ["base.h"]) != content_of(wheel)


def test_a_failure_leaves_its_folder_and_what_was_kept_before(run, environment, compiler):
    before = keep(run, "tiny")
    failing = compiler(error=BuildError("it does not compile"))
    with pytest.raises(BuildError, match="it does not compile") as caught:
        build(run)
    assert not failing.work[0].exists()
    assert (environment.project.cache / "failed" / "tiny" / "source").is_dir()
    assert "emwheels debug tiny" in caught.value.hint
    assert Output.of(latest(run, "tiny")) == before
    assert (environment.logs / "tiny" / "314.0.7-speed.log").read_text() == "it compiles\n"


def test_a_wheel_that_must_not_be_published_is_not_kept(run, environment, compiler):
    refused = compiler(tag=WASM)
    with pytest.raises(AuditError, match="must not be published"):
        build(run)
    assert existing(run, key_of(run, run.recipes["tiny"], {})) is None
    assert latest(run, "tiny") is None
    assert not refused.work[0].exists()


def test_what_is_wrong_in_a_recipe_is_said_before_anything_is_fetched(environment, working):
    add_recipe(environment, "tiny", "extra:\n  emwheels:\n    accepted: {}\n")
    with pytest.raises(RecipeError, match="must be a list"):
        build(make_run(environment, ["tiny"]))
    assert (environment.fetcher.asked, working.work) == ([], [])


def test_what_cannot_be_fetched_is_not_compiled(run, environment, working, monkeypatch):
    def fetch(_url, _sha256):
        raise FetchError("no mirror has it")

    monkeypatch.setattr(environment.fetcher, "fetch", fetch)
    with pytest.raises(FetchError, match="no mirror has it"):
        build(run)
    assert working.work == []


def test_nothing_begins_once_everything_is_to_end(run, environment, working):
    run.stopping.set()
    with pytest.raises(StoppedError):
        build(run)
    assert (environment.fetcher.asked, working.work) == ([], [])


def test_a_build_is_not_audited_once_everything_is_to_end(run, monkeypatch):
    class Last(Compiler):
        def __call__(self, inputs, **given):
            run.stopping.set()
            return super().__call__(inputs, **given)

    last = Last()
    last.put_in(monkeypatch)
    with pytest.raises(StoppedError):
        build(run)
    assert not last.work[0].exists()
    assert latest(run, "tiny") is None


def test_hits_are_noted(run, environment, compiler):
    compiler(hits=Hits(hits=11, misses=1))
    keep(run, "tiny", **BEFORE)
    assert build(run)[1].ccache == Hits(hits=11, misses=1)
    assert warnings(environment) == []


def test_without_a_compiler_cache_nothing_is_said_of_it(run, environment, compiler):
    compiler(hits=MISSES)
    keep(run, "tiny", **BEFORE)
    assert build(replace(run, options=Options(ccache=False)))[1].ccache is None
    assert warnings(environment) == []


def test_a_rebuild_without_a_hit_is_a_warning(run, environment, compiler):
    compiler(hits=MISSES)
    keep(run, "tiny", **BEFORE)
    build(run)
    (line,) = warnings(environment)
    assert line.startswith("tiny: warning: no hit in the compiler cache for 12 objects")
    assert str(environment.project.cache / "ccache" / "tiny") in line


def test_other_code_in_the_build_has_a_cache_of_its_own_without_a_hit(run, environment, compiler):
    compiler(hits=MISSES)
    keep(run, "tiny", **BEFORE)
    run.recipes["tiny"].build_lock.write_text("setuptools==2 --hash=sha256:" + "1" * 64)
    build(run)
    assert warnings(environment) == []


def test_a_first_build_has_nothing_to_hit(run, environment, compiler):
    compiler(hits=MISSES)
    build(run)
    assert warnings(environment) == []


def test_a_build_after_one_without_objects_has_nothing_to_hit(run, environment, compiler):
    compiler(hits=MISSES)
    keep(run, "tiny", **{"ccache objects": 0})
    build(run)
    assert warnings(environment) == []


def test_a_package_without_objects_needs_no_hit(run, environment):
    keep(run, "tiny", **BEFORE)
    build(run)
    assert warnings(environment) == []


def test_another_image_or_other_flags_may_miss_every_object(run, environment, compiler):
    compiler(hits=MISSES)
    keep(run, "tiny", **BEFORE)
    environment.image_digest = "sha256:2"
    build(run)
    add_recipe(environment, "tiny", "build:\n  cflags: -DX=1\n")
    build(make_run(environment, ["tiny"]))
    assert warnings(environment) == []


def test_the_report_in_dist_is_the_one_in_the_record(run, environment):
    build(run)
    report = environment.project.dist / "reports" / "tiny" / "audit-314.0.7.json"
    assert json.loads(report.read_text()) == latest(run, "tiny")["audit"]
