"""Who this is at a registry: to whom credentials go, and to whom not; see test_remote.py for where they come from."""

from __future__ import annotations

import base64
import contextlib
from urllib.parse import parse_qs

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emwheels.fetch.credentials import Credentials, RegistryAuth, on_this_machine

HOST = "registry.example.org"
BLOB = f"https://{HOST}/v2/team/builds/blobs/x"
TOKENS = "https://auth.example.org/token"
BEARER = f'Bearer realm="{TOKENS}",service="{HOST}",scope="repository:team/builds:pull"'
JANE = Credentials(user="jane", password="s3:cret")
BASIC = "Basic " + base64.b64encode(b"jane:s3:cret").decode()


class Server:
    """A registry that asks with ``challenge`` until a request has ``accepts``, and the server of its tokens."""

    def __init__(self, challenge, *, accepts="Bearer token1", token=None):
        self.challenge, self.accepts = challenge, accepts
        self.token = token or (lambda _request: httpx.Response(200, json={"token": "token1"}))
        self.seen, self.sent = [], []

    def __call__(self, request):
        self.seen.append(request)
        self.sent.append((request.url.host, request.headers.get("authorization")))  # the request itself changes
        if str(request.url).startswith(TOKENS):
            return self.token(request)
        if request.headers.get("authorization") == self.accepts:
            return httpx.Response(200, content=request.content or b"blob")
        return httpx.Response(401, headers={"WWW-Authenticate": self.challenge} if self.challenge else {})


def connect(server, credentials=JANE, **options):
    auth = RegistryAuth(HOST, "team/builds", credentials)
    return httpx.Client(auth=auth, transport=httpx.MockTransport(server), **options)


def ask(server, credentials=JANE, url=BLOB, **options):
    with connect(server, credentials, **options) as client:
        return client.get(url)


def test_nothing_is_said_to_a_registry_that_does_not_ask():
    server = Server("", accepts=None)
    assert ask(server).status_code == 200
    assert server.sent == [(HOST, None)]


def test_basic():
    server = Server('Basic realm="registry"', accepts=BASIC)
    assert ask(server).status_code == 200
    assert server.sent == [(HOST, None), (HOST, BASIC)]


def test_a_token_is_fetched_with_the_password_and_the_registry_sees_the_token_only():
    server = Server(BEARER)
    assert ask(server).status_code == 200
    assert server.sent == [(HOST, None), ("auth.example.org", BASIC), (HOST, "Bearer token1")]
    asked = server.seen[1]
    assert asked.method == "GET"
    assert dict(asked.url.params) == {"service": HOST, "scope": "repository:team/builds:pull,push"}


def test_a_token_for_nobody_in_particular():
    server = Server(BEARER)
    assert ask(server, None).status_code == 200
    assert server.sent == [(HOST, None), ("auth.example.org", None), (HOST, "Bearer token1")]


def test_a_refresh_token_is_posted_and_no_password_is_sent():
    server = Server(BEARER, token=lambda _request: httpx.Response(200, json={"access_token": "token1"}))
    assert ask(server, Credentials(user="", password="", refresh_token="long lived")).status_code == 200
    asked = server.seen[1]
    assert (asked.method, asked.headers.get("authorization")) == ("POST", None)
    assert parse_qs(asked.content.decode()) == {
        "grant_type": ["refresh_token"],
        "refresh_token": ["long lived"],
        "service": [HOST],
        "scope": ["repository:team/builds:pull,push"],
        "client_id": ["emwheels"],
    }
    assert "long lived" not in str(asked.url)


def test_a_token_is_kept_for_the_next_request():
    server = Server(BEARER)
    with connect(server) as client:
        client.get(BLOB)
        client.get(BLOB)
    assert server.sent[3:] == [(HOST, "Bearer token1")]


def test_a_token_that_has_run_out_is_replaced():
    tokens = iter(["token1", "token2"])
    server = Server(BEARER, token=lambda _request: httpx.Response(200, json={"token": next(tokens)}))
    with connect(server) as client:
        client.get(BLOB)
        server.accepts = "Bearer token2"
        assert client.get(BLOB).status_code == 200
    assert [auth for _, auth in server.sent[3:]] == ["Bearer token1", BASIC, "Bearer token2"]


def test_what_is_sent_is_sent_again():
    server = Server(BEARER)
    with connect(server) as client:
        assert client.put(BLOB, content=b"the whole blob").content == b"the whole blob"


def test_a_password_that_is_refused_is_sent_once():
    server = Server('Basic realm="registry"', accepts="nothing")
    assert ask(server).status_code == 401
    assert server.sent == [(HOST, None), (HOST, BASIC)]


@pytest.mark.parametrize("challenge", ["", "Negotiate", "Digest realm=x", "basic", 'Basic realm="x"'])
def test_without_credentials_there_is_nothing_to_answer(challenge):
    server = Server(challenge)
    assert ask(server, None).status_code == 401
    assert len(server.seen) == 1


def test_a_refresh_token_is_no_password():
    server = Server('Basic realm="registry"')
    assert ask(server, Credentials(user="", password="", refresh_token="long lived")).status_code == 401
    assert len(server.seen) == 1


ANSWERS = [
    httpx.Response(200, text="<html>"),
    httpx.Response(200, json=[]),
    httpx.Response(200, json={}),
    httpx.Response(200, json={"token": ""}),
]


@pytest.mark.parametrize("answer", [httpx.Response(403, text="no"), *ANSWERS])
def test_without_a_token_the_registry_is_asked_without(answer):
    server = Server(BEARER, token=lambda _request: answer)
    ask(server)
    assert server.sent == [(HOST, None), ("auth.example.org", BASIC), (HOST, None)]


@pytest.mark.parametrize("answer", ANSWERS)
def test_what_a_token_server_says_is_not_the_answer_of_the_registry(answer):
    assert ask(Server(BEARER, token=lambda _request: answer)).status_code == 401


# To whom nothing is sent.


@pytest.mark.parametrize(
    "url",
    [
        "https://storage.example.org/blob",
        f"https://{HOST}.evil.example.org/blob",
        f"https://{HOST}:8443/blob",
        f"https://x@evil.example.org/{HOST}",
    ],
)
def test_another_host_that_asks_gets_nothing(url):
    server = Server('Basic realm="registry"', accepts=BASIC)
    assert ask(server, url=url).status_code == 401
    assert len(server.seen) == 1


def test_a_token_is_for_no_other_host():
    server = Server(BEARER)
    with connect(server) as client:
        client.get(BLOB)
        assert client.get("https://storage.example.org/blob").status_code == 401
    assert server.sent[-1] == ("storage.example.org", None)


def test_where_a_registry_sends_a_download_gets_no_token():
    def answer(request):
        seen.append((request.url.host, request.headers.get("authorization")))
        if request.url.host == HOST and request.headers.get("authorization") != BASIC:
            return httpx.Response(401, headers={"WWW-Authenticate": "Basic"})
        if request.url.host == HOST:
            return httpx.Response(307, headers={"Location": "https://storage.example.org/blob"})
        return httpx.Response(200)

    seen = []
    assert ask(answer, follow_redirects=True).status_code == 200
    assert seen == [(HOST, None), (HOST, BASIC), ("storage.example.org", None)]


@pytest.mark.parametrize(
    "realm",
    [
        "http://auth.example.org/token",
        "http://127.0.0.1/token",
        "http://localhost:5000/token",
        "ftp://auth.example.org/",
        "/token",
        "",
    ],
)
def test_a_password_does_not_leave_over_a_line_that_all_can_read(realm):
    server = Server(f'Bearer realm="{realm}",service="x"')
    with pytest.raises(httpx.InvalidURL, match="which is refused"):
        ask(server)
    assert len(server.seen) == 1


@pytest.mark.parametrize("host", ["localhost:5000", "127.0.0.1:5000"])
def test_a_registry_of_this_machine_may_have_its_token_server_here(host):
    def answer(request):
        seen.append((request.url.path, request.headers.get("authorization")))
        if request.url.path == "/token":
            return httpx.Response(200, json={"token": "token1"})
        if request.headers.get("authorization") == "Bearer token1":
            return httpx.Response(200)
        return httpx.Response(401, headers={"WWW-Authenticate": 'Bearer realm="http://localhost:5001/token"'})

    seen = []
    auth = RegistryAuth(host, "team/builds", JANE)
    with httpx.Client(auth=auth, transport=httpx.MockTransport(answer)) as client:
        assert client.get(f"http://{host}/v2/x").status_code == 200
    assert [path for path, _ in seen] == ["/v2/x", "/token", "/v2/x"]


def test_credentials_do_not_show_themselves():
    shown = repr(Credentials(user="jane", password="s3cret", refresh_token="long lived"))
    assert not any(word in shown for word in ("jane", "s3cret", "long lived"))


@settings(max_examples=60)
@given(
    quoted=st.booleans(),
    spaces=st.sampled_from(["", " "]),
    order=st.permutations(["realm", "service", "scope"]),
    upper=st.booleans(),
)
def test_a_challenge_is_read_however_it_is_written(quoted, spaces, order, upper):
    values = {"realm": TOKENS, "service": HOST, "scope": "x"}
    written = {name: f'"{value}"' if quoted else value for name, value in values.items()}
    parts = [f"{name.upper() if upper else name}={written[name]}" for name in order]
    server = Server(f"{'BEARER' if upper else 'Bearer'} " + f",{spaces}".join(parts))
    assert ask(server).status_code == 200
    assert server.seen[1].url.params["service"] == HOST


@settings(max_examples=60)
@given(challenge=st.text(st.characters(min_codepoint=32, max_codepoint=126)))
def test_no_challenge_makes_the_client_fall_over_or_tell_the_password(challenge):
    server = Server(challenge, accepts="nothing")
    with contextlib.suppress(httpx.InvalidURL):
        ask(server)
    assert {host for host, auth in server.sent if auth} <= {HOST, "auth.example.org"}


def test_a_token_may_be_asked_for_pulling_alone():
    server = Server(BEARER)
    auth = RegistryAuth(HOST, "team/builds", JANE, actions="pull")
    with httpx.Client(auth=auth, transport=httpx.MockTransport(server)) as client:
        assert client.get(BLOB).status_code == 200
    assert server.seen[1].url.params["scope"] == "repository:team/builds:pull"


class Endless(httpx.SyncByteStream):
    """A body that ends long after any use for it, and how much of it was read."""

    def __init__(self):
        self.read = 0

    def __iter__(self):
        for _ in range(1000):
            self.read += 1 << 16
            yield bytes(1 << 16)


def test_no_more_of_a_refusal_is_read_than_one_has():
    bodies = [Endless(), Endless()]

    def answer(request):
        if str(request.url).startswith(TOKENS):
            return httpx.Response(200, stream=bodies[1])
        return httpx.Response(401, headers={"WWW-Authenticate": BEARER, "Content-Encoding": "br"}, stream=bodies[0])

    auth = RegistryAuth(HOST, "team/builds", JANE)
    with httpx.Client(auth=auth, transport=httpx.MockTransport(answer)) as client:
        with pytest.raises(httpx.DecodingError, match="too long"):
            client.get(BLOB)
        assert bodies[0].read < 2 << 20
        bodies[0] = httpx.ByteStream(b"no")
        with pytest.raises(httpx.DecodingError, match="too long"):
            client.get(BLOB)
    assert bodies[1].read < 2 << 20


@pytest.mark.parametrize(
    ("host", "here"),
    [("localhost", True), ("127.0.0.53", True), ("::1", True), ("127.example.org", False), ("192.0.2.1", False)],
)
def test_which_hosts_are_this_machine(host, here):
    assert on_this_machine(host) is here
