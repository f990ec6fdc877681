"""The machine itself: versions, room on its disks, memory, clock, loopback."""

from __future__ import annotations

import os
import platform
import resource
import socket
import sys
import time
from typing import TYPE_CHECKING

import psutil

from emwheels import __version__
from emwheels.fetch.pip_configuration import output_of
from emwheels.pipeline.doctor.model import Observation, fault, gigabytes, observed
from emwheels.schedule.local import available_cores
from emwheels.target.limits import machine_memory, shown

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from emwheels.image.control_group import ControlGroup
    from emwheels.target.limits import Limits

_TRIED = "x86_64"
_ROOM = {"images": (2.5e9, 4e9), "builds": (0.2e9, 2e9), "files": (0.05e9, 0.5e9)}
"""What is written -> the bytes without which that fails, and those that are comfortable. See README.md for images."""
_INODES = {"images": (120_000, 200_000), "builds": (5_000, 50_000), "files": (1_000, 10_000)}
"""The same in files."""
_LITTLE_MEMORY = 4e9
_FEW_FILES = 4096
_PORT = 8000
"""Where `emwheels serve` listens if nobody says otherwise."""


def versions(root: Path) -> Iterator[Observation]:
    """Yield what a report of a defect starts with."""
    revision = output_of(["git", "-C", str(root), "describe", "--always", "--dirty"])
    yield observed("emwheels", f"{__version__}, checkout {revision}" if revision else __version__)
    yield observed("Python", f"{platform.python_version()} at {sys.executable}")
    yield system(_distribution(), platform.system(), platform.release(), platform.machine())


def _distribution() -> str:
    try:
        return platform.freedesktop_os_release().get("PRETTY_NAME", "")
    except OSError:
        return ""


def system(distribution: str, kernel: str, release: str, processor: str) -> Observation:
    """Return which system this is: images are entered on Linux only, and only one processor was tried."""
    detail = ", ".join(filter(None, (distribution, f"{kernel} {release}", processor)))
    if kernel != "Linux":
        return fault("system", detail, "use Linux; a virtual machine or WSL 2 will do", stops=True)
    if processor != _TRIED:
        return fault("system", detail, f"only {_TRIED} has been tried: tell us how it goes")
    return observed("system", detail)


def room(name: str, folder: Path, use: str) -> Observation:
    """Return whether ``folder`` can be written, and has space and inodes for ``use``, a key of `_ROOM`."""
    place = next(each for each in (folder, *folder.parents) if each.exists())
    if not os.access(place, os.W_OK | os.X_OK):
        return fault(name, f"{folder} cannot be written", f"give yourself write permission on {place}", stops=True)
    status = os.statvfs(place)
    if status.f_flag & os.ST_NOEXEC and use == "images":
        return fault(name, f"{folder} is mounted noexec", "move the cache: set EMWHEELS_CACHE", stops=True)
    free = status.f_bavail * status.f_frsize
    inodes = status.f_favail if status.f_files else None  # btrfs and its like have as many as they need
    detail = f"{folder}: {gigabytes(free)} free" + ("" if inodes is None else f", {inodes:,} inodes free")
    wanted = zip(_ROOM[use], _INODES[use], strict=True)
    little, few = [free < space or (inodes is not None and inodes < files) for space, files in wanted]
    if few or little:
        hint = f"have {gigabytes(_ROOM[use][1])} and {_INODES[use][1]:,} inodes free"
        hint += ": emwheels cache gc --older-than 30d, or move it with EMWHEELS_CACHE" if name == "cache" else ""
        return fault(name, detail, hint, stops=little)
    return observed(name, detail)


def memory(limits: Limits, total: int, free: int, cores: int) -> Observation:
    """Return what memory and cores there are for builds."""
    most = shown("memory", limits.memory)
    detail = f"{cores} cores, {gigabytes(total)}, {gigabytes(free)} of it free; a build may use {most}"
    if total < _LITTLE_MEMORY:
        return fault("memory", detail, "build one package at a time: emwheels build NAME --jobs 1")
    return observed("memory", detail)


def this_memory(limits: Limits) -> Observation:
    """Return the same of this machine."""
    return memory(limits, machine_memory(), psutil.virtual_memory().available, available_cores())


def _words(group: ControlGroup) -> str:
    """Return a control group in a few words."""
    if not group.version:
        return "no control group"
    most = [f"memory {gigabytes(group.memory)}"] if group.memory is not None else []
    most += [f"processes {group.processes}"] if group.processes is not None else []
    kind = "delegated: each build gets its own" if group.delegated else "not delegated (none is needed)"
    return f"control group version {group.version}, {kind}, with {' and '.join(most) or 'no limit'}"


def limits_held(limits: Limits, group: ControlGroup) -> Observation:
    """Return who holds which limit of builds, and whether the control group around this process is narrower."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    files = limits.files if hard == resource.RLIM_INFINITY else min(limits.files, hard)
    detail = (
        f"processes {shown('processes', limits.processes)} and files {files} by prlimit; memory "
        f"{shown('memory', limits.memory)} and disk {shown('disk', limits.disk)} by emwheels; {_words(group)}"
    )
    for name, most in (("memory", group.memory), ("processes", group.processes)):
        limit = getattr(limits, name)
        if most is not None and (not limit or most < limit):
            lower = most * 9 // 10
            hint = f"tell builds of it: emwheels build NAME --limit {name}={shown(name, lower)}"
            return fault("limits", f"{detail}. Its {name} are below a build's limit", hint)
    if files < _FEW_FILES:
        return fault("limits", detail, f"raise the limit of open files (ulimit -n) to {_FEW_FILES} at least")
    return observed("limits", detail)


def clock(now: float, known: float) -> Observation:
    """Return whether the clock ``now`` is after ``known``, a moment that has been."""
    detail = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(now))
    if now < known - 86400:
        since = time.strftime("%Y-%m-%d", time.gmtime(known))
        detail = f"{detail}, and files here are of {since}"
        return fault("clock", detail, "set the clock: to it, certificates are not valid yet")
    return observed("clock", detail)


def loopback(port: int = _PORT) -> Observation:
    """Return whether a server can listen on loopback, at the port that `emwheels serve` takes and at any."""
    try:
        socket.create_server(("127.0.0.1", 0)).close()
    except OSError as error:
        return fault("loopback", f"nothing can listen on 127.0.0.1: {error.strerror}", "bring it up: ip link set lo up")
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError:
        return fault("loopback", f"port {port} is taken", "give another one: emwheels serve --port N")
    return observed("loopback", f"port {port} is free")


def tools(missing: list[str], *, needed: bool, installs: bool) -> Observation:
    """Return whether this machine has the programs that make an image; ``missing`` are Debian packages."""
    if not missing:
        return observed("tools", "what makes an image is installed")
    line = f"as root: apt-get update && apt-get install -y --no-install-recommends {' '.join(missing)}"
    hint = "the first run installs them" if installs else line
    return fault("tools", f"no {', '.join(missing)}", hint, stops=needed and not installs)
