"""A bucket as the place of an index: S3 and what speaks its protocol, Google's and Azure's stores.

A store's credentials and address come from its usual environment variables: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY,
AWS_REGION, AWS_ENDPOINT_URL and so on.
"""

from __future__ import annotations

import hashlib
import os
import re
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError, PreconditionError

from emwheels.errors import IndexingError, keep_secret, keep_secrets_of, redacted, without_secrets
from emwheels.index.places.place import RECORD
from emwheels.store import sha256_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from emwheels.index.places.place import Source

SCHEMES = ("s3://", "s3a://", "gs://", "az://", "abfs://")
_AT_ONCE = 16
_OVERTAKEN = (AlreadyExistsError, PreconditionError, FileExistsError)
"""What a conditional write raises when somebody else was faster."""
_SIGNS_IN = re.compile(r"(?:AWS|AZURE|GOOGLE)_.*(?:SECRET|TOKEN|PASSWORD|_KEY)")
"""Variables that obstore signs in by."""
_SHA256 = "sha256"
"""Our own attribute of each object (``x-amz-meta-sha256``): what is there is known without reading it."""


class Bucket:
    """The index below ``url``, such as ``s3://bucket/folder``.

    ``headers`` tells what an object of a given name is served with (Content-Type, Cache-Control): a bucket has no
    server that would add them.
    """

    def __init__(self, url: str, headers: Callable[[str], Mapping[str, str]] = lambda _name: {}) -> None:
        keep_secrets_of(url)
        keep_secret(*(value for name, value in os.environ.items() if _SIGNS_IN.fullmatch(name)))
        self.where = without_secrets(url.rstrip("/"))
        self._headers = headers
        endpoint = os.environ.get("AWS_ENDPOINT_URL") or os.environ.get("AWS_ENDPOINT", "")
        plain = endpoint.startswith("http://")
        try:
            self._store: Any = obstore.store.from_url(url.rstrip("/"), client_options={"allow_http": plain})
        except (BaseError, ValueError) as error:
            raise IndexingError(
                f"{url} is not the address of a bucket: {error}", hint="write s3://BUCKET/FOLDER"
            ) from error
        self._record: Any = None
        """The version of `RECORD` that was read, so that only that one is replaced."""

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Do nothing: that nobody else changes it at the same time shows when `RECORD` is replaced."""
        yield

    def read(self, name: str) -> bytes | None:
        """Return the content of an object, None when there is none."""
        try:
            with self._explained():
                result = obstore.get(self._store, name)
                if name == RECORD:
                    self._record = _version_of(result.meta)
                return bytes(result.bytes())
        except FileNotFoundError:
            return None

    def send(self, files: Mapping[str, Source]) -> int:
        """Put those objects that are not there with the same bytes, several at a time; return how many were put."""
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            return sum(pool.map(lambda item: self._send_one(*item), files.items()))

    def remove(self, names: Iterable[str]) -> None:
        """Delete objects."""
        for name in names:
            with suppress(FileNotFoundError), self._explained():  # S3 does not say so, others do
                obstore.delete(self._store, name)

    def _send_one(self, name: str, source: Source) -> bool:
        sha256 = hashlib.sha256(source).hexdigest() if isinstance(source, bytes) else sha256_of(source)
        with self._explained():
            if self._has(name, sha256):
                return False
            self._put(name, source, {_SHA256: sha256, **self._headers(name)})
        return True

    def _put(self, name: str, source: Source, attributes: dict[str, str]) -> None:
        try:
            if name == RECORD:
                self._replace_record(source, attributes)
            else:
                obstore.put(self._store, name, source, attributes=attributes)
        except FileNotFoundError as error:
            raise IndexingError(
                f"{self.where} does not take {name}: the store answered 404", hint="make the bucket first"
            ) from error

    def _has(self, name: str, sha256: str) -> bool:
        try:
            result = obstore.get(self._store, name, options={"head": True})
        except FileNotFoundError:
            return False
        return dict(result.attributes).get(_SHA256) == sha256

    def _replace_record(self, source: Source, attributes: Mapping[str, str]) -> None:
        mode: Any = "create" if self._record is None else self._record
        try:
            put = obstore.put(self._store, RECORD, source, attributes=dict(attributes), mode=mode, use_multipart=False)
        except _OVERTAKEN as error:
            raise IndexingError(
                f"somebody else published to {self.where} at the same time", hint="run the same command again"
            ) from error
        self._record = _version_of(put)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError as error:
            if "NoSuchBucket" in str(error):
                raise IndexingError(f"{self.where}: there is no such bucket", hint="make it first") from error
            raise
        except _OVERTAKEN:
            raise
        except BaseError as error:
            first = redacted(str(error)).strip().splitlines()[0][:500]
            raise IndexingError(
                f"{self.where}: {first}",
                hint="check AWS_ENDPOINT_URL, AWS_REGION and the credentials; what was sent stays, run it again",
            ) from error


def _version_of(result: Mapping[str, Any]) -> dict[str, str]:
    """Return what tells one version of an object from another, for a write that replaces only that."""
    return {key: result[key] for key in ("e_tag", "version") if result.get(key)}
