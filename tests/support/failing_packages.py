"""Packages of a few lines that do not build, each for a reason of its own: ``tests/unit/logs`` has what tools say of it.

``python tests/support/failing_packages.py FOLDER [NAME...]`` builds them in a project of their own below FOLDER, with
the real toolchain. What comes of it is in FOLDER/cache/logs.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import platformdirs

sys.path.insert(0, str(Path(__file__).parent))
from loopback import serving_folder
from packed import tar_gz

CHECKOUT = Path(__file__).resolve().parents[2]
SHARED = ("images", "npm", "xbuildenvs")


@dataclass(frozen=True, kw_only=True)
class Failing:
    """One package: its source, the commands or the build section of its meta.yaml, and whose lock file it has."""

    members: dict[str, str]
    script: str = ""
    """For a library."""
    meta: str = ""
    lock: str = "msgpack"
    tests: str = ""

    def meta_yaml(self) -> str:
        """Return what follows ``source`` in its meta.yaml."""
        if not self.script:
            return self.meta
        lines = "".join(f"    {line}\n" for line in self.script.strip().splitlines())
        return f"build:\n  type: static_library\n  script: |\n{lines}{self.meta}"


def cmake(text: str, *, minimum: str = "3.20", languages: str = "C", **members: str) -> Failing:
    """Return a library that CMake configures and builds."""
    head = f"cmake_minimum_required(VERSION {minimum})\nproject(tiny {languages})\n"
    files = {"CMakeLists.txt": head + text, "tiny.c": "int tiny(void) { return 1; }\n"}
    script = 'emcmake cmake -G Ninja -S . -B build-wasm -DCMAKE_INSTALL_PREFIX="${WASM_LIBRARY_DIR}"\n'
    script += "cmake --build build-wasm --target install\necho this line is never reached\n"
    return Failing(members=files | {name.replace("__", "/").replace("_", "."): value for name, value in members.items()}, script=script)


def compiled(source: str, flags: str = "", *, name: str = "tiny.c", compiler: str = "emcc", more: str = "") -> Failing:
    """Return a library of one file that a script compiles."""
    script = f"{compiler} ${{SIDE_MODULE_CFLAGS}} {flags} -c {name} -o tiny.o\n{more}\nemar rcs libtiny.a tiny.o\n"
    script += 'mkdir -p "${WASM_LIBRARY_DIR}/lib"\ncp libtiny.a "${WASM_LIBRARY_DIR}/lib"\n'
    return Failing(members={name: source}, script=script)


def linked(source: str, flags: str = "", *, name: str = "tiny.c", second: str = "") -> Failing:
    """Return a library whose script links a program."""
    members = {name: source} | ({"second.c": second} if second else {})
    return Failing(members=members, script=f"emcc {flags} {' '.join(members)} -o tiny.js\n")


def configured(configure_ac: str) -> Failing:
    """Return a library with a configure script, which autoconf makes."""
    return Failing(
        members={"configure.ac": configure_ac, "tiny.c": "int tiny(void) { return 1; }\n", "Makefile.in": "all:\n"},
        script="autoconf\nemconfigure ./configure --host=wasm32-emscripten\nemmake make\n",
    )


def meson(text: str, **members: str) -> Failing:
    """Return a package that meson-python builds."""
    project = (
        '[build-system]\nrequires = ["meson-python"]\nbuild-backend = "mesonpy"\n'
        '[project]\nname = "tiny"\nversion = "1.0"\n'
    )
    files = {"meson.build": f"project('tiny', 'c', version: '1.0')\n{text}", "pyproject.toml": project}
    return Failing(members=files | {name.replace("__", "/").replace("_", "."): value for name, value in members.items()}, lock="contourpy")


def setuptools(setup: str = "", *, requires: str = '"setuptools"', source: str = "", arguments: str = "", lock: str = "msgpack", **members: str) -> Failing:
    """Return a package with a setup.py, and an extension of ``source``."""
    project = f'[build-system]\nrequires = [{requires}]\nbuild-backend = "setuptools.build_meta"\n[project]\nname = "tiny"\n'
    project += 'version = "1.0"\n' if "setuptools-scm" not in requires else 'dynamic = ["version"]\n[tool.setuptools_scm]\n'
    code = source or '#include <Python.h>\nPyMODINIT_FUNC PyInit_tiny(void) { return NULL; }\n'
    end = f'setup(ext_modules=[Extension("tiny", ["tiny.c"]{arguments})])\n'
    files = {
        "pyproject.toml": project,
        "setup.py": f"from setuptools import Extension, setup\n{setup}\n{end}",
        "tiny.c": code,
    }
    return Failing(members=files | {name.replace("__", "/").replace("_", "."): value for name, value in members.items()}, lock=lock)


PLAIN = (
    '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n'
    '[project]\nname = "tiny"\nversion = "1.0"\n'
)
TESTED = """#include <Python.h>
static int hidden(void) { return 1; }
static PyObject *trap(PyObject *self, PyObject *none) { __builtin_trap(); return NULL; }
static PyObject *mismatch(PyObject *self, PyObject *none) {
    int (*volatile called)(int, int, int, int) = (int (*)(int, int, int, int))hidden;
    return PyLong_FromLong(called(1, 2, 3, 4));
}
static PyMethodDef methods[] = {{"trap", trap, METH_NOARGS, ""}, {"mismatch", mismatch, METH_NOARGS, ""}, {0}};
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "tiny", "", -1, methods};
PyMODINIT_FUNC PyInit_tiny(void) { return PyModule_Create(&module); }
"""
MODULE = "#include <Python.h>\nPyMODINIT_FUNC PyInit_tiny(void) { return NULL; }\n"
SCIKIT = (
    '[build-system]\nrequires = ["scikit-build-core"]\nbuild-backend = "scikit_build_core.build"\n'
    '[project]\nname = "tiny"\nversion = "1.0"\n'
)


def scikit(text: str) -> Failing:
    """Return a package that scikit-build-core builds."""
    head = "cmake_minimum_required(VERSION 3.20)\nproject(tiny LANGUAGES C)\n"
    return Failing(members={"CMakeLists.txt": head + text, "pyproject.toml": SCIKIT, "tiny.c": MODULE}, lock="rapidfuzz")


FAILING: dict[str, Failing] = {
    "cmake-policy": cmake("add_library(tiny tiny.c)\n", minimum="2.8"),
    "cmake-python": scikit("find_package(Python COMPONENTS Interpreter Development.Module REQUIRED)\n"),
    "cmake-python3": scikit("find_package(Python3 COMPONENTS Interpreter Development REQUIRED)\n"),
    "cmake-numpy": scikit("find_package(Python COMPONENTS Interpreter NumPy REQUIRED)\n"),
    "cmake-package": cmake("find_package(ZLIB REQUIRED)\n"),
    "cmake-config-package": cmake("find_package(SheenBidi CONFIG REQUIRED)\n"),
    "cmake-pkg-config": cmake("find_package(PkgConfig REQUIRED)\npkg_check_modules(X REQUIRED IMPORTED_TARGET libsndfile>=1)\n"),
    "cmake-check": cmake('include(CheckLibraryExists)\ncheck_library_exists(m pow "" HAVE_MATH)\ncheck_library_exists(nosuch pow "" HAVE_NOSUCH)\nif(NOT HAVE_NOSUCH)\nmessage(FATAL_ERROR "Unable to find the nosuch library, which tiny needs")\nendif()\n'),
    "cmake-fetch-content": cmake(
        "include(FetchContent)\nFetchContent_Declare(fmt URL https://files.example.org/fmt-11.0.tar.gz)\nFetchContent_MakeAvailable(fmt)\n"
    ),
    "cmake-fetch-git": cmake(
        "include(FetchContent)\nFetchContent_Declare(fmt GIT_REPOSITORY https://git.example.org/fmt.git GIT_TAG 11.0)\nFetchContent_MakeAvailable(fmt)\n"
    ),
    "cmake-external": cmake(
        "include(ExternalProject)\nExternalProject_Add(zlib-ng URL https://files.example.org/zlib-ng-2.2.tar.gz)\nadd_library(tiny tiny.c)\nadd_dependencies(tiny zlib-ng)\n"
    ),
    "cmake-openmp": cmake("find_package(OpenMP REQUIRED)\n"),
    "cmake-threads": cmake("find_package(Threads REQUIRED)\nadd_executable(tiny tiny.c)\ntarget_link_libraries(tiny Threads::Threads)\ninstall(TARGETS tiny)\n"),
    "cmake-fortran": cmake("", languages="C Fortran"),
    "cmake-submodule": cmake("add_subdirectory(extern/pybind11)\n", extern__pybind11__README=""),
    "cmake-run": cmake(
        "include(CheckCSourceRuns)\nset(CMAKE_CROSSCOMPILING_EMULATOR)\ntry_run(RAN BUILT ${CMAKE_BINARY_DIR} ${CMAKE_SOURCE_DIR}/tiny.c)\n"
        'if(NOT RAN EQUAL 0)\nmessage(FATAL_ERROR "tiny does not run")\nendif()\n'
    ),
    "cmake-compile": cmake("add_library(tiny tiny.c broken.c)\ninstall(TARGETS tiny)\n", broken_c="int broken(void) { return missing_constant; }\n"),
    "ninja-compile-many": cmake(
        "add_library(tiny tiny.c broken.c)\ninstall(TARGETS tiny)\n",
        broken_c='#include "sb-not-there.h"\nint broken(void) { return 1; }\n',
    ),
    "meson-dependency": meson("dependency('qhull_r')\n"),
    "meson-library": meson("cc = meson.get_compiler('c')\ncc.find_library('qhull_r')\n"),
    "meson-wrap": meson("dependency('freetype2', fallback: ['freetype2', 'dep'])\n", subprojects__freetype2_wrap=(
        "[wrap-file]\ndirectory = freetype-2\nsource_url = https://files.example.org/freetype-2.tar.gz\nsource_filename = freetype-2.tar.gz\nsource_hash = 0000000000000000000000000000000000000000000000000000000000000000\n")),
    "meson-program": meson("find_program('bison')\n"),
    "meson-cython": meson("add_languages('cython')\n"),
    "meson-subproject": meson("subproject('nothere')\n"),
    "meson-header": meson("cc = meson.get_compiler('c')\ncc.has_header('sys/not-there.h', required: true)\n"),
    "meson-numpy": meson("py = import('python').find_installation(pure: false)\nrun_command(py, ['-c', 'import numpy; print(numpy.get_include())'], check: true)\n"),
    "meson-compile": meson("py = import('python').find_installation(pure: false)\npy.extension_module('tiny', 'tiny.c', install: true)\n", tiny_c='#include <Python.h>\n#include <hb-not.h>\n'),
    "configure-missing": Failing(members={"tiny.c": "int x;\n", "configure.ac": "AC_INIT([tiny], [1])\nAC_OUTPUT\n"}, script="emconfigure ./configure --host=wasm32-emscripten\nemmake make\n"),
    "configure-host": configured("AC_INIT([tiny], [1])\nAC_CANONICAL_HOST\nAC_OUTPUT\n") ,
    "configure-run": configured("AC_INIT([tiny], [1])\nAC_PROG_CC\nAC_RUN_IFELSE([AC_LANG_PROGRAM([], [return 0;])], [], [AC_MSG_ERROR([tiny does not run])])\nAC_OUTPUT([Makefile])\n"),
    "configure-library": configured("AC_INIT([tiny], [1])\nAC_PROG_CC\nAC_CHECK_LIB([ncurses], [initscr], [], [AC_MSG_ERROR([ncurses is needed])])\nAC_OUTPUT([Makefile])\n"),
    "configure-header": configured("AC_INIT([tiny], [1])\nAC_PROG_CC\nAC_CHECK_HEADER([SheenBidi.h], [], [AC_MSG_ERROR([SheenBidi.h is needed])])\nAC_OUTPUT([Makefile])\n"),
    "configure-macro": configured("AC_INIT([tiny], [1])\nAC_PROG_CC\nPKG_CHECK_MODULES([OGG], [ogg >= 1.3])\nAM_INIT_AUTOMAKE\nLT_SYS_SYMBOL_USCORE\nAC_OUTPUT([Makefile])\n"),
    "configure-pkg-config": configured(
        "AC_INIT([tiny], [1])\nAC_PROG_CC\nif ! pkg-config --print-errors --exists 'ogg >= 1.3'; then AC_MSG_ERROR([Package requirements (ogg >= 1.3) were not met]); fi\nAC_OUTPUT([Makefile])\n"
    ),
    "header": compiled('#include "SheenBidi.h"\n'),
    "header-in-folder": compiled('#include "SheenBidi.h"\n', '-I"${WASM_LIBRARY_DIR}/include"', more=""),
    "header-python": compiled("#include <Python.h>\n", "-nostdinc -isystem /nowhere"),
    "header-numpy": setuptools(source="#include <Python.h>\n#include <numpy/arrayobject.h>\n"),
    "header-system": compiled("#include <sys/epoll.h>\n"),
    "header-epoll-kernel": compiled("#include <linux/io_uring.h>\n"),
    "header-omp": compiled("#include <omp.h>\n", "-fopenmp"),
    "header-x86": compiled("#include <cpuid.h>\nint f(void) { unsigned a, b, c, d; return __get_cpuid(0, &a, &b, &c, &d); }\n"),
    "header-immintrin": compiled("#include <immintrin.h>\n__m256i f(__m256i a) { return _mm256_add_epi32(a, a); }\n"),
    "header-emmintrin": compiled("#include <emmintrin.h>\n", "-mno-simd128"),
    "openmp-link": linked("int main(void) { int s = 0;\n#pragma omp parallel for\nfor (int i = 0; i < 9; i++) s += i;\nreturn s; }\n", "-fopenmp"),
    "pthread-link": linked("#include <pthread.h>\nstatic void *f(void *x) { return x; }\nint main(void) { pthread_t t; return pthread_create(&t, 0, f, 0); }\n", "-sSIDE_MODULE=1 -shared -pthread"),
    "pthread-mixed": Failing(members={"tiny.c": "int tiny(void) { return 1; }\nint main(void) { return tiny(); }\n"}, script="emcc -c tiny.c -o tiny.o\nemcc -pthread tiny.o -o tiny.js\n"),
    "symbols": linked("int SBCodepointCount(void);\nint main(void) { return SBCodepointCount(); }\n"),
    "symbols-cpp": linked("namespace hb { int shape(int); }\nint main() { return hb::shape(1); }\n", name="tiny.cpp"),
    "symbol-process": linked("int main(void) { extern int epoll_create(int); extern int ptrace(int); return epoll_create(1) + ptrace(1); }\n"),
    "duplicate": linked("int tiny(void) { return 1; }\nint main(void) { return tiny(); }\n", second="int tiny(void) { return 2; }\n"),
    "library-not-found": linked("int main(void) { return 0; }\n", "-lncurses"),
    "signature": linked("int tiny(int);\nint main(void) { return tiny(1); }\n", "-Wl,--fatal-warnings", second="double tiny(double x, int y) { return x + y; }\n"),
    "pic": Failing(members={"tiny.c": "static int v; int *tiny(void) { return &v; }\n"}, script="emcc -c tiny.c -o tiny.o\nemcc -sSIDE_MODULE=1 tiny.o -o tiny.so\n"),
    "native-object": Failing(members={"tiny.c": "int main(void) { return 1; }\n"}, script="/usr/bin/gcc -c tiny.c -o tiny.o\nemcc tiny.o -o tiny.js\n"),
    "march": compiled("int x;\n", "-march=native"),
    "msse": compiled("#include <xmmintrin.h>\nint x;\n", "-mno-simd128 -msse2"),
    "mavx512": compiled("int x;\n", "-mavx512f"),
    "mcpu": compiled("int x;\n", "-mtune=native"),
    "linker-option": linked("int main(void) { return 0; }\n", "-Wl,--version-script=tiny.map,-z,relro"),
    "assembly": compiled('int f(void) { int a; __asm__ volatile("cpuid" : "=a"(a) :: "ebx"); return a; }\n'),
    "assembly-file": compiled(".globl tiny\ntiny:\n  mov $1, %eax\n  ret\n", name="tiny.S"),
    "float128": compiled("__float128 x;\n"),
    "int128-asm": compiled('_Static_assert(sizeof(void *) == 8, "tiny needs 64 bits");\n'),
    "shift": compiled("#include <stddef.h>\nsize_t f(size_t x) { return x >> 32; }\n", "-Wall -Werror"),
    "conversion": compiled("#include <stddef.h>\nsize_t f(void) { return 0x100000000ULL; }\n", "-Wall -Werror"),
    "shorten": compiled("#include <stddef.h>\n#include <stdint.h>\nsize_t f(uint64_t x) { return x; }\n", "-Wshorten-64-to-32 -Werror"),
    "format": compiled('#include <stdio.h>\n#include <stddef.h>\nvoid f(size_t x) { printf("%lu", x); }\n', "-Wall -Werror"),
    "werror": compiled("static int unused;\n", "-Wall -Werror"),
    "pointer-types": compiled("typedef int (*f)(int); int g(double); f h = g;\n"),
    "implicit": compiled("int f(void) { return not_declared(1); }\n"),
    "exceptions": compiled("int f() { try { throw 1; } catch (int) { return 1; } return 0; }\n", "-fno-exceptions", name="tiny.cpp", compiler="em++"),
    "exceptions-mixed": Failing(members={"tiny.cpp": "int f();\nint main() { try { throw 1; } catch (int) { return 1; } return 0; }\n"}, script="em++ -fwasm-exceptions -sSUPPORT_LONGJMP=emscripten -c tiny.cpp\nem++ -fwasm-exceptions -fexceptions tiny.o -o tiny.js\n"),
    "longjmp-mixed": Failing(members={"tiny.c": "#include <setjmp.h>\njmp_buf b; void g(void);\nint main(void) { if (setjmp(b)) return 1; longjmp(b, 1); }\n"}, script="emcc -sSUPPORT_LONGJMP=emscripten -c tiny.c\nemcc -sSUPPORT_LONGJMP=wasm -fwasm-exceptions tiny.o -o tiny.js\n"),
    "cpp17": compiled("#include <memory>\nstd::auto_ptr<int> p;\nint f(register int x) { return x; }\n", "-std=c++17", name="tiny.cpp", compiler="em++"),
    "fortran": Failing(members={"tiny.f90": "module tiny\n  integer, allocatable :: x(:)\nend module tiny\n"}, script="gfortran -c tiny.f90 -o tiny.o\n"),
    "f2c": Failing(members={"tiny.f": "      module tiny\n      integer, allocatable :: x(:)\n      end module tiny\n"}, script="gfortran -c tiny.f -o tiny.o\n"),
    "program": Failing(members={"tiny.y": "%%\n"}, script="bison -d tiny.y\n"),
    "program-flex": Failing(members={"Makefile": "all: tiny.c\n\ntiny.c: tiny.l\n\tflex -o tiny.c tiny.l\n", "tiny.l": "%%\n"}, script="emmake make\n"),
    "exec-format": Failing(members={"Makefile": "all: gen\n\t./gen > out.h\n\ngen: gen.c\n\t$(CC) gen.c -o gen\n", "gen.c": "int main(void) { return 0; }\n"}, script="emmake make\n"),
    "static-stub": Failing(members={"x": ""}, script="cmake -S nothere -B build\n"),
    "script-cd": Failing(members={"x": ""}, script="cd source-that-is-not-there\nmake\n"),
    "patch-in-script": Failing(members={"x": "a\n"}, script="printf -- '--- a/x\\n+++ b/x\\n@@ -1 +1 @@\\n-b\\n+c\\n' | patch -p1\n"),
    "read-only": Failing(members={"x": ""}, script="install -D x /usr/include/x.h\n"),
    "network": Failing(members={"x": ""}, script="curl -LO https://files.example.org/x.tar.gz || python3 -c 'import urllib.request; urllib.request.urlopen(\"https://files.example.org\")'\n"),
    "network-pip": Failing(members={"x": ""}, script="git clone https://git.example.org/x.git\n"),
    "frozen": linked("int main(void) { return 0; }\n", "-sUSE_SDL=2 -sUSE_BZIP2"),
    "memory": Failing(members={"x": ""}, script="python3 -c 'import os, signal; os.kill(os.getpid(), signal.SIGKILL)'\n"),
    "shared-link": Failing(members={"tiny.c": "int tiny(void) { return 1; }\n", "main.c": "int tiny(void);\nint main(void) { return tiny(); }\n"}, script="emcc -fPIC -sSIDE_MODULE=1 tiny.c -o libtiny.so\nemcc main.c libtiny.so -o main.js\n"),
    "late-requirement": setuptools(requires='"setuptools", "setuptools-scm>=8"'),
    "late-requirement-backend": Failing(
        members={
            "pyproject.toml": '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "own"\nbackend-path = ["."]\n[project]\nname = "tiny"\nversion = "1.0"\n',
            "own.py": "from setuptools.build_meta import *\ndef get_requires_for_build_wheel(config_settings=None):\n    return ['setuptools-scm>=8', 'cython']\n",
        }
    ),
    "oldest-supported-numpy": setuptools(requires='"setuptools", "oldest-supported-numpy"'),
    "module-numpy": setuptools("import numpy"),
    "module-cython": setuptools("from Cython.Build import cythonize"),
    "module-other": setuptools("import pkgconfig"),
    "distutils": setuptools("import distutils_is_gone if False else None" if False else "import sys; sys.modules['distutils'] = None\nimport distutils.msvccompiler"),
    "imp": setuptools("import imp"),
    "pkg-resources": setuptools("import pkg_resources"),
    "pkgutil": setuptools("import ast\nprint(ast.Str)"),
    "python2": setuptools("print 'hello'"),
    "python2-except": setuptools("", lib_py="", ) ,
    "scm": setuptools(requires='"setuptools", "setuptools-scm", "packaging", "vcs-versioning"', lock="kiwisolver"),
    "rust": setuptools("import subprocess\nsubprocess.check_call(['cargo', '--version'])"),
    "swig": setuptools(arguments=', swig_opts=["-c++"]', tiny_i="%module tiny\n").__class__(
        members={
            "pyproject.toml": '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n[project]\nname = "tiny"\nversion = "1.0"\n',
            "setup.py": 'from setuptools import Extension, setup\nsetup(ext_modules=[Extension("_tiny", ["tiny.i"])])\n',
            "tiny.i": "%module tiny\n",
        }
    ),
    "no-project": Failing(members={"README": "nothing\n", "tiny.c": "int x;\n"}),
    "foreign-tag": Failing(
        members={
            "pyproject.toml": PLAIN,
            "setup.py": (
                "from setuptools import Extension, setup\nfrom setuptools.command.bdist_wheel import bdist_wheel\n"
                "class Own(bdist_wheel):\n    def get_tag(self):\n        return 'py3', 'none', 'manylinux_2_28_x86_64'\n"
                "setup(ext_modules=[Extension('tiny', ['tiny.c'])], cmdclass={'bdist_wheel': Own})\n"
            ),
            "tiny.c": MODULE,
        }
    ),
    "disk": Failing(members={"x": "x"}, script="cp x /dev/full\n"),
    "config-sub": configured("AC_INIT([tiny], [1])\nAC_CONFIG_AUX_DIR([.])\nAC_CANONICAL_HOST\nAC_OUTPUT\n"),
    "threads-in-build": setuptools("import os\nos.fork\nos.posix_fadvise_none"),
    "sys-header": compiled("#include <linux/if_packet.h>\n#include <sys/epoll.h>\n"),
    "git-describe": setuptools("import subprocess\nsubprocess.check_output(['git', 'describe', '--tags'])"),
    "autoreconf": Failing(
        members={"configure.ac": "AC_INIT([tiny], [1])\nAM_INIT_AUTOMAKE\nAC_PROG_LIBTOOL_NO\nLT_SYS_SYMBOL_USCORE\nAC_OUTPUT\n"},
        script="autoreconf -fi\nemconfigure ./configure\n",
    ),
    "make-rule": Failing(members={"Makefile": "all: libfoo.a\n\nlibfoo.a: foo.o bar.o\n\temar rcs $@ $^\n"}, script="emmake make\n"),
    "make-many": Failing(
        members={
            "Makefile": "all: a.o b.o c.o\n%.o: %.c\n\t$(CC) -c $< -o $@\n",
            "a.c": "int a;\n", "b.c": "#include <zlib.h>\nint b;\n", "c.c": "int c;\n",
        },
        script="emmake make -k -j2\n",
    ),
    "cmake-many": cmake(
        "add_library(tiny tiny.c link.c)\nadd_executable(run run.c)\ntarget_link_libraries(run tiny)\ninstall(TARGETS tiny)\n",
        link_c="int sb(void);\nint link(void) { return sb(); }\n",
        run_c="int link(void);\nint main(void) { return link(); }\n",
    ),
    "failing-tests": Failing(
        members={"pyproject.toml": PLAIN.replace("tiny", "failing-tests"), "setup.py": "from setuptools import Extension, setup\nsetup(ext_modules=[Extension('failing_tests', ['tiny.c'])])\n", "tiny.c": TESTED.replace("tiny", "failing_tests")},
        tests=(
            "import pytest\nimport failing_tests as tiny\n\n"
            "def test_thread():\n    import threading\n    threading.Thread(target=print).start()\n\n"
            "def test_process():\n    import subprocess, sys\n    subprocess.run([sys.executable, '-V'], check=True)\n\n"
            "def test_fork():\n    import os\n    os.fork()\n\n"
            "def test_socket():\n    import socket\n    socket.create_connection(('example.org', 80), timeout=3)\n\n"
            "def test_import():\n    import toolz\n\n"
            "def test_symbol():\n    import ctypes\n    ctypes.CDLL(tiny.__file__).hidden()\n\n"
            "def test_memory():\n    bytearray(1 << 40)\n\n"
            "def test_killed():\n    tiny.trap()\n\n"
            "def test_signature():\n    tiny.mismatch()\n\n"
            "def test_deep():\n    def deep(): return deep()\n    deep()\n"
        ),
    ),
    "setup-exits": setuptools("import sys\nsys.exit('tiny needs libfoo: install it first')"),
    "setup-asserts": setuptools("def find_library():\n    raise RuntimeError('cannot find the snappy library; set SNAPPY_DIR')\nfind_library()"),
    "setup-platform": setuptools("import platform\nraise NotImplementedError('unsupported platform: emscripten')"),
    "setup-pkg-config": setuptools("import subprocess\nsubprocess.check_output(['pkg-config', '--cflags', 'libzstd'])"),
    "setup-missing-file": setuptools("open('VERSION.txt').read()"),
    "struct-member": setuptools(source="#include <Python.h>\nint f(PyThreadState *t) { return t->curexc_type != NULL; }\nint g(PyFrameObject *f) { return f->f_lasti; }\nPyMODINIT_FUNC PyInit_tiny(void) { return NULL; }\n"),
    "private-api": setuptools(source="#include <Python.h>\nPyMODINIT_FUNC PyInit_tiny(void) { return _PyUnicode_Ready2(PyUnicode_GET_SIZE(0)); }\n"),
    "cython-old": setuptools(
        "from Cython.Build import cythonize", requires='"setuptools", "cython"', lock="lxml",
    ).__class__(
        members={
            "pyproject.toml": '[build-system]\nrequires = ["setuptools", "cython"]\nbuild-backend = "setuptools.build_meta"\n[project]\nname = "tiny"\nversion = "1.0"\n',
            "setup.py": 'from setuptools import Extension, setup\nfrom Cython.Build import cythonize\nsetup(ext_modules=cythonize([Extension("tiny", ["tiny.pyx"])]))\n',
            "tiny.pyx": "cdef long f(long x):\n    return basestring(x)\nprint 'hello'\n",
        },
        lock="lxml",
    ),
    "cython-type": Failing(
        members={
            "pyproject.toml": '[build-system]\nrequires = ["setuptools", "cython"]\nbuild-backend = "setuptools.build_meta"\n[project]\nname = "tiny"\nversion = "1.0"\n',
            "setup.py": 'from setuptools import Extension, setup\nfrom Cython.Build import cythonize\nsetup(ext_modules=cythonize([Extension("tiny", ["tiny.pyx"])]))\n',
            "tiny.pyx": "cimport numpy as np\ndef f(long x):\n    return np.sum(x)\n",
        },
        lock="lxml",
    ),
    "maturin": Failing(
        members={"pyproject.toml": '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "maturin"\n[project]\nname = "tiny"\nversion = "1.0"\n'}
    ),
    "flit-missing": Failing(
        members={"pyproject.toml": '[build-system]\nrequires = ["maturin>=1.5,<2"]\nbuild-backend = "maturin"\n[project]\nname = "tiny"\nversion = "1.0"\n'}
    ),
}


def make_project(root: Path, address: str, served: Path, names: list[str]) -> Path:
    """Write a project with the recipes ``names`` below ``root`` and return its folder."""
    cache, project = root / "cache", root / "project"
    for folder in (cache, project / "recipes", project / "patches"):
        folder.mkdir(parents=True, exist_ok=True)
    own = Path(os.environ.get("EMWHEELS_CACHE") or platformdirs.user_cache_dir("emwheels"))
    for name in SHARED:
        if not (cache / name).exists():
            (cache / name).symlink_to(own / name)
    shutil.copyfile(CHECKOUT / "targets.toml", project / "targets.toml")
    for name in names:
        failing = FAILING[name]
        data = tar_gz({f"{name}-1.0/{path}": content for path, content in failing.members.items()})
        (served / f"{name}-1.0.tar.gz").write_bytes(data)
        folder = project / "recipes" / name
        folder.mkdir(exist_ok=True)
        (folder / "meta.yaml").write_text(
            f'package:\n  name: {name}\n  version: "1.0"\nsource:\n  url: {address}/{name}-1.0.tar.gz\n'
            f"  sha256: {hashlib.sha256(data).hexdigest()}\n{failing.meta_yaml()}"
        )
        if failing.tests:
            (folder / f"test_{name.replace('-', '_')}.py").write_text(failing.tests)
        if not failing.script:
            shutil.copyfile(CHECKOUT / "recipes" / failing.lock / "requirements.build.txt", folder / "requirements.build.txt")
    return project


def main(root: Path, names: list[str]) -> int:
    """Build them and return how many did build."""
    served = root / "served"
    served.mkdir(parents=True, exist_ok=True)
    names = names or [*FAILING]
    with serving_folder(served) as address:
        project = make_project(root, address, served, names)
        env = {**os.environ, "EMWHEELS_CACHE": str(root / "cache"), "no_proxy": "127.0.0.1", "NO_PROXY": "127.0.0.1"}
        command = [sys.executable, "-m", "emwheels", "--project", str(project), "build", "--engine", "node", "--json", *names]
        return subprocess.run(command, env=env, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).resolve(), sys.argv[2:]))
