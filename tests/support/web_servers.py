"""nginx and Caddy of the service image, run on loopback as whoever runs the tests, on what is written for them."""

from __future__ import annotations

import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
from loopback import free_port

from emwheels.image.model import Mount
from emwheels.serve import configuration

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator

    from emwheels.image.model import Image

SITE = "/mnt/site"
CONFIGURATION = "/mnt/configuration"
NGINX = """\
user root root;
daemon off;
master_process off;
pid /tmp/nginx.pid;
error_log stderr warn;
events {{ worker_connections 512; }}
http {{
    access_log off;
    sendfile on;
    client_body_temp_path /tmp/body;
    proxy_temp_path /tmp/proxy;
    fastcgi_temp_path /tmp/fastcgi;
    uwsgi_temp_path /tmp/uwsgi;
    scgi_temp_path /tmp/scgi;
    default_type application/octet-stream;
    include {server};
}}
"""
"""What a Debian installation has around a server: nothing here but folders that an ordinary user may write."""


@contextmanager
def nginx(image: Image, site: Path, folder: Path, **options: Any) -> Iterator[str]:
    """Serve the folder ``site`` and give the address."""
    port = free_port()
    text = configuration("nginx", root=SITE, listen=f"127.0.0.1:{port}", **options)
    (folder / "server.conf").write_text(text)
    (folder / "nginx.conf").write_text(NGINX.format(server=f"{CONFIGURATION}/server.conf"))
    with _running(image, ["/usr/sbin/nginx", "-c", f"{CONFIGURATION}/nginx.conf"], site, folder, port) as address:
        yield address


@contextmanager
def caddy(image: Image, site: Path, folder: Path, **options: Any) -> Iterator[str]:
    """Serve the folder ``site`` and give the address."""
    port = free_port()
    text = configuration("caddy", root=SITE, listen=f"127.0.0.1:{port}", **options)
    # No administration port: two tests may run at once.
    (folder / "Caddyfile").write_text("{\n\tadmin off\n\tauto_https off\n}\n" + text)
    argv = ["/usr/bin/caddy", "run", "--adapter", "caddyfile", "--config", f"{CONFIGURATION}/Caddyfile"]
    with _running(image, argv, site, folder, port) as address:
        yield address


@contextmanager
def _running(image: Image, argv: list[str], site: Path, folder: Path, port: int) -> Iterator[str]:
    mounts = [Mount(host=Path(site), inside=SITE), Mount(host=Path(folder), inside=CONFIGURATION)]
    env = {"HOME": "/tmp", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "XDG_DATA_HOME": "/tmp", "XDG_CONFIG_HOME": "/tmp"}
    log = Path(folder) / "server.log"
    with log.open("wb") as stderr:
        process = image.start(argv, mounts=mounts, env=env, network=True, stderr=stderr)
        try:
            address = f"http://127.0.0.1:{port}"
            _wait(address, process, log)
            yield address
        finally:
            process.kill()
            process.communicate()


def _wait(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + 60
    with httpx.Client(trust_env=False) as client:
        while time.monotonic() < until:
            if process.poll() is not None:
                break
            try:
                client.get(f"{address}/")
            except httpx.TransportError:
                time.sleep(0.05)
            else:
                return
    raise AssertionError(f"the server did not come up: {log.read_text()}")


def run_inside(image: Image, argv: list[str], folder: Path, *, seconds: float = 60) -> tuple[int, str]:
    """Run a command on the files of ``folder`` and return its status and output."""
    output = Path(folder) / "output.txt"
    with output.open("wb") as stream:
        done = image.run(
            argv,
            mounts=[Mount(host=Path(folder), inside=CONFIGURATION)],
            env={"HOME": "/tmp", "PATH": "/usr/bin:/bin"},
            network=True,
            output=stream,
            seconds=seconds,
        )
    return done.status, output.read_text()
