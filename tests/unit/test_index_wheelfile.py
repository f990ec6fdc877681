"""Wheels that come from anywhere: what an installer could not trust is not in an index."""

from __future__ import annotations

import zipfile

import pytest
from synthetic_wheels import WASM, make_wheel

from emwheels import index
from emwheels.errors import EmwheelsError, IndexingError
from emwheels.index.wheelfile import METADATA_LIMIT, check_filename, read_wheel, top_level


@pytest.fixture
def refused(tmp_path):
    """A function that publishes a wheel, and checks that it is refused with these words and that nothing is left."""

    def refused(wheel, *words, filename=""):
        with pytest.raises(EmwheelsError) as caught:
            index.publish(tmp_path / "dist", wheel, filename or wheel.name)
        for word in words:
            assert word in caught.value.message, caught.value.message
        assert not list((tmp_path / "dist").rglob("*.*")), "something was written"

    return refused


@pytest.mark.parametrize("member", ["../evil.py", "/etc/passwd", "a/../../b.py", "C:/x.py", "..\\evil.py"])
def test_a_member_that_leads_out_of_the_folder(tmp_path, refused, member):
    refused(make_wheel(tmp_path, "demo", files={member: "x"}), "demo-1.0", "leads out of the folder")


def test_a_record_with_a_wrong_hash(tmp_path, refused):
    record = "demo.py,sha256=AAAA,10\ndemo-1.0.dist-info/METADATA,,\ndemo-1.0.dist-info/WHEEL,,\n"
    refused(make_wheel(tmp_path, "demo", record=record), "record: demo.py")


def test_a_file_that_is_not_in_the_record(tmp_path, refused):
    wheel = make_wheel(tmp_path, "demo")
    with zipfile.ZipFile(wheel, "a") as archive:
        archive.writestr("added_later.py", "import os")
    refused(wheel, "added_later.py", "not listed in RECORD")


@pytest.mark.parametrize(("name", "version"), [("other", "1.0"), ("demo", "2.0")])
def test_metadata_of_another_package(tmp_path, refused, name, version):
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    refused(make_wheel(tmp_path, "demo", metadata=metadata), f"METADATA is that of {name} {version}", "demo 1.0")


def test_oversize_metadata(tmp_path, refused):
    metadata = "Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n\n" + "x" * METADATA_LIMIT
    refused(make_wheel(tmp_path, "demo", metadata=metadata), "METADATA has", str(METADATA_LIMIT))


def test_no_metadata(tmp_path, refused):
    path = tmp_path / "demo-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("demo.py", "")
    refused(path, "it has no METADATA")


@pytest.mark.parametrize(
    ("line", "word"),
    [("Requires-Python: three", "Requires-Python"), ("Requires-Dist: >=1 nothing", "Requires-Dist")],
)
def test_metadata_that_clients_cannot_read(tmp_path, refused, line, word):
    metadata = f"Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n{line}\n"
    refused(make_wheel(tmp_path, "demo", metadata=metadata), "METADATA", word)


def test_what_is_no_zip(tmp_path, refused):
    path = tmp_path / "demo-1.0-py3-none-any.whl"
    path.write_bytes(b"PK not really")
    refused(path, "not a readable zip archive")


@pytest.mark.parametrize(
    "filename",
    [
        "demo.whl",
        "../demo-1.0-py3-none-any.whl",
        "<script>-1.0-py3-none-any.whl",
        'a"onclick=x-1.0-py3-none-any.whl',
        "demo-1.0-py3-none-any.whl\n",
        "démo-1.0-py3-none-any.whl",
        "demo-1.0-py3-none-<b>.whl",
        "demo-1.0-py3-none-any.tar.gz",
        "",
    ],
)
def test_names_that_no_wheel_has(tmp_path, refused, filename):
    with pytest.raises(IndexingError, match="wheel"):
        check_filename(filename)
    if filename:
        refused(make_wheel(tmp_path, "demo"), filename=filename)


def test_what_a_wheel_says_is_escaped_in_its_page(tmp_path):
    """Its name cannot hold HTML, so Requires-Python is the one text of a wheel in its page."""
    wheel = make_wheel(tmp_path, "demo", requires_python=">=3.11, <4")
    index.publish(tmp_path / "dist", wheel, wheel.name)
    page = (tmp_path / "dist/simple/demo/index.html").read_text()
    assert 'data-requires-python="&gt;=3.11, &lt;4"' in page


def test_a_name_that_collides_after_normalisation_is_the_same_project_and_file_names_stay_apart(tmp_path):
    """PEP 503: ``Demo_Pkg`` and ``demo-pkg`` are one project. A client must see both files on its one page."""
    for name in ("Demo_Pkg", "demo.pkg"):
        wheel = make_wheel(tmp_path / name, name)
        index.publish(tmp_path / "dist", wheel, wheel.name)
    assert [path.name for path in (tmp_path / "dist/simple").iterdir() if path.is_dir()] == ["demo-pkg"]
    page = (tmp_path / "dist/simple/demo-pkg/index.html").read_text()
    assert page.count("<a ") == 2


def test_a_wheel_that_says_the_name_of_another_after_normalisation(tmp_path, refused):
    metadata = "Metadata-Version: 2.1\nName: dem-o\nVersion: 1.0\n"
    refused(make_wheel(tmp_path, "demo", metadata=metadata), "METADATA is that of dem-o")


def test_record_of_a_wheel(tmp_path):
    wheel = make_wheel(
        tmp_path, "demo", tag=WASM, requires=["numpy>=2", 'pytest; extra == "test"'], files={"demo/__init__.py": ""}
    )
    read = read_wheel(wheel, wheel.name, uploaded="2026-01-02T03:04:05.000000Z")
    assert read.file.size == wheel.stat().st_size
    assert read.file.requires == ("numpy>=2", 'pytest; extra == "test"')
    assert read.file.imports == ("demo",)
    assert read.file.requires_python == ">=3.11,<4"
    assert b"Name: demo" in read.metadata


@pytest.mark.parametrize(
    ("members", "names"),
    [
        (["a.py", "b/__init__.py", "a-1.0.dist-info/METADATA"], ("a", "b")),
        (["_speed.cpython-314-wasm32-emscripten.so", "plain.so", "lib.libs/x.so"], ("_speed", "plain")),
        (["google/cloud/x/__init__.py", "google/cloud/x/y/z.py"], ("google", "google.cloud", "google.cloud.x")),
        (["google/auth.py", "google/cloud.abi3.so"], ("google", "google.auth", "google.cloud")),
        (["pkg/data.txt", "share/doc/readme.md"], ()),
        (["pkg/core.abi3.so"], ("pkg", "pkg.core")),
        (["pkg/__init__.py", "pkg/data/one.py"], ("pkg",)),
        (["pkg-1.0.data/scripts/tool.py"], ()),
    ],
)
def test_names_that_can_be_imported(members, names):
    assert top_level(members) == names
