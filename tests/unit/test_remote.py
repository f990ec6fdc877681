"""The remote store as a folder on a real web server with faults; a real registry is in tests/integration."""

from __future__ import annotations

import base64
import http.server
import json
import os
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest
from fake_builds import WHEEL, flipped, make_build
from hypothesis import given
from hypothesis import strategies as st
from loopback import serving

from emwheels.errors import FetchError, UsageError
from emwheels.fetch.credentials import find_credentials
from emwheels.outputs.builds import Builds, check_record, files_of
from emwheels.outputs.remote.folder import LocalFolder
from emwheels.outputs.remote.model import DamagedError, Manifest, RemoteError
from emwheels.outputs.remote.open import open_remote
from emwheels.outputs.remote.transfer import push
from emwheels.store import Store


@dataclass
class Faulty:
    """A web server over a folder: what it does to the next answers, and what it was asked for."""

    folder: Path
    asked: list[tuple[str, str]] = field(default_factory=list)
    truncate: int = 0
    """Cut the connection this many times, half-way through an answer."""
    flip: bool = False
    fail: int = 0
    """Answer 503 this many times."""

    def serve(self):
        faults = self

        class Handler(http.server.SimpleHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_arguments):
                pass

            def do_GET(self):
                path = Path(self.translate_path(self.path))
                wanted = self.headers.get("Range", "")
                faults.asked.append((self.path, wanted))
                if faults.fail:
                    faults.fail -= 1
                    self.send_error(503)
                    return
                if not path.is_file():
                    self.send_error(404)
                    return
                content = path.read_bytes()
                start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted else 0
                if start >= len(content) > 0:
                    self.send_error(416)
                    return
                self.send_response(206 if start else 200)
                if start:
                    self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
                rest = bytearray(content[start:])
                self.send_header("Content-Length", str(len(rest)))
                self.end_headers()
                if faults.flip and "blobs" in self.path and len(content) == len(WHEEL):
                    rest[len(rest) // 2] ^= 1
                if faults.truncate and len(content) == len(WHEEL):
                    faults.truncate -= 1
                    self.wfile.write(rest[: len(rest) // 2])
                    self.close_connection = True
                    return
                self.wfile.write(rest)

        return serving(partial(Handler, directory=str(self.folder)))


@pytest.fixture
def web(tmp_path, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    faults = Faulty(tmp_path / "www")
    faults.folder.mkdir()
    with faults.serve() as address:
        faults.url = f"{address}/"
        yield faults


@pytest.fixture
def exported(web, tmp_path):
    """The key and the record of a build that the web server has."""
    store = Store(tmp_path / "origin")
    key, record = make_build(store)
    push(LocalFolder(web.folder), key, record, files_of("builds", record), store, anew=False)
    return key, record


@pytest.fixture
def local(tmp_path):
    return Store(tmp_path / "local")


@pytest.fixture
def said():
    return []


@pytest.fixture
def builds(local, web, said, monkeypatch):
    monkeypatch.setattr("emwheels.fetch.download.time.sleep", lambda _seconds: None)
    remote = open_remote(web.url)
    monkeypatch.setattr(remote._downloader, "_pause", lambda _seconds: None)
    return Builds(local, remote, say=said.append)


def test_a_build_comes_from_the_folder_once(builds, exported, local, web, said):
    key, record = exported
    assert builds.get("0" * 64) is None
    assert builds.peek(key) == (record, "remote")
    assert not local.has("wheels", record["output"]["sha256"])
    assert builds.get(key) == (record, "remote")
    assert local.get("wheels", record["output"]["sha256"]).read_bytes() == WHEEL
    asked = len(web.asked)
    assert builds.get(key) == (record, "store")
    assert len(web.asked) == asked
    assert not said


def test_a_cut_connection_is_resumed(builds, exported, web, local, said):
    key, record = exported
    web.truncate = 1
    assert builds.get(key) == (record, "remote")
    ranges = [wanted for path, wanted in web.asked if record["output"]["sha256"] in path]
    assert len(ranges) == 2
    assert ranges[0] == ""
    assert 0 < int(ranges[1].removeprefix("bytes=").rstrip("-")) < len(WHEEL)


def test_a_download_that_was_given_up_goes_on_in_the_next_run(builds, exported, web, local, said):
    key, record = exported
    web.truncate = 3
    assert builds.get(key) is None
    assert "no pull for 60 s" in said[0]
    (left,) = (local.root / "partial").iterdir()
    assert 0 < left.stat().st_size < len(WHEEL)
    web.asked.clear()
    again = Builds(local, open_remote(web.url))
    assert again.get(key) == (record, "remote")
    assert any(wanted for _, wanted in web.asked)


def test_a_leftover_of_something_else_does_not_spoil_the_download(builds, exported, local):
    key, record = exported
    local.partial(f"sha256-{record['output']['sha256']}").write_bytes(b"not this")
    assert builds.get(key) == (record, "remote")


def damage(folder, sha256, content):
    (folder / "blobs" / "sha256" / sha256).write_bytes(content)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (flipped, "came with other bytes"),
        (lambda data: data[:-1], "came with 99999 of 100000 bytes"),
        (lambda data: data + b"x", "more than the 100000 bytes"),
        (lambda data: b"", "came with 0 of"),
    ],
)
def test_a_damaged_blob_is_not_used(builds, exported, local, web, said, spoil, words):  # noqa: PLR0917
    key, record = exported
    damage(web.folder, record["output"]["sha256"], spoil(WHEEL))
    assert builds.get(key) is None
    assert len(said) == 1
    assert "is damaged and is not used" in said[0]
    assert words in said[0]
    assert not local.has("wheels", record["output"]["sha256"])
    assert local.get_record("builds", key) is None
    assert not list((local.root / "partial").glob("*"))


def test_a_byte_that_flips_on_the_way_is_not_used(builds, exported, web, said):
    web.flip = True
    assert builds.get(exported[0]) is None
    assert "other bytes" in said[0]


def test_a_missing_blob_is_damage(builds, exported, web, said):
    (web.folder / "blobs" / "sha256" / exported[1]["log"]).unlink()
    assert builds.get(exported[0]) is None
    assert "is missing" in said[0]


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"<html>Sign in</html>", b'{"config": {}}', b"{" * 100_000])
def test_a_manifest_that_is_none(builds, exported, web, said, content):
    (web.folder / "manifests" / exported[0]).write_bytes(content)
    assert builds.peek(exported[0]) is None
    assert builds.get(exported[0]) is None
    assert all("damaged and is not used" in text for text in said)


def test_the_record_of_another_build_is_not_used(builds, exported, web, said):
    (web.folder / "manifests" / ("0" * 64)).write_bytes((web.folder / "manifests" / exported[0]).read_bytes())
    assert builds.get("0" * 64) is None
    assert "another build" in said[0]


def test_a_flipped_byte_anywhere_in_a_manifest_never_gives_other_bytes(exported, web, tmp_path):
    key, record = exported
    path = web.folder / "manifests" / key
    whole = path.read_bytes()
    for position in range(0, len(whole), 7):
        path.write_bytes(whole[:position] + bytes([whole[position] ^ 1]) + whole[position + 1 :])
        store = Store(tmp_path / f"s{position}")
        found = Builds(store, LocalFolder(web.folder)).get(key)
        assert found is None or found[0] == record
        if found:
            assert store.get("wheels", record["output"]["sha256"]).read_bytes() == WHEEL


def test_a_server_that_is_down_is_a_warning_once(exported, local, said, web, monkeypatch):
    remote = open_remote("http://127.0.0.1:9/x")
    monkeypatch.setattr(remote._downloader, "_pause", lambda _seconds: None)
    builds = Builds(local, remote, say=said.append)
    assert builds.get(exported[0]) is None
    assert builds.get("1" * 64) is None
    assert len(said) == 1
    assert "remote store unavailable" in said[0]
    assert "127.0.0.1:9" in said[0]


def test_a_server_that_fails_for_a_moment_is_asked_again(builds, exported, web, said):
    web.fail = 2
    assert builds.get(exported[0]) == (exported[1], "remote")
    assert not said


def test_a_folder_cannot_be_pushed_to(web):
    remote = open_remote(web.url)
    assert not remote.writable
    with pytest.raises(RemoteError, match="only be read"):
        remote.put_manifest("0" * 64, b"")


def test_a_damaged_local_entry_comes_from_the_remote_store(builds, exported, local, said):
    key, record = exported
    builds.get(key)
    path = local.path_of("wheels", record["output"]["sha256"])
    path.chmod(0o644)
    path.write_bytes(flipped(WHEEL))
    assert builds.get(key) == (record, "remote")
    assert "was damaged" in said[0]
    assert path.read_bytes() == WHEEL


def test_pushing_marks_what_was_pushed(tmp_path, local):
    target = LocalFolder(tmp_path / "target")
    key, record = make_build(local)
    Builds(local, target).add(key, record)
    assert target.manifest(key) is None
    Builds(local, target, push=True).get(key)
    assert target.manifest(key)
    (tmp_path / "target" / "manifests" / key).unlink()
    Builds(local, target, push=True).get(key)
    assert target.manifest(key) is None, "what was pushed once is not looked at again"


def test_a_damaged_entry_is_healed_by_who_builds_it_again(tmp_path, local):
    """Also where the place never replaces a blob that it has, as registries do."""

    class Stubborn(LocalFolder):
        def put_blob(self, digest, content):
            if not self._blob_path(digest).exists():
                super().put_blob(digest, content)

    place, other = Stubborn(tmp_path / "place"), Store(tmp_path / "other")
    key, record = make_build(other)
    Builds(other, place, push=True).add(key, record)
    damage(tmp_path / "place", record["output"]["sha256"], flipped(WHEEL))
    mine = Builds(local, place, push=True)
    assert mine.get(key) is None
    make_build(local)
    mine.add(key, record)
    third = Store(tmp_path / "third")
    assert Builds(third, place).get(key)[1] == "remote"
    assert third.get("wheels", record["output"]["sha256"]).read_bytes() == WHEEL


@pytest.mark.parametrize(
    "changed",
    [
        {"filename": "../../evil-1.0-py3-none-any.whl"},
        {"filename": "other-1.0-py3-none-any.whl"},
        {"filename": "tiny.txt"},
        {"kind": "logs"},
        {"kind": ["wheels"]},
        {"sha256": "x"},
        {"name": "other"},
        {"key": "0" * 64},
        {"size": "1"},
        {"seconds": None},
        {"unheard-of": 1},
    ],
)
def test_a_record_that_lies_is_refused(local, changed):
    key, record = make_build(local)
    check_record(key, record)
    record["output"] |= changed
    with pytest.raises(DamagedError):
        check_record(key, record)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(["inputs", "output", "log"]), json_values))
def test_no_record_makes_the_check_fall_over(record):
    with pytest.raises(DamagedError):
        check_record("0" * 64, record)


@given(
    st.fixed_dictionaries({}, optional=dict.fromkeys(("config", "layers", "mediaType", "schemaVersion"), json_values))
)
def test_no_manifest_makes_the_parser_fall_over(document):
    with pytest.raises(DamagedError):
        Manifest.parse(json.dumps(document).encode())


@pytest.mark.parametrize(
    "address",
    ["", "registry.example.org/x", "ftp://h/x", "oci://", "oci://host", "oci://host/UPPER", "oci://host:port/x",
     "oci://host/../x", "oci://me:secret@host/x", "https://me:secret@host/x?token=secret", "https://"],
)  # fmt: skip
def test_addresses_that_are_none(address):
    with pytest.raises(UsageError) as caught:
        open_remote(address)
    assert "secret" not in f"{caught.value.message} {caught.value.hint}"
    assert "oci://HOST/NAME" in caught.value.hint or "log in" in caught.value.hint


def test_addresses(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert open_remote("oci://registry.example.org/team/x")._base == "https://registry.example.org/v2/team/x"
    assert open_remote("oci://localhost:5000/x")._base == "http://localhost:5000/v2/x"
    assert open_remote("oci+http://registry.lan/x")._base == "http://registry.lan/v2/x"
    assert open_remote("https://me:secret@www.example.org/x/").url == "https://www.example.org/x/"


@pytest.fixture
def login(monkeypatch, tmp_path):
    for name in ("REGISTRY_AUTH_FILE", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "DOCKER_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))

    def write(where, document):
        path = tmp_path / where
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(document if isinstance(document, str) else json.dumps(document))
        return path

    return write


def auth(text):
    return {"auth": base64.b64encode(text.encode()).decode()}


def test_credentials_of_podman_and_docker(login, monkeypatch):
    assert find_credentials("r.example.org", "team/x") is None
    login(".docker/config.json", {"auths": {"https://r.example.org/v1/": auth("docker:d:d")}})
    assert find_credentials("r.example.org", "team/x").password == "d:d"
    logins = {"r.example.org": auth("podman:p"), "r.example.org/team": auth("t:t")}
    login(".config/containers/auth.json", {"auths": logins})
    assert find_credentials("r.example.org", "team/x").user == "t"
    assert find_credentials("r.example.org", "other/x").user == "podman"
    assert find_credentials("other.example.org", "x") is None
    given = login("given.json", {"auths": {"r.example.org": {"identitytoken": "refresh"}}})
    monkeypatch.setenv("REGISTRY_AUTH_FILE", str(given))
    found = find_credentials("r.example.org", "team/x")
    assert found.refresh_token == "refresh"
    assert "refresh" not in repr(found)


def test_credentials_of_a_helper(login, monkeypatch, tmp_path):
    answer = '{"Username": "%s", "Secret": "s"}'
    helper = login("bin/docker-credential-tiny", f"#!/bin/sh\nread name\nprintf '{answer}' \"$name\"\n")
    helper.chmod(0o755)
    monkeypatch.setenv("PATH", f"{helper.parent}:/usr/bin:/bin")
    login(".docker/config.json", {"credHelpers": {"r.example.org": "tiny"}})
    found = find_credentials("r.example.org", "x")
    assert (found.user, found.password) == ("r.example.org", "s")
    login(".docker/config.json", {"credsStore": "absent"})
    with pytest.raises(FetchError, match="docker-credential-absent"):
        find_credentials("r.example.org", "x")
    login(".docker/config.json", {"credsStore": "../../bin/sh"})
    with pytest.raises(FetchError):
        find_credentials("r.example.org", "x")


@pytest.mark.parametrize(
    "content", ["{secret", '{"auths": {"r.example.org": {"auth": "secret!"}}}', '{"auths": ["secret"]}']
)
def test_credentials_that_cannot_be_read_are_not_shown(login, content):
    path = login(".docker/config.json", content)
    with pytest.raises(FetchError) as caught:
        find_credentials("r.example.org", "x")
    assert str(path) in caught.value.message
    assert "secret" not in f"{caught.value.message}{caught.value.hint}"
    with pytest.raises(RemoteError) as caught:
        open_remote("oci://r.example.org/x")
    assert str(path) in caught.value.message
    assert "secret" not in f"{caught.value.message}{caught.value.hint}"


def rewritten(web, key, change):
    """Change the manifest of a build that the web server has."""
    path = web.folder / "manifests" / key
    manifest = json.loads(path.read_bytes())
    change(manifest)
    path.write_bytes(json.dumps(manifest).encode())


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("output.size", -1), ("output.size", True), ("output.size", 1 << 40), ("output.seconds", "1"),
        ("output.seconds", -1.0), ("output.kind", "../wheels"), ("output.content", "../x"), ("output.name", ["tiny"]),
        ("output.filename", "tiny\0-1.0-py3-none-any.whl"), ("log", "../../x"), ("inputs", []), ("audit", "fine"),
        ("peak_kib", -1), ("ccache objects", 1.5),
    ],
)  # fmt: skip
def test_each_field_of_a_record_has_a_type_and_bounds(tmp_path, field, value):
    key, record = make_build(Store(tmp_path))
    check_record(key, record | {"audit": {}, "peak_kib": 1, "ccache objects": 1})
    outer, _, inner = field.rpartition(".")
    (record[outer] if outer else record)[inner] = value
    with pytest.raises(DamagedError, match=rf"for {field}, which is not "):
        check_record(key, record)


def test_a_field_that_lacks_or_that_nobody_knows(tmp_path):
    key, record = make_build(Store(tmp_path))
    with pytest.raises(DamagedError, match=r"a field 'evil\\x1b' that no build writes"):
        check_record(key, record | {"evil\x1b": 1})
    del record["output"]["size"]
    with pytest.raises(DamagedError, match=r"its record lacks output\.size"):
        check_record(key, record)


def test_an_entry_that_leads_elsewhere_costs_only_itself(builds, exported, web, said, tmp_path, monkeypatch):  # noqa: PLR0917
    key, _ = exported
    store = Store(tmp_path / "second")
    other, right = make_build(store, "other")
    push(LocalFolder(web.folder), other, right, files_of("builds", right), store, anew=False)
    rewritten(web, key, lambda manifest: manifest["layers"][0].update(size=2**70))
    assert builds.get(key) is None
    assert f"entry {key[:12]} is damaged and is not used: its manifest is none of a build" in said[0]
    assert builds.get(other) == (right, "remote")
    assert len(said) == 1


def test_a_size_that_lies_is_damage(builds, web, said, tmp_path):
    store = Store(tmp_path / "origin")
    key, record = make_build(store, size=7)
    push(LocalFolder(web.folder), key, record, files_of("builds", record), store, anew=False)
    assert builds.get(key) is None
    assert "its output has 100,000 bytes, and its record says 7" in said[0]


@pytest.mark.parametrize("what", ["link", "fifo", "folder", "ring"])
def test_what_is_no_file_in_a_folder_is_not_opened(tmp_path, what):
    remote = LocalFolder(tmp_path / "remote")
    victim = tmp_path / "victim"
    victim.write_text("secret")
    for path in (tmp_path / "remote" / "manifests" / "key", tmp_path / "remote" / "blobs" / "sha256" / "a"):
        path.parent.mkdir(parents=True)
        if what == "fifo":
            os.mkfifo(path)
        elif what == "folder":
            path.mkdir()
        else:
            path.symlink_to(victim if what == "link" else path.name)
    assert remote.manifest("key") is None
    with pytest.raises(DamagedError, match="is missing"):
        remote.blob("sha256:a", 100, tmp_path / "out")


def test_a_file_in_a_folder_that_is_too_large(tmp_path):
    path = tmp_path / "blobs" / "sha256" / "a"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"x" * 101)
    with pytest.raises(DamagedError, match="has 101 bytes, over 100"):
        LocalFolder(tmp_path).blob("sha256:a", 100, tmp_path / "out")


TESTS = {"filename": "tiny_tests-1.0-py3-none-any.whl", "sha256": "a" * 64, "size": 5}


def test_the_wheel_with_the_tests_belongs_to_the_build(tmp_path):
    key, record = make_build(Store(tmp_path))
    check_record(key, record | {"tests": TESTS})
    assert ("wheels", "a" * 64) in files_of("builds", record | {"tests": TESTS})
    assert ("wheels", "a" * 64) not in files_of("builds", record)


@pytest.mark.parametrize(
    "changed",
    [{"filename": "tiny-1.0-py3-none-any.whl"}, {"filename": "../x.whl"}, {"sha256": "x"}, {"size": -1}, {"more": 1}],
)
def test_a_record_whose_tests_lie_is_refused(tmp_path, changed):
    key, record = make_build(Store(tmp_path))
    with pytest.raises(DamagedError, match="tests"):
        check_record(key, record | {"tests": TESTS | changed})
