from __future__ import annotations

import http.server
import json
import socket
import threading
from pathlib import Path

import pytest
from faulty_index import FAULTS, NAMED, FaultyIndex
from loopback import serving, serving_folder
from synthetic_wheels import WASM, make_wheel

from emwheels.cli import main as cli
from emwheels.errors import UsageError
from emwheels.fetch import bounded
from emwheels.index import publish as published
from emwheels.serve.rules import SIMPLE_JSON
from emwheels.verify import all_checks, verify

CHECKOUT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def index():
    with FaultyIndex() as running:
        yield running


@pytest.mark.parametrize("fault", FAULTS)
def test_every_fault_is_named_and_nothing_else(index, targets, fault):
    (report,) = verify([index.url(fault)], target=targets.get("314.0.7"), clients=())
    assert report.checks() == NAMED[fault], report.findings
    for finding in report.findings:
        assert finding.to_dict()["fix"] == all_checks()[finding.check].fix


def test_no_url(targets):
    with pytest.raises(UsageError, match="is not the URL of an index"):
        verify(["wheels.example.org/simple"], target=targets.get(None))


@pytest.fixture
def site(monkeypatch):
    """A site: path -> page, and its address."""
    pages = {}

    class Handler(http.server.BaseHTTPRequestHandler):
        def log_message(self, *_arguments):
            pass

        def do_GET(self):
            page = pages.get(self.path, "")
            self.send_response(200 if page else 404)
            self.send_header("Content-Type", SIMPLE_JSON if page.startswith("{") else "text/html")
            self.end_headers()
            self.wfile.write(page.encode())

    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "127.0.0.1")
    with serving(Handler) as address:
        yield pages, address


LIST = '<html><head><meta name="pypi:repository-version" content="1.0"></head><body></body></html>'


@pytest.mark.parametrize("root", ["", '<a href="simple/">simple/</a> <a href="wheels/a.whl">a</a>'])
@pytest.mark.parametrize("below", [LIST, '{"meta": {"api-version": "1.0"}, "projects": []}'])
def test_a_site_with_an_index_below(site, targets, root, below):
    pages, address = site
    pages |= {"/": root, "/simple/": below}
    for url in (address, f"{address}/", f"{address}/{{package_name}}/"):
        with pytest.raises(UsageError) as caught:
            verify([url], target=targets.get(None), clients=())
        assert caught.value.message == f"{address} is no index: the list of projects is below it"
        assert caught.value.hint == f"try {address}/simple"


@pytest.mark.parametrize("pages_of_site", [{"/": LIST, "/simple/": LIST}, {"/simple/": "<p>not found</p>"}, {}])
def test_an_index_at_the_root_of_a_site_is_verified(site, targets, pages_of_site):
    pages, address = site
    pages |= pages_of_site
    (report,) = verify([address], target=targets.get(None), clients=())
    assert report.url == address


def test_nobody_there(targets):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    (report,) = verify([f"http://127.0.0.1:{port}/simple"], target=targets.get(None), clients=())
    assert report.checks() == {"unreachable"}


def test_another_target_is_a_warning(index, targets):
    other = targets.get("315.0.0-alpha.2")
    (report,) = verify([index.url("right")], target=other, others=[targets.get("314.0.7")], clients=())
    assert report.checks() == {"abi-other-target"}
    assert not report.errors


@pytest.mark.parametrize(("fault", "status"), [("right", 0), ("wheel-not-cached", 0), ("no-hash", 10)])
def test_the_command(index, fault, status, capsys):
    command = ["--project", str(CHECKOUT), "index", "verify", index.url(fault), "--client", "none"]
    assert cli.main([*command, "--json"]) == status
    (report,) = json.loads(capsys.readouterr().out)
    assert {finding["check"] for finding in report["findings"]} == NAMED[fault]
    assert all(finding["fix"] and finding["means"] for finding in report["findings"])
    assert cli.main(command) == status
    shown = capsys.readouterr().out
    assert all(check in shown for check in NAMED[fault])
    assert NAMED[fault] or "no findings" in shown


def test_a_project_that_the_index_does_not_have(index, targets):
    with pytest.raises(UsageError, match="has no project nosuch") as caught:
        verify([index.url("right")], target=targets.get(None), clients=(), only=["nosuch"])
    assert "alpha" in caught.value.hint


@pytest.mark.parametrize(
    ("url", "better"),
    [
        ("https://h.example/team/pyodide-lock.json", "https://h.example/team/simple"),
        ("https://h.example/simple/index.html", "https://h.example/simple"),
        ("https://h.example/wheels/a-1.0-py3-none-any.whl", "https://h.example/simple"),
    ],
)
def test_the_address_of_a_file_of_an_index(targets, url, better):
    with pytest.raises(UsageError, match="is a file of an index") as caught:
        verify([url], target=targets.get(None), clients=())
    assert caught.value.hint == f"try {better}"


@pytest.mark.parametrize(
    ("needs", "message"),
    [
        (["nowhere>=3"], "needs nowhere>=3, and the index has no nowhere"),
        (["other>=2"], "needs other>=2, and the index has 1.0"),
        (["other>=1", 'win; sys_platform == "win32"', 'x; extra == "test"', 'other<1; sys_platform == "linux"'], None),
        (["x @ https://example.org/x.whl"], None),
    ],
)
def test_what_a_wheel_needs_has_to_be_in_the_index(tmp_path, targets, needs, message):
    for wheel in (make_wheel(tmp_path, "app", tag=WASM, requires=needs), make_wheel(tmp_path, "other", tag=WASM)):
        published(tmp_path / "dist", wheel, wheel.name)
    with serving_folder(tmp_path / "dist") as address:
        (report,) = verify([f"{address}/simple"], target=targets.get(None), clients=())
    found = [fault.message for fault in report.findings if fault.check == "requirement"]
    assert len(found) == (message is not None)
    assert all(message in text for text in found)


def test_only_some_projects(index, targets):
    (report,) = verify([index.url("json-garbled")], target=targets.get(None), clients=(), only=["beta_two"])
    assert report.findings == []


@pytest.mark.parametrize("page", [b"[" * 100_000, b"[]", b'{"projects": [1], "files": 5}', b"\xff"])
def test_pages_that_are_none_are_findings(targets, monkeypatch, page):
    class Handler(http.server.BaseHTTPRequestHandler):
        def log_message(self, *_arguments):
            pass

        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Type", SIMPLE_JSON)
            self.end_headers()
            self.wfile.write(page)

    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "127.0.0.1")
    with serving(Handler) as address:
        for only in ([], ["alpha"]):
            (report,) = verify([f"{address}/simple"], target=targets.get(None), clients=(), only=only)
            assert "page-content" in report.checks()


def test_a_redirect_to_another_network_is_refused_and_not_followed(targets, monkeypatch):
    asked = []

    class Trap(http.server.BaseHTTPRequestHandler):
        def log_message(self, *_arguments):
            pass

        def do_GET(self):
            asked.append(self.path)
            self.send_response(200)
            self.end_headers()

    real = bounded.network_of
    monkeypatch.setattr(bounded, "network_of", lambda address: "public" if address == "127.0.0.2" else real(address))
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "*")
    with serving(Trap) as within:

        class Leading(Trap):
            def do_GET(self):
                self.send_response(302)
                self.send_header("Location", f"{within}/")
                self.end_headers()

        leading = http.server.ThreadingHTTPServer(("127.0.0.2", 0), Leading)
        thread = threading.Thread(target=leading.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            root = f"http://127.0.0.2:{leading.server_port}/simple"
            (report,) = verify([root], target=targets.get(None), clients=(), seconds=5)
        finally:
            leading.shutdown()
            thread.join()
            leading.server_close()
    assert asked == []
    (finding,) = report.findings
    assert finding.check == "unreachable"
    assert "it leads to 127.0.0.1, a loopback address, which is refused" in finding.message


def test_an_index_whose_pages_are_not_reached_is_given_up(targets, monkeypatch):
    class Slow(http.server.BaseHTTPRequestHandler):
        def log_message(self, *_arguments):
            pass

        def do_GET(self):
            if self.path == "/simple/":
                self.send_response(200)
                self.send_header("Content-Type", "text/html")
                self.end_headers()
                self.wfile.write(b"".join(b"<a href='p%d/'>x</a>" % number for number in range(60)))
            elif self.path.startswith("/simple/p"):
                self.wfile.write(b"no HTTP")
            else:
                self.send_error(404)

    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "127.0.0.1")
    with serving(Slow) as address:
        (report,) = verify([f"{address}/simple"], target=targets.get(None), clients=(), seconds=5)
    lost = [finding for finding in report.findings if finding.check == "unreachable"]
    assert 12 < len(lost) < 30
    assert [finding.message for finding in report.findings if finding.check == "gave-up"] != []
