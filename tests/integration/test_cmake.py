"""CMake packages build untouched: headers, policies, checks that tell the truth, and downloads that are listed."""

from __future__ import annotations

from textwrap import dedent

import pytest
from packed import tar_gz

pytestmark = [pytest.mark.image, pytest.mark.network, pytest.mark.timeout(1200)]

LIBRARY = """
    build:
      type: static_library
      script: |
        emcmake cmake -G Ninja -S . -B out -DCMAKE_INSTALL_PREFIX="${WASM_LIBRARY_DIR}"
        cmake --build out --target install
"""
MODULE = """
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#ifdef WITH_LIMITED
#else
#if SIZEOF_VOID_P != 4
#error "the headers of another Python"
#endif
#endif
static PyObject *seven(PyObject *self, PyObject *unused) { return PyLong_FromLong(ANSWER); }
static PyMethodDef methods[] = {{"seven", seven, METH_NOARGS, ""}, {NULL, NULL, 0, NULL}};
static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "NAME", NULL, -1, methods, NULL, NULL, NULL, NULL};
PyMODINIT_FUNC PyInit_NAME(void) { return PyModule_Create(&definition); }
"""
TEST = """
    import NAME

    def test_it():
        assert NAME.seven() == 7
        assert NAME.__file__.endswith(SUFFIX)
"""
OWN = ".cpython-314-wasm32-emscripten.so"


def module(name):
    return MODULE.replace("NAME", name).replace("ANSWER", "7")


def pyproject(name, backend, *requires):
    needs = ", ".join(f'"{each}"' for each in requires)
    system = f'[build-system]\nrequires = [{needs}]\nbuild-backend = "{backend}"\n'
    return f'{system}[project]\nname = "{name}"\nversion = "1.0"\n'


def core(name, lines, *requires, minimum="3.20", languages="C"):
    """Return a package of scikit-build-core."""
    head = f"cmake_minimum_required(VERSION {minimum})\nproject({name} LANGUAGES {languages})\n"
    return {
        "pyproject.toml": pyproject(name, "scikit_build_core.build", "scikit-build-core", *requires),
        "CMakeLists.txt": head + dedent(lines),
        f"{name}.c": module(name),
    }


BIND = """
    m.def("seven", [] { return 7; });
"""
SETUP = """
    import subprocess, sys
    from pathlib import Path
    from setuptools import Extension, setup
    from setuptools.command.build_ext import build_ext

    class Build(build_ext):
        def build_extension(self, ext):
            out = Path(self.get_ext_fullpath(ext.name)).resolve().parent
            subprocess.check_call(["cmake", "-S", ".", "-B", "out", f"-DCMAKE_LIBRARY_OUTPUT_DIRECTORY={out}",
                                   f"-DPYTHON_EXECUTABLE={sys.executable}"])
            subprocess.check_call(["cmake", "--build", "out"])

    setup(ext_modules=[Extension("classic", [])], cmdclass={"build_ext": Build})
"""
PACKAGES = {
    # FindPython with all of Development, whose Embed asks for a library.
    "plain": core(
        "plain",
        """
        find_package(Python COMPONENTS Interpreter Development REQUIRED)
        python_add_library(plain MODULE plain.c WITH_SOABI)
        # The audit refuses both.
        set_target_properties(plain PROPERTIES BUILD_RPATH /mnt/work/here INSTALL_RPATH /mnt/work/there)
        install(TARGETS plain DESTINATION .)
        """,
    ),
    # FindPython3 with the policy that starts the interpreter by the emulator, and the stable ABI.
    "three": core(
        "three",
        """
        find_package(Python3 COMPONENTS Interpreter Development.Module Development.SABIModule REQUIRED)
        Python3_add_library(three MODULE USE_SABI 3.12 WITH_SOABI three.c)
        target_compile_definitions(three PRIVATE WITH_LIMITED)
        install(TARGETS three DESTINATION .)
        """,
        minimum="3.20...4.2",
    ),
    "innano": core(
        "innano",
        """
        find_package(Python 3.9 COMPONENTS Interpreter Development.Module REQUIRED)
        find_package(nanobind CONFIG REQUIRED)
        nanobind_add_module(innano innano.cpp)
        install(TARGETS innano LIBRARY DESTINATION .)
        """,
        "nanobind",
        languages="CXX",
    )
    | {"innano.cpp": f"#include <nanobind/nanobind.h>\nNB_MODULE(innano, m) {{{BIND}}}\n"},
    "newpy": core(
        "newpy",
        """
        set(PYBIND11_FINDPYTHON ON)
        find_package(pybind11 CONFIG REQUIRED)
        pybind11_add_module(newpy newpy.cpp)
        install(TARGETS newpy LIBRARY DESTINATION .)
        """,
        "pybind11",
        languages="CXX",
    )
    | {"newpy.cpp": f"#include <pybind11/pybind11.h>\nPYBIND11_MODULE(newpy, m) {{{BIND}}}\n"},
    # pybind11's own way to find Python, in a project for CMake 2.8, started by setup.py.
    "classic": {
        "pyproject.toml": pyproject("classic", "setuptools.build_meta", "setuptools", "pybind11<3"),
        "setup.py": dedent(SETUP),
        "CMakeLists.txt": dedent("""
            cmake_minimum_required(VERSION 2.8)
            project(classic)
            execute_process(COMMAND ${PYTHON_EXECUTABLE} -m pybind11 --cmakedir
              OUTPUT_VARIABLE folder OUTPUT_STRIP_TRAILING_WHITESPACE)
            include_directories(${PYTHON_INCLUDE_DIR})
            find_package(pybind11 REQUIRED PATHS ${folder} NO_DEFAULT_PATH)
            pybind11_add_module(classic classic.cpp)
        """),
        "classic.cpp": f"#include <pybind11/pybind11.h>\nPYBIND11_MODULE(classic, m) {{{BIND}}}\n",
    },
    # FindPythonInterp and FindPythonLibs, by the older scikit-build and the CMake that it brings.
    "oldest": {
        "pyproject.toml": '[build-system]\nrequires = ["setuptools", "scikit-build", "cmake<4", "ninja"]\n'
        'build-backend = "setuptools.build_meta"\n',
        "setup.py": 'from skbuild import setup\nsetup(name="oldest", version="1.0", packages=["oldest"])\n',
        "oldest/__init__.py": "",
        "CMakeLists.txt": dedent("""
            cmake_minimum_required(VERSION 2.8)
            project(oldest C)
            find_package(PythonInterp REQUIRED)
            find_package(PythonLibs REQUIRED)
            find_package(PythonExtensions REQUIRED)
            add_library(inner MODULE inner.c)
            python_extension_module(inner)
            install(TARGETS inner LIBRARY DESTINATION oldest)
        """),
        "inner.c": module("inner"),
    },
}
SUFFIXES = {"three": ".abi3.so", "plain": "plain.so"}
"""FindPython tells no suffix where it does not start the interpreter by the emulator (policy CMP0190)."""


@pytest.fixture(scope="module")
def built(make_tiny_project, tmp_path_factory):
    """Lock, build and test all of them in one run; what came of each, by name."""
    project = make_tiny_project(tmp_path_factory.mktemp("cmake"))
    for name, members in PACKAGES.items():
        test = TEST.replace("NAME", name).replace("SUFFIX", repr(SUFFIXES.get(name, OWN)))
        test = test.replace("import oldest", "from oldest import inner as oldest")
        project.recipe(name, members, tests={f"test_{name}.py": test}, locked=False)
    locked = project.run("lock", *PACKAGES, seconds=600)
    assert locked.status == 0, locked.err
    done = project.run("build", *PACKAGES, "--engine", "node", "--json", seconds=1100)
    assert done.out, done.err
    return done.json()


@pytest.mark.parametrize("name", PACKAGES)
def test_a_module_finds_the_headers_of_its_python(built, name):
    outcome = built[name]
    assert (outcome["state"], outcome["error"]) == ("built", None)
    assert outcome["engines"] == {"node": "1 passed"}


NUMPY = "2.3.5"
"""A version with a wheel for the Python that builds: its headers are replaced by those of the recipe."""
HEADER = """
#include <Python.h>
#define HEADER_OF_THE_RECIPE 7
"""
SETUP_OF_NUMPY = """
    from setuptools import setup
    setup(packages=["numpy", "numpy._core"], package_data={"numpy._core": ["include/numpy/*.h"]})
"""


def test_the_headers_of_numpy_are_those_of_its_recipe(tiny_project):
    numpy = {
        "pyproject.toml": pyproject("numpy", "setuptools.build_meta", "setuptools").replace('"1.0"', f'"{NUMPY}"'),
        "setup.py": dedent(SETUP_OF_NUMPY),
        "numpy/__init__.py": "",
        "numpy/_core/__init__.py": "",
        "numpy/_core/include/numpy/arrayobject.h": HEADER,
        "numpy/_core/include/numpy/numpyconfig.h": "",
    }
    cross = "build:\n  cross-build-env: true\n  cross-build-files: [numpy/_core/include/numpy/arrayobject.h]\n"
    tiny_project.recipe("numpy", numpy, cross, version=NUMPY)
    lists = """
        cmake_minimum_required(VERSION 3.20)
        project(classic LANGUAGES C)
        find_package(FIND COMPONENTS Interpreter Development.Module NumPy REQUIRED)
        FIND_add_library(classic MODULE classic.c)
        target_link_libraries(classic PRIVATE FIND::NumPy)
    """
    code = "#include <numpy/arrayobject.h>\n" + module("classic").replace("(7)", "(HEADER_OF_THE_RECIPE)")
    members = {
        "pyproject.toml": pyproject("classic", "setuptools.build_meta", "setuptools", "numpy"),
        "setup.py": dedent(SETUP),
        "CMakeLists.txt": dedent(lists).replace("FIND", "Python3"),
        "classic.c": code,
    }
    test = TEST.replace("NAME", "classic").replace("SUFFIX", repr(".so"))
    meta = "requirements:\n  host: [numpy]\n"
    tiny_project.recipe("classic", members, meta, tests={"test_classic.py": test}, locked=False)
    locked = tiny_project.run("lock", "classic", seconds=600)
    assert locked.status == 0, locked.err
    done = tiny_project.run("build", "classic", "--engine", "node", "--json", seconds=600)
    assert done.out, done.err
    assert done.json()["classic"]["engines"] == {"node": "1 passed"}, done.err


CHECKS = """
    cmake_minimum_required(VERSION 2.8.12)
    project(checks C)
    include(CheckFunctionExists)
    include(CheckSymbolExists)
    include(CheckIncludeFile)
    include(CheckLibraryExists)
    include(CheckCSourceCompiles)
    include(CheckCSourceRuns)
    include(CheckTypeSize)

    function(yes)
      foreach(name IN LISTS ARGN)
        if(NOT ${name})
          message(SEND_ERROR "${name} should be there")
        endif()
      endforeach()
    endfunction()
    function(no)
      foreach(name IN LISTS ARGN)
        if(${name})
          message(SEND_ERROR "${name} should not be there")
        endif()
      endforeach()
    endfunction()

    check_function_exists(malloc HAS_MALLOC)
    check_symbol_exists(qsort "stdlib.h" HAS_QSORT)
    check_symbol_exists(pow "math.h" HAS_POW)
    check_include_file(unistd.h HAS_UNISTD)
    check_library_exists(m sin "" HAS_LIBM)
    check_c_source_compiles("#include <stdio.h>\\nint main(void) { printf(\\"x\\"); return 0; }" HAS_PRINTF)
    find_library(MATH_LIBRARY m)
    yes(HAS_MALLOC HAS_QSORT HAS_POW HAS_UNISTD HAS_LIBM HAS_PRINTF MATH_LIBRARY)

    # What no C library has, what headers do not declare, and what Pyodide's has not kept.
    check_function_exists(no_such_function HAS_NO_SUCH)
    check_symbol_exists(_filelengthi64 "stdio.h" HAS_FILELENGTH)
    check_include_file(windows.h HAS_WINDOWS)
    check_library_exists(nosuch sin "" HAS_LIBNOSUCH)
    check_symbol_exists(LACKING "HEADER" HAS_LACKING)
    check_function_exists(LACKING HAS_FUNCTION_LACKING)
    no(HAS_NO_SUCH HAS_FILELENGTH HAS_WINDOWS HAS_LIBNOSUCH HAS_LACKING HAS_FUNCTION_LACKING)

    # Node runs what is to be run.
    check_c_source_runs("int main(void) { return sizeof(void *) != 4; }" RUNS)
    check_c_source_runs("int main(void) { return 3; }" RUNS_AND_FAILS)
    check_type_size(long SIZE_OF_LONG)
    yes(RUNS)
    no(RUNS_AND_FAILS)
    if(NOT SIZE_OF_LONG EQUAL 4)
      message(SEND_ERROR "long has ${SIZE_OF_LONG} bytes")
    endif()

    # What can live without threads is configured, and links no flag.
    set(THREADS_PREFER_PTHREAD_FLAG ON)
    find_package(Threads REQUIRED)
    get_target_property(flags Threads::Threads INTERFACE_COMPILE_OPTIONS)
    no(flags CMAKE_THREAD_LIBS_INIT)
    find_package(OpenMP)
    no(OpenMP_FOUND OpenMP_C_FOUND OPENMP_FOUND)

    add_library(checks STATIC checks.c)
    target_link_libraries(checks Threads::Threads ${MATH_LIBRARY})
    install(TARGETS checks DESTINATION lib)
"""


def test_checks_tell_the_truth(tiny_project):
    text = dedent(CHECKS).replace("LACKING", "uuid_generate").replace("HEADER", "uuid/uuid.h")
    tiny_project.recipe("checks", {"CMakeLists.txt": text, "checks.c": "int checks(void) { return 1; }\n"}, LIBRARY)
    done = tiny_project.run("build", "checks")
    assert done.status == 0, done.err


SIDE = """
    build:
      type: static_library
      script: |
        emcc ${SIDE_MODULE_CFLAGS} -c side.c -o side.o
        mkdir -p "${WASM_LIBRARY_DIR}/lib" "${WASM_LIBRARY_DIR}/include"
        emcc ${SIDE_MODULE_LDFLAGS} side.o -o "${WASM_LIBRARY_DIR}/lib/libside.so"
        cp side.h "${WASM_LIBRARY_DIR}/include"
"""
ASKS = """
    cmake_minimum_required(VERSION 3.10)
    project(asks C)
    include(CheckLibraryExists)
    include(CheckSymbolExists)
    find_library(SIDE side REQUIRED)
    if(NOT SIDE MATCHES "libside[.]so$")
      message(SEND_ERROR "found ${SIDE}")
    endif()
    check_library_exists(${SIDE} side_open "" HAS_OPEN)
    check_library_exists(${SIDE} side_close "" HAS_CLOSE)
    set(CMAKE_REQUIRED_LIBRARIES ${SIDE})
    set(CMAKE_REQUIRED_INCLUDES $ENV{WASM_LIBRARY_DIR}/include)
    check_symbol_exists(side_open "side.h" HAS_SYMBOL)
    check_symbol_exists(side_table "side.h" HAS_DATA)
    check_symbol_exists(side_gone "side.h" HAS_GONE)
    if(NOT HAS_OPEN OR NOT HAS_SYMBOL OR NOT HAS_DATA)
      message(SEND_ERROR "what the library has is not found")
    endif()
    if(HAS_CLOSE OR HAS_GONE)
      message(SEND_ERROR "what the library does not have is found")
    endif()
    add_library(asks STATIC asks.c)
    install(TARGETS asks DESTINATION lib)
"""


def test_checks_with_a_library_that_is_a_side_module(tiny_project):
    side = {
        "side.c": '#include "side.h"\nint side_table[4];\nint side_open(int number) { return number; }\n',
        "side.h": "extern int side_table[4];\nint side_open(int number);\nint side_gone(int number);\n",
    }
    tiny_project.recipe("side", side, SIDE)
    host = LIBRARY + "    requirements:\n      host: [side]\n"
    asks = {"CMakeLists.txt": dedent(ASKS), "asks.c": "int asks(void) { return 1; }\n"}
    tiny_project.recipe("asks", asks, host)
    done = tiny_project.run("build", "asks")
    assert done.status == 0, done.err


OPENMP = """
    cmake_minimum_required(VERSION 3.10)
    project(tiny C)
    find_package(OpenMP REQUIRED)
"""


def test_openmp_that_is_required_is_said_to_be_absent(tiny_project):
    tiny_project.recipe("tiny", {"CMakeLists.txt": dedent(OPENMP)}, LIBRARY)
    tiny_project.refused(6, "OpenMP", "which Pyodide does not have, as it has no threads")


PARTS = """
    cmake_minimum_required(VERSION 3.20)
    project(parts LANGUAGES C)
    include(FetchContent)
    include(ExternalProject)
    FetchContent_Declare(One GIT_REPOSITORY https://git.example.org/one.git GIT_TAG V1)
    FetchContent_MakeAvailable(One)

    include(cmake/get_cpm.cmake)
    CPMAddPackage(NAME two GITHUB_REPOSITORY example/two GIT_TAG v2)

    ExternalProject_Add(three
      URL https://example.org/three.tar.gz
      URL_HASH SHA256=0000000000000000000000000000000000000000000000000000000000000000
      CMAKE_ARGS -DCMAKE_INSTALL_PREFIX=<INSTALL_DIR> "-DWORDS=with blanks"
      BUILD_BYPRODUCTS <INSTALL_DIR>/lib/libthree.a)
    ExternalProject_Get_Property(three INSTALL_DIR)

    find_package(Python COMPONENTS Interpreter Development.Module REQUIRED)
    python_add_library(parts MODULE parts.c WITH_SOABI)
    add_dependencies(parts three)
    target_link_libraries(parts PRIVATE one two ${INSTALL_DIR}/lib/libthree.a)
    target_include_directories(parts PRIVATE $ENV{EMWHEELS_DOWNLOADS}/header)
    install(TARGETS parts DESTINATION .)
"""
CPM = """
set(CURRENT_CPM_VERSION 0.40.2)
function(CPMAddPackage)
  cmake_parse_arguments(CPM_ARGS "" NAME "" ${ARGN})
  if(NOT CPM_${CPM_ARGS_NAME}_SOURCE)
    message(FATAL_ERROR "would download ${CPM_ARGS_NAME}")
  endif()
  add_subdirectory("${CPM_${CPM_ARGS_NAME}_SOURCE}" "${CMAKE_BINARY_DIR}/_deps/${CPM_ARGS_NAME}-build")
endfunction()
"""
GET_CPM = """
set(CPM_DOWNLOAD_VERSION 0.40.2)
set(CPM_DOWNLOAD_LOCATION "${CMAKE_BINARY_DIR}/cmake/CPM_${CPM_DOWNLOAD_VERSION}.cmake")
if(NOT EXISTS "${CPM_DOWNLOAD_LOCATION}")
  message(FATAL_ERROR "would download CPM")
endif()
include("${CPM_DOWNLOAD_LOCATION}")
"""


def part(name, number):
    lists = f"cmake_minimum_required(VERSION 3.5)\nproject({name} C)\nadd_library({name} STATIC {name}.c)\n"
    lists += f"set_property(TARGET {name} PROPERTY POSITION_INDEPENDENT_CODE ON)\n"
    lists += f"install(TARGETS {name} DESTINATION lib)\n"
    return tar_gz(
        {f"{name}-v1/CMakeLists.txt": lists, f"{name}-v1/{name}.c": f"int {name}(void) {{ return {number}; }}\n"}
    )


def test_what_a_recipe_lists_is_not_downloaded(tiny_project):
    files = {f"{name}.tar.gz": (name, part(name, number)) for name, number in (("one", 1), ("two", 2), ("three", 3))}
    files |= {"CPM.cmake": ("CPM", CPM.encode()), "four.h": ("header", b"#define FOUR 1\n")}
    meta = "extra:\n  emwheels:\n    downloads:\n"
    for filename, (name, data) in files.items():
        url, sha256 = tiny_project.serve(filename, data)
        meta += f"      - {{name: {name}, url: '{url}', sha256: {sha256}"
        meta += "}\n" if filename.endswith(".gz") else ", unpack: false}\n"
    code = '#include "four.h"\nint one(void); int two(void); int three(void);\n' + MODULE.replace("NAME", "parts")
    members = {
        "pyproject.toml": pyproject("parts", "scikit_build_core.build", "scikit-build-core"),
        "CMakeLists.txt": dedent(PARTS),
        "cmake/get_cpm.cmake": GET_CPM,
        "parts.c": code.replace("ANSWER", "one() + two() + three() + FOUR"),
    }
    test = TEST.replace("NAME", "parts").replace("SUFFIX", repr("parts.so"))
    tiny_project.recipe("parts", members, meta, tests={"test_parts.py": test}, locked=False)
    assert tiny_project.run("lock", "parts").status == 0
    done = tiny_project.run("build", "parts", "--engine", "node", "--json", seconds=600)
    assert done.out, done.err
    assert done.json()["parts"]["engines"] == {"node": "1 passed"}, done.err
