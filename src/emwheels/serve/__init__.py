"""dist/ over HTTP: the built-in server, and the same rules as configuration for nginx, Caddy and static hosts.

The built-in server is for trying things out and for an intranet; it is not hardened for the open internet.
"""

from __future__ import annotations

import errno
import socket
from typing import TYPE_CHECKING

import uvicorn

from emwheels.errors import EmwheelsError, UsageError
from emwheels.serve.app import application
from emwheels.serve.config import CONFIGURATIONS, configuration
from emwheels.serve.patience import PatientProtocol

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["CONFIGURATIONS", "application", "configuration", "serve"]

BACKLOG = 2048


def serve(
    root: Path,
    *,
    host: str,
    port: int,
    isolated: bool = False,
    access_log: bool = True,
    ready: Callable[[str], None] | None = None,
) -> None:
    """Serve ``root`` until a signal stops it. ``port`` 0 takes a free one; ``ready`` gets the address.

    Raises `UsageError` where there is no such folder, `EmwheelsError` where the address cannot be had.
    """
    if not root.is_dir():
        raise UsageError(f"there is no folder {root}", hint="build something first: emwheels build NAME")
    config = uvicorn.Config(
        application(root, isolated=isolated),
        lifespan="off",
        ws="none",
        loop="uvloop",
        http=PatientProtocol,
        log_level="info" if access_log else "warning",
        access_log=access_log,
        server_header=False,
        timeout_graceful_shutdown=2,
    )
    with _listen(host, port) as listener:
        if ready:
            bound, taken = listener.getsockname()[:2]
            ready(f"http://[{bound}]:{taken}" if ":" in bound else f"http://{bound}:{taken}")
        uvicorn.Server(config).run(sockets=[listener])


def _listen(host: str, port: int) -> socket.socket:
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except (OSError, OverflowError) as error:
        busy = isinstance(error, OSError) and error.errno == errno.EADDRINUSE
        hint = "another program listens there; take another with --port" if busy else ""
        raise EmwheelsError(f"{host}:{port} cannot be listened on: {error}", hint=hint) from error
