"""A Debian root file system as an `Image`, entered by bubblewrap, podman or chroot."""

from __future__ import annotations

import os
import resource
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from emwheels.errors import ImageError
from emwheels.image.model import Call, Image

if TYPE_CHECKING:
    from collections.abc import Sequence
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
_READ_ONLY = ("/proc/sys", "/proc/sysrq-trigger", "/proc/irq", "/proc/bus", "/proc/fs", "/proc/scsi", "/proc/acpi")
"""What of /proc reaches the whole machine: root of the host writes it, capabilities or not."""
_HIDDEN = ("/proc/kcore", "/proc/keys", "/proc/key-users", "/proc/timer_list", "/proc/latency_stats")
"""What of /proc tells of the whole machine. Both lists are those of the OCI runtime specification's tools."""
_TMPFS_BYTES = 16 << 30
"""Limit of each file system in memory."""
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

    def _bwrap(self, call: Call) -> list[str]:
        command = ["bwrap", "--bind" if self.writable else "--ro-bind", str(self.root), "/"]
        command += ["--dev", "/dev", "--proc", "/proc"]
        for path in filter(os.path.exists, _READ_ONLY):
            command += ["--ro-bind", path, path]
        for path in filter(os.path.exists, _HIDDEN):
            command += ["--ro-bind", os.devnull, path]
        for path in ("/tmp", "/mnt"):  # noqa: S108
            command += ["--size", str(_TMPFS_BYTES), "--tmpfs", path]
        command += ["--unshare-all", "--unshare-user", "--disable-userns", "--cap-drop", "ALL"]
        command += ["--die-with-parent", "--new-session", "--clearenv"]
        if call.user is not None:
            command += ["--uid", str(call.user), "--gid", str(call.user)]
        if call.network:
            command += ["--share-net", "--ro-bind", "/etc/resolv.conf", "/etc/resolv.conf"]
        for mount in call.mounts:
            command += ["--bind" if mount.writable else "--ro-bind", str(mount.host.resolve()), mount.inside]
        for name, value in call.env.items():
            command += ["--setenv", name, value]
        return [*command, "--chdir", call.cwd, "--", *call.argv]

    def _chroot(self, call: Call) -> list[str]:
        command = ["unshare", "--mount", "--pid", "--ipc", "--fork", "--kill-child"]
        if not call.network:
            command.append("--net")
        command += ["sh", "-c", _CHROOT_SCRIPT, "sh", str(self.root), "yes" if self.writable else "no"]
        for mount in call.mounts:
            command += ["rw" if mount.writable else "ro", str(mount.host.resolve()), mount.inside]
        command += ["--", *(f"{name}={value}" for name, value in call.env.items())]
        if call.network:
            return [*command, "sh", "-c", 'cd "$1" && shift && exec "$@"', "sh", call.cwd, *call.argv]
        return [*command, "python3", "-c", _LOOPBACK_UP, call.cwd, *call.argv]


def podman_command(image: Sequence[str], call: Call, *, engine: str = "podman") -> list[str]:
    """Return the command line that runs ``call`` in a container; ``image`` names the image or root file system.

    Limits are given explicitly because an engine inside a container may not raise them.
    """
    command = [engine, "run", "--rm", "--interactive", "--network", "host" if call.network else "none"]
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
    for mount in call.mounts:
        command += ["--volume", f"{mount.host.resolve()}:{mount.inside}:{'rw' if mount.writable else 'ro'}"]
    for name, value in call.env.items():
        command += ["--env", f"{name}={value}"]
    return [*command, "--workdir", call.cwd, *image, *call.argv]


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
        "there is no way into an image on this machine",
        hint="install bubblewrap (apt-get install bubblewrap) or podman, allow user namespaces, or run as root",
    )
