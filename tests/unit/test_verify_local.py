"""ci/verify-local.sh, as far as it goes without an index; tests/e2e/test_ci.py runs it on one."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "ci" / "verify-local.sh"


@pytest.mark.parametrize("arguments", [[], ["--help"], ["--only", "numpy"]])
def test_usage(arguments):
    done = subprocess.run(["bash", SCRIPT, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == "usage: ci/verify-local.sh REPORT [option of emwheels index verify]...\n"
    assert done.stdout == ""
