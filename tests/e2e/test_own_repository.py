"""A team's own repository: emwheels from its wheel, a bare folder, a recipe on numpy, an index, a browser.

No checkout is beside it: what is used comes out of the wheel that ``python -m build`` makes.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

from emwheels.checkout.standard import standard_version

CHECKOUT = Path(__file__).resolve().parents[2]

pytestmark = [pytest.mark.image, pytest.mark.network, pytest.mark.timeout(2400)]

ON_NUMPY = r"""
#define NPY_NO_DEPRECATED_API NPY_2_0_API_VERSION
#include <Python.h>
#include <numpy/arrayobject.h>
static PyObject *total(PyObject *self, PyObject *given) {
    PyArrayObject *array = (PyArrayObject *)PyArray_FROM_OTF(given, NPY_DOUBLE, NPY_ARRAY_IN_ARRAY);
    if (array == NULL) return NULL;
    double sum = 0, *values = PyArray_DATA(array);
    for (npy_intp i = 0; i < PyArray_SIZE(array); i++) sum += values[i];
    Py_DECREF(array);
    return PyFloat_FromDouble(sum);
}
static PyMethodDef methods[] = {{"total", total, METH_O, ""}, {NULL, NULL, 0, NULL}};
static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "acme_sum", NULL, -1, methods};
PyMODINIT_FUNC PyInit_acme_sum(void) { import_array(); return PyModule_Create(&definition); }
"""
PLAIN = r"""
#include <Python.h>
static PyObject *total(PyObject *self, PyObject *given) {
    double sum = 0;
    for (Py_ssize_t i = 0; i < PySequence_Size(given); i++) {
        PyObject *value = PySequence_GetItem(given, i);
        sum += PyFloat_AsDouble(value);
        Py_DECREF(value);
    }
    return PyFloat_FromDouble(sum);
}
static PyMethodDef methods[] = {{"total", total, METH_O, ""}, {NULL, NULL, 0, NULL}};
static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "acme_sum", NULL, -1, methods};
PyMODINIT_FUNC PyInit_acme_sum(void) { return PyModule_Create(&definition); }
"""
SETUP = """from setuptools import Extension, setup
{more}
setup(ext_modules=[Extension("acme_sum", ["acme_sum.c"]{include})])
"""
TEST = """import acme_sum
{more}

def test_total():
    assert acme_sum.total({values}) == 6.0
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel of this checkout, as a release makes it."""
    folder = tmp_path_factory.mktemp("wheel")
    done = subprocess.run(
        [sys.executable, "-m", "build", "--outdir", str(folder), str(CHECKOUT)],
        capture_output=True,
        text=True,
        check=False,
        timeout=1200,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    (built,) = folder.glob("*.whl")
    return built


class Own:
    """An emwheels in a virtual environment of its own, and the folder it works in."""

    def __init__(self, root: Path, wheel: Path) -> None:
        self.root = root
        venv = root / ".venv"
        subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True)
        python = venv / "bin" / "python"
        subprocess.run([python, "-m", "pip", "install", "-q", "--no-deps", "--no-index", wheel], check=True)
        (site,) = venv.glob("lib/python*/site-packages")
        (site / "of-the-tests.pth").write_text(sysconfig.get_path("purelib") + "\n")  # what emwheels depends on
        self.env = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "EMWHEELS_REMOTE")}

    def run(self, *arguments, status=0):
        done = subprocess.run(
            [self.root / ".venv" / "bin" / "emwheels", *arguments],
            cwd=self.root,
            env=self.env,
            capture_output=True,
            text=True,
            check=False,
            timeout=2000,
        )
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout

    def plan(self, *names):
        return {row["name"]: row for row in json.loads(self.run("plan", "--json", *names))}


@pytest.fixture(scope="module")
def own(wheel, tmp_path_factory):
    made = Own(tmp_path_factory.mktemp("own"), wheel)
    made.run("init", "--ci", "github")
    return made


def test_the_wheel_has_the_standard_recipes(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if name.startswith("emwheels/standard/")}
    tracked = subprocess.run(
        ["git", "ls-files", "recipes", "patches", "targets.toml"],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert {f"emwheels/standard/{name}" for name in tracked} == {
        name for name in names if not name.startswith("emwheels/standard/ci/")
    }


def test_the_same_keys_as_in_the_checkout(own):
    done = subprocess.run(
        [sys.executable, "-m", "emwheels", "--project", CHECKOUT, "plan", "--all", "--json"],
        capture_output=True,
        text=True,
        check=True,
    )
    here = {row["name"]: row["key"] for row in json.loads(done.stdout)}
    assert len(here) > 40
    assert {name: row["key"] for name, row in own.plan("*").items()} == here


def test_no_checkout_is_needed(own):
    listed = own.run("list", "--json")
    assert {row["from"] for row in json.loads(listed)} == {"standard"}
    assert str(CHECKOUT) not in own.run("recipe", "show", "msgpack", "--json")


def test_another_version_of_the_standard_recipes(own):
    settings = own.root / "emwheels.toml"
    before = settings.read_text()
    settings.write_text(before.replace(standard_version(CHECKOUT), "2020.1.1"))
    try:
        done = subprocess.run(
            [own.root / ".venv" / "bin" / "emwheels", "list"], cwd=own.root, capture_output=True, text=True, check=False
        )
    finally:
        settings.write_text(before)
    assert done.returncode == 2
    assert f"has the standard recipes {standard_version(CHECKOUT)}, not 2020.1.1" in done.stderr


@pytest.fixture(scope="module")
def base(own):
    """The standard package that the team's own one is built on: numpy, where that need not be built first."""
    return "numpy" if own.plan("numpy")["numpy"]["state"] == "up to date" else "msgpack"


def write_acme(root, base):
    """Write a project of the team's own, and its recipe."""
    project, folder = root / "acme-sum", root / "recipes" / "acme-sum"
    on_numpy = base == "numpy"
    project.mkdir()
    (project / "acme_sum.c").write_text(ON_NUMPY if on_numpy else PLAIN)
    requires = '["setuptools", "numpy>=2"]' if on_numpy else '["setuptools"]'
    (project / "pyproject.toml").write_text(
        f'[build-system]\nrequires = {requires}\nbuild-backend = "setuptools.build_meta"\n'
        f'[project]\nname = "acme-sum"\nversion = "1.0"\ndependencies = ["{base}"]\n'
    )
    more, include = ("import numpy", ", include_dirs=[numpy.get_include()]") if on_numpy else ("", "")
    (project / "setup.py").write_text(SETUP.format(more=more, include=include))
    folder.mkdir()
    host = f"  host: [{base}]\n" if on_numpy else ""
    (folder / "meta.yaml").write_text(
        'package:\n  name: acme-sum\n  version: "1.0"\nsource:\n  path: ../../acme-sum\n'
        f"requirements:\n{host}  run: [{base}]\nabout:\n  home: https://example.org\n  license: MIT\n  summary: Sums\n"
    )
    more, values = ("import numpy\n", "numpy.arange(4)") if on_numpy else ("import msgpack\n", "[1, 2, 3]")
    uses = "" if on_numpy else "\n    assert msgpack.packb([]) == b'\\x90'\n"
    (folder / "test_acme_sum.py").write_text(TEST.format(more=more, values=values) + uses)


def test_a_recipe_of_ones_own_from_init_to_the_browser(own, base):
    write_acme(own.root, base)
    outcomes = {row["name"]: row for row in json.loads(own.run("build", "--all", "--json", "--test-seconds", "900"))}
    assert outcomes["acme-sum"]["error"] is None
    assert {"acme-sum", base} <= outcomes.keys() < {"acme-sum", "numpy", "openblas", "msgpack"}
    assert [engine for engine in outcomes["acme-sum"]["engines"] if "chromium" in engine]
    assert not (own.root / "recipes" / base).exists(), "nothing of the standard recipes is copied"
    assert own.plan()["acme-sum"]["state"] == "up to date"
    own.run("status")
    assert "acme-sum" in (own.root / "dist" / "index.html").read_text()
    own.run("tables")
    assert "acme-sum" in (own.root / "docs" / "packages.md").read_text()
    own.run("tables", "--check")
    own.run("lint", "acme-sum")
    own.run("publish", str(own.root / "public"))
    assert list((own.root / "public" / "wheels").glob("acme_sum-1.0-*.whl"))


def test_its_index_installs_in_every_client(own):
    if not (own.root / "dist" / "simple" / "acme-sum").is_dir():
        pytest.skip("nothing was built")
    report = own.root / "dist" / "verify.json"
    assert shutil.which("bash")
    done = subprocess.run(
        [own.root / "ci" / "verify-local.sh", str(report)],
        cwd=own.root,
        env=own.env,
        capture_output=True,
        text=True,
        check=False,
        timeout=1800,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "acme-sum" in report.read_text()
