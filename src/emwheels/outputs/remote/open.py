"""The address of a remote store -> a `Remote`."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import SplitResult, urlsplit

from emwheels.errors import FetchError, UsageError, without_secrets
from emwheels.fetch.credentials import REPOSITORY, RegistryAuth, find_credentials, on_this_machine
from emwheels.fetch.download import Downloader
from emwheels.outputs.remote.folder import HttpFolder, remote_error
from emwheels.outputs.remote.registry import Registry

if TYPE_CHECKING:
    from emwheels.outputs.remote.model import Remote

_ATTEMPTS = 3
_CONNECT_SECONDS = 5
_PATIENCE = 20
"""Seconds between all attempts: a build goes on without a remote store."""
_FORMS = "write oci://HOST/NAME for a registry, or https://HOST/FOLDER/ for a folder"


def open_remote(address: str) -> Remote:
    """Return the remote store at ``address`` without asking it anything.

    ``oci://HOST/NAME`` is a repository of a registry, by https, or by http where HOST is this machine;
    ``oci+http://HOST/NAME`` is one by http. ``https://…`` or ``http://…`` is a folder made by ``emwheels cache
    export``. Raises `UsageError` for anything else, `RemoteError` for credentials that cannot be read.
    """
    try:
        parts = urlsplit(address)
        _ = parts.port
    except ValueError as error:
        raise UsageError(f"{address!r}, the remote store's address, cannot be read", hint=_FORMS) from error
    host = parts.netloc.rpartition("@")[2]
    label = without_secrets(parts._replace(query="", fragment="").geturl())
    if not host or parts.scheme not in ("oci", "oci+http", "http", "https"):
        raise UsageError(f"{label.rpartition('@')[2]!r} is not the address of a remote store", hint=_FORMS)
    if parts.query or parts.fragment:
        raise UsageError(f"{label}: the address of a remote store has no query", hint=_FORMS)
    if parts.scheme in ("http", "https"):
        downloader = Downloader(attempts=_ATTEMPTS, connect_seconds=_CONNECT_SECONDS, patience=_PATIENCE)
        return HttpFolder(address, downloader, label=label)
    repository = parts.path.strip("/")
    if not REPOSITORY.fullmatch(repository):
        raise UsageError(f"{label}: {repository!r} is not the name of a repository", hint=_FORMS)
    if parts.username or parts.password:
        raise UsageError(
            f"{label}: a password does not belong into the address", hint=f"log in first: podman login {host}"
        )
    try:
        auth = RegistryAuth(host, repository, find_credentials(host, repository))
    except FetchError as error:
        raise remote_error(error) from error
    downloader = Downloader(attempts=_ATTEMPTS, connect_seconds=_CONNECT_SECONDS, patience=_PATIENCE, auth=auth)
    return Registry(f"{_scheme(parts)}://{host}/v2/{repository}", downloader, label=label)


def _scheme(parts: SplitResult) -> str:
    local = on_this_machine(parts.hostname or "")
    return "http" if parts.scheme == "oci+http" or local else "https"
