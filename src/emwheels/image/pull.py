"""A published image without podman or docker: pulled from its registry, and unpacked below the cache.

The protocol is that of the OCI distribution specification 1.1. Nothing is used whose digest was not computed here: the
reference has that of the manifest, the manifest those of configuration and layers, the configuration those of what is
in the layers.
"""

from __future__ import annotations

import hashlib
import json
import platform
import threading
import time
import weakref
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import ExitStack
from typing import TYPE_CHECKING

from filelock import FileLock

from emwheels.errors import FetchError, ImageError
from emwheels.fetch.credentials import REPOSITORY, RegistryAuth, find_credentials, on_this_machine
from emwheels.fetch.download import Downloader, NotFoundError, RefusedError
from emwheels.image.holding import in_use, nobody_in
from emwheels.image.layers import Layers
from emwheels.image.manifest import ACCEPT, DOCUMENT_LIMIT, Descriptor, ImageManifest, read_diff_ids, read_manifest
from emwheels.image.removal import remove_tree, replace_tree
from emwheels.image.rootfs import RootFs, usable_method

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from emwheels.fetch.download import Progress

RECORD = "pulled.json"
"""The file beside a root file system that says which image it is."""
_ENTERED_BY = "usr/bin/prlimit"
"""What every command in the sandbox is started by."""
_AT_ONCE = 4
_ATTEMPTS = 5
_CONNECT_SECONDS = 20
_SECONDS = 300
"""What a document may take; a layer may take more, at `_SLOWEST` bytes a second."""
_SLOWEST = 20_000


def pulled_folder(cache: Path, digest: str) -> Path:
    """Return where the image whose manifest has that digest is kept."""
    return cache / "images" / f"oci-{digest.removeprefix('sha256:')}"


def is_pulled(cache: Path, digest: str) -> bool:
    """Tell whether an image is here, whole."""
    folder = pulled_folder(cache, digest)
    try:
        record = json.loads((folder / RECORD).read_bytes())
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(record, dict) and record.get("digest") == digest and (folder / "rootfs").is_dir()


def load_pulled(
    cache: Path, digest: str, *, environment: tuple[tuple[str, str], ...], method: str | None = None
) -> RootFs | None:
    """Return an image that was pulled, None if it is not here. It is held for as long as somebody has it.

    Raises `ImageError` when there is no way into it on this machine.
    """
    folder = pulled_folder(cache, digest)
    with ExitStack() as stack:
        stack.enter_context(in_use(folder))
        if not is_pulled(cache, digest):
            return None
        root = folder / "rootfs"
        image = RootFs(root=root, digest=digest, method=method or usable_method(root), environment=environment)
        weakref.finalize(image, stack.pop_all().close)
    return image


def pull_image(
    cache: Path, reference: str, *, progress: Progress, pause: Callable[[float], object] | None = None
) -> None:
    """Pull the image ``registry/name@sha256:…``, unless it is here already: it appears whole or not at all.

    What was fetched before an interruption is kept, and the next call goes on from there. Raises `ImageError`, which
    names the reference.
    """
    digest = reference.rpartition("@")[2]
    folder = pulled_folder(cache, digest)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{folder}.lock"):
        if is_pulled(cache, digest):
            return
        making = folder.with_name(f"{folder.name}.making")
        try:
            _make(making, reference, progress, pause)
        except BaseException:
            for name in _UNPACKED:
                remove_tree(making / name)
            raise
        (making / RECORD).write_text(json.dumps({"digest": digest, "reference": reference}, indent=1) + "\n")
        for name in ("removed", "blobs"):
            remove_tree(making / name)
        with nobody_in(folder):
            replace_tree(folder, making)


_UNPACKED = ("rootfs", "removed")
"""Folders beside ``blobs``, which alone outlasts a failure."""


def _make(making: Path, reference: str, progress: Progress, pause: Callable[[float], object] | None) -> None:
    """Fetch an image into ``making``, and unpack it there. Raises `ImageError` that names the reference."""
    for name in _UNPACKED:
        remove_tree(making / name)
        (making / name).mkdir(parents=True)
    (making / "blobs").mkdir(exist_ok=True)
    try:
        _fill(making, _Repository(reference, pause), progress)
    except FetchError as error:
        hint = error.hint or _hint(error)
        raise ImageError(f"{reference} cannot be pulled: {error.message}", hint=hint) from error
    except ImageError as error:
        raise ImageError(f"{reference} cannot be pulled: {error.message}", hint=error.hint) from error


def _hint(error: FetchError) -> str:
    if isinstance(error, RefusedError):
        return "log in, or in again: podman login HOST, docker login HOST"
    if isinstance(error, NotFoundError):
        return "check the registry, the name and the digest"
    return "check the registry and the network of this machine, then run the same command again"


def _fill(making: Path, repository: _Repository, progress: Progress) -> None:
    machine = platform.machine()
    manifest = repository.manifest(making / "blobs", machine)
    configuration = repository.document(f"blobs/{manifest.config.digest}", manifest.config, making / "blobs")
    diff_ids = read_diff_ids(configuration, manifest, machine)
    repository.layers(manifest.layers, making / "blobs", progress)
    with Layers(making / "rootfs", making / "removed") as root:
        for number, (layer, diff_id) in enumerate(zip(manifest.layers, diff_ids, strict=True), 1):
            progress(f"unpacking layer {number} of {len(diff_ids)}", layer.size, None)
            root.add(making / "blobs" / _hex(layer.digest), diff_id)
        root.finish()
        if not root.has(_ENTERED_BY):
            raise ImageError(f"it has no /{_ENTERED_BY}", hint="name an image that ci/image/build.sh published")


class _Repository:
    """A repository of a registry, to read from."""

    def __init__(self, reference: str, pause: Callable[[float], object] | None) -> None:
        name, _, self._digest = reference.rpartition("@")
        host, _, path = name.partition("/")
        path, _, _ = path.partition(":")  # a tag says nothing where there is a digest
        hostname = host.partition(":")[0]
        if not ("." in host or ":" in host or host == "localhost") or not REPOSITORY.fullmatch(path):
            raise ImageError(
                "it does not say which registry", hint="write it as registry/name@sha256:…, the name in lower case"
            )
        auth = RegistryAuth(host, path, find_credentials(host, path), actions="pull")
        self._stopping = threading.Event()
        self._downloader = Downloader(
            attempts=_ATTEMPTS,
            pause=pause or self._stopping.wait,
            auth=auth,
            connect_seconds=_CONNECT_SECONDS,
        )
        self._base = f"{'http' if on_this_machine(hostname) else 'https'}://{host}/v2/{path}"

    def manifest(self, folder: Path, machine: str) -> ImageManifest:
        """Return the manifest of the image for ``machine``."""
        found = read_manifest(self._manifest(self._digest, None, folder), machine)
        if isinstance(found, Descriptor):
            found = read_manifest(self._manifest(found.digest, found, folder), machine)
        if isinstance(found, Descriptor):
            raise ImageError("its index names another index as an image", hint="name one of its images by digest")
        return found

    def _manifest(self, digest: str, described: Descriptor | None, folder: Path) -> bytes:
        wanted = described or Descriptor(media_type="", digest=digest, size=DOCUMENT_LIMIT)
        return self.document(f"manifests/{digest}", wanted, folder, exact=described is not None)

    def document(self, path: str, wanted: Descriptor, folder: Path, *, exact: bool = True) -> bytes:
        """Return a document, verified. If not ``exact``, its size is the most that it may have."""
        place = folder / "document"
        place.unlink(missing_ok=True)
        self._save(path, wanted, place, lambda _done: None)
        data, got = place.read_bytes(), _digest(place)
        place.unlink()
        if got != wanted.digest or (exact and len(data) != wanted.size):
            raise ImageError(f"{path} came with other bytes: {len(data)}, {got}", hint=_DAMAGED)
        return data

    def layers(self, layers: Sequence[Descriptor], folder: Path, progress: Progress) -> None:
        """Fetch layers, several at once, into files named by their digests."""
        wanted = {layer.digest: layer for layer in layers}
        total, received = sum(layer.size for layer in wanted.values()), dict.fromkeys(wanted, 0)

        def fetch(layer: Descriptor) -> None:
            self._layer(layer, folder / _hex(layer.digest), lambda done: received.update({layer.digest: done}))

        with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="pull") as pool:
            waiting = {pool.submit(fetch, layer) for layer in wanted.values()}
            try:
                while waiting:
                    done, waiting = wait(waiting, timeout=0.2, return_when=FIRST_EXCEPTION)
                    progress(f"pulling {len(wanted)} layers", sum(received.values()), total)
                    for each in done:
                        each.result()
            except BaseException:
                self._stopping.set()
                pool.shutdown(wait=False, cancel_futures=True)
                raise

    def _layer(self, layer: Descriptor, path: Path, note: Callable[[int], None]) -> None:
        """Fetch a layer, going on from what is there; what turns out wrong with that is fetched once more, whole."""
        there = path.stat().st_size if path.exists() else 0
        if there < layer.size or not there:
            self._save(f"blobs/{layer.digest}", layer, path, note)
        got, size = _digest(path), path.stat().st_size
        if (got, size) != (layer.digest, layer.size):
            path.unlink()
            if there:
                self._layer(layer, path, note)
                return
            raise ImageError(f"layer {layer.digest} came with {size} of {layer.size} bytes: {got}", hint=_DAMAGED)
        note(layer.size)

    def _save(self, path: str, wanted: Descriptor, place: Path, note: Callable[[int], None]) -> None:
        deadline = time.monotonic() + _SECONDS + wanted.size / _SLOWEST

        def check(done: int, total: int | None) -> None:
            if self._stopping.is_set():
                raise FetchError("it was stopped")
            if max(done, total or 0) > wanted.size:
                place.unlink(missing_ok=True)
                raise FetchError(f"{path} has more than {wanted.size:,} bytes", hint=_DAMAGED)
            if time.monotonic() > deadline:
                raise FetchError(f"{path} comes too slowly", hint="run the same command again: it goes on from there")
            note(done)

        accept = {"Accept": ACCEPT} if path.startswith("manifests/") else {}
        self._downloader.save(f"{self._base}/{path}", place, check, accept)


def _digest(path: Path) -> str:
    with path.open("rb") as stream:
        return f"sha256:{hashlib.file_digest(stream, 'sha256').hexdigest()}"


def _hex(digest: str) -> str:
    return digest.removeprefix("sha256:")


_DAMAGED = "the registry, or something on the way to it, does not give what was published"
