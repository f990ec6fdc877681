"""HTTP for packages: retries with back-off, resumed downloads, this machine's certificates and proxies."""

from __future__ import annotations

import contextlib
import netrc
import os
import random
import ssl
import time
import weakref
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache, cached_property
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, TypeVar
from urllib.request import getproxies

import httpx

from emwheels.errors import FetchError, UsageError, keep_secret, keep_secrets_of
from emwheels.fetch.bounded import MOST_REDIRECTS, SLOWEST, TooSlowError, bound, check_address, current_home, limited
from emwheels.fetch.documents import body_of, shorten

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Progress = Callable[[str, int, int | None], None]

_T = TypeVar("_T")
_DOCUMENT_LIMIT = 256 << 20
"""Bytes of a document, as it is sent and as it is unpacked."""
DOCUMENT_SECONDS = 30.0
"""How long a document may take, and how long a file may be slow."""
_STEP_LIMIT = 1 << 16
"""Bytes of a redirect's own body."""
_LONGEST_PAUSE = 60.0
_PATIENCE = 2 * _LONGEST_PAUSE
"""Seconds between all attempts together."""
PATIENCE = 10.0
"""The same for a command that somebody waits for."""
_CHUNK = 1 << 16
_PARTIAL, _RANGE_NOT_SATISFIABLE = 206, 416


class NotFoundError(FetchError):
    """The server answered that there is no such file."""


class RefusedError(FetchError):
    """The server answered 401 or 403: it does not know who this is, or does not let them."""


class UnreachableError(FetchError):
    """The network or the server failed, every time it was tried; another time may be better."""


_ERRORS = {401: RefusedError, 403: RefusedError, 404: NotFoundError, 410: NotFoundError}


class _TransientError(Exception):
    """Worth another attempt, after at least ``pause`` seconds."""

    def __init__(self, message: str, pause: float = 0) -> None:
        super().__init__(message)
        self.pause = pause


class ServerFaultError(_TransientError):
    """The server answered 429 or 5xx: for the block of a `Downloader.retried` that knows another way."""


class Downloader:
    """One HTTP client, made on first use.

    ``attempts`` counts the first one; ``pause`` waits between them, in seconds, and at most ``patience`` in all. No
    file may have more than ``limit_bytes``. ``auth`` answers a server that asks who this is, by default what the
    address or ``~/.netrc`` says; ``connect_seconds`` is how long a connection may take to come about; ``seconds`` is
    how long a document may take, without the pauses.
    """

    def __init__(
        self,
        *,
        attempts: int = 5,
        pause: Callable[[float], object] = time.sleep,
        limit_bytes: int = 8 << 30,
        auth: httpx.Auth | None = None,
        connect_seconds: float = 20,
        seconds: float | None = None,
        patience: float = _PATIENCE,
    ) -> None:
        self._seconds = answer_seconds() if seconds is None else seconds
        self._patience = patience
        self._auth = auth
        self._connect_seconds = connect_seconds
        self._attempts = attempts
        self._pause = pause
        self._limit_bytes = limit_bytes

    def get(
        self, url: str, headers: dict[str, str] | None = None, *, limit: int | None = None, listed_at: str = ""
    ) -> httpx.Response:
        """Return a document of at most ``limit`` bytes, read whole; ``listed_at`` as in `save`.

        Raises `NotFoundError` for 404 and 410, `UnreachableError` when a later call may work, else `FetchError`.
        """

        def once() -> httpx.Response:
            with self._stream(url, headers or {}, listed_at=listed_at) as response:
                facts = {"content-type": response.headers.get("content-type", "")}
                content = _read(response, url, limit or _DOCUMENT_LIMIT)
                return httpx.Response(200, headers=facts, content=content, request=response.request)

        return self.retried(url, once)

    def send(
        self, method: str, url: str, *, content: bytes | Path = b"", headers: dict[str, str] | None = None
    ) -> httpx.Response:
        """Send a request with a body, once, and return the answer, without its body. Raises like `get`.

        It has to be a success, and of this request: a page to sign in at, to which a server redirects, is none. For the
        block of a `retried`: what is worth another attempt is raised in a way that only that understands,
        `ServerFaultError` where it is an answer.
        """
        with contextlib.ExitStack() as stack:
            body: bytes | _Rewound = content if isinstance(content, bytes) else b""
            if isinstance(content, Path):
                body = _Rewound(stack.enter_context(content.open("rb")))
                headers = {**(headers or {}), "Content-Length": str(content.stat().st_size)}
            response = stack.enter_context(
                self._stream(url, headers or {}, method=method, content=body, slowest=SLOWEST)
            )
            if response.request.method != method:
                raise FetchError(f"{url}: the server redirects a {method} to {response.url!s}")
            if not response.is_success:
                raise FetchError(f"{url}: the server answered a {method} with {response.status_code}")
            _read(response, url, _DOCUMENT_LIMIT)
            return response

    def save(
        self,
        url: str,
        path: Path,
        progress: Callable[[int, int | None], None],
        headers: dict[str, str] | None = None,
        *,
        listed_at: str = "",
        limit: int | None = None,
    ) -> None:
        """Download into ``path``, going on from what is there already.

        ``progress`` is called with the bytes that are there and the total, if known; ``listed_at`` is the page that led
        to ``url``, and must lead nowhere that it may not redirect to; no more than ``limit`` bytes are taken. What was
        received stays for a later call when this one fails. Raises like `get`.
        """
        most = self._limit_bytes if limit is None else limit
        self.retried(
            url, lambda: self._save_once(url, path, progress, headers or {}, listed_at=listed_at or url, limit=most)
        )

    def _save_once(
        self,
        url: str,
        path: Path,
        progress: Callable[[int, int | None], None],
        more: dict[str, str],
        *,
        listed_at: str,
        limit: int,
    ) -> None:
        done = path.stat().st_size if path.exists() else 0
        # identity: the hash is of the file, and a Range counts its bytes
        headers = more | {"Accept-Encoding": "identity"} | ({"Range": f"bytes={done}-"} if done else {})
        with self._stream(url, headers, listed_at=listed_at, slowest=SLOWEST) as response:
            if response.status_code == _RANGE_NOT_SATISFIABLE:
                path.unlink(missing_ok=True)
                raise _TransientError("what was there of it did not fit")
            resumed = response.status_code == _PARTIAL
            if resumed and not response.headers.get("content-range", "").startswith(f"bytes {done}-"):
                path.unlink()
                raise _TransientError("the server sent another range than asked for")
            done = done if resumed else 0
            length = response.headers.get("content-length", "")
            total = done + int(length) if length.isdecimal() else None
            with path.open("ab" if resumed else "wb") as out:
                for chunk in response.iter_raw():
                    done += len(chunk)
                    if max(done, total or 0) > limit:
                        raise FetchError(f"{url} is larger than {limit} bytes")
                    out.write(chunk)
                    progress(done, total)

    @contextlib.contextmanager
    def _stream(
        self,
        url: str,
        headers: dict[str, str],
        *,
        method: str = "GET",
        content: bytes | _Rewound = b"",
        listed_at: str = "",
        slowest: int | None = None,
    ) -> Iterator[httpx.Response]:
        keep_secrets_of(url)
        try:
            home = httpx.URL(listed_at or url).host
            if listed_at:
                check_address(httpx.URL(url), home)
            with (
                limited(home, seconds=self._seconds, slowest=slowest),
                self._client.stream(method, url, headers=headers, content=content or None) as response,
            ):
                _check(response, url)
                yield response
        except TooSlowError as error:
            raise UnreachableError(
                f"{url} was given up: {error}", hint="for a slow network, raise EMWHEELS_ANSWER_SECONDS"
            ) from error
        except httpx.InvalidURL as error:  # which may quote half of a password
            raise FetchError(f"{url} is not an address") from error
        except (httpx.UnsupportedProtocol, httpx.TooManyRedirects, httpx.DecodingError) as error:
            raise FetchError(f"{url}: {error}") from error
        except httpx.TransportError as error:
            raise _TransientError(str(error) or type(error).__name__) from error

    def retried(self, url: str, once: Callable[[], _T]) -> _T:
        """Return what ``once`` returns, calling it again with back-off while the fault lies with network or server.

        ``url`` is what a `FetchError` names. There is none after the time for a document.
        """
        patience, spent = self._patience, 0.0
        for attempt in range(1, self._attempts + 1):
            began = time.monotonic()
            try:
                return once()
            except _TransientError as error:
                spent += time.monotonic() - began
                if attempt == self._attempts or spent > self._seconds or patience <= 0:
                    raise UnreachableError(
                        f"{url} could not be fetched in {attempt} attempts: {error}",
                        hint="check the network, the proxy and the certificates (SSL_CERT_FILE) of this machine",
                    ) from error
                # Jitter, so that the workers of one build do not all come back in the same moment.
                back_off = 2.0 ** (attempt - 1) * random.uniform(0.5, 1)  # noqa: S311
                pause = min(max(back_off, error.pause), _LONGEST_PAUSE, patience)
                patience -= pause
                self._pause(pause)
        raise AssertionError("attempts must be at least 1")

    @cached_property
    def _client(self) -> httpx.Client:
        client = new_client(
            follow_redirects=True,
            max_redirects=MOST_REDIRECTS,
            timeout=httpx.Timeout(self._seconds, connect=min(self._connect_seconds, self._seconds)),
            auth=self._auth or _known_here,
            headers={"Accept-Encoding": "gzip"},
            event_hooks={"response": [_refuse_downgrade]},
        )
        bound(client)
        weakref.finalize(self, client.close)  # so that no user of a fetcher has to remember it
        return client


class _Rewound:
    """The content of a file, from its beginning each time that a request is sent: a registry may ask who this is."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def __iter__(self) -> Iterator[bytes]:
        self._file.seek(0)
        while chunk := self._file.read(_CHUNK):
            yield chunk


def _read(response: httpx.Response, url: str, limit: int) -> bytes:
    try:
        return body_of(response, limit=limit)
    except ValueError as error:
        raise FetchError(f"{url}: {error}") from error


def answer_seconds() -> float:
    """Return how long a document may take: ``EMWHEELS_ANSWER_SECONDS``, or 30. Raises `UsageError`."""
    text = os.environ.get("EMWHEELS_ANSWER_SECONDS") or str(DOCUMENT_SECONDS)
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < 1e6:
        raise UsageError(
            f"EMWHEELS_ANSWER_SECONDS is {text!r}, which is no number of seconds", hint="for example 120, or unset it"
        )
    return seconds


def new_client(**options: Any) -> httpx.Client:
    """Return a client with this machine's certificates and proxies. Raises `FetchError` for one that is no address."""
    keep_secrets_of(*(f"http://{proxy.rpartition('://')[2]}" for proxy in getproxies().values()))
    try:
        return httpx.Client(verify=_certificates(), **options)
    except (ValueError, httpx.InvalidURL) as error:  # which may quote half of a password
        raise FetchError(
            "the proxy of this machine has an address that cannot be read",
            hint="write HTTP_PROXY, HTTPS_PROXY and ALL_PROXY as http://HOST:PORT, special characters as %40",
        ) from error


def _known_here(request: httpx.Request) -> httpx.Request:
    """Add the user and password of the address, else those of ~/.netrc for its host, as pip does."""
    user, password = request.url.username, request.url.password
    known = None if user or password else _netrc(os.environ.get("NETRC") or str(Path("~/.netrc").expanduser()))
    if known and (entry := known.authenticators(request.url.host)):
        user, password = entry[0] or entry[1] or "", entry[2] or ""
    if user or password:
        request = next(httpx.BasicAuth(user, password).auth_flow(request))
        keep_secret(password, request.headers["Authorization"].partition(" ")[2])
    return request


@cache
def _netrc(path: str) -> netrc.netrc | None:
    """Return what a netrc file says; None if there is none, or it is malformed: pip passes over it, too."""
    try:
        return netrc.netrc(path)
    except (netrc.NetrcParseError, OSError, UnicodeDecodeError):
        return None


def _certificates() -> ssl.SSLContext:
    """Return what this machine trusts: SSL_CERT_FILE or REQUESTS_CA_BUNDLE, else the system's. Raises `FetchError`."""
    bundle = os.environ.get("SSL_CERT_FILE") or os.environ.get("REQUESTS_CA_BUNDLE")
    try:
        return ssl.create_default_context(cafile=bundle or None)
    except OSError as error:
        raise FetchError(
            f"the certificates in {bundle} cannot be read: {error}", hint="correct SSL_CERT_FILE or REQUESTS_CA_BUNDLE"
        ) from error


def _refuse_downgrade(response: httpx.Response) -> None:
    """Look at each answer before httpx acts on it. Raises `FetchError` for a redirect that is refused."""
    if response.has_redirect_location or response.status_code == 401:
        shorten(response, limit=_STEP_LIMIT)
    if not response.has_redirect_location:
        return
    target = response.url.join(response.headers["location"])
    if home := current_home():
        check_address(target, home)
    if response.url.scheme == "https" and target.scheme != "https":
        raise FetchError(f"{response.url!s} redirects from https to {target.scheme}, which is refused")


def _check(response: httpx.Response, url: str) -> None:
    status = response.status_code
    if status < 400 or status == _RANGE_NOT_SATISFIABLE:
        return
    message = f"{url}: the server answered {status} {response.reason_phrase}".rstrip()
    if status == 429 or status >= 500:
        raise ServerFaultError(f"the server answered {status}", _retry_after(response.headers.get("retry-after", "")))
    raise _ERRORS.get(status, FetchError)(message)


def _retry_after(value: str) -> float:
    """Return the seconds that a Retry-After header asks for (RFC 9110, 10.2.3), 0 when it makes no sense."""
    if value.isdecimal():
        return float(value)
    with contextlib.suppress(ValueError, TypeError):
        return max(0.0, (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds())
    return 0.0
