"""``emwheels index close``, and what ``publish`` says of an open index, with a package index of files given by hand."""

from __future__ import annotations

import hashlib

import pytest
from sample_run import RELEASE, make_environment
from small_project import make_command_in
from synthetic_wheels import WASM, make_wheel

from emwheels.fetch.index_pages import Offer, Resource


@pytest.fixture
def environment(tmp_path):
    environment = make_environment(tmp_path)
    vars(environment)["runtime_of"] = lambda target: environment.runtime
    return environment


@pytest.fixture
def pypi(monkeypatch, tmp_path, environment):
    """A function that puts a wheel on the package index."""
    wheels = []

    class Registries:
        def __init__(self, downloader):
            pass

        def offers(self, name):
            return [
                Offer(resource=Resource(url="", filename=path.name, sha256=sha256), version=path.name.split("-")[1])
                for path, sha256 in wheels
                if path.name.startswith(f"{name}-")
            ]

    def pypi(name, **options):
        path = make_wheel(tmp_path / "pypi", name, **options)
        wheels.append((path, hashlib.sha256(path.read_bytes()).hexdigest()))
        version = path.name.split("-")[1]
        environment.fetcher.give(f"pkg:pypi/{name}@{version}?file_name={path.name}", (path.name, path.read_bytes()))

    monkeypatch.setattr("emwheels.cli.close.Registries", Registries)
    monkeypatch.setattr("emwheels.cli.close.Downloader", lambda **_options: None)  # half a second, for certificates
    pypi("micropip")
    return pypi


@pytest.fixture
def command(environment, pypi, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("emwheels.index.read_release", lambda target, runtime: RELEASE)
    command = make_command_in(environment, "close", monkeypatch, capsys)
    command("index", "add", make_wheel(tmp_path / "made", "app", tag=WASM, requires=["lib"]))
    return command


def test_an_open_index_is_refused_closed_and_published(command, pypi, tmp_path):
    pypi("lib", version="2.0")
    said = command("publish", tmp_path / "www", status=10)
    assert "app needs lib, which is not in this index (Pyodide 314.0.7)" in said.err
    assert "emwheels index close" in said.err
    said = command("index", "close", "--dry-run")
    assert "would be closed" in said.out
    assert not (command.project / "index.lock").exists()
    said = command("index", "close")
    assert said.lines() == [
        "+ lib-2.0-py3-none-any.whl (app)",
        "+ micropip-1.0-py3-none-any.whl (asked)",
        f"{command.project / 'dist'} is closed: 2 wheels from elsewhere, pinned in {command.project / 'index.lock'}",
    ]
    command("publish", tmp_path / "www")
    assert (tmp_path / "www/wheels/lib-2.0-py3-none-any.whl").is_file()


def test_an_open_index_is_published_if_that_is_wanted(command, tmp_path):
    command("publish", tmp_path / "www", "--open")
    assert (tmp_path / "www/simple/app/index.html").is_file()


def test_closing_in_json(command, pypi):
    pypi("lib", version="2.0")
    found = command("index", "close", "--json", "--with", "lib>=1").json()
    assert found["added"] == ["lib-2.0-py3-none-any.whl", "micropip-1.0-py3-none-any.whl"]
    assert found["wheels"][0]["needed_by"] == ["app", "asked"]
    assert found["with"] == ["lib>=1"]


def test_what_cannot_be_closed_is_named(command, environment):
    (environment.project.recipes / "lib").mkdir()
    (environment.project.recipes / "lib/meta.yaml").touch()
    said = command("index", "close", status=10)
    assert "lib (of app 1.0): there is a recipe: emwheels build lib" in said.err


def test_offline_only_what_is_pinned_comes_in(command, pypi):
    pypi("lib")
    said = command("index", "close", "--offline", status=10)
    assert "offline: no package index is asked for micropip" in said.err
    command("index", "close")
    command("index", "remove", "lib")
    assert "+ lib-1.0-py3-none-any.whl" in command("index", "close", "--offline").out
