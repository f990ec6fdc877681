"""``emwheels bundle``: where its wheels come from and what is said of them, with an index and PyPI's files by hand."""

from __future__ import annotations

import hashlib
import json

import pytest
from loopback import serving_folder
from sample_run import RELEASE, make_environment
from small_project import make_command_in
from synthetic_wheels import WASM, make_wheel

from emwheels.fetch.index_pages import Offer, Resource


@pytest.fixture
def environment(tmp_path):
    """One that has a runtime and the harness's wheels, of which micropip and packaging belong into a bundle."""
    environment = make_environment(tmp_path)
    for name in ("pyodide.mjs", "pyodide.asm.mjs", "python_stdlib.zip"):
        (environment.runtime / name).write_text(name)
    wheels = tuple(make_wheel(tmp_path / "harness", name) for name in ("micropip", "packaging", "pytest"))
    vars(environment)["harness_wheels"] = wheels
    return environment


@pytest.fixture
def pypi(monkeypatch, tmp_path, environment):
    """A function that puts a wheel on PyPI; ``pypi.asked`` is which projects it was asked for."""
    wheels = []

    class Registries:
        def __init__(self, downloader):
            pass

        def offers(self, name):
            pypi.asked.append(name)
            return [
                Offer(resource=Resource(url="", filename=path.name, sha256=sha256), version=path.name.split("-")[1])
                for path, sha256 in wheels
                if path.name.startswith(f"{name}-")
            ]

    def pypi(name, *, sha256=True, **options):
        path = make_wheel(tmp_path / "pypi", name, **options)
        wheels.append((path, hashlib.sha256(path.read_bytes()).hexdigest() if sha256 else None))
        version = path.name.split("-")[1]
        environment.fetcher.give(f"pkg:pypi/{name}@{version}?file_name={path.name}", (path.name, path.read_bytes()))

    pypi.asked = []
    monkeypatch.setattr("emwheels.cli.bundle.Registries", Registries)
    monkeypatch.setattr("emwheels.cli.bundle.Downloader", lambda **_options: None)  # half a second, for certificates
    return pypi


@pytest.fixture
def command(environment, pypi, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("emwheels.cli.bundle.read_release", lambda target, runtime: RELEASE)
    command = make_command_in(environment, "bundle", monkeypatch, capsys)
    command("index", "add", make_wheel(tmp_path / "made", "app", tag=WASM, requires=["lib"]))
    return command


def test_wheels_of_the_index_come_first_and_pypi_s_besides(command, pypi, tmp_path):
    pypi("app", version="9.0")
    pypi("lib", version="2.0")
    said = command("bundle", "-o", tmp_path / "out", "app")
    files = {line.split()[1]: line.split()[0] for line in said.out.splitlines()[:-1]}
    assert files[f"app-1.0-{WASM}.whl"] == "index"
    assert files["lib-2.0-py3-none-any.whl"] == "pypi"
    size = sum(path.stat().st_size for path in (tmp_path / "out").rglob("*") if path.is_file())
    assert said.out.splitlines()[-1] == (
        f"{tmp_path / 'out'}: {size:,} bytes. To see it: cd {tmp_path / 'out'} && "
        "python3 -m http.server --bind 127.0.0.1"
    )


def test_the_installer_is_in_it_and_the_rest_of_the_harness_is_not(command, pypi, tmp_path):
    pypi("lib")
    command("bundle", "-o", tmp_path / "out", "app")
    packages = json.loads((tmp_path / "out" / "pyodide-lock.json").read_text())["packages"]
    assert sorted(packages) == ["app", "lib", "micropip", "packaging"]


def test_json(command, pypi, tmp_path):
    pypi("lib", version="2.0")
    found = command("bundle", "-o", tmp_path / "out", "app", "--json").json()
    assert found["folder"] == str(tmp_path / "out")
    assert {(row["name"], row["version"], row["source"]) for row in found["wheels"]} >= {
        ("app", "1.0", "index"),
        ("lib", "2.0", "pypi"),
    }
    assert found["bytes"] > 0


def test_offline_pypi_is_not_asked(command, pypi, tmp_path):
    pypi("lib")
    said = command("bundle", "-o", tmp_path / "out", "app", "--offline", status=10)
    assert pypi.asked == []
    assert "lib (of app 1.0)" in said.err
    assert "emwheels explain lib" in said.err
    assert not (tmp_path / "out").exists()


def test_a_recipe_of_what_is_missing_is_named(command, environment, tmp_path):
    (environment.project.recipes / "lib").mkdir()
    (environment.project.recipes / "lib/meta.yaml").touch()
    said = command("bundle", "-o", tmp_path / "out", "app", status=10)
    assert "lib (of app 1.0): there is a recipe: emwheels build lib" in said.err


def test_a_file_without_a_hash_is_not_taken(command, pypi, tmp_path):
    pypi("lib", sha256=False)
    said = command("bundle", "-o", tmp_path / "out", "app", status=4)
    assert "lib-1.0-py3-none-any.whl: the package index gives no sha256 for it" in said.err
    assert not (tmp_path / "out").exists()


def test_the_index_of_a_profile(command, pypi, tmp_path):
    pypi("lib")
    command("index", "add", make_wheel(tmp_path / "made", "app", "3.0", tag=WASM), "--profile", "size")
    found = command("bundle", "-o", tmp_path / "out", "app", "--profile", "size", "--json").json()
    assert ("app", "3.0") in {(row["name"], row["version"]) for row in found["wheels"]}


@pytest.mark.parametrize("text", ["numpy>", "numpy 2", "numpy["])
def test_what_is_no_requirement(command, tmp_path, text):
    said = command("bundle", "-o", tmp_path / "out", "app", text, status=2)
    assert said.err.startswith(f"emwheels: {text!r} is not a requirement: ")
    assert not (tmp_path / "out").exists()


def test_a_folder_that_is_in_use(command, pypi, tmp_path):
    pypi("lib")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").write_text("mine")
    assert "is there already" in command("bundle", "-o", tmp_path / "out", "app", status=2).err
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["mine"]


def test_a_folder_and_a_requirement_are_needed(command, tmp_path):
    assert "-o/--output" in command("bundle", "app", status=2).err
    assert "REQUIREMENT" in command("bundle", "-o", tmp_path / "out", status=2).err


def test_wheels_of_a_published_index(command, pypi, environment, tmp_path):
    pypi("lib", version="2.0")
    command("publish", tmp_path / "www", "--open")
    command("index", "remove", "app")
    with serving_folder(tmp_path / "www") as address:
        name = f"app-1.0-{WASM}.whl"
        environment.fetcher.give(f"{address}/wheels/{name}", (name, (tmp_path / "www/wheels" / name).read_bytes()))
        said = command("bundle", "-o", tmp_path / "out", "app", "--index", f"{address}/simple")
        assert said.lines()[:2] == [f"index {name}", "pypi lib-2.0-py3-none-any.whl"]
        assert (
            "has no index" in command("bundle", "-o", tmp_path / "no", "app", "--index", f"{address}/x", status=10).err
        )
    assert "is no URL" in command("bundle", "-o", tmp_path / "no", "app", "--index", "www", status=2).err
    lock = json.loads((tmp_path / "out/pyodide/pyodide-lock.json").read_text())
    assert lock["packages"]["app"]["file_name"] == f"../wheels/{name}"
