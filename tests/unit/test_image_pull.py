"""Images pulled from a registry on loopback: what comes, from whom, and what is left when it does not."""

from __future__ import annotations

import base64
import json
import threading
from pathlib import Path

import pytest
from image_registry import BOOT, MACHINE, OCI, PASSWORD, USER, archive, digest_of, image_registry, member

from emwheels.errors import ImageError
from emwheels.image import pull
from emwheels.image.pull import is_pulled, load_pulled, pull_image, pulled_folder
from emwheels.image.removal import unfinished_folders


@pytest.fixture
def registry():
    with image_registry() as started:
        yield started


@pytest.fixture(autouse=True)
def nobody(tmp_path, monkeypatch):
    """Have no credentials of the machine, and no proxy, in the way."""
    for name in ("REGISTRY_AUTH_FILE", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "DOCKER_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def login(tmp_path, monkeypatch, registry):
    """Log in, as podman does."""
    file = tmp_path / "auth.json"

    def write(password=PASSWORD):
        encoded = base64.b64encode(f"{USER}:{password}".encode()).decode()
        file.write_text(json.dumps({"auths": {registry.host: {"auth": encoded}}}))
        monkeypatch.setenv("REGISTRY_AUTH_FILE", str(file))

    return write


def pulled(cache, reference, **options):
    """Pull, and return the root file system."""
    pull_image(cache, reference, progress=lambda *_: None, pause=lambda _seconds: None, **options)
    return pulled_folder(cache, reference.rpartition("@")[2]) / "rootfs"


def refuse(cache, reference, words):
    with pytest.raises(ImageError, match=words) as caught:
        pulled(cache, reference)
    assert reference in caught.value.message
    assert caught.value.hint
    assert PASSWORD not in f"{caught.value.message}{caught.value.hint}"
    assert not is_pulled(cache, reference.rpartition("@")[2])
    assert not [path for path in (cache / "images").glob("*") if path.suffix not in (".lock", ".making")]
    assert [path.name for path in _making(cache, reference).iterdir()] == ["blobs"]
    return caught.value


UPPER = archive(member("opt/hello", b"world"), member("usr/bin/.wh.nothing"))


@pytest.mark.parametrize("docker", [False, True])
def test_an_image_is_pulled_and_unpacked_once(registry, tmp_path, docker):
    reference = registry.reference(registry.push([BOOT, UPPER], docker=docker))
    root = pulled(tmp_path, reference)
    assert (root / "opt/hello").read_text() == "world"
    assert sorted(path.name for path in root.parent.iterdir()) == ["pulled.json", "rootfs"]
    asked = len(registry.asked)
    assert pulled(tmp_path, reference) == root
    assert len(registry.asked) == asked, "it was here"
    accept = registry.asked[0][2]
    assert f"{OCI}.manifest.v1+json" in accept
    assert "application/vnd.docker.distribution.manifest.list.v2+json" in accept


def test_what_was_pulled_is_entered_by_the_digest_of_its_reference(registry, tmp_path):
    image = registry.push([BOOT])
    other = {"mediaType": image["mediaType"], "digest": "sha256:" + "0" * 64, "size": 1}
    entries = [
        {**other, "platform": {"os": "linux", "architecture": "riscv32"}},
        {**image, "platform": {"os": "linux", "architecture": MACHINE}},
    ]
    index = registry.put_document(f"{OCI}.index.v1+json", {"manifests": entries})
    reference = registry.reference(index, "team/image:some-tag")
    root = pulled(tmp_path, reference)
    loaded = load_pulled(tmp_path, index["digest"], environment=(("A", "1"),), method="bwrap")
    assert (loaded.root, loaded.digest, loaded.environment) == (root, index["digest"], (("A", "1"),))
    assert load_pulled(tmp_path, image["digest"], environment=(), method="bwrap") is None


def test_one_blob_that_is_two_layers(registry, tmp_path):
    root = pulled(tmp_path, registry.reference(registry.push([BOOT, UPPER, UPPER])))
    assert (root / "opt/hello").exists()
    assert len([path for path, _, _ in registry.asked if "/blobs/" in path]) == 3


def test_progress_ends_with_all_of_it(registry, tmp_path):
    seen = []
    reference = registry.reference(registry.push([BOOT, UPPER]))
    pull_image(tmp_path, reference, progress=lambda *given: seen.append(given))
    total = seen[0][2]
    assert ("pulling 2 layers", total, total) in seen
    assert seen[-1][0] == "unpacking layer 2 of 2"


# Who this is.


@pytest.mark.parametrize("auth", ["basic", "bearer"])
def test_a_registry_that_asks_who_this_is(registry, tmp_path, login, auth):
    registry.auth = auth
    reference = registry.reference(registry.push([BOOT]))
    error = refuse(tmp_path, reference, "401")
    assert "podman login HOST" in error.hint
    login("wrong-horse")
    refuse(tmp_path, reference, "401")
    login()
    pulled(tmp_path, reference)
    if auth == "bearer":
        assert registry.tokens[0] == {"service": ["registry"], "scope": ["repository:team/image:pull"]}


def test_credentials_that_cannot_be_read(registry, tmp_path, monkeypatch):
    file = tmp_path / "auth.json"
    file.write_text('{"auths": [')
    monkeypatch.setenv("REGISTRY_AUTH_FILE", str(file))
    error = refuse(tmp_path, registry.reference(registry.push([BOOT])), "cannot be read as the credentials")
    assert str(file) in error.message


@pytest.mark.parametrize("name", ["image", "team/image", "registry.example.org", "registry.example.org/", "a.b/Team"])
def test_a_reference_says_which_registry(tmp_path, name):
    refuse(tmp_path, f"{name}@sha256:{'1' * 64}", "does not say which registry")


def test_another_host_than_this_machine_is_asked_by_https(monkeypatch):
    monkeypatch.setattr("emwheels.image.pull.find_credentials", lambda host, repository: None)
    schemes = {"127.0.0.1:1": "http", "localhost": "http", "127.example.org": "https", "a:80": "https"}
    for host, scheme in schemes.items():
        assert pull._Repository(f"{host}/x@sha256:1", None)._base == f"{scheme}://{host}/v2/x"


# Faults on the way.


def _config(registry):
    return json.loads(next(iter(registry.manifests.values()))[1])["config"]["digest"]


def _layer(registry, number=0):
    return json.loads(next(iter(registry.manifests.values()))[1])["layers"][number]["digest"]


def _making(cache, reference):
    folder = pulled_folder(cache, reference.rpartition("@")[2])
    return folder.with_name(f"{folder.name}.making")


@pytest.fixture
def half(registry, tmp_path):
    """A cache in which a killed command has left the first half of a layer."""
    reference = registry.reference(registry.push([BOOT, UPPER]))
    data = registry.blobs[_layer(registry)]
    place = _making(tmp_path, reference) / "blobs" / _layer(registry).removeprefix("sha256:")
    place.parent.mkdir(parents=True)
    place.write_bytes(data[: len(data) // 2])
    return reference, place, len(data) // 2


def asked_for(registry, digest):
    return [ranged for path, ranged, _ in registry.asked if path.endswith(digest)]


def test_what_an_earlier_run_left_of_a_layer_is_used(registry, tmp_path, half):
    reference, _, there = half
    pulled(tmp_path, reference)
    assert asked_for(registry, _layer(registry)) == [f"bytes={there}-"]


@pytest.mark.parametrize("ranges", [True, False])
def test_what_an_earlier_run_left_is_not_trusted(registry, tmp_path, half, ranges):
    reference, place, there = half
    place.write_bytes(bytes(there))
    registry.ranges = ranges
    assert (pulled(tmp_path, reference) / "usr/bin/prlimit").exists()
    assert asked_for(registry, _layer(registry)) == ([f"bytes={there}-", ""] if ranges else [f"bytes={there}-"])


@pytest.mark.parametrize("more", [0, 9])
def test_a_layer_that_was_fetched_whole_is_not_fetched_again(registry, tmp_path, half, more):
    reference, place, _ = half
    place.write_bytes(registry.blobs[_layer(registry)] + bytes(more))
    pulled(tmp_path, reference)
    assert asked_for(registry, _layer(registry)) == ([""] if more else [])


def test_a_registry_that_is_busy_is_asked_again(registry, tmp_path):
    registry.busy = 3
    pulled(tmp_path, registry.reference(registry.push([BOOT])))


def test_a_connection_that_breaks_off(registry, tmp_path):
    reference = registry.reference(registry.push([BOOT]))
    registry.cut = {_layer(registry): 40, _config(registry): 30}
    pulled(tmp_path, reference)
    assert asked_for(registry, _layer(registry)) == ["", "bytes=40-"]
    assert asked_for(registry, _config(registry)) == ["", "bytes=30-"]


def test_a_layer_of_which_nothing_comes(registry, tmp_path):
    reference = registry.reference(registry.push([BOOT]))
    registry.blobs[_layer(registry)] = b""
    refuse(tmp_path, reference, "came with 0 of")


@pytest.mark.parametrize("what", ["manifest", "config", "layer"])
def test_other_bytes_than_were_published(registry, tmp_path, what):
    reference = registry.reference(registry.push([BOOT]))
    digest = reference.rpartition("@")[2]
    if what == "manifest":
        kind, data = registry.manifests[digest]
        registry.manifests[digest] = (kind, data.replace(b"amd64", b"arm64") + b" ")
    else:
        wrong = _config(registry) if what == "config" else _layer(registry)
        registry.blobs[wrong] = bytes(len(registry.blobs[wrong]))
    refuse(tmp_path, reference, "came with")
    if what == "layer":
        assert not list((_making(tmp_path, reference) / "blobs").glob(_layer(registry)[7:])), "it is not gone on from"


@pytest.mark.parametrize("what", ["manifest", "config", "layer"])
def test_more_bytes_than_were_said(registry, tmp_path, what):
    reference = registry.reference(registry.push([BOOT]))
    digest = reference.rpartition("@")[2]
    if what == "manifest":
        kind, data = registry.manifests[digest]
        registry.manifests[digest] = (kind, data + bytes(5 << 20))
    else:
        wrong = _config(registry) if what == "config" else _layer(registry)
        registry.blobs[wrong] += bytes(1 << 20)
    refuse(tmp_path, reference, "has more than")


@pytest.mark.parametrize("what", ["config", "layer"])
def test_fewer_bytes_than_were_said(registry, tmp_path, what):
    image = registry.push([BOOT])
    document = json.loads(registry.manifests[image["digest"]][1])
    (document["config"] if what == "config" else document["layers"][0])["size"] += 1
    lie = registry.put_document(image["mediaType"], document)
    refuse(tmp_path, registry.reference(lie), "came with")


def test_what_the_registry_does_not_have(registry, tmp_path):
    error = refuse(tmp_path, f"{registry.host}/team/image@sha256:{'1' * 64}", "404")
    assert "the name and the digest" in error.hint
    reference = registry.reference(registry.push([BOOT]))
    del registry.blobs[_layer(registry)]
    refuse(tmp_path, reference, "404")


def test_a_registry_that_is_not_there(tmp_path):
    refuse(tmp_path, f"127.0.0.1:9/team/image@sha256:{'1' * 64}", "could not be fetched in 5 attempts")


def test_a_layer_that_comes_too_slowly(registry, tmp_path, monkeypatch):
    monkeypatch.setattr(pull, "_SECONDS", -1e9)
    refuse(tmp_path, registry.reference(registry.push([BOOT])), "comes too slowly")


def test_an_index_of_indexes(registry, tmp_path):
    image = registry.push([BOOT])
    platform = {"platform": {"os": "linux", "architecture": MACHINE}}
    inner = registry.put_document(f"{OCI}.index.v1+json", {"manifests": [image | platform]})
    lie = {**inner, "mediaType": f"{OCI}.manifest.v1+json"} | platform
    outer = registry.put_document(f"{OCI}.index.v1+json", {"manifests": [lie]})
    refuse(tmp_path, registry.reference(outer), "another index")


def test_an_image_for_another_machine_or_with_other_layers(registry, tmp_path):
    refuse(tmp_path, registry.reference(registry.push([BOOT], config={"architecture": "vax"})), "on 'vax'")
    wrong = {"type": "layers", "diff_ids": [digest_of(b"another")]}
    refuse(tmp_path, registry.reference(registry.push([BOOT], config={"rootfs": wrong})), "unpacks to")


def test_an_image_that_no_command_could_start_in(registry, tmp_path):
    refuse(tmp_path, registry.reference(registry.push([UPPER])), "has no /usr/bin/prlimit")


def test_a_hostile_layer_leaves_nothing_outside_and_no_image(registry, tmp_path):
    refuse(tmp_path, registry.reference(registry.push([BOOT, archive(member("../../x"))])), "leads out of the image")
    assert not (tmp_path / "images" / "x").exists()


def test_a_stop_keeps_what_was_fetched_for_the_next_run(registry, tmp_path):
    reference = registry.reference(registry.push([BOOT]))

    def stop(name, done, total):
        if done == total:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pull_image(tmp_path, reference, progress=stop)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("pull")]
    assert not is_pulled(tmp_path, reference.rpartition("@")[2])
    registry.asked.clear()
    pulled(tmp_path, reference)
    assert asked_for(registry, _layer(registry)) == []


def test_gc_finds_what_a_killed_pull_left(registry, tmp_path, half):
    reference, _, _ = half
    assert list(unfinished_folders(tmp_path)) == [_making(tmp_path, reference)]


@pytest.mark.parametrize("record", ["", "[]", '{"digest": "sha256:other"}', "[" * 100_000])
def test_an_image_without_its_record_is_pulled_again(registry, tmp_path, record):
    reference = registry.reference(registry.push([BOOT]))
    root = pulled(tmp_path, reference)
    Path(root.parent, "pulled.json").write_text(record)
    (root / "usr/bin/prlimit").unlink()
    assert (pulled(tmp_path, reference) / "usr/bin/prlimit").exists()
