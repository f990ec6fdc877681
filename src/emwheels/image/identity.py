"""Who a command in the sandbox is: for root of the host, a user that owns nothing else on the machine.

Everybody else enters as himself, which a user namespace of bubblewrap's then keeps to what is mounted.
"""

from __future__ import annotations

import os
import subprocess
import time
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from emwheels.errors import ImageError

if TYPE_CHECKING:
    from collections.abc import Iterable

FIRST = 1_900_000_000
"""The user and group of the host that is number 0 in the sandbox. Above what systemd gives to containers
(uid range 524288 to 1879048191 of its UIDS-GIDS document), below what is negative in 32 bits."""
COUNT = 65536
"""How many users the sandbox has."""
USER = 1000
"""The user as the sandbox sees it where nothing else is said."""

_SECONDS = 10


class NamespaceError(ImageError):
    """This machine gives root no user namespace."""


def as_root() -> bool:
    """Tell whether commands have to become somebody else first."""
    return os.geteuid() == 0


@cache
def namespace() -> int:
    """Return a descriptor of a user namespace with these users, made once; root of the host alone can.

    The namespace lives as long as the descriptor. Raises `NamespaceError` where the kernel allows none.
    """
    with subprocess.Popen(
        ["unshare", "--user", "cat"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        folder, own = Path("/proc", str(process.pid)), Path("/proc/self/ns/user").readlink()
        try:
            deadline = time.monotonic() + _SECONDS
            while (folder / "ns" / "user").readlink() == own:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise NamespaceError("the kernel gives no user namespace", hint="see user_namespaces(7)")
                time.sleep(0.0005)
            for table in ("uid_map", "gid_map"):
                (folder / table).write_text(f"0 {FIRST} {COUNT}")
            return os.open(folder / "ns" / "user", os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise NamespaceError(
                f"no user namespace for the sandbox: {error}", hint="see user_namespaces(7)"
            ) from error
        finally:
            process.kill()


def prefix(user: int | None, *, first: int = 0) -> list[str]:
    """Return what a command of root's starts with to become ``user`` of the sandbox, without any capability.

    ``first`` is the number that the sandbox's first user has where this runs: 0 in the user namespace.
    """
    number = str(first + (USER if user is None else user))
    return [
        *("/usr/bin/setpriv", "--reuid", number, "--regid", number, "--clear-groups"),
        *("--inh-caps=-all", "--bounding-set=-all", "--no-new-privs"),
        # Becoming somebody else forgets by which signal a process is to end with its parent.
        *(["--pdeathsig", "KILL"] if first else []),
        "--",
    ]


def hand_over(folders: Iterable[Path], user: int | None) -> None:
    """Have everything in ``folders`` belong to ``user`` of the sandbox. Only for root."""
    owner = FIRST + (USER if user is None else user)
    paths = [str(folder) for folder in folders if _differs(folder, owner)]
    if paths:
        subprocess.run(["chown", "--recursive", "--no-dereference", f"{owner}:{owner}", "--", *paths], check=True)


def show(paths: Iterable[Path]) -> None:
    """Let users of the sandbox into folders that are mounted, as temporary ones let nobody in.

    bubblewrap itself has to get into the working folder, too, when it is root without any power.
    """
    for path in paths:
        mode = path.stat().st_mode
        wanted = mode | (0o055 if path.is_dir() else 0o044)
        if wanted != mode:
            path.chmod(wanted & 0o7777)


def _differs(folder: Path, owner: int) -> bool:
    return folder.lstat().st_uid != owner
