"""What a registry says of an image: index, manifest and configuration, read into what is to be fetched and verified.

Sources: the OCI image specification 1.1, and Docker's Image Manifest Version 2, Schema 2, which registries also keep.
"""

from __future__ import annotations

import json
import re
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from emwheels.errors import ImageError

if TYPE_CHECKING:
    from collections.abc import Iterator

DOCUMENT_LIMIT = 4 << 20
"""Bytes of an index, a manifest or a configuration: what the OCI distribution specification has registries take."""
MOST_LAYERS = 128
MOST_BYTES = 16 << 30
"""Bytes of all layers together; the same again when they are unpacked."""

_INDEXES = ("application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json")
_MANIFESTS = ("application/vnd.oci.image.manifest.v1+json", "application/vnd.docker.distribution.manifest.v2+json")
ACCEPT = ", ".join((*_INDEXES, *_MANIFESTS))
"""What a request for a manifest says that it understands."""
_CONFIGURATIONS = ("application/vnd.oci.image.config.v1+json", "application/vnd.docker.container.image.v1+json")
_LAYER = re.compile(
    r"application/vnd\.(?:oci\.image\.layer\.(?:nondistributable\.)?v1\.tar(?:\+gzip|\+zstd)?"
    r"|docker\.image\.rootfs\.(?:foreign\.)?diff\.tar(?:\.gzip|\.zstd)?)"
)
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "ppc64le": "ppc64le", "riscv64": "riscv64", "s390x": "s390x"}
"""What ``uname -m`` says -> what an image says (Go's GOARCH)."""


@dataclass(frozen=True, kw_only=True)
class Descriptor:
    """A document or layer that another document names."""

    media_type: str
    digest: str
    size: int


@dataclass(frozen=True, kw_only=True)
class ImageManifest:
    """An image: its configuration and its layers, the lowest first."""

    config: Descriptor
    layers: tuple[Descriptor, ...]


def read_manifest(data: bytes, machine: str) -> ImageManifest | Descriptor:
    """Return an image, or of an index where that for ``machine`` (as ``uname -m`` names it) is.

    Raises `ImageError` that says what is wrong with it.
    """
    with _reading("manifest"):
        document = _object(data)
        if document.get("schemaVersion") != 2 or ("manifests" in document) == ("layers" in document):
            raise _Wrong("it is neither an index nor an image of schema version 2")
        kinds = _INDEXES if "manifests" in document else _MANIFESTS
        if document.get("mediaType", kinds[0]) not in kinds:
            raise _Wrong(f"its media type is {_shown(document['mediaType'])}")
        if "manifests" in document:
            return _of_this_machine(document["manifests"], _architecture(machine))
        layers = tuple(_layer(each) for each in document["layers"])
        config = _descriptor(document["config"], DOCUMENT_LIMIT)
        if config.media_type not in _CONFIGURATIONS:
            raise _Wrong(f"it is no image: its configuration is a {_shown(config.media_type)}")
        if not 0 < len(layers) <= MOST_LAYERS or sum(layer.size for layer in layers) > MOST_BYTES:
            raise _Wrong(f"it has {len(layers)} layers; 1 to {MOST_LAYERS} with {MOST_BYTES >> 30} GiB are allowed")
        return ImageManifest(config=config, layers=layers)


def read_diff_ids(data: bytes, manifest: ImageManifest, machine: str) -> tuple[str, ...]:
    """Return the digests of the unpacked layers out of an image's configuration.

    Raises `ImageError` for a configuration of another system or of other layers.
    """
    with _reading("configuration"):
        document = _object(data)
        system = (document["os"], document["architecture"])
        if system != ("linux", _architecture(machine)):
            raise _Wrong(
                f"it is for {_shown(system[0])} on {_shown(system[1])}, and this machine is linux on {machine}"
            )
        if document["rootfs"]["type"] != "layers":
            raise _Wrong("its root file system is not made of layers")
        given = tuple(_digest(each) for each in document["rootfs"]["diff_ids"])
        if len(given) != len(manifest.layers):
            raise _Wrong(f"it lists {len(given)} layers, its manifest {len(manifest.layers)}")
        return given


class _Wrong(Exception):  # noqa: N818  (it is never seen)
    pass


@contextmanager
def _reading(what: str) -> Iterator[None]:
    """Say of which document it is that something is wrong."""
    try:
        yield
    except _Wrong as wrong:
        raise ImageError(f"its {what} cannot be used: {wrong}", hint=_HINT) from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ImageError(f"its {what} is damaged: {type(error).__name__}: {error}", hint=_HINT) from error


_HINT = "name an image that ci/image/build.sh published, for this machine's architecture"


def _object(data: bytes) -> dict[str, Any]:
    document = json.loads(data)
    if not isinstance(document, dict):
        raise _Wrong("it is not a JSON object")
    return document


def _of_this_machine(entries: list[dict[str, Any]], architecture: str) -> Descriptor:
    found = []
    for entry in entries:
        platform = entry.get("platform") or {}
        found.append(f"{platform.get('os')}/{platform.get('architecture')}")
        if found[-1] == f"linux/{architecture}" and entry["mediaType"] in _MANIFESTS:
            return _descriptor(entry, DOCUMENT_LIMIT)
    others = ", ".join(sorted(set(found)))[:200] or "nothing"
    raise _Wrong(f"none of its images is for linux/{architecture}, but for {others}")


def _architecture(machine: str) -> str:
    return _ARCHITECTURES.get(machine, machine)


def _layer(entry: dict[str, Any]) -> Descriptor:
    layer = _descriptor(entry, MOST_BYTES)
    if not _LAYER.fullmatch(layer.media_type):
        raise _Wrong(f"layer {layer.digest} is a {_shown(layer.media_type)}, not an archive of files")
    return layer


def _descriptor(entry: dict[str, Any], limit: int) -> Descriptor:
    digest, size, media_type = _digest(entry["digest"]), entry["size"], entry["mediaType"]
    if type(size) is not int or not 0 <= size <= limit:
        raise _Wrong(f"{digest} has {_shown(size)} bytes; {limit:,} are allowed")
    if not isinstance(media_type, str):
        raise _Wrong(f"{digest} has the media type {_shown(media_type)}")
    return Descriptor(media_type=media_type, digest=digest, size=size)


def _digest(text: str) -> str:
    if not _DIGEST.fullmatch(text):
        raise _Wrong(f"{_shown(text)} is not a sha256 digest")
    return text


def _shown(value: object) -> str:
    return repr(value)[:100]
