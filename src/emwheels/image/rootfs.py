"""A Debian root file system as an `Image`, entered by bubblewrap, podman or chroot."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import subprocess
import time
import uuid
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

from emwheels.errors import ImageError
from emwheels.image.model import Completed, Mount

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

METHODS = ("bwrap", "podman", "chroot")

# util-linux's unshare has given the namespaces; what is mounted here goes away with them.
_CHROOT_SCRIPT = r"""
set -eu
root=$1; writable=$2; shift 2
mount --make-rprivate /
mount --bind "$root" "$root"
[ "$writable" = yes ] || mount -o remount,bind,ro "$root"
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
mount -t tmpfs tmpfs "$root/tmp"
mount -t tmpfs tmpfs "$root/mnt"
while [ "$1" != -- ]; do
    mode=$1; host=$2; inside=$root$3; shift 3
    if [ -d "$host" ]; then mkdir -p "$inside"; else mkdir -p "${inside%/*}"; : > "$inside"; fi
    mount --bind "$host" "$inside"
    [ "$mode" = rw ] || mount -o remount,bind,ro "$inside"
done
shift
exec chroot "$root" /usr/bin/env -i "$@"
"""
_MAX_PROCESSES = 32768
"""podman 4.3 with runc refuses more without CAP_SYS_RESOURCE, even where the limit of this process is higher."""
_LOOPBACK_UP = (
    "import fcntl,socket,struct,os,sys;"
    "s=socket.socket(socket.AF_INET,socket.SOCK_DGRAM);"
    "fcntl.ioctl(s,0x8914,struct.pack('16sh',b'lo',0x49));"
    "s.close();os.chdir(sys.argv[1]);os.execvp(sys.argv[2],sys.argv[2:])"
)


@dataclass(frozen=True, kw_only=True)
class RootFs:
    """An unpacked root file system and the way into it. See `emwheels.image.model.Image` for the contract."""

    root: Path
    digest: str
    method: str
    """One of `METHODS`."""
    environment: tuple[tuple[str, str], ...] = ()
    """What every command inside sees before its own ``env``."""
    writable: bool = False
    """The image's own files may be written: only while it is being made."""

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
        """Run ``argv`` inside and wait; see `emwheels.image.model.Image.run`."""
        command = self._command(argv, mounts, dict(self.environment) | dict(env or {}), cwd, network)
        with ended_with_client(command) if self.method == "podman" else nullcontext(command) as started:
            return run_and_wait(started, argv=argv, output=output, seconds=seconds)

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
        """Start ``argv`` inside with pipes on stdin and stdout; see `emwheels.image.model.Image.start`."""
        command = self._command(argv, mounts, dict(self.environment) | dict(env or {}), cwd, network)
        if self.method == "podman":
            return ContainerProcess(command, stderr=stderr)
        return subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr, start_new_session=True
        )

    def _command(
        self, argv: Sequence[str], mounts: Sequence[Mount], env: dict[str, str], cwd: str, network: bool
    ) -> list[str]:
        for mount in mounts:
            if not mount.host.exists():
                raise ImageError(f"{mount.host} is to be seen inside the image but does not exist")
        match self.method:
            case "bwrap":
                return self._bwrap(argv, mounts, env, cwd, network)
            case "podman":
                return self._podman(argv, mounts, env, cwd, network)
            case _:
                return self._chroot(argv, mounts, env, cwd, network)

    def _bwrap(
        self, argv: Sequence[str], mounts: Sequence[Mount], env: dict[str, str], cwd: str, network: bool
    ) -> list[str]:
        command = ["bwrap", "--bind" if self.writable else "--ro-bind", str(self.root), "/"]
        command += ["--dev", "/dev", "--proc", "/proc", "--tmpfs", "/tmp", "--tmpfs", "/mnt"]  # noqa: S108
        command += ["--unshare-all", "--die-with-parent", "--new-session", "--clearenv"]
        if network:
            command += ["--share-net", "--ro-bind", "/etc/resolv.conf", "/etc/resolv.conf"]
        for mount in mounts:
            command += ["--bind" if mount.writable else "--ro-bind", str(mount.host.resolve()), mount.inside]
        for name, value in env.items():
            command += ["--setenv", name, value]
        return [*command, "--chdir", cwd, "--", *argv]

    def _podman(
        self, argv: Sequence[str], mounts: Sequence[Mount], env: dict[str, str], cwd: str, network: bool
    ) -> list[str]:
        mode = "" if self.writable else ":O"
        return podman_command(
            ["--rootfs", f"{self.root}{mode}"], argv, mounts=mounts, env=env, cwd=cwd, network=network
        )

    def _chroot(
        self, argv: Sequence[str], mounts: Sequence[Mount], env: dict[str, str], cwd: str, network: bool
    ) -> list[str]:
        command = ["unshare", "--mount", "--pid", "--ipc", "--fork", "--kill-child"]
        if not network:
            command.append("--net")
        command += ["sh", "-c", _CHROOT_SCRIPT, "sh", str(self.root), "yes" if self.writable else "no"]
        for mount in mounts:
            command += ["rw" if mount.writable else "ro", str(mount.host.resolve()), mount.inside]
        command += ["--", *(f"{name}={value}" for name, value in env.items())]
        if network:
            return [*command, "sh", "-c", 'cd "$1" && shift && exec "$@"', "sh", cwd, *argv]
        return [*command, "python3", "-c", _LOOPBACK_UP, cwd, *argv]


def podman_command(
    image: Sequence[str],
    argv: Sequence[str],
    *,
    mounts: Sequence[Mount],
    env: Mapping[str, str],
    cwd: str,
    network: bool,
    engine: str = "podman",
) -> list[str]:
    """Return the command line that runs ``argv`` in a container; ``image`` names the image or root file system.

    Limits are given explicitly because an engine inside a container may not raise them.
    """
    command = [engine, "run", "--rm", "--interactive", "--network", "host" if network else "none"]
    if image[0] != "--rootfs" or image[1].endswith(":O"):
        command.append("--read-only")
    if engine == "podman" and shutil.which("runc") and not shutil.which("crun"):
        command[1:1] = ["--runtime", "runc"]
    for name, kind in (("nofile", resource.RLIMIT_NOFILE), ("nproc", resource.RLIMIT_NPROC)):
        hard = resource.getrlimit(kind)[1]
        if hard != resource.RLIM_INFINITY:
            limit = min(hard, _MAX_PROCESSES) if name == "nproc" else hard
            command += ["--ulimit", f"{name}={limit}:{limit}"]
    command += ["--tmpfs", "/tmp:rw,exec,size=16g", "--tmpfs", "/mnt:rw,exec"]  # noqa: S108
    for mount in mounts:
        command += ["--volume", f"{mount.host.resolve()}:{mount.inside}:{'rw' if mount.writable else 'ro'}"]
    for name, value in env.items():
        command += ["--env", f"{name}={value}"]
    return [*command, "--workdir", cwd, *image, *argv]


def _named(command: Sequence[str]) -> tuple[list[str], str]:
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
    named, name = _named(command)
    try:
        yield named
    finally:
        _remove_container(command[0], name)


class ContainerProcess(subprocess.Popen[bytes]):
    """An engine's ``run`` with pipes on stdin and stdout; killing it ends the container too."""

    def __init__(self, command: Sequence[str], *, stderr: IO[bytes] | int | None) -> None:
        named, self._container = _named(command)
        self._engine = command[0]
        super().__init__(named, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr, start_new_session=True)

    def kill(self) -> None:
        """Kill the client and remove the container."""
        super().kill()
        _remove_container(self._engine, self._container)


def run_and_wait(
    command: Sequence[str], *, argv: Sequence[str], output: IO[bytes] | None, seconds: float | None
) -> Completed:
    """Run ``command`` in a session of its own; whatever ends the wait also ends everything below it."""
    started = time.monotonic()
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=output if output is not None else subprocess.DEVNULL,
        stderr=subprocess.STDOUT,
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


def usable_method(root: Path) -> str:
    """Return the first way into ``root`` that works here. Raises `ImageError` when none does."""
    for method in METHODS:
        if not shutil.which("unshare" if method == "chroot" else method):
            continue
        if method == "chroot" and os.geteuid() != 0:
            continue
        probe = RootFs(root=root, digest="", method=method)
        if probe.run(["/usr/bin/true"], seconds=60).status == 0:
            return method
    raise ImageError(
        "there is no way into the build image on this machine",
        hint="install bubblewrap (apt-get install bubblewrap) or podman, allow user namespaces, or run as root",
    )
