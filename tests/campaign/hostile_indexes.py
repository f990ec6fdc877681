"""Indexes, as an attacker serves them."""

from __future__ import annotations

import http.server
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hostile_ground import BrokenError, Ground
from loopback import serving

from emwheels.target import load_targets
from emwheels.verify import verify

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class _Hostile(http.server.BaseHTTPRequestHandler):
    """Answers everything with ``answer(handler)``."""

    answer: Callable[[Any], None]

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


_JSON = "application/vnd.pypi.simple.v1+json"


def indexes(_: Ground) -> Iterator[tuple[str, Callable[[], str]]]:
    """Indexes for `emwheels index verify`: pages, headers, names."""
    import gzip

    import brotli

    bomb = gzip.compress(bytes(200 << 20), 9)
    pages: dict[str, Callable[[Any], None]] = {
        "deep JSON": lambda h: h.give(b"[" * 500_000, _JSON),
        "JSON of another kind": lambda h: h.give(b'{"projects": 1, "files": {"a": []}}', _JSON),
        "half surrogates": lambda h: h.give(b'{"projects": [{"name": "\\ud800"}]}', _JSON),
        "numbers for names": lambda h: h.give(b'{"projects": [{"name": 1}, {}, [], null]}', _JSON),
        "a gzip bomb": lambda h: h.give(bomb, Content_Encoding="gzip"),
        "a brotli bomb": lambda h: h.give(brotli.compress(bytes(100 << 20), quality=5), Content_Encoding="br"),
        "an encoding that is none": lambda h: h.give(b"x", Content_Encoding="evil"),
        "another encoding than it says": lambda h: h.give(b"x" * 100, Content_Encoding="gzip"),
        "a redirect to itself": lambda h: h.give(b"", status=302, Location=h.path),
        "a redirect to a file": lambda h: h.give(b"", status=302, Location="file:///etc/passwd"),
        "a redirect to nowhere": lambda h: h.give(b"", status=302, Location="http://[::bad/"),
        "a redirect with a NUL": lambda h: h.give(b"", status=302, Location="/%00%0d%0aX: y"),
        "a name that is an address": lambda h: h.give(b"<a href='http:%2f%2fevil/'>x</a>"),
        "a name that is an option": lambda h: h.give(b"<a href='-r%2fetc%2fpasswd/'>x</a>"),
        "a name upwards": lambda h: h.give(b"<a href='..%2f..%2fevil/'>x</a>"),
        "a name of 100,000 characters": lambda h: h.give(b"<a href='" + b"x" * 100_000 + b"/'>x</a>"),
        "escapes in names": lambda h: h.give("<a href='\x1b]0;evil\x07\u202e/'>x</a>".encode()),
        "tags without end": lambda h: h.give(b"<a " * 200_000),
        "a comment without end": lambda h: h.give(b"<!--" * 100_000),
        "20,000 projects": lambda h: h.give(
            b"".join(b"<a href='p%d/'>x</a>" % n for n in range(20_000)) if h.path == "/simple/" else b"", status=200
        ),
        "binary": lambda h: h.give(bytes(range(256)) * 100),
        "another charset": lambda h: h.give(b"\xff\xfe<\0a\0", "text/html; charset=utf-7"),
        "no content type": lambda h: h.give(b"<a href='a/'>a</a>", ""),
        "1,000 headers": lambda h: h.give(b"", **{f"X_{n}": "y" for n in range(90)}),
        "a length that lies": lambda h: h.give(b"x", Content_Length="1000000"),
        "half an answer": lambda h: h.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type"),
        "no HTTP": lambda h: h.wfile.write(b"SSH-2.0-evil\r\n"),
        "status 999": lambda h: h.give(b"", status=999),
        "a server that drips": _drip,
    }
    for name, answer in pages.items():
        yield name, partial(_verify, answer)


def _drip(handler: Any) -> None:
    handler.send_response(200)
    handler.send_header("Content-Type", "text/html")
    handler.end_headers()
    for _ in range(600):
        try:
            handler.wfile.write(b" ")
        except OSError:
            return
        time.sleep(0.1)


def _verify(answer: Callable[[Any], None]) -> str:
    kind = type("Answering", (_Hostile,), {"answer": staticmethod(answer)})
    targets = load_targets(Path(__file__).resolve().parents[2] / "targets.toml")
    began = time.monotonic()
    with serving(kind) as address:
        reports = verify([f"{address}/simple"], target=targets.get(None), clients=(), seconds=3)
    took = time.monotonic() - began
    if took > 30:
        raise BrokenError(f"it took {took:.0f} s")
    return reports[0].findings[0].message if reports[0].findings else "nothing was found"
