"""Debian's docker-registry out of the service image, on a loopback port, with its storage in a folder."""

from __future__ import annotations

import base64
import contextlib
import http.server
import json
import socket
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from loopback import free_port, serving

from emwheels.image.model import Mount

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator
    from pathlib import Path

    from emwheels.image.model import Image

HTPASSWD = "builder:$2b$05$Mqzfq10EHgvn.EhLPIUaUuviM632qzlWXR9bBvjg/S7N3sv5d9Tsu\n"
"""bcrypt of PASSWORD, with the fewest rounds."""
USER, PASSWORD = "builder", "correct-horse"


@dataclass
class LocalRegistry:
    """A registry that can be killed and started again on the same port, with the same storage."""

    image: Image
    folder: Path
    auth: dict[str, Any] = field(default_factory=dict)
    port: int = field(default_factory=free_port)
    _process: subprocess.Popen[bytes] | None = None

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return f"oci://{self.host}/team/builds"

    def start(self) -> LocalRegistry:
        (self.folder / "storage").mkdir(parents=True, exist_ok=True)
        (self.folder / "htpasswd").write_text(HTPASSWD)
        configuration = {
            "version": 0.1,
            "log": {"level": "error", "accesslog": {"disabled": True}},
            "storage": {"filesystem": {"rootdirectory": "/mnt/registry/storage"}},
            "http": {"addr": self.host},
            "auth": self.auth,
        }
        (self.folder / "config.yml").write_text(json.dumps(configuration))  # JSON is YAML
        with (self.folder / "registry.log").open("ab") as log:
            self._process = self.image.start(
                ["docker-registry", "serve", "/mnt/registry/config.yml"],
                mounts=[Mount(host=self.folder, inside="/mnt/registry", writable=True)],
                env={"OTEL_TRACES_EXPORTER": "none"},
                network=True,
                stderr=log,
            )
        for _ in range(300):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
                return self
            if self._process.poll() is not None:
                break
            time.sleep(0.05)
        raise AssertionError(f"the registry did not start: {(self.folder / 'registry.log').read_text()[-2000:]}")

    def kill(self) -> None:
        """End it by SIGKILL, as a crash would."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None
        for _ in range(200):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
                time.sleep(0.02)
                continue
            return

    def blob(self, sha256: str) -> Path:
        """Return the file in which the registry keeps a blob."""
        return self.folder / "storage/docker/registry/v2/blobs/sha256" / sha256[:2] / sha256 / "data"

    def tags(self) -> list[str]:
        """Return the keys of the builds it has."""
        return sorted(path.name for path in self.folder.glob("storage/**/_manifests/tags/*"))


@contextlib.contextmanager
def token_server() -> Iterator[tuple[str, list[dict[str, list[str]]]]]:
    """A token server as registries use: its address, and the query of each request that had the right password."""
    asked: list[dict[str, list[str]]] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def log_message(self, *_arguments: object) -> None:
            pass

        def do_GET(self) -> None:
            wanted = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
            if self.headers.get("Authorization") != f"Basic {wanted}":
                self.send_error(401)
                return
            asked.append(parse_qs(urlsplit(self.path).query))
            content = json.dumps({"token": "a-token"}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    with serving(Handler) as address:
        yield f"{address}/token", asked
