"""``emwheels serve``: what the server is given, and the configurations that are written."""

from __future__ import annotations

import pytest
from small_project import make_command

from emwheels.errors import UsageError
from emwheels.serve import CONFIGURATIONS


@pytest.fixture
def command(tmp_path, monkeypatch, capsys):
    command = make_command(tmp_path / "project", monkeypatch, capsys)
    (command.project / "dist" / "simple").mkdir(parents=True)
    (command.project / "ci").mkdir()
    return command


@pytest.fixture
def served(monkeypatch):
    """What `serve` was called with; it is ready at once and ends."""
    calls = []

    def serve(folder, *, ready, **options):
        calls.append((folder, options))
        ready(f"http://{options['host']}:{options['port'] or 49152}")

    monkeypatch.setattr("emwheels.cli.serve.serve", serve)
    return calls


def test_dist_is_served_on_this_machine_only(command, served):
    said = command("serve")
    dist = command.project / "dist"
    assert said.out == (f"{dist} at http://127.0.0.1:8000 (index: http://127.0.0.1:8000/simple/); stop with Ctrl-C\n")
    assert served == [(dist, {"host": "127.0.0.1", "port": 8000, "isolated": False, "access_log": True})]


def test_what_is_served_and_how_can_be_said(command, served, tmp_path):
    command("serve", tmp_path / "other", "--host", "0.0.0.0", "--port", "0", "--isolated", "--quiet")
    assert served == [(tmp_path / "other", {"host": "0.0.0.0", "port": 0, "isolated": True, "access_log": False})]


@pytest.mark.parametrize("port", ["-1", "65536", "1000000"])
def test_a_port_that_there_is_not(command, served, port):
    assert command("serve", "--port", port, status=2).err == f"emwheels: --port {port}: ports are 0 to 65535\n"
    assert served == []


@pytest.mark.parametrize("port", ["0", "65535"])
def test_the_first_and_the_last_port(command, served, port):
    command("serve", "--port", port)
    assert served[0][1]["port"] == int(port)


def test_a_port_that_is_no_number(command, served):
    assert "invalid int value: 'http'" in command("serve", "--port", "http", status=2).err


def test_a_folder_that_there_is_not(command):
    said = command("serve", command.project / "nothing", status=2)
    assert "nothing" in said.err


def test_what_the_server_cannot_do_is_a_message(command, monkeypatch):
    def serve(folder, **options):
        raise UsageError("port 8000 is taken", hint="give another: --port")

    monkeypatch.setattr("emwheels.cli.serve.serve", serve)
    assert command("serve", status=2).err == "emwheels: port 8000 is taken\n  give another: --port\n"


@pytest.mark.parametrize("kind", sorted(CONFIGURATIONS))
def test_a_configuration_is_printed_and_nothing_is_served(command, served, kind):
    said = command("serve", "--config", kind, "--root", "/srv/wheels")
    assert said.out.endswith("\n")
    assert "application/wasm" in said.out or "wasm" in said.out
    assert served == []
    assert said.err == ""


def test_a_configuration_is_for_dist_unless_another_root_is_given(command):
    assert str(command.project / "dist") in command("serve", "--config", "nginx").out
    given = command("serve", "--config", "nginx", "--root", "/srv/wheels", "--host", "0.0.0.0", "--port", "8080").out
    assert str(command.project) not in given
    assert "/srv/wheels" in given
    assert "0.0.0.0:8080" in given


def test_isolation_is_in_the_configuration(command):
    plain, isolated = (command("serve", "--config", "nginx", *more).out for more in ([], ["--isolated"]))
    assert "Cross-Origin-Embedder-Policy" not in plain
    assert "Cross-Origin-Embedder-Policy" in isolated


def test_each_profile_has_its_rules(command):
    for name in ("size", "debug", ".hidden"):
        (command.project / "dist" / name / "simple").mkdir(parents=True)
    said = command("serve", "--config", "headers").out
    assert "/size/simple/" in said
    assert "/debug/simple/" in said
    assert ".hidden" not in said


@pytest.mark.parametrize("kind", sorted(CONFIGURATIONS))
def test_a_configuration_is_written_where_it_belongs(command, kind):
    said = command("serve", "--config", kind, "--root", "/srv/wheels", "--output")
    folder = command.project / ("dist" if kind == "headers" else "ci")
    assert said.out == f"{folder / CONFIGURATIONS[kind]}\n"
    assert (folder / CONFIGURATIONS[kind]).read_text() == command(
        "serve", "--config", kind, "--root", "/srv/wheels"
    ).out


def test_a_configuration_is_written_where_it_is_said(command, tmp_path):
    said = command("serve", "--config", "nginx", "--output", tmp_path / "wheels.conf")
    assert said.out == f"{tmp_path / 'wheels.conf'}\n"
    assert "server" in (tmp_path / "wheels.conf").read_text()


def test_a_place_that_cannot_be_written_is_a_message(command, tmp_path):
    said = command("serve", "--config", "nginx", "--output", tmp_path / "nowhere" / "wheels.conf", status=1)
    assert said.err == f"emwheels: No such file or directory: {tmp_path / 'nowhere' / 'wheels.conf'}\n"


def test_a_root_that_cannot_be_written_into_a_configuration(command):
    said = command("serve", "--config", "nginx", "--root", '/srv/"; evil', status=2)
    assert "evil" in said.err
    assert said.out == ""
