from __future__ import annotations

import zipfile
from dataclasses import replace

import pytest
from sample_target import TARGET as SAMPLE

from emwheels.errors import ImageError
from emwheels.image.toolchain import crossenv
from emwheels.image.toolchain.crossenv import CrossEnvInputs, make_crossenv, make_pyconfig, read_sysconfigdata

TARGET = replace(SAMPLE, cflags=("-fPIC", "-fwasm-exceptions"))
SYSCONFIG = """\
import os
prefix = os.environ.get("X", "/x")
build_time_vars = {
    'CC': 'emcc',
    'HAVE_FORK': 0,
    'SIZEOF_LONG': 4,
    'MINUS': -1,
    'LIBDIR': f'{prefix}/lib',
    'CONFIGURE_CFLAGS': '-DPY_CALL_TRAMPOLINE -O2 -fPIC',
}
"""
TEMPLATE = """\
#ifndef Py_PYCONFIG_H
#define Py_PYCONFIG_H
#define HAVE_FORK 1
/* #undef HAVE_EMSCRIPTEN */
#define SIZEOF_LONG 8
#define HAVE_DECL_RTLD_NOW 1
#define HAVE_NOT_RECORDED 1
#define _GNU_SOURCE 1
#define _Py_HACL_CAN_COMPILE_VEC128 1
# undef INDENTED
#ifdef OTHER
# define NEXT 1
#endif
#endif
"""
PATCHLEVEL = """\
#define PY_MAJOR_VERSION        3
#define PY_MINOR_VERSION        14
#define PY_MICRO_VERSION        9
#define PY_RELEASE_LEVEL        PY_RELEASE_LEVEL_FINAL
#define PY_RELEASE_SERIAL       0
#define PY_VERSION              "3.14.9"
"""


def test_sysconfigdata_is_read_without_being_run():
    assert read_sysconfigdata(SYSCONFIG) == {
        "CC": "emcc",
        "HAVE_FORK": 0,
        "SIZEOF_LONG": 4,
        "MINUS": -1,
        "LIBDIR": "${prefix}/lib",
        "CONFIGURE_CFLAGS": "-DPY_CALL_TRAMPOLINE -O2 -fPIC",
    }


@pytest.mark.parametrize(
    "source",
    ["x = 1\n", "", "build_time_vars = {'a': open('x')}\n", "build_time_vars = {**other}\n", "build_time_vars = x\n"],
)
def test_sysconfigdata_of_another_shape(source):
    with pytest.raises(ImageError, match=crossenv.SYSCONFIG_NAME):
        read_sysconfigdata(source)


def test_pyconfig():
    variables = {"HAVE_FORK": 0, "HAVE_EMSCRIPTEN": 1, "SIZEOF_LONG": 4, "HAVE_DECL_RTLD_NOW": 0, "INDENTED": 7}
    assert make_pyconfig(TEMPLATE, variables).splitlines() == [
        "#ifndef Py_PYCONFIG_H",
        "#define Py_PYCONFIG_H",
        "/* #undef HAVE_FORK */",
        "#define HAVE_EMSCRIPTEN 1",
        "#define SIZEOF_LONG 4",
        "#define HAVE_DECL_RTLD_NOW 0",
        "/* #undef HAVE_NOT_RECORDED */",
        "#define _GNU_SOURCE 1",
        "/* #undef _Py_HACL_CAN_COMPILE_VEC128 */",
        "#define INDENTED 7",
        "#ifdef OTHER",
        "/* #undef NEXT */",
        "#endif",
        "#endif",
    ]


@pytest.mark.parametrize(
    ("version", "micro", "level", "serial"),
    [
        ("3.14.2", "2", "FINAL", "0"),
        ("3.15.0a7", "0", "ALPHA", "7"),
        ("3.15.0b1", "0", "BETA", "1"),
        ("3.15.0rc2", "0", "GAMMA", "2"),
    ],
)
def test_patchlevel(version, micro, level, serial):
    lines = crossenv._patchlevel(PATCHLEVEL, version).splitlines()
    assert lines[2:] == [
        f"#define PY_MICRO_VERSION {micro}",
        f"#define PY_RELEASE_LEVEL PY_RELEASE_LEVEL_{level}",
        f"#define PY_RELEASE_SERIAL {serial}",
        f'#define PY_VERSION "{version}"',
    ]


@pytest.mark.parametrize("version", ["3.14", "three", "3.14.2.1", "3.14.2dev0"])
def test_no_version_of_cpython(version):
    with pytest.raises(ImageError, match=r"targets\.toml"):
        crossenv._patchlevel(PATCHLEVEL, version)


def test_patchlevel_of_another_shape():
    with pytest.raises(ImageError, match="PY_VERSION 0 times"):
        crossenv._patchlevel(PATCHLEVEL.replace("PY_VERSION ", "PY_TEXT "), "3.14.2")


def test_pyport():
    assert crossenv._pyport("a\n#ifndef LONG_BIT\nb\n") == "a\n#undef LONG_BIT\n#ifndef LONG_BIT\nb\n"
    with pytest.raises(ImageError, match="LONG_BIT"):
        crossenv._pyport("nothing")


@pytest.fixture
def inputs(tmp_path):
    headers = tmp_path / "include"
    (headers / "python3.14" / "cpython").mkdir(parents=True)
    (headers / "python3.14" / "Python.h").write_text("")
    (headers / "python3.14" / "pyport.h").write_text("#ifndef LONG_BIT\n#endif\n")
    (headers / "python3.14" / "patchlevel.h").write_text(PATCHLEVEL)
    (headers / "python3.14" / "pyconfig.h").write_text("#error which one?\n")
    (headers / "x86_64-linux-gnu" / "python3.14").mkdir(parents=True)
    (headers / "x86_64-linux-gnu" / "python3.14" / "pyconfig.h").write_text(TEMPLATE)
    runtime = tmp_path / "runtime"
    runtime.mkdir()
    with zipfile.ZipFile(runtime / "python_stdlib.zip", "w") as archive:
        archive.writestr(f"{crossenv.SYSCONFIG_NAME}.py", SYSCONFIG)
    return CrossEnvInputs(runtime=runtime, headers=headers)


def test_tree(inputs, tmp_path):
    root = make_crossenv(TARGET, inputs, tmp_path / "tree") / "xbuildenv" / "pyodide-root"
    install = root / "cpython" / "installs" / "python-3.14.2"
    include = install / "include" / "python3.14"
    assert (include / "Python.h").is_file()
    assert "#define SIZEOF_LONG 4" in (include / "pyconfig.h").read_text()
    assert "#undef LONG_BIT" in (include / "pyport.h").read_text()
    assert '"3.14.2"' in (include / "patchlevel.h").read_text()
    assert (install / "sysconfigdata" / f"{crossenv.SYSCONFIG_NAME}.py").read_text() == SYSCONFIG
    envs = dict(
        line.removeprefix("export ").split("=", 1)
        for line in (root / "Makefile.envs").read_text().splitlines()
        if line.startswith("export ")
    )
    assert (envs["PYVERSION"], envs["PYMAJOR"], envs["PYMINOR"], envs["PYMICRO"]) == ("3.14.2", "3", "14", "2")
    assert envs["PYODIDE_ABI_VERSION"] == "2026_0"
    assert envs["CFLAGS_BASE"] == "-O2 -fPIC -fwasm-exceptions", "each flag once, those of compiling CPython not"
    assert envs["LDFLAGS_BASE"] == "-sWASM_BIGINT"


def test_runtime_without_sysconfigdata(inputs, tmp_path):
    (inputs.runtime / "python_stdlib.zip").write_bytes(b"no archive")
    with pytest.raises(ImageError, match=r"python_stdlib\.zip"):
        make_crossenv(TARGET, inputs, tmp_path / "tree")


def test_headers_without_an_architecture(inputs, tmp_path):
    (inputs.headers / "x86_64-linux-gnu" / "python3.14" / "pyconfig.h").unlink()
    with pytest.raises(ImageError, match=r"have no pyconfig\.h"):
        make_crossenv(TARGET, inputs, tmp_path / "tree")
