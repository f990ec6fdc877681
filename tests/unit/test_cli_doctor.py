"""``emwheels doctor``: what it prints and how it ends."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from sample_run import make_environment
from small_project import CHECKOUT, make_command_in

from emwheels.pipeline.doctor.model import fault, observed

FINE = observed("cache", "75.0 GB free")
WARNING = fault("memory", "2 cores", "build less")
STOPS = fault("sandbox", "bwrap: no", "allow user namespaces", stops=True)


@pytest.fixture
def command(tmp_path, monkeypatch, capsys):
    command = make_command_in(make_environment(tmp_path), "doctor", monkeypatch, capsys)

    def with_findings(*found):
        monkeypatch.setattr("emwheels.cli.doctor.examine", lambda environment: list(found))
        return command

    return with_findings


def test_lines(command):
    assert command(FINE, WARNING)("doctor").out == (
        "ok       cache   75.0 GB free\nwarning  memory  2 cores\n                 -> build less\n\na build can run\n"
    )


def test_what_stops_a_build_is_the_status(command):
    said = command(FINE, STOPS)("doctor", status=5).lines()
    assert said[1:] == ["no sandbox bwrap: no", "-> allow user namespaces", "", "a build cannot run: sandbox"]


def test_json(command):
    found = command(STOPS)("doctor", "--json", status=5).json()
    assert found["can build"] is False
    row = {"state": "no", "name": "sandbox", "detail": "bwrap: no", "hint": "allow user namespaces"}
    assert found["checks"] == [row]


def test_this_machine_offline(tmp_path):
    project = make_environment(tmp_path).project
    (project.root / "targets.toml").write_bytes((CHECKOUT / "targets.toml").read_bytes())
    done = subprocess.run(
        [sys.executable, "-m", "emwheels", "--project", str(project.root), "doctor", "--offline", "--json"],
        env={**os.environ, "EMWHEELS_CACHE": str(project.cache)},
        capture_output=True,
        text=True,
        check=False,
        timeout=40,
    )
    assert done.stderr == ""
    found = json.loads(done.stdout)
    states = {each["name"]: each["state"] for each in found["checks"]}
    assert done.returncode == (5 if "no" in states.values() else 0)
    assert states["network"] == "warning"
    assert all(each["hint"] for each in found["checks"] if each["state"] != "ok")
    assert sorted(path.name for path in project.cache.rglob("*") if path.is_file()) == [], "nothing is made"
