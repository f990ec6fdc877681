"""``emwheels bump`` on a small project, an index and a Debian mirror on loopback; nothing is compiled here."""

from __future__ import annotations

import json

import pytest
from loopback import serving_folder
from small_index import SmallIndex
from small_project import make_command

ZEROS = "0" * 64
NOT_LOOKED_AT = "Known vulnerabilities: not looked at; name advisories with --advisories PATH or in EMWHEELS_ADVISORIES"


@pytest.fixture
def index(tmp_path, monkeypatch):
    monkeypatch.delenv("EMWHEELS_ADVISORIES", raising=False)
    with serving_folder(tmp_path / "served") as address:
        small = SmallIndex(folder=tmp_path / "served", address=address)
        small.use(monkeypatch)
        yield small


@pytest.fixture
def command(tmp_path, monkeypatch, capsys, index):
    return make_command(tmp_path / "project", monkeypatch, capsys)


@pytest.fixture
def recipe(command):
    def write(name, version="1.0", url="", more="", *, package="", files=()):
        folder = command.project / "recipes" / name
        folder.mkdir()
        url = url or f"pkg:pypi/{name}@{version}"
        (folder / "meta.yaml").write_text(
            f"package:\n  name: {name}\n  version: '{version}' # this one\n{package}"
            f"source:\n  url: {url}\n  sha256: {ZEROS}\n{more}about:\n  license: MIT\n"
        )
        for file, text in files:
            (folder / file).write_text(text)
        return folder

    return write


LIBRARY = "build:\n  type: static_library\n  script: make\n"


def test_a_table_of_what_is_newer(command, recipe, index):
    recipe("tiny")
    recipe("old", package="  pinned: true\n")
    recipe("zlib", "1.3", "pkg:deb/debian/zlib@1.3", LIBRARY)
    index.add_source("tiny", "1.2")
    index.add_source("old", "2.0")
    index.debian(("zlib", "1:1.3-4"))
    assert command("bump", "--check", status=11).lines() == [
        "recipe version newest source state note",
        "old 1.0 2.0 pinned package.pinned: it is left alone",
        "tiny 1.0 1.2 newer",
        "zlib 1.3 1.3 newest",
        "1 of 3 recipes have a newer source; 0 not looked at",
        NOT_LOOKED_AT,
    ]
    said = command("bump", "--check", "--json", status=11).json()
    assert [(row["name"], row["state"]) for row in said["recipes"]] == [
        ("old", "pinned"),
        ("tiny", "newer"),
        ("zlib", "newest"),
    ]
    assert said["advisories"] is None
    assert command("bump", "--check", "zlib").lines()[1] == "zlib 1.3 1.3 newest"


def test_a_registry_that_does_not_answer_is_its_own_status(command, recipe, index):
    recipe("tiny")
    recipe("zlib", "1.3", "pkg:deb/debian/zlib@1.3", LIBRARY)
    index.add_source("tiny", "1.0")
    out = command("bump", "--check", status=4).out
    assert "no mirror has a list of the sources of Debian forky" in " ".join(out.split())
    assert "0 of 2 recipes have a newer source; 1 not looked at" in out
    index.add_source("tiny", "1.2")
    command("bump", "--check", status=11)


def advisory(name, ecosystem="PyPI", fixed=""):
    events = [{"introduced": "0"}, *([{"fixed": fixed}] if fixed else [])]
    package = {"ecosystem": ecosystem, "name": name}
    affected = [{"package": package, "ranges": [{"type": "ECOSYSTEM", "events": events}]}]
    return {"id": f"X-{name}", "summary": "bad\x1b[2J", "affected": affected}


def test_known_vulnerabilities(command, recipe, index, tmp_path, monkeypatch):
    recipe("tiny", more="requirements:\n  host:\n    - zlib\n", files=[("requirements.build.txt", "cython==3.0 \\\n")])
    recipe("zlib", "1.3", "pkg:deb/debian/zlib@1.3", LIBRARY)
    index.add_source("tiny", "1.0")
    index.debian(("zlib", "1.3-1"))
    (folder := tmp_path / "known").mkdir()
    for name, ecosystem, fixed in (("tiny", "PyPI", "1.0"), ("zlib", "Debian", "1.3.1-1"), ("cython", "PyPI", "")):
        (folder / f"{name}.json").write_text(json.dumps(advisory(name, ecosystem, fixed)))
    (folder / "bad.json").write_text('{"id": 3, "of": "tiny"}')
    said = command("bump", "--check", "--advisories", folder, status=11)
    assert said.lines()[0] == "recipe version newest source state advisories note"
    assert said.lines()[2] == "zlib 1.3 1.3 newest X-zlib"
    assert said.lines()[4:] == [
        r"PyPI cython 3.0 (tiny/requirements.build.txt): X-cython: bad\x1b[2J; no version that fixes it is known",
        r"Debian zlib 1.3 (zlib, tiny): X-zlib: bad\x1b[2J; fixed in 1.3.1-1",
        f"advisories: {folder}/bad.json: not used: an advisory without an id",
        "Known vulnerabilities: 2, by 3 advisories about these projects",
    ]
    monkeypatch.setenv("EMWHEELS_ADVISORIES", str(folder / "zlib.json"))
    assert command("bump", "--check", "tiny", status=11).lines()[1] == "tiny 1.0 1.0 newest X-zlib"
    monkeypatch.setenv("EMWHEELS_ADVISORIES", str(folder / "tiny.json"))
    assert command("bump", "--check", "--json").json()["advisories"]["findings"] == []
    assert "gone does not exist" in command("bump", "--check", "--advisories", tmp_path / "gone", status=2).err


def test_advisories_of_a_service(command, recipe, index, monkeypatch):
    recipe("tiny")
    index.add_source("tiny", "1.0")
    (index.folder / "tiny.json").write_text(json.dumps(advisory("tiny")))
    monkeypatch.setenv("EMWHEELS_ADVISORIES", f"{index.address}/tiny.json")
    assert "X-tiny" in command("bump", "--check", status=11).out
    monkeypatch.setenv("EMWHEELS_ADVISORIES", f"{index.address}/osv")
    out = command("bump", "--check").out
    assert f"advisories: {index.address}/osv/PyPI/all.zip: not looked at: " in out
    assert f"advisories: {index.address}/osv/Debian/all.zip: not looked at: " in out


def test_for_what_upstream_has_a_wheel(command, recipe, index, targets):
    recipe("tiny")
    recipe("other")
    platform = targets.get(None).platform_tag
    index.add("tiny", f"tiny-1.1-cp314-cp314-{platform}.whl")
    index.add_source("other", "1.0")
    name = targets.default
    assert command("bump", "--published").lines() == [
        "recipe version upstream's wheel",
        "tiny 1.0 1.1",
        f"Upstream publishes a wheel for Pyodide {name} of 1 of 2 recipes.",
    ]
    rows = command("bump", "--published", "--json").json()["recipes"]
    assert {row["name"]: row["published"] for row in rows} == {"tiny": "1.1", "other": ""}


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        ([], "name a recipe, or give --all"),
        (["tiny", "--all"], "give names or --all, not both"),
        (["--all", "--to", "2"], "--to is for one recipe, named"),
        (["tiny", "--check", "--to", "2"], "--to is for one recipe, named"),
        (["--check", "--published"], "give --check or --published, not both"),
        (["tiny", "--offline"], "bump asks package indexes and mirrors"),
        (["tyni"], "there is no recipe tyni"),
    ],
)
def test_wrong_usage(command, recipe, arguments, fault):
    recipe("tiny")
    assert fault in command("bump", *arguments, status=2).err


def text(folder):
    return (folder / "meta.yaml").read_text()


def test_rewritten_and_locked(command, recipe, index):
    folder = recipe("tiny")
    other = recipe("other")
    same = recipe("same")
    before = text(other)
    sha256 = index.add_source("tiny", "1.2")
    index.add_source("other", "1.1", {"pyproject.toml": "[build-system]\nrequires = 3\n"})
    index.add_source("same", "1.0")
    said = command("bump", "--all", "--no-build", status=3)
    assert "# this one" in text(folder)
    assert f"  url: pkg:pypi/tiny@1.2\n  sha256: {sha256}\n" in text(folder)
    assert (folder / "requirements.build.txt").is_file()
    assert text(other) == before
    assert not (other / "requirements.build.txt").exists()
    assert "tiny 1.0 -> 1.2: bumped" in said.lines()
    assert "other 1.0 -> 1.1: failed" in said.lines()
    assert "build-system.requires is not a list" in said.out
    assert "the recipe is as it was" in said.out
    assert "same" not in said.out
    assert command("bump", "same", "--no-build").lines() == ["same 1.0: nothing is newer"]
    assert "1.0" in text(same)


def test_one_version_that_is_asked_for(command, recipe, index):
    folder = recipe("tiny", "1.2")
    index.add_source("tiny", "1.1")
    index.add_source("tiny", "1.3")
    (row,) = command("bump", "tiny", "--to", "1.1", "--no-build", "--json").json()
    assert (row["state"], row["from"], row["to"], row["written"]) == ("bumped", "1.2", "1.1", True)
    assert "tiny@1.1" in text(folder)
    (row,) = command("bump", "tiny", "--to", "9", "--no-build", "--json", status=4).json()
    assert (row["state"], row["written"]) == ("failed", False)
    assert "there is no such version" in row["note"]


def test_what_is_pinned_or_has_another_version_is_left_alone(command, recipe, index):
    pinned = recipe("tiny", package="  pinned: true\n")
    other = recipe("other", "6.0", "pkg:pypi/otter@1.0")
    before = text(pinned), text(other)
    index.add_source("tiny", "1.2")
    index.add_source("otter", "1.2")
    assert command("bump", "tiny").lines() == ["tiny 1.0: package.pinned: it is left alone"]
    assert command("bump", "tiny", "--to", "1.2").lines() == ["tiny 1.0: package.pinned: it is left alone"]
    assert "version 6.0 is not that of its source, otter 1.0" in command("bump", "other", status=3).out
    assert (text(pinned), text(other)) == before
