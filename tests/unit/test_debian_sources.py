"""The list of a Debian suite's sources, served over HTTP, and the order of Debian's versions."""

from __future__ import annotations

import gzip
import lzma
import shutil
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st
from loopback import serving_folder

from emwheels.errors import FetchError
from emwheels.fetch import debian_sources
from emwheels.fetch.debian_sources import read_sources, suite_sources, upstream_version, version_order
from emwheels.fetch.download import Downloader

SHA = "ab" * 32
LIST = f"""Package: zlib
Version: 1:1.3.dfsg+really1.3.1-1
Checksums-Sha256:
 {SHA} 1 zlib_1.3.dfsg+really1.3.1.orig.tar.gz
Extra-Source-Only: yes

Package: zlib
Binary: zlib1g
Version: 1:1.3.dfsg+really1.3.2-3
Checksums-Sha256:
 {"cd" * 32} 2682 zlib_1.3.dfsg+really1.3.2-3.dsc
 {SHA} 1295859 zlib_1.3.dfsg+really1.3.2.orig.tar.gz
 {SHA} 833 zlib_1.3.dfsg+really1.3.2.orig.tar.gz.asc

Package: zlib-ng
Version: 2.0-1

Package: native
Version: 2.5

"""


@pytest.fixture
def mirror(tmp_path):
    with serving_folder(tmp_path) as address:
        yield tmp_path, address


def ask(address, *names, suite="forky"):
    downloader = Downloader(attempts=1, pause=lambda _seconds: None)
    return suite_sources([f"{address}/none", f"{address}/debian"], suite, names, downloader)


def put(folder, name, data):
    path = folder / "debian" / "dists" / "forky" / "main" / "source" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


@pytest.mark.parametrize(("name", "pack"), [("Sources.xz", lzma.compress), ("Sources.gz", gzip.compress)])
def test_what_a_suite_has(mirror, name, pack):
    folder, address = mirror
    put(folder, name, pack(LIST.encode()))
    found = ask(address, "zlib", "native", "gone")
    (zlib,) = found["zlib"]
    assert (zlib.version, zlib.upstream) == ("1:1.3.dfsg+really1.3.2-3", "1.3.dfsg+really1.3.2")
    assert zlib.archives == {"zlib_1.3.dfsg+really1.3.2.orig.tar.gz": SHA}
    assert [package.archives for package in found["native"]] == [{}]
    assert found["gone"] == []


@pytest.mark.parametrize(
    "data",
    [
        b"no archive",
        lzma.compress(LIST.encode())[:-20],
        lzma.compress(b"Package: zlib\nVersion: a_b\n"),
        lzma.compress(b"Package: zlib\n"),
    ],
)
def test_a_bad_list_is_said(mirror, data):
    folder, address = mirror
    put(folder, "Sources.xz", data)
    with pytest.raises(FetchError, match="is no list of Debian's sources"):
        ask(address, "zlib")


def test_a_list_that_unpacks_to_too_much(mirror, monkeypatch):
    folder, address = mirror
    put(folder, "Sources.xz", lzma.compress(b"\n" * (4 << 20)))
    monkeypatch.setattr(debian_sources, "UNPACKED_LIMIT", 1 << 20)
    with pytest.raises(FetchError, match="unpacks to more than 1,048,576 bytes"):
        ask(address, "zlib")


def test_a_list_that_is_too_large_as_it_is_sent(mirror, monkeypatch):
    folder, address = mirror
    put(folder, "Sources.xz", lzma.compress(LIST.encode()))
    monkeypatch.setattr(debian_sources, "LIST_LIMIT", 100)
    with pytest.raises(FetchError, match=r"Sources\.xz is larger than 100 bytes"):
        ask(address, "zlib")


def test_no_mirror_has_it(mirror):
    with pytest.raises(FetchError, match="no mirror has a list of the sources of Debian forky") as caught:
        ask(mirror[1], "zlib")
    assert "EMWHEELS_DEBIAN_MIRROR" in caught.value.hint


def test_an_entry_without_end():
    with pytest.raises(ValueError, match="an entry of more than"):
        list(read_sources([b"x" * (5 << 20)], ["zlib"]))


def test_entries_that_are_cut_anywhere():
    data = LIST.encode()
    for size in (1, 7, 100):
        pieces = [data[start : start + size] for start in range(0, len(data), size)]
        assert [package.name for package in read_sources(pieces, ["zlib", "native"])] == ["zlib", "native"]


@pytest.mark.parametrize(
    ("version", "upstream"),
    [("1:2.0-3", "2.0"), ("2.0-rc-1", "2.0-rc"), ("2.0", "2.0"), ("2.14.3+dfsg", "2.14.3+dfsg")],
)
def test_upstreams_part(version, upstream):
    assert upstream_version(version) == upstream


# Each is older than the next; the examples of Debian Policy 5.6.12 are among them.
ORDER = [
    "~~",
    "~~a",
    "~",
    "0",
    "0a",
    "1.0~rc1-1",
    "1.0-1",
    "1.0-1+deb13u1",
    "1.0-2",
    "1.0-10",
    "1.0a",
    "1.0+dfsg",
    "1.0.1",
]
ORDER += ["1.2", "1.10", "20240504", "1:0.1"]


def test_order():
    assert sorted(set(ORDER), key=version_order) == ORDER


@pytest.mark.parametrize("text", ["", "a b", "x:1", "1_2", "1" * 201])
def test_what_is_no_version(text):
    with pytest.raises(ValueError, match="is not a Debian version"):
        version_order(text)


@pytest.mark.skipif(not shutil.which("dpkg"), reason="no dpkg to compare with")
@given(
    st.from_regex(r"\A(1:)?[0-9][0-9a-c.+~]{0,6}(-[0-9a-c.+~]{1,4})?\Z"), st.from_regex(r"\A[0-9][0-9a-c.+~]{0,6}\Z")
)
def test_the_order_is_dpkgs(one, other):
    done = subprocess.run(["dpkg", "--compare-versions", one, "lt", other], check=False, capture_output=True)
    assert (version_order(one) < version_order(other)) == (done.returncode == 0)
