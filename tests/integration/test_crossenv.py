"""The cross-build environment against its source, sysconfigdata, and against the interpreter that runs the result."""

from __future__ import annotations

import json
import re
import zipfile

import pytest

from emwheels.image.toolchain import crossenv
from emwheels.image.toolchain.crossenv import SYSCONFIG_NAME, read_sysconfigdata

pytestmark = [pytest.mark.image, pytest.mark.timeout(300)]

MACROS = ("_GNU_SOURCE", "_FILE_OFFSET_BITS")
TYPES = {
    "long": "c_long",
    "int": "c_int",
    "long long": "c_longlong",
    "void *": "c_void_p",
    "size_t": "c_size_t",
    "wchar_t": "c_wchar",
    "double": "c_double",
    "long double": "c_longdouble",
    "Py_ssize_t": "c_ssize_t",
}


@pytest.fixture(scope="module")
def include(toolchain, targets):
    target = targets.get(None)
    root = toolchain.crossenv / "xbuildenv" / "pyodide-root"
    return root / "cpython" / "installs" / f"python-{target.python}" / "include" / f"python{target.python_minor}"


@pytest.fixture(scope="module")
def variables(runtime):
    with zipfile.ZipFile(runtime / "python_stdlib.zip") as archive:
        return read_sysconfigdata(archive.read(f"{SYSCONFIG_NAME}.py").decode())


def test_pyconfig_agrees_with_sysconfigdata(include, variables):
    text = (include / "pyconfig.h").read_text()
    defined = dict(re.findall(r"(?m)^# *define (\w+) ?(.*)$", text))
    undefined = set(re.findall(r"(?m)^/\* #undef (\w+) \*/$", text))
    compared = (defined.keys() | undefined) & variables.keys()
    assert len(compared) > 600
    wrong = {
        name: (defined.get(name), variables[name])
        for name in compared
        if defined.get(name, "0") != str(variables[name])
    }
    assert not wrong
    assert not defined.keys() & undefined, "one macro, one line"
    assert defined.keys() >= set(MACROS)


def test_pyconfig_holds_nothing_that_this_interpreter_was_not_configured_with(include, variables):
    text = (include / "pyconfig.h").read_text()
    defined = set(re.findall(r"(?m)^# *define (\w+)", text))
    extra = {name for name in defined - variables.keys() if not name.startswith("_")}
    assert extra <= {"Py_PYCONFIG_H"}


def test_patchlevel_is_that_of_the_target(include, targets):
    assert f'#define PY_VERSION "{targets.get(None).python}"' in (include / "patchlevel.h").read_text()


def test_paths_of_the_tree_are_where_it_is_mounted(toolchain):
    envs = (toolchain.crossenv / "xbuildenv" / "pyodide-root" / "Makefile.envs").read_text()
    for path in re.findall(r"=(/\S+)", envs):
        assert path.startswith(crossenv.INSIDE)
    assert (toolchain.crossenv / "xbuildenv" / "requirements.txt").read_text() == ""


PROBE_TEST = """
    import ctypes, json, platform, struct, sys, sysconfig
    import pytest, probe

    facts = json.loads(probe.facts(None))
    TYPES = json.loads('''@TYPES@''')
    RECORDED = json.loads('''@RECORDED@''')

    @pytest.mark.parametrize("name", TYPES)
    def test_sizes_and_alignments_are_those_of_the_interpreter(name):
        kind = getattr(ctypes, TYPES[name])
        assert facts[f"sizeof {name}"] == ctypes.sizeof(kind)
        assert facts[f"alignof {name}"] == ctypes.alignment(kind)

    @pytest.mark.parametrize("name", RECORDED)
    def test_the_compiler_agrees_with_sysconfig(name):
        assert facts[f"{RECORDED[name]}"] == sysconfig.get_config_var(name)

    def test_pointers_and_limits():
        assert facts["sizeof long"] == struct.calcsize("l")
        assert facts["sizeof void *"] == struct.calcsize("P")
        assert facts["PY_SSIZE_T_MAX"] == sys.maxsize
        assert facts["PyLong_SHIFT"] == sys.int_info.bits_per_digit

    def test_macros_that_steer_libc():
        assert facts["_GNU_SOURCE"] == 1
        assert facts["_FILE_OFFSET_BITS"] == 64

    def test_versions():
        assert facts["PY_VERSION"] == platform.python_version()
        assert facts["Py_GetVersion"] == sys.version
        assert facts["PY_VERSION_HEX"] == sys.hexversion

    def test_configuration():
        assert facts["Py_DEBUG"] == hasattr(sys, "gettotalrefcount")
        assert facts["Py_GIL_DISABLED"] == (not getattr(sys, "_is_gil_enabled", lambda: True)())
"""


def test_probe_compiled_with_it_agrees_with_the_interpreter(tiny_project, extension, module, variables):
    recorded = {
        f"SIZEOF_{kind.replace('*', 'p').replace(' ', '_').upper()}": f"sizeof {kind}"
        for kind in ("long", "int", "long long", "size_t", "wchar_t", "time_t", "off_t", "long double", "pid_t")
    } | {"SIZEOF_VOID_P": "sizeof void *", "ALIGNOF_LONG": "alignof long", "ALIGNOF_SIZE_T": "alignof size_t"}
    recorded = {name: fact for name, fact in recorded.items() if name in variables}
    assert len(recorded) >= 11
    kinds = dict.fromkeys([*TYPES, "time_t", "off_t", "pid_t"])
    rows = "".join(
        f'    NUMBER("sizeof {kind}", sizeof({kind}));\n    NUMBER("alignof {kind}", _Alignof({kind}));\n'
        for kind in kinds
    )
    code = f"""
#include <stddef.h>
#include <stdio.h>
#include <sys/types.h>
#include <time.h>
#if !defined(_GNU_SOURCE) || !defined(_FILE_OFFSET_BITS)
#error "a macro of pyconfig.h is missing"
#endif
#ifdef Py_DEBUG
#define DEBUG 1
#else
#define DEBUG 0
#endif
#ifdef Py_GIL_DISABLED
#define FREE 1
#else
#define FREE 0
#endif
#define NUMBER(name, value) at += snprintf(text + at, sizeof text - at, "\\"%s\\": %lld, ", name, (long long)(value))
static PyObject *facts(PyObject *self, PyObject *none) {{
    char text[8192] = "{{";
    size_t at = 1;
{rows}
    NUMBER("PY_SSIZE_T_MAX", PY_SSIZE_T_MAX);
    NUMBER("PyLong_SHIFT", PyLong_SHIFT);
    NUMBER("_GNU_SOURCE", _GNU_SOURCE + 0);
    NUMBER("_FILE_OFFSET_BITS", _FILE_OFFSET_BITS);
    NUMBER("PY_VERSION_HEX", PY_VERSION_HEX);
    NUMBER("Py_DEBUG", DEBUG);
    NUMBER("Py_GIL_DISABLED", FREE);
    snprintf(text + at, sizeof text - at, "\\"PY_VERSION\\": \\"%s\\"}}", PY_VERSION);
    PyObject *json = PyImport_ImportModule("json");
    PyObject *told = json ? PyObject_CallMethod(json, "loads", "s", text) : NULL;
    PyObject *version = PyUnicode_FromString(Py_GetVersion());
    if (told == NULL || version == NULL || PyDict_SetItemString(told, "Py_GetVersion", version)) return NULL;
    return PyObject_CallMethod(json, "dumps", "O", told);
}}
"""
    test = PROBE_TEST.replace("@TYPES@", json.dumps(TYPES)).replace("@RECORDED@", json.dumps(recorded))
    tiny_project.recipe("probe", extension("probe", module("probe", code, "facts")), tests={"test_probe.py": test})
    done = tiny_project.json("build", "probe", "--engine", "node").json()["probe"]
    assert done["engines"] == {"node": f"{len(TYPES) + len(recorded) + 4} passed"}
