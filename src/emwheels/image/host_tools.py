"""What this machine needs to make an image, and the Debian mirror that it is configured for."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import tempfile
import threading
from ctypes.util import find_library
from pathlib import Path
from typing import IO, TYPE_CHECKING

from emwheels.errors import ImageError, StoppedError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_INSTALLING = threading.Lock()
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
    with _INSTALLING:  # two images may be made at the same time, and apt works for one
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


def default_mirror(suite: str) -> str:
    """Return the mirror that mmdebstrap takes where this machine names none, or an empty string."""
    if not shutil.which("mmdebstrap"):
        return ""
    listed = '--setup-hook=cat "$1/etc/apt/sources.list" >&2; exit 1'
    command = ["mmdebstrap", "--mode=chrootless", "--variant=custom", listed, suite, os.devnull]
    with tempfile.TemporaryFile() as output:
        run_to_end(command, output, seconds=60)
        output.seek(0)
        said = output.read().decode(errors="replace")
    found = re.search(r"(?m)^deb\s+(?:\[[^]]*\]\s+)?(\S+)", said)
    return found[1] if found else ""


def run_to_end(
    command: Sequence[str],
    output: IO[bytes],
    *,
    seconds: float | None = None,
    stopping: threading.Event | None = None,
) -> int:
    """Run a program of the host and return its exit status; it is asked to end, and waited for, where this ends early.

    mmdebstrap unmounts and removes then what it made. A program that takes longer than ``seconds`` is ended as well. So
    is one in a thread when ``stopping`` is set: `StoppedError` is raised then.
    """
    process = subprocess.Popen(
        command,
        executable=shutil.which(command[0]),
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        env=os.environ | {"PATH": os.pathsep.join([_SYSTEM, *os.get_exec_path()])},
    )
    try:
        return process.wait(seconds) if stopping is None else _wait(process, stopping)
    except BaseException as error:
        process.terminate()
        try:
            process.wait(_TO_CLEAN_UP)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        if isinstance(error, subprocess.TimeoutExpired):
            return process.returncode or 1
        raise


def _wait(process: subprocess.Popen[bytes], stopping: threading.Event) -> int:
    while process.poll() is None:
        if stopping.wait(0.2):
            raise StoppedError
    return process.returncode


KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
"""The keys of Debian's archive (package debian-archive-keyring)."""
APT_HELPER = "/usr/lib/apt/apt-helper"
"""The program of apt that downloads a file."""
_SYSTEM = "/usr/sbin:/usr/bin:/sbin:/bin"
"""Debian's programs first: mmdebstrap starts Python for each package, and a user's own may take half a second."""

_TO_CLEAN_UP = 20
"""Seconds that a program has to clean up after it was asked to end."""
