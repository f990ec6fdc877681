"""Commands that enter the image, and everything below them: started, waited for, and ended whole."""

from __future__ import annotations

import os
import signal
import subprocess
import time
import uuid
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence


@dataclass(frozen=True, kw_only=True)
class Completed:
    """What a command inside the image did."""

    argv: tuple[str, ...]
    status: int
    """Exit status; negative for a signal."""
    seconds: float
    timed_out: bool = False
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


class ContainerProcess(subprocess.Popen[bytes]):
    """An engine's ``run`` with pipes on stdin and stdout; killing it ends the container too."""

    def __init__(self, command: Sequence[str], *, stderr: IO[bytes] | int | None) -> None:
        named, self._container = _with_container_name(command)
        self._engine = command[0]
        super().__init__(named, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr, start_new_session=True)

    def kill(self) -> None:
        """Kill the client and remove the container."""
        super().kill()
        _remove_container(self._engine, self._container)


def run_and_wait(
    command: Sequence[str],
    *,
    argv: Sequence[str],
    env: Mapping[str, str] | None = None,
    output: IO[bytes] | None,
    seconds: float | None,
) -> Completed:
    """Run ``command`` in a session of its own; whatever ends the wait also ends everything below it.

    ``env`` is its whole environment; None: that of this process.
    """
    started = time.monotonic()
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=output if output is not None else subprocess.DEVNULL,
        stderr=subprocess.STDOUT,
        env=env,
        start_new_session=True,
    )
    timed_out = False
    try:
        pause = 0.002
        while True:
            pid, status, usage = os.wait4(process.pid, os.WNOHANG)
            if pid:
                break
            if seconds is not None and time.monotonic() - started > seconds and not timed_out:
                timed_out = True
                kill_session(process)
            time.sleep(pause)
            pause = min(pause * 1.5, 0.05)
    except BaseException:
        kill_session(process)
        process.wait()
        raise
    process.returncode = os.waitstatus_to_exitcode(status)
    return Completed(
        argv=tuple(argv),
        status=process.returncode,
        seconds=time.monotonic() - started,
        timed_out=timed_out,
        peak_kib=usage.ru_maxrss,
    )


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
    env: Mapping[str, str] | None = None,
    stderr: IO[bytes] | int | None,
) -> subprocess.Popen[bytes]:
    """Start ``command`` in a session of its own, with pipes on stdin and stdout; ``env`` as for `run_and_wait`."""
    if by_engine:
        return ContainerProcess(command, stderr=stderr)
    return subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr, env=env, start_new_session=True
    )
