"""Run the steps of a workflow file on this machine, in order: what of them needs no service of the host.

    ci/run_steps.py ci/github/wheels.yml check                     the steps of one job
    ci/run_steps.py ci/gitlab/wheels.gitlab-ci.yml pages --skip login.sh
    ci/run_steps.py ci/github/wheels.yml level-0 --set PACKAGES=xxhash --list
    ci/run_steps.py ci/github/build-project/action.yml runs --set EMWHEELS_PROJECT=. (an action: its steps)
    ci/run_steps.py ci/gitlab/build-project.yml emwheels --set inputs.targets=314.0.7 (a file with inputs)

Steps that use an action are named and left out. A value that only the service knows (``${{ … }}`` on GitHub, ``$CI_…``
on GitLab) is given with ``--set``; one that a step needs and nobody gave is an error. Prints each step with its time
and ends with the status of the first that fails.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import yaml


def github_steps(workflow: dict[str, Any], job: str) -> list[tuple[str, str, dict[str, str]]]:
    """Return name, script and environment of each step of ``job``; no script for an action."""
    outer = {**workflow.get("env", {}), **workflow["jobs"][job].get("env", {})}
    steps = []
    for step in workflow["jobs"][job]["steps"]:
        name = step.get("name", step.get("uses", "step"))
        steps.append((name, step.get("run", ""), {**outer, **step.get("env", {})}))
    return steps


def action_steps(action: dict[str, Any], job: str) -> list[tuple[str, str, dict[str, str]]]:
    """Return the steps of a composite action, as `github_steps` does."""
    return github_steps({"jobs": {job: action[job]}}, job)


def read_workflow(text: str, given: dict[str, str]) -> dict[str, Any]:
    """Return a workflow file; of one for GitLab that has inputs, what it is for those that are given by name."""
    documents = list(yaml.safe_load_all(text))
    if len(documents) > 1:
        for name, told in documents[0]["spec"]["inputs"].items():
            value = given.get(f"inputs.{name}", (told or {}).get("default"))
            if value is None:
                raise SystemExit(f"give --set inputs.{name}=…")
            text = text.replace(f"$[[ inputs.{name} ]]", str(value))
    found: dict[str, Any] = list(yaml.safe_load_all(text))[-1]
    return found


def gitlab_steps(workflow: dict[str, Any], job: str) -> list[tuple[str, str, dict[str, str]]]:
    """Return ``job`` as one step, with what it has of the job that it extends: its lines share a shell."""
    table = workflow[job]
    base = workflow.get(table.get("extends", ""), {})
    environment = {**workflow.get("variables", {}), **base.get("variables", {}), **table.get("variables", {})}
    lines = [*table.get("before_script", base.get("before_script", [])), *table["script"]]
    return [(job, "\n".join(lines), environment)]


def main(argv: list[str] | None = None) -> int:
    """Run the steps and return the status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("job")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a value for the environment")
    parser.add_argument(
        "--skip", action="append", default=[], metavar="TEXT", help="leave out lines that have this text"
    )
    parser.add_argument("--list", action="store_true", help="print the steps and run none")
    arguments = parser.parse_args(argv)
    given = dict(each.split("=", 1) for each in arguments.set)
    workflow = read_workflow(arguments.file.read_text(encoding="utf-8"), given)
    given = {name: value for name, value in given.items() if "." not in name}
    if arguments.job not in workflow.get("jobs", workflow):
        parser.error(f"{arguments.file} has no job {arguments.job}")
    read = github_steps if "jobs" in workflow else action_steps if "runs" in workflow else gitlab_steps
    with tempfile.TemporaryDirectory() as folder:
        for name, script, environment in read(workflow, arguments.job):
            if not script:
                print(f"--- {name}: an action, left out", flush=True)
                continue
            kept = "\n".join(line for line in script.splitlines() if not any(text in line for text in arguments.skip))
            if arguments.list or not kept:
                print(f"--- {name}{'' if kept else ': left out'}\n{kept}", flush=True)
            elif status := _run(name, kept, environment, given, Path(folder)):
                return status
    return 0


def _run(name: str, script: str, environment: dict[str, str], given: dict[str, str], folder: Path) -> int:
    values = {key: str(value) for key, value in environment.items() if "${{" not in str(value)} | given
    needed = [key for key in environment if key not in values and f"${key}" in script.replace("{", "")]
    if needed:
        print(f"--- {name}: give --set {needed[0]}=…", file=sys.stderr)
        return 2
    print(f"--- {name}\n{script}", flush=True)
    began = time.monotonic()
    outputs = {"GITHUB_OUTPUT": str(folder / "output"), "GITHUB_STEP_SUMMARY": str(folder / "summary")}
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script], env={**outputs, **os.environ, **values}, check=False
    )
    print(f"--- {name}: status {done.returncode}, {time.monotonic() - began:.1f} s", flush=True)
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
