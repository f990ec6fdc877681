"""A shell, or a command, in the sandbox of a build: where it failed, or where it would compile."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import IO, TYPE_CHECKING, TextIO

from emwheels.build.failed_command import failed_command
from emwheels.build.kept import PREPARED, held, touch, tree_of
from emwheels.build.same_bytes import SAME_ADDRESSES
from emwheels.errors import BuildError, UsageError, visible
from emwheels.image.door import Door, DoorError
from emwheels.image.model import Mount
from emwheels.image.places import DEBUG_SHELL, WORK
from emwheels.image.terminal import has_terminal
from emwheels.image.watch import limit_message

if TYPE_CHECKING:
    from collections.abc import Sequence

    from emwheels.build.kept import Kept
    from emwheels.image.model import Image
    from emwheels.target.limits import Limits

_LOGS = ("CMakeConfigureLog.yaml", "CMakeError.log", "CMakeOutput.log", "meson-log.txt", "config.log")
_MOST_LOGS = 20
_LONGEST_LINE = 1 << 16
_TERMINAL = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+-]{0,40}")
_FOLDERS = ("--recipe-dir", f"{WORK}/packages", "--build-dir", f"{WORK}/build")


def debug(kept: Kept, image: Image, *, cache: Path, command: Sequence[str], limits: Limits) -> int:
    """Open a shell in what was kept of a build, or run ``command`` there, and return the exit status.

    Without a terminal there has to be a command. Time is not limited for a person at a terminal, all else is. Raises
    `UsageError`, and `BuildError` for a command that reached a limit.
    """
    name = kept.folder.name
    if not command and not has_terminal():
        raise UsageError(
            "there is no terminal to open a shell at", hint=f"give a command: emwheels debug {name} -- COMMAND"
        )
    with held(cache, name) as ours:
        if not ours:
            raise UsageError(f"{name}: somebody is in its work folder already", hint="leave that shell first")
        touch(kept)
        argv, mounts = _call(kept, command)
        seen = kept.surroundings
        if has_terminal():
            without_time = replace(limits, time=0, idle=0)
            done = image.attach(argv, mounts=mounts, env=seen.env, cwd=seen.cwd, limits=without_time)
            status, reached = done.status, done.reached
        else:
            status, reached = _unattended(image, argv, mounts, kept, limits)
    if reached:
        raise BuildError(f"{name} was {limit_message(reached, limits)}")
    return status if status >= 0 else 128 - status


def _call(kept: Kept, command: Sequence[str]) -> tuple[list[str], list[Mount]]:
    spelling = kept.surroundings.spelling
    with Door(kept.folder / "inside") as door:
        again = door.has_folder(tree_of(spelling, kept.inputs["recipe"]["package"]))
        logs = _logs(door)
    failed = failed_command(Path(kept.log)) if kept.phase != PREPARED else ""
    given = {
        "spelling": spelling,
        "again": again,
        "failed": failed,
        "logs": ([f"{kept.log} (outside of this sandbox)"] if kept.phase != PREPARED else []) + logs,
        "terminal": _terminal(),
        "arguments": _FOLDERS,
    }
    program = Path(__file__).parents[1] / "build" / "inside" / Path(DEBUG_SHELL).name
    argv = ["/bin/sh", "-c", SAME_ADDRESSES, kept.surroundings.personality]
    argv += ["python3", DEBUG_SHELL, json.dumps(given), *command]
    return argv, [*kept.surroundings.mounts, Mount(host=program, inside=DEBUG_SHELL)]


def _logs(door: Door) -> list[str]:
    """Return the logs of build systems below a work folder, as the sandbox has them."""
    try:
        found = [left.path for left in door.files("build") if left.path.rpartition("/")[2] in _LOGS]
    except DoorError:
        return []
    return [f"{WORK}/{path}" for path in found[:_MOST_LOGS]]


def _unattended(
    image: Image, argv: Sequence[str], mounts: Sequence[Mount], kept: Kept, limits: Limits
) -> tuple[int, str]:
    """Run without a terminal: bytes to a file or a pipe as they are, and nothing that acts to a terminal."""
    seen = kept.surroundings
    process = image.start(argv, mounts=mounts, env=seen.env, cwd=seen.cwd, stderr=subprocess.PIPE, limits=limits)
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdin.close()
    errors = threading.Thread(target=_copy, args=(process.stderr, sys.stderr), daemon=True)
    errors.start()
    try:
        _copy(process.stdout, sys.stdout)
        errors.join()
        status = process.wait()
    finally:
        process.kill()
    return status, process.reached


def _copy(source: IO[bytes], out: TextIO) -> None:
    """Copy bytes as they are, but for a terminal as what they show."""
    for line in iter(lambda: source.readline(_LONGEST_LINE), b""):
        if out.isatty():
            out.write(visible(line.decode(errors="replace")))
        else:
            os.write(out.fileno(), line)


def _terminal() -> str:
    """Return what the terminal is called, if that is a plain name."""
    name = os.environ.get("TERM", "")
    return name if _TERMINAL.fullmatch(name) else "dumb"
