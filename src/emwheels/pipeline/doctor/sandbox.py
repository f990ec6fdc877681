"""The ways into the sandbox, each tried, and what the kernel may have against them."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from emwheels.errors import ImageError
from emwheels.image.oci import ENGINES
from emwheels.image.places import TRUE
from emwheels.image.rootfs import METHODS, RootFs
from emwheels.image.seccomp import filter_program
from emwheels.pipeline.doctor.model import Observation, fault, observed

if TYPE_CHECKING:
    from collections.abc import Callable

SECONDS = 8
"""The most that one way in may take to start a command that does nothing."""
UNTRIED = "not tried before there is an image"
_SWITCHES = {
    "user/max_user_namespaces": ("0", True, "sysctl user.max_user_namespaces=15000"),
    "kernel/unprivileged_userns_clone": ("0", False, "sysctl kernel.unprivileged_userns_clone=1"),
    "kernel/apparmor_restrict_unprivileged_userns": (
        "1",
        False,
        "sysctl kernel.apparmor_restrict_unprivileged_userns=0, or give bwrap an AppArmor profile with `userns`",
    ),
}
"""File of /proc/sys -> the value that closes user namespaces, whether to root as well, and what opens them."""


def user_namespaces(settings: Path = Path("/proc/sys"), *, root: bool | None = None) -> Observation:
    """Return whether the kernel's settings allow user namespaces to whoever runs this (user_namespaces(7))."""
    is_root = os.geteuid() == 0 if root is None else root
    for file, (closed, to_root, hint) in _SWITCHES.items():
        path = settings / file
        try:
            value = path.read_text().strip()
        except OSError:  # this kernel has no such setting
            continue
        if value == closed and (to_root or not is_root):
            return fault("user namespaces", f"{path} is {value}", f"as root: {hint}")
    return observed("user namespaces", "allowed, to root" if is_root else "allowed")


def call_filter() -> Observation:
    """Return whether the library is there that makes the sandbox's filter of system calls."""
    try:
        program = filter_program()
    except ImageError as error:
        return fault("libseccomp", error.message, error.hint, stops=shutil.which("bwrap") is not None)
    return observed("libseccomp", f"makes a filter of {len(program) // 8} instructions")


def ways_in(
    root: Path | None, *, chosen: str = "", attempt: Callable[[str, Path | None], str] | None = None
) -> Observation:
    """Return which ways into an image work; ``root`` is the root file system of one, None before there is one.

    ``chosen`` is the one that EMWHEELS_ENTER asks for; ``attempt`` says what is wrong with one, nothing if it works.
    """
    if chosen and chosen not in METHODS:
        hint = f"set it to {', '.join(METHODS)}, or unset it"
        return fault("sandbox", f"EMWHEELS_ENTER is {chosen}", hint, stops=True)
    wrong = {method: (attempt or what_is_wrong)(method, root) for method in ([chosen] if chosen else METHODS)}
    detail = "; ".join(f"{method}: {what or 'works'}" for method, what in wrong.items())
    if "" in wrong.values():
        return observed("sandbox", detail)
    hint = "install bubblewrap (apt-get install bubblewrap) or podman, and allow user namespaces"
    if any(Path(mark).exists() for mark in ("/.dockerenv", "/run/.containerenv")):
        hint += "; start this container with permission to make namespaces (--privileged)"
    return fault("sandbox", detail, hint, stops=UNTRIED not in wrong.values())


def what_is_wrong(method: str, root: Path | None) -> str:
    """Return why a way into ``root`` does not work here; an empty text if it does.

    Without an image, bubblewrap enters the machine's own root file system, read-only, and of chroot only the namespaces
    are tried.
    """
    tool = "unshare" if method == "chroot" else method
    if not shutil.which(tool):
        return "not installed"
    if method == "chroot" and os.geteuid() != 0:
        return "needs root"
    if root is None and method == "podman":
        return UNTRIED
    if root is None and method == "chroot":
        return _failure(["unshare", "--mount", "--pid", "--ipc", "--uts", "--net", "--fork", "--kill-child", "true"])
    with tempfile.TemporaryFile() as output:
        try:
            image = RootFs(root=root or Path("/"), digest="", method=method)
            done = image.run([TRUE], output=output, seconds=SECONDS)
        except ImageError as error:
            return error.message
        output.seek(0)
        return "" if done.status == 0 else _last_line(output.read()) or f"status {done.status}"


def for_published(root: Path | None, *, chosen: str = "") -> Observation:
    """Return which engine enters a published image; without one that works, which ways in emwheels has.

    ``root`` is its root file system if emwheels has pulled it, ``chosen`` what EMWHEELS_ENTER asks for.
    """
    if chosen in ("bwrap", "chroot"):
        return ways_in(root, chosen=chosen)
    wrong = {name: _failure([name, "info"]) if shutil.which(name) else "not installed" for name in ENGINES}
    if works := next((name for name, what in wrong.items() if not what), ""):
        return observed("sandbox", f"{works} works")
    found = ways_in(root, chosen=chosen)
    engines = "; ".join(f"{name}: {what}" for name, what in wrong.items())
    return replace(found, detail=f"{engines}; emwheels pulls the image itself: {found.detail}")


def _failure(command: list[str]) -> str:
    try:
        done = subprocess.run(command, capture_output=True, check=False, timeout=SECONDS, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return "" if done.returncode == 0 else _last_line(done.stderr) or f"status {done.returncode}"


def _last_line(output: bytes) -> str:
    return (output.decode(errors="replace").strip().splitlines() or [""])[-1]
