"""The program of the sandbox that takes tests out of a wheel, held against pyodide-build's own rules."""

from __future__ import annotations

import csv
import io
import sys
import zipfile
from pathlib import Path

import pytest
from synthetic_wheels import make_wheel

import emwheels

sys.path.insert(0, str(Path(emwheels.__file__).parent / "build" / "inside"))
import split_tests

from emwheels.wheel import record_digest

FILES = {
    "tiny/__init__.py": "",
    "tiny/tests/__init__.py": "",
    "tiny/tests/test_a.py": "A",
    "tiny/tests/data/x.txt": "X",
    "tiny/test/other.py": "",
    "tiny/core_test.py": "",
    "tiny/conftest.py": "",
    "tiny/testing.py": "public",
}
TESTS = {name for name in FILES if name not in ("tiny/__init__.py", "tiny/testing.py")}


@pytest.fixture
def split(tmp_path):
    def split(files=FILES, retained=(), **options):
        wheel = make_wheel(tmp_path / "in", "tiny", files=files, **options)
        out = tmp_path / "out"
        out.mkdir()
        split_tests.split(wheel, out, list(retained))
        return sorted(out.iterdir())

    return split


def members(wheel):
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def code(wheel):
    return {name for name in members(wheel) if ".dist-info/" not in name}


def test_both_wheels_are_whole(split):
    kept, tests = split()
    assert (kept.name, tests.name) == ("tiny-1.0-py3-none-any.whl", "tiny_tests-1.0-py3-none-any.whl")
    assert code(tests) == TESTS
    assert code(kept) == FILES.keys() - TESTS
    for wheel in (kept, tests):
        held = members(wheel)
        (record,) = (name for name in held if name.endswith("/RECORD"))
        rows = {row[0]: row[1:] for row in csv.reader(io.StringIO(held[record].decode()))}
        assert rows.pop(record) == ["", ""]
        assert rows == {name: [record_digest(data), str(len(data))] for name, data in held.items() if name != record}


def test_the_tests_are_of_that_version_alone(split):
    text = members(split()[1])["tiny_tests-1.0.dist-info/METADATA"].decode()
    assert "Name: tiny-tests\nVersion: 1.0\n" in text
    assert "Requires-Dist: tiny==1.0\n" in text


def test_what_is_retained_stays(split):
    """With patterns a folder does not go as a whole, as with pyodide-build: what lies deeper stays."""
    kept, tests = split(retained=["tiny/tests/test_a.py", "*/conftest.py"])
    assert code(tests) == {"tiny/tests/__init__.py", "tiny/test/other.py", "tiny/core_test.py"}
    assert {"tiny/tests/test_a.py", "tiny/conftest.py", "tiny/tests/data/x.txt"} <= code(kept)


def test_compiled_tests_keep_the_tag(split):
    tag = "cp314-cp314-pyemscripten_2026_0_wasm32"
    files = FILES | {"tiny/tests/_fast.so": "wasm", "tiny/_core.so": "wasm"}
    assert [wheel.name for wheel in split(files, tag=tag)] == [f"tiny-1.0-{tag}.whl", f"tiny_tests-1.0-{tag}.whl"]


def test_pure_tests_of_a_compiled_package_are_for_any(split):
    tag = "cp314-cp314-pyemscripten_2026_0_wasm32"
    _, tests = split(FILES | {"tiny/_core.so": "wasm"}, tag=tag)
    assert tests.name == "tiny_tests-1.0-py3-none-any.whl"
    assert b"Tag: py3-none-any" in members(tests)["tiny_tests-1.0.dist-info/WHEEL"]


def test_a_wheel_without_tests_is_left_alone(split):
    assert split({"tiny/__init__.py": "", "tiny/testing.py": ""}) == []


def test_the_same_tests_give_the_same_bytes(split, tmp_path):
    first = {wheel.name: wheel.read_bytes() for wheel in split()}
    (tmp_path / "out").rename(tmp_path / "before")
    assert {wheel.name: wheel.read_bytes() for wheel in split()} == first
