"""Packages of a few lines through the whole path: compiled, audited, published, tested, and not built twice."""

from __future__ import annotations

import json
import tarfile

import brotli
import pytest
from tiny_library import LIBRARY_META, USER_C, USER_META

from emwheels.harness.engines import ENGINES

pytestmark = [pytest.mark.image, pytest.mark.timeout(400)]

TINY_C = r"""
#include <setjmp.h>
static jmp_buf back;
static void leave(int value) { longjmp(back, value); }
static PyObject *add(PyObject *self, PyObject *value) {
    long number = PyLong_AsLong(value);
    if (number == -1 && PyErr_Occurred()) return NULL;
    return PyLong_FromLong(number + 40);
}
static PyObject *jump(PyObject *self, PyObject *value) {
    volatile int before = (int)PyLong_AsLong(value);
    int arrived = setjmp(back);
    if (arrived == 0) leave(before + 1);
    return PyLong_FromLong(arrived * 1000 + before);
}
"""
TINY_TEST = """
    import sys
    import pytest
    import tiny

    def test_add(): assert tiny.add(2) == 42
    def test_jump(): assert tiny.jump(7) == 8007
    def test_error():
        with pytest.raises(TypeError):
            tiny.add("x")
    def test_platform(): assert sys.platform == "emscripten" and tiny.__file__.endswith(".so")
"""
THROWING = r"""
#include <stdexcept>
#include <string>
#include <vector>
struct Guard { int *count; ~Guard() { ++*count; } };
static int deep(int depth, int *count) {
    Guard guard{count};
    if (depth == 0) throw std::runtime_error("thrown at the bottom");
    return deep(depth - 1, count) + 1;
}
static PyObject *unwind(PyObject *self, PyObject *value) {
    int count = 0;
    std::string said;
    try { deep((int)PyLong_AsLong(value), &count); }
    catch (const std::exception &error) { said = error.what(); }
    return Py_BuildValue("is", count, said.c_str());
}
static PyObject *range(PyObject *self, PyObject *value) {
    try { return PyLong_FromLong(std::vector<int>(3, 5).at((size_t)PyLong_AsLong(value))); }
    catch (const std::out_of_range &) { PyErr_SetString(PyExc_IndexError, "out of range"); return nullptr; }
}
"""
THROWING_TEST = """
    import pytest
    import throwing

    def test_unwind(): assert throwing.unwind(9) == (10, "thrown at the bottom")
    def test_range():
        assert throwing.range(1) == 5
        with pytest.raises(IndexError, match="out of range"):
            throwing.range(3)
"""
SEEN_BY_ALL = """
template <class T> __attribute__((noinline)) T answer(T x) { return x + 40; }
template long answer(long);
"""
HIDDEN = """
#pragma GCC visibility push(hidden)
template <class T> __attribute__((noinline)) T answer(T x) { return x + 40; }
#pragma GCC visibility pop
static double another(void) { return 1; }
static double (*volatile first)(void);
static long (*volatile pointer)(long);
static PyObject *call(PyObject *self, PyObject *value) {
    first = another;
    pointer = answer<long>;
    return PyLong_FromLong(pointer(PyLong_AsLong(value)));
}
"""
PATCH = """Needed to see that patches are applied.
Not for upstream.

--- a/tiny.c
+++ b/tiny.c
@@ -7,5 +7,5 @@
     long number = PyLong_AsLong(value);
     if (number == -1 && PyErr_Occurred()) return NULL;
-    return PyLong_FromLong(number + 40);
+    return PyLong_FromLong(number + %s);
 }
 static PyObject *jump(PyObject *self, PyObject *value) {
"""


def library(answer):
    return {"library.c": f"int answer(void) {{ return {answer}; }}\n", "library.h": "int answer(void);\n"}


def edit(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_c_extension_in_three_engines(tiny_project, extension, module):
    tiny_project.recipe(
        "tiny", extension("tiny", module("tiny", TINY_C, "add", "jump")), tests={"test_tiny.py": TINY_TEST}
    )
    first = tiny_project.json("build", "tiny").json()["tiny"]
    assert first["state"] == "built"
    assert first["engines"] == dict.fromkeys(ENGINES, "4 passed")
    (wheel,) = tiny_project.published()
    assert wheel == "tiny-1.0-cp314-cp314-pyemscripten_2026_0_wasm32.whl"
    page = (tiny_project.dist / "simple" / "tiny" / "index.html").read_text()
    assert f"{wheel}#sha256={first['output']['sha256']}" in page
    reports = tiny_project.dist / "reports" / "tiny"
    audit = json.loads((reports / "audit-314.0.7.json").read_text())
    assert not [finding for finding in audit["findings"] if finding["severity"] == "error"]
    assert sorted(path.name for path in (reports / "314.0.7").glob("*.xml")) == sorted(f"{e}.xml" for e in ENGINES)

    second = tiny_project.json("build", "tiny", "--offline").json()["tiny"]
    assert (second["state"], second["phases"]) == ("reused", {})
    assert second["engines"] == first["engines"]
    assert second["output"] == first["output"]

    forced = tiny_project.json("build", "tiny", "--force", "--no-test").json()["tiny"]
    assert forced["state"] == "built"
    assert forced["output"]["sha256"] == first["output"]["sha256"], "the same inputs must give the same bytes"


def test_cxx_exceptions(tiny_project, extension, module):
    code = module("throwing", THROWING, "unwind", "range")
    tiny_project.recipe(
        "throwing", extension("throwing", code, suffix="cpp"), tests={"test_throwing.py": THROWING_TEST}
    )
    done = tiny_project.json("build", "throwing", "--engine", "node").json()["throwing"]
    assert done["engines"] == {"node": "2 passed"}


def test_the_address_of_a_function_that_is_hidden_in_one_object_only(tiny_project, extension, module):
    files = extension("seen", module("seen", HIDDEN, "call"), suffix="cpp")
    files |= {"all.cpp": SEEN_BY_ALL, "setup.py": files["setup.py"].replace('["seen.cpp"]', '["all.cpp", "seen.cpp"]')}
    tiny_project.recipe("seen", files, tests={"test_seen.py": "import seen\n\ndef test(): assert seen.call(2) == 42\n"})
    done = tiny_project.json("build", "seen", "--engine", "node").json()["seen"]
    assert done["engines"] == {"node": "1 passed"}


def test_sources_of_a_package_called_scipy_are_compiled_as_they_are(tiny_project, extension, module):
    code = 'static PyObject *text(PyObject *self, PyObject *value) { return PyUnicode_FromString("void(*)"); }'
    test = "import scipy\n\ndef test_text(): assert scipy.text(0) == 'void(*)'\n"
    tiny_project.recipe("scipy", extension("scipy", module("scipy", code, "text")), tests={"test_scipy.py": test})
    done = tiny_project.json("build", "scipy", "--engine", "node").json()["scipy"]
    assert done["engines"] == {"node": "1 passed"}


def test_stored_wheels_come_with_compressed_copies(tiny_project, extension, module):
    """Packing is part of the key: the deflated wheel is built again, stored, and the other way round it is reused."""
    big = extension("tiny", module("tiny", TINY_C, "add", "jump")) | {"tiny_text.py": "TEXT = 'many times'\n" * 5000}
    setup = big["setup.py"].replace("setup(ext", 'setup(py_modules=["tiny_text"], ext')
    tiny_project.recipe("tiny", big | {"setup.py": setup})
    targets = tiny_project.root / "targets.toml"
    plain = targets.read_text()
    assert tiny_project.json("build", "tiny", "--no-test").states() == {"tiny": "built"}
    (name,) = tiny_project.published()
    deflated = (tiny_project.dist / "wheels" / name).read_bytes()
    targets.write_text(plain.replace('emscripten = "5.0.3"\n', 'emscripten = "5.0.3"\nstored = true\n'))
    planned = tiny_project.run("plan", "tiny").out
    assert "members" in planned, planned
    assert tiny_project.json("build", "tiny", "--engine", "node").states() == {"tiny": "built"}
    stored = (tiny_project.dist / "wheels" / name).read_bytes()
    assert len(stored) > 2 * len(deflated)
    copy = (tiny_project.dist / "wheels" / f"{name}.br").read_bytes()
    assert brotli.decompress(copy) == stored
    assert len(copy) < len(deflated)
    targets.write_text(plain)
    assert tiny_project.json("build", "tiny", "--no-test").states() == {"tiny": "reused"}
    assert (tiny_project.dist / "wheels" / name).read_bytes() == deflated
    (row,) = json.loads((tiny_project.dist / "status.json").read_bytes())["wheels"]
    assert (row["size"], bool(row["seconds"]), bool(row["sbom"])) == (len(deflated), True, True)
    assert tiny_project.published() == [name], "a copy of the stored wheel would be sent in its place"


def test_exactly_what_changed_is_built_again(tiny_project, extension, module):
    def states(*extra):
        return tiny_project.json("build", "--all", "--engine", "node", *extra).states()

    tiny = tiny_project.recipe(
        "tiny", extension("tiny", module("tiny", TINY_C, "add", "jump")), tests={"test_tiny.py": TINY_TEST}
    )
    lib = tiny_project.recipe("library", library(41), LIBRARY_META, locked=False)
    user_test = {"test_user.py": "import user\n\ndef test_answer(): assert user.ask(0) == 41\n"}
    user = tiny_project.recipe(
        "user", extension("user", module("user", USER_C, "ask"), libraries=["tiny"]), USER_META, tests=user_test
    )
    assert states() == {"library": "built", "tiny": "built", "user": "built"}

    for folder in (tiny, lib, user):
        meta = folder / "meta.yaml"
        meta.write_text(f"# A comment.\n{meta.read_text()}")
    edit(user / "test_user.py", "def test_answer", "def test_the_answer")
    again = tiny_project.json("build", "--all", "--engine", "node").json()
    assert {name: (row["state"], sorted(row["phases"])) for name, row in again.items()} == {
        "library": ("reused", []),
        "tiny": ("reused", []),
        "user": ("reused", ["test"]),
    }

    tiny_project.patch("tiny", PATCH % 50)
    edit(tiny / "test_tiny.py", "tiny.add(2) == 42", "tiny.add(2) == 52")
    assert states() == {"library": "reused", "tiny": "built", "user": "reused"}

    meta = user / "meta.yaml"
    edit(meta, "/include\n", "/include -DUNUSED=1\n")
    done = tiny_project.json("build", "--all", "--no-test")
    assert done.states() == {"library": "reused", "tiny": "reused", "user": "built"}
    assert "build.cflags changed" in done.err

    # The library is built again to the same bytes: nothing that links it has to be.
    edit(lib / "meta.yaml", "emcc $SIDE", "true\n    emcc $SIDE")
    assert states("--no-test") == {"library": "built", "tiny": "reused", "user": "reused"}

    tiny_project.recipe("library", library(43), LIBRARY_META, locked=False)
    edit(user / "test_user.py", "== 41", "== 43")
    assert states() == {"library": "built", "tiny": "reused", "user": "built"}


def test_compilers_have_the_same_addresses_each_time(tiny_project, image):
    meta = """
        build:
          type: static_library
          script: |
            cp /proc/self/personality "$WASM_LIBRARY_DIR/personality"
    """
    tiny_project.recipe("probe", {"file.h": ""}, meta, locked=False)
    archive = tiny_project.json("build", "probe").json()["probe"]["output"]["sha256"]
    with tarfile.open(next((tiny_project.cache / "store").rglob(f"*{archive}"))) as found:
        personality = int(found.extractfile("personality").read(), 16)
    if getattr(image, "method", "podman") == "podman":
        pytest.skip("the seccomp filter of podman and docker does not allow it")
    assert personality & 0x0040000, "ADDR_NO_RANDOMIZE of <linux/personality.h>"
