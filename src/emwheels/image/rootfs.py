"""A Debian root file system as an `Image`, entered by bubblewrap, podman or chroot."""

from __future__ import annotations

import os
import resource
import shutil
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from emwheels.errors import ImageError
from emwheels.image import identity
from emwheels.image.identity import NamespaceError
from emwheels.image.model import Call, Image, Mount
from emwheels.image.seccomp import filter_program

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from emwheels.target.limits import Limits

METHODS = ("bwrap", "podman", "chroot")

# util-linux's unshare has given the namespaces; what is mounted here goes away with them.
_CHROOT_SCRIPT = r"""
set -eu
root=$1; writable=$2; scratch=$3; shift 3
mount --make-rprivate /
mount --bind "$root" "$root"
[ "$writable" = yes ] || mount -o remount,bind,ro "$root"
mount -t proc proc "$root/proc"
for path in sys irq bus fs scsi acpi; do
    [ ! -e "/proc/$path" ] || mount --rbind -o ro "$root/proc/$path" "$root/proc/$path"
done
mount -t tmpfs -o mode=755,size=1m tmpfs "$root/dev"
mkdir "$root/dev/shm"
mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
for path in null zero full random urandom tty; do
    : > "$root/dev/$path"
    mount --bind "/dev/$path" "$root/dev/$path"
done
ln -s /proc/self/fd "$root/dev/fd"
mount -t tmpfs -o mode=1777,size="$scratch" tmpfs "$root/tmp"
mount -t tmpfs -o mode=755,size=1m tmpfs "$root/mnt"
while [ "$1" != -- ]; do
    mode=$1; host=$2; inside=$root$3; shift 3
    if [ -d "$host" ]; then mkdir -p "$inside"; else mkdir -p "${inside%/*}"; : > "$inside"; fi
    mount --bind "$host" "$inside"
    [ "$mode" = rw ] || mount -o remount,bind,ro "$inside"
done
shift
exec chroot "$root" /usr/bin/env -i "$@"
"""
_READ_ONLY = ("/proc/sys", "/proc/sysrq-trigger", "/proc/irq", "/proc/bus", "/proc/fs", "/proc/scsi", "/proc/acpi")
"""What of /proc reaches the whole machine: root of the host writes it, capabilities or not."""
_HIDDEN = ("/proc/kcore", "/proc/keys", "/proc/key-users", "/proc/timer_list", "/proc/latency_stats")
"""What of /proc tells of the whole machine. Both lists are those of the OCI runtime specification's tools."""
_ACCOUNTS = Path(__file__).parent / "inside"
"""The image's own lists of users may not have the one that commands are."""
_TO_LEAVE_ROOT = ("CAP_SETUID", "CAP_SETGID", "CAP_SETPCAP")
"""What `identity.prefix` needs, and gives up."""
_MAX_PROCESSES = 32768
"""podman 4.3 with runc refuses more without CAP_SYS_RESOURCE, even where the limit of this process is higher."""
_LOOPBACK_UP = (
    "import fcntl,socket,struct,os,sys;"
    "s=socket.socket(socket.AF_INET,socket.SOCK_DGRAM);"
    "fcntl.ioctl(s,0x8914,struct.pack('16sh',b'lo',0x49));"
    "s.close();os.chdir(sys.argv[1]);os.execvp(sys.argv[2],sys.argv[2:])"
)


@dataclass(frozen=True, kw_only=True)
class RootFs(Image):
    """An unpacked root file system and the way into it."""

    root: Path
    method: str
    """One of `METHODS`."""
    writable: bool = False
    """The image's own files may be written: only while it is being made."""

    @property
    def by_engine(self) -> bool:
        """See `Image.by_engine`."""
        return self.method == "podman"

    @property
    def takes_user(self) -> bool:
        """See `Image.takes_user`."""
        return self.method == "bwrap"

    @property
    def outside(self) -> dict[str, str] | None:
        """See `Image.outside`: /proc/1/environ of a sandbox is the environment that bubblewrap was started with."""
        return None if self.by_engine else {"PATH": os.pathsep.join(os.get_exec_path())}

    def command(self, call: Call) -> list[str]:
        """See `Image.command`."""
        match self.method:
            case "bwrap":
                return self._bwrap(call)
            case "podman":
                return podman_command(["--rootfs", f"{self.root}{'' if self.writable else ':O'}"], call)
            case _:
                return self._chroot(call)

    @property
    def leaves_root(self) -> bool:
        """See `Image.leaves_root`: an image that is being made is root's own work."""
        return identity.as_root() and not self.writable

    @property
    def filters_calls(self) -> bool:
        """See `Image.filters_calls`."""
        return self.method == "bwrap" and not self.writable

    def _bwrap(self, call: Call) -> list[str]:
        command = ["bwrap", "--bind" if self.writable else "--ro-bind", str(self.root), "/"]
        command += ["--dev", "/dev", "--proc", "/proc"]
        for path in filter(os.path.exists, _READ_ONLY):
            command += ["--ro-bind", path, path]
        for path in filter(os.path.exists, _HIDDEN):
            command += ["--ro-bind", os.devnull, path]
        for path, mode in (("/dev/shm", "1777"), ("/tmp", "1777"), ("/mnt", "0755")):  # noqa: S108
            command += ["--perms", mode, "--size", str(call.limits.scratch or _ANY_SIZE), "--tmpfs", path]
        command += self._alone(call)
        if call.network:
            command += ["--ro-bind", "/etc/resolv.conf", "/etc/resolv.conf"]
        for folder in _folders_between(call.mounts):
            command += ["--perms", "0755", "--dir", folder]
        for mount in call.mounts:
            command += ["--bind" if mount.writable else "--ro-bind", str(mount.host.resolve()), mount.inside]
        command += ["--remount-ro", "/mnt", "--remount-ro", "/dev"]
        for name, value in call.env.items():
            command += ["--setenv", name, value]
        # bubblewrap leaves the namespace's descriptor open.
        closing = [] if call.users is None else ["/bin/bash", "-c", f'exec "$@" {call.users}>&-', "bash"]
        return [*command, "--chdir", call.cwd, "--", *closing, *_started(call, leaves_root=call.users is not None)]

    def _alone(self, call: Call) -> list[str]:
        """Return the options by which a command is in namespaces of its own, without capabilities."""
        command = ["--die-with-parent", "--new-session", "--clearenv", "--cap-drop", "ALL"]
        if call.users is None:
            command += ["--unshare-all", "--unshare-user", "--disable-userns"]
            command += ["--share-net"] if call.network else []
        else:
            # The mounts are root's, the command is not: it goes to the user namespace when all is laid out.
            command += ["--unshare-ipc", "--unshare-pid", "--unshare-uts", "--unshare-cgroup-try"]
            command += [] if call.network else ["--unshare-net"]
            command += ["--userns2", str(call.users)]
            command += [word for name in _TO_LEAVE_ROOT for word in ("--cap-add", name)]
        command += ["--hostname", "emwheels"]
        if call.filter is not None:
            command += ["--seccomp", str(call.filter)]
        if not self.writable:
            for name in ("passwd", "group"):
                command += ["--ro-bind", str(_ACCOUNTS / name), f"/etc/{name}"]
            if call.users is None:
                user = str(identity.USER if call.user is None else call.user)
                command += ["--uid", user, "--gid", user]
        return command

    def _chroot(self, call: Call) -> list[str]:
        command = ["unshare", "--mount", "--pid", "--ipc", "--uts", "--fork", "--kill-child"]
        if not call.network:
            command.append("--net")
        command += ["sh", "-c", _CHROOT_SCRIPT, "sh", str(self.root), "yes" if self.writable else "no"]
        command.append(str(call.limits.scratch))
        for mount in call.mounts:
            command += ["rw" if mount.writable else "ro", str(mount.host.resolve()), mount.inside]
        command += ["--", *(f"{name}={value}" for name, value in call.env.items())]
        started = _started(call, leaves_root=self.leaves_root, first=identity.FIRST)
        if call.network:
            return [*command, "sh", "-c", 'cd "$1" && shift && exec "$@"', "sh", call.cwd, *started]
        return [*command, "python3", "-c", _LOOPBACK_UP, call.cwd, *started]


def _folders_between(mounts: Sequence[Mount]) -> list[str]:
    """Return the folders below /mnt that lead to mounts and are none; by itself bubblewrap lets only root into them."""
    parents = {str(each) for mount in mounts for each in PurePosixPath(mount.inside).parents}
    places = {mount.inside for mount in mounts}
    own = (each for each in parents if each.startswith("/mnt/") and each not in places)
    return sorted(each for each in own if not any(each.startswith(f"{place}/") for place in places))


_ANY_SIZE = 1 << 62
_ADDRESSES = 16 << 40
"""Bytes of addresses of one process. Engines take terabytes without using any memory; page tables of more would be."""
_RESOURCES = {
    "processes": ("nproc", resource.RLIMIT_NPROC),
    "files": ("nofile", resource.RLIMIT_NOFILE),
    "disk": ("fsize", resource.RLIMIT_FSIZE),
}
"""Limit -> its name for prlimit(1) and engines, and for getrlimit(2)."""


def _rlimits(limits: Limits) -> Iterator[tuple[str, int]]:
    """Yield the limits that the kernel holds for each process or user, none above what this process has."""
    for name, (option, kind) in _RESOURCES.items():
        hard = resource.getrlimit(kind)[1]
        values = [value for value in (getattr(limits, name), hard) if value not in (0, resource.RLIM_INFINITY)]
        if values:
            yield option, min(values)


def _started(call: Call, *, leaves_root: bool, first: int = 0) -> list[str]:
    """Return the command with what it starts with: another user, limits, no core files."""
    leaving = identity.prefix(call.user, first=first) if leaves_root else []
    limits = [f"--{name}={value}:{value}" for name, value in _rlimits(call.limits)]
    return [*leaving, "/usr/bin/prlimit", "--core=0:0", f"--as={_ADDRESSES}:{_ADDRESSES}", *limits, "--", *call.argv]


def podman_command(image: Sequence[str], call: Call, *, engine: str = "podman") -> list[str]:
    """Return the command line that runs ``call`` in a container; ``image`` names the image or root file system.

    Limits are given explicitly because an engine inside a container may not raise them.
    """
    command = [engine, "run", "--rm", "--interactive", "--network", "host" if call.network else "none"]
    writable = image[0] == "--rootfs" and not image[1].endswith(":O")
    if not writable:
        command.append("--read-only")
    if engine == "podman" and shutil.which("runc") and not shutil.which("crun"):
        command[1:1] = ["--runtime", "runc"]
    for name, value in _rlimits(call.limits):
        limit = min(value, _MAX_PROCESSES) if name == "nproc" else value
        command += ["--ulimit", f"{name}={limit}:{limit}"]
    command += ["--hostname", "emwheels"]
    command += [] if writable else ["--cap-drop", "ALL", "--security-opt", "no-new-privileges"]
    if identity.as_root() and not writable:
        owner = identity.FIRST + (identity.USER if call.user is None else call.user)
        command += ["--user", f"{owner}:{owner}"]
    elif engine == "docker":
        command += ["--user", f"{os.getuid()}:{os.getgid()}"]  # its daemon is root
    most = f",size={call.limits.scratch}" if call.limits.scratch else ""
    command += ["--tmpfs", f"/tmp:rw,exec,mode=1777{most}", "--tmpfs", "/mnt:rw,exec,mode=755,size=1m"]  # noqa: S108
    for mount in call.mounts:
        command += ["--volume", f"{mount.host.resolve()}:{mount.inside}:{'rw' if mount.writable else 'ro'}"]
    for variable, text in call.env.items():
        command += ["--env", f"{variable}={text}"]
    return [*command, "--workdir", call.cwd, *image, *call.argv]


def chosen_method() -> str | None:
    """Return the way into images that ``EMWHEELS_ENTER`` names, or None. Raises `ImageError` for one that is none."""
    chosen = os.environ.get("EMWHEELS_ENTER") or None
    if chosen is not None and chosen not in METHODS:
        raise ImageError(f"EMWHEELS_ENTER is {chosen!r}", hint=f"set it to {', '.join(METHODS)}, or to nothing")
    return chosen


def usable_method(root: Path) -> str:
    """Return the first way into ``root`` that works here. Raises `ImageError` when none does."""
    for method in METHODS:
        if not shutil.which("unshare" if method == "chroot" else method):
            continue
        if method == "chroot" and os.geteuid() != 0:
            continue
        if _works(RootFs(root=root, digest="", method=method)):
            return method
    raise ImageError(
        "there is no way into an image on this machine",
        hint="install bubblewrap (apt-get install bubblewrap) or podman, allow user namespaces, or run as root",
    )


def _works(image: RootFs) -> bool:
    if image.filters_calls:
        filter_program()  # without it nothing is run in another way
    try:
        return image.run(["/usr/bin/true"], seconds=60).status == 0
    except NamespaceError:
        return False
