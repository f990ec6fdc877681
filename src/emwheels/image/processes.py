"""Commands that enter the image, and everything below them: started, waited for, and ended whole."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import threading
import time
import uuid
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from emwheels.image.watch import limit_message

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from emwheels.image.watch import Watch

_TICK = 0.1
"""Seconds after which a limit is noticed that a command has reached which this process waits for."""
_PERIOD = 0.5
"""Seconds between two looks at a command that somebody else waits for."""


@dataclass(frozen=True, kw_only=True)
class Completed:
    """What a command inside the image did."""

    argv: tuple[str, ...]
    status: int
    """Exit status; negative for a signal."""
    seconds: float
    reached: str = ""
    """The limit at which it was ended, as `Limits` names it."""
    peak_kib: int = 0
    """Largest resident set of any one process below the command, in KiB (getrusage, RUSAGE_CHILDREN)."""


def _with_container_name(command: Sequence[str]) -> tuple[list[str], str]:
    """Return an engine's ``run`` with a name of its own for the container, and that name."""
    name = f"emwheels-{uuid.uuid4().hex}"
    at = command.index("run") + 1
    return [*command[:at], "--name", name, *command[at:]], name


def _remove_container(engine: str, name: str) -> None:
    subprocess.run([engine, "rm", "--force", name], capture_output=True, check=False)


@contextmanager
def ended_with_client(command: Sequence[str]) -> Iterator[list[str]]:
    """Give ``command``, an engine's ``run``, a container name; remove the container if the block did not end it.

    The container's processes are not children of the engine's client: killing that leaves them running.
    """
    named, name = _with_container_name(command)
    try:
        yield named
    finally:
        _remove_container(command[0], name)


class WatchedProcess(subprocess.Popen[bytes]):
    """A command with pipes on stdin and stdout, in a session of its own, ended where it reaches a limit."""

    reached = ""
    """The limit at which it was ended, as `Limits` names it."""
    reason = ""
    """The same in words."""

    def watch(self, watch: Watch) -> None:
        """Look at it from a thread until it ends."""
        end_first(self.pid)
        threading.Thread(target=self._look, args=(watch,), name=f"watch-{self.pid}", daemon=True).start()

    def _look(self, watch: Watch) -> None:
        while self.poll() is None:
            if reached := watch.reached(self.pid):
                self.reached, self.reason = reached, limit_message(reached, watch.limits)
                kill_session(self)
                self.kill()
                return
            time.sleep(_PERIOD)


class ContainerProcess(WatchedProcess):
    """An engine's ``run``; killing it ends the container too."""

    def __init__(self, command: Sequence[str], **options: Any) -> None:
        named, self._container = _with_container_name(command)
        self._engine = command[0]
        super().__init__(named, **options)

    def kill(self) -> None:
        """Kill the client and remove the container."""
        super().kill()
        _remove_container(self._engine, self._container)


def run_and_wait(
    command: Sequence[str],
    *,
    argv: Sequence[str],
    watch: Watch,
    env: Mapping[str, str] | None = None,
    descriptors: Sequence[int] = (),
) -> Completed:
    """Run ``command`` in a session of its own; whatever ends the wait also ends everything below it.

    Output goes to that of ``watch``, else nowhere; a limit that it sees reached ends the command. ``env`` is the whole
    environment; None: that of this process. ``descriptors`` are open in the command.
    """
    started = time.monotonic()
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=watch.output if watch.output is not None else subprocess.DEVNULL,
        stderr=subprocess.STDOUT,
        env=env,
        start_new_session=True,
        pass_fds=descriptors,
    )
    reached = ""
    try:
        end_first(process.pid)
        with _told_at_its_end(process.pid) as end:
            while not end.poll(_TICK * 1000):
                if not reached and (reached := watch.reached(process.pid)):
                    kill_session(process)
        _, status, usage = os.wait4(process.pid, 0)
        reached = reached or watch.held_by_kernel()
    except BaseException:
        kill_session(process)
        process.wait()
        raise
    process.returncode = os.waitstatus_to_exitcode(status)
    return Completed(
        argv=tuple(argv),
        status=process.returncode or (-signal.SIGKILL if reached else 0),
        seconds=time.monotonic() - started,
        reached=reached,
        peak_kib=usage.ru_maxrss,
    )


@contextmanager
def _told_at_its_end(pid: int) -> Iterator[select.poll]:
    """Give what can be waited for until ``pid`` has ended (pidfd_open(2))."""
    descriptor = os.pidfd_open(pid)
    end = select.poll()
    end.register(descriptor, select.POLLIN)
    try:
        yield end
    finally:
        os.close(descriptor)


def end_first(pid: int) -> None:
    """Have the kernel end ``pid`` and what it starts first when memory runs out (proc_pid_oom_adj(5))."""
    with suppress(OSError):
        Path("/proc", str(pid), "oom_score_adj").write_text("1000")


def kill_session(process: subprocess.Popen[bytes]) -> None:
    """Kill ``process`` and its session; a process namespace below it goes with it."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def start_with_pipes(
    command: Sequence[str],
    *,
    by_engine: bool,
    watch: Watch,
    env: Mapping[str, str] | None = None,
    stderr: IO[bytes] | int | None,
    descriptors: Sequence[int] = (),
) -> WatchedProcess:
    """Start ``command`` in a session of its own, with pipes on stdin and stdout; the rest as for `run_and_wait`."""
    kind = ContainerProcess if by_engine else WatchedProcess
    process = kind(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=stderr,
        env=env,
        start_new_session=True,
        pass_fds=descriptors,
    )
    process.watch(watch)
    return process
