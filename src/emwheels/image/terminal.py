"""A command inside the image at a terminal: one of its own, so that it never has that of whoever started it."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys
import termios
import time
import tty
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from emwheels.image.processes import Completed, end_first, kill_session

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from emwheels.image.watch import Watch

_PERIOD = 0.2
"""Seconds between two looks at what the command uses."""
_AT_ONCE = 1 << 16


def has_terminal() -> bool:
    """Tell whether this process has a person before it."""
    return sys.stdin.isatty() and sys.stdout.isatty()


def run_at_terminal(
    command: Sequence[str],
    *,
    argv: Sequence[str],
    watch: Watch,
    env: Mapping[str, str] | None,
    descriptors: Sequence[int],
) -> Completed:
    """Run ``command`` on a new terminal, what is typed and shown copied from and to this one, and wait.

    It is what `run_and_wait` is without a terminal: it ends whole, and at a limit that ``watch`` sees.
    """
    started = time.monotonic()
    ours, theirs = pty.openpty()
    _copy_size(ours)
    try:
        process = subprocess.Popen(
            command,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env=env,
            start_new_session=True,
            pass_fds=descriptors,
        )
    finally:
        os.close(theirs)
    try:
        end_first(process.pid)
        with _raw(ours):
            reached = _copy(process, ours, watch)
    finally:
        kill_session(process)
        process.wait()
        os.close(ours)
    seconds = time.monotonic() - started
    return Completed(argv=tuple(argv), status=process.returncode, seconds=seconds, reached=reached)


def _copy(process: subprocess.Popen[bytes], ours: int, watch: Watch) -> str:
    """Copy both ways until the command ends; return the limit at which it was ended, if it was."""
    typing, screen = sys.stdin.fileno(), sys.stdout.fileno()
    sources = [ours, typing]
    while True:
        ready, _, _ = select.select(sources, [], [], _PERIOD)
        if ours in ready:
            try:
                data = os.read(ours, _AT_ONCE)
            except OSError:  # EIO: nobody has the other end open any more
                data = b""
            if not data:
                process.wait()
                return ""
            _write(screen, data)
        if typing in ready:
            data = os.read(typing, _AT_ONCE)
            if data:
                _write(ours, data)
            else:
                sources.remove(typing)
        if not ready and process.poll() is not None:
            return ""
        if reached := watch.reached(process.pid):
            return reached


def _write(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]


@contextmanager
def _raw(ours: int) -> Iterator[None]:
    """Have this terminal hand everything on, Ctrl-C too, and tell the other one when its size changes."""
    typing = sys.stdin.fileno()
    before = termios.tcgetattr(typing)
    on_resize = signal.signal(signal.SIGWINCH, lambda *_: _copy_size(ours))
    try:
        tty.setraw(typing)
        yield
    finally:
        termios.tcsetattr(typing, termios.TCSADRAIN, before)
        signal.signal(signal.SIGWINCH, on_resize)


def _copy_size(ours: int) -> None:
    with suppress(OSError, termios.error):
        termios.tcsetwinsize(ours, termios.tcgetwinsize(sys.stdin.fileno()))
