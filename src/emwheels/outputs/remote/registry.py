"""An OCI registry, by the OCI distribution specification 1.1.

The client is httpx, as for every other download here. `oras` 0.2.43 was looked at: it does not hash what it pulls,
sets no timeouts, does not resume, and would bring a second HTTP client with certificates and proxies of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx

from emwheels.errors import FetchError
from emwheels.fetch.download import Downloader, NotFoundError, ServerFaultError
from emwheels.outputs.remote.folder import read_manifest, remote_error, save_blob
from emwheels.outputs.remote.model import MANIFEST, RemoteError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


class Registry:
    """A repository of a registry, ``base`` being ``https://HOST/v2/NAME``; a build's key is its tag."""

    writable = True

    def __init__(self, base: str, downloader: Downloader, *, label: str) -> None:
        self._base = base
        self._downloader = downloader
        self.url = label

    def manifest(self, key: str) -> bytes | None:
        """See `Remote.manifest`."""
        return read_manifest(self._downloader, f"{self._base}/manifests/{key}", {"Accept": MANIFEST})

    def blob(self, digest: str, size: int, path: Path) -> None:
        """See `Remote.blob`."""
        save_blob(self._downloader, f"{self._base}/blobs/{digest}", digest, size, path)

    def put_blob(self, digest: str, content: bytes | Path) -> None:
        """See `Remote.put_blob`. The whole upload is tried again when it breaks off.

        A registry that was killed may have an empty link to a blob, and answers 500 when asked for it until it is
        uploaded again (docker-registry 2.8).
        """

        def once() -> None:
            try:
                self._downloader.send("HEAD", f"{self._base}/blobs/{digest}")
            except (NotFoundError, ServerFaultError):
                place = self._place(self._downloader.send("POST", f"{self._base}/blobs/uploads/"))
                self._downloader.send(
                    "PUT",
                    str(place.copy_merge_params({"digest": digest})),
                    content=content,
                    headers={"Content-Type": "application/octet-stream"},
                )

        self._push(f"{self._base}/blobs/{digest}", once)

    def put_manifest(self, key: str, manifest: bytes) -> None:
        """See `Remote.put_manifest`."""
        url = f"{self._base}/manifests/{key}"
        headers = {"Content-Type": MANIFEST}
        self._push(url, lambda: self._downloader.send("PUT", url, content=manifest, headers=headers))

    def _place(self, started: httpx.Response) -> httpx.URL:
        """Return where a registry wants an upload. Raises `RemoteError` for none, and for http after https."""
        given = started.headers.get("location", "")
        if not given:
            raise RemoteError(f"{self.url} answered an upload without saying where to send it")
        try:
            place = started.url.join(given)
        except httpx.InvalidURL:
            place = httpx.URL()
        if place.scheme not in ("http", "https") or (started.url.scheme == "https" and place.scheme == "http"):
            raise RemoteError(
                f"{self.url} sends an upload to {given!r}, which is refused",
                hint="behind a proxy that ends TLS the registry has to know its address: X-Forwarded-Proto",
            )
        return place

    def _push(self, url: str, once: Callable[[], object]) -> None:
        try:
            self._downloader.retried(url, once)
        except FetchError as error:
            raise remote_error(error) from error
