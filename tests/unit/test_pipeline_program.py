"""What runs inside Pyodide as the command line of Python does, here in the Python of this machine; and its files."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import emwheels.harness
from emwheels.errors import UsageError
from emwheels.pipeline import program as host
from emwheels.pipeline.program import copy_folder

INSIDE = Path(emwheels.harness.__file__).parent / "inside"
START = "import json, program, sys; sys.exit(program.main(json.loads(sys.argv[1]), sys.argv[2]))"


def run(folder, *words, given=""):
    command = [sys.executable, "-c", START, json.dumps(words), str(folder)]
    done = subprocess.run(
        command, input=given, env={"PYTHONPATH": str(INSIDE)}, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout, done.stderr


def python(folder, *words, given=""):
    done = subprocess.run(
        [sys.executable, *words], cwd=folder, input=given, env={}, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout, done.stderr


SCRIPT = """\
import sys, beside
def fail():
    raise ValueError(beside.WORD)
print(__name__, __file__, sys.argv, sys.path[0] != "")
if sys.argv[1:] == ["fail"]:
    fail()
sys.exit({"none": None, "word": "a word", "seven": 7, "large": 300}.get(sys.argv[1], 0))
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "script.py").write_text(SCRIPT)
    (tmp_path / "beside.py").write_text("WORD = 'wrong'\n")
    return tmp_path


@pytest.mark.parametrize("way", ["fail", "none", "word", "seven", "large", "other"])
def test_a_script_ends_as_with_python(folder, way):
    status, out, error = python(folder, "script.py", way)
    assert run(folder, "script.py", way) == (status, out, error)


@pytest.mark.parametrize(
    "words",
    [
        ("-c", "import sys, beside; print(sys.argv, sys.path[0], __name__)", "a"),
        ("-c", "import sys; sys.exit('no')"),
        ("-c", "x = ("),
        ("-c", "import __main__; print(sorted(set(vars(__main__)) - {'__loader__', '__spec__', '__doc__'}))"),
        ("-m", "beside"),
        ("-m", "json.tool", "--help"),
    ],
)
def test_modules_and_code_do_as_with_python(folder, words):
    status, out, error = run(folder, *words)
    assert (status, error.strip().split("\n")[-1]) == (
        python(folder, *words)[0],
        python(folder, *words)[2].strip().split("\n")[-1],
    )
    if words[0] == "-c" and "__main__" in words[1]:
        assert set(json.loads(out.replace("'", '"'))) >= {"__builtins__", "__name__"}
    else:
        assert out == python(folder, *words)[1]


def test_an_interrupt_has_its_status(folder):
    assert run(folder, "-c", "raise KeyboardInterrupt")[0] == 130


def test_a_prompt_reads_to_the_end(folder):
    status, out, _ = run(folder, given="x = 20\nprint(x + 1)\n1/0\nprint('on')\n")
    assert (status, "21" in out, "on" in out) == (0, True, True)


def test_the_copy_has_what_a_program_reads(tmp_path):
    source, copy = tmp_path / "source", tmp_path / "copy"
    for name in ("a.py", "data/b.bin", ".hidden", ".git/config", "__pycache__/a.pyc", "node_modules/x.js"):
        path = source / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    (source / "link").symlink_to("/etc/passwd")
    os.mkfifo(source / "fifo")
    assert sorted(copy_folder(source, copy)) == ["a.py", "data/b.bin"]
    assert sorted(path.relative_to(copy).as_posix() for path in copy.rglob("*") if path.is_file()) == [
        "a.py",
        "data/b.bin",
    ]


def test_too_much_is_refused_and_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setattr(host, "MOST_FILES", 2)
    for name in "abc":
        (tmp_path / name).write_text("")
    with pytest.raises(UsageError, match="more than 2 files") as caught:
        copy_folder(tmp_path, tmp_path / "copy")
    assert "--mount" in caught.value.hint


def test_what_changed_is_saved_and_links_are_not(tmp_path):
    copy, to = tmp_path / "copy", tmp_path / "to"
    (copy / "sub").mkdir(parents=True)
    for name in ("same", "changed"):
        (copy / name).write_text(name)
    before = {name: host._state((copy / name).stat()) for name in ("same", "changed")}
    (copy / "changed").write_text("otherwise")
    (copy / "sub" / "new").write_bytes(b"\0\1")
    (copy / "link").symlink_to("/etc/passwd")
    to.mkdir()
    (to / "changed").write_text("old")
    host._save(copy, before, to)
    assert {path.relative_to(to).as_posix(): path.read_bytes() for path in to.rglob("*") if path.is_file()} == {
        "changed": b"otherwise",
        "sub/new": b"\0\1",
    }
