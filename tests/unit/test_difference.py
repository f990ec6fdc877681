from __future__ import annotations

import zipfile

import pytest
from packed import tar_gz

from emwheels.pipeline.difference import first_difference


def wheel(path, members, *, date=(2024, 1, 1, 0, 0, 0), mode=0o644, level=6):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=level) as archive:
        for name, data in members.items():
            info = zipfile.ZipInfo(name, date)
            info.external_attr = (0o100000 | mode) << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, data, compresslevel=level)
    return path


def library(path, members):
    path.write_bytes(tar_gz(members))
    return path


SAME = {"a.py": b"x = 1\ny = 2\n", "b.so": b"\0asm" + bytes(range(256)) * 20}


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({}, ""),
        ({"a.py": b"x = 1\ny = 3\n"}, "a.py: line 2: 'y = 2' | 'y = 3'"),
        ({"b.so": b"\0asm" + bytes(range(256)) * 20 + b"!"}, "b.so: byte 5,124 of 5,124 | 5,125"),
        ({"c.py": b""}, "c.py: only in the second"),
    ],
)
@pytest.mark.parametrize("make", [wheel, library])
def test_the_first_difference_is_named(tmp_path, make, other, said):
    found = first_difference(make(tmp_path / "one", SAME), make(tmp_path / "other", SAME | other))
    assert found.startswith(said) if said else found == ""


def test_a_byte_of_a_binary_is_shown_with_what_is_around_it(tmp_path):
    changed = bytearray(SAME["b.so"])
    changed[700] ^= 1
    found = first_difference(wheel(tmp_path / "1", SAME), wheel(tmp_path / "2", SAME | {"b.so": bytes(changed)}))
    assert found.startswith("b.so: byte 700 of 5,124: b'")
    assert " | b'" in found


def test_what_is_not_content(tmp_path):
    one = wheel(tmp_path / "one", SAME)
    assert first_difference(one, wheel(tmp_path / "2", SAME, mode=0o755)) == ("a.py: its mode is 0o100644 | 0o100755")
    assert "its time is" in first_difference(one, wheel(tmp_path / "3", SAME, date=(2025, 1, 1, 0, 0, 0)))
    assert first_difference(one, wheel(tmp_path / "4", SAME, level=0)) == (
        "the members are the same, they are packed differently"
    )
    swapped = dict(reversed(SAME.items()))
    assert first_difference(one, wheel(tmp_path / "5", swapped)).startswith("member a.py | b.so")
