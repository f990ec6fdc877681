from __future__ import annotations

import hashlib
import json
from html.parser import HTMLParser

import pytest
from synthetic_wheels import OLD_WASM, WASM, make_wheel

from emwheels import index
from emwheels.errors import IndexingError
from emwheels.index.model import load
from emwheels.index.places.folder import Folder
from emwheels.index.update import read_catalogue


class Links(HTMLParser):
    def __init__(self, path):
        super().__init__()
        self.links = []
        self.meta = {}
        self.tags = []
        self.feed(path.read_text())
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        if tag == "a":
            self.links.append(dict(attrs))
        if tag == "meta":
            self.meta[dict(attrs).get("name")] = dict(attrs).get("content")


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def dist(tmp_path):
    return tmp_path / "dist"


@pytest.fixture
def publish(tmp_path, dist):
    def publish(name, version="1.0", **options):
        wheel = make_wheel(tmp_path / "made", name, version, **options)
        index.publish(dist, wheel, wheel.name)
        return dist / "wheels" / wheel.name

    return publish


def test_page_of_a_project(tmp_path, dist):
    wheel = make_wheel(tmp_path / "made", "demo", tag=WASM, requires_python=">=3.14,<4")
    assert index.publish(dist, wheel, wheel.name)
    assert not index.publish(dist, wheel, wheel.name), "the second time changes nothing"
    published = dist / "wheels" / wheel.name
    assert published.read_bytes() == wheel.read_bytes()
    page = Links(dist / "simple" / "demo" / "index.html")
    (link,) = page.links
    assert link["data-requires-python"] == ">=3.14,<4", "unescaped by the parser"
    assert "&gt;=3.14,&lt;4" in (dist / "simple" / "demo" / "index.html").read_text()
    address, _, fragment = link["href"].partition("#")
    assert fragment == f"sha256={sha256(wheel)}"
    assert (dist / "simple" / "demo" / address).resolve() == published
    assert page.meta["pypi:repository-version"] == "1.0"
    metadata = published.with_name(f"{published.name}.metadata")
    assert link["data-core-metadata"] == link["data-dist-info-metadata"] == f"sha256={sha256(metadata)}"
    assert "Requires-Python: >=3.14,<4" in metadata.read_text()
    assert "data-yanked" not in link
    assert not (dist / "simple" / "demo" / "index.json").exists(), "there is no address that its links could have"


def test_names_are_normalised_and_the_root_lists_projects(dist, publish):
    publish("Zeta_Pkg")
    publish("alpha")
    assert [link["href"] for link in Links(dist / "simple" / "index.html").links] == ["alpha/", "zeta-pkg/"]
    (link,) = Links(dist / "simple" / "zeta-pkg" / "index.html").links
    assert "Zeta_Pkg-1.0-py3-none-any.whl" in link["href"]


def test_spellings_of_one_name_are_one_project(dist, publish):
    publish("Zeta_Pkg")
    publish("zeta.pkg", "2.0")
    links = Links(dist / "simple" / "zeta-pkg" / "index.html").links
    assert ["Zeta_Pkg-1.0" in links[0]["href"], "zeta.pkg-2.0" in links[1]["href"]] == [True, True]
    assert [link["href"] for link in Links(dist / "simple" / "index.html").links] == ["zeta-pkg/"]


def test_versions_and_abis_are_side_by_side_in_order(dist, publish):
    for version, tag in (("1.10", WASM), ("1.9", WASM), ("1.10", OLD_WASM)):
        publish("demo", version, tag=tag)
    names = [link["href"].split("#")[0].rpartition("/")[2] for link in Links(dist / "simple/demo/index.html").links]
    assert names == [f"demo-1.9-{WASM}.whl", f"demo-1.10-{OLD_WASM}.whl", f"demo-1.10-{WASM}.whl"]


def test_a_rebuilt_wheel_replaces_the_one_in_the_working_index(dist, publish):
    publish("demo", "1.0", files={"demo.py": "a"})
    before = read_catalogue(Folder(dist)).project("demo").files[0]
    published = publish("demo", "1.0", files={"demo.py": "bb"})
    (after,) = read_catalogue(Folder(dist)).project("demo").files
    (link,) = Links(dist / "simple" / "demo" / "index.html").links
    assert link["href"].endswith(f"#sha256={sha256(published)}")
    assert after.sha256 == sha256(published)
    assert after.uploaded > before.uploaded


def test_publishing_the_same_again_writes_nothing(dist, publish):
    publish("demo")
    before = {path: path.stat().st_mtime_ns for path in dist.rglob("*")}
    publish("demo")
    assert {path: path.stat().st_mtime_ns for path in dist.rglob("*")} == before


def test_a_wheel_that_was_damaged_in_the_index_is_written_again(dist, publish):
    published = publish("demo")
    good = published.read_bytes()
    published.write_bytes(b"")
    publish("demo")
    assert published.read_bytes() == good


def test_no_requires_python(dist, publish):
    publish("demo", requires_python="")
    (link,) = Links(dist / "simple" / "demo" / "index.html").links
    assert "data-requires-python" not in link


def test_only_its_own_project_is_touched(dist, publish):
    for name in ("a", "b"):
        publish(name)
    before = {path: path.stat().st_mtime_ns for path in dist.rglob("*") if path.is_file()}
    publish("b", "2.0")
    after = {path: path.stat().st_mtime_ns for path in dist.rglob("*") if path.is_file()}
    touched = {str(path.relative_to(dist)) for path in after if before.get(path) != after[path]}
    assert touched == {
        "packages.json",
        "simple/b/index.html",
        "wheels/b-2.0-py3-none-any.whl",
        "wheels/b-2.0-py3-none-any.whl.metadata",
    }


def test_pages_that_an_interrupted_change_did_not_write_are_written_by_the_next(dist, publish, monkeypatch):
    publish("a")
    original = Folder.send

    def stop_at_pages(self, files):
        if any(name.startswith("simple/b/") for name in files):
            raise KeyboardInterrupt
        return original(self, files)

    monkeypatch.setattr(Folder, "send", stop_at_pages)
    with pytest.raises(KeyboardInterrupt):
        publish("b")
    assert not (dist / "simple" / "b").exists()
    assert read_catalogue(Folder(dist)).pending == {"b"}
    monkeypatch.undo()
    publish("c")
    assert len(Links(dist / "simple" / "index.html").links) == 3
    assert (dist / "simple" / "b" / "index.html").is_file()
    assert not read_catalogue(Folder(dist)).pending


@pytest.mark.parametrize(
    "data",
    [
        b"{",
        b"[]",
        b'{"format":1}',
        b'{"format":1,"base_url":"","releases":[],"pending":[],"projects":{"A_b":{"files":[]}}}',
        b'{"format":1,"base_url":"","releases":[],"pending":[],"projects":{"a":{"files":[{"filename":"../a.whl"}]}}}',
    ],
)
def test_a_damaged_record_is_an_error_that_says_what_to_do(dist, publish, data):
    dist.mkdir()
    (dist / "packages.json").write_bytes(data)
    with pytest.raises(IndexingError, match=r"packages\.json is damaged") as caught:
        publish("demo")
    assert "emwheels index build" in caught.value.hint
    assert (dist / "packages.json").read_bytes() == data


RECORD = {"filename": "a-1.0-py3-none-any.whl", "sha256": "0" * 64, "uploaded": "", "metadata_sha256": ""}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"filename": "a-x.y.z-py3-none-any.whl"}, "is not the name of a wheel"),
        ({"filename": "a-1.0-1-x-py3-none-any.whl"}, "is not the name of a wheel"),
        ({"filename": "a__b-1.0-py3-none-any.whl"}, "is not the name of a wheel"),
        ({"filename": "a-1.0-py3-none-\x1b.whl"}, "is not the name of a wheel"),
        ({"filename": f"a-1.0-{'.'.join('ab' * 30)}-{'.'.join('ab' * 30)}-any.whl"}, "has too many tags"),
        ({"requires": [1]}, "has a value that is no text"),
        ({"sha256": ["x"]}, "has a value that is no text"),
        ({"size": "1"}, "is not the size of"),
        ({"size": -1}, "is not the size of"),
        ({"evil": 1}, "evil"),
    ],
)
def test_a_record_is_parsed_by_its_schema(changes, words):
    def catalogue(record):
        projects = {"a": {"files": [record]}}
        return json.dumps({"format": 1, "base_url": "", "releases": [], "pending": [], "projects": projects}).encode()

    for name in ("a-1.0-py3-none-any.whl", "a.b-1.0rc1+cpu_2-7b-cp314-cp314-linux_x86_64.whl"):
        assert load(catalogue(RECORD | {"filename": name}), "here").projects["a"].files[0].version
    with pytest.raises(IndexingError, match=rf"here/packages\.json is damaged: .*{words}"):
        load(catalogue(RECORD | changes), "here")


def test_an_index_without_a_record_is_read_from_its_wheels(dist, publish, tmp_path):
    make_wheel(dist / "wheels", "older")
    publish("demo")
    assert [link["href"] for link in Links(dist / "simple" / "index.html").links] == ["demo/", "older/"]
    assert (dist / "wheels" / "older-1.0-py3-none-any.whl.metadata").is_file()


def test_a_record_of_a_later_format_is_not_guessed_at(dist, publish):
    dist.mkdir()
    (dist / "packages.json").write_text(json.dumps({"format": 3}))
    with pytest.raises(IndexingError, match="format 3"):
        publish("demo")
