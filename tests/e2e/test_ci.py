"""The workflow files: their steps run here, on a project of one small package, as they would on a runner."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

CHECKOUT = Path(__file__).resolve().parents[2]
GITHUB = CHECKOUT / "ci" / "github" / "wheels.yml"
GITLAB = CHECKOUT / "ci" / "gitlab" / "wheels.gitlab-ci.yml"
ALLOWED = {"level": {"packages"}, "sign": {"id-token"}, "deploy": {"pages", "id-token"}}
TEST = """
import tiny

def test_answer():
    assert tiny.answer(0) == 42
"""


@pytest.mark.image
@pytest.mark.network
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(("workflow", "job"), [(GITHUB, "check"), (GITLAB, "check")], ids=["github", "gitlab"])
def test_build_test_and_verify(tiny_project, extension, module, workflow, job):
    """All commands of the job but the two that need root or a registry: build, test, serve, verify in all clients."""
    code = module("tiny", "static PyObject *answer(PyObject *m, PyObject *x) { return PyLong_FromLong(42); }", "answer")
    tiny_project.recipe("tiny", extension("tiny", code), tests={"test_tiny.py": TEST})
    shutil.copytree(CHECKOUT / "ci", tiny_project.root / "ci")
    (tiny_project.root / ".venv").symlink_to(sys.prefix)
    command = [sys.executable, str(CHECKOUT / "ci" / "run_steps.py"), str(workflow), job]
    command += ["--skip", "setup.sh", "--skip", "login.sh", "--set", "EMWHEELS_REMOTE="]
    command += ["--set", "EMWHEELS_IMAGE=", "--set", "EMWHEELS_TEST_IMAGE="]
    done = subprocess.run(
        command, cwd=tiny_project.root, env=tiny_project.env, capture_output=True, text=True, timeout=1500, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (report,) = json.loads((tiny_project.dist / "reports" / "verify.json").read_text())
    assert report["ok"], report
    assert {"micropip-node", "micropip-chromium", "pip", "uv"} <= set(report["projects"]["tiny"])


def test_actions_are_pinned_and_rights_are_least():
    text = GITHUB.read_text()
    workflow = yaml.safe_load(text)
    assert workflow["permissions"] == {}
    for name, job in workflow["jobs"].items():
        writes = {right for right, level in job["permissions"].items() if level == "write"}
        assert writes <= ALLOWED.get(name.partition("-")[0], set())
        for step in job["steps"]:
            assert "uses" not in step or re.fullmatch(r"[\w/-]+@[0-9a-f]{40}", step["uses"])
            assert "${{" not in step.get("run", ""), "a value of the service goes through the environment"
    for line in text.splitlines():
        assert "uses:" not in line or re.search(r"# v\d+\.\d+\.\d+$", line)


def test_levels_differ_only_in_their_number():
    jobs = yaml.safe_load(GITHUB.read_text())["jobs"]
    levels = [name for name in jobs if name.startswith("level-")]
    assert levels == [f"level-{number}" for number in range(6)]
    for number, name in enumerate(levels):
        assert jobs[name]["needs"] == ["plan", *levels[:number]]
        assert f"levels[{number}]" in jobs[name]["if"]
        assert f"levels[{number}]" in jobs[name]["strategy"]["matrix"]
        assert jobs[name]["steps"] == jobs["level-0"]["steps"]
    assert jobs["publish"]["needs"] == ["plan", *levels]
