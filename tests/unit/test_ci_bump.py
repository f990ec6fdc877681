"""The scripts of the CI job for newer versions, with a repository on this machine in place of a service's."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

CHECKOUT = Path(__file__).resolve().parents[2]
CI = CHECKOUT / "ci"
EMWHEELS = """#!/bin/sh
# bump NAME: "bad" does not pass; tables NAME writes a page.
[ "$2" != bad ] || { echo "bad: it does not compile"; exit 6; }
case "$1" in
    bump) sed -i "s/1[.]0/1.1/" "recipes/$2/meta.yaml"; echo "$2 1.0 -> 1.1: bumped" ;;
    tables) mkdir -p docs/upstream-tests; echo 1.1 > "docs/upstream-tests/$2.json" ;;
esac
"""


def git(folder, *arguments):
    options = ["-c", "user.name=x", "-c", "user.email=x@localhost"]
    done = subprocess.run(["git", *options, *arguments], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout


@pytest.fixture
def checkout(tmp_path):
    """Return a checkout with recipes and scripts, and make the repository that requests are pushed to."""
    folder = tmp_path / "checkout"
    for name in ("good", "bad"):
        (folder / "recipes" / name).mkdir(parents=True)
        (folder / "recipes" / name / "meta.yaml").write_text(f"package:\n  name: {name}\n  version: '1.0'\n")
    (folder / "ci").mkdir()
    for script in ("bump.sh", "propose.sh"):
        shutil.copy(CI / script, folder / "ci" / script)
    (folder / ".gitignore").write_text(".venv/\nbumped/\n")
    git(folder, "init", "--quiet", "--initial-branch=main")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message=start")
    program = folder / ".venv" / "bin" / "emwheels"
    program.parent.mkdir(parents=True)
    program.write_text(EMWHEELS)
    program.chmod(0o755)
    git(tmp_path, "init", "--quiet", "--bare", "remote.git")
    git(tmp_path / "remote.git", "config", "receive.advertisePushOptions", "true")
    return folder


def run(folder, *command, env=None):
    return subprocess.run(
        command, cwd=folder, env={**os.environ, **(env or {})}, capture_output=True, text=True, check=False
    )


def test_each_version_is_tried_and_the_checkout_put_back(checkout):
    done = run(checkout, "ci/bump.sh", "bumped", "bad", "good")
    assert done.returncode == 1, done.stderr
    assert sorted(path.name for path in (checkout / "bumped").iterdir()) == ["bad.txt", "good.patch", "good.txt"]
    assert "it does not compile" in (checkout / "bumped" / "bad.txt").read_text()
    assert git(checkout, "status", "--porcelain") == ""
    patch = (checkout / "bumped" / "good.patch").read_text()
    assert "+  version: '1.1'" in patch
    assert "docs/upstream-tests/good.json" in patch


@pytest.mark.parametrize("service", ["github", "gitlab"])
def test_one_request_a_package(checkout, tmp_path, service):
    run(checkout, "ci/bump.sh", "bumped", "good")
    log = tmp_path / "gh.log"
    gh = tmp_path / "bin" / "gh"
    gh.parent.mkdir()
    gh.write_text(f'#!/bin/sh\necho "$*" >> {log}\n')
    gh.chmod(0o755)
    # What a patch does outside of its recipe and docs/ is not taken.
    foreign = "diff --git a/ci/x.sh b/ci/x.sh\nnew file mode 100755\n--- /dev/null\n+++ b/ci/x.sh\n@@ -0,0 +1 @@\n+x\n"
    with (checkout / "bumped" / "good.patch").open("a") as patch:
        patch.write(foreign)
    (checkout / "bumped" / "..patch").write_text(foreign)
    env = {"PUSH_URL": str(tmp_path / "remote.git"), "PATH": f"{gh.parent}:{os.environ['PATH']}"}
    env["GITLAB_CI"] = "true" if service == "gitlab" else ""
    for _ in range(2):  # the second time it is brought up to date
        done = run(checkout, "ci/propose.sh", "bumped", "main", env=env)
        assert done.returncode == 0, done.stderr
    remote = tmp_path / "remote.git"
    assert git(remote, "for-each-ref", "--format=%(refname)").split() == ["refs/heads/bump/good"]
    assert git(remote, "log", "--format=%s", "bump/good").splitlines() == ["good 1.1", "start"]
    assert git(remote, "show", "--name-only", "--format=", "bump/good").split() == [
        "docs/upstream-tests/good.json",
        "recipes/good/meta.yaml",
    ]
    assert log.exists() == (service == "github")
    if service == "github":
        assert "pr create --head bump/good --base main --title good 1.1 --body-file" in log.read_text()


def test_names_of_what_is_newer():
    rows = [("tiny", "newer", ""), ("old", "pinned", ""), ("other", "newer", "change it by hand"), ("a", "newer", "")]
    text = json.dumps({"recipes": [dict(zip(("name", "state", "note"), row, strict=True)) for row in rows]})
    for options, out in (([], '["a", "tiny"]\n'), (["--lines"], "a\ntiny\n")):
        command = [sys.executable, str(CI / "newer.py"), *options]
        done = subprocess.run(command, input=text, capture_output=True, text=True, check=True)
        assert done.stdout == out


def test_who_runs_foreign_code_can_write_nothing():
    workflow = yaml.safe_load((CI / "github" / "bump.yml").read_text())
    assert workflow["permissions"] == {}
    writers = {name for name, job in workflow["jobs"].items() if "write" in job["permissions"].values()}
    assert writers == {"propose"}
    steps = [step["run"] for step in workflow["jobs"]["propose"]["steps"] if "run" in step]
    assert steps == ['ci/propose.sh bumped "$BASE"']
