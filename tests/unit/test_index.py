from __future__ import annotations

import hashlib
import zipfile
from html.parser import HTMLParser

import pytest

from emwheels import index

TAG = "cp314-cp314-pyemscripten_2026_0_wasm32"


def make_wheel(folder, name, version="1.0", requires=">=3.14,<4", content=""):
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}-{version}-{TAG}.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{name}.py", content)
        metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        metadata += f"Requires-Python: {requires}\n" if requires else ""
        archive.writestr(f"{name}-{version}.dist-info/METADATA", metadata)
        archive.writestr(f"{name}/vendored.dist-info/METADATA", "Requires-Python: ==2.7\n")
    return path


class Links(HTMLParser):
    def __init__(self, path):
        super().__init__()
        self.links = []
        self.meta = {}
        self.feed(path.read_text())
        self.close()

    def handle_starttag(self, tag, attrs):
        if tag == "a":
            self.links.append(dict(attrs))
        if tag == "meta":
            self.meta[dict(attrs).get("name")] = dict(attrs).get("content")


def test_page_of_a_project(tmp_path):
    dist = tmp_path / "dist"
    wheel = make_wheel(tmp_path / "made", "demo")
    published = index.publish(dist, wheel, wheel.name)
    assert published == dist / "wheels" / wheel.name
    assert published.read_bytes() == wheel.read_bytes()
    page = Links(dist / "simple" / "demo" / "index.html")
    (link,) = page.links
    assert link["data-requires-python"] == ">=3.14,<4", "unescaped by the parser"
    assert "&gt;=3.14,&lt;4" in (dist / "simple" / "demo" / "index.html").read_text()
    address, _, fragment = link["href"].partition("#")
    assert fragment == f"sha256={hashlib.sha256(wheel.read_bytes()).hexdigest()}"
    assert (dist / "simple" / "demo" / address).resolve() == published
    assert page.meta["pypi:repository-version"] == "1.0"


def test_names_are_normalised_and_the_root_lists_projects(tmp_path):
    dist = tmp_path / "dist"
    for name in ("Zeta_Pkg", "alpha"):
        wheel = make_wheel(tmp_path / "made", name)
        index.publish(dist, wheel, wheel.name)
    assert [link["href"] for link in Links(dist / "simple" / "index.html").links] == ["alpha/", "zeta-pkg/"]
    (link,) = Links(dist / "simple" / "zeta-pkg" / "index.html").links
    assert f"Zeta_Pkg-1.0-{TAG}.whl" in link["href"]


def test_versions_are_kept_side_by_side_and_a_rebuilt_one_replaces(tmp_path):
    dist = tmp_path / "dist"
    for version, content in (("1.0", "a"), ("1.1", "b"), ("1.0", "c")):
        wheel = make_wheel(tmp_path / "made", "demo", version, content=content)
        index.publish(dist, wheel, wheel.name)
    links = Links(dist / "simple" / "demo" / "index.html").links
    assert len(links) == 2
    for link in links:
        address, _, fragment = link["href"].partition("#sha256=")
        file = dist / "simple" / "demo" / address
        assert hashlib.sha256(file.read_bytes()).hexdigest() == fragment


def test_no_requires_python(tmp_path):
    wheel = make_wheel(tmp_path / "made", "demo", requires="")
    index.publish(tmp_path / "dist", wheel, wheel.name)
    (link,) = Links(tmp_path / "dist" / "simple" / "demo" / "index.html").links
    assert "data-requires-python" not in link


def test_same_bytes_are_not_written_again(tmp_path):
    file = tmp_path / "a" / "file"
    index.write_atomically(file, b"1")
    before = file.stat()
    index.write_atomically(file, b"1")
    assert file.stat().st_ino == before.st_ino
    index.write_atomically(file, b"2")
    assert file.read_bytes() == b"2"
    assert file.stat().st_mode & 0o777 == 0o644


def test_an_interrupted_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    file = tmp_path / "file"
    index.write_atomically(file, b"old")

    def stop(_descriptor):
        raise KeyboardInterrupt

    monkeypatch.setattr(index.os, "fsync", stop)
    with pytest.raises(KeyboardInterrupt):
        index.write_atomically(file, b"new")
    assert file.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [file]
