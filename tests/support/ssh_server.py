"""sshd and rsync of the service image on a loopback port, and how this machine's rsync gets there."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from loopback import free_port

from emwheels.image.model import Mount

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from emwheels.image.model import Image

USER = "publisher"
ROOT = "/mnt/www"
"""The published folder, as the server sees it."""
_CONFIGURATION = """\
ListenAddress 127.0.0.1:{port}
HostKey /mnt/ssh/host
AuthorizedKeysFile /mnt/ssh/authorized_keys
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
"""


@contextmanager
def ssh_server(image: Image, folder: Path, www: Path) -> Iterator[str]:
    """Let `USER` log in with a key of this server's own and write to ``www``; give what RSYNC_RSH has to be.

    sshd runs as an ordinary user: it has one account to offer and needs no other.
    """
    for name in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name], check=True)
    shutil.copyfile(folder / "user.pub", folder / "authorized_keys")
    (folder / "passwd").write_text(f"root:x:0:0::/root:/bin/sh\n{USER}:x:1000:1000::/tmp:/bin/sh\n")
    port = free_port()
    (folder / "sshd_config").write_text(_CONFIGURATION.format(port=port))
    log = folder / "log"
    with log.open("wb") as stderr:
        process = image.start(
            ["/usr/sbin/sshd", "-D", "-e", "-f", "/mnt/ssh/sshd_config"],
            mounts=[
                Mount(host=folder, inside="/mnt/ssh", writable=True),  # so that its user can read the keys
                Mount(host=folder / "passwd", inside="/etc/passwd"),
                Mount(host=www, inside=ROOT, writable=True),
            ],
            env={"PATH": "/usr/bin:/bin"},
            network=True,
            stderr=stderr,
            user=1000,
        )
        try:
            for _ in range(200):
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", port)) == 0:
                        break
                assert process.poll() is None, log.read_text()
                time.sleep(0.05)
            else:
                raise AssertionError(f"sshd does not listen: {log.read_text()}")
            known = "-o UserKnownHostsFile=/dev/null -o StrictHostKeyChecking=no -o LogLevel=ERROR -o BatchMode=yes"
            yield f"ssh -F none -p {port} -i {folder}/user {known}"
        finally:
            process.kill()
            process.communicate()
