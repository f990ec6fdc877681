"""What a build is given for CMake: the toolchain file with its programs, and the downloads that a recipe lists."""

from __future__ import annotations

import pytest
from packed import tar_gz

from emwheels.build.cmake import lay_out_cmake, lay_out_downloads
from emwheels.errors import FetchError
from emwheels.fetch.fetcher import Fetched
from emwheels.plan import key
from emwheels.recipe.downloads import Download

SHA256 = "0" * 64


@pytest.fixture
def download(tmp_path):
    """Return a file in the store, which names it by its hash, with its entry of the recipe."""

    def make(name, filename, data, *, unpack=True):
        path = tmp_path / f"stored-{name}"
        path.write_bytes(data)
        entry = Download(name=name, url=f"https://example.org/{filename}", sha256=SHA256, unpack=unpack)
        return entry, Fetched(path=path, sha256=SHA256, filename=filename, url=entry.url)

    return make


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "given"
    folder.mkdir()
    return folder


def test_archives_are_unpacked_and_other_files_are_not(download, folder):
    archive = download("fmt", "10.1.1.tar.gz", tar_gz({"fmt-10.1.1/CMakeLists.txt": "project(fmt)\n"}))
    header = download("Catch2", "catch.hpp", b"#pragma once\n", unpack=False)
    lay_out_downloads([archive, header], folder)
    assert sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()) == [
        "Catch2/catch.hpp",
        "fmt/CMakeLists.txt",
    ]


def test_an_archive_that_leaves_its_folder_is_refused(download, folder):
    with pytest.raises(FetchError, match=r"evil\.tar\.gz"):
        lay_out_downloads([download("evil", "evil.tar.gz", tar_gz({"../../evil": "x"}))], folder)
    assert list(folder.iterdir()) == []


def test_every_file_is_in_the_build_key(folder):
    lay_out_cmake(folder, python="3.14")
    made = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    libraries = {f"empty/lib/lib{name}.a" for name in ("m", "dl", "rt", "pthread", "python3.14")}
    assert made == {*key._FOR_CMAKE, *libraries}
    assert (folder / "emulator").stat().st_mode & 0o111
