"""A build that failed: what stays of it, the shell in it, and the build that goes on there. All with the real tools."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import time

import pytest

from emwheels.build.kept import kept_folder, read_kept

GOOD = "static PyObject *twice(PyObject *self, PyObject *x) { return PyNumber_Add(x, x); }"
BAD = "static PyObject *twice(PyObject *self, PyObject *x) { return missing_thing; }"

PATCH = """Why: a test

--- a/tiny.c
+++ b/tiny.c
@@ -1,2 +1,3 @@
 #include <Python.h>
+/* patched */
 {}
"""


@pytest.fixture
def broken(tiny_project, extension, module):
    """A project whose package ``tiny`` does not compile."""
    members = extension("tiny", module("tiny", BAD, "twice"))
    tiny_project.recipe("tiny", members, "build:\n  cflags: -DOF_THE_RECIPE\nabout:\n  license: MIT\n")
    return tiny_project


def mended(project, *command):
    return project.run(
        "debug", "tiny", "--", "sed", "-i", "s/return missing_thing/return PyNumber_Add(x, x)/", "tiny.c"
    )


def test_what_failed_stays_with_a_shell_in_it_until_the_next_build(broken):
    failed = broken.run("build", "--no-test", "tiny")
    assert failed.status == 6
    folder = kept_folder(broken.cache, "tiny")
    assert f"emwheels debug tiny (until the next build, it all stays in {folder})" in failed.err
    assert list((broken.cache / "work").glob("*")) == []
    assert read_kept(broken.cache, "tiny").phase == "compile"

    # The place, the compiler's wrapper with its flags, the closed network, and the status of a command.
    said = broken.run("debug", "tiny", "--", "sh", "-c", "pwd; ls; cc -c tiny.c -o x.o; echo $?; exit 7")
    assert said.status == 7, said.err
    assert said.out.splitlines()[0] == "/mnt/work/build/tiny/build/tiny-1.0"
    assert "tiny.c" in said.out
    assert said.out.splitlines()[-1] == "1"
    assert "use of undeclared identifier 'missing_thing'" in said.err
    assert broken.run("debug", "tiny", "--", "sh", "-c", "ip link | grep -c mtu || true").out in ("1\n", "0\n")

    # A change stays, and a build from there works without being kept as one.
    assert mended(broken).status == 0
    going_on = broken.json("build", "tiny", "--from", "compile", "--no-test")
    (row,) = json.loads(going_on.out)
    assert (row["state"], row["output"]) == ("works", None)
    assert broken.published() == []
    assert broken.run("build", "--no-test", "tiny").status == 6, "the recipe is as broken as before"


def test_a_shell_at_a_terminal_tells_what_failed_and_with_which_flags(broken):
    assert broken.run("build", "--no-test", "tiny").status == 6
    text, status = at_terminal(broken, ("debug", "tiny"), "echo $((6*7)) at $PWD $TERM\nexit 3\n")
    assert status == 3, text
    assert "42 at /mnt/work/build/tiny/build/tiny-1.0 " in text
    failed = re.search(r"What failed, as the log shows it:\r\n  (.*)\r\n", text)[1]
    assert "tiny.c" in failed
    assert "-DOF_THE_RECIPE" not in failed
    true = re.search(r"With what the wrapper makes of it:\r\n  (.*)\r\n", text)[1]
    assert true.startswith("emcc ")
    assert "-DOF_THE_RECIPE" in true
    assert "-O3 -msimd128" in true
    assert f"{broken.cache / 'logs' / 'tiny'}" in text


def test_ctrl_c_in_the_shell_ends_what_runs_there_and_not_the_shell(broken):
    assert broken.run("build", "--no-test", "tiny").status == 6
    text, status = at_terminal(broken, ("debug", "tiny"), "sleep 500\n", "\x03", "echo still $((40+2))\nexit\n")
    assert "still 42" in text
    assert status == 0


def test_without_a_failure_everything_is_laid_out_and_nothing_compiled(tiny_project, extension, module):
    tiny_project.recipe("tiny", extension("tiny", module("tiny", GOOD, "twice")))
    tiny_project.patch("tiny", PATCH.format(GOOD))
    script = "grep -c patched tiny.c; ls build 2> /dev/null; cc -c tiny.c -o tiny.o && ls tiny.o"
    said = tiny_project.run("debug", "tiny", "--", "sh", "-c", script)
    assert (said.status, said.out) == (0, "1\ntiny.o\n"), said.err
    assert tiny_project.run("debug", "tiny", "--", "ls", "tiny.o").status == 0, "it is the same place again"
    assert tiny_project.run("debug", "tiny", "--fresh", "--", "test", "-e", "tiny.o").status == 1
    assert tiny_project.run("build", "--no-test", "tiny").status == 0
    assert not kept_folder(tiny_project.cache, "tiny").exists(), "a build that works leaves nothing"


def test_a_library_has_the_surroundings_of_its_script(tiny_project):
    script = "build:\n  type: static_library\n  script: |\n    export DEPTH=3\n    emcc -c nothing.c -o x.o\n"
    tiny_project.recipe("lib", {"x.c": "int x;\n"}, script, locked=False)
    failed = tiny_project.run("build", "lib")
    assert failed.status == 6
    said = tiny_project.run("debug", "lib", "--", "sh", "-c", "echo $DEPTH $WASM_LIBRARY_DIR; emcc -c x.c -o x.o && ls")
    assert said.status == 0, said.err
    assert said.out.splitlines() == ["3 /mnt/work/build/.libs", *sorted(["dist", "x.c", "x.o"])]
    text, _ = at_terminal(tiny_project, ("debug", "lib"), "cat /tmp/build-script.sh\nexit\n")
    assert "emcc -c nothing.c -o x.o" in text


def test_from_audit_takes_what_was_built_once_the_recipe_accepts_it(tiny_project, extension, module):
    members = extension("tiny", module("tiny", GOOD, "twice"))
    meta = "build:\n  post: echo 'import os' > tiny.pth\nabout:\n  license: MIT\n"
    folder = tiny_project.recipe("tiny", members, meta)
    refused = tiny_project.run("build", "--no-test", "tiny")
    assert refused.status == 7, refused.err
    assert "emwheels build tiny --from audit, which compiles nothing" in refused.err
    again = tiny_project.run("build", "--no-test", "tiny", "--from", "audit")
    assert again.status == 7
    with (folder / "meta.yaml").open("a") as file:
        file.write("extra:\n  emwheels:\n    accepted:\n      - {rule: startup, what: '*', reason: a test needs it}\n")
    kept = tiny_project.json("build", "--no-test", "tiny", "--from", "audit")
    (row,) = json.loads(kept.out)
    assert row["state"] == "built", kept.err
    assert "compile" not in row["phases"]
    assert tiny_project.published() == [row["output"]["filename"]]
    assert tiny_project.json("build", "--no-test", "tiny").states() == {"tiny": "reused"}


def test_nothing_to_go_on_with_is_said(broken):
    for step in ("compile", "audit"):
        done = broken.run("build", "tiny", "--from", step)
        assert done.status == 2
        assert "nothing to go on with" in done.err
    done = broken.run("build", "tiny", "--from", "test")
    assert done.status == 2
    assert "nothing can be tested" in done.err
    assert broken.run("build", "--all", "--from", "compile").status == 2


def test_a_tree_of_other_patches_is_not_gone_on_with(broken):
    assert broken.run("build", "--no-test", "tiny").status == 6
    broken.patch("tiny", PATCH.format(BAD))
    done = broken.run("build", "tiny", "--from", "compile")
    assert done.status == 2
    assert "of other inputs: patch 0001-tiny added" in done.err


def at_terminal(project, arguments, *typed):
    """Run the command at a terminal of its own, type once it says nothing more, and return what it showed."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        project.command(*arguments),
        env=project.env | {"TERM": "xterm"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    text, waiting, deadline = "", list(typed), time.monotonic() + 240
    os.set_blocking(ours, False)
    while process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.5)
        try:
            text += os.read(ours, 1 << 20).decode()
        except BlockingIOError:
            if waiting and ("emwheels " in text and "$ " in text):
                os.write(ours, waiting.pop(0).encode())
        except OSError:
            break
    process.wait(10)
    os.close(ours)
    return text, process.returncode
