"""As much of S3 as an index needs, in this process: objects, their metadata, and conditional writes."""

from __future__ import annotations

import hashlib
import http.server
import re
from collections import defaultdict
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from loopback import serving

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_KEPT = ("content-type", "cache-control")


@dataclass
class TinyS3:
    """A bucket. ``faults`` has, by method, what is done to the next requests: a status, or ``cut``."""

    url: str = ""
    objects: dict[str, tuple[bytes, dict[str, str]]] = field(default_factory=dict)
    faults: dict[str, list[int | str]] = field(default_factory=lambda: defaultdict(list))
    asked: list[tuple[str, str]] = field(default_factory=list)
    locked: set[str] = field(default_factory=set)
    """Objects that cannot be deleted."""

    def etag(self, name: str) -> str:
        return f'"{hashlib.md5(self.objects[name][0]).hexdigest()}"'

    def put(self, name: str, data: bytes, headers: Mapping[str, str]) -> int:
        there = name in self.objects
        if headers.get("if-none-match") == "*" and there:
            return 409
        if "if-match" in headers and not (there and headers["if-match"] == self.etag(name)):
            return 412
        kept = {key: value for key, value in headers.items() if key in _KEPT or key.startswith("x-amz-meta-")}
        self.objects[name] = (data, kept)
        return 200

    def delete(self, names: list[str]) -> str:
        answer = ""
        for name in names:
            if name in self.locked:
                answer += f"<Error><Key>{name}</Key><Code>AccessDenied</Code><Message>locked</Message></Error>"
            else:
                self.objects.pop(name, None)
                answer += f"<Deleted><Key>{name}</Key></Deleted>"
        return f"<DeleteResult>{answer}</DeleteResult>"


@contextmanager
def tiny_s3() -> Iterator[TinyS3]:
    """Run a bucket on loopback, at ``url``."""
    s3 = TinyS3()

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_arguments: object) -> None:
            pass

        def answer(self) -> None:
            sent = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            name = self.path.partition("?")[0].removeprefix("/bucket/")
            s3.asked.append((self.command, name))
            headers = {key.lower(): value for key, value in self.headers.items()}
            fault = s3.faults[self.command].pop(0) if s3.faults[self.command] else None
            if fault == "cut":
                self.close_connection = True
            elif isinstance(fault, int):
                self.reply(fault, body=b"<Error><Code>Fault</Code><Message>as asked for</Message></Error>")
            elif self.command == "PUT":
                status = s3.put(name, sent, headers)
                self.reply(status, {"ETag": s3.etag(name)} if status == 200 else {})
            elif self.command == "POST":  # ?delete
                self.reply(200, body=s3.delete(re.findall("<Key>([^<]*)</Key>", sent.decode())).encode())
            elif name in s3.objects:
                data, kept = s3.objects[name]
                self.reply(200, {**kept, "ETag": s3.etag(name), "Last-Modified": "Thu, 01 Jan 2026 00:00:00 GMT"}, data)
            else:
                self.reply(404, body=b"<Error><Code>NoSuchKey</Code></Error>")

        do_GET = do_HEAD = do_POST = do_PUT = answer  # noqa: N815

        def reply(self, status: int, headers: Mapping[str, str] | None = None, body: bytes = b"") -> None:
            self.send_response(status)
            for key, value in (headers or {}).items():
                self.send_header(key, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

    with serving(Handler) as s3.url:
        yield s3
