"""What a remote store keeps for one build: an OCI image manifest, as registries and tools know it."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from emwheels.errors import EmwheelsError, FetchError, StoreError
from emwheels.fetch.documents import parse_json

if TYPE_CHECKING:
    from pathlib import Path

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
"""OCI image specification 1.1, which also has ``artifactType``."""
ARTIFACT = "application/vnd.emwheels.build.compile.v1"
RECORD = "application/vnd.emwheels.build.compile.record.v1+json"
FILE = "application/vnd.emwheels.file.v1"
GZIP = "+gzip"
"""At the end of a file's media type: the blob is the file packed by gzip."""

DOCUMENT_LIMIT = 4 << 20
"""Bytes of a manifest or a record; the OCI distribution specification lets registries refuse larger manifests."""

MOST_BYTES = 4 << 30
"""Bytes of a file, packed or not."""
_MOST_FILES = 100
"""Files of a build that are looked at; there are two, its output and its log."""
_KIND = re.compile(r"[a-z][a-z0-9-]*")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_KIND_KEY, _SHA256_KEY = "org.emwheels.kind", "org.emwheels.sha256"


class RemoteError(EmwheelsError):
    """The remote store could not be asked, or refused."""

    exit_code = FetchError.exit_code


class DamagedError(EmwheelsError):
    """An entry of the remote store is not what it should be. It must not be used."""

    exit_code = StoreError.exit_code


class Remote(Protocol):
    """A place that keeps blobs by digest and manifests by build key.

    Every method raises `RemoteError` when the place cannot be reached or refuses.
    """

    @property
    def url(self) -> str:
        """Where it is, without user and password."""
        ...

    @property
    def writable(self) -> bool:
        """Whether `put_blob` and `put_manifest` exist for it; the place may still refuse."""
        ...

    def manifest(self, key: str) -> bytes | None:
        """Return the manifest of a build, None when there is none. Raises `DamagedError` when it is too large."""
        ...

    def blob(self, digest: str, size: int, path: Path) -> None:
        """Save a blob at ``path``, going on from what is there.

        The content is not to be trusted. Raises `DamagedError` when it is missing, or larger than ``size`` bytes.
        """
        ...

    def put_blob(self, digest: str, content: bytes | Path) -> None:
        """Upload a blob unless it is there already."""
        ...

    def put_manifest(self, key: str, manifest: bytes) -> None:
        """Make a build visible, in place of an earlier one. Its blobs have to be there."""
        ...


@dataclass(frozen=True, kw_only=True)
class Blob:
    """A blob that a manifest names."""

    digest: str
    size: int


@dataclass(frozen=True, kw_only=True)
class StoredFile:
    """A file of the store, and the blob that holds it."""

    kind: str
    sha256: str
    blob: Blob
    packed: bool = False


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """One build in the remote store: its record and the files that the record names."""

    record: Blob
    files: tuple[StoredFile, ...]

    def to_json(self) -> bytes:
        """Return the manifest as it is stored."""
        return json.dumps(
            {
                "schemaVersion": 2,
                "mediaType": MANIFEST,
                "artifactType": ARTIFACT,
                "config": {"mediaType": RECORD, "digest": self.record.digest, "size": self.record.size},
                "layers": [
                    {
                        "mediaType": FILE + (GZIP if file.packed else ""),
                        "digest": file.blob.digest,
                        "size": file.blob.size,
                        "annotations": {_KIND_KEY: file.kind, _SHA256_KEY: file.sha256},
                    }
                    for file in self.files
                ],
            },
            sort_keys=True,
        ).encode()

    @classmethod
    def parse(cls, data: bytes) -> Manifest:
        """Read a manifest that anybody may have written. Raises `DamagedError`."""
        try:
            document: dict[str, Any] = parse_json(data)
            kind, record = document["config"]["mediaType"], _blob(document["config"])
            layers: list[dict[str, Any]] = document.get("layers") or []
            manifest = cls(record=record, files=tuple(_file(layer) for layer in layers[:_MOST_FILES]))
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise DamagedError(f"its manifest is none of a build: {error}") from error
        if kind != RECORD or record.size > DOCUMENT_LIMIT:
            raise DamagedError(f"its record is a {kind} of {record.size} bytes")
        return manifest


def digest_of(data: bytes) -> str:
    """Return ``sha256:…`` of ``data``."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def _blob(descriptor: dict[str, Any]) -> Blob:
    digest, size = descriptor["digest"], descriptor["size"]
    if (
        isinstance(size, bool)
        or not isinstance(size, int)
        or not 0 <= size <= MOST_BYTES
        or not _DIGEST.fullmatch(digest)
    ):
        raise ValueError(f"{digest!r} of {size!r} bytes")
    return Blob(digest=digest, size=size)


def _file(layer: dict[str, Any]) -> StoredFile:
    media_type, notes, blob = layer["mediaType"], layer["annotations"], _blob(layer)
    kind, sha256 = notes[_KIND_KEY], notes[_SHA256_KEY]
    if media_type not in (FILE, FILE + GZIP) or not _KIND.fullmatch(kind) or not _SHA256.fullmatch(sha256):
        raise ValueError(f"a file {kind!r} {sha256!r} of type {media_type!r}")
    return StoredFile(kind=kind, sha256=sha256, blob=blob, packed=media_type.endswith(GZIP))
