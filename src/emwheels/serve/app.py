"""The published folder as an ASGI application, by the table in `emwheels.serve.rules`."""

from __future__ import annotations

import os
import re
import stat
from typing import TYPE_CHECKING
from urllib.parse import quote

from packaging.utils import canonicalize_name
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import FileResponse, Response

from emwheels.serve.rules import (
    COMMON_HEADERS,
    ENCODINGS,
    PREFLIGHT_HEADERS,
    REVALIDATE,
    SIMPLE_JSON,
    SIMPLE_JSON_FILE,
    headers_of,
    rule_of,
)

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

SMALL = 1 << 18
"""Bytes up to which a file is read at once; larger ones are streamed."""
_PROJECT = re.compile(r"(?P<simple>(?:/.*)?/simple/)(?P<name>[^/]+)/")
_PARAMETER_Q = re.compile(r"\s*q\s*=\s*(.*?)\s*")


def application(root: Path, *, isolated: bool = False) -> ASGIApp:
    """Return an application that serves the files below ``root`` and nothing else.

    Nothing whose path has a part that begins with a dot is served, nor what a symbolic link has outside of ``root``.
    """
    base = os.path.realpath(root)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["type"] == "http"  # uvicorn is started without lifespan and websockets

        async def send_with_common(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(COMMON_HEADERS)
            await send(message)

        await _answer(Request(scope), base, isolated=isolated)(scope, receive, send_with_common)

    return app


class _LargeFile(FileResponse):
    chunk_size = SMALL


def _answer(request: Request, base: str, *, isolated: bool) -> Response:
    if request.method == "OPTIONS":
        return Response(status_code=204, headers=PREFLIGHT_HEADERS)
    if request.method not in ("GET", "HEAD"):
        return _error(405, Allow="GET, HEAD, OPTIONS")
    path = re.sub("/+", "/", request.scope["path"])
    file = _locate(base, path)
    if file is None:
        normal = _normalised(path)
        return _redirect(normal) if normal != path and _locate(base, normal) else _error(404)
    if os.path.isdir(file):  # noqa: PTH112  (a request's speed: no objects for what is looked at once)
        if not path.endswith("/"):
            return _redirect(f"{path}/")
        path += _index_file(request, base, path)
        file = _locate(base, path)
    if file is None or path.endswith("/"):
        return _error(404)
    return _file(request, base, path, file, isolated=isolated)


def _locate(base: str, path: str) -> str | None:
    """Return the real path of what ``path`` names, or None if there is nothing or it must not be seen."""
    parts = [part for part in path.split("/") if part]
    if any(part.startswith(".") or "\\" in part or "\0" in part for part in parts):
        return None
    try:
        real = os.path.realpath(os.path.join(base, *parts), strict=True)  # noqa: PTH118
    except (OSError, ValueError):
        return None
    return real if real == base or real.startswith(base.rstrip("/") + "/") else None


def _normalised(path: str) -> str:
    """Return ``path`` with the project's name as PEP 503 writes it."""
    match = _PROJECT.fullmatch(path)
    return f"{match['simple']}{canonicalize_name(match['name'])}/" if match else path


def _index_file(request: Request, base: str, folder: str) -> str:
    """Return which form of the page in ``folder`` the client prefers (PEP 691)."""
    if "/simple/" not in folder or _locate(base, folder + SIMPLE_JSON_FILE) is None:
        return "index.html"
    accepted = _qualities(request.headers.get("accept", ""))
    json = max(accepted.get(SIMPLE_JSON, 0.0), accepted.get(SIMPLE_JSON.replace(".v1+", ".latest+"), 0.0))
    html = max(accepted.get(name, 0.0) for name in ("text/html", SIMPLE_JSON.replace("json", "html")))
    return SIMPLE_JSON_FILE if json > 0 and json >= html else "index.html"


def _file(request: Request, base: str, path: str, file: str, *, isolated: bool) -> Response:
    rule = rule_of(path)
    headers = headers_of(rule, isolated=isolated)
    for coding, suffix in ENCODINGS.items():
        accepted = _qualities(request.headers.get("accept-encoding", ""))
        if accepted.get(coding, 0.0) > 0 and (encoded := _locate(base, path + suffix)):
            file = encoded
            headers["Content-Encoding"] = coding
            break
    try:
        # A fifo is opened at once, too, and is then seen to be none to read.
        with os.fdopen(os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as stream:
            status = os.fstat(stream.fileno())
            if not stat.S_ISREG(status.st_mode):
                return _error(404)
            tag = f'"{status.st_mtime_ns:x}-{status.st_size:x}{ENCODINGS.get(headers.get("Content-Encoding", ""), "")}"'
            headers |= {"ETag": tag, "Accept-Ranges": "bytes"}
            if _unchanged(request.headers.get("if-none-match"), tag):
                return Response(status_code=304, headers=headers)
            if status.st_size <= SMALL and "range" not in request.headers:
                # Of one moment: a page that is replaced meanwhile is the old one or the new one.
                return Response(stream.read(), headers=headers, media_type=rule.media_type)
    except OSError:
        return _error(404)
    return _LargeFile(file, headers=headers, media_type=rule.media_type, stat_result=status)


def _unchanged(condition: str | None, tag: str) -> bool:
    """Tell whether If-None-Match names ``tag`` (weak comparison, RFC 9110, 13.1.2)."""
    if condition is None:
        return False
    return condition.strip() == "*" or tag in [each.strip().removeprefix("W/") for each in condition.split(",")]


def _qualities(header: str) -> dict[str, float]:
    """Parse Accept or Accept-Encoding: what is listed -> its quality; what has a quality that is no number has none."""
    qualities: dict[str, float] = {}
    for item in header.lower().split(","):
        name, *parameters = item.split(";")
        weights = [match[1] for parameter in parameters if (match := _PARAMETER_Q.fullmatch(parameter))]
        try:
            qualities[name.strip()] = float(weights[0]) if weights else 1.0
        except ValueError:
            qualities[name.strip()] = 0.0
    return qualities


def _redirect(path: str) -> Response:
    return _error(301, Location=quote(path))


def _error(status: int, **headers: str) -> Response:
    text = {301: "moved", 404: "not found", 405: "method not allowed"}[status]
    return Response(
        f"{text}\n",
        status_code=status,
        headers={"Cache-Control": REVALIDATE, **headers},
        media_type="text/plain; charset=utf-8",
    )
