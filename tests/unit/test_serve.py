from __future__ import annotations

import gzip
import re
import socket
import subprocess
import zipfile

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emwheels.errors import EmwheelsError, UsageError
from emwheels.serve import CONFIGURATIONS, application, configuration, serve
from emwheels.serve.app import SMALL
from emwheels.serve.rules import COMMON_HEADERS, FOREVER, REVALIDATE, RULES, SIMPLE_JSON, SIMPLE_JSON_FILE, rule_of

WHEEL = "demo-1.0-py3-none-any.whl"


@pytest.fixture
def dist(tmp_path):
    root = tmp_path / "dist"
    for folder in ("wheels", "simple/demo", "size/wheels", "pyodide", ".hidden"):
        (root / folder).mkdir(parents=True)
    with zipfile.ZipFile(root / "wheels" / WHEEL, "w") as archive:
        archive.writestr("demo.py", "x = 1\n" * 100)
    (root / "wheels" / f"{WHEEL}.metadata").write_text("Name: demo\n")
    for suffix in (".statement.json", ".provenance"):
        (root / "wheels" / f"{WHEEL}{suffix}").write_text("{}")
    (root / "size" / "wheels" / WHEEL).write_bytes(b"PK")
    (root / "simple" / "index.html").write_text('<a href="demo/">demo</a>')
    (root / "simple" / "demo" / "index.html").write_text("html")
    (root / "simple" / "demo" / SIMPLE_JSON_FILE).write_text("{}")
    (root / "pyodide" / "pyodide.asm.wasm").write_bytes(b"\0asm" * 8)
    (root / "large.bin").write_bytes(bytes(range(256)) * 4096)
    (root / ".hidden" / "secret").write_text("secret")
    (root / "wheels" / ".part").write_text("secret")
    (tmp_path / "outside").write_text("secret")
    (root / "out").symlink_to(tmp_path / "outside")
    (root / "in").symlink_to(root / "large.bin")
    return root


@pytest.fixture
def ask(dist):
    """A function that asks the application, as it is without a server."""
    import asyncio

    transport = httpx.ASGITransport(app=application(dist))

    def ask(path, method="GET", **headers):
        async def request():
            async with httpx.AsyncClient(transport=transport, base_url="http://dist") as client:
                sent = {"Accept-Encoding": "identity"} | {k.replace("_", "-"): v for k, v in headers.items()}
                return await client.request(method, path, headers=sent)

        return asyncio.run(request())

    return ask


@pytest.mark.parametrize(
    ("path", "media_type", "cache"),
    [
        (f"/wheels/{WHEEL}", "application/zip", FOREVER),
        (f"/size/wheels/{WHEEL}", "application/zip", FOREVER),
        (f"/wheels/{WHEEL}.metadata", "text/plain; charset=utf-8", FOREVER),
        (f"/wheels/{WHEEL}.statement.json", "application/json", FOREVER),
        (f"/wheels/{WHEEL}.provenance", "application/json", FOREVER),
        ("/simple/", "text/html; charset=utf-8", REVALIDATE),
        ("/simple/demo/", "text/html; charset=utf-8", REVALIDATE),
        ("/simple/demo/index.json", SIMPLE_JSON, REVALIDATE),
        ("/pyodide/pyodide.asm.wasm", "application/wasm", REVALIDATE),
        ("/large.bin", "application/octet-stream", REVALIDATE),
    ],
)
def test_types_and_caching(ask, path, media_type, cache):
    answer = ask(path)
    assert (answer.status_code, answer.headers["content-type"], answer.headers["cache-control"]) == (
        200,
        media_type,
        cache,
    )
    for name, value in COMMON_HEADERS.items():
        assert answer.headers[name] == value
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        ("*/*", "text/html"),
        ("text/html", "text/html"),
        (f"{SIMPLE_JSON}, */*;q=0.01", SIMPLE_JSON),
        (f"{SIMPLE_JSON}, application/vnd.pypi.simple.v1+html; q=0.1, text/html; q=0.01", SIMPLE_JSON),
        (f"text/html, {SIMPLE_JSON};q=0.5", "text/html"),
        (f"{SIMPLE_JSON};q=0", "text/html"),
        (f"{SIMPLE_JSON};q=nonsense", "text/html"),
        ("application/vnd.pypi.simple.latest+json", SIMPLE_JSON),
    ],
)
def test_negotiation(ask, accept, media_type):
    answer = ask("/simple/demo/", Accept=accept)
    assert answer.headers["content-type"].partition(";")[0] == media_type
    assert "Accept" in answer.headers["vary"].split(", ")


def test_without_a_json_form_there_is_html(ask, dist):
    (dist / "simple" / "demo" / SIMPLE_JSON_FILE).unlink()
    assert ask("/simple/demo/", Accept=SIMPLE_JSON).text == "html"


@pytest.mark.parametrize(
    "path",
    [
        "/.hidden/secret",
        "/wheels/.part",
        "/out",
        "/%2e%2e/outside",
        "/..%2foutside",
        "/wheels/..%2f..%2foutside",
        "/wheels/%2e%2e/%2e%2e/outside",
        "/..%5coutside",
        "/wheels%00",
        "//etc/passwd",
        "/wheels/",
        "/nothing",
        f"/wheels/{WHEEL}/",
        "/" + "a" * 5000,
    ],
)
def test_what_is_not_to_be_seen_is_not_found(ask, path):
    answer = ask(path)
    assert answer.status_code == 404
    assert "secret" not in answer.text
    assert answer.headers["access-control-allow-origin"] == "*"


@given(st.text(alphabet="./%\\2eEfF5c0 ~-a\0\n:", max_size=30))
def test_no_path_leads_out(path):
    import pathlib
    import tempfile

    from emwheels.serve.app import _locate

    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder).resolve() / "root"
        root.mkdir()
        found = _locate(str(root), "/" + path)
        assert found is None or found == str(root)


def test_a_link_within_the_folder_is_followed(ask):
    assert len(ask("/in").content) == 256 * 4096


@pytest.mark.parametrize(
    ("path", "to"),
    [("/simple", "/simple/"), ("/simple/demo", "/simple/demo/"), ("/simple/DEMO/", "/simple/demo/")],
)
def test_redirects(ask, path, to):
    answer = ask(path)
    assert (answer.status_code, answer.headers["location"]) == (301, to)
    assert answer.headers["access-control-allow-origin"] == "*"


def test_a_redirect_stays_here(ask):
    assert ask("http://dist//simple//demo").headers["location"] == "/simple/demo/"


def test_double_slashes_are_one(ask):
    assert ask("/simple//demo/").text == "html"


@pytest.mark.parametrize("path", [f"/wheels/{WHEEL}", "/large.bin"])
def test_ranges_and_conditions(ask, dist, path):
    data = (dist / path[1:]).read_bytes()
    whole = ask(path)
    assert whole.content == data
    part = ask(path, Range="bytes=10-19")
    assert (part.status_code, part.content, part.headers["content-range"]) == (
        206,
        data[10:20],
        f"bytes 10-19/{len(data)}",
    )
    assert ask(path, Range="bytes=-5").content == data[-5:]
    beyond = ask(path, Range=f"bytes={len(data)}-")
    assert beyond.status_code == 416
    assert beyond.headers["access-control-allow-origin"] == "*"
    tag = whole.headers["etag"]
    same = ask(path, If_None_Match=f'"x", W/{tag}')
    assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", tag)
    assert ask(path, If_None_Match='"other"').status_code == 200
    assert ask(path, Range="bytes=0-3", If_Range='"other"').content == data
    assert ask(path, Range="bytes=0-3", If_Range=tag).content == data[:4]


def test_head_and_other_methods(ask):
    head = ask(f"/wheels/{WHEEL}", "HEAD")
    assert int(head.headers["content-length"]) > 100
    assert ask("/simple/", "POST").status_code == 405
    preflight = ask("/simple/", "OPTIONS", Origin="https://application.example", Access_Control_Request_Method="GET")
    assert preflight.status_code == 204
    assert "GET" in preflight.headers["access-control-allow-methods"]


def test_precompressed_files(ask, dist):
    data = (dist / "wheels" / WHEEL).read_bytes()
    (dist / "wheels" / f"{WHEEL}.gz").write_bytes(gzip.compress(data))
    plain = ask(f"/wheels/{WHEEL}")
    packed = ask(f"/wheels/{WHEEL}", Accept_Encoding="gzip, br")
    assert "content-encoding" not in plain.headers
    assert packed.headers["content-encoding"] == "gzip"
    assert plain.content == packed.content == data
    assert plain.headers["etag"] != packed.headers["etag"]
    assert packed.headers["content-type"] == "application/zip"
    assert "content-encoding" not in ask(f"/wheels/{WHEEL}", Accept_Encoding="gzip;q=0, br").headers


def test_isolation(dist):
    import asyncio

    async def request():
        transport = httpx.ASGITransport(app=application(dist, isolated=True))
        async with httpx.AsyncClient(transport=transport, base_url="http://dist") as client:
            return await client.get("/simple/")

    headers = asyncio.run(request()).headers
    assert headers["cross-origin-opener-policy"] == "same-origin"
    assert headers["cross-origin-embedder-policy"] == "require-corp"


def test_every_path_has_exactly_one_rule():
    assert RULES[-1].suffix == RULES[-1].folder == ""
    for path in ("/a", f"/wheels/{WHEEL}", "/x/y/wheels/z.whl", "/wheels/sub/z.whl", "/simple/a/index.json"):
        first = next(rule for rule in RULES if re.fullmatch(rule.pattern, path))
        assert rule_of(path) is first
    assert rule_of("/wheels/sub/z.whl").cache == REVALIDATE


@pytest.mark.parametrize("kind", CONFIGURATIONS)
def test_configurations_hold_the_table(kind):
    text = configuration(kind, root="/srv/wheels", listen="127.0.0.1:8080", folders=["size"])
    for name, value in COMMON_HEADERS.items():
        assert name in text
        assert value in text
    assert FOREVER in text
    assert SIMPLE_JSON in text
    assert "application/wasm" in text
    assert "Cross-Origin-Embedder-Policy" not in text
    isolated = configuration(kind, root="/srv/wheels", listen="127.0.0.1:8080", isolated=True)
    assert "Cross-Origin-Embedder-Policy" in isolated


@pytest.mark.parametrize("root", ["/srv/a b", "/srv/;}", "/srv/$x", '/srv/"', "/srv/a\nb"])
def test_what_cannot_be_written_into_a_configuration(root):
    with pytest.raises(UsageError, match="cannot be written"):
        configuration("nginx", root=root, listen="127.0.0.1:80")


def test_no_two_header_patterns_set_the_same_header():
    """A host adds up the headers of every pattern that fits, so a second value would be a list of both."""
    text = configuration("headers", root="", listen="", folders=["size"])
    sections: list[tuple[str, list[str]]] = []
    for line in text.splitlines():
        if line.startswith("/"):
            sections.append((line, []))
        elif line.startswith("  "):
            sections[-1][1].append(line.split(":")[0].strip())
    for path in (
        "/wheels/a.whl",
        "/size/wheels/a.whl.metadata",
        "/simple/a/index.json",
        "/pyodide/x.wasm",
        "/index.html",
    ):
        names = [
            name
            for pattern, headers in sections
            if re.fullmatch(re.escape(pattern).replace(r"\*", ".*"), path)
            for name in headers
        ]
        assert len(names) == len(set(names)), path
        assert "Access-Control-Allow-Origin" in names


def test_no_folder_and_no_port(tmp_path):
    with pytest.raises(UsageError, match="there is no folder"):
        serve(tmp_path / "none", host="127.0.0.1", port=0)
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(EmwheelsError, match="cannot be listened on"):
        serve(tmp_path, host="127.0.0.1", port=taken.getsockname()[1])


def test_the_command_serves_until_it_is_interrupted(dist, plain_project):
    import signal

    command = plain_project.command("serve", str(dist), "--port", "0")
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=plain_project.env, text=True
    ) as run:
        address = re.search(r"http://\S+:\d+", run.stdout.readline())[0]
        data = (dist / "large.bin").read_bytes()
        assert len(data) > SMALL
        with httpx.Client(trust_env=False) as client:
            assert client.get(f"{address}/large.bin").content == data
        run.send_signal(signal.SIGINT)
        _, err = run.communicate(timeout=30)
    assert "Traceback" not in err
    assert run.returncode in (0, 130)
