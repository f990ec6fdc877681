"""The table of rules, held by the built-in server, by nginx and by Caddy alike."""

from __future__ import annotations

import gzip
import re
import subprocess
from contextlib import contextmanager

import brotli
import httpx
import pytest
from faulty_index import FAULTS, Site, wheel
from loopback import free_port
from web_servers import CONFIGURATION, SITE, caddy, nginx, run_inside

from emwheels.serve import configuration
from emwheels.serve.rules import COMMON_HEADERS, FOREVER, PREFLIGHT_HEADERS, REVALIDATE, SIMPLE_JSON, SIMPLE_JSON_FILE
from emwheels.verify import verify

pytestmark = pytest.mark.image

WHEEL = "/wheels/alpha-1.0-cp314-cp314-pyemscripten_2026_0_wasm32.whl"
PACKED = "/wheels/packed-1.0-py3-none-any.whl"
SERVERS = ("built-in", "nginx", "caddy")


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A folder with an index in HTML, a JSON page, precompressed files, and what must not be seen."""
    root = tmp_path_factory.mktemp("dist")
    right = Site(base="")
    right.add("alpha", "1.0")
    FAULTS["right-html"].change(right)
    right.write()
    packed = wheel("packed", "1.0", "py3-none-any")
    files = {
        **right.files,
        "/other/index.json": b"{}",
        PACKED: packed,
        f"{PACKED}.br": brotli.compress(packed),
        f"{PACKED}.gz": gzip.compress(packed),
        "/.hidden/secret": b"secret",
        "/wheels/.part-1": b"secret",
        "/both/simple/x/index.html": b"html",
        f"/both/simple/x/{SIMPLE_JSON_FILE}": b"{}",
        "/app.mjs": b"export {}",
        "/picture.svg": b"<svg/>",
    }
    for path, data in files.items():
        file = root / path[1:]
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
    outside = tmp_path_factory.mktemp("outside") / "outside"
    outside.write_text("secret")
    (root / "out").symlink_to(outside)
    (root / "empty").mkdir()
    return root


@contextmanager
def built_in(site, project):
    command = project.command("serve", str(site), "--port", "0", "--quiet")
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=project.env, text=True) as run:
        try:
            said = run.stdout.readline()
            found = re.search(r"http://\S+:\d+", said)
            assert found, f"the server ended: {said}"
            yield found[0]
        finally:
            run.terminate()


@pytest.fixture(scope="module", params=SERVERS)
def server(request, service_image, site, make_project, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    running = {
        "built-in": lambda: built_in(site, make_project(folder)),
        "nginx": lambda: nginx(service_image, site, folder),
        "caddy": lambda: caddy(service_image, site, folder),
    }[request.param]
    with running() as address:
        yield request.param, address


@pytest.fixture
def ask(server):
    with httpx.Client(base_url=server[1], trust_env=False, follow_redirects=False) as client:

        def ask(path, method="GET", **headers):
            sent = {"Accept-Encoding": "identity"} | {name.replace("_", "-"): value for name, value in headers.items()}
            return client.request(method, path, headers=sent)

        yield ask


@pytest.mark.parametrize(
    ("path", "media_type", "cache"),
    [
        (WHEEL, "application/zip", FOREVER),
        (f"{WHEEL}.metadata", "text/plain; charset=utf-8", FOREVER),
        ("/simple/", "text/html; charset=utf-8", REVALIDATE),
        ("/simple/alpha/", "text/html; charset=utf-8", REVALIDATE),
        ("/simple//alpha/", "text/html; charset=utf-8", REVALIDATE),
        ("/both/simple/x/index.json", SIMPLE_JSON, REVALIDATE),
        ("/other/index.json", "application/json", REVALIDATE),
        ("/pyodide/pyodide.asm.wasm", "application/wasm", REVALIDATE),
        ("/app.mjs", "text/javascript; charset=utf-8", REVALIDATE),
        ("/picture.svg", "image/svg+xml", REVALIDATE),
    ],
)
def test_types_caching_and_common_headers(ask, path, media_type, cache):
    answer = ask(path)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == media_type
    assert answer.headers["cache-control"] == cache
    assert answer.headers["etag"]
    for name, value in COMMON_HEADERS.items():
        assert answer.headers.get_list(name) == [value]


@pytest.mark.parametrize("path", ["/simple/none/", "/wheels/none.whl", "/none", "/empty/", "/none/"])
def test_absence_says_so_to_every_origin_and_is_not_kept(ask, path):
    answer = ask(path)
    assert answer.status_code in (403, 404)
    assert path == "/empty/" or answer.status_code == 404
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "immutable" not in answer.headers.get("cache-control", "")


@pytest.mark.parametrize(
    "path",
    ["/.hidden/secret", "/wheels/.part-1", "/%2e%2e/outside", "/wheels/..%2f..%2f..%2fetc/passwd"],
)
def test_nothing_hidden_and_nothing_outside_is_served(ask, path):
    answer = ask(path)
    assert answer.status_code in (400, 403, 404)
    assert "secret" not in answer.text
    assert "root:" not in answer.text


def test_a_link_that_leads_out_is_not_followed(server, ask):
    if server[0] == "caddy":
        assert "follows symbolic links" in configuration("caddy", root="/x", listen="127.0.0.1:80")
    else:
        assert ask("/out").status_code in (403, 404)


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        ("*/*", "text/html"),
        (f"{SIMPLE_JSON}, */*;q=0.01", SIMPLE_JSON),
        (f"{SIMPLE_JSON}, application/vnd.pypi.simple.v1+html; q=0.1, text/html; q=0.01", SIMPLE_JSON),
        (f"text/html, {SIMPLE_JSON};q=0", "text/html"),
    ],
)
def test_negotiation(ask, accept, media_type):
    answer = ask("/both/simple/x/", Accept=accept)
    assert answer.headers["content-type"].partition(";")[0] == media_type
    assert "Accept" in answer.headers["vary"].split(", ")
    assert ask("/simple/alpha/", Accept=accept).headers["content-type"] == "text/html; charset=utf-8"


def test_a_folder_without_its_slash(ask):
    answer = ask("/simple")
    assert answer.status_code in (301, 308)
    assert answer.headers["location"] == "/simple/"
    assert answer.headers["access-control-allow-origin"] == "*"


def test_ranges_and_conditions(ask, site):
    data = (site / WHEEL[1:]).read_bytes()
    part = ask(WHEEL, Range="bytes=10-19")
    assert (part.status_code, part.content) == (206, data[10:20])
    assert part.headers["content-range"] == f"bytes 10-19/{len(data)}"
    assert ask(WHEEL, Range=f"bytes={len(data)}-").status_code == 416
    assert ask(WHEEL, If_None_Match=part.headers["etag"]).status_code == 304
    assert ask(WHEEL, "HEAD").headers["content-length"] == str(len(data))


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [
        ("br, gzip", "br"),
        ("gzip, deflate, br, zstd", "br"),
        ("gzip", "gzip"),
        ("br;q=0, gzip", "gzip"),
        ("br;q=0.5", "br"),
        ("identity", None),
    ],
)
def test_precompressed_files(ask, site, accepted, coding):
    answer = ask(PACKED, Accept_Encoding=accepted)
    assert answer.headers.get("content-encoding") == coding
    assert answer.headers["content-type"] == "application/zip"
    assert answer.content == (site / PACKED[1:]).read_bytes()
    if coding:
        sent = int(answer.headers["content-length"])
        assert sent == (site / (PACKED[1:] + {"br": ".br", "gzip": ".gz"}[coding])).stat().st_size


def test_preflight(ask):
    answer = ask("/simple/alpha/", "OPTIONS", Origin="https://application.example", Access_Control_Request_Method="GET")
    assert answer.status_code == 204
    for name, value in (COMMON_HEADERS | PREFLIGHT_HEADERS).items():
        assert answer.headers.get_list(name) == [value]


def test_verification_finds_nothing(server, targets):
    (report,) = verify([f"{server[1]}/simple"], target=targets.get("314.0.7"), clients=())
    assert report.findings == []


@pytest.mark.parametrize("kind", ["nginx", "caddy"])
def test_isolated_configurations_are_valid_and_isolate(service_image, site, tmp_path, kind):
    with {"nginx": nginx, "caddy": caddy}[kind](service_image, site, tmp_path, isolated=True) as address:
        headers = httpx.get(f"{address}/simple/", trust_env=False).headers
    assert headers["cross-origin-opener-policy"] == "same-origin"
    assert headers["cross-origin-embedder-policy"] == "require-corp"


def test_caddy_validate(service_image, tmp_path):
    text = configuration("caddy", root=SITE, listen=f"127.0.0.1:{free_port()}")
    (tmp_path / "Caddyfile").write_text(text)
    argv = ["/usr/bin/caddy", "validate", "--adapter", "caddyfile", "--config", f"{CONFIGURATION}/Caddyfile"]
    status, said = run_inside(service_image, argv, tmp_path)
    assert status == 0, said
    assert "Valid configuration" in said
