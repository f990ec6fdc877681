"""What `emwheels serve` is asked."""

from __future__ import annotations

# ruff: noqa: E501  (each attack on a line)
import os
import socket
import threading
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import uvicorn
from hostile_ground import SECRET, BrokenError, Ground

from emwheels.serve.app import application
from emwheels.serve.patience import PatientProtocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def requests(ground: Ground) -> Iterator[tuple[str, Callable[[], str]]]:
    """Requests for `emwheels serve`, over a folder with what no web server should open."""
    for name, path in {
        "a path upwards": "/../victim-of-files/file", "encoded": "/%2e%2e/%2e%2e/victim-of-files/file",
        "encoded slashes": "/..%2f..%2fvictim-of-files%2ffile", "a link out": "/link", "a folder that is a link": "/dir/file",
        "a fifo": "/fifo", "a socket": "/socket", "zero": "/zero", "a NUL": "/a%00b", "backslashes": "/..\\victim\\file",
        "two slashes": "//etc/passwd", "an absolute path": "/%2fetc%2fpasswd", "not UTF-8": "/%ff%fe", "long": "/" + "x" * 9000,
        "a dot file": "/.secret",
    }.items():  # fmt: skip
        yield name, partial(_request, ground, path)
    yield "a header without end", partial(_raw, ground, b"GET / HTTP/1.1\r\nX: " + b"y" * 5_000_000)
    yield "10,000 headers", partial(_raw, ground, b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 10_000 + b"\r\n")
    yield "no HTTP", partial(_raw, ground, b"\x16\x03\x01\0\xff" * 50)


def _site(ground: Ground) -> Path:
    site = ground.folder() / "site"
    site.mkdir()
    (site / "index.html").write_text("hello")
    (site / "link").symlink_to(ground.victim / "file")
    (site / "dir").symlink_to(ground.victim)
    (site / "zero").symlink_to("/dev/zero")
    os.mkfifo(site / "fifo")
    with socket.socket(socket.AF_UNIX) as listening:
        here = Path.cwd()
        os.chdir(site)
        listening.bind("socket")
        os.chdir(here)
    return site


def _request(ground: Ground, path: str) -> str:
    with _serving(_site(ground)) as port:
        request = f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode()
        answer = _exchange(port, request)
    if SECRET.encode() in answer or b"root:" in answer or len(answer) > 1 << 20:
        raise BrokenError(f"it answered {answer[:200]!r}")
    return answer.split(b"\r\n", 1)[0].decode(errors="replace")


def _raw(ground: Ground, data: bytes) -> str:
    with _serving(_site(ground)) as port:
        answer = _exchange(port, data)
        if b"hello" not in _exchange(port, b"GET /index.html HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"):
            raise BrokenError("nobody else is answered any more")
    return answer.split(b"\r\n", 1)[0].decode(errors="replace") or "the connection was closed"


class _serving:  # noqa: N801  (used as a function)
    """Serve a folder as `emwheels serve` does, and give the port."""

    def __init__(self, site: Path) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        config = uvicorn.Config(
            application(site), log_level="critical", access_log=False, lifespan="off", http=PatientProtocol
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [self._listening]})

    def __enter__(self) -> int:
        self._thread.start()
        while not self._server.started:
            time.sleep(0.005)
        return int(self._listening.getsockname()[1])

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join()
        self._listening.close()


def _exchange(port: int, data: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        answer = b""
        try:
            connection.sendall(data)
            while len(answer) <= 1 << 20 and (block := connection.recv(65536)):
                answer += block
        except (ConnectionError, BrokenPipeError):
            pass
        except TimeoutError:
            raise BrokenError("no answer after 10 s") from None
        return answer
