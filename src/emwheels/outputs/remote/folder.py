"""A plain read-only folder on a web server: ``manifests/KEY`` and ``blobs/sha256/HEX``, as `export` lays it out."""

from __future__ import annotations

import os
import shutil
import stat
from io import BytesIO
from typing import IO, TYPE_CHECKING

from emwheels.atomic import replacing, write_atomically
from emwheels.errors import FetchError
from emwheels.fetch.download import Downloader, NotFoundError, RefusedError, UnreachableError
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
        content = BytesIO()
        if not _copy_regular(self._folder / "manifests" / key, content, DOCUMENT_LIMIT):
            return None
        return content.getvalue()

    def blob(self, digest: str, size: int, path: Path) -> None:
        """See `Remote.blob`."""
        with path.open("wb") as out:
            if not _copy_regular(self._blob_path(digest), out, size):
                raise DamagedError(f"blob {digest} is missing")

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


def _copy_regular(path: Path, out: IO[bytes], limit: int) -> bool:
    """Copy a file and return true; false where there is none, or a link, a fifo or a device lies in its place.

    Raises `DamagedError` for more than ``limit`` bytes.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            return False
        if status.st_size > limit:
            raise DamagedError(f"{path} has {status.st_size:,} bytes, over {limit:,}")
        with os.fdopen(descriptor, "rb", closefd=False) as stream:
            shutil.copyfileobj(stream, out)
    finally:
        os.close(descriptor)
    return True


def read_manifest(downloader: Downloader, url: str, headers: dict[str, str] | None = None) -> bytes | None:
    """Return the document at ``url``, None when there is none. Raises like `Remote.manifest`."""
    try:
        return downloader.get(url, headers, limit=DOCUMENT_LIMIT).content
    except NotFoundError:
        return None
    except FetchError as error:
        raise _of_one_entry(error) from error


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
        raise _of_one_entry(error) from error


def _of_one_entry(error: FetchError) -> RemoteError | DamagedError:
    """Return what a failed GET says: of the whole store where it does not answer or refuses, else of this entry."""
    if isinstance(error, UnreachableError | RefusedError):
        return remote_error(error)
    return DamagedError(error.message)


def remote_error(error: FetchError) -> RemoteError:
    """Return the error as that of a remote store, with what to do about one that wants to know who this is."""
    login = "log in, or in again: podman login HOST, docker login HOST" if isinstance(error, RefusedError) else ""
    return RemoteError(error.message, hint=error.hint or login)
