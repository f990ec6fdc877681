"""The action for GitHub and the job for GitLab, their steps run here on a project: wheels, summary, comment."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.utils import parse_wheel_filename

CHECKOUT = Path(__file__).resolve().parents[2]
GITHUB = CHECKOUT / "ci" / "github" / "build-project" / "action.yml"
GITLAB = CHECKOUT / "ci" / "gitlab" / "build-project.yml"
PEP_783 = re.compile(r"pyemscripten_\d+_\d+_wasm32")
"""The platform tags that PyPI takes."""
RECORD = """#!/bin/sh
for each; do
    case "$each" in body=@*) cp "${each#body=@}" comment ;; body@*) cp "${each#body@}" comment ;; esac
    case "$before" in --output) echo "[]" > "$each" ;; esac
    before=$each
done
"""
FILES = {
    "pyproject.toml": '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n'
    '[project]\nname = "answers"\nversion = "1.0"\nreadme = "README.md"\ndescription = "Has one"\n'
    '[tool.emwheels]\nengines = ["node"]\n',
    "README.md": "# answers\n",
    "setup.py": 'from setuptools import Extension, setup\nsetup(ext_modules=[Extension("answers", ["answers.c"])])\n',
    "tests/test_answers.py": "import answers\ndef test_answer(): assert answers.answer(0) == 42\n",
}
pytestmark = [pytest.mark.image, pytest.mark.network, pytest.mark.timeout(3600)]


@pytest.fixture
def project(tmp_path, module):
    code = "static PyObject *answer(PyObject *m, PyObject *x) { return PyLong_FromLong(42); }"
    folder = tmp_path / "answers"
    for name, text in {**FILES, "answers.c": module("answers", code, "answer")}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    for name in ("gh", "curl"):
        (tmp_path / name).write_text(RECORD)
        (tmp_path / name).chmod(0o755)
    return folder


def steps(tiny_project, project, file, job, **values):
    """Run the steps of a file in the project, as the service would, but for what installs emwheels."""
    command = [
        sys.executable,
        str(CHECKOUT / "ci" / "run_steps.py"),
        str(file),
        job,
        "--skip",
        "setup.sh",
        "--skip",
        "git ",
    ]
    for name, value in values.items():
        command += ["--set", f"{name}={value}"]
    env = tiny_project.env | {
        "EMWHEELS": f"{sys.executable} -m emwheels",
        "EMWHEELS_RECIPES": str(tiny_project.root),
        "GITHUB_ACTION_PATH": str(GITHUB.parent),
        "GITHUB_STEP_SUMMARY": str(project.parent / "summary"),
        "PATH": f"{project.parent}:{tiny_project.env['PATH']}",
    }
    return subprocess.run(command, cwd=project, env=env, capture_output=True, text=True, timeout=3000, check=False)


def test_github_and_gitlab_build_the_same_project(tiny_project, project, tmp_path):
    common = {"EMWHEELS_PROJECT": ".", "EMWHEELS_TARGETS": "", "EMWHEELS_ENGINES": "", "EMWHEELS_OUTPUT": "wheelhouse"}
    done = steps(
        tiny_project,
        project,
        GITHUB,
        "runs",
        **common,
        EMWHEELS_ARGUMENTS="",
        GH_TOKEN="t",
        NUMBER="7",
        GITHUB_REPOSITORY="o/r",
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = (project / "wheelhouse").glob("*.whl")
    assert all(PEP_783.fullmatch(tag.platform) for tag in parse_wheel_filename(wheel.name)[3]), wheel
    text = (tmp_path / "summary").read_text()
    assert "✅ 1 wheel for Pyodide" in text
    assert re.search(
        r"\| answers 1\.0 \| 314\.0\.7 \| built \| `answers-1\.0-\S+` \| [\d,]+ \| [\d.]+ s \| node: 2 passed", text
    )
    assert (project / "comment").read_text() == text

    (project / "comment").unlink()
    (project / "tests" / "test_answers.py").write_text(
        "import answers\ndef test_answer(): assert answers.answer(0) == 43\n"
    )
    done = steps(
        tiny_project,
        project,
        GITLAB,
        "emwheels",
        **{"inputs.source": "https://example.org/e@0"},
        EMWHEELS_CACHE=tiny_project.cache,
        EMWHEELS_CHECKOUT=CHECKOUT,
        EMWHEELS_COMMENT_TOKEN="t",
        CI_MERGE_REQUEST_IID="7",
        CI_API_V4_URL="https://example.org",
        CI_PROJECT_ID="1",
    )
    assert done.returncode == 8, done.stdout + done.stderr
    text = (project / "comment").read_text()
    assert "1 failed" in text
    assert "node: tests/test\\_answers.py::test\\_answer" in text
    assert "assert 42 == 43" in text


def test_the_wheel_passes_what_an_index_asks(tiny_project, project, tmp_path):
    command = [sys.executable, "-m", "emwheels", "build", ".", "--no-test", "--json"]
    done = subprocess.run(
        command, cwd=project, env=tiny_project.env, capture_output=True, text=True, timeout=3000, check=False
    )
    assert done.returncode == 0, done.stderr
    wheel = project / json.loads(done.stdout)[0]["wheel"]
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "twine"], check=True)
    python = tmp_path / "twine" / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "-q", "--disable-pip-version-check", "twine>=6.1"], check=True)
    checked = subprocess.run(
        [python, "-m", "twine", "check", "--strict", wheel], capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stdout
    assert "PASSED" in checked.stdout
