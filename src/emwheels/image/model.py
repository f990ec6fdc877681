"""`Image`: the single doorway to compilers, interpreters and browsers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import nullcontext
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

from emwheels.errors import ImageError
from emwheels.image.processes import Completed, ended_with_client, run_and_wait, start_with_pipes

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
class Call:
    """A command that is to run inside, and what it may see."""

    argv: Sequence[str]
    mounts: Sequence[Mount]
    env: Mapping[str, str]
    """The whole environment."""
    cwd: str
    network: bool
    user: int | None = None
    """Its number as the command sees it; None: that of whoever runs this, or root."""


@dataclass(frozen=True, kw_only=True)
class Image(ABC):
    """A file system with compilers and browsers in it, and a way to run something there."""

    digest: str
    """What the image is, as ``sha256:…``; part of every build key."""
    environment: tuple[tuple[str, str], ...] = ()
    """What every command inside sees before its own ``env``."""

    @property
    @abstractmethod
    def by_engine(self) -> bool:
        """Whether a container engine enters it: its processes are no children of the command."""

    @property
    def takes_user(self) -> bool:
        """Whether a command can be another user; what it writes belongs to whoever runs this all the same."""
        return False

    @property
    @abstractmethod
    def outside(self) -> dict[str, str] | None:
        """The environment of the program that enters it, which a command inside may be able to read; None: all."""

    @abstractmethod
    def command(self, call: Call) -> list[str]:
        """Return the command line of the host that runs ``call`` inside."""

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
        user: int | None = None,
    ) -> Completed:
        """Run ``argv`` inside, with ``mounts`` and no other part of the host, and wait.

        The environment is ``env`` and nothing of the host's. Without ``network`` there is loopback only. The
        image's own files cannot be written; ``/tmp`` is fresh and goes away. Output goes to ``output``, else
        nowhere. After ``seconds`` everything below the command is killed. On an interrupt everything below
        the command is killed before the exception goes on. ``user`` is for an image that `takes_user`. Raises
        `ImageError` for a mount that does not exist.
        """
        command = self._entering(argv, mounts, env, cwd=cwd, network=network, user=user)
        with ended_with_client(command) if self.by_engine else nullcontext(command) as started:
            return run_and_wait(started, argv=argv, env=self.outside, output=output, seconds=seconds)

    def start(
        self,
        argv: Sequence[str],
        *,
        mounts: Sequence[Mount] = (),
        env: Mapping[str, str] | None = None,
        cwd: str = "/",
        network: bool = False,
        stderr: IO[bytes] | int | None = None,
        user: int | None = None,
    ) -> subprocess.Popen[bytes]:
        """Like `run`, but return at once with pipes on stdin and stdout. The caller ends it."""
        command = self._entering(argv, mounts, env, cwd=cwd, network=network, user=user)
        return start_with_pipes(command, by_engine=self.by_engine, env=self.outside, stderr=stderr)

    def _entering(
        self,
        argv: Sequence[str],
        mounts: Sequence[Mount],
        env: Mapping[str, str] | None,
        *,
        cwd: str,
        network: bool,
        user: int | None = None,
    ) -> list[str]:
        for mount in mounts:
            if not mount.host.exists():
                raise ImageError(f"cannot mount {mount.host} in the sandbox: it does not exist")
        variables = dict(self.environment) | dict(env or {})
        return self.command(Call(argv=argv, mounts=mounts, env=variables, cwd=cwd, network=network, user=user))
