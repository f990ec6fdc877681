"""A plain read-only folder on a web server: ``manifests/KEY`` and ``blobs/sha256/HEX``, as `export` lays it out."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from emwheels.atomic import replacing, write_atomically
from emwheels.errors import FetchError
from emwheels.fetch.download import Downloader, NotFoundError, RefusedError
from emwheels.outputs.remote.model import DOCUMENT_LIMIT, DamagedError, RemoteError

if TYPE_CHECKING:
    from pathlib import Path


class HttpFolder:
    """A remote store that can be read by GET and no more. ``url`` is that of the folder."""

    writable = False

    def __init__(self, url: str, downloader: Downloader, *, label: str) -> None:
        self._base = url.rstrip("/")
        self._downloader = downloader
        self.url = label

    def manifest(self, key: str) -> bytes | None:
        """See `Remote.manifest`."""
        return read_manifest(self._downloader, f"{self._base}/manifests/{key}")

    def blob(self, digest: str, size: int, path: Path) -> None:
        """See `Remote.blob`."""
        save_blob(self._downloader, f"{self._base}/blobs/{digest.replace(':', '/')}", digest, size, path)

    def put_blob(self, digest: str, content: bytes | Path) -> None:  # noqa: ARG002
        """Refuse."""
        raise RemoteError(f"{self.url} is a folder that can only be read", hint="push to a registry: --remote oci://…")

    def put_manifest(self, key: str, manifest: bytes) -> None:
        """Refuse."""
        self.put_blob(key, manifest)


class LocalFolder:
    """The same layout on this machine's disk, written by `emwheels cache export`."""

    writable = True

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.url = str(folder)

    def manifest(self, key: str) -> bytes | None:
        """See `Remote.manifest`."""
        path = self._folder / "manifests" / key
        return path.read_bytes() if path.is_file() else None

    def blob(self, digest: str, size: int, path: Path) -> None:
        """See `Remote.blob`."""
        source = self._blob_path(digest)
        if not source.is_file() or source.stat().st_size > size:
            raise DamagedError(f"blob {digest} is missing or too large")
        shutil.copyfile(source, path)

    def put_blob(self, digest: str, content: bytes | Path) -> None:
        """See `Remote.put_blob`. A blob of another size than ``content`` is replaced."""
        path = self._blob_path(digest)
        size = len(content) if isinstance(content, bytes) else content.stat().st_size
        if path.is_file() and path.stat().st_size == size:
            return
        if isinstance(content, bytes):
            write_atomically(path, content)
            return
        with content.open("rb") as source, replacing(path) as stream:
            shutil.copyfileobj(source, stream)

    def put_manifest(self, key: str, manifest: bytes) -> None:
        """See `Remote.put_manifest`."""
        write_atomically(self._folder / "manifests" / key, manifest)

    def _blob_path(self, digest: str) -> Path:
        return self._folder / "blobs" / digest.replace(":", "/")


def read_manifest(downloader: Downloader, url: str, headers: dict[str, str] | None = None) -> bytes | None:
    """Return the document at ``url``, None when there is none. Raises like `Remote.manifest`."""
    try:
        content = downloader.get(url, headers).content
    except NotFoundError:
        return None
    except FetchError as error:
        raise remote_error(error) from error
    if len(content) > DOCUMENT_LIMIT:
        raise DamagedError(f"its manifest has {len(content)} bytes")
    return content


def save_blob(downloader: Downloader, url: str, digest: str, size: int, path: Path) -> None:
    """Download the blob at ``url`` into ``path``. Raises like `Remote.blob`."""

    def limit(done: int, total: int | None) -> None:
        if max(done, total or 0) > size:
            raise DamagedError(f"blob {digest} has more than the {size} bytes that its manifest says")

    try:
        downloader.save(url, path, limit)
    except NotFoundError as error:
        raise DamagedError(f"blob {digest} is missing") from error
    except FetchError as error:
        raise remote_error(error) from error


def remote_error(error: FetchError) -> RemoteError:
    """Return the error as that of a remote store, with what to do about one that wants to know who this is."""
    login = "log in, or in again: podman login HOST, docker login HOST" if isinstance(error, RefusedError) else ""
    return RemoteError(error.message, hint=error.hint or login)
