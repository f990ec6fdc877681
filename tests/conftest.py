"""The real image and toolchain, made once in the user's cache, and throwaway projects that share them."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import dedent

import platformdirs
import pytest
from hypothesis import settings
from loopback import serving_folder
from packed import tar_gz

from emwheels.checkout import Checkout
from emwheels.pipeline.environment import Environment
from emwheels.progress import Board
from emwheels.target import load_targets

# No test fails because the machine is busy: what an example may take is no property of the code.
settings.register_profile("no deadline", deadline=None)
settings.load_profile("no deadline")

# What runs in the background of a script, or under nohup, ignores these signals and hands that on to what it starts.
# With a handler here, the programs that tests start have the default again.
for number in (signal.SIGINT, signal.SIGHUP):
    if signal.getsignal(number) == signal.SIG_IGN:
        signal.signal(number, lambda *_: None)

CHECKOUT = Path(__file__).resolve().parents[1]
SETUPTOOLS = CHECKOUT / "recipes" / "msgpack" / "requirements.build.txt"
SHARED = ("images", "npm", "xbuildenvs")


WRITE_TO_DIST = ("test_ci.py", "test_recipes.py", "test_upstream.py")
"""Files whose tests build in this very checkout: one process has them all."""


@pytest.hookimpl(tryfirst=True)  # xdist reads the marks in the same hook
def pytest_collection_modifyitems(items):
    """Keep a file's tests in one process, where several run (pytest-xdist): they share what is made for the file."""
    for item in items:
        name = item.path.name
        item.add_marker(pytest.mark.xdist_group("dist" if name in WRITE_TO_DIST else name))


@pytest.fixture(scope="session")
def project_cache():
    cache = os.environ.get("EMWHEELS_CACHE") or platformdirs.user_cache_dir("emwheels")
    return Path(cache).resolve()


@pytest.fixture(scope="session")
def targets():
    return load_targets(CHECKOUT / "targets.toml")


@pytest.fixture(scope="session")
def environment(project_cache, targets):
    return Environment(Checkout(root=CHECKOUT, cache=project_cache), targets, targets.get(None), board=Board())


@pytest.fixture(scope="session")
def image(environment):
    return environment.image


@pytest.fixture(scope="session")
def testing_image(environment):
    return environment.test_image


@pytest.fixture(scope="session")
def service_image(environment):
    return environment.service_image


@pytest.fixture(scope="session")
def toolchain(environment):
    return environment.toolchain


@pytest.fixture(scope="session")
def runtime(environment):
    return environment.runtime


@pytest.fixture(scope="session")
def playwright_core(environment):
    return environment.playwright_core


@pytest.fixture(scope="session")
def harness_wheels(environment):
    return environment.harness_wheels


@dataclass(frozen=True)
class Done:
    status: int
    out: str
    err: str

    def json(self):
        """Return the printed outcomes by name."""
        return {row["name"]: row for row in json.loads(self.out)}

    def states(self):
        return {name: row["state"] for name, row in self.json().items()}


@dataclass
class TinyProject:
    """A project of its own below ``root``: its store and its logs are its own, the image is everybody's."""

    root: Path
    cache: Path
    served: Path
    address: str
    env: dict[str, str] = field(default_factory=dict)

    @property
    def dist(self):
        return self.root / "dist"

    def published(self):
        return sorted(path.name for path in (self.dist / "wheels").glob("*.whl"))

    def half_written(self):
        """Return what an interrupted write would have left in dist."""
        return sorted(str(path) for path in self.dist.rglob(".*"))

    def serve(self, name, data):
        """Put a file on the loopback server and return its URL and sha256."""
        digest = hashlib.sha256(data).hexdigest()
        folder = self.served / digest[:16]
        folder.mkdir(exist_ok=True)
        (folder / name).write_bytes(data)
        return f"{self.address}/{digest[:16]}/{name}", digest

    def recipe(self, name, members, meta="", *, version="1.0", tests=None, locked=True, sha256=None, url=None):
        """Write a recipe whose source is an archive of ``members``; ``meta`` is the rest of its meta.yaml."""
        archive = tar_gz({f"{name}-{version}/{path}": content for path, content in members.items()})
        served, digest = self.serve(f"{name}-{version}.tar.gz", archive)
        return self.recipe_from(
            name, url or served, sha256 or digest, meta, version=version, tests=tests, locked=locked
        )

    def recipe_from(self, name, url, sha256, meta="", *, version="1.0", tests=None, locked=True):
        folder = self.root / "recipes" / name
        folder.mkdir(exist_ok=True)
        (folder / "meta.yaml").write_text(
            f'package:\n  name: {name}\n  version: "{version}"\nsource:\n  url: {url}\n  sha256: {sha256}\n'
            + dedent(meta)
        )
        for file, text in (tests or {}).items():
            (folder / file).write_text(dedent(text))
        if locked:
            shutil.copyfile(SETUPTOOLS, folder / "requirements.build.txt")
        return folder

    def patch(self, name, text, file="0001-tiny.patch"):
        folder = self.root / "patches" / name
        folder.mkdir(exist_ok=True)
        (folder / file).write_text(text)

    def command(self, *arguments):
        return [sys.executable, "-m", "emwheels", "--project", str(self.root), *arguments]

    def run(self, *arguments, seconds=300):
        done = subprocess.run(
            self.command(*arguments), env=self.env, capture_output=True, text=True, timeout=seconds, check=False
        )
        return Done(done.returncode, done.stdout, done.stderr)

    def json(self, *arguments, status=0):
        done = self.run(*arguments, "--json")
        assert done.status == status, done.err
        return done

    def refused(self, status, *words, verb=("build", "--no-test"), names=("tiny",)):
        """Run, and check the shape of a failure: its status, its words, no traceback, nothing published."""
        done = self.run(*verb, *names)
        assert done.status == status, done.err
        for word in words:
            assert word in done.err, f"{word!r} is not in: {done.err}"
        assert "Traceback" not in done.err.replace("  | Traceback", ""), done.err
        assert not self.published()
        assert not self.half_written()
        assert not list((self.cache / "work").glob("*")), "the working folder was left behind"
        return done


@pytest.fixture(scope="session")
def http_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("served")
    with serving_folder(folder) as address:
        yield folder, address


@pytest.fixture(scope="session")
def make_project(http_folder):
    """A factory of projects without a cache to share: for what fails before the image is looked for."""

    def make(root):
        cache = root / "cache"
        project = root / "project"
        for folder in (cache, project / "recipes", project / "patches"):
            folder.mkdir(parents=True)
        shutil.copyfile(CHECKOUT / "targets.toml", project / "targets.toml")
        served, address = http_folder
        no_proxy = f"127.0.0.1,{os.environ.get('no_proxy', '')}"
        env = {**os.environ, "EMWHEELS_CACHE": str(cache), "no_proxy": no_proxy, "NO_PROXY": no_proxy}
        return TinyProject(root=project, cache=cache, served=served, address=address, env=env)

    return make


@pytest.fixture(scope="session")
def make_tiny_project(make_project, environment, project_cache):
    """A factory of projects that can build: they see the image, and what a build needs is in their store."""
    _ = environment.toolchain, environment.playwright_core, environment.harness_wheels
    lock_files = [SETUPTOOLS]
    needed = {
        fetched.sha256
        for lock in lock_files
        for fetched in environment.fetcher.fetch_requirements(lock, python=environment.target.python_minor)
    }
    for wheel in environment.harness_wheels:
        needed.add(hashlib.sha256(wheel.read_bytes()).hexdigest())
    store = project_cache / "store"
    records = [
        path
        for path in (store / "records" / "fetched").glob("*.json")
        if json.loads(path.read_text())["sha256"] in needed
    ]

    def make(root):
        project = make_project(root)
        for name in SHARED:
            (project.cache / name).symlink_to(project_cache / name)
        for path in [*records, *(environment.store.path_of("sources", sha256) for sha256 in needed)]:
            copy = project.cache / "store" / path.relative_to(store)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy)
        return project

    return make


@pytest.fixture
def tools(tmp_path, monkeypatch):
    """Put programs of our own before those of the machine: ``tools(podman="exit 1")``; return what each was asked."""
    folder = tmp_path / "tools"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")

    def add(**scripts):
        for name, script in scripts.items():
            path = folder / name.replace("_", "-")
            path.write_text(f'#!/bin/sh\necho "$@" >> {path}.log\n{script}\n')
            path.chmod(0o755)
        return lambda name: Path(f"{folder / name}.log").read_text().splitlines()

    return add


@pytest.fixture
def plain_project(make_project, tmp_path):
    return make_project(tmp_path)


@pytest.fixture
def tiny_project(make_tiny_project, tmp_path):
    return make_tiny_project(tmp_path)


@pytest.fixture(scope="session")
def extension():
    """A function that returns the source of a package of one extension module: ``extension("tiny", code)``."""

    def make(name, code, *, setup="", suffix="c", **arguments):
        given = "".join(f", {key}={value!r}" for key, value in arguments.items())
        return {
            "pyproject.toml": (
                '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n'
                f'[project]\nname = "{name}"\nversion = "1.0"\n'
            ),
            "setup.py": (
                f"from setuptools import Extension, setup\n{dedent(setup)}\n"
                f'setup(ext_modules=[Extension("{name}", ["{name}.{suffix}"]{given})])\n'
            ),
            f"{name}.{suffix}": dedent(code),
        }

    return make


@pytest.fixture(scope="session")
def module():
    """A function that returns the C of a module with functions of one argument."""

    def make(name, code, *functions):
        rows = "".join(f'    {{"{function}", {function}, METH_O, ""}},\n' for function in functions)
        return (
            f"#include <Python.h>\n{dedent(code)}\n"
            f"static PyMethodDef methods[] = {{\n{rows}    {{NULL, NULL, 0, NULL}},\n}};\n"
            "static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "
            f'"{name}", NULL, -1, methods, NULL, NULL, NULL, NULL}};\n'
            f"PyMODINIT_FUNC PyInit_{name}(void) {{ return PyModule_Create(&definition); }}\n"
        )

    return make
