"""What is written against what an independent reader of the specifications makes of it."""

from __future__ import annotations

import json
import string
from html.parser import HTMLParser
from urllib.parse import quote, urljoin

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from packaging.utils import canonicalize_name, parse_wheel_filename
from simple_repository import parser

from emwheels.errors import IndexingError
from emwheels.index import pages
from emwheels.index.model import Catalogue, File, Project, dump, load

BASE = "https://wheels.example.org/team/"
HASH = st.sampled_from(["0" * 64, "0123456789abcdef" * 4])
TEXT = st.text("<>&\"'= \n\téa/b", max_size=8) | st.sampled_from(['"><script>alert(1)</script>', "</a><!--", "&lt;"])
SPECIFIER = st.sampled_from(["", ">=3.11", ">=3.11,<4", "!=3.12.*,>=3.9"])
VERSION = st.sampled_from(["1.0", "1.10", "1.9", "2.0rc1", "1!2.0", "1.0+local.1", "2026.11.15"])
WASM = "pyemscripten_2026_0_wasm32"
TAG = st.sampled_from(["py3-none-any", f"cp314-cp314-{WASM}", f"cp39-abi3-{WASM}"])
NAME = st.sampled_from(["a", "numpy", "opencv_python", "zope.interface", "Jinja2", "x_1"])
QUICK = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@st.composite
def files(draw, name):
    return File(
        filename=f"{name}-{draw(VERSION)}-{draw(TAG)}.whl",
        sha256=draw(HASH),
        size=draw(st.integers(0, 1 << 40)),
        uploaded=draw(st.sampled_from(["2026-01-02T03:04:05.000006Z", "2025-12-31T23:59:59.000000Z"])),
        metadata_sha256=draw(HASH),
        statement_sha256=draw(st.just("") | HASH),
        provenance_sha256=draw(st.just("") | HASH),
        requires_python=draw(SPECIFIER),
        requires=tuple(draw(st.lists(st.sampled_from(["numpy>=2", "a; extra == 'b'"]), max_size=2))),
        yanked=draw(st.none() | TEXT),
        marked=draw(st.sampled_from(["", "2026-01-02T03:04:05.000006Z"])),
    )


@st.composite
def projects(draw, statuses=("active", "archived", "deprecated")):
    name = draw(NAME)
    project = Project(
        name=canonicalize_name(name), status=draw(st.sampled_from(statuses)), reason=draw(TEXT), marked="x"
    )
    return project.with_files(draw(st.lists(files(name), min_size=1, max_size=5)))


class Page(HTMLParser):
    """The page as a browser sees it: if any text had broken out of its attribute, there would be other tags."""

    def __init__(self, page):
        super().__init__()
        self.tags = []
        self.feed(page.decode())
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))


@QUICK
@given(projects(), st.sampled_from(["", BASE, "http://intranet/"]))
def test_html_says_what_the_model_says(project, base_url):
    page = pages.project_html(project, base_url)
    read = parser.parse_html_project_page(page.decode(), project.name)
    assert [file.filename for file in read.files] == [file.filename for file in project.files]
    for got, file in zip(read.files, project.files, strict=True):
        assert got.hashes == {"sha256": file.sha256}
        assert (got.requires_python or "") == file.requires_python
        assert got.dist_info_metadata == {"sha256": file.metadata_sha256}
        assert urljoin(f"{BASE}simple/{project.name}/", got.url).startswith(f"{base_url or BASE}wheels/")
    tags = Page(page).tags
    assert {tag for tag, _ in tags} == {"html", "head", "meta", "title", "body", "a", "br"}
    links = [attributes for tag, attributes in tags if tag == "a"]
    assert [link.get("data-yanked") for link in links] == [file.yanked for file in project.files]
    assert all(set(link) <= LINK_ATTRIBUTES for link in links)
    for link, file in zip(links, project.files, strict=True):
        for name, sha256 in (("statement", file.statement_sha256), ("provenance", file.provenance_sha256)):
            assert link.get(f"data-emwheels-{name}", "") == (sha256 and f"sha256={sha256}")
        address = f"{BASE}wheels/{quote(file.filename)}.provenance"
        secure = file.provenance_sha256 and base_url == BASE
        assert link.get("data-provenance") == (address if secure else None), "PEP 740 wants a secure origin"
    meta = {attributes.get("name"): attributes.get("content") for tag, attributes in tags if tag == "meta"}
    assert meta.get("pypi:project-status", "active") == project.status
    if project.status != "active":
        assert meta.get("pypi:project-status-reason", "") == project.reason


LINK_ATTRIBUTES = {
    "href",
    "data-requires-python",
    "data-core-metadata",
    "data-dist-info-metadata",
    "data-provenance",
    "data-emwheels-statement",
    "data-emwheels-provenance",
    "data-yanked",
}


@QUICK
@given(projects())
def test_json_says_what_the_model_says(project):
    page = pages.project_json(project, BASE)
    read = parser.parse_json_project_page(page.decode())
    assert read.name == project.name
    assert [file.filename for file in read.files] == [file.filename for file in project.files]
    for got, file in zip(read.files, project.files, strict=True):
        assert got.url.startswith(f"{BASE}wheels/"), "micropip takes absolute URLs only"
        assert got.hashes == {"sha256": file.sha256}
        assert got.size == file.size
        assert got.dist_info_metadata == {"sha256": file.metadata_sha256}
        assert (got.requires_python or "") == file.requires_python
        assert got.yanked == (False if file.yanked is None else file.yanked or True)
    document = json.loads(page)
    assert document["versions"] == list(dict.fromkeys(str(parse_wheel_filename(f.filename)[1]) for f in project.files))
    assert [entry["upload-time"] for entry in document["files"]] == [file.uploaded for file in project.files]
    for entry, file in zip(document["files"], project.files, strict=True):
        for name, sha256 in (("statement", file.statement_sha256), ("provenance", file.provenance_sha256)):
            assert entry.get(f"_emwheels-{name}") == ({"sha256": sha256} if sha256 else None)
        assert ("provenance" in entry) == bool(file.provenance_sha256)
    if project.status == "active":
        signed = any(file.provenance_sha256 for file in project.files)
        assert document["meta"] == {"api-version": "1.3" if signed else "1.1"}
        assert "project-status" not in document
    else:
        assert document["meta"] == {"api-version": "1.4"}
        assert document["project-status"]["status"] == project.status


@QUICK
@given(st.lists(NAME.map(canonicalize_name), max_size=6))
def test_lists_of_projects(names):
    expected = set(names)
    assert {p.name for p in parser.parse_html_project_list(pages.root_html(expected).decode()).projects} == expected
    assert {p.name for p in parser.parse_json_project_list(pages.root_json(expected).decode()).projects} == expected


@QUICK
@given(projects(statuses=("quarantined",)))
def test_a_project_in_quarantine_offers_no_file(project):
    assert "<a " not in pages.project_html(project).decode()
    document = json.loads(pages.project_json(project, BASE))
    assert document["files"] == []
    assert document["project-status"]["status"] == "quarantined"


@QUICK
@given(st.lists(projects(), max_size=4), st.sampled_from(["", BASE]))
def test_the_record_is_read_as_it_was_written(found, base_url):
    catalogue = Catalogue(
        base_url=base_url, projects={p.name: p for p in found}, pending=frozenset({"a"}), releases=("1",)
    )
    assert load(dump(catalogue), "here") == catalogue


@QUICK
@given(st.binary(max_size=200) | st.text(string.printable, max_size=200).map(str.encode))
def test_no_record_makes_a_traceback(data):
    with pytest.raises(IndexingError, match=r"here/packages\.json"):
        load(data, "here")
