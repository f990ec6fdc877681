"""What stands before pyodide-build's fixes of packages by their name, run as a build runs it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

INSIDE = Path(__file__).parents[2] / "src" / "emwheels" / "build" / "inside"


def run(code):
    return subprocess.run(
        [sys.executable, "-S", "-c", code], env={"PYTHONPATH": str(INSIDE)}, capture_output=True, text=True, check=False
    )


def test_a_fix_by_a_package_s_name_changes_nothing(tmp_path):
    source = tmp_path / "x.c"
    source.write_text("void (*f2py_func)(void);\n")
    code = f"from _f2c_fixes import scipy_fixes, other_fixes; scipy_fixes(['{source}']); other_fixes(['{source}'])"
    assert run(code).returncode == 0
    assert source.read_text() == "void (*f2py_func)(void);\n"


def test_anything_else_of_it_is_missing():
    done = run("from _f2c_fixes import replay_f2c")
    assert "cannot import name 'replay_f2c'" in done.stderr
