"""``emwheels index`` and ``emwheels publish``: what they print, change and refuse, on indexes of small wheels."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from sample_run import RELEASE
from small_project import make_command
from synthetic_wheels import WASM, make_wheel

from emwheels.cli.publish import object_headers
from emwheels.index.places.folder import Folder
from emwheels.index.update import read_catalogue


@pytest.fixture
def command(tmp_path, monkeypatch, capsys):
    return make_command(tmp_path / "project", monkeypatch, capsys)


@pytest.fixture
def dist(command):
    return command.project / "dist"


@pytest.fixture
def wheels(command, tmp_path):
    """Two versions of ``a`` and one of ``b``, which are in dist/."""
    made = [
        make_wheel(tmp_path / "made", name, version) for name, version in (("a", "1.0"), ("a", "2.0"), ("b", "1.0"))
    ]
    command("index", "add", *made)
    return made


def shown(command, *arguments):
    """Return the rows of the table of ``index show`` as file -> marks."""
    lines = command("index", "show", *arguments).lines()
    assert lines[0] == "project file bytes since"
    return {line.split()[1]: " ".join(line.split()[4:]) for line in lines[1:]}


def files_below(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


# Adding and showing.


def test_wheels_are_added_and_where_they_are_is_said(command, dist, tmp_path):
    wheel = make_wheel(tmp_path / "made", "a")
    said = command("index", "add", wheel)
    path = Path(said.out.strip())
    assert path == dist / "wheels" / wheel.name
    assert path.read_bytes() == wheel.read_bytes()
    assert (dist / "simple" / "a" / "index.html").is_file()


def test_what_is_no_file_is_refused(command, dist, tmp_path):
    assert f"{tmp_path} is not a file" in command("index", "add", tmp_path, status=2).err
    assert not (dist / "wheels").exists()


def test_what_is_no_wheel_is_refused(command, tmp_path):
    path = tmp_path / "a-1.0-py3-none-any.whl"
    path.write_bytes(b"PK no zip")
    said = command("index", "add", path, status=10)
    assert path.name in said.err


def test_an_index_is_listed(command, wheels):
    assert shown(command) == {wheel.name: "" for wheel in wheels}
    assert list(shown(command, "b")) == ["b-1.0-py3-none-any.whl"]


def test_an_index_in_json(command, wheels):
    found = command("index", "show", "a", "--json").json()
    assert found["base_url"] is None or found["base_url"] == ""
    row = found["files"][0]
    assert (row["project"], row["version"], row["yanked"], row["status"]) == ("a", "1.0", None, "active")
    assert row["size"] == wheels[0].stat().st_size
    assert [each["version"] for each in found["files"]] == ["1.0", "2.0"]


def test_without_an_index_it_is_said_what_to_do(command):
    said = command("index", "show", status=10)
    assert "has no index\n  build something first: emwheels build NAME" in said.err
    assert command("index", "show", "--json").json()["files"] == [], "for a script it is an empty one"


def test_a_project_that_there_is_not(command, wheels):
    assert "nothing" in command("index", "show", "nothing", status=10).err


def test_a_profile_has_an_index_of_its_own(command, dist, tmp_path):
    command("index", "add", make_wheel(tmp_path / "made", "a"), "--profile", "size")
    assert (dist / "size" / "simple" / "a" / "index.html").is_file()
    assert list(shown(command, "--profile", "size")) == ["a-1.0-py3-none-any.whl"]
    command("index", "show", status=10)


# Changes.


def test_a_version_is_yanked_and_back(command, wheels, dist):
    said = command("index", "yank", "a", "2.0", "--why", "wrong [sums] on big arrays")
    assert said.lines()[-1].endswith("yanked: wrong [sums] on big arrays")
    assert shown(command, "a")["a-2.0-py3-none-any.whl"] == "yanked: wrong [sums] on big arrays"
    assert 'data-yanked="wrong [sums] on big arrays"' in (dist / "simple" / "a" / "index.html").read_text()
    command("index", "unyank", "a", "2.0")
    assert shown(command, "a")["a-2.0-py3-none-any.whl"] == ""
    assert "data-yanked" not in (dist / "simple" / "a" / "index.html").read_text()


def test_a_yank_without_a_reason_is_a_mark_too(command, wheels):
    command("index", "yank", "a", "2.0")
    assert shown(command, "a") == {"a-1.0-py3-none-any.whl": "", "a-2.0-py3-none-any.whl": "yanked"}
    (row,) = [each for each in command("index", "show", "--json").json()["files"] if each["yanked"] is not None]
    assert (row["version"], row["yanked"]) == ("2.0", "")


def test_a_change_in_json(command, wheels):
    found = command("index", "yank", "a", "1.0", "--why", "old", "--json").json()
    assert (found["project"], found["status"]) == ("a", "active")
    assert [(row["version"], row["yanked"]) for row in found["files"]] == [("1.0", "old"), ("2.0", None)]


def test_a_version_is_removed_with_its_file(command, wheels, dist):
    command("index", "remove", "a", "1.0")
    assert list(shown(command)) == ["a-2.0-py3-none-any.whl", "b-1.0-py3-none-any.whl"]
    names = [path.name for path in (dist / "wheels").iterdir()]
    assert not any(name.startswith("a-1.0") for name in names)
    assert "a-2.0-py3-none-any.whl" in names


def test_a_project_is_removed_with_its_page(command, wheels, dist):
    command("index", "remove", "a")
    assert list(shown(command)) == ["b-1.0-py3-none-any.whl"]
    assert not (dist / "simple" / "a" / "index.html").exists()
    assert "a/" not in (dist / "simple" / "index.html").read_text().replace("</a", "")


def test_a_project_is_marked(command, wheels):
    said = command("index", "status", "a", "deprecated", "--why", "use b")
    assert all(line.endswith("deprecated") for line in said.lines()[1:])
    assert shown(command, "b") == {"b-1.0-py3-none-any.whl": ""}
    assert "invalid choice: 'dead'" in command("index", "status", "a", "dead", status=2).err


@pytest.mark.parametrize("action", ["yank", "unyank", "remove"])
def test_a_version_that_there_is_not_is_told_with_those_there_are(command, wheels, dist, action):
    before = files_below(dist)
    said = command("index", action, "a", "3.0", status=10)
    assert "3.0" in said.err
    assert "1.0" in said.err
    assert files_below(dist) == before


def test_signing_is_for_a_job_of_a_ci_service(command, wheels, dist, monkeypatch):
    for name in ("GITHUB_REPOSITORY", "CI_PROJECT_PATH"):
        monkeypatch.delenv(name, raising=False)
    before = files_below(dist)
    said = command("index", "sign", status=2)
    assert "no publisher to name: neither GITHUB_REPOSITORY nor CI_PROJECT_PATH is set" in said.err
    assert "ci/README.md" in said.err
    assert "works on dist/" in command("index", "sign", "--at", dist.parent / "www", status=2).err
    assert files_below(dist) == before


def test_a_published_index_is_changed_where_it_is(command, wheels, tmp_path):
    www = tmp_path / "www"
    command("publish", www)
    command("index", "yank", "a", "1.0", "--at", www)
    assert shown(command, "a", "--at", www)["a-1.0-py3-none-any.whl"] == "yanked"
    assert shown(command, "a")["a-1.0-py3-none-any.whl"] == "", "dist/ is as it was"


@pytest.mark.parametrize("action", [["add", "x.whl"], ["build"]])
def test_what_works_on_dist_alone_says_so(command, wheels, tmp_path, action):
    said = command("index", *action, "--at", tmp_path / "www", status=2)
    assert said.err == f"emwheels: index {action[0]} works on dist/\n  then: emwheels publish PLACE\n"


def test_a_place_that_is_none(command):
    said = command("index", "show", "--at", "gopher://host/x", status=2)
    assert "gopher://host/x" in said.err


# Everything anew.


@pytest.fixture
def releases(monkeypatch):
    """The releases that locks are written for, without their runtimes."""
    asked = []

    def read_release(target, runtime):
        asked.append((target.name, runtime))
        return RELEASE

    monkeypatch.setattr("emwheels.cli.index.index.read_release", read_release)
    monkeypatch.setattr(
        "emwheels.pipeline.environment.Environment.runtime_of", lambda self, target: f"of {target.name}"
    )
    return asked


def test_every_page_is_written_from_the_wheels(command, wheels, dist, releases):
    (dist / "simple" / "a" / "index.html").unlink()
    (dist / "wheels" / "b-1.0-py3-none-any.whl").unlink()
    command("index", "build")
    assert list(shown(command)) == ["a-1.0-py3-none-any.whl", "a-2.0-py3-none-any.whl"]
    assert (dist / "simple" / "a" / "index.html").is_file()
    assert not (dist / "simple" / "b" / "index.html").exists()


def test_how_many_projects_there_are_is_said(command, wheels, dist, releases):
    assert command("index", "build").lines() == [f"2 projects in {dist.resolve()}"]


def test_how_many_projects_are_left_is_said(command, wheels, dist, releases):
    (dist / "wheels" / "b-1.0-py3-none-any.whl").unlink()
    assert command("index", "build").lines() == [f"1 projects in {dist.resolve()}"]


def test_a_lock_is_written_for_every_target_the_default_one_first(command, wheels, releases, targets):
    command("index", "build")
    names = [name for name, _ in releases]
    assert names[0] == targets.default
    assert sorted(names) == sorted(targets.targets)
    assert releases[0] == (targets.default, f"of {targets.default}")
    releases.clear()
    command("index", "build", "--target", names[-1])
    assert [name for name, _ in releases] == [names[-1]]


def test_a_base_url_is_kept_until_it_is_taken_away(command, wheels, dist, releases):
    found = command("index", "build", "--base-url", "https://wheels.example.org", "--json").json()
    assert found["projects"] == ["a", "b"]
    for given, expected in (
        ([], "https://wheels.example.org/"),
        (["--base-url", ""], ""),
    ):
        command("index", "build", *given)
        assert (read_catalogue(Folder(dist)).base_url or "") == expected


def test_a_base_url_that_is_none_changes_nothing(command, wheels, dist, releases):
    before = files_below(dist)
    said = command("index", "build", "--base-url", "wheels.example.org", status=2)
    assert "wheels.example.org" in said.err
    assert files_below(dist) == before


# Publishing.


def test_what_is_sent_is_said(command, wheels, tmp_path):
    sizes = [f"{wheel.stat().st_size:,} {wheel.name}" for wheel in wheels]
    said = command("publish", tmp_path / "www")
    total = sum(wheel.stat().st_size for wheel in wheels)
    assert said.lines() == [*sizes, f"3 wheels, {total:,} bytes, pages of 2 projects sent"]
    assert (tmp_path / "www" / "wheels" / wheels[0].name).read_bytes() == wheels[0].read_bytes()


def test_a_second_time_there_is_nothing_to_send(command, wheels, tmp_path):
    command("publish", tmp_path / "www")
    assert command("publish", tmp_path / "www").out == f"{tmp_path / 'www'} has everything already\n"


def test_a_dry_run_says_what_would_be_sent_and_sends_nothing(command, wheels, tmp_path):
    said = command("publish", tmp_path / "www", "--dry-run")
    assert said.lines()[-1].endswith("pages of 2 projects would be sent")
    assert not (tmp_path / "www").exists() or files_below(tmp_path / "www") == {}


def test_publishing_in_json(command, wheels, tmp_path):
    found = command("publish", tmp_path / "www", "--json").json()
    assert (found["destination"], found["projects"]) == (str(tmp_path / "www"), ["a", "b"])
    assert found["wheels"] == [wheel.name for wheel in wheels]
    assert found["bytes"] == sum(wheel.stat().st_size for wheel in wheels)
    assert found["sent"] > 3
    again = command("publish", tmp_path / "www", "--json").json()
    assert (again["wheels"], again["bytes"], again["sent"]) == ([], 0, 0)


def test_other_bytes_under_a_published_name_are_refused(command, wheels, dist, tmp_path):
    command("publish", tmp_path / "www")
    before = files_below(tmp_path / "www")
    command("index", "remove", "b")
    command("index", "add", make_wheel(tmp_path / "other", "b", files={"b.py": "VALUE = 2\n"}))
    said = command("publish", tmp_path / "www", status=10)
    assert "b-1.0-py3-none-any.whl" in said.err
    assert files_below(tmp_path / "www") == before


def test_there_has_to_be_something_to_publish(command, tmp_path):
    said = command("publish", tmp_path / "www", status=10)
    assert said.err.startswith("emwheels: ")
    assert not (tmp_path / "www" / "simple").exists()


def test_a_base_url_of_a_destination(command, wheels, tmp_path):
    command("publish", tmp_path / "www", "--base-url", "https://wheels.example.org")
    page = json.loads((tmp_path / "www" / "simple" / "a" / "index.json").read_text())
    assert page["files"][0]["url"].startswith("https://wheels.example.org/")
    assert "ftp://x" in command("publish", tmp_path / "www", "--base-url", "ftp://x", status=2).err


@pytest.mark.parametrize(
    ("name", "media_type", "cached"),
    [
        (f"wheels/a-1.0-{WASM}.whl", "application/zip", "immutable"),
        ("simple/a/index.html", "text/html", "no-cache"),
        ("simple/a/index.json", "application/vnd.pypi.simple.v1+json", "no-cache"),
    ],
)
def test_an_object_of_a_bucket_has_the_headers_of_a_web_server(name, media_type, cached):
    headers = object_headers(name)
    assert sorted(headers) == ["Cache-Control", "Content-Type"]
    assert media_type in headers["Content-Type"]
    assert cached in headers["Cache-Control"]
