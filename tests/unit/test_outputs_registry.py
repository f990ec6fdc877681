"""A registry that answers wrongly: what is sent where, what is tried again, and what is an error."""

from __future__ import annotations

import base64
import hashlib
import http.server
import json
from collections import defaultdict
from contextlib import ExitStack
from dataclasses import dataclass, field

import httpx
import pytest
from loopback import serving

from emwheels.fetch.credentials import Credentials, RegistryAuth
from emwheels.fetch.download import Downloader
from emwheels.outputs.remote.model import DamagedError, RemoteError
from emwheels.outputs.remote.registry import Registry

CONTENT = bytes(range(256)) * 4000
DIGEST = f"sha256:{hashlib.sha256(CONTENT).hexdigest()}"
KEY = "0" * 64
JANE = Credentials(user="jane", password="s3cret")
BASIC = "Basic " + base64.b64encode(b"jane:s3cret").decode()


@dataclass
class Hub:
    """A registry on loopback. ``replies`` has, by method, what it answers first: a status, headers and a body."""

    password: bool = False
    blobs: dict[str, bytes] = field(default_factory=dict)
    manifests: dict[str, bytes] = field(default_factory=dict)
    replies: dict[str, list[tuple[int, dict[str, str], bytes]]] = field(default_factory=lambda: defaultdict(list))
    asked: list[tuple[str, str, str | None]] = field(default_factory=list)
    uploads: list[bytes] = field(default_factory=list)
    url: str = ""

    @property
    def methods(self):
        return [method for method, _, _ in self.asked]

    def handler(self):
        hub = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_arguments):
                pass

            def answer(self):
                sent = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                hub.asked.append((self.command, self.path, self.headers.get("Authorization")))
                path, _, query = self.path.partition("?")
                if hub.password and self.headers.get("Authorization") != BASIC:
                    self.reply(401, {"WWW-Authenticate": 'Basic realm="x"'})
                elif hub.replies[self.command]:
                    self.reply(*hub.replies[self.command].pop(0))
                elif self.command == "POST":
                    self.reply(202, {"Location": "/v2/x/blobs/uploads/1?_state=a%2Fb"})
                elif self.command == "PUT" and "/uploads/" in path:
                    hub.uploads.append(sent)
                    digest = httpx.QueryParams(query)["digest"]
                    right = digest == f"sha256:{hashlib.sha256(sent).hexdigest()}"
                    hub.blobs |= {digest: sent} if right else {}
                    self.reply(
                        201 if right else 400, body=b"" if right else b'{"errors": [{"code": "DIGEST_INVALID"}]}'
                    )
                elif self.command == "PUT":
                    hub.manifests[path.rpartition("/")[2]] = sent
                    self.reply(201)
                else:
                    name = path.rpartition("/")[2]
                    found = (hub.manifests if "/manifests/" in path else hub.blobs).get(name)
                    self.reply(404 if found is None else 200, body=found or b"")

            do_GET = do_HEAD = do_POST = do_PUT = answer  # noqa: N815

            def reply(self, status, headers=None, body=b""):
                self.send_response(status)
                for name, value in (headers or {}).items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

        return Handler


@pytest.fixture
def make_hub(monkeypatch):
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "127.0.0.1")
    with ExitStack() as stack:

        def make(**options):
            hub = Hub(**options)
            hub.url = stack.enter_context(serving(hub.handler()))
            return hub

        yield make


@pytest.fixture
def hub(make_hub):
    return make_hub()


@pytest.fixture
def pauses():
    return []


@pytest.fixture
def connect(pauses):
    def connect(hub, credentials=None):
        auth = RegistryAuth(hub.url.removeprefix("http://"), "x", credentials)
        return Registry(f"{hub.url}/v2/x", Downloader(attempts=3, pause=pauses.append, auth=auth), label="oci://hub/x")

    return connect


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(CONTENT)
    return path


def test_what_is_put_is_there(hub, connect, file, tmp_path):
    registry = connect(hub)
    registry.put_blob(DIGEST, file)
    registry.put_manifest(KEY, b"{}")
    assert registry.manifest(KEY) == b"{}"
    registry.blob(DIGEST, len(CONTENT), tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == CONTENT
    assert hub.asked[2][1] == f"/v2/x/blobs/uploads/1?_state=a%2Fb&digest={DIGEST.replace(':', '%3A')}"
    registry.put_blob(DIGEST, file)
    assert hub.methods[-1] == "HEAD", "what is there is not sent again"


# Where an upload is sent.


@pytest.mark.parametrize(
    ("headers", "words"),
    [
        ({}, "without saying where"),
        ({"Location": ""}, "without saying where"),
        ({"Location": "http://[::1/upload"}, "sends an upload to"),
        ({"Location": "http://a:port/upload"}, "sends an upload to"),
        ({"Location": "ftp://127.0.0.1/upload"}, "sends an upload to"),
        ({"Location": "file:///etc/passwd"}, "sends an upload to"),
    ],
)
def test_a_place_to_upload_to_that_is_none(hub, connect, file, headers, words):
    hub.replies["POST"] = [(202, headers, b"")]
    with pytest.raises(RemoteError, match=words):
        connect(hub).put_blob(DIGEST, file)
    assert hub.methods == ["HEAD", "POST"]


def test_an_upload_to_another_host_takes_no_password_along(make_hub, connect, file):
    hub, storage = make_hub(password=True), make_hub()
    hub.replies["POST"] = [(202, {"Location": f"{storage.url}/blobs/uploads/2"}, b"")]
    connect(hub, JANE).put_blob(DIGEST, file)
    assert storage.blobs == {DIGEST: CONTENT}
    assert {auth for _, _, auth in storage.asked} == {None}
    assert hub.asked[-1] == ("POST", "/v2/x/blobs/uploads/", BASIC)


def test_another_host_that_asks_for_the_password_does_not_get_it(make_hub, connect, file):
    hub, storage = make_hub(password=True), make_hub(password=True)
    hub.replies["POST"] = [(202, {"Location": f"{storage.url}/blobs/uploads/2"}, b"")]
    with pytest.raises(RemoteError, match="401"):
        connect(hub, JANE).put_blob(DIGEST, file)
    assert {auth for _, _, auth in storage.asked} == {None}


@pytest.mark.parametrize("location", ["http://registry.example.org/upload", "http://storage.example.org/upload"])
def test_from_https_nothing_is_uploaded_in_the_clear(location, monkeypatch):
    """A registry behind a proxy that ends TLS often names itself by http: password and wheel would be seen."""

    def answer(request):
        seen.append((str(request.url), request.headers.get("authorization")))
        if request.headers.get("authorization") != BASIC:
            return httpx.Response(401, headers={"WWW-Authenticate": "Basic"})
        if request.method == "HEAD":
            return httpx.Response(404)
        return httpx.Response(202, headers={"Location": location})

    seen = []
    auth = RegistryAuth("registry.example.org", "x", JANE)
    monkeypatch.setattr(
        Downloader, "_client", httpx.Client(auth=auth, transport=httpx.MockTransport(answer)), raising=True
    )
    registry = Registry(
        "https://registry.example.org/v2/x", Downloader(attempts=1), label="oci://registry.example.org/x"
    )
    with pytest.raises(RemoteError, match="http://") as caught:
        registry.put_blob(DIGEST, CONTENT)
    assert "X-Forwarded-Proto" in caught.value.hint
    assert all(url.startswith("https://") for url, _ in seen)


# Redirects.


def test_redirects_without_an_end(hub, connect, file, pauses):
    hub.replies["HEAD"] = [(307, {"Location": "/again"}, b"")] * 100
    with pytest.raises(RemoteError, match="redirect"):
        connect(hub).put_blob(DIGEST, file)
    assert len(hub.asked) < 30
    assert pauses == []


@pytest.mark.parametrize("status", [302, 303])
def test_a_page_to_sign_in_at_is_no_success(hub, connect, status):
    """A proxy that wants a browser sends there, where a GET gets a page: nothing was put."""
    hub.manifests["login"] = b"<html>Sign in</html>"
    hub.replies["PUT"] = [(status, {"Location": "/v2/x/manifests/login"}, b"")]
    with pytest.raises(RemoteError, match="redirects"):
        connect(hub).put_manifest(KEY, b"{}")
    assert KEY not in hub.manifests


def test_an_answer_that_is_neither_is_no_success(hub, connect):
    hub.replies["PUT"] = [(304, {}, b"")]
    with pytest.raises(RemoteError, match="304"):
        connect(hub).put_manifest(KEY, b"{}")


def test_an_upload_that_is_sent_elsewhere_is_whole_there(make_hub, connect, file):
    hub, storage = make_hub(password=True), make_hub()
    hub.replies["PUT"] = [(307, {"Location": f"{storage.url}/uploads/3?digest={DIGEST}"}, b"")]
    connect(hub, JANE).put_blob(DIGEST, file)
    assert storage.uploads == [CONTENT]
    assert {auth for _, _, auth in storage.asked} == {None}


def test_an_upload_whose_password_ran_out_is_sent_again_whole(make_hub, connect, file):
    hub = make_hub(password=True)
    hub.replies["PUT"] = [(401, {"WWW-Authenticate": "Basic"}, b"")]
    connect(hub, JANE).put_blob(DIGEST, file)
    assert hub.blobs == {DIGEST: CONTENT}
    assert hub.methods.count("POST") == 1


# What is tried again.


@pytest.mark.parametrize("status", [429, 503])
def test_a_registry_that_is_busy_is_asked_again_when_it_says(hub, connect, file, pauses, status):
    hub.replies["POST"] = [(status, {"Retry-After": "7"}, b"")]
    hub.replies["PUT"] = [(status, {"Retry-After": "99999999"}, b"")]
    connect(hub).put_blob(DIGEST, file)
    assert hub.blobs == {DIGEST: CONTENT}
    assert pauses == [7, 60]


def test_a_registry_that_stays_busy_is_given_up(hub, connect, pauses):
    hub.replies["PUT"] = [(429, {"Retry-After": "soon"}, b"")] * 9
    with pytest.raises(RemoteError, match="in 3 attempts: the server answered 429"):
        connect(hub).put_manifest(KEY, b"{}")
    assert len(pauses) == 2
    assert all(pause <= 2 for pause in pauses)


def test_other_bytes_than_those_of_the_digest_are_refused_and_not_sent_again(hub, connect, tmp_path):
    (tmp_path / "other").write_bytes(b"other")
    with pytest.raises(RemoteError, match="400"):
        connect(hub).put_blob(DIGEST, tmp_path / "other")
    assert hub.uploads == [b"other"]
    assert hub.blobs == {}


def test_a_registry_that_does_not_know_us(hub, connect, file):
    hub.replies["HEAD"] = [(403, {}, b"")]
    with pytest.raises(RemoteError, match="403") as caught:
        connect(hub).put_blob(DIGEST, file)
    assert "podman login" in caught.value.hint
    assert hub.methods == ["HEAD"]


# Bodies.


def test_an_answer_without_an_end_is_not_read_to_it(hub, connect, monkeypatch):
    monkeypatch.setattr("emwheels.fetch.download._DOCUMENT_LIMIT", 100_000)
    hub.replies["PUT"] = [(201, {}, bytes(200_000))]
    with pytest.raises(RemoteError, match="larger than 100000 bytes"):
        connect(hub).put_manifest(KEY, b"{}")


def test_a_blob_that_is_larger_than_said_is_not_saved_to_its_end(hub, connect, tmp_path):
    hub.blobs[DIGEST] = CONTENT
    with pytest.raises(DamagedError, match="more than the 10 bytes"):
        connect(hub).blob(DIGEST, 10, tmp_path / "copy")
    assert (tmp_path / "copy").stat().st_size < len(CONTENT)


def test_a_manifest_that_is_too_large(hub, connect):
    hub.manifests[KEY] = b" " * ((4 << 20) + 1)
    with pytest.raises(DamagedError, match="is larger than 4194304 bytes"):
        connect(hub).manifest(KEY)


@pytest.mark.parametrize(
    "answer",
    [b"[" * 100_000, b'{"token": {"a": 1}}', b'{"token": "a\\nb"}', b"\xff"],
    ids=["deep", "object", "two lines", "no text"],
)
def test_a_token_that_is_none(make_hub, connect, answer):
    hub, tokens = make_hub(), make_hub()
    tokens.manifests["token"] = answer
    challenge = {"WWW-Authenticate": f'Bearer realm="{tokens.url}/manifests/token"'}
    hub.replies["GET"] = [(401, challenge, b"")] * 2
    with pytest.raises(RemoteError, match="401"):
        connect(hub, JANE).manifest(KEY)
    assert [auth for _, _, auth in hub.asked] == [None, None]


def test_a_manifest_is_json_for_who_asks(hub, connect):
    connect(hub).put_manifest(KEY, json.dumps({"a": 1}).encode())
    assert hub.manifests == {KEY: b'{"a": 1}'}
