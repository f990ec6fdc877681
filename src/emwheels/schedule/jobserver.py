"""The cores of this machine shared by all builds that run: a GNU make jobserver in a named pipe."""

from __future__ import annotations

import os
import shutil
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_PIPE = "jobs"


class JobServer:
    """One token for each core, in ``folder/jobs``, which is seen in the builds at ``inside``.

    GNU make 4.4 and Ninja 1.13 speak this protocol (GNU make manual, "POSIX Jobserver Interaction"): each starts with
    one job that is its own and takes a token for each further one. A build holds a token as its own job, so that the
    jobs of all builds together are never more than the cores.
    """

    def __init__(self, folder: Path, *, cores: int, inside: str) -> None:
        self.folder = folder
        self.cores = cores
        self.inside = inside
        self._lock = threading.Lock()
        self._builds = 0
        shutil.rmtree(folder, ignore_errors=True)  # of a process that was killed and had the number of this one
        folder.mkdir(parents=True)
        os.mkfifo(folder / _PIPE)
        # Open at both ends, so that no build finds the pipe without a reader or a writer.
        self._descriptor = os.open(folder / _PIPE, os.O_RDWR)
        os.write(self._descriptor, b"+" * cores)

    @contextmanager
    def build(self) -> Iterator[dict[str, str]]:
        """Hold a token, waiting for one if need be, and give the variables that make and Ninja read."""
        with self._lock:
            self._builds += 1
        token = os.read(self._descriptor, 1)
        try:
            yield {"MAKEFLAGS": f"-j{self.cores} --jobserver-auth=fifo:{self.inside}/{_PIPE}"}
        finally:
            os.write(self._descriptor, token)
            with self._lock:
                self._builds -= 1
                if self._builds == 0:
                    self._refill()

    def _refill(self) -> None:
        """Put back what processes that were killed took with them: nobody has a token now."""
        os.set_blocking(self._descriptor, False)
        try:
            while os.read(self._descriptor, 4096):
                pass
        except BlockingIOError:
            pass
        finally:
            os.set_blocking(self._descriptor, True)
        os.write(self._descriptor, b"+" * self.cores)

    def close(self) -> None:
        """Remove the folder with the pipe."""
        os.close(self._descriptor)
        shutil.rmtree(self.folder, ignore_errors=True)
