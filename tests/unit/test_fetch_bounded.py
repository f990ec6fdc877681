"""Redirects, links and time, against real servers on addresses of loopback, some of which count as others."""

from __future__ import annotations

import gzip
import http.server
import socket
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from emwheels.errors import FetchError
from emwheels.fetch import bounded
from emwheels.fetch.bounded import network_of
from emwheels.fetch.download import Downloader, UnreachableError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Answer = Callable[[http.server.BaseHTTPRequestHandler], None]

PUBLIC, PRIVATE, LINK_LOCAL, LOOPBACK = "127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.0.1"


@pytest.fixture(autouse=True)
def _networks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let addresses of loopback stand for those of other networks."""
    others = {PUBLIC: "public", PRIVATE: "private", LINK_LOCAL: "link-local"}
    monkeypatch.setattr(bounded, "network_of", lambda address: others.get(address) or network_of(address))
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "*")


@contextmanager
def server(address: str, answer: Answer) -> Iterator[tuple[str, list[str]]]:
    """Answer every GET, and give the URL and what is asked for."""
    asked: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def log_message(self, *_arguments: object) -> None:
            pass

        def do_GET(self) -> None:
            asked.append(self.path)
            answer(self)

    running = http.server.ThreadingHTTPServer((address, 0), Handler)
    running.daemon_threads = True
    thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://{address}:{running.server_port}", asked
    finally:
        running.shutdown()
        thread.join()
        running.server_close()


def give(data: bytes, **headers: str) -> Answer:
    def answer(handler: http.server.BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data)

    return answer


def redirect(to: str) -> Answer:
    def answer(handler: http.server.BaseHTTPRequestHandler) -> None:
        handler.send_response(302)
        handler.send_header("Location", to)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    return answer


@pytest.mark.parametrize(
    ("home", "to", "reached"),
    [
        (PUBLIC, LOOPBACK, False), (PUBLIC, PRIVATE, False), (PUBLIC, LINK_LOCAL, False), (PUBLIC, PUBLIC, True),
        (PRIVATE, LOOPBACK, False), (PRIVATE, LINK_LOCAL, False), (PRIVATE, PRIVATE, True), (PRIVATE, PUBLIC, True),
        (LOOPBACK, LINK_LOCAL, False), (LOOPBACK, PRIVATE, True), (LOOPBACK, LOOPBACK, True),
    ],
)  # fmt: skip
@pytest.mark.parametrize("by", ["redirect", "link"])
def test_where_a_server_may_lead(tmp_path: Path, home: str, to: str, reached: bool, by: str) -> None:
    downloader = Downloader(attempts=1, seconds=5)

    def fetch(page: str, goal: str) -> bytes:
        if by == "redirect":
            return downloader.get(f"{page}/").content
        downloader.save(f"{goal}/", tmp_path / "file", lambda *_: None, listed_at=f"{page}/")
        return (tmp_path / "file").read_bytes()

    with server(to, give(b"within")) as (goal, asked), server(home, redirect(f"{goal}/")) as (page, _):
        if reached:
            assert fetch(page, goal) == b"within"
        else:
            with pytest.raises(FetchError, match=r"it leads to 127\.0\.0\.\d, a [a-z-]+ address, which is refused"):
                fetch(page, goal)
    assert asked == (["/"] if reached else [])


@pytest.mark.parametrize(
    "to",
    ["http://127.1:{port}/", "http://2130706433:{port}/", "http://localhost:{port}/", "http://[::ffff:7f00:1]:{port}/"],
)
def test_loopback_in_other_words(to: str) -> None:
    with server(LOOPBACK, give(b"within")) as (goal, asked):
        there = redirect(to.format(port=goal.rpartition(":")[2]))
        with (
            server(PUBLIC, there) as (page, _),
            pytest.raises(FetchError, match="a loopback address, which is refused"),
        ):
            Downloader(attempts=1, seconds=5).get(f"{page}/")
    assert asked == []


def test_a_name_that_resolves_to_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    resolve = socket.getaddrinfo

    def lie(host: str, *arguments: object, **options: object) -> object:
        return resolve(LOOPBACK if host == "evil.example" else host, *arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(socket, "getaddrinfo", lie)
    with server(LOOPBACK, give(b"within")) as (goal, asked):
        there = redirect(goal.replace(LOOPBACK, "evil.example"))
        refused = pytest.raises(FetchError, match=r"it leads to evil\.example, a loopback address, which is refused")
        with server(PUBLIC, there) as (page, _), refused:
            Downloader(attempts=1, seconds=5).get(f"{page}/")
    assert asked == []


@pytest.mark.parametrize("to", ["file:///etc/passwd", "ftp://example.org/", "gopher://example.org/"])
def test_a_redirect_to_what_is_not_the_web(to: str) -> None:
    with server(LOOPBACK, redirect(to)) as (page, _), pytest.raises(FetchError, match="which is refused"):
        Downloader(attempts=1, seconds=5).get(f"{page}/")


def test_redirects_without_end_are_few() -> None:
    with server(LOOPBACK, redirect("/again")) as (page, asked), pytest.raises(FetchError, match="redirects"):
        Downloader(attempts=1, seconds=5).get(f"{page}/")
    assert len(asked) == bounded.MOST_REDIRECTS + 1


def drip(handler: http.server.BaseHTTPRequestHandler) -> None:
    """Send a byte now and then until nobody listens any more."""
    handler.send_response(200)
    handler.end_headers()
    gone = threading.Event()
    while not gone.wait(0.05):
        try:
            handler.wfile.write(b" ")
        except OSError:
            return


def test_a_document_that_drips_is_given_up(tmp_path: Path) -> None:
    with server(LOOPBACK, drip) as (page, asked):
        downloader = Downloader(attempts=3, seconds=0.4)
        with pytest.raises(UnreachableError, match=r"was given up: it is too slow: not whole after 0\.4 s") as caught:
            downloader.get(f"{page}/")
        assert "EMWHEELS_ANSWER_SECONDS" in caught.value.hint
        with pytest.raises(UnreachableError, match="too slow"):
            downloader.save(f"{page}/", tmp_path / "file", lambda *_: None)
    assert len(asked) == 2


def test_a_document_that_unpacks_to_more_than_it_may() -> None:
    bomb = give(gzip.compress(bytes(50 << 20), 1), Content_Encoding="gzip")
    too_large = pytest.raises(FetchError, match=r"http://127.*/: it unpacks to more than 1,000,000 bytes")
    with server(LOOPBACK, bomb) as (page, _), too_large:
        Downloader(attempts=1, seconds=10).get(f"{page}/", limit=1_000_000)


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("127.0.0.1", "loopback"), ("0.0.0.0", "loopback"), ("::1", "loopback"), ("::ffff:127.0.0.1", "loopback"),
        ("169.254.169.254", "link-local"), ("fe80::1", "link-local"), ("10.0.0.1", "private"),
        ("192.168.1.1", "private"),
        ("100.64.0.1", "private"), ("fd00::1", "private"), ("224.0.0.1", "private"), ("1.1.1.1", "public"),
        ("2606:4700::1111", "public"), ("64:ff9b::127.0.0.1", "loopback"), ("2002:a9fe:a9fe::1", "link-local"),
    ],
)  # fmt: skip
def test_network_of(address: str, network: str) -> None:
    assert network_of(address) == network
