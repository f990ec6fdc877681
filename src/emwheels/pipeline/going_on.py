"""While a package compiles: how far it is, on the board or, without a terminal, in a line from time to time."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from emwheels.build.steps import Before, Steps, compiled_in
from emwheels.errors import StoreError
from emwheels.pipeline.known import latest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from emwheels.pipeline.model import Run

_LIVE, _PLAIN = 1.0, 30.0
"""Seconds between two looks, on a terminal and elsewhere."""


@contextmanager
def going_on(run: Run, name: str, log: Path, phase: str) -> Iterator[None]:
    """Show how far the build of ``name`` is that writes ``log``, until the block ends."""
    board = run.environment.board
    ended = threading.Event()

    def watch() -> None:
        steps, started = Steps(log, _before(run, name)), time.monotonic()
        while not ended.wait(_LIVE if board.live else _PLAIN):
            steps.look()
            if words := steps.words(time.monotonic() - started):
                board.further(name, f"{phase} {words}")

    thread = threading.Thread(target=watch, name=f"going-on-{name}", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _before(run: Run, name: str) -> Before | None:
    """Return what the last build of ``name`` took, for this target and profile."""
    record = latest(run, name)
    try:
        seconds = float(record["output"]["seconds"]) if record else 0.0
        compiled = compiled_in(run.environment.store.get("logs", record["log"])) if record else 0
    except (KeyError, TypeError, ValueError, OSError, StoreError):
        return None
    return Before(seconds=seconds, compiled=compiled) if record else None
