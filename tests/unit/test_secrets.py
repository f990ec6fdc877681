"""No secret that this machine holds is in anything that a command says or writes.

Each test plants some, each where people keep them, runs the command against servers that say back what they were sent,
and searches everything.
"""

from __future__ import annotations

import base64
import hashlib
import json

import pytest
from echoing import SIGNATURE, TOKEN, echo
from packed import tar_gz
from planted import Planted
from sample_run import add_recipe, make_environment
from small_project import make_command, make_command_in
from synthetic_wheels import make_wheel

from emwheels.fetch.fetcher import Fetcher
from emwheels.fetch.pip_configuration import python_with_pip
from emwheels.progress import Board
from emwheels.store import Store

SOURCE = tar_gz({"tiny-1.0/pyproject.toml": '[build-system]\nrequires = ["demo"]\n'})
SHA256 = hashlib.sha256(SOURCE).hexdigest()
TOKENS = "?token={0}&plain=1&X-Amz-Signature={0}"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return make_wheel(tmp_path_factory.mktemp("made"), "demo")


@pytest.fixture
def server(made):
    """It has the source of ``tiny``, also as npm and Debian have one, and an index with ``demo``."""
    with echo() as server:
        page = (
            f'<a href="../../files/{made.name}#sha256={hashlib.sha256(made.read_bytes()).hexdigest()}">{made.name}</a>'
        )
        server.files = {
            "tiny-1.0.tar.gz": SOURCE,
            "debian/pool/main/t/tiny/tiny_1.0.orig.tar.gz": SOURCE,
            "npm/tiny/1.0": json.dumps({"dist": {"tarball": "https://registry.example.org/tiny-1.0.tgz"}}).encode(),
            "npm/tiny-1.0.tgz": SOURCE,
            "simple/demo": page.encode(),
            "simple/tiny": b'<a href="../../tiny-1.0.tar.gz">tiny-1.0.tar.gz</a>',
            f"files/{made.name}": made.read_bytes(),
        }
        yield server


@pytest.fixture(scope="module")
def python():
    return python_with_pip()


@pytest.fixture
def planted(tmp_path, monkeypatch, server, python):
    planted = Planted(tmp_path, monkeypatch)
    planted.know(SIGNATURE, TOKEN)
    monkeypatch.setattr("emwheels.fetch.pip_configuration.python_with_pip", lambda: python)  # a second, to look again
    planted.set(PIP_INDEX_URL=f"{server.at('open')}/simple/", npm_config_registry=f"{server.at('open')}/npm")
    planted.set(EMWHEELS_DEBIAN_MIRROR=f"{server.at('open')}/debian")
    return planted


@pytest.fixture
def command(tmp_path, monkeypatch, capsys, planted):
    return make_command(tmp_path / "project", monkeypatch, capsys)


@pytest.fixture
def run(command, planted):
    """Run a command, hold its status and that no secret is in what it says and writes, and return what it said.

    Left aside is what somebody else wrote, ``theirs``.
    """

    def run(*arguments, status=0, by=command, theirs=b""):
        planted.begin(theirs)
        said = by(*arguments, status=status)
        assert planted.found_in(said.out, said.err) == []
        return said

    return run


@pytest.fixture
def recipe(command):
    """Write the recipe ``tiny``, and return its folder."""

    def write(url, sha256=SHA256, more=""):
        folder = command.project / "recipes" / "tiny"
        folder.mkdir(exist_ok=True)
        text = f'package:\n  name: tiny\n  version: "1.0"\nsource:\n  url: {url}\n  sha256: {sha256}\n{more}'
        (folder / "meta.yaml").write_text(text)
        return folder

    return write


def test_the_search_finds_what_is_there(planted, tmp_path, made):
    secret = planted.plain("planted")
    planted.write(".netrc", secret)
    planted.begin()
    assert planted.found_in("nothing") == []
    make_wheel(tmp_path / "dist", "leaky", files={"leaky.py": secret})
    (tmp_path / "log").write_text(base64.b64encode(f"jane:{secret}".encode()).decode())
    assert len(planted.found_in(f"see https://jane:{planted.secret('planted')}@example.org/")) == 4


# Recipes.


@pytest.mark.parametrize(
    "url", ["https://{}@example.org/tiny-1.0.tar.gz", "git+https://{}@example.org/tiny@abc", "https://{}@[bad/x.tar.gz"]
)
def test_a_password_of_a_recipe(run, recipe, planted, url):
    recipe(url.format(planted.login("source")))
    for verb in (["plan", "--json"], ["lock", "tiny"], ["list"], ["build", "tiny"]):
        assert "source.url" in run(*verb, status=3).err


@pytest.mark.parametrize("url", ["pkg:pypi/tiny@1.0?repository_url=https://{}@example.org", "pkg:https://{}@1.0"])
def test_a_password_of_a_package_url(run, recipe, planted, url):
    recipe(url.format(planted.login("purl")))
    run("plan", status=3)


def test_a_password_of_a_requirement(run, recipe, planted, server):
    """It is refused before anybody is asked for it."""
    direct = f"demo @ git+{server.at('refuse', planted.login('git'))}/demo.git"
    source = tar_gz({"tiny-1.0/pyproject.toml": f"[build-system]\nrequires = ['{direct}']\n"})
    server.files["direct.tar.gz"] = source
    recipe(f"{server.at('open')}/direct.tar.gz", hashlib.sha256(source).hexdigest())
    assert "demo is a repository" in run("lock", "tiny", status=3, theirs=source).err
    recipe(server.at("open"), more=f"requirements:\n  host: ['{direct}']\n")
    run("plan", status=3)


@pytest.mark.parametrize("answer", ["refuse: answered 403", "redirect: answered 401", "open: expected sha256 000"])
def test_a_token_of_a_source(run, recipe, planted, server, answer):
    mode, _, says = answer.partition(": ")
    recipe(f"{server.at(mode)}/tiny-1.0.tar.gz{TOKENS.format(planted.secret('token'))}", "0" * 64)
    assert says in run("lock", "tiny", "--json", status=4).err


def test_a_source_of_another_token_is_the_same(planted, server, tmp_path):
    fetcher = Fetcher(Store(tmp_path / "store"))
    planted.begin()
    for name in ("first", "second"):
        url = f"{server.at('open')}/tiny-1.0.tar.gz{TOKENS.format(planted.secret(name))}"
        fetched = fetcher.fetch(url, SHA256)
        assert (fetched.url, fetched.path.read_bytes()) == (f"{server.at('open')}/tiny-1.0.tar.gz?plain=1", SOURCE)
    assert len(server.asked) == 1
    assert planted.found_in(str(fetched)) == []


# The machine's configuration.


def netrc(planted, server, name):
    planted.write(".netrc", f"machine 127.0.0.1 login jane password {planted.plain(name)}\n")
    return f"{server}/tiny-1.0.tar.gz"


def pip_conf(planted, server, name):
    planted.set(PIP_INDEX_URL="")
    planted.write("pip.conf", f"[global]\nindex-url = {server.replace('://', f'://{planted.login(name)}@')}/simple/\n")
    return "pkg:pypi/tiny@1.0"


def pip_index_url(planted, server, name):
    planted.set(PIP_INDEX_URL=f"{server.replace('://', f'://{planted.login(name)}@')}/simple/")
    return "pkg:pypi/tiny@1.0"


def pip_extra_index_url(planted, server, name):
    planted.set(PIP_INDEX_URL=f"{server.rpartition('/')[0]}/open/none/")
    planted.set(PIP_EXTRA_INDEX_URL=f"{server.replace('://', f'://{planted.login(name)}@')}/simple/")
    return "pkg:pypi/tiny@1.0"


def npmrc(planted, server, name):
    planted.set(npm_config_registry="")
    address = server.replace("://", f"://{planted.login(name)}@")
    planted.write(
        ".npmrc",
        f"//127.0.0.1/:_authToken={planted.plain('npm token')}\n_auth={planted.plain('npm auth')}\n"
        f"registry={address}/npm\n",
    )
    return "pkg:npm/tiny@1.0"


def debian_mirror(planted, server, name):
    planted.set(EMWHEELS_DEBIAN_MIRROR=f"{server.replace('://', f'://{planted.login(name)}@')}/debian")
    return "pkg:deb/debian/tiny@1.0-1?file_name=tiny_1.0.orig.tar.gz"


CONFIGURED = [netrc, pip_conf, pip_index_url, pip_extra_index_url, npmrc, debian_mirror]


@pytest.mark.parametrize("configure", [netrc, pip_conf, pip_extra_index_url])
def test_a_password_that_the_server_takes(run, recipe, planted, server, configure):
    folder = recipe(configure(planted, server.at("login"), "right"))
    assert run("lock", "tiny").out == "recipes/tiny/requirements.build.txt\n"
    assert server.signed_in("login")
    assert "demo==1.0" in (folder / "requirements.build.txt").read_text()


@pytest.mark.parametrize("configure", CONFIGURED)
def test_a_password_that_the_server_says_back(run, recipe, planted, server, configure):
    recipe(configure(planted, server.at("refuse"), "refused"))
    assert run("lock", "tiny", "--json", status=4).err
    assert server.signed_in("refuse")


def test_a_password_that_goes_on_by_a_redirect(run, recipe, planted, server):
    recipe(netrc(planted, server.at("redirect"), "sent"), hashlib.sha256(b"other").hexdigest())
    said = run("lock", "tiny", "--json", status=4)
    assert server.signed_in("login")
    assert "expected sha256" in said.err


def test_a_wrong_file_from_where_one_signs_in(run, recipe, planted, server):
    recipe(npmrc(planted, server.at("login"), "wrong"), "0" * 64)
    assert "expected sha256 000" in run("lock", "tiny", status=4).err
    assert "this is offline" in run("lock", "tiny", "--offline", status=4).err


def test_what_npm_s_file_signs_in_by(run, recipe, planted):
    planted.set(npm_config_registry="")
    planted.write(".npmrc", f"registry=//_authToken={planted.plain('token')}\n")
    recipe("pkg:npm/tiny@1.0")
    run("lock", "tiny", status=4)


@pytest.mark.parametrize("proxy", ["http_proxy=http://{}@{}", "all_proxy={}@{}", "http_proxy=http://{}@{}x"])
def test_a_password_of_a_proxy(run, recipe, planted, server, proxy):
    name, _, address = proxy.partition("=")
    planted.set(**{name: address.format(planted.login("proxy"), server.url.rpartition("/")[2])})
    recipe("http://source.example.org/tiny-1.0.tar.gz")
    assert "407" in (said := run("lock", "tiny", status=4).err) or "proxy" in said


@pytest.mark.parametrize(("form", "mode"), [([], "refuse"), (["--json"], "login"), (["--json"], "refuse")])
def test_doctor(run, planted, server, form, mode):
    planted.set(https_proxy=server.at("", planted.login("proxy")), PIP_EXTRA_INDEX_URL="https://index.example.org/")
    for configure in (netrc, pip_index_url, npmrc, debian_mirror):
        configure(planted, server.at(mode), configure.__name__)
    said = run("doctor", *form, status=5)
    assert "PyPI" in said.out
    assert "Debian" in said.out


# Shared builds.


@pytest.fixture
def plan(tmp_path, monkeypatch, capsys, planted):
    environment = make_environment(tmp_path / "other")
    add_recipe(environment, "tiny")
    command = make_command_in(environment, "plan", monkeypatch, capsys)

    def plan(*arguments, **options):
        environment.board = Board()
        return command(*arguments, **options)

    return plan


@pytest.mark.parametrize("scheme", ["oci://", "oci+http://", "ftp://", "", "oci://["])
def test_a_password_of_a_remote_store_s_address(run, plan, planted, scheme):
    planted.set(EMWHEELS_REMOTE=f"{scheme}{planted.login('remote')}@127.0.0.1:1/a/b")
    run("plan", "--json", by=plan, status=2)


@pytest.mark.parametrize("mode", ["open", "login", "refuse", "redirect"])
def test_a_password_of_a_remote_folder(run, plan, planted, server, mode):
    planted.set(EMWHEELS_REMOTE=f"{server.at(mode, planted.login('folder'))}/builds/")
    run("plan", "--json", by=plan)
    assert server.signed_in(mode)
    run("plan", "--push", by=plan, status=2)


@pytest.mark.parametrize("kind", ["auth", "auth for a token", "identitytoken for a token"])
def test_a_password_of_a_registry(run, plan, planted, server, kind):
    kind, _, server.bearer = kind.partition(" for a ")
    secret = planted.plain("registry")
    coded = base64.b64encode(f"jane:{secret}".encode()).decode()
    host = server.url.rpartition("/")[2]
    planted.write(".docker/config.json", json.dumps({"auths": {host: {kind: coded if kind == "auth" else secret}}}))
    planted.set(EMWHEELS_REMOTE=f"oci://{host}/team/builds")
    assert "remote store unavailable" in run("plan", "--json", by=plan).err
    planted.write(".docker/config.json", f'{{"auths": {secret}')
    assert "config.json cannot be read" in run("plan", by=plan, status=4).err


# Publishing.


@pytest.fixture
def dist(command, made):
    command("index", "add", made)


@pytest.mark.usefixtures("dist")
@pytest.mark.parametrize("mode", ["open", "refuse"])
def test_the_keys_of_a_bucket(run, planted, server, mode):
    planted.set(
        AWS_ENDPOINT_URL=server.at(mode),
        AWS_REGION="us-east-1",
        AWS_ACCESS_KEY_ID="AKID",
        AWS_SECRET_ACCESS_KEY=planted.plain("key"),
        AWS_SESSION_TOKEN=planted.plain("session"),
    )
    run("publish", "s3://bucket/wheels", status=10)
    assert any("AWS4-HMAC-SHA256" in by for _, by in server.asked)
    run("index", "show", "--at", f"s3://{planted.login('bucket')}@bucket/wheels", status=10)


@pytest.mark.usefixtures("dist")
@pytest.mark.parametrize(
    "place", ["rsync://{}@127.0.0.1:1/wheels", "ftp://{}@127.0.0.1/wheels", "s3://{}@/", "az://{}@c/x", "gs://{}@[/x"]
)
def test_a_password_of_a_place(run, planted, place):
    planted.set(RSYNC_PASSWORD=planted.plain("rsync"))
    where = place.format(planted.login("place"))
    for more in ([], ["--dry-run", "--json"]):
        run("publish", where, *more, status=2 if place.startswith("ftp") else 10)


@pytest.mark.usefixtures("dist")
def test_a_password_of_the_address_that_pages_have(run, planted, tmp_path):
    for url in (f"https://{planted.login('base')}@example.org/", f"https://example.org/?token={planted.secret('t')}"):
        run("publish", tmp_path / "www", "--base-url", url, status=2)
        run("index", "build", "--base-url", url, status=2)
    assert not (tmp_path / "www").exists()


@pytest.fixture
def verify(tmp_path, monkeypatch, capsys, planted):
    return make_command_in(make_environment(tmp_path / "other"), "verify", monkeypatch, capsys)


def test_a_password_of_an_index_that_is_verified(planted, server, run, verify):
    for mode in ("login", "refuse", "redirect"):
        url = f"{server.at(mode, planted.login('index'))}/simple/"
        for form in ([], ["--json"]):
            run("index", "verify", url, "--client", "none", *form, by=verify, status=10)
        assert server.signed_in(mode)


def test_a_word_of_every_command(run, planted):
    address = f"https://{planted.login('word')}@example.org/"
    for status, *words in (
        (4, "build", address),
        (2, "plan", address),
        (2, address),
        (2, "image", "load", address),
        (2, "serve", address),
        (2, "plan", "--target", address),
        (2, "build", "--all", "--limit", address),
    ):
        run(*words, status=status)
