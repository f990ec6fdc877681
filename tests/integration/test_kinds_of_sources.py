"""Packages of other kinds, by the real toolchain and in Node: opened by ctypes, from a folder, with tests inside."""

from __future__ import annotations

import json
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest
import yaml
from loopback import serving_folder

from emwheels.author.new_scripts import ways_to_build

SETUPTOOLS = Path(__file__).resolve().parents[2] / "recipes" / "msgpack" / "requirements.build.txt"
pytestmark = [pytest.mark.image, pytest.mark.timeout(900)]

OPENED = {
    "pyproject.toml": '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n'
    '[project]\nname = "opened"\nversion = "1.0"\n[tool.setuptools]\npackages = ["opened"]\n'
    'package-data = {opened = ["*.so"]}\n',
    "setup.py": """
import os, subprocess
from setuptools import setup
from setuptools.command.build_py import build_py
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.dist import Distribution

class Build(build_py):
    def run(self):
        subprocess.run([os.environ["CC"], "-fPIC", "-shared", "crc.c", "-o", "opened/_crc.so"], check=True)
        super().run()

class Wheel(bdist_wheel):
    def get_tag(self):
        return "py3", "none", super().get_tag()[2]

class Binary(Distribution):
    def has_ext_modules(self):
        return True

setup(cmdclass={"build_py": Build, "bdist_wheel": Wheel}, distclass=Binary)
""",
    "crc.c": "int crc(int start) { return start * 31 + 7; }\n",
    "opened/__init__.py": """
import ctypes, os
_library = ctypes.CDLL(os.path.join(os.path.dirname(__file__), "_crc.so"))
def crc(start): return _library.crc(start)
""",
}


def test_a_library_that_ctypes_opens_is_tagged_for_every_python(tiny_project):
    meta = "build: {exports: whole_archive}\n"
    tests = {"test_opened.py": "import opened\ndef test_crc(): assert opened.crc(2) == 69\n"}
    tiny_project.recipe("opened", OPENED, meta, tests=tests)
    row = tiny_project.json("build", "opened", "--engine", "node").json()["opened"]
    assert row["engines"] == {"node": "1 passed"}
    (wheel,) = tiny_project.published()
    assert wheel.startswith("opened-1.0-py3-none-pyemscripten_")
    lock = json.loads((tiny_project.dist / "pyodide-lock.json").read_text())
    assert lock["packages"]["opened"]["file_name"].endswith(wheel), "loadPackage finds it"
    with serving_folder(tiny_project.dist) as address:
        url = f"{address}/simple"
        verified = tiny_project.run("index", "verify", url, "--client", "none", "--json", seconds=600)
    assert "abi" not in verified.out, verified.out + verified.err


def test_a_folder_of_ones_own(tiny_project, extension, module, tmp_path):
    """Written by new-recipe, locked, built, tested, changed, built again; what git does not list does not count."""
    folder = tmp_path / "acme"
    seven = "static PyObject *seven(PyObject *self, PyObject *arg) { return PyLong_FromLong(7); }"
    for path, text in extension("acme", module("acme", seven, "seven")).items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    (folder / ".gitignore").write_text("*.log\n")
    subprocess.run(["git", "-C", folder, "init", "-q"], check=True)
    written = tiny_project.run("new-recipe", str(folder), "--no-build")
    assert written.status == 0, written.err
    recipe = tiny_project.root / "recipes" / "acme"
    assert yaml.safe_load((recipe / "meta.yaml").read_text())["source"].keys() == {"path"}
    (recipe / "test_acme.py").write_text("import acme\ndef test_seven(): assert acme.seven(None) in (7, 8)\n")
    shutil.copyfile(SETUPTOOLS, recipe / "requirements.build.txt")

    row = tiny_project.json("build", "acme", "--engine", "node").json()["acme"]
    assert (row["state"], row["engines"]) == ("built", {"node": "1 passed"})
    (folder / "noise.log").write_text("nobody looks at it")
    assert tiny_project.json("build", "acme", "--engine", "node").states() == {"acme": "reused"}
    (source,) = folder.rglob("*.c")
    source.write_text(source.read_text().replace("FromLong(7)", "FromLong(8)"))
    planned = tiny_project.run("plan", "acme")
    assert "source.path changed" in planned.out
    assert tiny_project.json("build", "acme", "--engine", "node").states() == {"acme": "built"}
    unpacked = tiny_project.run("source", "acme", str(tmp_path / "unpacked"))
    assert unpacked.status == 0, unpacked.err
    assert (tmp_path / "unpacked" / source.relative_to(folder)).read_text() == source.read_text()
    assert tiny_project.run("reproduce", "acme").status == 0


INSIDE = {
    "pyproject.toml": '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n'
    '[project]\nname = "inside"\nversion = "1.0"\n[tool.setuptools]\npackages = ["inside", "inside.tests"]\n',
    "setup.py": "from setuptools import Extension, setup\n"
    "setup(ext_modules=[Extension('inside._core', ['core.c']), Extension('inside.tests._made', ['made.c'])])\n",
    "core.c": '#include <Python.h>\nstatic struct PyModuleDef m = {PyModuleDef_HEAD_INIT, "_core", 0, -1};\n'
    "PyMODINIT_FUNC PyInit__core(void) { return PyModule_Create(&m); }\n",
    "made.c": '#include <Python.h>\nstatic struct PyModuleDef m = {PyModuleDef_HEAD_INIT, "_made", 0, -1};\n'
    "PyMODINIT_FUNC PyInit__made(void) { return PyModule_Create(&m); }\n",
    "inside/__init__.py": "from inside import _core\n",
    "inside/tests/__init__.py": "",
    "inside/tests/test_made.py": "def test_made():\n    from inside.tests import _made\n    import inside\n",
}


def test_tests_inside_a_package_are_kept_beside_it_and_installed_to_run_them(tiny_project):
    folder = tiny_project.recipe("inside", INSIDE, "build: {unvendor-tests: true}\ntest: {imports: [inside]}\n")
    suite = "into: site-packages\nfiles: [inside/tests]\npaths: [inside/tests]\nsmoke: [inside/tests/test_made.py]\n"
    (folder / "upstream.yaml").write_text(suite)
    row = tiny_project.json("build", "inside", "--engine", "node").json()["inside"]
    assert (row["error"], row["engines"]) == (None, {"node": "imports only: 1 passed, 1 of 1 upstream"})
    (published,) = tiny_project.published()
    with zipfile.ZipFile(tiny_project.dist / "wheels" / published) as wheel:
        assert not [name for name in wheel.namelist() if "tests/" in name]
        assert "inside/_core.cpython-314-wasm32-emscripten.so" in wheel.namelist()
    run = tiny_project.run("upstream-tests", "inside", "--json")
    assert run.status == 0, run.err
    assert '"passed": 1' in run.out


MESON = {
    "meson.build": "project('tiny', 'c', version: '1.0')\nl = library('tiny', 'tiny.c', install: true)\n"
    "install_headers('tiny.h')\nimport('pkgconfig').generate(l, description: 'tiny')\n"
    "if get_option('tests')\n  executable('t', 'nothing.c')\nendif\n",
    "meson_options.txt": "option('tests', type: 'boolean', value: true)\n",
    "tiny.c": '#include "tiny.h"\nint tiny(void) { return 7; }\n',
    "tiny.h": "int tiny(void);\n",
    "COPYING": "Permission is hereby granted, free of charge\n",
}
MAKE = {
    "lib/Makefile": "all: libmade.a prog\nprog: libmade.a\n\tfalse\nmade.o: made.c\n\t$(CC) $(CFLAGS) -c made.c\n"
    "libmade.a: made.o\n\tar rcs libmade.a made.o\n",
    "lib/made.c": "int made(void) { return 8; }\n",
    "lib/made.h": "int made(void);\n",
    "lib/LICENSE": "Permission is hereby granted, free of charge\n",
}


@pytest.mark.network
def test_libraries_by_meson_and_by_make(tiny_project):
    """As new-recipe writes them, and a package that links both."""
    for name, members in (("tiny", MESON), ("made", MAKE)):
        tree = tiny_project.root.parent / name
        for path, text in members.items():
            (tree / path).parent.mkdir(parents=True, exist_ok=True)
            (tree / path).write_text(text)
        way = list(ways_to_build(tree, name, "1.0"))[-1]
        document = {
            "build": {"type": "static_library", "script": way.script},
            "requirements": {"executable": list(way.programs), "build-extras": list(way.wheels)},
        }
        tiny_project.recipe(name, members, yaml.safe_dump(document), locked=False)
    source = (
        "#include <Python.h>\n#include <tiny.h>\n#include <made.h>\n"
        "static PyObject *sum(PyObject *s, PyObject *a) { return PyLong_FromLong(tiny() + made()); }\n"
        'static PyMethodDef f[] = {{"sum", sum, METH_NOARGS, 0}, {0}};\n'
        'static struct PyModuleDef m = {PyModuleDef_HEAD_INIT, "both", 0, -1, f};\n'
        "PyMODINIT_FUNC PyInit_both(void) { return PyModule_Create(&m); }\n"
    )
    setup = (
        "import subprocess\nfrom setuptools import Extension, setup\n"
        "said = [subprocess.check_output(['pkg-config', '--libs', n], text=True) for n in ('tiny', 'made')]\n"
        "setup(name='both', version='1.0', ext_modules=[Extension('both', ['both.c'], extra_link_args=\n"
        "' '.join(said).split())])\n"
    )
    tiny_project.recipe(
        "both",
        {"setup.py": setup, "both.c": source},
        "build: {cflags: -I$(WASM_LIBRARY_DIR)/include}\nrequirements: {host: [tiny, made]}\n",
        tests={"test_both.py": "import both\ndef test_sum(): assert both.sum() == 15\n"},
    )
    done = tiny_project.json("build", "both", "--engine", "node", status=0)
    assert done.json()["both"]["engines"] == {"node": "1 passed"}, done.err
    (wheel,) = tiny_project.published()
    with zipfile.ZipFile(tiny_project.dist / "wheels" / wheel) as archive:
        licences = [name for name in archive.namelist() if "/licenses/" in name]
    assert [name.split("/licenses/")[1] for name in sorted(licences)] == ["made/LICENSE", "tiny/COPYING"]
