"""No secret that this machine holds is in what a build, its tests, a shared store and a published index leave behind.

See tests/unit/test_secrets.py for what needs no image.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os

import pytest
from echoing import echo
from packed import tar_gz
from planted import Planted
from registry import PASSWORD, USER, LocalRegistry
from synthetic_wheels import make_wheel

pytestmark = [pytest.mark.image, pytest.mark.timeout(400)]

TINY_C = "static PyObject *same(PyObject *self, PyObject *value) { return Py_NewRef(value); }\n"
NOSY_SETUP = """
import os, pathlib
print(dict(os.environ))
for path in ("~/.netrc", "~/.npmrc", "~/.docker/config.json", "/etc/apt/sources.list", "/proc/1/environ"):
    try:
        print(path, pathlib.Path(path).expanduser().read_bytes())
    except OSError as error:
        print(error)
"""
NOSY_TEST = """
    import os
    import tiny

    def test_same(): assert tiny.same(2) == 2
    def test_environment():
        print(dict(os.environ))
        assert dict(os.environ) == {}
"""


@pytest.fixture
def server():
    with echo() as server:
        yield server


@pytest.fixture
def planted(tmp_path, monkeypatch, server, tiny_project):
    """The machine of ``tiny_project``, with a secret in each place that has one."""
    planted = Planted(tmp_path, monkeypatch)
    planted.write(".netrc", f"machine 127.0.0.1 login jane password {planted.plain('netrc')}\n")
    planted.write(".npmrc", f"//127.0.0.1/:_authToken={planted.plain('npmrc')}\n")
    planted.write("pip.conf", f"[global]\nindex-url = {server.at('login', planted.login('pip.conf'))}/simple/\n")
    planted.set(
        PIP_EXTRA_INDEX_URL=f"{server.at('refuse', planted.login('extra'))}/simple/",
        npm_config_registry=f"{server.at('login', planted.login('npm'))}/npm",
        EMWHEELS_DEBIAN_MIRROR=f"{server.at('login', planted.login('mirror'))}/debian",
        https_proxy=server.at("", planted.login("proxy")),
        no_proxy="127.0.0.1",
        AWS_ACCESS_KEY_ID="AKID",
        AWS_SECRET_ACCESS_KEY=planted.plain("aws"),
        AWS_SESSION_TOKEN=planted.plain("session"),
        AWS_REGION="us-east-1",
        AWS_ENDPOINT_URL=server.at("refuse"),
        RSYNC_PASSWORD=planted.plain("rsync"),
    )
    tiny_project.env = {**os.environ, "EMWHEELS_CACHE": str(tiny_project.cache)}
    planted.begin()
    return planted


@pytest.fixture
def run(planted, tiny_project):
    """Run a command, hold its status and that it says and writes no secret, and return what it said."""

    def run(*arguments, status=0):
        done = tiny_project.run(*map(str, arguments))
        assert done.status == status, done.err
        assert "Traceback" not in done.err
        assert planted.found_in(done.out, done.err) == []
        return done

    return run


@pytest.fixture
def recipe(planted, server, tiny_project, extension, module):
    """The recipe of a package that prints what it sees of the machine, in its build and in its tests."""
    files = extension("tiny", module("tiny", TINY_C, "same"), setup=NOSY_SETUP)
    source = tar_gz({f"tiny-1.0/{name}": text for name, text in files.items()})
    server.files["tiny-1.0.tar.gz"] = source
    url = f"{server.at('login')}/tiny-1.0.tar.gz?token={planted.secret('source')}"
    folder = tiny_project.recipe_from(
        "tiny", url, hashlib.sha256(source).hexdigest(), tests={"test_tiny.py": NOSY_TEST}
    )
    planted.begin()
    return folder


@pytest.mark.usefixtures("recipe")
def test_what_a_build_and_its_tests_leave(run, tiny_project, server, tmp_path):
    """The build report and the SBOM in the wheel, the audit, JUnit's file, logs, store records, pages and --json."""
    run("build", "tiny", "--engine", "node", "--json", status=8)
    assert server.signed_in("login")
    assert list(tiny_project.cache.rglob("logs/**/*.log")), "the build's log is kept"
    run("build", "tiny", "--no-test", "--json")
    assert tiny_project.published()
    assert list(tiny_project.dist.rglob("*.xml")), "JUnit's file of the tests that failed"
    for verb in (["plan", "--json"], ["status"], ["list", "--json"], ["cache", "info", "--json"]):
        run(*verb)
    run("cache", "export", tmp_path / "exported")
    run("publish", tmp_path / "www", "--base-url", "https://wheels.example.org/")
    run("publish", "s3://bucket/wheels", status=10)
    run("doctor", "--json")


@pytest.mark.usefixtures("recipe")
def test_what_a_registry_gets(run, planted, service_image, tmp_path):
    registry = LocalRegistry(
        service_image, tmp_path / "registry", auth={"htpasswd": {"realm": "here", "path": "/mnt/registry/htpasswd"}}
    ).start()
    try:
        coded = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        planted.write(".docker/config.json", json.dumps({"auths": {registry.host: {"auth": coded}}}))
        planted.begin()
        run("build", "tiny", "--no-test", "--remote", registry.url, "--push", "--json")
        assert len(registry.tags()) == 1
    finally:
        registry.kill()
    assert [
        path
        for path in tmp_path.rglob("*")
        if path.is_file() and path.name != "config.json" and (data := path.read_bytes())
        if PASSWORD.encode() in data or coded.encode() in data
    ] == []


def test_an_index_behind_a_password(run, planted, server, tiny_project, tmp_path):
    """pip and uv are given the address, and quote it."""
    run("index", "add", make_wheel(tmp_path / "made", "demo"))
    for path in tiny_project.dist.rglob("*"):
        if path.is_file():
            name = str(path.relative_to(tiny_project.dist)).removesuffix("/index.html")
            server.files[name] = path.read_bytes()
    clients = ("--client", "pip", "--client", "uv", "--client", "micropip-node")
    planted.begin()
    for mode, form, projects in (("login", ["--json"], ["demo"]), ("refuse", [], [])):
        url = f"{server.at(mode, planted.login('index'))}/simple/"
        done = run("index", "verify", url, *clients, *form, status=10)
        assert [name for name in ("demo",) if name in done.out] == projects
