"""Who this is at a registry: what `podman login` or `docker login` left, and the two ways to say it over HTTP.

Files and their format: containers-auth.json(5); docker's config.json has the same ``auths``, ``credsStore`` and
``credHelpers``.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import json
import os
import re
import subprocess
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

from emwheels.errors import FetchError, keep_secret
from emwheels.fetch.documents import parse_json

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

REPOSITORY = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*")
"""A repository's name (OCI distribution specification 1.1, "Pulling manifests")."""

_HELPER = re.compile(r"[A-Za-z0-9._-]+")
_PARAMETER = re.compile(r'([a-zA-Z_]+)\s*=\s*(?:"([^"]*)"|([^\s,"]+))')
_HELPER_SECONDS = 30
_TOKEN = re.compile(r"[!-~]+")


@dataclass(frozen=True, kw_only=True)
class Credentials:
    """A user and a password, or an OAuth2 refresh token; neither is shown by ``repr``."""

    user: str = field(repr=False)
    password: str = field(repr=False)
    refresh_token: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        keep_secret(self.password, self.refresh_token, self.basic())

    def basic(self) -> str:
        """Return what follows ``Basic`` in a header (RFC 7617)."""
        return base64.b64encode(f"{self.user}:{self.password}".encode()).decode()


def on_this_machine(hostname: str) -> bool:
    """Tell whether a host is this machine, whose registry needs no certificate."""
    try:
        return hostname == "localhost" or ipaddress.ip_address(hostname).is_loopback
    except ValueError:
        return False


def find_credentials(registry: str, repository: str) -> Credentials | None:
    """Return what the user's files say for ``registry`` (host and port), the most specific entry first.

    Raises `FetchError` that names a file which cannot be read, or a credential helper that failed.
    """
    for path in _files():
        if not path.is_file():
            continue
        try:
            document = parse_json(path.read_bytes())
            credentials = _of(document, registry, repository) if isinstance(document, dict) else None
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            # The reason could quote the file's content.
            raise FetchError(
                f"{path} cannot be read as the credentials of a registry", hint=f"log in again: podman login {registry}"
            ) from None
        if credentials:
            return credentials
    return None


def _files() -> Iterator[Path]:
    if given := os.environ.get("REGISTRY_AUTH_FILE"):
        yield Path(given)
    if runtime := os.environ.get("XDG_RUNTIME_DIR"):
        yield Path(runtime) / "containers" / "auth.json"
    configuration = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    yield Path(configuration) / "containers" / "auth.json"
    yield Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker") / "config.json"


def _of(document: dict[str, Any], registry: str, repository: str) -> Credentials | None:
    parts = [registry, *repository.split("/")]
    names = ["/".join(parts[:count]) for count in range(len(parts), 0, -1)]
    names += [f"https://{registry}", f"http://{registry}", f"https://{registry}/v1/", f"https://{registry}/v2/"]
    auths = document.get("auths") or {}
    for name in names:
        entry = auths.get(name) or {}
        if token := entry.get("identitytoken"):
            return Credentials(user="", password="", refresh_token=token)
        if encoded := entry.get("auth"):
            try:
                user, _, password = base64.b64decode(encoded, validate=True).decode().partition(":")
            except (binascii.Error, UnicodeDecodeError):
                raise ValueError("not base64") from None
            return Credentials(user=user, password=password.rstrip("\0"))
    helper = (document.get("credHelpers") or {}).get(registry) or document.get("credsStore")
    return _ask_helper(helper, registry) if helper else None


def _ask_helper(helper: str, registry: str) -> Credentials | None:
    """Ask ``docker-credential-HELPER`` (docker-credential-helpers' protocol: name in, JSON out)."""
    if not _HELPER.fullmatch(helper):
        raise ValueError("not the name of a helper")
    program = f"docker-credential-{helper}"
    try:
        done = subprocess.run(
            [program, "get"], input=registry, capture_output=True, text=True, timeout=_HELPER_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise FetchError(
            f"{program} could not tell the credentials for {registry}: {type(error).__name__}",
            hint=f"install it, or log in again: podman login {registry}",
        ) from None
    if done.returncode:  # it has none
        return None
    answer = json.loads(done.stdout)
    if answer["Username"] == "<token>":
        return Credentials(user="", password="", refresh_token=answer["Secret"])
    return Credentials(user=answer["Username"], password=answer["Secret"])


class RegistryAuth(httpx.Auth):
    """Answers a registry's 401: with Basic, or with a Bearer token from the server that it names.

    Credentials go to ``host`` alone, and to its token server over https or on this machine. ``actions`` are those that
    a token is to allow. Source: the distribution project's token authentication specification.
    """

    def __init__(
        self, host: str, repository: str, credentials: Credentials | None, *, actions: str = "pull,push"
    ) -> None:
        self._host = host
        # All actions from the start, or the first push would need a second token.
        self._scope = f"repository:{repository}:{actions}"
        self._credentials = credentials
        self._header = ""
        self._lock = threading.Lock()

    def sync_auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Send the request, and once more with what the registry asked for."""
        if _host(request.url) != self._host:
            yield request
            return
        used = self._header
        if used:
            request.headers["Authorization"] = used
        response = yield request
        if response.status_code != 401 or _host(response.url) != self._host:
            return
        _bound(response)
        with self._lock:
            if self._header in ("", used):
                scheme, _, rest = response.headers.get("www-authenticate", "").partition(" ")
                if scheme.lower() == "basic" and self._credentials and not self._credentials.refresh_token:
                    self._header = self._basic()
                elif scheme.lower() == "bearer":
                    answer = yield self._token_request(request, rest)
                    _bound(answer)
                    self._header = _bearer(answer)
                else:
                    return
        # Always once more, or what the token server said would be taken for the registry's answer.
        request.headers.pop("Authorization", None)
        if self._header:
            request.headers["Authorization"] = self._header
        yield request

    def _basic(self) -> str:
        assert self._credentials is not None
        return f"Basic {self._credentials.basic()}"

    def _token_request(self, request: httpx.Request, challenge: str) -> httpx.Request:
        given = {name.lower(): quoted or bare for name, quoted, bare in _PARAMETER.findall(challenge)}
        realm = httpx.URL(given.get("realm", ""))
        local = realm.host in _LOOPBACK and request.url.host in _LOOPBACK
        if not realm.host or (realm.scheme != "https" and not local):
            raise httpx.InvalidURL(f"the registry sends for a token to {realm.scheme}://{realm.host}, which is refused")
        plain = {"Accept-Encoding": "identity"}
        query = {"service": given["service"]} if "service" in given else {}
        query["scope"] = self._scope
        if self._credentials and self._credentials.refresh_token:
            form = {"grant_type": "refresh_token", "refresh_token": self._credentials.refresh_token} | query
            return httpx.Request(
                "POST", realm, data={**form, "client_id": "emwheels"}, headers=plain, extensions=request.extensions
            )
        headers = plain | ({"Authorization": self._basic()} if self._credentials else {})
        return httpx.Request("GET", realm.copy_merge_params(query), headers=headers, extensions=request.extensions)


def _bearer(answer: httpx.Response) -> str:
    """Return the header with the token of a token server's answer, empty if there is none in it."""
    try:
        document = parse_json(answer.read())
        token = document.get("token") or document["access_token"]
        if _TOKEN.fullmatch(token):
            keep_secret(token)
            return f"Bearer {token}"
    except (ValueError, KeyError, TypeError, AttributeError):
        pass
    return ""


class _Bounded(httpx.SyncByteStream):
    """An answer of which a few bytes are worth reading, and not for long."""

    def __init__(self, stream: httpx.SyncByteStream) -> None:
        self._stream = stream

    def __iter__(self) -> Iterator[bytes]:
        received, deadline = 0, time.monotonic() + _ANSWER_SECONDS
        for chunk in self._stream:
            received += len(chunk)
            if received > _ANSWER_BYTES or time.monotonic() > deadline:
                raise httpx.DecodingError("what it answers to a login is too long")
            yield chunk

    def close(self) -> None:
        self._stream.close()


def _bound(response: httpx.Response) -> None:
    """Keep httpx, which reads an answer whole before it sends the next request, from reading a hostile one."""
    response.headers.pop("content-encoding", None)  # unpacked, a few bytes could be many
    if isinstance(response.stream, httpx.SyncByteStream):
        response.stream = _Bounded(response.stream)


_ANSWER_BYTES, _ANSWER_SECONDS = 1 << 20, 60
_LOOPBACK = {"localhost", "127.0.0.1", "::1"}


def _host(url: httpx.URL) -> str:
    return url.netloc.decode()
