"""``emwheels run``: programs in Pyodide in Node, with a wheel that was built here."""

from __future__ import annotations

import subprocess
from textwrap import dedent

import pytest

pytestmark = [pytest.mark.image, pytest.mark.timeout(600)]

SCRIPT = """
    import asyncio, os, sys
    import tiny
    async def later():
        await asyncio.sleep(0)
        return tiny.seven(tiny)
    print(asyncio.run(later()), sys.stdin.read().strip(), os.environ["WORD"], sorted(os.listdir(".")), sys.argv[1:])
    open("made.txt", "w").write("by the program")
    print("to standard error", file=sys.stderr)
    try:
        import socket
        socket.create_connection(("127.0.0.1", 9), timeout=1)
    except OSError:
        print("no network")
    sys.exit(5)
"""


def started(project, folder, *words, given=""):
    command = project.command("run", "--offline", *words)
    return subprocess.run(
        command, cwd=folder, env=project.env, input=given, capture_output=True, text=True, timeout=300, check=False
    )


def test_a_script_with_a_wheel_of_the_index(tiny_project, extension, module, tmp_path):
    seven = "static PyObject *seven(PyObject *self, PyObject *arg) { return PyLong_FromLong(7); }"
    tiny_project.recipe("tiny", extension("tiny", module("tiny", seven, "seven")))
    tiny_project.json("build", "tiny", "--no-test", status=0)
    folder = tmp_path / "mine"
    folder.mkdir(mode=0o700)
    (folder / "script.py").write_text(dedent(SCRIPT))
    (folder / ".secret").write_text("not for it")

    words = ("--with", "tiny", "--env", "WORD=a b", "--save", str(tmp_path / "out"), "script.py", "--x")
    done = started(tiny_project, folder, *words, given="typed\n")
    assert (done.returncode, done.stdout.splitlines()) == (
        5,
        ["7 typed a b ['script.py'] ['--x']", "no network"],
    ), done.stderr
    assert "to standard error" in done.stderr
    assert (tmp_path / "out" / "made.txt").read_text() == "by the program"
    assert not (folder / "made.txt").exists()
    assert folder.stat().st_mode & 0o777 == 0o700

    missing = started(tiny_project, folder, "--with", "absent", "-c", "1")
    assert (missing.returncode, "absent" in missing.stderr, "Traceback" in missing.stderr) == (10, True, False)


def test_limits_and_the_end_of_pyodide_are_said(tiny_project, tmp_path):
    slow = started(tiny_project, tmp_path, "--limit", "time=15s", "-c", "while True: pass")
    assert (slow.returncode, "the limit `time`" in slow.stderr) == (8, True), slow.stderr
    large = started(
        tiny_project,
        tmp_path,
        "--limit",
        "memory=700M",
        "-c",
        "x = [bytearray(1 << 30) for _ in range(2)]; print('made')",
    )
    assert (large.returncode, "the limit `memory`" in large.stderr) == (8, True), large.stderr[-500:]
    died = started(tiny_project, tmp_path, "-c", "import ctypes; ctypes.memset(2**32 - 4096, 0, 1 << 20)")
    assert died.returncode not in (0, 8)
    assert len(died.stderr) < 10_000
