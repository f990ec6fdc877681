"""The program that links CMake's checks, with a program in the compiler's place."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import emwheels.build
from emwheels.build.inside.cmake.name_modules import renamed

PROGRAM = Path(emwheels.build.__file__).parent / "inside" / "cmake" / "name_modules.py"


@pytest.mark.parametrize(
    ("command", "after"),
    [
        ("em++ check.o -o check.js -lm", "em++ check.o -o check.js -lm"),
        ("em++ check.o /lib/libside.so.1.2", "em++ check.o -Wl,/lib/libside.so.1.2"),
        (
            "em++ check.o libside.so -L. -lside -Wl,-rpath,x.so",
            "em++ check.o -Wl,libside.so -L. -lside -Wl,-rpath,x.so",
        ),
        ("em++ @there.rsp @plain.rsp @missing.rsp", "em++ a b.o -Wl,b.so @plain.rsp @missing.rsp"),
        ("em++ libside.source", "em++ libside.source"),
    ],
)
def test_side_modules_are_options(command, after, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there.rsp").write_text("'a' b.o b.so\n")
    (tmp_path / "plain.rsp").write_text("a.o")
    assert renamed(command.split()) == after.split()


def test_the_status_is_the_compiler_s():
    script = "import sys; print(sys.argv[1:]); sys.exit(7)"
    command = [sys.executable, "-I", "-S", str(PROGRAM), sys.executable, "-c", script, "lib.so"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (7, "['-Wl,lib.so']\n")
