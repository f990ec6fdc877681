"""`Image`: the single doorway to compilers, interpreters and browsers."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from typing import IO, TYPE_CHECKING

from emwheels.errors import ImageError
from emwheels.image import identity
from emwheels.image.control_group import own_group
from emwheels.image.processes import Completed, WatchedProcess, ended_with_client, run_and_wait, start_with_pipes
from emwheels.image.seccomp import filter_descriptor
from emwheels.image.terminal import run_at_terminal
from emwheels.image.watch import Watch
from emwheels.target.limits import Limits, default_limits

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
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
    """Its number as the command sees it; None: `identity.USER`."""
    limits: Limits = field(default_factory=default_limits)
    filter: int | None = None
    """A descriptor to read the filter of system calls from."""
    users: int | None = None
    """A descriptor of the user namespace that the command goes to."""


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
    def leaves_root(self) -> bool:
        """Whether root's commands become another user of the host, to whom what they may write has to belong."""
        return identity.as_root()

    @property
    def filters_calls(self) -> bool:
        """Whether commands are handed a filter of system calls, and from root a user namespace; engines have theirs."""
        return False

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
        limits: Limits | None = None,
        seconds: float | None = None,
        user: int | None = None,
    ) -> Completed:
        """Run ``argv`` inside, with ``mounts`` and no other part of the host, and wait.

        The environment is ``env`` and nothing of the host's. Without ``network`` there is loopback only. The
        image's own files cannot be written; ``/tmp`` is fresh and goes away. Output goes to ``output``, else
        nowhere. At a limit (`default_limits`; ``seconds`` in place of its time), which the result names, everything
        below the command is killed. On an interrupt everything below it is killed before the exception goes on.
        ``user`` is for an image that `takes_user`. What is mounted writable belongs to that user afterwards. Raises
        `ImageError` for a mount that does not exist.
        """
        limits = _within(limits, seconds)
        folders = [mount.host for mount in mounts if mount.writable]
        call = self._call(argv, mounts, env, cwd=cwd, network=network, limits=limits, user=user)
        with (
            self._entering(call) as (command, descriptors),
            nullcontext() if self.by_engine else own_group(limits) as group,
            ended_with_client(command) if self.by_engine else nullcontext(command) as started,
        ):
            watch = Watch(limits=limits, output=output, folders=folders, group=group)
            entered = group.entered(started) if group is not None else started
            return run_and_wait(entered, argv=argv, env=self.outside, watch=watch, descriptors=descriptors)

    def start(
        self,
        argv: Sequence[str],
        *,
        mounts: Sequence[Mount] = (),
        env: Mapping[str, str] | None = None,
        cwd: str = "/",
        network: bool = False,
        stderr: IO[bytes] | int | None = None,
        limits: Limits | None = None,
        seconds: float | None = None,
        user: int | None = None,
    ) -> WatchedProcess:
        """Like `run`, but return at once with pipes on stdin and stdout. The caller ends it; a limit does, too."""
        limits = _within(limits, seconds)
        call = self._call(argv, mounts, env, cwd=cwd, network=network, limits=limits, user=user)
        watch = Watch(limits=call.limits, folders=[mount.host for mount in mounts if mount.writable])
        with self._entering(call) as (command, descriptors):
            return start_with_pipes(
                command,
                by_engine=self.by_engine,
                watch=watch,
                env=self.outside,
                stderr=stderr,
                descriptors=descriptors,
            )

    def attach(
        self,
        argv: Sequence[str],
        *,
        mounts: Sequence[Mount] = (),
        env: Mapping[str, str] | None = None,
        cwd: str = "/",
        limits: Limits | None = None,
    ) -> Completed:
        """Like `run`, without network, on a terminal of its own, which is copied to the one that this process has."""
        own = argv if self.by_engine else [*_TERMINAL_OF_ITS_OWN, *argv]
        call = self._call(own, mounts, env, cwd=cwd, network=False, limits=limits or default_limits(), user=None)
        watch = Watch(limits=call.limits, folders=[mount.host for mount in mounts if mount.writable])
        with self._entering(call) as (command, descriptors):
            if not self.by_engine:
                return run_at_terminal(command, argv=argv, env=self.outside, watch=watch, descriptors=descriptors)
            at = command.index("run") + 1
            with ended_with_client([*command[:at], "--tty", *command[at:]]) as started:
                return run_at_terminal(started, argv=argv, env=self.outside, watch=watch, descriptors=descriptors)

    def _call(
        self,
        argv: Sequence[str],
        mounts: Sequence[Mount],
        env: Mapping[str, str] | None,
        *,
        cwd: str,
        network: bool,
        limits: Limits,
        user: int | None,
    ) -> Call:
        for mount in mounts:
            if not mount.host.exists():
                raise ImageError(f"cannot mount {mount.host} in the sandbox: it does not exist")
        variables = dict(self.environment) | dict(env or {})
        return Call(argv=argv, mounts=mounts, env=variables, cwd=cwd, network=network, limits=limits, user=user)

    @contextmanager
    def _entering(self, call: Call) -> Iterator[tuple[list[str], tuple[int, ...]]]:
        """Give the command line of the host and the descriptors that it reads."""
        if self.leaves_root:
            identity.hand_over([mount.host for mount in call.mounts if mount.writable], call.user)
            identity.show(mount.host for mount in call.mounts)
        if not self.filters_calls:
            yield self.command(call), ()
            return
        users = identity.namespace() if self.leaves_root else None
        filtering = filter_descriptor()
        try:
            descriptors = (filtering,) if users is None else (filtering, users)
            yield self.command(replace(call, filter=filtering, users=users)), descriptors
        finally:
            os.close(filtering)


_TERMINAL_OF_ITS_OWN = ("/usr/bin/setsid", "--ctty", "--wait")
"""Makes what is on standard input the terminal that Ctrl-C comes from; engines do that by themselves."""


def _within(limits: Limits | None, seconds: float | None) -> Limits:
    limits = limits or default_limits()
    return limits if seconds is None else replace(limits, time=seconds)
