"""The cores of this machine shared by all builds that run: a GNU make jobserver in a named pipe for each."""

from __future__ import annotations

import fcntl
import os
import shutil
import struct
import termios
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_PERIOD = 0.02
"""Seconds between two looks at the pipes."""
_PATIENCE = 120
"""Seconds that a build waits for a job to be free, which a build that holds on to all of them cannot prolong."""


@dataclass(eq=False)
class _Share:
    """The pipe of one build. What stands in it beyond what it was given is the build's own doing, and is taken out."""

    pipe: Path
    descriptor: int = field(init=False)
    given: int = 0
    """Tokens that were put in and not taken back: those in the pipe and those that the build's programs hold."""

    def __post_init__(self) -> None:
        os.mkfifo(self.pipe)
        # Open at both ends, so that no build finds the pipe without a reader or a writer; nothing here waits for it.
        self.descriptor = os.open(self.pipe, os.O_RDWR | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)

    def free(self) -> int:
        """Return the tokens in the pipe, after taking out those that were never given."""
        waiting = self._waiting()
        if waiting > self.given:
            self._take(waiting - self.given)
            waiting = min(self._waiting(), self.given)
        return waiting

    def give(self, count: int) -> None:
        """Put tokens in."""
        if count > 0:
            with suppress(BlockingIOError):
                self.given += os.write(self.descriptor, b"+" * count)

    def take_back(self, count: int) -> None:
        """Take tokens out that nobody holds."""
        self.given -= min(self._take(count), self.given)

    def _waiting(self) -> int:
        return int(struct.unpack("i", fcntl.ioctl(self.descriptor, termios.FIONREAD, b"\0" * 4))[0])

    def _take(self, count: int) -> int:
        try:
            return len(os.read(self.descriptor, count)) if count > 0 else 0
        except BlockingIOError:
            return 0

    def close(self) -> None:
        """Remove the pipe."""
        os.close(self.descriptor)
        self.pipe.unlink(missing_ok=True)


class JobServer:
    """Shares ``cores`` between builds, each of which sees a pipe of its own as the file ``inside``.

    GNU make 4.4 and Ninja 1.13 speak this protocol (GNU make manual, "POSIX Jobserver Interaction"): each starts with
    one job that is its own and takes a token for each further one. A build is one job, and the tokens in all pipes are
    what is left of the cores. A build can lay out its pipe as it likes: no other build sees that, nobody waits for it,
    and its tokens are free again when it ends.
    """

    def __init__(self, folder: Path, *, cores: int, inside: str) -> None:
        self.folder = folder
        self.cores = cores
        self.inside = inside
        self._changed = threading.Condition()
        self._shares: list[_Share] = []
        self._waiting = 0
        self._count = 0
        self._closed = False
        shutil.rmtree(folder, ignore_errors=True)  # of a process that was killed and had the number of this one
        folder.mkdir(parents=True)
        self._thread = threading.Thread(target=self._balance_always, name="jobserver", daemon=True)
        self._thread.start()

    @contextmanager
    def build(self) -> Iterator[tuple[Path, dict[str, str]]]:
        """Be one of the jobs, waiting if need be; give the pipe and the variables that make reads."""
        with self._changed:
            self._wait_for_job()
            self._count += 1
            share = _Share(self.folder / f"build-{self._count}")
            self._shares.append(share)
            self._balance()
            self._changed.notify_all()
        try:
            yield share.pipe, {"MAKEFLAGS": f"-j{self.cores} --jobserver-auth=fifo:{self.inside}"}
        finally:
            with self._changed:
                self._shares.remove(share)
                share.close()
                self._balance()
                self._changed.notify_all()

    def _wait_for_job(self) -> None:
        self._waiting += 1
        until = time.monotonic() + _PATIENCE
        try:
            while self._shares and self._balance() < 0 and time.monotonic() < until:
                self._changed.wait(_PERIOD)
        finally:
            self._waiting -= 1

    def _balance_always(self) -> None:
        with self._changed:
            while not self._closed:
                self._balance()
                self._changed.wait(_PERIOD if self._shares else None)

    def _balance(self) -> int:
        """Spread the tokens that nobody holds evenly over the pipes, and have no more than the cores allow.

        Returns how many these are; less than 0 where more is running, or waiting to run, than there are cores.
        """
        if not self._shares:
            return 0
        free = {share: share.free() for share in self._shares}
        held = sum(share.given - free[share] for share in self._shares)
        left = self.cores - len(self._shares) - self._waiting - held
        each, more = divmod(max(0, left), len(self._shares))
        for number, share in enumerate(self._shares):
            target = each + (number < more)
            if free[share] > target:
                share.take_back(free[share] - target)
            else:
                share.give(target - free[share])
        return left

    def close(self) -> None:
        """End the sharing and remove the folder."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._thread.join()
        shutil.rmtree(self.folder, ignore_errors=True)
