"""The path of pypa/build's isolated environment, in a Python that starts as those of a build do."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import emwheels.build.compile

INSIDE = Path(emwheels.build.compile.__file__).parent / "inside"
CODE = """\
import tempfile
for prefix in ("build-env-", "build-env-", "other-"):
    print(tempfile.mkdtemp(prefix=prefix))
"""


def test_the_first_environment_has_the_same_path_each_time(tmp_path):
    env = {"PYTHONPATH": str(INSIDE), "TMPDIR": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", CODE], env=env, capture_output=True, text=True, check=True)
    first, second, other = map(Path, done.stdout.splitlines())
    assert first == tmp_path / "build-env-0"
    assert first.stat().st_mode & 0o777 == 0o700
    assert second != first
    assert second.name.startswith("build-env-")
    assert other.name.startswith("other-")
