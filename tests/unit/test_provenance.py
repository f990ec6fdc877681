"""What a wheel carries of its own making, and how it gets into the wheel."""

from __future__ import annotations

import base64
import csv
import hashlib
import json
import zipfile
import zlib
from dataclasses import replace
from pathlib import Path

import pytest

from emwheels.build.inside.add_members import add_members
from emwheels.build.provenance import Linked, build_report, sbom
from emwheels.plan.key import BuildKey
from emwheels.recipe.downloads import Download
from emwheels.recipe.load import load_recipe
from emwheels.wheel import REPORT, SBOM

INFO = "demo-1.0.dist-info"


@pytest.fixture
def recipes(tmp_path):
    found = {}
    for name, licence in (("demo", "BSD-3-Clause"), ("zlib", "Zlib"), ("odd", "Somebody's own terms")):
        folder = tmp_path / "recipes" / name
        folder.mkdir(parents=True)
        (folder / "meta.yaml").write_text(
            f'package:\n  name: {name}\n  version: "1.0"\nsource:\n  url: pkg:deb/debian/{name}@1.0\n'
            f"  sha256: {'ab' * 32}\nabout:\n  license: {licence}\n"
        )
        found[name] = load_recipe(folder, patches=tmp_path / "patches")
    return found


def wheel(path, **members):
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in {"demo.py": "x = 1\n", f"{INFO}/METADATA": "Name: demo\n", **members}.items():
            archive.writestr(name, text)
        archive.writestr(f"{INFO}/RECORD", f"demo.py,sha256=abc,6\n{INFO}/METADATA,,\n{INFO}/RECORD,,\n")
    return path


def test_the_sbom_lists_what_is_linked_with_its_licence(recipes):
    linked = [Linked(recipe=recipes[name], sha256="cd" * 32) for name in ("zlib", "odd")]
    data = sbom(recipes["demo"], BuildKey(inputs={"a": 1}), linked, epoch=0)
    document = json.loads(data)
    assert document["bomFormat"] == "CycloneDX"
    assert document["metadata"]["component"]["purl"] == "pkg:pypi/demo@1.0"
    assert document["metadata"]["timestamp"] == "1970-01-01T00:00:00+00:00"
    assert {part["name"]: part["licenses"] for part in document["components"]} == {
        "zlib": [{"license": {"id": "Zlib"}}],
        "odd": [{"license": {"name": "Somebody's own terms"}}],
    }
    assert {part["name"]: part["hashes"][0]["content"] for part in document["components"]}["zlib"] == "cd" * 32
    depends = {part["ref"]: part.get("dependsOn") for part in document["dependencies"]}
    assert depends["demo@1.0"] == ["odd@1.0", "zlib@1.0"]
    assert data == sbom(recipes["demo"], BuildKey(inputs={"a": 1}), linked[::-1], epoch=0), "order changes nothing"


def test_the_sbom_lists_downloads_with_their_hash(recipes):
    named = Download(name="fmt", url="pkg:deb/debian/fmtlib@10.1.1", sha256="ef" * 32)
    other = Download(name="span", url="https://example.org/span.zip?token=secret", sha256="01" * 32)
    recipe = replace(recipes["demo"], downloads=(named, other))
    document = json.loads(sbom(recipe, BuildKey(inputs={"a": 1}), [], epoch=0))
    found = {part["name"]: part for part in document["components"]}
    assert found["fmt"]["purl"] == "pkg:deb/debian/fmtlib@10.1.1"
    assert {name: part["hashes"][0]["content"] for name, part in found.items()} == {"fmt": "ef" * 32, "span": "01" * 32}
    (reference,) = found["span"]["externalReferences"]
    assert reference["url"].startswith("https://example.org/span.zip")
    assert "secret" not in reference["url"]


def test_the_report_holds_the_key_and_its_inputs(recipes):
    target = {"name": "314.0.7", "cflags": ["-fPIC"], "ldflags": [], "runtime_sha256": "ab" * 32}
    kept = {"image": "sha256:1", "profile": {"speed": ["-O3"]}}
    key = BuildKey(inputs={**kept, "target": target, "patches": {}, "build requirements": ""})
    report = json.loads(build_report(recipes["demo"], key, tools={"llvm": "21"}, requirements=["b.whl", "a.whl"]))
    assert (report["key"], report["tools"]) == (key.digest, {"llvm": "21"})
    assert report["inputs"] == kept | {"target": {"name": "314.0.7", "cflags": ["-fPIC"], "ldflags": []}}
    assert report["build requirements"] == ["a.whl", "b.whl"]


def test_members_are_added_and_recorded(tmp_path):
    folder = tmp_path / "members"
    (folder / "sboms").mkdir(parents=True)
    (folder / REPORT).write_text("{}")
    (folder / SBOM).write_text("[]")
    old = wheel(tmp_path / "demo-1.0-py3-none-any.whl")
    for out in (tmp_path / "new.whl", tmp_path / "again.whl"):
        add_members(old, folder, out)
    assert (tmp_path / "new.whl").read_bytes() == (tmp_path / "again.whl").read_bytes()
    with zipfile.ZipFile(tmp_path / "new.whl") as archive:
        names = archive.namelist()
        assert names == ["demo.py", f"{INFO}/METADATA", f"{INFO}/{REPORT}", f"{INFO}/{SBOM}", f"{INFO}/RECORD"]
        assert archive.read("demo.py") == b"x = 1\n"
        rows = {row[0]: row[1:] for row in csv.reader(archive.read(f"{INFO}/RECORD").decode().splitlines())}
        assert sorted(rows) == sorted(names)
        digest = base64.urlsafe_b64encode(hashlib.sha256(b"{}").digest()).decode().rstrip("=")
        assert rows[f"{INFO}/{REPORT}"] == [f"sha256={digest}", "2"]
        assert rows[f"{INFO}/RECORD"] == ["", ""]
        assert {info.date_time for info in archive.infolist()} == {(2024, 1, 1, 0, 0, 0)}


def test_members_are_packed_as_tightly_as_zlib_can(tmp_path):
    text = Path(zipfile.__file__).read_bytes()
    with zipfile.ZipFile(tmp_path / "old.whl", "w") as archive:
        archive.writestr("demo.py", text)
        archive.writestr(f"{INFO}/RECORD", "demo.py,,\n")
    (tmp_path / "members").mkdir()
    add_members(tmp_path / "old.whl", tmp_path / "members", tmp_path / "new.whl")
    with zipfile.ZipFile(tmp_path / "new.whl") as archive:
        best, usual = (zlib.compressobj(level, zlib.DEFLATED, -15) for level in (9, 6))
        sizes = [len(packer.compress(text) + packer.flush()) for packer in (best, usual)]
        assert archive.getinfo("demo.py").compress_size == sizes[0] < sizes[1]


def test_members_can_be_stored(tmp_path):
    old = wheel(tmp_path / "demo-1.0-py3-none-any.whl")
    (tmp_path / "members").mkdir()
    (tmp_path / "members" / REPORT).write_text("{}")
    add_members(old, tmp_path / "members", tmp_path / "new.whl", stored=True)
    with zipfile.ZipFile(tmp_path / "new.whl") as archive:
        assert {info.compress_type for info in archive.infolist()} == {zipfile.ZIP_STORED}
        assert archive.testzip() is None


def test_a_member_that_is_there_already_is_not_replaced(tmp_path):
    folder = tmp_path / "members"
    folder.mkdir()
    (folder / REPORT).write_text("{}")
    old = wheel(tmp_path / "demo-1.0-py3-none-any.whl", **{f"{INFO}/{REPORT}": "another's"})
    with pytest.raises(ValueError, match="already"):
        add_members(old, folder, tmp_path / "new.whl")
