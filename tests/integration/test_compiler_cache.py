"""The compiler cache in the sandbox: it hits, it changes no byte, and it is said when it hits nothing."""

from __future__ import annotations

import shutil
import tarfile

import pytest

pytestmark = [pytest.mark.image, pytest.mark.timeout(400)]

CODE = "static PyObject *same(PyObject *self, PyObject *value) { return Py_NewRef(value); }"


def test_objects_come_from_the_cache(tiny_project, extension, module):
    # The folder of the build requirements is on the command line, as it is for pybind11 or Cython packages.
    tiny_project.recipe(
        "tiny",
        extension("tiny", module("tiny", CODE, "same"))
        | {
            "setup.py": (
                "import sys\nfrom setuptools import Extension, setup\n"
                'setup(ext_modules=[Extension("tiny", ["tiny.c"], include_dirs=[sys.prefix])])\n'
            )
        },
    )

    def build(*extra):
        done = tiny_project.json("build", "tiny", "--no-test", *extra)
        return done.json()["tiny"], done.err

    first, said = build()
    assert first["ccache"] == {"hits": 0, "misses": 1, "linked": 0, "links": 1}
    assert "ccache" not in said, "the first build cannot hit anything"

    again, _ = build("--force")
    assert again["ccache"] == {"hits": 1, "misses": 0, "linked": 1, "links": 1}
    without, _ = build("--force", "--no-ccache")
    assert without["ccache"] is None
    assert first["output"]["sha256"] == again["output"]["sha256"] == without["output"]["sha256"]

    shutil.rmtree(tiny_project.cache / "ccache")
    build("--force", "--no-ccache")
    lost, said = build("--force")
    assert lost["ccache"] == {"hits": 0, "misses": 1, "linked": 0, "links": 1}
    assert "warning: no hit in the compiler cache for 1 objects" not in said, "the last build used no cache"
    shutil.rmtree(tiny_project.cache / "ccache")
    _, said = build("--force")
    assert "warning: no hit in the compiler cache for 1 objects" in said
    printed = tiny_project.run("build", "tiny", "--no-test", "--force").out
    assert "ccache: 1 of 1 (100.0 %), 1 of 1 links" in printed


CMAKE = """
cmake_minimum_required(VERSION 3.20)
project(checks C)
include(CheckFunctionExists)
include(CheckSymbolExists)
include(CheckTypeSize)
check_function_exists(cos HAVE_COS)
check_function_exists(nowhere HAVE_NOWHERE)
check_symbol_exists(qsort "stdlib.h" HAVE_QSORT)
check_type_size("long double" SIZEOF_LONG_DOUBLE)
configure_file(found.h.in found.h)
add_library(checks STATIC checks.c)
install(TARGETS checks)
install(FILES ${CMAKE_BINARY_DIR}/found.h DESTINATION include)
"""
FOUND = "#cmakedefine HAVE_COS\n#cmakedefine HAVE_NOWHERE\n#cmakedefine HAVE_QSORT\n${SIZEOF_LONG_DOUBLE}\n"


def test_the_checks_of_cmake_and_of_configure_scripts_link_nothing_again(tiny_project):
    meta = """
        build:
          type: static_library
          script: |
            emcmake cmake -S . -B made -DCMAKE_BUILD_TYPE=None -DCMAKE_INSTALL_PREFIX="${WASM_LIBRARY_DIR}"
            cmake --build made --target install
            echo 'int nowhere(void); int main(void) { return nowhere(); }' > absent.c
            echo 'int main(void) { return 0; }' > there.c
            if emcc absent.c -o absent.js; then exit 1; fi
            emcc there.c -o there.js
            node there.js
        requirements:
          executable:
            - cmake
    """
    files = {"CMakeLists.txt": CMAKE, "found.h.in": FOUND, "checks.c": "int checks(void) { return 1; }\n"}
    tiny_project.recipe("checks", files, meta, locked=False)
    first = tiny_project.json("build", "checks").json()["checks"]
    again = tiny_project.json("build", "checks", "--force").json()["checks"]
    without = tiny_project.json("build", "checks", "--force", "--no-ccache").json()["checks"]
    assert first["output"]["sha256"] == again["output"]["sha256"] == without["output"]["sha256"]
    assert first["ccache"]["linked"] < first["ccache"]["links"] - 3
    assert again["ccache"]["linked"] == again["ccache"]["links"] == first["ccache"]["links"] >= 5
    with tarfile.open(next((tiny_project.cache / "store").rglob(f"*{first['output']['sha256']}"))) as archive:
        found = archive.extractfile("include/found.h").read().decode()
    assert found == "#define HAVE_COS\n/* #undef HAVE_NOWHERE */\n#define HAVE_QSORT\n16\n"
