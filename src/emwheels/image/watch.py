"""Limits that no kernel holds for everybody: seen from outside while a command runs.

A control group would hold memory and processes, where this user may make one; this works for each user and way in.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING

from emwheels.image.door import size_below
from emwheels.target.limits import WORDS, shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from emwheels.image.control_group import OwnGroup
    from emwheels.target.limits import Limits

_PERIOD = 0.5
"""Seconds between two looks."""
_PAGE = os.sysconf("SC_PAGE_SIZE")
_SLACK = 256 << 20
"""How much of the disk may go before it is counted what the command has written."""


@dataclass(kw_only=True)
class Watch:
    """Looks at one command and everything below it."""

    limits: Limits
    output: IO[bytes] | None = None
    folders: Sequence[Path] = ()
    """What the command may write."""
    group: OwnGroup | None = None
    """The command's control group, if it has one."""
    _started: float = field(default_factory=time.monotonic)
    _next: float = field(default_factory=lambda: time.monotonic() + _PERIOD)
    """When to look again: most commands are over before the first time."""
    _said: int = 0
    """Bytes of output at `_said_at`."""
    _said_at: float = field(default_factory=time.monotonic)
    _free: int = 0
    _before: int = -1

    def reached(self, pid: int) -> str:
        """Return the name of the limit that the command ``pid`` has reached; an empty text for none.

        Looks only every half second: at processes, memory, output, and at the disk once it has got fuller.
        """
        now = time.monotonic()
        if self.limits.time and now - self._started > self.limits.time:
            return "time"
        if now < self._next:
            return ""
        self._next = now + _PERIOD
        return self.held_by_kernel() or self._of_output(now) or self._of_processes(pid) or self._of_disk()

    def held_by_kernel(self) -> str:
        """Return the name of the limit at which the kernel ended something of the command, or refused it."""
        return self.group.reached() if self.group is not None else ""

    def _of_output(self, now: float) -> str:
        size = os.fstat(self.output.fileno()).st_size if self.output is not None else 0
        if size != self._said:
            self._said, self._said_at = size, now
        if self.limits.log and size > self.limits.log:
            return "log"
        return "idle" if self.limits.idle and self.output and now - self._said_at > self.limits.idle else ""

    def _of_processes(self, pid: int) -> str:
        everything = list(_below(pid))
        if self.limits.processes and sum(threads for _, threads in everything) >= self.limits.processes:
            return "processes"
        for count in (_resident, _proportional):
            if not self.limits.memory or sum(count(folder) for folder, _ in everything) <= self.limits.memory:
                return ""
        return "memory"

    def _of_disk(self) -> str:
        if not self.limits.disk or not self.folders:
            return ""
        free = min(_free(folder) for folder in self.folders)
        if self._before < 0:
            self._before, self._free = sum(map(size_below, self.folders)), free
        if self._free - free < min(_SLACK, self.limits.disk):
            return ""
        self._free = free
        return "disk" if sum(map(size_below, self.folders)) - self._before > self.limits.disk else ""


def limit_message(name: str, limits: Limits) -> str:
    """Return what to say of a command that has reached the limit ``name``, and how it is raised."""
    return (
        f"stopped at the limit `{name}`, {WORDS[name]}: {shown(name, getattr(limits, name))}. Raise it with "
        f"--limit {name}=VALUE, or with {name} under [limits] of targets.toml or extra.emwheels.limits of the recipe"
    )


def _free(folder: Path) -> int:
    status = os.statvfs(folder)
    return status.f_bavail * status.f_frsize


def _below(pid: int) -> Iterator[tuple[Path, int]]:
    """Yield the folder in /proc of ``pid`` and of everything below it, each with its number of threads.

    Reads only what belongs to these (proc_pid_task(5), ``children``), whatever else runs on the machine.
    """
    left = [str(pid)]
    while left:
        folder = Path("/proc", left.pop())
        try:
            threads = os.listdir(folder / "task")  # noqa: PTH208  (twice as fast)
            for thread in threads:
                left += (folder / "task" / thread / "children").read_text().split()
        except OSError:  # it has ended
            continue
        yield folder, len(threads)


def _resident(folder: Path) -> int:
    """Return the bytes of memory that a process has in use, shared ones included (statm of proc_pid_statm(5))."""
    try:
        return int((folder / "statm").read_text().split()[1]) * _PAGE
    except (OSError, IndexError):
        return 0


def _proportional(folder: Path) -> int:
    """Return the same with what is shared counted once among those who share it (proc_pid_smaps(5))."""
    try:
        lines = (folder / "smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))
