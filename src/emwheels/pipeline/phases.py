"""What every phase of a package's way has: a place, a clock, nobody else at it, and an end when the run is stopped."""

from __future__ import annotations

import os
import re
import shutil
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from emwheels.errors import StoppedError
from emwheels.image.removal import remove_tree

if TYPE_CHECKING:
    from collections.abc import Iterator

    from emwheels.pipeline.model import Outcome, Run
    from emwheels.plan.key import BuildKey


@contextmanager
def timed(run: Run, outcome: Outcome, phase: str) -> Iterator[None]:
    """Show a phase and note its wall time in ``outcome``. Raises `StoppedError` instead of starting a late one."""
    if run.stopping.is_set():
        raise StoppedError
    started = time.monotonic()
    try:
        with run.environment.board.phase(outcome.name, phase):
            yield
    finally:
        outcome.phases[phase] = round(time.monotonic() - started, 3)


@contextmanager
def alone(run: Run, name: str, key: BuildKey) -> Iterator[None]:
    """Let no other thread or process build the same key until the block ends."""
    folder = run.environment.project.cache / "locks"
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / f"build-{key.digest[:32]}.lock")
    told = False
    while True:
        if run.stopping.is_set():
            raise StoppedError
        try:
            lock.acquire(timeout=0.5)
            break
        except Timeout:
            if not told:
                run.environment.board.say(name, "another run is building this; waiting for it")
                told = True
    try:
        yield
    finally:
        lock.release()


@contextmanager
def work_folder(cache: Path, name: str) -> Iterator[Path]:
    """Give a build a folder of its own; its name tells which process it belongs to."""
    work = cache / "work" / f"{name}-{os.getpid()}"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    try:
        yield work
    finally:
        remove_tree(work)


def remove_stale_work(folder: Path) -> None:
    """Remove the folders of builds whose process is gone."""
    for path in folder.glob("*-*"):
        match = re.fullmatch(r".*-(\d+)", path.name)
        if match and not Path(f"/proc/{match[1]}").exists():
            remove_tree(path)
