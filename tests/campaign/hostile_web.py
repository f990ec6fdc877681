"""Servers of an attacker: on an address that counts as public, beside one of this machine that none may be led to."""

from __future__ import annotations

import http.server
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from emwheels.fetch import bounded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Answer = Callable[["Hostile"], None]

PUBLIC, LOOPBACK = "127.0.0.2", "127.0.0.1"
_real_network_of = bounded.network_of
_lock, _users = threading.Lock(), [0]


class Hostile(http.server.BaseHTTPRequestHandler):
    """Answers everything with ``answer(handler)``."""

    answer: Answer
    trap: str
    """Where the server of this machine is: host and port."""
    folder: Path
    """A folder of the attack's own."""

    def do_GET(self) -> None:
        """Answer."""
        type(self).answer(self)

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def give(self, data: bytes, kind: str = "text/html", status: int = 200, **headers: str) -> None:
        """Send an answer."""
        self.send_response(status)
        self.send_header("Content-Type", kind)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(data)

    def lead(self, to: str) -> None:
        """Redirect."""
        self.give(
            b"", status=302, Location=to.replace("@TRAP@", self.trap).replace("@PORT@", self.trap.rpartition(":")[2])
        )


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Say nothing: clients go away in the middle."""


@contextmanager
def public_elsewhere() -> Iterator[None]:
    """Let one address of loopback count as public."""
    with _lock:
        _users[0] += 1
        bounded.network_of = lambda address: "public" if address == PUBLIC else _real_network_of(address)
    try:
        yield
    finally:
        with _lock:
            _users[0] -= 1
            if not _users[0]:
                bounded.network_of = _real_network_of


@contextmanager
def serving_at(host: str, handler: type[http.server.BaseHTTPRequestHandler]) -> Iterator[str]:
    """Answer on a port of ``host``, and give host and port."""
    server = _Server((host, 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"{host}:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def attacker(answer: Answer, folder: Path) -> Iterator[tuple[str, list[str]]]:
    """Give the address of the attacker's server, and what the server of this machine was asked."""
    asked: list[str] = []

    def trapped(handler: Any) -> None:
        asked.append(handler.path)
        handler.give(b"a server of this machine")

    trap = type("Trap", (Hostile,), {"answer": staticmethod(trapped)})
    with public_elsewhere(), serving_at(LOOPBACK, trap) as within:
        kind = type("Answering", (Hostile,), {"answer": staticmethod(answer), "trap": within, "folder": folder})
        with serving_at(PUBLIC, kind) as address:
            yield f"http://{address}", asked


def drip(handler: Hostile, kind: str = "text/html") -> None:
    """Send a byte ten times a second for a minute."""
    handler.send_response(200)
    handler.send_header("Content-Type", kind)
    handler.end_headers()
    for _ in range(600):
        try:
            handler.wfile.write(b" ")
        except OSError:
            return
        time.sleep(0.1)


def endless(handler: Hostile, kind: str = "text/html") -> None:
    """Send zeros without end."""
    handler.send_response(200)
    handler.send_header("Content-Type", kind)
    handler.end_headers()
    zeros = bytes(1 << 18)
    while True:
        try:
            handler.wfile.write(zeros)
        except OSError:
            return
