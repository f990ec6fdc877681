"""Servers on loopback: ports for programs that have to be told one, and handlers that run in a thread."""

from __future__ import annotations

import http.server
import random
import socket
import sys
import threading
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

_PORTS = range(10_000, 30_000)
"""Below those that Linux gives to whoever asks for any (from 32768 on): no client takes one between two moments."""
_given: set[int] = set()


def free_port() -> int:
    """Return a port on which nobody listens, another one each time."""
    while True:
        port = random.SystemRandom().choice(_PORTS)
        if port in _given:
            continue
        _given.add(port)
        try:
            socket.create_server(("127.0.0.1", port)).close()
        except OSError:
            continue
        return port


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Say what a handler raised, but for a client that goes away in the middle, as those of tests do."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


@contextmanager
def serving(handler: Callable[..., http.server.BaseHTTPRequestHandler]) -> Iterator[str]:
    """Answer HTTP by ``handler`` on a port of loopback, each request in a thread, and give the address."""
    server = _Server(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class QuietFiles(http.server.SimpleHTTPRequestHandler):
    """Answers with the files of a folder and writes no log."""

    def log_message(self, *_arguments: object) -> None:
        pass


def serving_folder(folder: Path) -> AbstractContextManager[str]:
    """Answer with the files of ``folder``, which is made if it is not there, and give the address."""
    folder.mkdir(exist_ok=True)
    return serving(partial(QuietFiles, directory=str(folder)))
