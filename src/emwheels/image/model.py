"""`Image`: the single doorway to compilers, interpreters and browsers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Mapping, Sequence
    from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Mount:
    """A folder or file of the host, seen inside the image at ``inside``."""

    host: Path
    inside: str
    writable: bool = False


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


class Image(Protocol):
    """A file system with compilers and browsers in it, and a way to run something there."""

    @property
    def digest(self) -> str:
        """What the image is, as ``sha256:…``; part of every build key."""
        ...

    @property
    def environment(self) -> tuple[tuple[str, str], ...]:
        """What every command inside sees before its own ``env``."""
        ...

    def run(
        self,
        argv: Sequence[str],
        *,
        mounts: Sequence[Mount] = (),
        env: Mapping[str, str] | None = None,
        cwd: str = "/",
        network: bool = False,
        output: IO[bytes] | None = None,
        seconds: float | None = None,
    ) -> Completed:
        """Run ``argv`` inside, with ``mounts`` and no other part of the host, and wait.

        The environment is ``env`` and nothing of the host's. Without ``network`` there is loopback only. The
        image's own files cannot be written; ``/tmp`` is fresh and goes away. Output goes to ``output``, else
        nowhere. After ``seconds`` everything below the command is killed. On an interrupt everything below
        the command is killed before the exception goes on.
        """
        ...

    def start(
        self,
        argv: Sequence[str],
        *,
        mounts: Sequence[Mount] = (),
        env: Mapping[str, str] | None = None,
        cwd: str = "/",
        network: bool = False,
        stderr: IO[bytes] | int | None = None,
    ) -> subprocess.Popen[bytes]:
        """Like `run`, but return at once with pipes on stdin and stdout. The caller ends it."""
        ...
