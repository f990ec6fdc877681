"""A registry on loopback that images are pulled from, with faults, and images made by hand."""

from __future__ import annotations

import base64
import gzip
import hashlib
import http.server
import io
import json
import platform
import tarfile
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from loopback import serving

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MACHINE = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
USER, PASSWORD = "builder", "correct-horse"
BASIC = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
OCI = "application/vnd.oci.image"
DOCKER = "application/vnd.docker"


def member(name: str, content: bytes = b"", **facts: Any) -> tuple[tarfile.TarInfo, bytes]:
    """Return a member of a layer; ``facts`` are attributes of `tarfile.TarInfo`."""
    info = tarfile.TarInfo(name)
    info.size, info.mode, info.mtime = len(content), 0o644, 1_700_000_000
    for key, value in facts.items():
        setattr(info, key, value)
    return info, content


def folder(name: str, **facts: Any) -> tuple[tarfile.TarInfo, bytes]:
    return member(name, **{"type": tarfile.DIRTYPE, "mode": 0o755, **facts})


def link(name: str, target: str) -> tuple[tarfile.TarInfo, bytes]:
    return member(name, type=tarfile.SYMTYPE, linkname=target)


def hard_link(name: str, target: str) -> tuple[tarfile.TarInfo, bytes]:
    return member(name, type=tarfile.LNKTYPE, linkname=target)


def archive(*members: tuple[tarfile.TarInfo, bytes]) -> bytes:
    """Return a tar, not compressed."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for info, content in members:
            tar.addfile(info, io.BytesIO(content))
    return raw.getvalue()


def digest_of(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


BOOT = archive(folder("usr/bin"), member("usr/bin/prlimit", mode=0o755))
"""A layer with what no image is without."""


@dataclass
class ImageRegistry:
    """What a registry has, what it does to answers, and what it was asked for."""

    address: str = ""
    blobs: dict[str, bytes] = field(default_factory=dict)
    manifests: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    asked: list[tuple[str, str, str]] = field(default_factory=list)
    """Of each request the path, its Range and its Accept."""
    tokens: list[dict[str, list[str]]] = field(default_factory=list)
    """The query of each request for a token that had the right password."""
    auth: str = ""
    """``basic`` or ``bearer``."""
    cut: dict[str, int] = field(default_factory=dict)
    """Blob -> the bytes after which the next answer with it breaks off."""
    busy: int = 0
    """How many requests are answered by 503 first."""
    ranges: bool = True

    @property
    def host(self) -> str:
        return urlsplit(self.address).netloc

    def put(self, data: bytes) -> dict[str, Any]:
        """Keep a blob and return its descriptor, without the media type."""
        self.blobs[digest_of(data)] = data
        return {"digest": digest_of(data), "size": len(data)}

    def put_document(self, kind: str, document: dict[str, Any]) -> dict[str, Any]:
        """Keep a manifest or index and return its descriptor."""
        data = json.dumps({"schemaVersion": 2, "mediaType": kind, **document}).encode()
        self.manifests[digest_of(data)] = (kind, data)
        return {"mediaType": kind, "digest": digest_of(data), "size": len(data)}

    def push(
        self, layers: Iterable[bytes], *, docker: bool = False, config: dict[str, Any] | None = None, **more: Any
    ) -> dict[str, Any]:
        """Keep an image of archives that are not compressed, and return the descriptor of its manifest."""
        layers = list(layers)
        kinds = ("config.v1+json", "layer.v1.tar+gzip", "manifest.v1+json")
        config_kind, layer_kind, manifest_kind = (f"{OCI}.{kind}" for kind in kinds)
        if docker:
            config_kind = f"{DOCKER}.container.image.v1+json"
            layer_kind = f"{DOCKER}.image.rootfs.diff.tar.gzip"
            manifest_kind = f"{DOCKER}.distribution.manifest.v2+json"
        diff_ids = [digest_of(layer) for layer in layers]
        described = {"os": "linux", "architecture": MACHINE, "rootfs": {"type": "layers", "diff_ids": diff_ids}}
        content = json.dumps(described | (config or {})).encode()
        packed = [self.put(gzip.compress(layer, mtime=0)) for layer in layers]
        document = {
            "config": {"mediaType": config_kind, **self.put(content)},
            "layers": [{"mediaType": layer_kind, **each} for each in packed],
        }
        return self.put_document(manifest_kind, document | more)

    def reference(self, descriptor: dict[str, Any], name: str = "team/image") -> str:
        return f"{self.host}/{name}@{descriptor['digest']}"


class _Handler(http.server.BaseHTTPRequestHandler):
    registry: ImageRegistry

    def log_message(self, *_arguments: object) -> None:
        pass

    def answer(self, status: int, data: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(data))} | headers).items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self) -> None:
        registry = self.registry
        given = self.headers.get("Authorization", "")
        if self.path.startswith("/token"):
            if given == BASIC:
                registry.tokens.append(parse_qs(urlsplit(self.path).query))
                self.answer(200, b'{"token": "a-token"}')
            else:
                self.answer(401)
            return
        registry.asked.append((self.path, self.headers.get("Range", ""), self.headers.get("Accept", "")))
        if registry.busy:
            registry.busy -= 1
            self.answer(503)
        elif registry.auth == "basic" and given != BASIC:
            self.answer(401, WWW_Authenticate='Basic realm="registry"')
        elif registry.auth == "bearer" and given != "Bearer a-token":
            realm = f'realm="{registry.address}/token",service="registry",scope="repository:team/image:pull"'
            self.answer(401, WWW_Authenticate=f"Bearer {realm}")
        else:
            self.document()

    def document(self) -> None:
        _, _, kind, digest = self.path.rsplit("/", 3)
        if kind == "manifests" and digest in self.registry.manifests:
            media_type, data = self.registry.manifests[digest]
            self.answer(200, data, Content_Type=media_type)
        elif kind == "blobs" and digest in self.registry.blobs:
            self.blob(self.registry.blobs[digest], self.registry.cut.pop(digest, 0))
        else:
            self.answer(404)

    def blob(self, data: bytes, cut: int) -> None:
        first = int(self.headers.get("Range", "bytes=0-")[6:-1]) if self.registry.ranges else 0
        if first >= len(data) > 0:
            self.answer(416)
            return
        partial = {"Content-Range": f"bytes {first}-{len(data) - 1}/{len(data)}"} if first else {}
        rest = data[first:]
        if cut:
            self.answer(206 if first else 200, rest[:cut], **{"Content-Length": str(len(rest))}, **partial)
            self.close_connection = True
        else:
            self.answer(206 if first else 200, rest, **partial)


@contextmanager
def image_registry() -> Iterator[ImageRegistry]:
    """Serve an empty registry on loopback."""
    registry = ImageRegistry()
    with serving(type("Handler", (_Handler,), {"registry": registry})) as address:
        registry.address = address
        yield registry
