from __future__ import annotations

import gzip
import json
import zipfile

import brotli
import pytest
from index_reader import problems
from synthetic_wheels import WASM, make_wheel

from emwheels import index
from emwheels.errors import IndexingError, UsageError
from emwheels.index.places.folder import Folder
from emwheels.index.places.objects import Bucket
from emwheels.index.publishing import check_base_url, place_of, publish_to
from emwheels.index.update import read_catalogue, set_status, write, yank

BASE = "https://wheels.example.org/"


@pytest.fixture
def source(tmp_path):
    return Folder(tmp_path / "dist")


@pytest.fixture
def destination(tmp_path):
    return Folder(tmp_path / "www")


@pytest.fixture
def add(tmp_path, source):
    def add(name, version="1.0", **options):
        wheel = make_wheel(tmp_path / "made", name, version, **options)
        index.publish(source.root, wheel, wheel.name)
        return source.root / "wheels" / wheel.name

    return add


BIG = {"big.py": "VALUE = 'a line that is there many times'\n" * 3000}
"""More than a wheel must have to get compressed copies."""


def change(place, project):
    catalogue = read_catalogue(place)
    catalogue.put(project)
    write(place, catalogue, changed=[project.name])


def files(folder):
    return {str(path.relative_to(folder.root)): path.read_bytes() for path in folder.root.rglob("*") if path.is_file()}


def test_everything_arrives_and_every_link_leads_somewhere(source, destination, add):
    add("a", tag=WASM)
    add("b")
    plan, changed = publish_to(source, destination, base_url=BASE)
    assert [file.filename for file in plan.wheels] == [f"a-1.0-{WASM}.whl", "b-1.0-py3-none-any.whl"]
    assert changed.projects == ("a", "b")
    assert problems(destination.read, BASE) == []
    document = json.loads(destination.read("simple/b/index.json"))
    assert document["files"][0]["url"] == f"{BASE}wheels/b-1.0-py3-none-any.whl"
    assert json.loads(destination.read("simple/index.json"))["projects"] == [{"name": "a"}, {"name": "b"}]


def test_the_reader_of_these_tests_sees_what_is_broken(source, destination, add):
    published = add("a")
    publish_to(source, destination, base_url=BASE)
    wheel = destination.root / "wheels" / published.name
    wheel.write_bytes(b"other")
    assert any("a wrong or missing wheels/a-1.0" in problem for problem in problems(destination.read, BASE))
    wheel.unlink()
    assert any("a wrong or missing wheels/a-1.0" in problem for problem in problems(destination.read, BASE))
    (destination.root / "simple/a/index.html").unlink()
    assert "the list has a, which has no page" in problems(destination.read, BASE)


def test_a_stored_wheel_has_compressed_copies_wherever_it_goes(source, destination, add):
    wheel = add("big", files=BIG)
    publish_to(source, destination)
    for suffix, unpack in ((".br", brotli.decompress), (".gz", gzip.decompress)):
        name = f"wheels/{wheel.name}{suffix}"
        assert unpack(destination.read(name)) == wheel.read_bytes()
        assert len(destination.read(name)) < wheel.stat().st_size / 2
    assert problems(destination.read) == []


def test_a_small_or_a_compressed_wheel_has_none(source, add, tmp_path):
    add("small")
    packed = tmp_path / "big-1.0-py3-none-any.whl"
    plain = make_wheel(tmp_path / "made", "big", files=BIG)
    with zipfile.ZipFile(plain) as old, zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(name, old.read(name))
    index.publish(source.root, packed, packed.name)
    assert {path.suffix for path in (source.root / "wheels").iterdir()} == {".whl", ".metadata"}


def test_a_copy_of_the_wheel_before_is_not_left_beside_a_rebuilt_one(source, add):
    wheel = add("big", files=BIG)
    add("big", files={"big.py": "small now\n"})
    assert [path.name for path in (source.root / "wheels").glob("big*") if path.suffix in (".br", ".gz")] == []
    assert wheel.is_file()


def test_a_copy_with_other_bytes_is_not_published(source, destination, add):
    wheel = add("big", files=BIG)
    (source.root / "wheels" / f"{wheel.name}.br").write_bytes(brotli.compress(b"other"))
    with pytest.raises(IndexingError, match="is no compressed copy"):
        publish_to(source, destination)
    assert destination.read("simple/index.html") is None


def test_a_second_time_writes_nothing(source, destination, add):
    add("a")
    publish_to(source, destination, base_url=BASE)
    before = {path: path.stat().st_mtime_ns for path in destination.root.rglob("*")}
    plan, changed = publish_to(source, destination)
    assert changed is None
    assert not plan.wheels
    assert {path: path.stat().st_mtime_ns for path in destination.root.rglob("*")} == before


def test_what_only_the_destination_has_stays(tmp_path, source, destination, add):
    add("a", "1.0")
    add("b")
    publish_to(source, destination)
    fresh = Folder(tmp_path / "fresh checkout")
    wheel = make_wheel(tmp_path / "made", "a", "2.0")
    index.publish(fresh.root, wheel, wheel.name)
    publish_to(fresh, destination)
    catalogue = read_catalogue(destination)
    assert [str(file.version) for file in catalogue.project("a").files] == ["1.0", "2.0"]
    assert set(catalogue.projects) == {"a", "b"}
    assert problems(destination.read) == []


def test_other_bytes_under_a_published_name_are_refused(source, destination, add):
    add("a", files={"a.py": "1"})
    add("b")
    publish_to(source, destination)
    before = files(destination)
    add("a", files={"a.py": "22"})
    add("c")
    with pytest.raises(IndexingError, match="a published file never changes") as caught:
        publish_to(source, destination)
    assert "a-1.0-py3-none-any.whl" in caught.value.message
    assert "index remove a 1.0" in caught.value.hint
    assert files(destination) == before


def test_a_wheel_that_changed_since_it_was_indexed_is_not_published(source, destination, add):
    add("a").write_bytes(b"tampered")
    with pytest.raises(IndexingError, match="is not the file that was indexed"):
        publish_to(source, destination)
    assert destination.read("simple/index.html") is None


def test_a_dry_run_writes_nothing(source, destination, add):
    add("a")
    plan, changed = publish_to(source, destination, dry_run=True)
    assert [file.filename for file in plan.wheels] == ["a-1.0-py3-none-any.whl"]
    assert changed is None
    assert not files(destination)


def test_a_yank_is_kept_when_a_fresh_checkout_publishes_the_same_wheel(source, destination, add):
    add("a")
    publish_to(source, destination)
    change(destination, yank(read_catalogue(destination).project("a"), "1.0", "wrong results"))
    publish_to(source, destination)
    assert 'data-yanked="wrong results"' in destination.read("simple/a/index.html").decode()


def test_of_two_marks_the_later_counts(source, destination, add):
    add("a")
    publish_to(source, destination)
    change(destination, yank(read_catalogue(destination).project("a"), "1", "there"))
    change(source, yank(read_catalogue(source).project("a"), "1.0", None))
    change(source, set_status(read_catalogue(source).project("a"), "deprecated", "use b"))
    publish_to(source, destination, base_url=BASE)
    page = destination.read("simple/a/index.html").decode()
    assert "data-yanked" not in page
    assert 'content="deprecated"' in page
    assert json.loads(destination.read("simple/a/index.json"))["project-status"] == {
        "status": "deprecated",
        "reason": "use b",
    }


def test_a_new_base_url_changes_every_page(source, destination, add):
    add("a")
    add("b")
    publish_to(source, destination, base_url=BASE)
    publish_to(source, destination, base_url="https://other.example.org/")
    for name in ("a", "b"):
        assert b"https://other.example.org/wheels/" in destination.read(f"simple/{name}/index.json")


def test_the_working_index_is_no_destination(source, add):
    add("a")
    with pytest.raises(UsageError, match="working index itself"):
        publish_to(source, Folder(source.root))


def test_nothing_to_publish(source, destination):
    with pytest.raises(IndexingError, match="has no index"):
        publish_to(source, destination)


def test_an_unknown_version_is_an_error_that_names_those_there_are(source, add):
    add("a", "1.0")
    add("a", "2.0")
    with pytest.raises(IndexingError, match=r"no version '3\.0'") as caught:
        yank(read_catalogue(source).project("a"), "3.0", "")
    assert caught.value.hint == "it has: 1.0, 2.0"


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("/srv/www", "Folder"),
        ("relative/folder", "Folder"),
        ("./with:colon", "Folder"),
        ("host:folder", "Rsync"),
        ("user@host.example.org:/srv/www", "Rsync"),
        ("rsync://host/module/folder", "Rsync"),
        ("s3://bucket/folder", "Bucket"),
    ],
)
def test_destinations(text, kind, monkeypatch):
    monkeypatch.setattr("emwheels.index.places.rsync.shutil.which", lambda _name: "/usr/bin/rsync")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    assert type(place_of(text)).__name__ == kind


@pytest.mark.parametrize("text", ["https://host/x", "ftp://host/x", "s4://bucket"])
def test_what_is_no_destination(text):
    with pytest.raises(UsageError, match="no place to publish to"):
        place_of(text)


def test_a_bucket_without_a_name():
    with pytest.raises(IndexingError, match="not the address of a bucket"):
        Bucket("s3://")


def test_base_urls():
    assert check_base_url("https://a.example/b") == "https://a.example/b/"
    for text in ("a.example", "ftp://a.example", "https://", "https://a.example/?x", "javascript:alert(1)"):
        with pytest.raises(UsageError, match="not the address of an index"):
            check_base_url(text)
