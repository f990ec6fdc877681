"""Exit statuses: all of them are those of `emwheels.errors`, and the help names them."""

from __future__ import annotations

import importlib
import inspect
import json
import pkgutil
import re

import pytest

import emwheels
from emwheels import errors
from emwheels.cli.main import command_parser

STATUSES = {
    kind.exit_code for kind in vars(errors).values() if inspect.isclass(kind) and issubclass(kind, errors.EmwheelsError)
}


def descendants(kind):
    return {kind}.union(*map(descendants, kind.__subclasses__()))


def test_no_status_is_defined_elsewhere():
    for module in pkgutil.walk_packages(emwheels.__path__, "emwheels."):
        if ".inside" not in module.name and not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    own = {kind for kind in descendants(errors.EmwheelsError) if kind.__module__.startswith("emwheels.")}
    assert {kind.exit_code for kind in own} == STATUSES


def test_help_names_every_status():
    text = command_parser().epilog.partition("exit status: ")[2]
    assert {int(number) for number in re.findall(r"\b\d+\b", text)} == STATUSES | {0}


def test_each_says_what_happened():
    for kind in vars(errors).values():
        if inspect.isclass(kind) and issubclass(kind, errors.EmwheelsError):
            assert kind.__doc__


ADDRESSES = [
    ("https://alice:sekrit@example.org/x", "https://example.org/x"),
    ("https://alice@example.org/x", "https://example.org/x"),
    ("https://:sekrit@example.org:8443/x?b=1#f", "https://example.org:8443/x?b=1#f"),
    ("https://alice:sek@rit@example.org/x@y", "https://example.org/x@y"),
    ("https://alice:sek/rit@example.org/x", "https://example.org/x"),
    ("https://alice:1sek#rit@example.org/x", "https://example.org/x"),
    ("s3://AKID:sekrit@bucket/folder", "s3://bucket/folder"),
    ("git+https://sekrit@example.org/x.git@main", "git+https://example.org/x.git@main"),
    ("https:/alice:sekrit@example.org", "https:/example.org"),
    ("http:/sekrit@example.org", "http:/example.org"),
    ("https://example.org/x?token=sekrit", "https://example.org/x"),
    ("https://example.org/x?a=1&access_token=sekrit&b=2#sha256=ab", "https://example.org/x?a=1&b=2#sha256=ab"),
    ("https://example.org/x?X-Amz-Date=1&X-Amz-Signature=sekrit&b=2", "https://example.org/x?b=2"),
    ("https://example.org/x?sv=1&SIG=sekrit", "https://example.org/x?sv=1"),
    ("https://example.org/x?key=sekrit&password=sekrit&private_token=sekrit", "https://example.org/x"),
    ("https://example.org/x#access_token=sekrit", "https://example.org/x"),
]
INNOCENT = [
    "https://example.org:8443/@scope/x@1?file_name=a.tar.gz",
    "http://[::1]:8080/@scope/x",
    "pkg:npm/%40scope/p@1.0?file_name=p.tgz",
    "oci://127.0.0.1:5000/name@sha256:ab",
    "https://example.org/x?tokenizer=1&keyboard=2&monkey=3",
    "user@host:folder",
    "file:///tmp/a@b",
    "see http://127.0.0.1:8000. Then mail me@example.org, or (http://example.org:80) me@example.org",
    "authorization: the server refused it",
    "signature = inspect.signature(f)",
    "def f(signature=None)",
    "if (a&key == b) token=c; password=d; the password does not belong there",
]


@pytest.mark.parametrize(("address", "kept"), ADDRESSES)
def test_an_address_is_kept_without_secrets(address, kept):
    assert errors.without_secrets(address) == kept
    assert errors.redacted(f"fetching '{address}' failed: \"{address}\"") == f"fetching '{kept}' failed: \"{kept}\""


@pytest.mark.parametrize("text", INNOCENT)
def test_what_is_no_secret_stays(text):
    assert errors.without_secrets(text) == errors.redacted(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "Authorization: Basic sekrit==",
        "{'authorization': 'Bearer sekrit'}",
        "//example.org/:_authToken=sekrit",
        "_auth = sekrit",
        "//example.org/:_password=sekrit",
        "proxy-authorization: Basic sekrit==",
        "(b'Authorization', b'Bearer sekrit')",
        "Authorization: sekrit-0123456789",
        "PRIVATE-TOKEN: sekrit",
        "Set-Cookie: sid=sekrit",
        '_authToken = "sekrit"',
        "AWS_SECRET_ACCESS_KEY=sekrit",
        "RSYNC_PASSWORD=sekrit",
        r"https:\/\/me:sekrit@example.org\/x",
        "authorization: AWS4-HMAC-SHA256 Credential=sekrit, SignedHeaders=host, Signature=sekrit",
    ],
)
def test_headers_and_npm_files_sign_in_by_nothing(text):
    assert "sekrit" not in errors.redacted(text)


@pytest.mark.parametrize(
    "text",
    [
        'see "https://example.org/?token=sekrit", he said',
        'see "https://example.org/?a=1&token=sekrit\\"',
        'see "https://a:sekrit@example.org/"',
        '{"authorization": "Basic sekrit"}',
    ],
)
def test_json_stays_json(text):
    for told in (text, json.dumps(text)):
        shown = errors.redacted(json.dumps({"said": told, "next": 1}))
        assert json.loads(shown)["next"] == 1
    assert "sekrit" not in errors.redacted(json.dumps({"said": text, "next": 1}))


@pytest.fixture
def kept(monkeypatch):
    """Nothing that other tests had kept is."""
    monkeypatch.setattr(errors, "_kept", [])


@pytest.mark.usefixtures("kept")
def test_what_a_server_says_back_is_not_shown():
    errors.keep_secret("Fr33-token")
    errors.keep_secrets_of("https://jane:S3kr%2Ft%40x@example.org/x?sig=abc%3D%3Ddef&b=plaintext1")
    for secret in ("Fr33-token", "S3kr/t@x", "S3kr%2Ft%40x", "amFuZTpTM2tyL3RAeA==", "abc==def"):
        assert errors.redacted(f"you sent {secret}.") == "you sent ***."
    for innocent in ("jane", "example.org", "plaintext1"):
        assert errors.redacted(f"you sent {innocent}.") == f"you sent {innocent}."
    assert str(errors.FetchError("no Fr33-token")) == "no ***"


@pytest.mark.usefixtures("kept")
def test_what_innocent_text_may_have_is_no_secret_to_be_kept():
    errors.keep_secret("", "short1", "packages")
    errors.keep_secrets_of("http://example.org:8080/x", "http://jane:packages@example.org/", "host:folder/of/Index")
    for text in ("short1 packages 8080", "host:folder/of/Index"):
        assert errors.redacted(text) == text


@pytest.mark.usefixtures("kept")
def test_an_address_may_have_any_bytes():
    errors.keep_secrets_of("https://jane:S3cret-\udcff@example.org/")
    assert errors.redacted("you sent S3cret-\udcff") == "you sent ***"


@pytest.mark.usefixtures("kept")
def test_of_two_secrets_no_half_is_left():
    errors.keep_secret("S3cret-1", "S3cret-1-and-more")
    assert errors.redacted("S3cret-1-and-more") == "***"


def test_no_failure_and_no_screen_shows_a_secret():
    error = errors.FetchError("https://a:sekrit@example.org/x: 404", hint="see https://example.org/?token=sekrit")
    assert (error.message, str(error), error.hint) == (
        "https://example.org/x: 404",
        "https://example.org/x: 404",
        "see https://example.org/",
    )
    assert errors.visible("\x1bhttps://a:sekrit@example.org/") == "\\x1bhttps://example.org/"


@pytest.mark.timeout(30)
@pytest.mark.parametrize(
    "text",
    [
        "http://a:" * 20_000,
        "http:/" * 20_000,
        "?" * 50_000 + "=",
        "?" + "token=x&" * 20_000,
        "?a.token" * 20_000 + "=",
        "?token=" + "\\" * 100_000,
        "authorization:" * 20_000 + "=",
        "authorization: " + "a" * 100_000,
    ],
    ids=lambda text: text[:12],
)
def test_a_text_of_nothing_but_beginnings_is_soon_read(text):
    assert len(errors.redacted(text)) <= len(text)
