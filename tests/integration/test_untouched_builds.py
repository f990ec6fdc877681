"""Packages of autotools and Meson, with threads, runtime paths and ctypes libraries: no recipe mentions it."""

from __future__ import annotations

import hashlib
from textwrap import dedent

import pytest
from packed import tar_gz

from emwheels.build.kept import kept_folder

pytestmark = [pytest.mark.image, pytest.mark.network, pytest.mark.timeout(900)]

METHODS = """
#include <Python.h>
{code}
static PyMethodDef methods[] = {{
{rows}
    {{NULL, NULL, 0, NULL}},
}};
static struct PyModuleDef definition = {{PyModuleDef_HEAD_INIT, "{name}", NULL, -1, methods}};
PyMODINIT_FUNC PyInit_{name}(void) {{ return PyModule_Create(&definition); }}
"""


def module(name, code, *functions):
    rows = "\n".join(f'    {{"{each}", {each}, METH_NOARGS, ""}},' for each in functions)
    return METHODS.format(name=name, code=dedent(code), rows=rows)


def project(name, backend="setuptools.build_meta", requires="setuptools"):
    return (
        f'[build-system]\nrequires = ["{requires}"]\nbuild-backend = "{backend}"\n'
        f'[project]\nname = "{name}"\nversion = "1.0"\n'
    )


def beside(name, text):
    return {f"test_{name}.py": dedent(text)}


def green(outcome, count):
    assert (outcome["state"], outcome["error"]) == ("built", None)
    assert outcome["engines"] == {"node": f"{count} passed"}


# Meson

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

THREADS = """
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <mutex>
#include <system_error>
#include <thread>
static std::mutex mutex;
static std::once_flag once;
static int calls;
static pthread_key_t key;
static void *body(void *given) { return given; }
extern "C" {
static PyObject *locked(PyObject *self, PyObject *none) {
    std::lock_guard<std::mutex> guard(mutex);
    for (int i = 0; i < 3; i++) std::call_once(once, [] { calls++; });
    return PyLong_FromLong(calls);
}
static PyObject *started(PyObject *self, PyObject *none) {
    try { std::thread([] {}).join(); }
    catch (const std::system_error &error) { return PyUnicode_FromString("system_error"); }
    return PyUnicode_FromString("ran");
}
static PyObject *created(PyObject *self, PyObject *none) {
    pthread_t thread;
    return PyBool_FromLong(pthread_create(&thread, nullptr, body, nullptr) != 0);
}
static PyObject *kept(PyObject *self, PyObject *none) {
    pthread_key_create(&key, nullptr);
    pthread_setspecific(key, &key);
    return PyBool_FromLong(pthread_getspecific(key) == &key);
}
static PyObject *stood_in(PyObject *self, PyObject *none) {
    pthread_barrierattr_t barrier;
    sem_t semaphore;
    int value = -1;
    if (pthread_barrierattr_init(&barrier) || pthread_barrierattr_destroy(&barrier)) return PyLong_FromLong(1);
    if (pthread_setname_np(pthread_self(), "one") || pthread_kill(pthread_self(), 0)) return PyLong_FromLong(2);
    if (sem_init(&semaphore, 0, 2) || !sem_getvalue(&semaphore, &value) || errno != ENOSYS) return PyLong_FromLong(3);
    return PyLong_FromLong(0);
}
}
"""
THREADS_TEST = """
    import inthreads

    def test_locked(): assert [inthreads.locked(), inthreads.locked()] == [1, 1]
    def test_no_thread_is_started(): assert inthreads.started() == "system_error" and inthreads.created()
    def test_kept(): assert inthreads.kept()
    def test_stood_in(): assert inthreads.stood_in() == 0
"""
CTYPES_TEST = """
    import ctypes
    from pathlib import Path
    import inctypes
    from inctypes import native

    def library(name):
        return ctypes.CDLL(next(str(path) for path in Path(inctypes.__file__).parent.glob(f"{name}.*")))

    def test_c():
        assert library("plain").twice(21) == 42
        assert ctypes.c_int.in_dll(library("plain"), "total").value == 5
    def test_hidden_stays_hidden():
        assert not hasattr(library("plain"), "secret") and not hasattr(library("plain"), "own")
    def test_cpp(): assert library("plus").sum_of(4) == 6
    def test_module(): assert native.answer() == 42
"""


def test_threads_are_stood_in_for(tiny_project):
    members = {
        "pyproject.toml": project("inthreads"),
        "setup.py": (
            "from setuptools import Extension, setup\n"
            "setup(ext_modules=[Extension('inthreads', ['inthreads.cpp'], libraries=['pthread'],\n"
            "    extra_compile_args=['-pthread'], extra_link_args=['-pthread'])])\n"
        ),
        "inthreads.cpp": module("inthreads", THREADS, "locked", "started", "created", "kept", "stood_in"),
    }
    tiny_project.recipe("inthreads", members, tests=beside("inthreads", THREADS_TEST))
    green(tiny_project.json("build", "inthreads", "--engine", "node").json()["inthreads"], 4)


def test_libraries_for_ctypes_export_and_runtime_paths_go(tiny_project):
    plain = """
        int total = 5;
        static int own(int x) { return x; }
        __attribute__((visibility("hidden"))) int secret(int x) { return own(x); }
        int twice(int x) { return 2 * secret(x); }
    """
    plus = """
        #include <vector>
        #include <numeric>
        extern "C" int sum_of(int count) {
            std::vector<int> all(count);
            std::iota(all.begin(), all.end(), 0);
            return std::accumulate(all.begin(), all.end(), 0);
        }
    """
    native = "static PyObject *answer(PyObject *self, PyObject *none) { return PyLong_FromLong(42); }"
    members = {
        "pyproject.toml": project("inctypes"),
        "setup.py": dedent("""
            from setuptools import Extension, setup
            paths = {"runtime_library_dirs": ["/usr/local/lib", "/mnt/work/build"]}
            setup(packages=["inctypes"], ext_modules=[
                Extension("inctypes.plain", ["plain.c"], **paths),
                Extension("inctypes.plus", ["plus.cpp"], extra_link_args=["-Wl,--enable-new-dtags,-rpath,/mnt/work/x"]),
                Extension("inctypes.native", ["native.c"], **paths),
            ])
        """),
        "inctypes/__init__.py": "",
        "plain.c": dedent(plain),
        "plus.cpp": dedent(plus),
        "native.c": module("native", native, "answer"),
    }
    tiny_project.recipe("inctypes", members, tests=beside("inctypes", CTYPES_TEST))
    green(tiny_project.json("build", "inctypes", "--engine", "node").json()["inctypes"], 4)


def test_a_library_that_asks_emcc_for_threads(tiny_project):
    script = """
        build:
          type: static_library
          script: |
            emcc $SIDE_MODULE_CFLAGS -pthread -s USE_PTHREADS=1 -c x.c -o x.o
            emcc -pthread x.c -DMAIN -o check.js && node check.js
            if emcc -fopenmp x.c -DMAIN -o openmp.js; then exit 1; fi
            emar rcsD libx.a x.o
            install -D libx.a "$WASM_LIBRARY_DIR/lib/libx.a"
    """
    code = """
        #include <pthread.h>
        static void *body(void *given) { return given; }
        int x(void) { pthread_t thread; return pthread_create(&thread, 0, body, 0); }
        #ifdef MAIN
        int main(void) { return x() == 0; }
        #endif
    """
    tiny_project.recipe("x", {"x.c": dedent(code)}, script, locked=False)
    built = tiny_project.json("build", "x", "--no-test").json()["x"]
    assert (built["state"], built["error"]) == ("built", None)
