"""Builds shared through a real registry, and through a folder on a web server."""

from __future__ import annotations

import base64
import json
import random
import shutil
import subprocess
import sys
import threading
import time

import pytest
from fake_builds import WHEEL, flipped, make_build
from registry import PASSWORD, USER, LocalRegistry, token_server

from emwheels.outputs.builds import Builds
from emwheels.outputs.remote.open import open_remote
from emwheels.store import Store

pytestmark = [pytest.mark.image, pytest.mark.timeout(300)]


@pytest.fixture(autouse=True)
def no_proxy_and_no_login(monkeypatch, tmp_path):
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "127.0.0.1")
    monkeypatch.setenv("REGISTRY_AUTH_FILE", str(tmp_path / "auth.json"))


@pytest.fixture
def make_registry(service_image, tmp_path):
    made = []

    def make(**auth):
        made.append(LocalRegistry(service_image, tmp_path / f"registry{len(made)}", auth=auth).start())
        return made[-1]

    yield make
    for registry in made:
        registry.kill()


@pytest.fixture
def registry(make_registry):
    return make_registry()


@pytest.fixture
def machine(tmp_path):
    """A function that makes a machine with a store of its own; what it says is kept in ``said``."""

    def make(name, registry, *, push=True):
        said = []
        store = Store(tmp_path / name)
        builds = Builds(store, open_remote(registry.url), push=push, say=said.append)
        builds.store, builds.said = store, said
        return builds

    return make


def log_in(tmp_path, registry, password=PASSWORD):
    auth = base64.b64encode(f"{USER}:{password}".encode()).decode()
    (tmp_path / "auth.json").write_text(json.dumps({"auths": {registry.host: {"auth": auth}}}))


def test_push_and_pull(registry, machine):
    one, two = machine("one", registry), machine("two", registry, push=False)
    key, record = make_build(one.store)
    assert two.get(key) is None
    one.add(key, record)
    assert registry.tags() == [key]
    assert two.peek(key) == (record, "remote")
    assert two.get(key) == (record, "remote")
    assert two.get(key) == (record, "store")
    assert two.store.get("wheels", record["output"]["sha256"]).read_bytes() == WHEEL
    assert one.said == two.said == []


@pytest.mark.parametrize("spoil", [flipped, lambda content: content[: len(content) // 2]], ids=["flipped", "truncated"])
@pytest.mark.parametrize("part", ["wheel", "log", "record", "manifest"])
def test_damage_in_the_registry_is_found_and_healed(registry, machine, spoil, part):
    one, two, three = (machine(name, registry) for name in ("one", "two", "three"))
    key, record = make_build(one.store)
    one.add(key, record)
    manifest_link = next(registry.folder.glob(f"storage/**/tags/{key}/current/link"))
    manifest_digest = manifest_link.read_text().removeprefix("sha256:")
    config = json.loads(registry.blob(manifest_digest).read_bytes())["config"]["digest"].removeprefix("sha256:")
    digest = {
        "wheel": record["output"]["sha256"],
        "log": record["log"],
        "record": config,
        "manifest": manifest_digest,
    }[part]
    blob = registry.blob(digest)
    blob.write_bytes(spoil(blob.read_bytes()))
    assert two.get(key) is None
    assert two.said, "damage has to be reported"
    assert not two.store.get_record("builds", key)
    make_build(two.store)
    two._quiet_until = dict.fromkeys(two._quiet_until, 0.0)
    two.add(key, record)
    assert three.get(key) == (record, "remote"), three.said
    assert three.store.get("wheels", record["output"]["sha256"]).read_bytes() == WHEEL


@pytest.mark.parametrize("folder", ["_layers", "_manifests"])
def test_a_registry_that_was_killed_while_it_wrote_links_gets_the_build_again(registry, machine, folder):
    one = machine("one", registry)
    key, record = make_build(one.store)
    one.add(key, record)
    links = list(registry.folder.glob(f"storage/**/{folder}/**/link"))
    assert links
    for link in links:
        link.write_bytes(b"")
    if folder == "_layers":  # the manifest is written after the blobs
        shutil.rmtree(next(registry.folder.glob("storage/**/_manifests")))
    two = machine("two", registry)
    make_build(two.store)
    two.add(key, record)
    assert not two.said
    assert machine("three", registry).get(key) == (record, "remote")


def test_a_registry_that_is_down_is_a_warning_and_gets_the_build_later(registry, machine):
    registry.kill()
    one = machine("one", registry)
    key, record = make_build(one.store)
    one.add(key, record)
    assert one.get(key) == (record, "store")
    assert len(one.said) == 1
    assert "remote store unavailable" in one.said[0]
    registry.start()
    later = machine("one", registry)
    assert later.get(key) == (record, "store")
    assert machine("two", registry).get(key) == (record, "remote")


def test_a_password(make_registry, machine, tmp_path):
    registry = make_registry(htpasswd={"realm": "builds", "path": "/mnt/registry/htpasswd"})
    stranger = machine("stranger", registry)
    key, record = make_build(stranger.store)
    stranger.add(key, record)
    assert "401" in stranger.said[0]
    assert "podman login" in stranger.said[0]
    log_in(tmp_path, registry, "wrong-password")
    wrong = machine("wrong", registry)
    assert wrong.get(key) is None
    assert "401" in wrong.said[0]
    assert "wrong-password" not in str(wrong.said)
    log_in(tmp_path, registry)
    known = machine("stranger", registry)
    assert known.get(key) == (record, "store")
    assert machine("other", registry).get(key) == (record, "remote")


def test_a_token(make_registry, machine, tmp_path):
    with token_server() as (realm, asked):
        registry = make_registry(silly={"realm": realm, "service": "a-service"})
        log_in(tmp_path, registry)
        one = machine("one", registry)
        key, record = make_build(one.store)
        one.add(key, record)
        assert not one.said
        assert asked == [{"service": ["a-service"], "scope": ["repository:team/builds:pull,push"]}]
        assert machine("two", registry).get(key) == (record, "remote")


def test_many_machines_at_once(registry, machine):
    origin = machine("origin", registry)
    made = [make_build(origin.store, f"p{number}", b"%d" % number * 50_000) for number in range(8)]
    for key, record in made:
        origin.add(key, record)
    results = []

    def pull(builds, order):
        results.append([builds.get(key) is not None for key, _ in order])

    shared = machine("shared", registry)
    threads = [threading.Thread(target=pull, args=(shared, made[start:] + made[:start])) for start in range(4)]
    threads += [threading.Thread(target=pull, args=(machine("alone", registry), made))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [[True] * 8] * 5


def test_killing_the_registry_at_random_loses_nothing(registry, machine):
    """A small form of benchmarks/fault_campaign_remote.py."""
    randomness = random.Random(4)
    origin = machine("origin", registry)
    made = [make_build(origin.store, f"p{number}", randomness.randbytes(200_000)) for number in range(6)]
    for number in range(3):
        pusher = machine("origin", registry)

        def push(pusher=pusher):
            for key, record in made:
                pusher.add(key, record)

        thread = threading.Thread(target=push)
        thread.start()
        time.sleep(randomness.uniform(0, 0.1))
        registry.kill()
        thread.join()
        registry.start()
        puller = machine(f"puller{number}", registry)
        for key, record in made:
            found = puller.get(key)
            assert found is None or found == (record, "remote")
        assert not puller.said, "what is visible is whole"
    final = machine("origin", registry)
    assert all(final.get(key) == (record, "store") for key, record in made)
    assert registry.tags() == sorted(key for key, _ in made)


def test_one_project_builds_and_others_reuse(  # noqa: PLR0917
    registry, make_tiny_project, tmp_path, extension, module, http_folder
):
    """The whole path: a build is pushed; other machines take it from the registry, or from an exported folder."""
    code = "static PyObject *one(PyObject *s, PyObject *v) { return PyLong_FromLong(1); }"
    members = extension("tiny", module("tiny", code, "one"))

    def project(name):
        made = make_tiny_project(tmp_path / name)
        made.env |= {"EMWHEELS_REMOTE": registry.url}
        made.recipe("tiny", members)
        return made

    first, second, third = (project(name) for name in ("first", "second", "third"))
    built = first.json("build", "tiny", "--no-test", "--push").json()["tiny"]
    assert built["state"] == "built"
    assert registry.tags() == [built["output"]["key"]]

    pulled = second.json("build", "tiny", "--no-test")
    row = pulled.json()["tiny"]
    assert (row["state"], row["why"]) == ("reused", "from the remote store"), pulled.err
    assert "compile" not in row["phases"]
    assert row["output"] == built["output"]
    (wheel,) = second.published()
    assert (second.dist / "wheels" / wheel).read_bytes() == (first.dist / "wheels" / wheel).read_bytes()
    (shown,) = json.loads((second.dist / "status.json").read_bytes())["wheels"]
    assert shown["seconds"] == built["output"]["seconds"], "the status page tells of builds of other machines"
    assert (second.dist / shown["log"]).is_file()
    assert second.json("build", "tiny", "--no-test", "--offline").states() == {"tiny": "reused"}

    folder, address = http_folder
    exported = first.json("cache", "export", str(folder / "builds"))
    assert json.loads(exported.out)["builds"] == [built["output"]["key"]]
    registry.kill()
    taken = third.json("build", "tiny", "--no-test", "--remote", f"{address}/builds/")
    row = taken.json()["tiny"]
    assert (row["state"], row["output"]) == ("reused", built["output"]), taken.err

    refused = third.run("build", "tiny", "--push", "--remote", f"{address}/builds/")
    assert refused.status == 2
    assert "read-only" in refused.err

    fourth = project("fourth")
    done = fourth.json("build", "tiny", "--no-test", "--push")
    assert done.states() == {"tiny": "built"}, "a registry that is down stops nobody"
    assert "remote store unavailable" in done.err


PULLER = """\
import sys, time
from pathlib import Path
from emwheels.fetch.download import Downloader
from emwheels.outputs.builds import Builds
from emwheels.outputs.remote.open import open_remote
from emwheels.store import Store

save = Downloader.save

def stop_in_the_middle(self, url, path, progress):
    def stop(done, total):
        progress(done, total)
        if done > 1_000_000:
            print("in the middle", flush=True)
            time.sleep(1000)
    save(self, url, path, stop)

Downloader.save = stop_in_the_middle
Builds(Store(Path(sys.argv[1])), open_remote(sys.argv[2]), say=print).get(sys.argv[3])
"""


def test_interrupted_while_pulling(registry, machine, tmp_path):
    """A puller is killed while it downloads; the next one goes on there and ends right."""
    origin = machine("origin", registry)
    key, record = make_build(origin.store, wheel=random.Random(1).randbytes(60_000_000))
    origin.add(key, record)
    command = [sys.executable, "-c", PULLER, str(tmp_path / "two"), registry.url, key]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as puller:
        try:
            assert puller.stdout.readline() == "in the middle\n"
        finally:
            puller.kill()
    (partial,) = (tmp_path / "two" / "partial").glob("sha256-*")
    assert 0 < partial.stat().st_size < 60_000_000
    two = machine("two", registry)
    assert two.get(key) == (record, "remote")
    assert two.store.get("wheels", record["output"]["sha256"]).stat().st_size == 60_000_000
