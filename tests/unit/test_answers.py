"""What a build is told and given for autotools and Meson."""

from __future__ import annotations

import subprocess

import pytest

from emwheels.build.answers import FILES, lay_out_answers, prepare_tree, with_build_folder
from emwheels.errors import BuildError
from emwheels.fetch.fetcher import Fetched
from emwheels.image.processes import Completed
from emwheels.recipe.downloads import Download

SHA256 = "0123456789abcdef" * 4


def test_the_folder_has_the_files_and_the_downloads(tmp_path):
    given, archive = tmp_path / "given", tmp_path / "archive"
    given.mkdir()
    archive.write_bytes(b"x")
    download = Download(name="fmt", url="pkg:deb/debian/fmtlib@1", sha256=SHA256)
    lay_out_answers(given, [(download, Fetched(path=archive, sha256=SHA256, filename="fmt.tar.gz", url=""))])
    assert all((given / name).is_file() for name in FILES)
    assert (given / "downloads" / SHA256).read_bytes() == b"x"
    assert (given / "downloads.json").read_text() == f'{{"fmt": "{SHA256}"}}'


@pytest.fixture
def backend(tmp_path):
    def backend(text):
        (tmp_path / "source").mkdir(exist_ok=True)
        (tmp_path / "source" / "pyproject.toml").write_text(text)
        return tmp_path

    return backend


MESON = '[build-system]\nbuild-backend = "mesonpy"\n'


@pytest.mark.parametrize(
    ("build", "flags"),
    [
        ({}, "build-dir=.mesonpy-emwheels"),
        ({"backend-flags": "setup-args=-Da=b\n"}, "setup-args=-Da=b\nbuild-dir=.mesonpy-emwheels"),
        ({"backend-flags": ["setup-args=-Da=b"]}, "setup-args=-Da=b\nbuild-dir=.mesonpy-emwheels"),
        ({"backend-flags": "build-dir=build setup-args=-Da=b"}, "build-dir=build setup-args=-Da=b"),
    ],
)
def test_meson_python_gets_a_folder(backend, build, flags):
    assert with_build_folder({"build": build}, backend(MESON))["build"]["backend-flags"] == flags


@pytest.mark.parametrize(
    "text", ["", "[", '[build-system]\nbuild-backend = "setuptools"', f'{MESON}backend-path = ["."]', "build-system=1"]
)
def test_another_backend_is_left_alone(backend, text):
    document = {"build": {"backend-flags": "x=y"}}
    assert with_build_folder(document, backend(text)) is document


class Image:
    status = 0

    def __init__(self):
        self.commands = []

    def run(self, argv, *, mounts, cwd, output):
        self.commands.append(argv)
        output.write(b"why\x1b[1m")
        return Completed(argv=tuple(argv), status=self.status, seconds=1, peak_kib=1)


def test_only_a_source_that_needs_it_is_prepared(tmp_path):
    image = Image()
    (tmp_path / "source" / "deps").mkdir(parents=True)
    (tmp_path / "source" / "setup.py").write_text("")
    given = {name: tmp_path / name for name in ("answers", "downloads")}
    prepare_tree(tmp_path, given, image)
    assert image.commands == []
    (tmp_path / "source" / "deps" / "configure.ac").write_text("")
    prepare_tree(tmp_path, given, image)
    assert len(image.commands) == 1
    image.status = 1
    with pytest.raises(BuildError, match=r"could not be prepared:\nwhy\\x1b"):
        prepare_tree(tmp_path, given, image)


@pytest.mark.parametrize(
    ("variables", "answered"),
    [
        ("CC=/usr/bin/emcc", True),
        ("CC=/x/pywasmcross_symlinks/cc", True),
        ("CC=gcc COMPILER_WRAPPER_DIR=/x", True),
        ("host_alias=wasm32-unknown-emscripten", True),
        ("COMPILER_WRAPPER_DIR=/x", True),
        ("CC=/usr/bin/gcc COMPILER_WRAPPER_DIR=/x", False),
        ("CC=gcc", False),
    ],
)
def test_answers_are_for_emscripten_s_compiler(tmp_path, variables, answered):
    lay_out_answers(tmp_path, [])
    script = f'{variables}; . ./config.site; echo "$ac_cv_func_malloc_0_nonnull $ac_cv_host"'
    said = subprocess.run(["sh", "-ec", script], cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    assert said == ("yes wasm32-unknown-emscripten\n" if answered else " \n")


def test_an_answer_of_the_recipe_s_and_its_host_stay(tmp_path):
    lay_out_answers(tmp_path, [])
    script = 'CC=emcc ac_cv_func_fork=yes host_alias=i686-linux; . ./config.site; echo "$ac_cv_func_fork:$ac_cv_host"'
    said = subprocess.run(["sh", "-ec", script], cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    assert said == "yes:\n"
