"""Control groups (cgroups(7)): the one that this process is in, and one of its own for a command in the sandbox."""

from __future__ import annotations

import itertools
import os
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from emwheels.target.limits import Limits

_FILES = {2: {"memory": "memory.max", "pids": "pids.max"}, 1: {"memory": "memory.limit_in_bytes", "pids": "pids.max"}}
_NO_LIMIT = 1 << 60
"""Version 1 writes a number as high as this for no limit."""


@dataclass(frozen=True, kw_only=True)
class ControlGroup:
    """What the kernel holds this process and all that it starts to; None stands for no limit."""

    version: int
    """1 or 2; 0 where there is none."""
    delegated: bool = False
    """Whether each command of the sandbox gets a group of its own, with its limits of memory or processes."""
    memory: int | None = None
    """Bytes."""
    processes: int | None = None


@dataclass(frozen=True, kw_only=True)
class _Mounted:
    """A hierarchy: where it is mounted, and which part of it."""

    version: int
    root: str
    point: Path
    controllers: tuple[str, ...]


def read_control_group(process: Path = Path("/proc/self")) -> ControlGroup:
    """Return the control group of a process, read from its folder in /proc."""
    try:
        hierarchies = list(_hierarchies(process / "mountinfo"))
        own = dict(_own(process / "cgroup"))
    except (OSError, ValueError):
        return ControlGroup(version=0)
    found: dict[str, int | None] = {}
    folders = {}
    for name in ("memory", "pids"):
        mounted = next((each for each in hierarchies if name in each.controllers), None)
        if mounted is None:
            continue
        folder = _folder(mounted, own.get("" if mounted.version == 2 else name, "/"))
        folders[name] = (mounted.version, folder)
        found[name] = _least(folder, mounted.point, _FILES[mounted.version][name])
    if not folders:
        return ControlGroup(version=0)
    version, folder = next(iter(folders.values()))
    delegated = next(_delegated(process), None) is not None
    return ControlGroup(version=version, delegated=delegated, memory=found.get("memory"), processes=found.get("pids"))


_SET = {"memory": ("memory", "memory.max"), "processes": ("pids", "pids.max")}
"""Limit -> the controller that holds it, and its file."""
_EVENTS = {"memory": ("memory.events", "oom_kill"), "processes": ("pids.events", "max")}
"""Limit -> the file that counts how often the kernel held it, and the line (cgroup-v2.rst of Linux)."""
_ENTER = 'echo $$ > "$0" && exec "$@"'
_TO_END = 5.0
"""Seconds that the processes of a group may take to be gone once they are killed."""
_numbers = itertools.count()


@dataclass(frozen=True, kw_only=True)
class OwnGroup:
    """A control group of one command and everything below it."""

    folder: Path
    held: tuple[str, ...]
    """The limits that the kernel holds, as `Limits` names them."""

    def entered(self, command: Sequence[str]) -> list[str]:
        """Return the command line by which ``command`` is in the group from its first moment on."""
        return ["/bin/sh", "-c", _ENTER, str(self.folder / "cgroup.procs"), *command]

    def reached(self) -> str:
        """Return the name of the limit that the kernel had to hold; an empty text for none."""
        for name in self.held:
            file, line = _EVENTS[name]
            with suppress(OSError, ValueError):
                counts = dict(each.split() for each in (self.folder / file).read_text().splitlines())
                if int(counts.get(line, 0)):
                    return name
        return ""

    def remove(self) -> None:
        """Kill what is left in it, and remove it."""
        with suppress(OSError), (self.folder / "cgroup.kill").open("r+") as file:
            file.write("1")
        end = time.monotonic() + _TO_END
        while time.monotonic() < end:
            try:
                self.folder.rmdir()
            except FileNotFoundError:
                return
            except OSError:
                time.sleep(0.02)
            else:
                return


@contextmanager
def own_group(limits: Limits, process: Path = Path("/proc/self")) -> Iterator[OwnGroup | None]:
    """Make a group with those of ``limits`` that the kernel can hold here; None where this user has no delegation.

    The group is removed afterwards, with everything that is still in it.
    """
    group = next((made for parent in _delegated(process) if (made := _made(parent, limits)) is not None), None)
    try:
        yield group
    finally:
        if group is not None:
            group.remove()


def _made(parent: Path, limits: Limits) -> OwnGroup | None:
    folder = parent / f"emwheels-{os.getpid()}-{next(_numbers)}"
    try:
        folder.mkdir()
    except OSError:
        return None
    held = []
    for name, (_, file) in _SET.items():
        value = getattr(limits, name)
        with suppress(OSError):
            if value:
                (folder / file).write_text(str(value))
                held.append(name)
    if "memory" in held:
        for file, text in (("memory.swap.max", "0"), ("memory.oom.group", "1")):
            with suppress(OSError):
                (folder / file).write_text(text)
    return OwnGroup(folder=folder, held=tuple(held))


def _delegated(process: Path) -> Iterator[Path]:
    """Yield the groups of version 2 in which this user may make others that have limits, the nearest first.

    A group that has processes has no others with limits (the rule of no internal processes), so that it is rather
    the one above, if a service manager has left that to this user.
    """
    try:
        mounted = next(each for each in _hierarchies(process / "mountinfo") if each.version == 2)
        own = dict(_own(process / "cgroup"))[""]
    except (OSError, ValueError, KeyError, StopIteration):
        return
    folder = _folder(mounted, own)
    for each in (folder, folder.parent):
        if each in (mounted.point, mounted.point.parent):
            return
        with suppress(OSError):
            enabled = set((each / "cgroup.subtree_control").read_text().split())
            if enabled & {"memory", "pids"} and _left_to_us(each, mounted.point):
                yield each


def _left_to_us(folder: Path, top: Path) -> bool:
    """Tell whether a group is this user's: by its owner; for root, by the mark of a service manager (systemd)."""
    if not os.access(folder / "cgroup.procs", os.W_OK) or not os.access(folder, os.W_OK):
        return False
    if os.geteuid():
        return folder.stat().st_uid == os.geteuid()
    while folder != top:
        for name in ("trusted.delegate", "user.delegate"):
            with suppress(OSError):
                if os.getxattr(folder, name) == b"1":
                    return True
        folder = folder.parent
    return False


def _hierarchies(mountinfo: Path) -> Iterator[_Mounted]:
    """Yield what is mounted, version 1 first: a controller that it has is not in version 2."""
    groups = []
    for line in mountinfo.read_text(encoding="utf-8", errors="surrogateescape").splitlines():
        place, _, kind = line.partition(" - ")
        fields, (system, _, options) = place.split(), (*kind.split(), "", "", "")[:3]
        point = Path(fields[4])
        if system == "cgroup":
            groups.append(_Mounted(version=1, root=fields[3], point=point, controllers=tuple(options.split(","))))
        elif system == "cgroup2":
            listed = point / "cgroup.controllers"
            names = tuple(listed.read_text().split()) if listed.is_file() else ()
            groups.append(_Mounted(version=2, root=fields[3], point=point, controllers=names))
    yield from sorted(groups, key=lambda each: each.version)


def _own(cgroup: Path) -> Iterator[tuple[str, str]]:
    """Yield each controller with the path of the process's group; version 2 has an empty name."""
    for line in cgroup.read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        yield from ((name, path) for name in controllers.split(","))


def _folder(mounted: _Mounted, path: str) -> Path:
    """Return the folder of a group, or of the whole hierarchy where the group is not to be seen."""
    inside = path.removeprefix(mounted.root.rstrip("/")).lstrip("/")
    folder = mounted.point / inside
    return folder if folder.is_dir() else mounted.point


def _least(folder: Path, top: Path, name: str) -> int | None:
    """Return the lowest limit from a group up to the top of what can be seen."""
    limits = []
    while True:
        try:
            text = (folder / name).read_text().strip()
        except OSError:
            text = "max"
        if text.isdecimal() and int(text) < _NO_LIMIT:
            limits.append(int(text))
        if folder in (top, folder.parent):
            return min(limits, default=None)
        folder = folder.parent
