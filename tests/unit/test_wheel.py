from __future__ import annotations

import hashlib
import zipfile
from importlib import metadata

import pytest

from emwheels.wheel import (
    REPORT,
    SBOM,
    changed_members,
    content_of,
    metadata_member,
    modules_of,
    read_record,
    record_digest,
    record_sha256,
)

INFO = "demo-1.0.dist-info"


@pytest.fixture
def wheel(tmp_path):
    """Write a wheel; ``members`` are added to what every wheel has, or replace it."""

    def wheel(name, *, level=None, date=(1980, 1, 1, 0, 0, 0), **members):
        with zipfile.ZipFile(tmp_path / name, "w") as archive:
            files = {"demo.py": "x = 1\n", f"{INFO}/METADATA": "Name: demo\n", f"{INFO}/RECORD": name, **members}
            for title, text in files.items():
                method = zipfile.ZIP_STORED if level is None else zipfile.ZIP_DEFLATED
                archive.writestr(zipfile.ZipInfo(title, date), text, compress_type=method, compresslevel=level)
        return tmp_path / name

    return wheel


def test_the_content_of_a_wheel_is_what_it_holds_less_its_report(wheel):
    one = content_of(wheel("a.whl", **{f"{INFO}/{REPORT}": "1", f"{INFO}/{SBOM}": "1"}))
    assert len(one) == 64
    assert one == content_of(wheel("b.whl", **{f"{INFO}/{REPORT}": "2", f"{INFO}/{SBOM}": "2"}))
    assert one == content_of(wheel("c.whl"))
    assert one != content_of(wheel("d.whl", **{"other.py": ""}))
    assert one != content_of(wheel("e.whl", **{f"{INFO}/licenses/zlib/LICENSE": ""}))
    assert one != content_of(wheel("f.whl", **{"demo.py": "x = 2\n"}))


def test_how_a_wheel_is_packed_is_not_its_content(wheel):
    one = content_of(wheel("a.whl", **{"other.py": "1"}))
    assert one == content_of(wheel("b.whl", level=9, date=(2024, 1, 1, 0, 0, 0), **{"other.py": "1"}))
    first = {"demo.py": "", "b.py": "", "a.py": ""}
    assert content_of(wheel("c.whl", **first)) == content_of(wheel("d.whl", **dict(reversed(first.items()))))


def test_a_member_that_is_moved_is_other_content(wheel):
    assert content_of(wheel("a.whl", **{"a.py": "1", "b.py": "2"})) != content_of(
        wheel("b.whl", **{"a.py": "2", "b.py": "1"})
    )


def test_the_content_of_some_members_alone(wheel):
    def content(name, **members):
        return content_of(wheel(name, **members), ["demo/a.h", "demo/b.h"])

    one = content("a.whl", **{"demo/a.h": "1", "demo/b.h": "2", "demo/code.so": "3"})
    assert one == content("b.whl", **{"demo/a.h": "1", "demo/b.h": "2", "demo/code.so": "4"})
    assert one != content("c.whl", **{"demo/a.h": "1", "demo/b.h": "9", "demo/code.so": "3"})
    assert one != content("d.whl", **{"demo/a.h": "1", "demo/code.so": "3"})


def test_members_that_another_wheel_lacks_or_has_with_other_bytes(wheel):
    one = wheel("a.whl", **{"pkg/b.so": "1", "pkg/a.so": "1", "pkg/same.so": "1", f"{INFO}/{REPORT}": "1"})
    other = wheel("b.whl", level=9, **{"pkg/b.so": "2", "pkg/same.so": "1", "pkg/_tests.so": "1"})
    assert changed_members(one, other) == ["pkg/a.so", "pkg/b.so"]
    assert changed_members(other, one) == ["pkg/_tests.so", "pkg/b.so"]
    assert changed_members(one, one) == []


def test_only_the_folder_of_metadata_is_left_aside(wheel):
    one = wheel("a.whl", **{f"{INFO}/METADATA": "Name: other\n", "pkg/x.dist-info/METADATA": "1"})
    assert changed_members(one, wheel("b.whl")) == ["pkg/x.dist-info/METADATA"]


RECORD = f"{INFO}/RECORD"


def rows(text):
    return [(row.path, row.digest, row.size, row.fault) for row in read_record(RECORD, text.encode()).rows]


def test_the_rows_of_a_record():
    text = f'demo.py,sha256=abc,6\r\n\r\n"a, b.py",sha384=x,1\r\n{RECORD},,\r\n{RECORD}.jws,,\r\n{RECORD}.p7s,,\r\n'
    assert rows(text) == [
        ("demo.py", "sha256=abc", "6", None),
        ("a, b.py", "sha384=x", "1", None),
        *((f"{RECORD}{suffix}", "", "", None) for suffix in ("", ".jws", ".p7s")),
    ]
    assert read_record(RECORD, b"").rows == ()


def test_what_is_wrong_with_a_row_of_a_record():
    text = f"demo.py,sha256=abc,6\nshort.py\n{INFO}/METADATA,,5\nother.dist-info/RECORD,,\ndemo.py,,\nshort.py,x,1\n"
    assert rows(text) == [
        ("demo.py", "sha256=abc", "6", None),
        ("short.py", "", "", "no hash"),
        (f"{INFO}/METADATA", "", "5", "no hash"),
        ("other.dist-info/RECORD", "", "", "no hash"),
        ("demo.py", "", "", "twice"),
        ("short.py", "x", "1", "twice"),
    ]


@pytest.mark.parametrize(
    ("data", "fault", "detail"),
    [
        (b"demo.py,,\n\xff,,\n", "not UTF-8", "invalid start byte"),
        (b"a" * 200_000 + b",,\n", "malformed", "field larger than field limit"),
    ],
)
def test_what_is_wrong_with_a_whole_record(data, fault, detail):
    record = read_record(RECORD, data)
    assert (record.rows, record.fault) == ((), fault)
    assert detail in record.detail


def test_a_digest_is_written_as_in_a_record():
    assert record_digest(b"") == "sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU"


@pytest.mark.parametrize("record", [b"demo.py,,\n", b"demo.py,,\r\n", b"demo.py,,\rx,,\n", "\u00fc.py,,\n".encode()])
def test_a_record_is_known_again_once_it_is_installed(wheel, tmp_path, record):
    with zipfile.ZipFile(wheel("a.whl", **{RECORD: record})) as archive:
        archive.extractall(tmp_path / "site")
    (installed,) = metadata.distributions(path=[str(tmp_path / "site")])
    text = installed.read_text("RECORD")
    assert record_sha256(tmp_path / "a.whl") == hashlib.sha256(text.encode()).hexdigest()


def test_a_wheel_without_record_has_no_hash_of_it(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.whl", "w") as archive:
        archive.writestr(f"vendored/{INFO}/RECORD", "")
        archive.writestr(f"{INFO}/METADATA", "Name: demo\n")
    assert record_sha256(tmp_path / "a.whl") is None
    assert metadata_member(tmp_path / "a.whl", "METADATA") == b"Name: demo\n"


def test_modules_are_what_is_at_the_top_and_every_extension(wheel):
    so = "cpython-314-wasm32-emscripten.so"
    members = {
        "pack/__init__.py": "",
        "pack/inner.py": "",
        "pack/sub/__init__.py": "",
        f"pack/sub/_fast.{so}": "",
        "pack/sub/_stable.abi3.so": "",
        "pack/plain.so": "..PyInit_plain..",
        "pack/libctypes.so": "no module",
        f"_top.{so}": "",
        "space/part/__init__.py": "",
        "space/alone.py": "",
        "space/__main__.py": "",
        "pack.libs/libz.abi3.so": "",
        "not-a-name.py": "",
        "demo-1.0.data/purelib/placed.py": "",
        "demo-1.0.data/scripts/run.py": "",
        f"{INFO}/licenses/notice.py": "",
        "folder/": "",
    }
    assert modules_of(wheel("a.whl", **members)) == [
        "_top",
        "demo",
        "pack",
        "pack.plain",
        "pack.sub._fast",
        "pack.sub._stable",
        "placed",
        "space.alone",
        "space.part",
    ]
