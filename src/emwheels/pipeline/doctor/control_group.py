"""The control group that this process is in, and what it allows (cgroups(7))."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from emwheels.pipeline.doctor.model import gigabytes

if TYPE_CHECKING:
    from collections.abc import Iterator

_FILES = {2: {"memory": "memory.max", "pids": "pids.max"}, 1: {"memory": "memory.limit_in_bytes", "pids": "pids.max"}}
_NO_LIMIT = 1 << 60
"""Version 1 writes a number as high as this for no limit."""


@dataclass(frozen=True, kw_only=True)
class ControlGroup:
    """What the kernel holds this process and all that it starts to; None stands for no limit."""

    version: int
    """1 or 2; 0 where there is none."""
    delegated: bool = False
    """Whether this user may make groups below it that have limits of memory and processes."""
    memory: int | None = None
    """Bytes."""
    processes: int | None = None

    def in_words(self) -> str:
        """Return this in a few words."""
        if not self.version:
            return "no control group"
        most = [f"memory {gigabytes(self.memory)}"] if self.memory is not None else []
        most += [f"processes {self.processes}"] if self.processes is not None else []
        kind = f"control group version {self.version}, {'' if self.delegated else 'not '}delegated (none is needed)"
        return f"{kind}, with {' and '.join(most) or 'no limit'}"


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
    delegated = version == 2 and len(folders) == 2 and os.access(folder, os.W_OK)
    return ControlGroup(version=version, delegated=delegated, memory=found.get("memory"), processes=found.get("pids"))


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
