"""``emwheels build .`` by the real toolchain, in a folder that has nothing but a project: no recipe, no checkout."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile

import pytest
from packed import tar_gz

pytestmark = [pytest.mark.image, pytest.mark.network, pytest.mark.timeout(1800)]

CYTHON = {
    "pyproject.toml": """\
[build-system]
requires = ["setuptools>=77", "cython>=3.1"]
build-backend = "setuptools.build_meta"
[project]
name = "counts"
version = "1.0"
readme = "README.md"
license = "MIT"
dependencies = ["idna>=3"]
[tool.emwheels]
test-command = "pytest {project}/tests -k 'not slow'"
before-test = "python -c 'import os; os.environ[\\"PREPARED\\"] = \\"yes\\"'"
environment = {COUNTS = "a b"}
before-build = "echo before-build was here; test \\"$COUNTS\\" = 'a b'"
cflags = "-DSTART=40"
""",
    "README.md": "# counts\n",
    "setup.py": "from setuptools import Extension, setup\n"
    'setup(ext_modules=[Extension("counts._fast", ["src/counts/_fast.pyx", "src/counts/start.c"])])\n',
    "src/counts/__init__.py": "from counts._fast import add\n",
    "src/counts/_fast.pyx": 'cdef extern from *:\n    """int start(void);"""\n    int start()\n'
    "def add(int a): return a + start()\n",
    "src/counts/start.c": "int start(void) { return START; }\n",
    "tests/test_counts.py": "import os, counts, idna\ndef test_add():\n    assert counts.add(2) in (42, 43)\n"
    "    assert os.environ['COUNTS'] == 'a b'\n    assert os.environ['PREPARED'] == 'yes'\n"
    "def test_slow(): raise AssertionError('left out')\n",
    ".gitignore": "*.log\n",
}
MESON = {
    "pyproject.toml": """\
[build-system]
requires = ["meson-python>=0.17"]
build-backend = "mesonpy"
[project]
name = "mesonic"
dynamic = ["version"]
readme = "README.md"
[project.optional-dependencies]
test = ["pytest", "tomli-w"]
[tool.emwheels]
test-extras = ["test"]
test-sources = ["checks"]
config-settings = {setup-args = ["-Danswer=42"]}
""",
    "README.md": "# mesonic\n",
    "meson.build": "project('mesonic', 'c', version: '2.5')\n"
    "py = import('python').find_installation(pure: false)\n"
    "a = '-DANSWER=@0@'.format(get_option('answer'))\n"
    "py.extension_module('_mesonic', 'm.c', c_args: a, install: true, subdir: 'mesonic')\n"
    "py.install_sources('mesonic/__init__.py', subdir: 'mesonic')\n",
    "meson_options.txt": "option('answer', type: 'integer', value: 1)\n",
    "mesonic/__init__.py": "from mesonic._mesonic import answer\n",
    "m.c": "#include <Python.h>\n"
    "static PyObject *answer(PyObject *s, PyObject *a) { return PyLong_FromLong(ANSWER); }\n"
    'static PyMethodDef f[] = {{"answer", answer, METH_NOARGS, 0}, {0}};\n'
    'static struct PyModuleDef m = {PyModuleDef_HEAD_INIT, "_mesonic", 0, -1, f};\n'
    "PyMODINIT_FUNC PyInit__mesonic(void) { return PyModule_Create(&m); }\n",
    "checks/test_mesonic.py": "import mesonic, tomli_w\ndef test_answer(): assert mesonic.answer() == 42\n",
}
PYBIND = {
    "pyproject.toml": """\
[build-system]
requires = ["scikit-build-core>=0.10", "pybind11>=3"]
build-backend = "scikit_build_core.build"
[project]
name = "bound"
version = "0.3"
readme = "README.md"
[tool.emwheels]
test-command = ["python -c 'import bound; assert bound.twice(21) == 42'", "python {package}/check.py"]
[[tool.emwheels.overrides]]
target = "314*"
cxxflags = "-DFACTOR=2"
""",
    "README.md": "# bound\n",
    "CMakeLists.txt": "cmake_minimum_required(VERSION 3.18)\nproject(bound LANGUAGES CXX)\n"
    "find_package(pybind11 CONFIG REQUIRED)\npybind11_add_module(bound bound.cpp)\n"
    "install(TARGETS bound LIBRARY DESTINATION .)\n",
    "bound.cpp": "#include <pybind11/pybind11.h>\n"
    'PYBIND11_MODULE(bound, m) { m.def("twice", [](int i) { return i * FACTOR; }); }\n',
    "check.py": "import sys, bound\nsys.exit(bound.twice(1) != 2)\n",
}
PURE = {
    "pyproject.toml": '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n'
    '[project]\nname = "calm"\nversion = "1.0"\nreadme = "README.md"\nrequires-python = ">=3.9"\n',
    "README.md": "# calm\n",
    "src/calm/__init__.py": "word = 'calm'\n",
    "tests/test_calm.py": "import calm\ndef test_word(): assert calm.word == 'calm'\n",
}


@pytest.fixture
def bare(tiny_project, tmp_path):
    """A function that writes a project alone in a folder, and one that runs emwheels there."""

    def write(name, files):
        folder = tmp_path / "alone" / name
        for path, text in files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text)
        return folder

    def run(folder, *arguments, status=0):
        done = subprocess.run(
            [sys.executable, "-m", "emwheels", *arguments],
            cwd=folder,
            env=tiny_project.env,
            capture_output=True,
            text=True,
            timeout=1700,
            check=False,
        )
        assert done.returncode == status, done.stderr + done.stdout
        assert "Traceback" not in done.stderr
        return done

    return write, run


def rows(done):
    return {row["name"]: row for row in json.loads(done.stdout)}


def test_setuptools_and_cython_built_once_and_again_for_what_changed(bare):
    write, run = bare
    folder = write("counts", CYTHON)
    first = run(folder, "build", ".", "--engine", "node", "--json", "--summary", "summary.log")
    row = rows(first)["counts"]
    assert (row["state"], row["engines"]) == ("built", {"node": "3 passed"}), row
    (wheel,) = (folder / "wheelhouse").glob("*.whl")
    assert wheel.name.startswith("counts-1.0-cp314-cp314-pyemscripten_")
    assert "✅ 1 wheel for Pyodide" in (folder / "summary.log").read_text()
    assert sorted(path.name for path in folder.iterdir() if path.name.startswith("emwheels")) == []

    (folder / "noise.log").write_text("nobody looks at it")
    again = rows(run(folder, "build", ".", "--engine", "node", "--json", "--offline"))["counts"]
    assert (again["state"], again["engines"]) == ("reused", {"node": "3 passed"}), "nothing changed"

    source = folder / "src" / "counts" / "start.c"
    source.write_text("int start(void) { return START + 1; }\n")
    changed = run(folder, "build", ".", "--engine", "node", "--json", "--offline")
    assert rows(changed)["counts"]["state"] == "built"
    assert "source.path changed" in changed.stderr
    assert "lock" not in changed.stderr, "nothing is locked again, or asked of an index"


def test_meson_python_with_extras_settings_and_a_version_of_meson(bare):
    write, run = bare
    folder = write("mesonic", MESON)
    row = rows(run(folder, "build", ".", "--engine", "node", "--json", "--lock", "-o", "out"))["mesonic"]
    assert (row["state"], row["version"], row["engines"]) == ("built", "2.5", {"node": "3 passed"}), row
    assert len(list((folder / "out").glob("mesonic-2.5-*.whl"))) == 1
    lock = (folder / "emwheels.lock").read_text()
    assert "#: 314.0.7/requirements.build.txt" in lock
    assert "meson-python==" in lock
    again = rows(run(folder, "build", ".", "--engine", "node", "--json", "--locked", "-o", "out"))["mesonic"]
    assert again["state"] == "reused", "the lock file is no source"


def test_scikit_build_core_and_pybind11_for_two_targets(bare):
    write, run = bare
    folder = write("bound", PYBIND)
    text = (folder / "pyproject.toml").read_text()
    (folder / "pyproject.toml").write_text(
        text + '[[tool.emwheels.overrides]]\ntarget = "315*"\ncxxflags = "-DFACTOR=2"\n'
    )
    done = run(folder, "build", ".", "--engine", "node", "--json", "--target", "314.0.7,315.0.0-alpha.2")
    found = {row["target"]: (row["state"], row["engines"]) for row in json.loads(done.stdout)}
    passed = ("built", {"node": "3 passed"})
    assert found == {"314.0.7": passed, "315.0.0-alpha.2": passed}, done.stdout
    assert len(list((folder / "wheelhouse").glob("bound-0.3-cp31[45]-*.whl"))) == 2


def test_a_pure_project_is_said_and_tested_and_a_source_archive_of_it(bare):
    write, run = bare
    folder = write("calm", PURE)
    done = run(folder, "build", ".", "--engine", "node")
    assert "calm is pure Python: micropip installs this wheel as it is" in done.stdout
    (wheel,) = (folder / "wheelhouse").glob("*.whl")
    assert wheel.name == "calm-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel) as archive:
        assert "calm/__init__.py" in archive.namelist()
    (folder / "calm-1.0.tar.gz").write_bytes(tar_gz({f"calm-1.0/{path}": text for path, text in PURE.items()}))
    row = rows(run(folder, "build", "calm-1.0.tar.gz", "--engine", "node", "--json"))["calm"]
    assert (row["state"], row["pure"]) == ("reused", True), "the same files have the same key, wherever they come from"
