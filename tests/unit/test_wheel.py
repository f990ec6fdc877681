from __future__ import annotations

import zipfile

import pytest

from emwheels.wheel import REPORT, SBOM, changed_members, content_of

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
