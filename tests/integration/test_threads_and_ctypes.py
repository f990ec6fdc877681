"""Threads, ctypes libraries, runtime paths and checks that link side modules: no recipe mentions them."""

from __future__ import annotations

from textwrap import dedent

import pytest
from one_module import beside, green, module, project

pytestmark = [pytest.mark.image, pytest.mark.network, pytest.mark.timeout(900)]

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


def test_a_program_of_a_check_links_with_a_side_module(tiny_project):
    script = """
        build:
          type: static_library
          script: |
            emcc ${SIDE_MODULE_CFLAGS} -c side.c -o side.o
            mkdir -p "$WASM_LIBRARY_DIR/lib"
            emcc ${SIDE_MODULE_LDFLAGS} side.o -o "$WASM_LIBRARY_DIR/lib/libside.so"
            echo "-L$WASM_LIBRARY_DIR/lib -lside" > words.rsp
            emcc -DWANTED=side_open check.c -L "$WASM_LIBRARY_DIR/lib" -lside -o check.js
            emcc -DWANTED=side_open check.c @words.rsp -o check.js
            if emcc -DWANTED=side_close check.c @words.rsp -o check.js; then exit 1; fi
            if emcc -DWANTED=uuid_generate check.c @words.rsp -o check.js; then exit 1; fi
            emcc -c -Dside_open=uuid_generate side.c -o own.o
            emar rcsD libown.a own.o
            emcc -DWANTED=uuid_generate check.c -L. -lown -o check.js
    """
    members = {
        "side.c": "int side_open(void) { return 1; }\n",
        "check.c": "char WANTED(void);\nint main(void) { return WANTED(); }\n",
    }
    tiny_project.recipe("side", members, script, locked=False)
    built = tiny_project.json("build", "side", "--no-test").json()["side"]
    assert (built["state"], built["error"]) == ("built", None)
