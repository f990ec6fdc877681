"""A package with numpy as a host requirement is compiled against the headers and libraries of the wasm numpy."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from emwheels.outputs.builds import files_of
from emwheels.pipeline.model import Options
from emwheels.pipeline.run import make_run, run_packages
from emwheels.recipe.load import load_recipe
from emwheels.wheel import content_of

pytestmark = [pytest.mark.image, pytest.mark.network, pytest.mark.timeout(900)]

CHECKOUT = Path(__file__).resolve().parents[2]
META = """
    requirements:
      host: [numpy]
      run: [numpy]
"""
CODE = r"""
#define NPY_NO_DEPRECATED_API NPY_2_0_API_VERSION
#include <numpy/arrayobject.h>
#include <numpy/npy_math.h>
#include <numpy/halffloat.h>
static PyObject *sizes(PyObject *self, PyObject *unused) {
    return Py_BuildValue("iii", NPY_SIZEOF_LONG, NPY_SIZEOF_INTP, NPY_SIZEOF_LONGDOUBLE);
}
static PyObject *total(PyObject *self, PyObject *value) {
    PyArrayObject *array = (PyArrayObject *)PyArray_FROM_OTF(value, NPY_DOUBLE, NPY_ARRAY_IN_ARRAY);
    if (!array) return NULL;
    double sum = 0;
    for (npy_intp i = 0; i < PyArray_SIZE(array); i++) sum += ((double *)PyArray_DATA(array))[i];
    Py_DECREF(array);
    return PyFloat_FromDouble(sum);
}
static PyObject *half(PyObject *self, PyObject *value) {
    return PyFloat_FromDouble(npy_half_to_double((npy_half)PyLong_AsLong(value)));
}
"""
SETUP = """
from pathlib import Path
import numpy
"""
TEST = """
    import numpy as np
    import pytest
    import tiny

    def test_headers_are_of_this_platform(): assert tiny.sizes(None) == (4, 4, np.dtype(np.longdouble).itemsize)
    def test_array(): assert tiny.total(np.arange(5, dtype=np.int16)) == 10.0
    def test_library(): assert tiny.half(0x3E00) == 1.5
    def test_not_an_array():
        with pytest.raises(ValueError):
            tiny.total("x")
"""


@pytest.fixture
def project(make_tiny_project, tmp_path, environment):
    """A project with this repository's recipes of numpy and of what it needs, already built, if they were."""
    outcomes = run_packages(make_run(environment, ["numpy"], Options(test=False)))
    tiny = make_tiny_project(tmp_path)
    for kind in ("builds", "latest"):
        shutil.copytree(environment.store.root / "records" / kind, tiny.cache / "store" / "records" / kind)
    for outcome in outcomes:
        assert outcome.output is not None, outcome.error
        recipe = tiny.root / "recipes" / outcome.name
        recipe.mkdir()
        for path in (CHECKOUT / "recipes" / outcome.name).iterdir():
            if path.suffix in (".yaml", ".txt") and path.name != "upstream.yaml":
                shutil.copyfile(path, recipe / path.name)
        patches = CHECKOUT / "patches" / outcome.name
        if patches.exists():
            shutil.copytree(patches, tiny.root / "patches" / outcome.name)
        record = environment.store.get_record("builds", outcome.output.key)
        for kind, sha256 in files_of("builds", record):
            ours = environment.store.get(kind, sha256)
            copy = tiny.cache / "store" / ours.relative_to(environment.store.root)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ours, copy)
    return tiny


@pytest.fixture
def recipe(project, extension, module):
    code = module("tiny", CODE, "sizes", "total", "half").replace("PyModule_Create(", "_numpy_array_api(")
    code = code.replace(
        "PyMODINIT_FUNC",
        "static PyObject *_numpy_array_api(struct PyModuleDef *d) { import_array(); return PyModule_Create(d); }\n"
        "PyMODINIT_FUNC",
    )
    members = extension("tiny", code, setup=SETUP)
    members["setup.py"] = members["setup.py"].replace(
        '["tiny.c"]',
        '["tiny.c"], include_dirs=[numpy.get_include()], libraries=["npymath"], '
        'library_dirs=[str(Path(numpy.get_include()).parent / "lib")]',
    )
    members["pyproject.toml"] = members["pyproject.toml"].replace('["setuptools"]', '["setuptools", "numpy==2.0.2"]')
    members["pyproject.toml"] += 'dependencies = ["numpy"]\n'
    return project.recipe("tiny", members, META, tests={"test_tiny.py": TEST})


def test_extension_against_numpy(project, environment, recipe):
    # Nothing but setuptools is locked yet: the build would take the headers of no numpy at all.
    done = project.run("build", "numpy", "tiny", "--no-test", "--locked")
    assert done.status == 3, done.err
    assert "needs a lock: requirements.build.txt has no numpy" in done.err
    assert "emwheels lock tiny" in done.err

    done = project.run("lock", "tiny")
    assert done.status == 0, done.err
    assert "Traceback" not in done.err
    version = project.json("build", "numpy", "--no-test").json()["numpy"]["output"]["filename"].split("-")[1]
    lock = (recipe / "requirements.build.txt").read_text()
    assert f"\nnumpy=={version} " in lock, "the recipe's numpy, not that which the source asks for"

    built = project.json("build", "tiny", "--engine", "node").json()["tiny"]
    assert (built["state"], built["engines"]) == ("built", {"node": "4 passed"})
    numpy = project.json("build", "numpy", "--no-test").json()["numpy"]["output"]
    wheel = project.dist / "wheels" / numpy["filename"]
    assert numpy["content"] == content_of(
        wheel,
        load_recipe(environment.project.recipes / "numpy", patches=environment.project.patches).build.cross_build_files,
    )
    assert numpy["content"] != content_of(wheel), "a change of numpy that no build sees rebuilds nothing else"
    shared = [path.read_text() for path in (project.cache / "xbuildenvs").glob("*/xbuildenv/requirements.txt")]
    assert set(shared) == {""}, "the shared cross-build environment stays as it was"
