"""A server that says back whatever it was sent, as error pages of proxies and registries do."""

from __future__ import annotations

import base64
import http.server
import json
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from loopback import serving

if TYPE_CHECKING:
    from collections.abc import Iterator

SIGNATURE = "s1gned-by-the-server"
"""What a redirect of the server adds to an address."""
TOKEN = "t0ken-of-the-server"
"""What its token server gives."""


@dataclass
class Echo:
    """The first part of a path says how it is answered, the rest which of ``files``.

    ``open`` to everybody; ``login`` to who signs in; ``refuse``, 403, to nobody; ``redirect`` sends to ``login``, by an
    address that is signed. ``v2`` is a registry that refuses who signed in, by a password or a token of ``token``.
    """

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)
    """The path of each request, and what it signed in by."""
    bearer: str = ""

    def at(self, mode: str, user: str = "") -> str:
        """Return the address of a mode, signed in by ``USER:PASSWORD``."""
        return f"{self.url.replace('://', f'://{user}@' if user else '://')}/{mode}"

    def signed_in(self, mode: str) -> bool:
        """Tell whether a request of ``mode`` came with a password or a token."""
        return any(path.startswith(f"/{mode}/") and by for path, by in self.asked)


@contextmanager
def echo() -> Iterator[Echo]:
    """Run the server on loopback. It is a proxy, too: one that lets nobody through."""
    server = Echo()

    class Handler(http.server.BaseHTTPRequestHandler):
        def log_message(self, *_arguments: object) -> None:
            pass

        def answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            by = self.headers.get("Authorization") or self.headers.get("Proxy-Authorization") or ""
            path = self.path.partition("?")[0]
            server.asked.append((path, by))
            mode, _, rest = path.removeprefix("/").partition("/")
            if not path.startswith("/"):
                self.say_back(407)
            elif mode in ("login", "v2") and not by:
                self.say_back(401)
            elif mode in ("refuse", "v2"):
                self.say_back(403)
            elif mode == "redirect":
                self.reply(302, Location=f"/login/{rest}?X-Amz-Expires=60&X-Amz-Signature={SIGNATURE}")
            elif mode == "token":
                self.reply(200, json.dumps({"token": TOKEN}).encode())
            elif content := server.files.get(rest.rstrip("/")):
                self.reply(200, content, Content_Type="text/html" if content.startswith(b"<") else "application/zip")
            else:
                self.say_back(404)

        do_GET = do_HEAD = do_POST = do_PUT = do_CONNECT = answer  # noqa: N815

        def say_back(self, status: int) -> None:
            sent = [f"{name}: {value}" for name, value in self.headers.items()]
            for name, value in self.headers.items():
                if name.endswith("uthorization"):
                    kind, _, coded = value.partition(" ")
                    sent += [coded, base64.b64decode(coded).decode() if kind == "Basic" else coded]
            text = f"you sent {self.path} {'; '.join(sent)}"
            kind = f'Bearer realm="{server.url}/token",service="x"' if server.bearer else 'Basic realm="here"'
            self.reply(status, text.encode(), text, WWW_Authenticate=kind)

        def reply(self, status: int, body: bytes = b"", reason: str | None = None, **headers: str) -> None:
            self.send_response(status, reason)
            for name, value in headers.items():
                self.send_header(name.replace("_", "-"), value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

    with serving(Handler) as server.url:
        yield server
