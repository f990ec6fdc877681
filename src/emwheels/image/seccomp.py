"""The system calls that nothing in the sandbox may make, as a filter for the kernel (seccomp(2))."""

from __future__ import annotations

import errno
import os
import tempfile
from functools import cache
from typing import TYPE_CHECKING

from emwheels.errors import ImageError

if TYPE_CHECKING:
    from collections.abc import Iterator

_REFUSED = (
    # What is seen of the file system stays as it was laid out.
    *("mount", "umount", "umount2", "pivot_root", "chroot", "move_mount", "open_tree", "open_tree_attr", "fsopen"),
    *("fsconfig", "fsmount", "fspick", "mount_setattr", "setns", "open_by_handle_at", "quotactl", "quotactl_fd"),
    # Other processes' memory and descriptors.
    *("ptrace", "process_vm_readv", "process_vm_writev", "pidfd_getfd", "kcmp"),
    # Keys of whoever started this: keyrings belong to no namespace.
    *("keyctl", "add_key", "request_key"),
    # Parts of the kernel that builds and browsers have no use for, and attackers have.
    *("bpf", "perf_event_open", "userfaultfd", "fanotify_init", "lookup_dcookie", "nfsservctl", "syslog", "uselib"),
    *("modify_ldt", "vmsplice", "vm86", "vm86old", "io_uring_setup", "io_uring_enter", "io_uring_register"),
    # The machine.
    *("kexec_load", "kexec_file_load", "init_module", "finit_module", "delete_module", "create_module", "reboot"),
    *("swapon", "swapoff", "acct", "settimeofday", "stime", "clock_settime", "clock_adjtime", "adjtimex", "iopl"),
    *("ioperm", "sethostname", "setdomainname", "vhangup", "_sysctl", "sysfs", "ustat"),
)
"""Much of this needs capabilities that the sandbox has none of. A fault of the kernel's may forget to ask for them."""
_UNKNOWN = ("clone3",)
"""Calls that are said not to exist: its arguments are in memory, where no filter looks. glibc then uses clone(2)."""
_NAMESPACES = 0x7E020080
"""Flags of clone(2) and unshare(2): CLONE_NEWTIME, NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET."""
_TERMINAL = (0x5412, 0x541C)
"""TIOCSTI types into the terminal of whoever started this, TIOCLINUX pastes there (ioctl_tty(2))."""
_FAMILIES = (1, 2, 10, 16)
"""Sockets that may be made: local, IPv4, IPv6, and netlink, by which programs ask for addresses (socket(2))."""
_LAST_FAMILY = 45


@cache
def filter_program() -> bytes:
    """Return the filter as the kernel takes it, a program of struct sock_filter.

    Raises `ImageError` where the library libseccomp is not installed: without the filter nothing is run.
    """
    try:
        # Looking for the library takes longer than all the rest; a run with nothing to build needs none.
        import pyseccomp  # noqa: PLC0415
    except (RuntimeError, ImportError, OSError) as error:
        raise ImageError(
            "the sandbox needs the library libseccomp, which is not on this machine",
            hint="apt-get install libseccomp2, or your distribution's package of that library",
        ) from error
    rules = pyseccomp.SyscallFilter(pyseccomp.ALLOW)
    for action, name, arguments in _rules(pyseccomp):
        if pyseccomp.resolve_syscall(pyseccomp.system_arch(), name) >= 0:  # no number: not on this processor
            rules.add_rule(action, name, *arguments)
    with tempfile.TemporaryFile() as file:
        rules.export_bpf(file)
        file.seek(0)
        return file.read()


def _rules(seccomp: object) -> Iterator[tuple[int, str, tuple[object, ...]]]:
    """Yield action, call, and the comparisons of its arguments that all have to hold."""
    refuse, argument = seccomp.ERRNO, seccomp.Arg  # type: ignore[attr-defined]
    equal, masked, greater = seccomp.EQ, seccomp.MASKED_EQ, seccomp.GT  # type: ignore[attr-defined]
    for name in _REFUSED:
        yield refuse(errno.EPERM), name, ()
    for name in _UNKNOWN:
        yield refuse(errno.ENOSYS), name, ()
    for bit in (1 << shift for shift in range(32) if _NAMESPACES >> shift & 1):
        yield refuse(errno.EPERM), "unshare", (argument(0, masked, bit, bit),)
        if bit != 0x80:  # of clone, the lowest byte is a signal
            yield refuse(errno.EPERM), "clone", (argument(0, masked, bit, bit),)
    for request in _TERMINAL:
        yield refuse(errno.EPERM), "ioctl", (argument(1, masked, 0xFFFFFFFF, request),)
    for family in set(range(_LAST_FAMILY + 1)) - set(_FAMILIES):
        yield refuse(errno.EAFNOSUPPORT), "socket", (argument(0, equal, family),)
    yield refuse(errno.EAFNOSUPPORT), "socket", (argument(0, greater, _LAST_FAMILY),)


def filter_descriptor() -> int:
    """Return a descriptor to read the filter from, once; whoever hands it on closes it. Raises `ImageError`."""
    reading, writing = os.pipe()
    with os.fdopen(writing, "wb") as stream:
        stream.write(filter_program())
    return reading
