"""What the action for GitHub and the job for GitLab run beside emwheels: options of a build, and comments."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

CHECKOUT = Path(__file__).resolve().parents[2]
GITHUB = CHECKOUT / "ci" / "github" / "build-project"
GITLAB = CHECKOUT / "ci" / "gitlab"
MARK = "<!-- emwheels build -->"
GH = """#!/bin/sh
echo "$@" >> gh.log
for each; do case "$each" in body=@*) cp "${each#body=@}" body ;; esac; done
case "$*" in *--jq*) cat earlier ;; esac
"""
CURL = """#!/bin/sh
echo "$@" >> curl.log
while [ $# -gt 0 ]; do
    case "$1" in
        --output) case "$2" in */notes) cp notes.json "$2" ;; *) : > "$2" ;; esac ;;
        --config) cp "$2" config ;;
        body@*) cp "${1#body@}" body ;;
    esac
    shift
done
"""


@pytest.fixture
def here(tmp_path, monkeypatch):
    for name, text in (("gh", GH), ("curl", CURL)):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    return tmp_path


def run(script, *arguments, **variables):
    env = {name: value for name, value in os.environ.items() if not name.startswith(("EMWHEELS", "CI_", "GITHUB"))}
    done = subprocess.run([script, *arguments], env=env | variables, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_options_of_a_build(here):
    (here / "echo").write_text('#!/bin/sh\nprintf "%s\\n" "$@" > told\n')
    (here / "echo").chmod(0o755)
    script = CHECKOUT / "ci" / "build-project.sh"
    run(script, EMWHEELS=str(here / "echo"), EMWHEELS_RECIPES=str(here))
    assert (here / "told").read_text().split("\n")[:-1] == [
        *("build", ".", "--output-dir", "wheelhouse", "--summary", "emwheels.md"),
    ]
    run(
        script,
        EMWHEELS=f"{here / 'echo'} x",
        EMWHEELS_PROJECT="a b",
        EMWHEELS_TARGETS="1,2",
        EMWHEELS_ENGINES="node, chromium-page",
        EMWHEELS_ARGUMENTS="--locked --jobs 2",
    )
    told = (here / "told").read_text().split("\n")[:-1]
    assert told[:5] == ["x", "--project", str(CHECKOUT), "build", "a b"]
    assert told[9:] == [
        *("--target", "1,2", "--engine", "node", "--engine", "chromium-page", "--locked", "--jobs", "2"),
    ]


@pytest.mark.parametrize(
    ("earlier", "asked"), [("", "--method POST repos/o/r/issues/7/comments"), ("42\n43\n", "comments/42")]
)
def test_a_comment_on_github_is_made_once(here, earlier, asked):
    (here / "earlier").write_text(earlier)
    (here / "emwheels.md").write_text(f"{MARK}\nwheels\n" + "x" * 70000)
    run(GITHUB / "comment.sh", "emwheels.md", NUMBER="7", GITHUB_REPOSITORY="o/r", GH_TOKEN="t")
    assert asked in (here / "gh.log").read_text().splitlines()[-1]
    assert (here / "body").read_text().startswith(f"{MARK}\nwheels\n")
    assert (here / "body").stat().st_size == 60000


def test_no_comment_without_a_request(here):
    (here / "emwheels.md").write_text(MARK)
    run(GITHUB / "comment.sh", "emwheels.md", NUMBER="", GITHUB_REPOSITORY="o/r")
    run(GITLAB / "comment.sh", "emwheels.md", CI_MERGE_REQUEST_IID="7")
    run(GITLAB / "comment.sh", "missing.md", CI_MERGE_REQUEST_IID="7", EMWHEELS_COMMENT_TOKEN="t")
    assert not (here / "gh.log").exists()
    assert not (here / "curl.log").exists()


@pytest.mark.parametrize(
    ("notes", "asked"),
    [
        ([{"id": 1, "body": "hello"}], "--request POST"),
        ([{"id": 5, "body": f"{MARK}\nold"}], "--request PUT"),
    ],
)
def test_a_note_on_gitlab_is_made_once_and_its_token_is_in_no_command(here, notes, asked):
    (here / "notes.json").write_text(json.dumps(notes))
    (here / "emwheels.md").write_text(f"{MARK}\nwheels\n")
    where = {"CI_API_V4_URL": "https://example.org/api/v4", "CI_PROJECT_ID": "3", "CI_MERGE_REQUEST_IID": "7"}
    run(GITLAB / "comment.sh", "emwheels.md", EMWHEELS_COMMENT_TOKEN="secret-token", **where)
    asks = (here / "curl.log").read_text()
    assert asked in asks.splitlines()[-1]
    assert ("notes/5" in asks.splitlines()[-1]) == ("PUT" in asked)
    assert "secret-token" not in asks
    assert "secret-token" in (here / "config").read_text()
    assert (here / "body").read_text() == f"{MARK}\nwheels\n"


def test_every_input_is_used_and_explained():
    action = yaml.safe_load((GITHUB / "action.yml").read_text())
    steps = json.dumps(action["runs"]) + json.dumps(action["outputs"])
    for name, told in action["inputs"].items():
        assert f"inputs.{name}" in steps, name
        assert told["description"]
    spec, jobs = yaml.safe_load_all((GITLAB / "build-project.yml").read_text())
    for name in spec["spec"]["inputs"]:
        assert f"$[[ inputs.{name} ]]" in json.dumps(jobs), name
    assert {*action["inputs"]} - {*spec["spec"]["inputs"]} == {"cache", "comment", "token"}


def test_values_of_the_service_go_through_the_environment():
    action = yaml.safe_load((GITHUB / "action.yml").read_text())
    assert not [step for step in action["runs"]["steps"] if "${{" in step.get("run", "")]


def test_the_job_for_gitlab_is_what_its_schema_takes(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(CHECKOUT / "ci")
    from run_steps import read_workflow

    text = (GITLAB / "build-project.yml").read_text()
    with pytest.raises(SystemExit, match=r"give --set inputs\.source="):
        read_workflow(text, {})
    job = read_workflow(text, {"inputs.source": "https://example.org/e@0", "inputs.job": "wheels"})
    assert list(job) == ["wheels"]
    (tmp_path / "job.yml").write_text(yaml.safe_dump(job))
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.gitlab-ci", tmp_path / "job.yml"]
    assert subprocess.run(command, check=False).returncode == 0
