from __future__ import annotations

import json
from dataclasses import replace

import pytest
from built_wheels import built_wheel, report_of
from index_reader import problems
from sample_run import RELEASE, add_recipe, keep, make_environment, wheel_of
from synthetic_wheels import WASM, make_wheel

from emwheels.errors import IndexingError
from emwheels.index.places.folder import Folder
from emwheels.outputs.builds import Builds, Output
from emwheels.outputs.remote.folder import LocalFolder
from emwheels.pipeline.known import latest
from emwheels.pipeline.model import Options
from emwheels.pipeline.publishing import publish_package, show_status, withdraw_package
from emwheels.pipeline.run import make_run


@pytest.fixture
def environment(tmp_path):
    environment = make_environment(tmp_path)
    add_recipe(environment, "tiny")
    return environment


@pytest.fixture
def run(environment):
    return make_run(environment, [])


def wheels(folder):
    return sorted(path.name for path in (folder / "wheels").glob("*.whl"))


def test_a_wheel_goes_into_the_index(run, environment):
    output, dist = keep(run, "tiny"), environment.project.dist
    assert publish_package(run, output) is True
    assert wheels(dist) == [output.filename]
    assert (dist / "wheels" / output.filename).read_bytes() == wheel_of(run, "tiny").read_bytes()
    assert problems(Folder(dist).read) == []


def test_a_wheel_has_the_statement_of_its_build(run, environment, tmp_path):
    key = keep(run, "tiny").key
    wheel = built_wheel(tmp_path / "made", "tiny", report=report_of("tiny", key=key))
    publish_package(run, keep(run, "tiny", file=wheel))
    path = environment.project.dist / "wheels" / f"{wheel.name}.statement.json"
    statement = json.loads(path.read_bytes())
    assert statement["predicate"]["buildDefinition"]["internalParameters"]["key"] == key
    withdraw_package(run, keep(run, "tiny", file=wheel))
    assert not path.exists()


def test_the_index_has_a_lock_of_the_release(run, environment):
    publish_package(run, keep(run, "tiny"))
    lock = json.loads((environment.project.dist / "pyodide-lock.json").read_text())
    assert lock["info"] == RELEASE.lock["info"]
    assert lock["packages"]["tiny"]["version"] == "1.0"


def test_nothing_changes_the_second_time(run, environment):
    output = keep(run, "tiny")
    publish_package(run, output)
    before = {path: path.stat().st_ino for path in environment.project.dist.rglob("*")}
    assert publish_package(run, output) is False
    assert {path: path.stat().st_ino for path in environment.project.dist.rglob("*")} == before, "no file is anew"


def test_another_build_of_the_name_takes_its_place(run, environment):
    publish_package(run, keep(run, "tiny"))
    other = keep(run, "tiny", file=wheel_of(run, "tiny", "VALUE = 2\n"))
    assert publish_package(run, other) is True
    (path,) = (environment.project.dist / "wheels").glob("*.whl")
    assert path.read_bytes() == wheel_of(run, "tiny", "VALUE = 2\n").read_bytes()


def test_other_profiles_have_an_index_of_their_own(run, environment):
    publish_package(run, keep(run, "tiny"))
    small = replace(run, options=Options(profile="size"))
    publish_package(small, keep(small, "tiny", file=wheel_of(run, "tiny", "VALUE = 0\n")))
    dist = environment.project.dist
    assert wheels(dist) == wheels(dist / "size") == ["tiny-1.0-py3-none-any.whl"]
    assert (
        len({(folder / "wheels" / "tiny-1.0-py3-none-any.whl").read_bytes() for folder in (dist, dist / "size")}) == 2
    )


def test_the_latest_build_is_the_one_that_is_published(run, environment):
    earlier = keep(run, "tiny")
    environment.image_digest = "sha256:2"
    later = keep(run, "tiny", file=wheel_of(run, "tiny", "VALUE = 2\n"))
    assert Output.of(latest(run, "tiny")) == later
    publish_package(run, earlier)
    assert Output.of(latest(run, "tiny")) == earlier


def test_the_latest_build_is_noted_where_there_was_none(run):
    output = keep(run, "tiny", latest=False)
    publish_package(run, output)
    assert Output.of(latest(run, "tiny")) == output


def test_the_record_of_the_latest_build_stays_if_it_is_that(run):
    output = keep(run, "tiny")
    before = latest(run, "tiny")
    publish_package(run, output)
    assert latest(run, "tiny") == before


def test_what_another_machine_built_is_brought_here(run, tmp_path):
    remote = LocalFolder(tmp_path / "remote")
    there = make_environment(tmp_path / "there")
    add_recipe(there, "tiny")
    other = make_run(there, [], builds=Builds(there.store, remote, push=True))
    output = keep(other, "tiny")
    here = replace(run, builds=Builds(run.environment.store, remote))
    assert publish_package(here, output) is True
    assert wheels(run.environment.project.dist) == [output.filename]
    assert Output.of(latest(here, "tiny")) == output


def test_what_is_published_keeps_its_copy_in_the_store(run, environment):
    publish_package(run, keep(run, "tiny"))
    (path,) = (environment.store.root / "records" / "roots").iterdir()
    assert json.loads(path.read_text())["folder"] == str((environment.project.dist / "wheels").resolve())


def test_what_cannot_be_installed_is_not_published(run, environment, tmp_path):
    broken = make_wheel(tmp_path / "broken", "tiny", metadata="Name: other\nVersion: 2\nMetadata-Version: 2.1\n")
    with pytest.raises(IndexingError):
        publish_package(run, keep(run, "tiny", file=broken))
    assert wheels(environment.project.dist) == []


def test_only_these_bytes_are_withdrawn(run, environment):
    dist = environment.project.dist
    output = keep(run, "tiny")
    assert withdraw_package(run, output) is False
    assert not dist.exists()
    publish_package(run, output)
    other = keep(run, "tiny", file=wheel_of(run, "tiny", "VALUE = 2\n"))
    assert withdraw_package(run, other) is False
    assert wheels(dist) == [output.filename]
    assert withdraw_package(run, output) is True
    assert not (dist / "wheels").exists(), "no metadata is left either"
    show_status(run, {"tiny": {"node": "1 failed"}})
    assert json.loads((dist / "status.json").read_text())["wheels"] == []
    assert problems(Folder(dist).read) == []
    assert "tiny" not in (dist / "simple" / "index.html").read_text()
    assert environment.board.lines == [f"tiny: {output.filename} is no longer in the index: its tests failed"]


def test_the_status_page_tells_of_the_tests_of_this_run(run, environment):
    wheel = wheel_of(run, "tiny", tag=WASM)
    publish_package(run, keep(run, "tiny", file=wheel))
    show_status(run, {"tiny": {"node": "12 passed, 1 skipped"}})
    dist = environment.project.dist
    page = (dist / "index.html").read_text()
    assert "tiny" in page
    assert wheel.name in page
    assert problems(Folder(dist).read) == []
    (row,) = json.loads((dist / "status.json").read_text())["wheels"]
    assert row["tests"]["node"]["passed"] == 12
