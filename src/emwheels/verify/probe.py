"""Requests as a page in a browser makes them, and what of the answers matters to a client."""

from __future__ import annotations

import hashlib
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

import httpx

from emwheels.fetch.bounded import MOST_REDIRECTS, SLOWEST, bound, check_address, limited
from emwheels.fetch.documents import decoded
from emwheels.fetch.download import new_client

if TYPE_CHECKING:
    from collections.abc import Mapping

ORIGIN = "https://application.example"
"""The origin that requests claim to come from (a name reserved by RFC 2606)."""
PAGE_LIMIT = 64 << 20
FILE_LIMIT = 4 << 30
"""Bytes of a file whose page does not say how many it has."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """The last answer after all redirects, with its body in a file of its own."""

    url: str
    """Where it came from in the end."""
    status: int
    headers: httpx.Headers
    body: Path
    """The bytes as they were sent: still encoded, if they were."""
    hops: tuple[tuple[str, httpx.Headers], ...]
    """The redirects before it: where each led from, and its headers."""
    cut: str
    """What broke the transfer off; empty if nothing did."""

    @property
    def media_type(self) -> str:
        """Content-Type without parameters, in lower case."""
        return str(self.headers.get("content-type", "")).partition(";")[0].strip().lower()

    @property
    def allows_origins(self) -> bool:
        """Tell whether a page of any origin may read it (Fetch standard, CORS check without credentials)."""
        return allows_origins(self.headers)

    def data(self, limit: int = PAGE_LIMIT) -> bytes:
        """Return at most ``limit`` bytes of the body, decoded. Raises `ValueError` if it cannot be."""
        with self.body.open("rb") as stream:
            raw = stream.read(limit)
        return decoded(raw, self.headers.get("content-encoding", ""), limit=limit)


def allows_origins(headers: httpx.Headers) -> bool:
    """Tell whether these headers allow a page of any origin to read the answer."""
    return headers.get("access-control-allow-origin", "").strip() in ("*", ORIGIN)


class Unreachable(Exception):  # noqa: N818  (caught where it is turned into a finding)
    """The server did not answer; the message says why."""


class Probe:
    """Makes the requests to one index. Use as a context manager; bodies live until it is left.

    ``root`` is the address of the index: where that is decides where its links and redirects may lead.
    """

    def __init__(self, root: str = "", *, seconds: float = 30, transport: httpx.BaseTransport | None = None) -> None:
        self._root = root
        self._seconds = seconds
        self._client = bound(
            new_client(
                timeout=seconds,
                follow_redirects=False,
                transport=transport,
                limits=httpx.Limits(max_connections=16),
            )
        )
        self._folder = tempfile.TemporaryDirectory(prefix="emwheels-verify-")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()
        self._folder.cleanup()

    def get(
        self,
        url: str,
        *,
        accept: str = "*/*",
        encoding: str = "identity",
        headers: Mapping[str, str] | None = None,
        limit: int = PAGE_LIMIT,
        patient: bool = False,
    ) -> Answer:
        """GET ``url``, following redirects by hand. Raises `Unreachable`.

        It has to be there within the seconds that an answer may take; with ``patient`` it may take longer, but not be
        slow.
        """
        sent = {"Origin": ORIGIN, "Accept": accept, "Accept-Encoding": encoding, **(headers or {})}
        try:
            home = httpx.URL(self._root or url).host
            with limited(home, seconds=self._seconds, slowest=SLOWEST if patient else None):
                return self._follow(url, sent, home, limit)
        except httpx.InvalidURL as error:  # which may quote half of a password
            raise Unreachable(f"{url} is not an address") from error
        except (httpx.HTTPError, UnicodeError, ValueError) as error:
            raise Unreachable(f"{url}: {str(error) or type(error).__name__}") from error

    def _follow(self, url: str, sent: Mapping[str, str], home: str, limit: int) -> Answer:
        hops: list[tuple[str, httpx.Headers]] = []
        while True:
            check_address(httpx.URL(url), home)
            with self._client.stream("GET", url, headers=sent) as response:
                if response.has_redirect_location and len(hops) < MOST_REDIRECTS:
                    hops.append((url, response.headers))
                    url = str(response.url.join(response.headers["location"]))
                    continue
                body, cut = self._save(response, limit)
                return Answer(
                    url=url,
                    status=response.status_code,
                    headers=response.headers,
                    body=body,
                    hops=tuple(hops),
                    cut=cut,
                )

    def _save(self, response: httpx.Response, limit: int) -> tuple[Path, str]:
        done = 0
        descriptor, name = tempfile.mkstemp(dir=self._folder.name)
        with os.fdopen(descriptor, "wb") as out:
            try:
                for chunk in response.iter_raw():
                    done += len(chunk)
                    if done > limit:
                        return Path(name), f"longer than {limit:,} bytes"
                    out.write(chunk)
            except httpx.TransportError as error:
                return Path(name), f"broken off after {done:,} bytes ({str(error) or type(error).__name__})"
        return Path(name), ""


def sha256_of(data: bytes) -> str:
    """Return the sha256 of ``data`` in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def sha256_of_file(path: Path) -> str:
    """Return the sha256 of a file in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
