"""Tasks in threads of this process, whose work is done by the processes that they start."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from concurrent.futures import Future
from typing import TYPE_CHECKING, Generic

import psutil

from emwheels.schedule.model import K, T

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from emwheels.schedule.model import Task

_SPARE = 0.9
"""The share of the memory that is free now which builds may fill."""
_PATIENCE = 15.0
"""Seconds that a task is given to end after its processes were killed."""


def available_cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0))


def available_memory() -> int:
    """Return the bytes of memory that builds may fill."""
    return int(psutil.virtual_memory().available * _SPARE)


class LocalExecutor(Generic[K, T]):
    """Calls ``work(identity, given)`` for each task in a thread of its own. See `emwheels.schedule.model.Executor`.

    The threads are daemons: one that is stuck does not keep the program from ending.
    """

    def __init__(
        self,
        work: Callable[[K, Mapping[K, T]], T],
        *,
        jobs: int,
        memory: int = 0,
        stopping: threading.Event | None = None,
    ) -> None:
        self.jobs = jobs
        self.memory = memory
        self.stopping = stopping or threading.Event()
        """Set when everything is to end; ``work`` looks at it before it starts something long."""
        self._work = work
        self._threads: set[threading.Thread] = set()

    def submit(self, task: Task[K], given: Mapping[K, T]) -> Future[T]:
        """Start ``task`` in a thread."""
        future: Future[T] = Future()

        def run() -> None:
            try:
                result = self._work(task.identity, given)
            except BaseException as error:  # noqa: BLE001  the waiting thread raises what is no Exception
                outcome: T | BaseException = error
            else:
                outcome = result
            self._threads.discard(threading.current_thread())
            if isinstance(outcome, BaseException):
                future.set_exception(outcome)
            else:
                future.set_result(outcome)

        thread = threading.Thread(target=run, name=str(task.identity), daemon=True)
        self._threads.add(thread)
        thread.start()
        return future

    def stop(self) -> None:
        """Kill what the tasks have started, again and again until all of them have ended."""
        self.stopping.set()
        deadline = time.monotonic() + _PATIENCE
        while True:
            kill_children()
            if not self._threads or time.monotonic() > deadline:
                return
            time.sleep(0.05)


def kill_children() -> None:
    """Kill every child of this process with its process group: each command is the leader of a group of its own."""
    own = os.getpgrp()
    for child in psutil.Process().children():
        with contextlib.suppress(ProcessLookupError):
            if os.getpgid(child.pid) == own:
                child.kill()
            else:
                os.killpg(os.getpgid(child.pid), signal.SIGKILL)
