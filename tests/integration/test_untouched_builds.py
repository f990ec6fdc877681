"""Packages of autotools and Meson: no recipe says how they are configured."""

from __future__ import annotations

import hashlib
from textwrap import dedent

import pytest
from one_module import beside, green, module, project
from packed import tar_gz

from emwheels.build.kept import kept_folder

pytestmark = [pytest.mark.image, pytest.mark.network, pytest.mark.timeout(900)]

MESON_BUILD = """
project('inmeson', 'c', version: '1.0')
cc = meson.get_compiler('c')
py = import('python').find_installation(pure: false)
answers = ''
foreach name : ['memmem', 'qsort_r', 'epoll_create1', 'uuid_generate', 'no_such_function']
  answers += name + '=' + (cc.has_function(name) ? 'yes' : 'no') + ' '
endforeach
answers += 'threads=' + (dependency('threads', required: false).found() ? 'yes' : 'no')
answers += ' openmp=' + (dependency('openmp', required: false).found() ? 'yes' : 'no')
answers += ' pointer=' + cc.sizeof('void*').to_string()
answers += ' double=' + cc.sizeof('long double').to_string()
answers += ' little=' + (host_machine.endian() == 'little' ? 'yes' : 'no')
add_project_arguments('-DANSWERS="' + answers + '"', language: 'c')
py.extension_module('inmeson', 'inmeson.c', install: true, dependencies: [
  py.dependency(), dependency('threads'), dependency('filed', fallback: ['filed', 'dep']),
  dependency('gitted', fallback: ['gitted', 'dep'])])
"""
SUBPROJECT = """
project('{name}', 'c')
dep = declare_dependency(link_with: static_library('{name}', '{name}.c'))
"""
MESON_TEST = """
    import inmeson

    def test_answers():
        answers = dict(each.split("=") for each in inmeson.answers().split())
        assert answers == {
            "memmem": "yes", "qsort_r": "yes", "epoll_create1": "no", "uuid_generate": "no", "no_such_function": "no",
            "threads": "yes", "openmp": "no", "pointer": "4", "double": "16", "little": "yes",
        }
    def test_wraps(): assert inmeson.wraps() == 42
"""


def subproject(name, value):
    return {"meson.build": SUBPROJECT.format(name=name), f"{name}.c": f"int {name}(void) {{ return {value}; }}\n"}


def test_meson_is_told_the_truth_and_finds_wraps(tiny_project):
    filed = tar_gz({f"filed-1.0/{path}": text for path, text in subproject("filed", 40).items()})
    gitted = tar_gz({"gitted-abc/gitted.c": subproject("gitted", 2)["gitted.c"]})
    downloads = ""
    for name, archive in (("filed", filed), ("gitted", gitted)):
        url, sha256 = tiny_project.serve(f"{name}-1.0.tar.gz", archive)
        downloads += f"      - name: {name}\n        url: {url}\n        sha256: {sha256}\n"
    code = """
        int filed(void);
        int gitted(void);
        static PyObject *answers(PyObject *self, PyObject *none) { return PyUnicode_FromString(ANSWERS); }
        static PyObject *wraps(PyObject *self, PyObject *none) { return PyLong_FromLong(filed() + gitted()); }
    """
    members = {
        "pyproject.toml": project("inmeson", "mesonpy", "meson-python"),
        "meson.build": MESON_BUILD,
        "inmeson.c": module("inmeson", code, "answers", "wraps"),
        "subprojects/filed.wrap": (
            "[wrap-file]\ndirectory = filed-1.0\nsource_url = https://example.invalid/filed.tar.gz\n"
            f"source_filename = filed.tar.gz\nsource_hash = {hashlib.sha256(filed).hexdigest()}\n"
        ),
        "subprojects/gitted.wrap": (
            "[wrap-git]\nurl = https://example.invalid/gitted\nrevision = abc\npatch_directory = gitted\n"
        ),
        "subprojects/packagefiles/gitted/meson.build": subproject("gitted", 2)["meson.build"],
    }
    meta = f"extra:\n  emwheels:\n    downloads:\n{downloads}"
    tiny_project.recipe("inmeson", members, meta, tests=beside("inmeson", MESON_TEST), locked=False)
    locked = tiny_project.run("lock", "inmeson")
    assert locked.status == 0, locked.err
    green(tiny_project.json("build", "inmeson", "--engine", "node").json()["inmeson"], 2)


def test_the_log_of_meson_stays_and_says_why(tiny_project):
    members = {
        "pyproject.toml": project("tiny", "mesonpy", "meson-python"),
        "meson.build": (
            "project('tiny', 'c', version: '1.0')\n"
            "if not meson.get_compiler('c').compiles('#include <nothing.h>\\nint x;')\n  error('no nothing')\nendif\n"
        ),
    }
    tiny_project.recipe("tiny", members, locked=False)
    assert tiny_project.run("lock", "tiny").status == 0
    failed = tiny_project.run("build", "--no-test", "tiny")
    assert failed.status == 6
    assert "ERROR: Problem encountered: no nothing" in failed.err
    assert "meson-log.txt, of the last check that failed:" in failed.err
    assert "fatal error: 'nothing.h' file not found" in failed.err
    logs = kept_folder(tiny_project.cache, "tiny").rglob("meson-log.txt")
    assert [path.parent.parent.name for path in logs] == [".mesonpy-emwheels"]


# Autotools

CONFIGURE_AC = """
AC_INIT([inauto], [1.0])
AC_CONFIG_AUX_DIR([build-aux])
AC_CONFIG_MACRO_DIRS([m4])
AC_CANONICAL_HOST
AM_INIT_AUTOMAKE([foreign])
AC_CONFIG_HEADERS([config.h])
AC_PROG_CC
AM_PROG_AR
LT_INIT([disable-shared])
LT_SYS_SYMBOL_USCORE
AM_GNU_GETTEXT_VERSION([0.20])
AM_GNU_GETTEXT([external])
AM_ICONV
AX_CHECK_COMPILE_FLAG([-Wextra], [FLAG=yes], [FLAG=no])
AX_PTHREAD
AC_FUNC_MALLOC
AC_FUNC_REALLOC
AC_FUNC_FORK
AC_CHECK_FUNCS([memmem epoll_create1 uuid_generate no_such_function])
AC_CHECK_SIZEOF([void *])
AC_DEFINE_UNQUOTED([HOST], ["$host"], [the machine])
AC_DEFINE_UNQUOTED([FLAG], ["$FLAG$sys_symbol_underscore$USE_NLS"], [a flag])
AC_CONFIG_FILES([Makefile po/Makefile.in])
AC_OUTPUT
"""
AUTO_C = """
#include "config.h"
#include <stdlib.h>
#include <string.h>
#define YES(name) " " name
const char *inauto(void) {
    static char text[400];
    strcpy(text, HOST " " FLAG);
    char *made = malloc(0);
    strcat(text, made ? " malloc" : " null");
    free(made);
#ifdef HAVE_MEMMEM
    strcat(text, YES("memmem"));
#endif
#ifdef HAVE_EPOLL_CREATE1
    strcat(text, YES("epoll_create1"));
#endif
#ifdef HAVE_UUID_GENERATE
    strcat(text, YES("uuid_generate"));
#endif
#ifdef HAVE_NO_SUCH_FUNCTION
    strcat(text, YES("no_such_function"));
#endif
#ifdef HAVE_WORKING_FORK
    strcat(text, YES("fork"));
#endif
#ifdef HAVE_PTHREAD
    strcat(text, YES("pthread"));
#endif
    strcat(text, SIZEOF_VOID_P == 4 ? " 32" : " 64");
    return text;
}
"""
AUTO_MEMBERS = {
    "configure.ac": CONFIGURE_AC,
    "m4/README": "",
    "po/POTFILES.in": "inauto.c\n",
    "Makefile.am": (
        "ACLOCAL_AMFLAGS = -I m4\nSUBDIRS = po .\nlib_LTLIBRARIES = libinauto.la\nlibinauto_la_SOURCES = inauto.c\n"
        "include_HEADERS = inauto.h\n"
    ),
    "inauto.h": "const char *inauto(void);\n",
    "inauto.c": AUTO_C,
    # Of 2009: it knows no WebAssembly.
    "build-aux/config.sub": "#!/bin/sh\ntimestamp='2009-11-20'\necho \"machine '$1' not recognized\" >&2; exit 1\n",
    "build-aux/config.guess": "#!/bin/sh\ntimestamp='2009-11-20'\nexit 1\n",
}
SAY = """
static PyObject *said(PyObject *self, PyObject *none) { return PyUnicode_FromString(inauto()); }
"""
AUTO_META = """
    build:
      type: static_library
      script: |
        test "$(sh build-aux/config.sub wasm32-emscripten)" = wasm32-unknown-emscripten
        emconfigure ./configure --prefix="$WASM_LIBRARY_DIR" CFLAGS="$SIDE_MODULE_CFLAGS" {more}
        emmake make install
"""
SAID = "wasm32-unknown-emscripten yesnono malloc memmem pthread 32"


@pytest.mark.parametrize("more", ["", "--host=wasm32-unknown-emscripten"])
def test_a_repository_of_autotools_is_configured_truly(tiny_project, more):
    tiny_project.recipe("inauto", AUTO_MEMBERS, dedent(AUTO_META).format(more=more), locked=False)
    code = f'#include "inauto.h"\n{SAY}'
    members = {
        "pyproject.toml": project("user"),
        "setup.py": (
            "from setuptools import Extension, setup\n"
            "setup(ext_modules=[Extension('user', ['user.c'], libraries=['inauto'])])\n"
        ),
        "user.c": module("user", code, "said"),
    }
    meta = """
        build:
          cflags: -I$(WASM_LIBRARY_DIR)/include
          ldflags: -L$(WASM_LIBRARY_DIR)/lib
        requirements:
          host: [inauto]
    """
    test = f"import user\ndef test_said(): assert user.said() == {SAID!r}\n"
    tiny_project.recipe("user", members, meta, tests=beside("user", test))
    green(tiny_project.json("build", "user", "--engine", "node").json()["user"], 1)


def test_setup_py_that_runs_configure(tiny_project):
    code = f'#include "inauto.c"\n{SAY}'
    members = AUTO_MEMBERS | {
        "pyproject.toml": project("inauto"),
        "setup.py": (
            "import subprocess\n"
            "from setuptools import Extension, setup\n"
            "subprocess.run(['./configure'], check=True)\n"
            "setup(ext_modules=[Extension('inauto', ['module.c'], include_dirs=['.'])], py_modules=[])\n"
        ),
        "module.c": module("inauto", code, "said"),
    }
    test = f"import inauto\ndef test_said(): assert inauto.said() == {SAID!r}\n"
    tiny_project.recipe("inauto", members, tests=beside("inauto", test))
    green(tiny_project.json("build", "inauto", "--engine", "node").json()["inauto"], 1)


# Threads, runtime paths, libraries for ctypes
