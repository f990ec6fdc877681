"""Known vulnerabilities: what a pinned version is affected by, and files that are not what they should be."""

from __future__ import annotations

import json
import os
import zipfile

import pytest

from emwheels.author import advisories
from emwheels.author.advisories import PinnedVersion, is_affected, look
from emwheels.errors import UsageError


def advisory(name, *ranges, ecosystem="PyPI", identity="PYSEC-2026-1", **more):
    return {
        "id": identity,
        "summary": "reads\nbeyond the end",
        "aliases": ["CVE-2026-1"],
        "affected": [entry(name, *ranges, ecosystem=ecosystem)],
        **more,
    }


def entry(name, *ranges, ecosystem="PyPI", versions=()):
    return {
        "package": {"ecosystem": ecosystem, "name": name},
        "ranges": [{"type": "ECOSYSTEM", "events": [dict([event]) for event in events]} for events in ranges],
        "versions": list(versions),
    }


def put(folder, name, document):
    path = folder / name
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    return path


PIN = PinnedVersion(ecosystem="PyPI", name="ml-dtypes", version="1.10", places=("ml-dtypes",))
INTRODUCED = ("introduced", "0")


@pytest.mark.parametrize(
    ("events", "hit"),
    [
        ([INTRODUCED], True),
        ([INTRODUCED, ("fixed", "1.10")], False),
        ([INTRODUCED, ("fixed", "1.10.0")], False),
        ([INTRODUCED, ("fixed", "1.9")], False),
        ([INTRODUCED, ("fixed", "1.10.post1")], True),
        ([INTRODUCED, ("last_affected", "1.10")], True),
        ([INTRODUCED, ("last_affected", "1.9.9")], False),
        ([("introduced", "1.11")], False),
        ([("introduced", "1.10rc1"), ("fixed", "2")], True),
        ([("fixed", "1.2"), INTRODUCED, ("introduced", "1.5"), ("fixed", "1.12")], True),
        ([("introduced", "1.5"), ("fixed", "1.6"), ("introduced", "1.2"), ("fixed", "1.3")], False),
        ([INTRODUCED, ("limit", "*")], True),
        ([INTRODUCED, ("limit", "1.10")], False),
        ([], False),
    ],
)
def test_ranges_of_pep_440(events, hit):
    assert is_affected(PIN, entry("ml-dtypes", events)) == hit


def test_versions_that_are_listed():
    assert is_affected(PIN, entry("ml-dtypes", versions=["weird version", "1.10.0"]))
    assert not is_affected(PIN, entry("ml-dtypes", versions=["1.1", "1.100"]))


@pytest.mark.parametrize(
    ("version", "fixed", "hit"),
    [
        ("1.3.dfsg+really1.3.1", "1:1.3.dfsg+really1.3.2-1", True),
        ("1.3.dfsg+really1.3.2", "1:1.3.dfsg+really1.3.2-1", False),  # by upstream
        ("1.3.2", "1.3.2-4", True),  # by a patch of Debian's, which the archive does not have
        ("1.3.2", "1.3.1-9+deb13u2", False),
        ("1.3.2", "1.3.2~rc1-1", False),
    ],
)
def test_ranges_of_debian(version, fixed, hit):
    pin = PinnedVersion(ecosystem="Debian", name="zlib", version=version)
    assert is_affected(pin, entry("zlib", [INTRODUCED, ("fixed", fixed)], ecosystem="Debian:14")) == hit


def test_of_debians_releases_the_newest_counts(tmp_path):
    pin = PinnedVersion(ecosystem="Debian", name="zlib", version="1.3.1")
    document = advisory("zlib", [INTRODUCED], ecosystem="Debian:9")
    document["affected"].append(entry("zlib", [INTRODUCED, ("fixed", "1.3-1")], ecosystem="Debian:13"))
    document["affected"].append(entry("zlib", [INTRODUCED], ecosystem="Debian:12"))
    assert look([put(tmp_path, "a.json", document)], [pin]).findings == ()
    document["affected"].append(entry("zlib", [INTRODUCED], ecosystem="Debian:14"))
    assert len(look([put(tmp_path, "a.json", document)], [pin]).findings) == 1


def test_what_is_found_in_files_of_every_kind(tmp_path):
    one = advisory("ML_Dtypes", [INTRODUCED, ("fixed", "2.0")])
    other = advisory("ml.dtypes", [INTRODUCED], identity="GHSA-1")
    elsewhere = advisory("ml-dtypes", [INTRODUCED], identity="X-1", ecosystem="npm")
    gone = advisory("ml-dtypes", [INTRODUCED], identity="X-2", withdrawn="2026-01-01T00:00:00Z")
    (folder := tmp_path / "advisories").mkdir()
    put(folder, "one.json", one)
    put(folder, "list.json", [other, elsewhere])
    put(folder, "answer.json", {"vulns": [gone, one]})
    put(folder, "notes.txt", "nothing of it")
    with zipfile.ZipFile(folder / "all.zip", "w") as archive:
        archive.writestr("GHSA-2.json", json.dumps({**other, "id": "GHSA-2"}))
        archive.writestr("README", "no advisory")
    looked = look([folder], [PIN])
    assert [finding.identity for finding in looked.findings] == ["GHSA-1", "GHSA-2", "PYSEC-2026-1"]
    assert looked.faults == ()
    found = looked.findings[-1]
    assert (found.summary, found.fixed, found.aliases) == ("reads beyond the end", ("2.0",), ("CVE-2026-1",))


DEEP = '{"id": "A-1", "affected": ' + "[" * 500 + '"ml-dtypes"' + "]" * 500 + "}"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ('"ml-dtypes"', "an advisory that is no object"),
        ('{"x": "ml-dtypes"', "Expecting"),
        (DEEP, "nests more than 100 levels deep"),
        ('{"id": 7, "x": "ml-dtypes"}', "an advisory without an id"),
        ('{"id": "\\u001b[2J", "x": "ml-dtypes"}', "an advisory without an id"),
        ('{"id": "A-1", "affected": {"x": "ml-dtypes"}}', "affected is no list of objects"),
        ('{"id": "A-1", "affected": [{"package": "ml-dtypes"}]}', "affected.package is no object"),
        (json.dumps(advisory("ml-dtypes", [("introduced", "x y")])), "Invalid version"),
        (json.dumps(advisory("ml-dtypes", [("introduced", 1)])), "a version that is no text"),
        (json.dumps(advisory("ml-dtypes", [("introduced", "1" * 300)])), "or too long"),
        (json.dumps({"id": "A-1", "affected": [entry("ml-dtypes") | {"versions": 3}]}), "versions is no list"),
    ],
)
def test_a_bad_file_costs_itself(tmp_path, text, fault):
    put(tmp_path, "bad.json", text)
    put(tmp_path, "good.json", advisory("ml-dtypes", [INTRODUCED]))
    looked = look([tmp_path], [PIN])
    assert len(looked.findings) == 1
    (line,) = looked.faults
    assert line.startswith(f"{tmp_path}/bad.json: not used: ")
    assert fault in line


def test_what_is_no_file_or_too_large(tmp_path, monkeypatch):
    monkeypatch.setattr(advisories, "_LARGEST", 2000)
    os.mkfifo(tmp_path / "fifo.json")
    os.mkfifo(tmp_path / "fifo.zip")
    put(tmp_path, "bomb.json", " " * 3000)
    (tmp_path / "broken.zip").write_bytes(b"PK")
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.json", " " * 3000)
        archive.writestr("b.json", json.dumps(advisory("ml-dtypes", [INTRODUCED])))
    looked = look([tmp_path], [PIN])
    assert len(looked.findings) == 1
    assert sorted(line.removeprefix(f"{tmp_path}/").partition(": ")[0] for line in looked.faults) == [
        "bomb.json",
        "bomb.zip",
        "broken.zip",
        "fifo.json",
        "fifo.zip",
    ]


def test_a_file_about_nothing_that_is_pinned_is_not_even_read(tmp_path):
    path = put(tmp_path, "other.json", '{"id": "A-1", "of": "another-project", ' + "[" * 9)
    assert look([path], [PIN]).faults == ()


def test_a_path_that_is_not_there(tmp_path):
    with pytest.raises(UsageError, match="gone does not exist"):
        look([tmp_path / "gone"], [PIN])


def test_a_version_that_is_none_is_said(tmp_path):
    wrong = PinnedVersion(ecosystem="PyPI", name="tiny", version="of old", places=("tiny",))
    looked = look([put(tmp_path, "a.json", [advisory("ml-dtypes", [INTRODUCED]), advisory("tiny")])], [wrong, PIN])
    assert len(looked.findings) == 1
    assert looked.faults == ("tiny: tiny is not looked at: Invalid version: 'of old'",)


def test_nothing_pinned(tmp_path):
    assert look([put(tmp_path, "a.json", advisory("ml-dtypes", [INTRODUCED]))], []).findings == ()
