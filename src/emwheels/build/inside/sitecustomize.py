"""What is the same in every build: a path, and the kernel's name. Imported by every Python of a build.

A random path of pypa/build's isolated environment is in ``-I`` flags, so that ccache would hit nothing, and gets into
what packages record of their build, as the kernel does; ``uname`` beside this file is the program of the same answers.
"""

from __future__ import annotations

import os
import tempfile

_mkdtemp = tempfile.mkdtemp


def mkdtemp(suffix: str | None = None, prefix: str | None = None, dir: str | None = None) -> str:  # noqa: A002
    """Make a temporary folder: that for build requirements always has the same name, if it is free."""
    if prefix == "build-env-" and suffix is None and dir is None:
        path = os.path.join(tempfile.gettempdir(), "build-env-0")  # noqa: PTH118  (pathlib would be loaded each time)
        try:
            os.mkdir(path, 0o700)  # noqa: PTH102
        except FileExistsError:
            pass
        else:
            return path
    return _mkdtemp(suffix, prefix, dir)


tempfile.mkdtemp = mkdtemp  # type: ignore[assignment]


def uname() -> os.uname_result:
    """Return the machine as every build sees it."""
    return os.uname_result(("Linux", "emwheels", "6.12.0", "#1 SMP", _machine))


_machine = os.uname().machine
os.uname = uname
