"""Run a program of the user's in Pyodide in Node, inside the test image: a script, a module, code, or a prompt."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
import tempfile
import threading
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, TYPE_CHECKING

import emwheels.harness
from emwheels.errors import HarnessError, UsageError
from emwheels.image.door import Door
from emwheels.image.model import Mount
from emwheels.image.places import HARNESS, NODE, PROGRAM, PROGRAMS, RUNTIME, STAGE
from emwheels.image.terminal import has_terminal

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from emwheels.image.model import Image
    from emwheels.pipeline.environment import Environment
    from emwheels.target.limits import Limits

MOST_BYTES, MOST_FILES = 1 << 30, 20_000
"""What the folders of a program may have."""
_LEFT_OUT = frozenset({"__pycache__", "node_modules"})
_EMPTY = "/home/pyodide"
"""Where a program without files of its own is."""
_AT_ONCE = 1 << 16
_JSPI = "--experimental-wasm-jspi"
"""Lets WebAssembly wait for JavaScript (Node 24), for asyncio.run and pyodide.ffi.run_sync."""


@dataclass(frozen=True, kw_only=True)
class Program:
    """What is to run, and with which files of the host."""

    words: tuple[str, ...]
    """As they stand behind ``python``; none: a prompt. A script is named relative to ``folder``."""
    folder: Path | None = None
    """Seen by the program at this very path, as a copy."""
    environment: tuple[tuple[str, str], ...] = ()
    save: Path | None = None
    """Where what it writes in its folder is copied to."""


@dataclass(frozen=True)
class _State:
    size: int
    changed: int


def run_program(
    program: Program,
    environment: Environment,
    wheels: Mapping[str, Path],
    *,
    limits: Limits,
    network: bool = False,
) -> int:
    """Run it with ``wheels``, files by name, installed, on the streams of this process, and return its exit status.

    Raises `UsageError` for a folder with too much in it, `HarnessError` if a limit is reached.
    """
    with tempfile.TemporaryDirectory(prefix="emwheels-program-") as name:
        stage, copy = Path(name) / "stage", Path(name) / "program"
        stage.mkdir()
        copy.mkdir()
        before = copy_folder(program.folder, copy) if program.folder else {}
        for filename, wheel in wheels.items():
            shutil.copyfile(wheel, stage / filename)
        (stage / "job.json").write_text(json.dumps(_job(program, [*wheels])), encoding="utf-8")
        mounts = [
            Mount(host=environment.runtime, inside=RUNTIME),
            Mount(host=Path(emwheels.harness.__file__).parent / "inside", inside=HARNESS),
            Mount(host=stage, inside=STAGE),
            Mount(host=copy, inside=PROGRAM, writable=True),
        ]
        status = _run(environment.test_image, mounts, limits, network=network)
        if program.save is not None:
            _save(copy, before, program.save)
        return status


def _job(program: Program, wheels: Sequence[str]) -> dict[str, object]:
    return {
        "runtime": RUNTIME,
        "wheels": STAGE,
        "files": list(wheels),
        "program": f"{HARNESS}/program.py",
        "folder": PROGRAM if program.folder else "",
        "inside": str(program.folder) if program.folder else _EMPTY,
        "words": list(program.words),
        "environment": dict(program.environment),
    }


def copy_folder(folder: Path, copy: Path) -> dict[str, _State]:
    """Copy what a program may need of ``folder``, and return what is there by its path.

    Left out are hidden files, links that lead out, and what other programs made. Raises `UsageError` for too much.
    """
    states: dict[str, _State] = {}
    size = 0
    for path in _files(folder):
        size += path.stat().st_size
        if size > MOST_BYTES or len(states) >= MOST_FILES:
            raise UsageError(
                f"{folder} has more than {MOST_FILES:,} files or {MOST_BYTES >> 30} GB, and all would be copied",
                hint="put the program in a folder of its own, or name what it needs: --mount FOLDER",
            )
        relative = path.relative_to(folder)
        target = copy / relative
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, target)
        states[relative.as_posix()] = _state(target.stat())
    return states


def _files(folder: Path) -> Iterator[Path]:
    for here, names, files in os.walk(folder):
        names[:] = sorted(name for name in names if not name.startswith(".") and name not in _LEFT_OUT)
        for file in sorted(files):
            path = Path(here, file)
            if not file.startswith(".") and stat.S_ISREG(path.lstat().st_mode) and os.access(path, os.R_OK):
                yield path


def _state(seen: os.stat_result) -> _State:
    return _State(seen.st_size, seen.st_mtime_ns)


def _save(copy: Path, before: Mapping[str, _State], to: Path) -> None:
    """Copy to ``to`` what the program made or changed."""
    with Door(copy) as door:
        for left in door.files():
            if left.link is not None or "__pycache__" in left.path.split("/"):
                continue
            if before.get(left.path) == _state((copy / left.path).lstat()):
                continue
            target = to / left.path
            target.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(prefix=".emwheels-", dir=target.parent) as name:
                door.take(left.path, Path(name) / "file")
                (Path(name) / "file").replace(target)


def _run(image: Image, mounts: Sequence[Mount], limits: Limits, *, network: bool) -> int:
    argv = (NODE, _JSPI, f"{HARNESS}/run_python.mjs", f"{STAGE}/job.json")
    env = {"HOME": "/tmp", "PATH": PROGRAMS, "LANG": "C.UTF-8"}  # noqa: S108  (fresh /tmp)
    if has_terminal() and not network:
        done = image.attach(argv, mounts=mounts, env=env, limits=replace(limits, idle=0))
        status, reached = done.status, done.reached
    else:
        status, reached = _piped(image, argv, mounts, env, limits, network=network)
    if reached:
        raise HarnessError(
            f"the program was stopped at the limit `{reached}`", hint=f"raise it with --limit {reached}=VALUE"
        )
    return status if status >= 0 else 128 - status


def _piped(
    image: Image, argv: Sequence[str], mounts: Sequence[Mount], env: Mapping[str, str], limits: Limits, *, network: bool
) -> tuple[int, str]:
    """Run without a terminal: bytes to and from this process's streams as they are."""
    process = image.start(argv, mounts=mounts, env=env, network=network, stderr=subprocess.PIPE, limits=limits)
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    threading.Thread(target=_copy, args=(_standard_input(), process.stdin), daemon=True).start()
    errors = threading.Thread(target=_copy, args=(process.stderr, sys.stderr.fileno()), daemon=True)
    errors.start()
    try:
        _copy(process.stdout, sys.stdout.fileno())
        errors.join()
        status = process.wait()
    finally:
        process.kill()
    return status, process.reached


def _standard_input() -> IO[bytes] | None:
    return None if sys.stdin is None or sys.stdin.isatty() else sys.stdin.buffer


def _copy(source: IO[bytes] | None, target: IO[bytes] | int) -> None:
    """Copy until one side ends, and close a pipe then."""
    try:
        while source is not None and (data := os.read(source.fileno(), _AT_ONCE)):
            if isinstance(target, int):
                os.write(target, data)
            else:
                target.write(data)
                target.flush()
    except (OSError, ValueError):
        pass  # nobody reads any more
    finally:
        if not isinstance(target, int):
            target.close()
