"""Where a worker of a Dask cluster enters: what is sent there, and whether it is the same emwheels as here.

Dask cannot tell of what a worker fails to unpickle: the task hangs. So the work goes as bytes, to a function that every
Python has, and is unpickled where an exception is an answer.
"""

from __future__ import annotations

import hashlib
import os
import pickle
import platform
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import emwheels

if TYPE_CHECKING:
    from collections.abc import Callable

_HERE = "__import__('emwheels.schedule.entry', fromlist=['call'])"
CALL = f"{_HERE}.call(payload, expected)"
DESCRIBE = f"{_HERE}.described()"
"""For `eval` on a worker, with the names `packed` gives it: one without this module answers with an exception."""


class OtherEmwheelsError(RuntimeError):
    """A worker runs other code than the machine that sends it work."""


@cache
def described() -> str:
    """Return version and digest of the library that runs here, and Python's version: what both sides must share."""
    root = Path(emwheels.__file__).parent
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            digest.update(f"{path.relative_to(root)}\0".encode())
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    python = ".".join(platform.python_version_tuple()[:2])
    return f"emwheels {emwheels.__version__} ({digest.hexdigest()[:12]}) on Python {python}"


def packed(function: Callable[[], Any]) -> dict[str, Any]:
    """Return what `CALL` needs to call ``function`` on a worker."""
    import cloudpickle  # noqa: PLC0415 - comes with Dask, which is an optional dependency

    return {"payload": cloudpickle.dumps(function), "expected": described()}


def call(payload: bytes, expected: str) -> Any:
    """Call what `packed` has packed. Raises `OtherEmwheelsError` before that where the code is not the same."""
    if described() != expected:
        where = f"{os.uname().nodename}, process {os.getpid()}"
        raise OtherEmwheelsError(f"{where} has {described()}, not {expected}")
    return pickle.loads(payload)()  # noqa: S301 - from the client, whose code a worker runs anyway
