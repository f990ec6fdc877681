"""Builds between the local store and a remote one: pull verifies every byte, push makes a build visible last."""

from __future__ import annotations

import gzip
import hashlib
import json
import uuid
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from emwheels.fetch.documents import parse_json
from emwheels.outputs.remote.model import MOST_BYTES, Blob, DamagedError, Manifest, StoredFile, digest_of
from emwheels.store import Store, StoreError, sha256_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from emwheels.outputs.remote.model import Remote

_CHUNK = 1 << 20


def pull_record(remote: Remote, key: str) -> tuple[dict[str, Any], Manifest] | None:
    """Return the record of a build and its manifest, None when the remote store has none.

    The record's hash is the one in the manifest; what the record says is for the caller to check. Raises
    `RemoteError` and `DamagedError`.
    """
    data = remote.manifest(key)
    if data is None:
        return None
    manifest = Manifest.parse(data)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "record"
        remote.blob(manifest.record.digest, manifest.record.size, path)
        content = path.read_bytes()
    if digest_of(content) != manifest.record.digest:
        raise DamagedError(f"its record hashes to {digest_of(content)} instead of {manifest.record.digest}")
    try:
        record = parse_json(content)
    except ValueError as error:
        raise DamagedError(f"its record is not JSON: {error}") from error
    if not isinstance(record, dict):
        raise DamagedError("its record is not an object")
    record.pop(_NONCE, None)
    return record, manifest


def pull(remote: Remote, manifest: Manifest, needed: Iterable[tuple[str, str]], store: Store) -> None:
    """Bring the files ``wanted``, each a kind and a sha256, into the local store.

    Raises `RemoteError`, and `DamagedError` when the manifest lacks one or a byte of one is wrong; what was whole
    stays in the local store.
    """
    files = {(file.kind, file.sha256): file for file in manifest.files}
    for kind, sha256 in needed:
        if (kind, sha256) not in files:
            raise DamagedError(f"its manifest does not list {kind} {sha256}")
        if not _whole(store, kind, sha256):
            _pull_file(remote, files[kind, sha256], store)


def _whole(store: Store, kind: str, sha256: str) -> bool:
    try:
        store.get(kind, sha256)
    except StoreError:
        return False
    return True


def _pull_file(remote: Remote, file: StoredFile, store: Store) -> None:
    name = file.blob.digest.replace(":", "-")
    with store.lock(name):
        if store.has(file.kind, file.sha256):  # another process was faster
            return
        partial = store.partial(name)
        had_some = partial.exists()
        try:
            remote.blob(file.blob.digest, file.blob.size, partial)
            if had_some and f"sha256:{sha256_of(partial)}" != file.blob.digest:
                partial.unlink()  # what an earlier run left may be what is wrong
                remote.blob(file.blob.digest, file.blob.size, partial)
            _check(file, partial)
            _keep(file, partial, store)
        except DamagedError:
            partial.unlink(missing_ok=True)
            raise
        partial.unlink()


def _check(file: StoredFile, partial: Path) -> None:
    got, size = f"sha256:{sha256_of(partial)}", partial.stat().st_size
    if got != file.blob.digest:
        came = f"{size} of {file.blob.size} bytes" if size < file.blob.size else f"other bytes: {got}"
        raise DamagedError(f"{file.kind} blob {file.blob.digest} came with {came}")


def _keep(file: StoredFile, content: Path, store: Store) -> None:
    """Put a verified blob into the store, unpacked, if it holds the file that it should."""
    if not file.packed:
        if file.blob.digest != f"sha256:{file.sha256}":
            raise DamagedError(f"{file.kind} {file.sha256} is said to be in blob {file.blob.digest}")
        store.put_file(file.kind, content)
        return
    digest, size = hashlib.sha256(), 0
    unpacked = store.partial(f"{content.name}-unpacked")
    try:
        with gzip.open(content) as stream, unpacked.open("wb") as out:
            while chunk := stream.read(_CHUNK):
                size += len(chunk)
                if size > MOST_BYTES:
                    raise DamagedError(f"{file.kind} {file.sha256} unpacks to more than {MOST_BYTES} bytes")
                digest.update(chunk)
                out.write(chunk)
        if digest.hexdigest() != file.sha256:
            raise DamagedError(f"{file.kind} {file.sha256} unpacks to sha256 {digest.hexdigest()}")
        store.put_file(file.kind, unpacked)
    except (OSError, EOFError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise DamagedError(f"{file.kind} {file.sha256} does not unpack: {error}") from error
    finally:
        unpacked.unlink(missing_ok=True)


def push(
    remote: Remote, key: str, record: Mapping[str, Any], files: Iterable[tuple[str, str]], store: Store, *, anew: bool
) -> int:
    """Upload a build, the manifest last, and return the bytes of its files.

    A registry that has a blob keeps its copy, damaged as it may be: with ``anew`` the blobs get other digests, so that
    the build is whole again. Raises `RemoteError`, and `StoreError` for what the local store lost.
    """
    nonce = uuid.uuid4().hex if anew else ""
    content = json.dumps(dict(record) | ({_NONCE: nonce} if anew else {}), sort_keys=True).encode()
    pushed = []
    with TemporaryDirectory() as folder:
        for kind, sha256 in files:
            path = store.get(kind, sha256)
            if anew:
                path = _packed(path, Path(folder) / sha256, nonce)
            blob = Blob(digest=f"sha256:{sha256_of(path) if anew else sha256}", size=path.stat().st_size)
            remote.put_blob(blob.digest, path)
            pushed.append(StoredFile(kind=kind, sha256=sha256, blob=blob, packed=anew))
    remote.put_blob(digest_of(content), content)
    manifest = Manifest(record=Blob(digest=digest_of(content), size=len(content)), files=tuple(pushed))
    remote.put_manifest(key, manifest.to_json())
    return sum(file.blob.size for file in pushed)


_NONCE = "pushed again"


def _packed(source: Path, destination: Path, nonce: str) -> Path:
    """Pack a file so that its bytes are no other pack's."""
    with (
        source.open("rb") as stream,
        destination.open("wb") as raw,
        gzip.GzipFile(filename=nonce, fileobj=raw, mode="wb", compresslevel=1) as out,
    ):
        while chunk := stream.read(_CHUNK):
            out.write(chunk)
    return destination
