"""What a person gets wrong, and what a package does wrong: a status, a message with the fix, and nothing half-done."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tarfile
import time
import uuid
from pathlib import Path

import pytest

pytestmark = pytest.mark.timeout(200)

LIBRARY = """
    build:
      type: static_library
      script: |
        mkdir -p "$WASM_LIBRARY_DIR/lib"
        cp file.txt "$WASM_LIBRARY_DIR/lib/"
"""
PATCH = """Needed to see a patch that does not apply.
Not for upstream.

--- a/file.txt
+++ b/file.txt
@@ -1,3 +1,3 @@
 one
-two
+2
 3
@@ -10,3 +10,3 @@
 10
-dozen
+11
 twelve
"""
TEXT = "one\ntwo\n3\n4\n5\n6\n7\n8\n9\n10\neleven\ntwelve\n"


def link(name, target):
    info = tarfile.TarInfo(name)
    info.type = tarfile.SYMTYPE
    info.linkname = target
    return info


# Recipes


def test_malformed_yaml(plain_project):
    folder = plain_project.recipe("tiny", {"file.txt": TEXT}, LIBRARY, locked=False)
    (folder / "meta.yaml").write_text("package:\n  name: tiny\n  version: [1\n")
    plain_project.refused(3, "recipes/tiny/meta.yaml:4: malformed YAML", "names the file, the line and the key")


def test_unknown_key(plain_project):
    meta = "build:\n  type: static_library\n  scirpt: make\n"
    plain_project.recipe("tiny", {"file.txt": TEXT}, meta, locked=False)
    plain_project.refused(3, "meta.yaml:9: build.scirpt: unknown key; did you mean script?")


def test_unknown_target(plain_project):
    plain_project.recipe("tiny", {"file.txt": TEXT}, LIBRARY, locked=False)
    plain_project.refused(2, "there is no target '1.2.3'", "314.0.7", verb=("build", "--target", "1.2.3"))


def test_unknown_recipe(plain_project):
    plain_project.recipe("tiny", {"file.txt": TEXT}, LIBRARY, locked=False)
    plain_project.refused(2, "there is no recipe tinny; did you mean tiny?", names=["tinny"])


def test_recipes_that_need_each_other(plain_project):
    for name, other in (("tiny", "other"), ("other", "tiny")):
        plain_project.recipe(name, {"file.txt": TEXT}, f"requirements:\n  run:\n    - {other}\n")
    plain_project.refused(3, "these recipes need each other: other -> tiny -> other", "requirements.run")


@pytest.mark.image
def test_no_lock(tiny_project):
    tiny_project.recipe("tiny", {"file.txt": TEXT}, locked=False)
    tiny_project.refused(
        3,
        "recipes/tiny: needs a lock: there is no requirements.build.txt",
        "emwheels lock tiny",
        verb=("build", "--no-test", "--locked"),
    )


# Sources


@pytest.mark.image
def test_wrong_sha256(tiny_project):
    wrong = "0123456789abcdef" * 4
    tiny_project.recipe("tiny", {"file.txt": TEXT}, LIBRARY, locked=False, sha256=wrong)
    tiny_project.refused(4, f"tiny-1.0.tar.gz: expected sha256 {wrong}, got ", "compare the hash with upstream's own")


@pytest.mark.image
def test_file_that_is_not_on_the_server(tiny_project):
    url = f"{tiny_project.address}/nothing/tiny-1.0.tar.gz"
    tiny_project.recipe("tiny", {"file.txt": TEXT}, LIBRARY, locked=False, url=url)
    tiny_project.refused(4, url, "404")


@pytest.mark.image
def test_offline_and_not_in_the_store(tiny_project):
    tiny_project.recipe("tiny", {"file.txt": TEXT}, LIBRARY, locked=False)
    tiny_project.refused(4, "is not in the store", "without --offline", verb=("build", "--offline"))


@pytest.mark.image
@pytest.mark.network
@pytest.mark.parametrize("purl", ["pkg:pypi/emwheels-no-such-package@1.0", "pkg:pypi/msgpack@0.0.0.1"])
def test_package_or_version_that_does_not_exist(tiny_project, purl):
    tiny_project.recipe("tiny", {"file.txt": TEXT}, LIBRARY, locked=False, url=purl)
    name, _, version = purl.removeprefix("pkg:pypi/").partition("@")
    tiny_project.refused(4, name, version, "there is no such")


@pytest.mark.image
def test_patch_that_does_not_apply(tiny_project):
    tiny_project.recipe("tiny", {"file.txt": TEXT}, LIBRARY, locked=False)
    tiny_project.patch("tiny", PATCH, "0002-numbers.patch")
    tiny_project.refused(
        3,
        "0002-numbers.patch: does not apply",
        "file.txt",
        "Hunk #2 FAILED at 10",
        "1 out of 2 hunks",
        "make the patch",
    )


@pytest.mark.image
def test_archive_that_climbs_out(tiny_project):
    tiny_project.recipe("tiny", {"file.txt": TEXT, "../../../escaped.txt": "out"}, LIBRARY, locked=False)
    tiny_project.refused(4, "tiny-1.0.tar.gz", "../../../escaped.txt", "not unpacked")
    assert not list(tiny_project.root.parent.rglob("escaped.txt"))


@pytest.mark.image
@pytest.mark.parametrize("target", ["/etc/passwd", "../../../../secret"])
def test_archive_with_a_link_out(tiny_project, target):
    members = {"file.txt": TEXT, "out": link("tiny-1.0/out", target)}
    tiny_project.recipe("tiny", members, LIBRARY, locked=False)
    tiny_project.refused(4, "tiny-1.0.tar.gz", "tiny-1.0/out", "not unpacked")


# Builds


@pytest.mark.image
def test_build_script_that_wants_the_network(tiny_project, extension, module):
    setup = "import urllib.request\nurllib.request.urlopen('http://data.invalid/x')"
    tiny_project.recipe("tiny", extension("tiny", module("tiny", ""), setup=setup))
    tiny_project.refused(6, "tiny did not build", "there is no network in the sandbox", "the whole log is")


@pytest.mark.image
def test_build_script_that_writes_elsewhere(tiny_project, extension, module):
    setup = "open('/usr/include/planted.h', 'w').write('x')"
    tiny_project.recipe("tiny", extension("tiny", module("tiny", ""), setup=setup))
    done = tiny_project.refused(6, "wrote outside of its own folder", "/usr/include/planted.h")
    assert "Read-only file system" in done.err
    assert not Path("/usr/include/planted.h").exists()


@pytest.mark.image
def test_code_that_does_not_compile(tiny_project, extension, module):
    tiny_project.recipe("tiny", extension("tiny", module("tiny", '#include "absent.h"')))
    tiny_project.refused(6, "absent.h", "The header absent.h was not found")


@pytest.mark.image
def test_symbol_that_nothing_defines(tiny_project, extension, module):
    code = """
        extern int nobody_defines_this(void);
        static PyObject *ask(PyObject *s, PyObject *v) { return PyLong_FromLong(nobody_defines_this()); }
    """
    tiny_project.recipe("tiny", extension("tiny", module("tiny", code, "ask")))
    tiny_project.refused(7, "must not be published", "nobody_defines_this", "nothing was published")
    assert not (tiny_project.dist / "simple").exists()
    assert not list((tiny_project.cache / "store" / "files").glob("wheels/*/*"))


@pytest.mark.image
def test_types_whose_functions_python_cannot_call(tiny_project, extension, module):
    code = """
        static void clear(PyObject *self) {}
        static void dealloc(PyObject *self) { PyObject_Free(self); }
        static int hash(PyObject *self, int more) { return more; }
        static PyObject *twice(PyObject *self, PyObject *value) { return PyNumber_Add(value, value); }
        static PyType_Slot slots[] = {{Py_tp_clear, clear}, {Py_tp_dealloc, dealloc}, {Py_nb_add, twice}, {0, NULL}};
        PyType_Spec heap = {"tiny.Heap", sizeof(PyObject), 0, Py_TPFLAGS_DEFAULT, slots};
        PyTypeObject fixed = {PyVarObject_HEAD_INIT(NULL, 0) .tp_name = "tiny.Fixed", .tp_basicsize = sizeof(PyObject),
                              .tp_dealloc = dealloc, .tp_hash = (hashfunc)hash};
        static PyObject *make(PyObject *s, PyObject *v) { return PyType_FromSpec(&heap); }
        static PyObject *ready(PyObject *s, PyObject *v) { return PyLong_FromLong(PyType_Ready(&fixed)); }
    """
    tiny_project.recipe("tiny", extension("tiny", module("tiny", code, "make", "ready")))
    tiny_project.refused(
        7,
        "type tiny.Heap has tp_clear as (i32) -> (), and Python calls it as (i32) -> (i32)",
        "type tiny.Fixed has tp_hash as (i32, i32) -> (i32), and Python calls it as (i32) -> (i32)",
    )


@pytest.mark.image
def test_modules_whose_functions_python_cannot_call(tiny_project, extension, module):
    code = """
        static void setup(PyObject *module) {}
        static int release(void *module) { return 0; }
        static PyModuleDef_Slot slots[] = {{Py_mod_exec, setup}, {Py_mod_gil, Py_MOD_GIL_NOT_USED}, {0, NULL}};
        PyModuleDef phased = {PyModuleDef_HEAD_INIT, .m_name = "tiny.phased", .m_slots = slots};
        PyModuleDef freed = {PyModuleDef_HEAD_INIT, .m_name = "tiny.freed", .m_size = -1, .m_free = (freefunc)release};
        static PyObject *one(PyObject *s, PyObject *v) { return PyModuleDef_Init(&phased); }
        static PyObject *two(PyObject *s, PyObject *v) { return PyModule_Create(&freed); }
    """
    tiny_project.recipe("tiny", extension("tiny", module("tiny", code, "one", "two")))
    tiny_project.refused(
        7,
        "module tiny.phased has Py_mod_exec as (i32) -> (), and Python calls it as (i32) -> (i32)",
        "module tiny.freed has m_free as (i32) -> (i32), and Python calls it as (i32) -> ()",
    )


@pytest.mark.image
@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a small disk")
@pytest.mark.parametrize("phase", ["unpack", "build"])
def test_no_disk_space(tiny_project, phase):
    work = tiny_project.cache / "work"
    work.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(work)], check=False, capture_output=True
    )
    if mounted.returncode:
        pytest.skip("this machine lets nobody mount")
    try:
        if phase == "unpack":
            tiny_project.recipe("tiny", {"file.txt": TEXT, "big": bytes(4 << 20)}, LIBRARY, locked=False)
            done = tiny_project.refused(4, "No space left on device", "free some space")
            assert "damaged" not in done.err
        else:
            fill = 'dd if=/dev/zero of="$WASM_LIBRARY_DIR/lib/big" bs=1M count=4\n        cp '
            tiny_project.recipe("tiny", {"file.txt": TEXT}, LIBRARY.replace("cp ", fill), locked=False)
            tiny_project.refused(6, "The disk is full", "run the same command again")
    finally:
        subprocess.run(["umount", str(work)], check=True)
    assert tiny_project.json("build", "tiny").states() == {"tiny": "built"}


def processes(token):
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            try:
                if token.encode() in (folder / "cmdline").read_bytes():
                    found.append(folder.name)
            except OSError:
                continue
    return found


def wait_until(condition, seconds):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "this took too long"
        time.sleep(0.1)


@pytest.mark.image
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopped_in_the_middle(tiny_project, extension, module, number):
    token = f"emwheels-{uuid.uuid4()}"
    setup = f"import subprocess\nsubprocess.run(['python3', '-c', 'import time; time.sleep(100)', {token!r}])"
    tiny_project.recipe("tiny", extension("tiny", module("tiny", ""), setup=setup))
    process = subprocess.Popen(
        tiny_project.command("build", "tiny", "--no-test"),
        env=tiny_project.env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        wait_until(lambda: processes(token) or process.poll() is not None, 90)
        assert process.poll() is None
        process.send_signal(number)
        _, err = process.communicate(timeout=30)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 130, err
    assert "stopped; what was finished is kept" in err
    assert "Traceback" not in err
    wait_until(lambda: not processes(token), 10)
    assert not processes(str(tiny_project.cache))
    assert not list((tiny_project.cache / "work").glob("*"))
    assert not tiny_project.published()
    assert not tiny_project.half_written()
    if number == signal.SIGINT:
        tiny_project.recipe("tiny", extension("tiny", module("tiny", "")))
        assert tiny_project.json("build", "tiny", "--no-test").states() == {"tiny": "built"}


# Tests


@pytest.fixture(scope="module")
def built(make_tiny_project, tmp_path_factory, extension, module):
    project = make_tiny_project(tmp_path_factory.mktemp("built"))
    project.recipe("tiny", extension("tiny", module("tiny", "")))
    assert project.json("build", "tiny", "--no-test").states() == {"tiny": "built"}
    return project


def try_tests(project, tests, *arguments):
    folder = project.root / "recipes" / "tiny"
    for path in folder.glob("test_*.py"):
        path.unlink()
    for name, text in tests.items():
        (folder / name).write_text(text)
    done = project.run("test", "tiny", "--engine", "node", *arguments)
    assert "Traceback" not in done.err
    assert not project.half_written()
    shutil.rmtree(folder / "__pycache__", ignore_errors=True)
    return done


@pytest.mark.image
def test_test_file_with_a_syntax_error(built):
    done = try_tests(built, {"test_a.py": "def broken(:\n", "test_b.py": "import tiny\ndef test_b(): pass\n"})
    assert done.status == 8
    assert "node: test_a.py" in done.err
    assert "line 1: SyntaxError" in done.err
    assert "logs and JUnit XML" in done.err


@pytest.mark.image
def test_test_that_never_returns(built):
    tests = {"test_a.py": "def test_hang():\n    while True: pass\n\ndef test_after(): pass\n"}
    done = try_tests(built, tests, "--test-seconds", "20")  # collecting takes some of them on a busy machine
    assert done.status == 8
    assert "test_a.py::test_hang" in done.err
    assert "still running after 20 s" in done.err
    assert "1 passed, 1 failed" in done.err
