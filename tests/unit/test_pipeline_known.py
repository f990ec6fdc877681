from __future__ import annotations

from dataclasses import replace

import pytest
from sample_run import IMAGE, LIBRARY, add_recipe, keep, make_environment

from emwheels.outputs.builds import Builds
from emwheels.outputs.remote.folder import LocalFolder
from emwheels.pipeline.environment import Environment
from emwheels.pipeline.known import KnownBuilds, existing, fault, key_from, key_of, latest
from emwheels.pipeline.model import Options
from emwheels.pipeline.run import make_run
from emwheels.recipe.load import load_recipe


@pytest.fixture
def environment(tmp_path):
    environment = make_environment(tmp_path)
    add_recipe(environment, "zlib", LIBRARY)
    add_recipe(environment, "tiny", "requirements:\n  host: [ZLib]\n")
    return environment


@pytest.fixture
def run(environment):
    return make_run(environment, [])


@pytest.fixture
def zlib(run, tmp_path):
    (tmp_path / "archive").write_bytes(b"library")
    return keep(run, "zlib", file=tmp_path / "archive")


def key(run, **identities):
    return key_from(run, run.recipes["tiny"], identities or {"zlib": "1"})


def changed(one, other):
    return other.changed(one.inputs)


def test_a_key_names_everything_that_the_build_stands_on(run):
    inputs = key(run).inputs
    assert inputs["image"] == IMAGE
    assert inputs["toolchain"] == "debian"
    assert inputs["dependencies"] == {"zlib": "1"}
    assert list(inputs["profile"]) == ["speed"]
    assert inputs["target"]["name"] == "314.0.7"
    assert key(run).digest == key(run).digest


def test_another_profile_is_another_key(run, environment):
    other = make_run(environment, [], Options(profile="size"))
    assert changed(key(run), key(other)) == ["profile/size", "profile/speed"]


@pytest.mark.parametrize(
    "options", [{"engines": ("node",)}, {"test": False}, {"rebuild": True}, {"ccache": False}, {"jobs": 1}]
)
def test_what_does_not_reach_the_output_leaves_the_key(run, environment, options):
    assert key(make_run(environment, [], Options(**options))).digest == key(run).digest


def test_what_a_host_requirement_came_out_as_changes_the_key(run):
    assert changed(key(run), key(run, zlib="2")) == ["dependencies/zlib"]


def test_another_image_is_another_cross_build_environment(run, environment):
    before = key(run)
    environment.image_digest = "sha256:2"
    assert changed(before, key(run)) == ["cross-build environment", "image"]


def test_another_toolchain_is_another_key(run, environment, monkeypatch):
    monkeypatch.setattr("emwheels.image.toolchain.emsdk.emsdk_key", lambda _target, digest: f"emsdk on {digest}")
    other = Environment(
        environment.project, environment.targets, environment.target, board=environment.board, toolchain_name="emsdk"
    )
    other.image_digest = IMAGE
    found = key(make_run(other, []))
    assert changed(key(run), found) == ["cross-build environment", "toolchain"]
    assert found.inputs["cross-build environment"] == f"emsdk on {IMAGE}"


def test_what_it_only_needs_at_run_time_is_not_in_the_key(run, zlib):
    outputs = {"zlib": zlib, "other": replace(zlib, name="other", sha256="5" * 64)}
    assert key_of(run, run.recipes["tiny"], outputs).inputs["dependencies"] == {"zlib": zlib.sha256}


def test_of_a_wheel_that_is_compiled_against_its_content_counts(run, zlib):
    wheel = replace(zlib, content="3" * 64)
    assert key_of(run, run.recipes["tiny"], {"zlib": wheel}).inputs["dependencies"] == {"zlib": "3" * 64}


def test_what_was_built_is_found_by_its_key(run, zlib):
    tiny = keep(run, "tiny", {"zlib": zlib})
    assert existing(run, key_of(run, run.recipes["tiny"], {"zlib": zlib})) == (tiny, "store")
    assert existing(run, key(run, zlib="other")) is None


@pytest.mark.parametrize("kind", ["wheels", "logs"])
def test_a_build_with_a_damaged_file_is_none(run, environment, zlib, kind):
    output = keep(run, "tiny", {"zlib": zlib})
    found = key_of(run, run.recipes["tiny"], {"zlib": zlib})
    sha256 = output.sha256 if kind == "wheels" else latest(run, "tiny")["log"]
    path = environment.store.path_of(kind, sha256)
    path.chmod(0o644)
    path.write_bytes(b"damaged")
    assert existing(run, found) is None
    (line,) = environment.board.lines
    assert line.startswith(f"store: {path} was damaged")
    assert line.endswith("making it again")


def test_a_build_whose_file_is_missing_is_none(run, environment, zlib):
    environment.store.path_of("libraries", zlib.sha256).unlink()
    assert existing(run, key_of(run, run.recipes["zlib"], {})) is None


def test_the_record_of_another_build_is_none(run, environment, zlib):
    tiny = key_of(run, run.recipes["tiny"], {"zlib": zlib})
    environment.store.add_record("builds", tiny.digest, latest(run, "zlib"))
    assert existing(run, tiny) is None
    assert "of another build" in environment.board.lines[0]


def test_the_latest_build_is_one_of_this_profile(run, environment, zlib):
    assert latest(run, "zlib")["output"]["sha256"] == zlib.sha256
    assert latest(run, "tiny") is None
    assert latest(make_run(environment, [], Options(profile="size")), "zlib") is None


def test_a_recipe_that_can_be_built_has_no_fault(run):
    assert [fault(recipe, run.environment.project) for recipe in run.recipes.values()] == ["", ""]


def test_a_source_folder_that_cannot_be_packed_is_a_fault(environment):
    source = environment.project.recipes / "local" / "src"
    source.mkdir(parents=True)
    folder = add_recipe(environment, "local", source="path: src")
    recipe = load_recipe(folder, patches=environment.project.patches)
    assert fault(recipe, environment.project).startswith(f"source.path: {source} has 0 files")
    (source / "setup.py").write_text("")
    assert fault(recipe, environment.project) == ""
    (source / "out.txt").symlink_to("/etc/passwd")
    assert "out.txt is a link to /etc/passwd, which leads out" in fault(recipe, environment.project)


def test_a_package_without_a_lock_needs_one_and_a_library_does_not(environment):
    for name, meta in (("unlocked", ""), ("library", LIBRARY)):
        add_recipe(environment, name, meta, locked=False)
    run = make_run(environment, ["unlocked", "library"])
    known = KnownBuilds(run)
    assert known.lock(run.recipes["unlocked"]) == "there is no requirements.build.txt"
    assert known.lock(run.recipes["library"]) == ""
    assert fault(run.recipes["unlocked"], environment.project) == ""


@pytest.mark.parametrize("asked", ["lock", "extras"])
def test_headers_that_the_build_asks_for_and_the_recipe_does_not_are_a_fault(environment, asked):
    headers = "build:\n  cross-build-env: true\n  cross-build-files: [heads/core.h]\n"
    add_recipe(environment, "heads", headers)
    folder = add_recipe(
        environment, "user", "requirements:\n  build-extras: [Heads]\n" if asked == "extras" else "", files={}
    )
    if asked == "lock":
        (folder / "requirements.build.txt").write_text(f"heads==2.0 \\\n    --hash=sha256:{'0' * 64}\n")
    user = load_recipe(folder, patches=environment.project.patches)
    found = fault(user, environment.project)
    assert found.startswith("requirements.host does not name heads, which the build asks for")
    assert found.endswith("emwheels lock user")
    named = replace(user, requirements=replace(user.requirements, host=("heads",)))
    assert fault(named, environment.project) == ""


def test_known_builds_are_told_of_without_bringing_them_here(run, environment, zlib, tmp_path):
    remote = LocalFolder(tmp_path / "remote")
    output = keep(replace(run, builds=Builds(environment.store, remote, push=True)), "tiny", {"zlib": zlib})
    elsewhere = make_environment(tmp_path / "elsewhere")
    there = replace(run, environment=elsewhere, builds=Builds(elsewhere.store, remote))
    known = KnownBuilds(there)
    found = known.key_for(run.recipes["tiny"], {"zlib": zlib.sha256})
    assert known.found(found) == (output.content, "remote")
    assert not elsewhere.store.has("wheels", output.sha256)
    assert elsewhere.fetcher.asked == []
    assert existing(there, found) == (output, "remote"), "the stage itself does bring it here"
    assert elsewhere.store.has("wheels", output.sha256)
    assert known.found(found) == (output.content, "store")


def test_known_builds_answer_what_planning_asks(run, zlib):
    known = KnownBuilds(run)
    assert known.found(known.key_for(run.recipes["zlib"], {})) == (zlib.sha256, "store")
    assert known.found(known.key_for(run.recipes["tiny"], {"zlib": zlib.sha256})) is None
    assert known.latest("zlib") == latest(run, "zlib")
    assert known.fault(run.recipes["tiny"]) == ""
    assert known.lock(run.recipes["tiny"]) == ""
    assert known.lock(replace(run.recipes["tiny"], build_lock=None)) == "there is no requirements.build.txt"
