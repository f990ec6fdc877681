"""What this machine needs to make an image, and the Debian mirror that it is configured for."""

from __future__ import annotations

import os
import shutil
import subprocess
from ctypes.util import find_library
from pathlib import Path
from typing import TYPE_CHECKING

from emwheels.errors import ImageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_HOST_TOOLS = {
    "mmdebstrap": "mmdebstrap",
    "bwrap": "bubblewrap",
    "dpkg-deb": "dpkg",
}


def missing_host_packages() -> list[str]:
    """Return the Debian packages that this machine lacks to make an image."""
    tools = _HOST_TOOLS if os.geteuid() == 0 else _HOST_TOOLS | {"newuidmap": "uidmap"}  # mmdebstrap --mode=unshare
    missing = [package for tool, package in tools.items() if not shutil.which(tool)]
    if not any(Path("/usr/share/keyrings").glob("debian-archive-keyring.*")):
        missing.append("debian-archive-keyring")
    if find_library("seccomp") is None:
        missing.append("libseccomp2")
    return missing


def require_host_tools(say: Callable[[str], None]) -> None:
    """Install what the host needs to make an image, as root; else raise `ImageError` with the line to run."""
    install_on_host(missing_host_packages(), say)


def can_install() -> bool:
    """Tell whether `install_on_host` can do anything: as root, on a machine with apt."""
    return os.geteuid() == 0 and shutil.which("apt-get") is not None


def install_on_host(packages: Sequence[str], say: Callable[[str], None]) -> None:
    """Install Debian packages on this machine, as root; else raise `ImageError` with the line to run."""
    if not packages:
        return
    named = ", ".join(packages)
    line = f"apt-get install -y --no-install-recommends {' '.join(packages)}"
    if not can_install():
        raise ImageError(f"this machine lacks {named}", hint=f"run as root: apt-get update && {line}")
    say(f"installing {named}")
    for command in ("apt-get update", line):
        done = subprocess.run(
            command.split(), env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"}, capture_output=True, check=False
        )
        if done.returncode:
            tail = "\n".join(done.stderr.decode(errors="replace").splitlines()[-5:])
            raise ImageError(f"{command} failed:\n{tail}", hint="mend the machine's apt configuration and run again")


def debian_mirror() -> str:
    """Return the Debian mirror of this machine's apt, or an empty string for mmdebstrap's own default.

    ``EMWHEELS_DEBIAN_MIRROR`` overrides it, which a machine that is not Debian may need.
    """
    if mirror := os.environ.get("EMWHEELS_DEBIAN_MIRROR"):
        return mirror
    if not shutil.which("apt-get"):
        return ""
    listed = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(REPO_URI) $(ORIGIN)", "Created-By: Packages"],
        capture_output=True,
        text=True,
        check=False,
    )
    for line in listed.stdout.splitlines():
        address, _, origin = line.partition(" ")
        if origin == "Debian" and "security" not in address:
            return address
    return ""
