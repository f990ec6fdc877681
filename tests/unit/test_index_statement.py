"""Statements of builds: what they say, which wheels have one, and where they go with the wheel."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import replace

import pytest
from built_wheels import KEY, built_wheel, report_of
from index_reader import problems
from tiny_s3 import tiny_s3

from emwheels import index
from emwheels.errors import IndexingError
from emwheels.index.model import dump, load
from emwheels.index.places.folder import Folder
from emwheels.index.places.objects import Bucket
from emwheels.index.places.rsync import Rsync
from emwheels.index.publishing import publish_to
from emwheels.index.rebuild import rebuild
from emwheels.index.statement import statement_of, without_secrets
from emwheels.index.update import read_catalogue, write
from emwheels.verify.statements import BUILD_TYPE, Statement, read_statement

NAME = "a-1.0-py3-none-any.whl"
DIGEST = "a" * 64


@pytest.fixture
def dist(tmp_path):
    return Folder(tmp_path / "dist")


@pytest.fixture
def add(tmp_path, dist):
    def add(name="a", *, key=KEY, **options):
        wheel = built_wheel(tmp_path / "made", name, **options)
        index.publish(dist.root, wheel, wheel.name, key=key)
        return dist.root / "wheels" / wheel.name

    return add


def the_file(place, name="a"):
    (file,) = read_catalogue(place).project(name).files
    return file


def encoded(report):
    return json.dumps(report).encode()


# What a statement says.


def test_a_statement_says_what_went_into_the_build():
    data = statement_of(encoded(report_of("a")), NAME, DIGEST)
    assert read_statement(data) == Statement(name=NAME, sha256=DIGEST, kind=BUILD_TYPE)
    definition = json.loads(data)["predicate"]["buildDefinition"]
    assert definition["externalParameters"] == {
        "recipe": "a",
        "version": "1.0",
        "target": "314.0.7",
        "profile": "speed",
    }
    assert definition["internalParameters"]["key"] == KEY
    assert definition["internalParameters"]["flags"] == ["-O3", "-fPIC"]
    assert definition["resolvedDependencies"] == [
        {"name": "source", "uri": "pkg:pypi/a@1.0", "digest": {"sha256": "1" * 64}},
        {"name": "patches/0001-fix.patch", "digest": {"sha256": "2" * 64}},
        {"name": "image", "digest": {"sha256": "4" * 64}},
        {"name": "cross-build environment", "digest": {"sha256": "6" * 64}},
        {"name": "requirements.build.txt", "digest": {"sha256": "3" * 64}},
        {"name": "meson_python-0.22.1-py3-none-any.whl", "uri": "pkg:pypi/meson-python@0.22.1"},
        {"name": "dependencies/zlib", "digest": {"content": "7" * 64}},
    ]
    assert json.loads(data)["predicate"]["runDetails"]["builder"]["version"] == {"emscripten": "6.0.5"}


def test_the_same_build_has_the_same_statement():
    report = report_of("a")
    turned = dict(reversed(report.items()))
    turned["inputs"] = dict(reversed(report["inputs"].items()))
    assert statement_of(encoded(report), NAME, DIGEST) == statement_of(encoded(turned), NAME, DIGEST)
    assert statement_of(encoded(report), NAME, DIGEST) != statement_of(encoded(report), NAME, "b" * 64)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("pkg:pypi/a@1.0", "pkg:pypi/a@1.0"),
        ("pkg:deb/debian/a@1.0?arch=source", "pkg:deb/debian/a@1.0?arch=source"),
        ("pkg:npm/a@1.0?repository_url=https://me:hush@x.example.org", "pkg:npm/a@1.0"),
        ("https://me:hush@x.example.org/a.tar.gz?token=hush#hush", "https://x.example.org/a.tar.gz"),
        ("git+https://hush@x.example.org/a.git@0123abc", "git+https://x.example.org/a.git@0123abc"),
        ("", ""),
    ],
)
def test_no_secret_of_an_address_is_told(url, shown):
    assert without_secrets(url) == shown
    assert b"hush" not in statement_of(encoded(report_of("a", url=url)), NAME, DIGEST)


@pytest.mark.parametrize(
    "report",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff",
        b"[" * 100_000,
        encoded({"key": KEY}),
        encoded(report_of("a") | {"inputs": []}),
        encoded(report_of("a") | {"build requirements": ["no wheel"]}),
        encoded(report_of("a", image=7)),
        encoded(report_of("a", profile={})),
        encoded(report_of("a", recipe={"source": "here"})),
        encoded(report_of("a", padding="x" * (1 << 20))),
    ],
)
def test_a_report_that_is_none_makes_no_statement(report):
    assert statement_of(report, NAME, DIGEST) == b""


# Which wheels have one.


def test_a_wheel_that_was_built_here_has_one(dist, add):
    wheel = add()
    data = dist.read(f"wheels/{wheel.name}.statement.json")
    assert read_statement(data).sha256 == the_file(dist).sha256
    assert problems(dist.read) == []
    link = dist.read("simple/a/index.html").decode()
    assert f'data-emwheels-statement="sha256={the_file(dist).statement_sha256}"' in link
    assert "data-provenance" not in link, "nobody has signed it"


def test_a_wheel_of_somebody_else_has_none_whatever_it_says(dist, add):
    wheel = add(key="")
    assert dist.read(f"wheels/{wheel.name}.statement.json") is None
    assert not the_file(dist).statement_sha256


def test_a_report_of_another_build_makes_none(dist, add):
    add(key="9" * 64)
    assert not the_file(dist).statement_sha256


def test_a_wheel_that_is_in_the_index_already_gets_one_and_stays_as_it_is(dist, add):
    wheel = add(key="")
    before, inode = the_file(dist), wheel.stat().st_ino
    add()
    assert replace(the_file(dist), statement_sha256="") == before
    assert the_file(dist).statement_sha256
    assert wheel.stat().st_ino == inode
    assert problems(dist.read) == []


def test_nothing_is_written_the_second_time(tmp_path, dist, add):
    add()
    wheel = built_wheel(tmp_path / "made", "b", report="{}")
    assert index.publish(dist.root, wheel, wheel.name, key=KEY)
    before = {path: path.stat().st_mtime_ns for path in dist.root.rglob("*")}
    add()
    assert not index.publish(dist.root, wheel, wheel.name, key=KEY), "no report, no statement, no change"
    assert {path: path.stat().st_mtime_ns for path in dist.root.rglob("*")} == before


def test_a_rebuilt_wheel_has_the_statement_of_its_own_build(dist, add):
    add()
    provenance = dist.root / "wheels" / f"{NAME}.provenance"
    provenance.write_bytes(b"of the wheel before")
    add(text="VALUE = 2\n")
    assert read_statement(dist.read(f"wheels/{NAME}.statement.json")).sha256 == the_file(dist).sha256
    assert not provenance.exists()
    add(text="VALUE = 3\n", key="")
    assert dist.read(f"wheels/{NAME}.statement.json") is None


def test_a_damaged_wheel_that_is_written_again_keeps_what_is_beside_it(dist, add):
    wheel = add()
    right = wheel.read_bytes()
    for key in (KEY, ""):
        wheel.write_bytes(b"damaged")
        add(key=key)
        assert wheel.read_bytes() == right
        assert the_file(dist).statement_sha256
        assert problems(dist.read) == []


# Rebuilding, removing.


def test_index_build_keeps_and_mends_statements(dist, add):
    add()
    add("foreign", key="")
    path = dist.root / "wheels" / f"{NAME}.statement.json"
    right, before = path.read_bytes(), read_catalogue(dist)
    path.unlink()
    with dist.changing():
        rebuild(dist)
    assert path.read_bytes() == right
    assert read_catalogue(dist).projects == before.projects


def test_index_build_keeps_a_signature_that_is_there_and_only_that(dist, add):
    add()
    catalogue = read_catalogue(dist)
    signed = "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"  # of b"a"
    (dist.root / "wheels" / f"{NAME}.provenance").write_bytes(b"a")
    file = replace(the_file(dist), provenance_sha256=signed)
    catalogue.put(catalogue.project("a").with_files([file]))
    with dist.changing():
        write(dist, catalogue, changed=["a"])
        rebuild(dist)
        assert the_file(dist) == file
        (dist.root / "wheels" / f"{NAME}.provenance").write_bytes(b"another")
        rebuild(dist)
    assert the_file(dist) == replace(file, provenance_sha256="")


def test_index_build_gives_a_wheel_that_was_changed_no_statement(dist, add, tmp_path):
    wheel = add()
    wheel.write_bytes(built_wheel(tmp_path / "other", "a", text="VALUE = 'evil'\n").read_bytes())
    with dist.changing():
        rebuild(dist)
    assert not the_file(dist).statement_sha256


def test_a_statement_goes_with_its_wheel(dist, add):
    add()
    (dist.root / "wheels" / f"{NAME}.provenance").write_bytes(b"a")
    index.withdraw(dist.root, NAME, sha256=the_file(dist).sha256)
    assert not (dist.root / "wheels").exists()


# Publishing.


def test_a_statement_is_there_before_a_page_says_so(dist, add, tmp_path, monkeypatch):
    add()
    there = Folder(tmp_path / "www")
    sent = []
    original = Folder.send

    def note(self, files):
        sent.extend(files)
        return original(self, files)

    monkeypatch.setattr(Folder, "send", note)
    publish_to(dist, there)
    assert sent.index(f"wheels/{NAME}.statement.json") < sent.index("packages.json") < sent.index("simple/a/index.html")
    assert problems(there.read) == []


@pytest.mark.skipif(shutil.which("rsync") is None, reason="rsync is not installed")
def test_rsync_brings_statements_too(dist, add, tmp_path):
    add()
    there = Rsync(str(tmp_path / "www"))
    publish_to(dist, there)
    assert there.read(f"wheels/{NAME}.statement.json") == dist.read(f"wheels/{NAME}.statement.json")
    assert problems(there.read) == []
    catalogue = read_catalogue(there)
    catalogue.put(catalogue.project("a").without([NAME]))
    write(there, catalogue, changed=["a"], gone=index.names_of_wheel(NAME))
    assert list((tmp_path / "www" / "wheels").iterdir()) == []


def test_a_bucket_serves_statements_too(dist, add, monkeypatch):
    add()
    with tiny_s3() as running:
        settings = {"ENDPOINT_URL": running.url, "ACCESS_KEY_ID": "k", "SECRET_ACCESS_KEY": "s", "REGION": "us-east-1"}
        for name, value in settings.items():
            monkeypatch.setenv(f"AWS_{name}", value)
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.setenv(name, "127.0.0.1")
        bucket = Bucket("s3://wheels/team")
        publish_to(dist, bucket)
        assert bucket.read(f"wheels/{NAME}.statement.json") == dist.read(f"wheels/{NAME}.statement.json")
        assert problems(bucket.read) == []


def test_a_statement_that_came_later_is_sent_without_the_wheel(dist, add, tmp_path):
    add(key="")
    there = Folder(tmp_path / "www")
    publish_to(dist, there)
    inode = (there.root / "wheels" / NAME).stat().st_ino
    add()
    plan, changed = publish_to(dist, there)
    assert plan.wheels == ()
    assert plan.bytes == 0
    assert changed.projects == ("a",)
    assert (there.root / "wheels" / NAME).stat().st_ino == inode
    assert the_file(there) == the_file(dist)
    assert problems(there.read) == []


def test_a_published_statement_stays(dist, add, tmp_path):
    add()
    there = Folder(tmp_path / "www")
    publish_to(dist, there)
    published = the_file(there)
    catalogue = read_catalogue(dist)
    newer = replace(the_file(dist), statement_sha256="d" * 64, provenance_sha256="e" * 64)
    catalogue.put(catalogue.project("a").with_files([newer]))
    with dist.changing():
        write(dist, catalogue, changed=["a"])
    publish_to(dist, there)
    assert the_file(there) == published, "and no signature of another statement comes along"


def test_a_statement_that_was_changed_since_is_not_published(dist, add, tmp_path):
    wheel = add()
    wheel.with_name(f"{NAME}.statement.json").write_bytes(b"{}")
    there = Folder(tmp_path / "www")
    with pytest.raises(IndexingError, match=r"statement\.json is not the file that was indexed"):
        publish_to(dist, there)
    assert not os.path.lexists(there.root / "packages.json")


def test_a_record_of_the_format_before_is_read(dist, add):
    add(key="")
    data = dump(read_catalogue(dist))
    assert b'"format":2' in data
    assert load(data.replace(b'"format":2', b'"format":1'), "x").projects == read_catalogue(dist).projects
