"""`Store`: files by hash and records by key, written atomically."""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import re
import shutil
import tempfile
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from filelock import FileLock

from emwheels.errors import StoreError
from emwheels.store.lease import Lease

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_KIND = re.compile(r"[a-z][a-z0-9-]*")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,199}")
_CHECKSUM = "checksum"
"""The key of a record's own sha256 in its file: a flipped bit in a name would not show otherwise."""
TEMPORARY = ".new-"
"""What the name of an unfinished file starts with."""
_log = logging.getLogger(__name__)


def sha256_of(path: Path) -> str:
    """Return the sha256 of the file at ``path`` as 64 hexadecimal digits."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


class Store:
    """The store at ``root``, which is made on first use.

    ``kind`` is a folder of the caller's choice (``sources``, ``wheels``, ``logs``). Files are named by their sha256
    and are read-only; records are named by a key that the caller computes. Every write is atomic: a reader, in this
    process or another, sees a whole entry or none. What a process has put, got or asked for is not collected as
    garbage while it lives.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._lease = Lease(root)

    def path_of(self, kind: str, sha256: str) -> Path:
        """Return where the file with this hash is, or would be. Raises `ValueError` for no kind, no hash."""
        if not _SHA256.fullmatch(sha256):
            raise ValueError(f"not a sha256: {sha256!r}")
        return self._folder(kind) / sha256[:2] / sha256

    def has(self, kind: str, sha256: str) -> bool:
        """Tell whether there is such an entry, without reading it."""
        return self.path_of(kind, sha256).is_file()

    def put_file(self, kind: str, source: Path | BinaryIO) -> str:
        """Copy a file, or what is left of a binary stream, into the store and return its sha256."""
        folder = self._folder(kind)
        folder.mkdir(parents=True, exist_ok=True)
        digest = hashlib.sha256()
        with contextlib.ExitStack() as stack:
            stream = stack.enter_context(source.open("rb")) if isinstance(source, Path) else source
            temporary, out = stack.enter_context(self._temporary(folder))
            while chunk := stream.read(1 << 20):
                digest.update(chunk)
                out.write(chunk)
            # Replaces an entry that is there already, which mends it should it be damaged.
            path = self.path_of(kind, digest.hexdigest())
            self._lease.use(path)
            _publish(temporary, out, path)
        return digest.hexdigest()

    def get(self, kind: str, sha256: str, *, verify: bool = True) -> Path:
        """Return the path of an entry, after hashing it again when ``verify``.

        Raises `StoreError` when it is missing, and when it is damaged: then it has been moved to ``damaged/``, and the
        caller can put a good one in its place.
        """
        path = self.path_of(kind, sha256)
        self._lease.use(path)
        try:
            if verify and (got := sha256_of(path)) != sha256:
                aside = self.move_aside(path)
                raise StoreError(f"{path} was damaged: its content hashes to {got}", hint=f"it was moved to {aside}")
        except FileNotFoundError:
            raise StoreError(f"the store {self.root} has no {kind} entry {sha256}") from None
        if not path.is_file():
            raise StoreError(f"the store {self.root} has no {kind} entry {sha256}")
        return path

    def add_record(self, kind: str, key: str, record: Mapping[str, Any]) -> None:
        """Keep a JSON object under ``key``, in place of an earlier one."""
        path = self._record_path(kind, key)
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lease.use(path)
        content = dict(record) | {_CHECKSUM: _checksum(record)}
        with self._temporary(path.parent) as (temporary, out):
            out.write(json.dumps(content, indent=1, sort_keys=True).encode())
            _publish(temporary, out, path)

    def get_record(self, kind: str, key: str) -> dict[str, Any] | None:
        """Return the record or None; a damaged one is moved to ``damaged/``, logged, and counts as none."""
        path = self._record_path(kind, key)
        self._lease.use(path)
        try:
            return read_record(path)
        except FileNotFoundError:
            return None
        except ValueError:
            _log.warning("%s was damaged and was moved to %s", path, self.move_aside(path))
            return None

    def partial(self, name: str) -> Path:
        """Return the path of an unfinished download called ``name``; its folder exists. Write under `lock`."""
        if not _KEY.fullmatch(name):
            raise ValueError(f"not a name for a partial file: {name!r}")
        folder = self.root / "partial"
        folder.mkdir(parents=True, exist_ok=True)
        self._lease.use(folder / name)
        return folder / name

    @contextlib.contextmanager
    def lock(self, name: str) -> Iterator[None]:
        """Hold the lock called ``name`` against every other thread and process that uses this store."""
        if not _KEY.fullmatch(name):
            raise ValueError(f"not a name for a lock: {name!r}")
        folder = self.root / "locks"
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / f"{name}.lock"):
            yield

    def _folder(self, kind: str) -> Path:
        if not _KIND.fullmatch(kind):
            raise ValueError(f"not a kind of entry: {kind!r}")
        return self.root / "files" / kind

    def _record_path(self, kind: str, key: str) -> Path:
        if not _KIND.fullmatch(kind) or not _KEY.fullmatch(key):
            raise ValueError(f"not a record's kind and key: {kind!r}, {key!r}")
        return self.root / "records" / kind / f"{key}.json"

    def add_root(self, folder: Path) -> None:
        """Name a folder, an index say: as long as it exists, copies of its files are not collected as garbage."""
        key = hashlib.sha256(str(folder).encode()).hexdigest()
        path = self._record_path("roots", key)
        if not path.is_file():
            self.add_record("roots", key, {"folder": str(folder)})

    @contextlib.contextmanager
    def _temporary(self, folder: Path) -> Iterator[tuple[Path, BinaryIO]]:
        temporary = folder / f"{TEMPORARY}{uuid.uuid4().hex}"
        self._lease.use(temporary)
        try:
            with temporary.open("xb") as out:
                yield temporary, out
        finally:
            temporary.unlink(missing_ok=True)

    def move_aside(self, path: Path) -> Path:
        """Move a damaged entry to a new folder in ``damaged/`` and return where it is now."""
        folder = self.root / "damaged"
        folder.mkdir(parents=True, exist_ok=True)
        aside = Path(tempfile.mkdtemp(dir=folder)) / path.name
        with contextlib.suppress(FileNotFoundError):  # another process saw the damage first
            shutil.move(path, aside)
        return aside


def read_record(path: Path) -> dict[str, Any]:
    """Return the record in the file at ``path``. Raises `ValueError` when it is not what was written there."""
    if path.exists() and not path.is_file():
        raise ValueError(f"{path} is no regular file")
    try:
        record = json.loads(path.read_bytes())
    except RecursionError:
        raise ValueError(f"{path} is nested too deeply") from None
    if not isinstance(record, dict):
        raise ValueError(f"{path} does not hold an object")  # noqa: TRY004
    # One without a checksum is of an earlier version, or the damage is in that word and nowhere else.
    if (checksum := record.pop(_CHECKSUM, None)) is not None and checksum != _checksum(record):
        raise ValueError(f"{path} does not match its checksum")
    return record


def _checksum(record: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(dict(record), sort_keys=True).encode()).hexdigest()


def _publish(temporary: Path, out: BinaryIO, final: Path) -> None:
    out.flush()
    os.fchmod(out.fileno(), 0o444)
    os.fsync(out.fileno())
    final.parent.mkdir(parents=True, exist_ok=True)
    temporary.replace(final)
