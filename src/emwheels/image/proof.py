"""The first proof of a compiler that is not the pinned one: programs, and a side module in the target's Pyodide."""

from __future__ import annotations

import tempfile
from importlib.resources import as_file, files
from typing import TYPE_CHECKING

from emwheels.errors import ImageError
from emwheels.image.model import Mount

if TYPE_CHECKING:
    from pathlib import Path

    from emwheels.image.model import Image
    from emwheels.target import Target

_EXPECTED = {
    "plain": ("a program in C", "0.841471"),
    "exceptions": ("an exception of C++", "kept 2"),
    "jump": ("setjmp and longjmp", "7"),
    "simd": ("128-bit SIMD", "2 6 12 20"),
    "side": ("a side module in Pyodide", "1 -1 5 6"),
}
"""Program -> what it tries, and what it prints."""
_SECONDS = 600
_INSIDE = files("emwheels.image").joinpath("inside")


def prove_programs(image: Image, emscripten: str, target: Target, runtime: Path) -> None:
    """Compile and run the programs in ``image``, the last of them in the target's unpacked ``runtime``.

    Raises `ImageError` that says which of them does not do what it has to.
    """
    with (
        as_file(_INSIDE.joinpath("prove.sh")) as script,
        as_file(_INSIDE.joinpath("proof")) as programs,
        tempfile.TemporaryFile() as output,
    ):
        image.run(
            ["sh", "/mnt/prove.sh", " ".join(target.cflags), " ".join(target.ldflags)],
            mounts=[
                Mount(host=script, inside="/mnt/prove.sh"),
                Mount(host=programs, inside="/mnt/proof"),
                Mount(host=runtime, inside="/mnt/runtime"),
            ],
            output=output,
            seconds=_SECONDS,
        )
        output.seek(0)
        said = output.read().decode(errors="replace")
    if fault := fault_of(said, emscripten):
        tail = "\n".join(said.splitlines()[-5:])
        raise ImageError(f"Emscripten {emscripten} is not used: {fault}:\n{tail}")


def fault_of(said: str, emscripten: str) -> str:
    """Return which program did not do what it has to, from what ``prove.sh`` printed; empty when all did."""
    lines = dict(line.split(": ", 1) for line in said.splitlines() if ": " in line)
    if lines.get("version", "").partition("-")[0] != emscripten:
        return f"emcc says that it is {lines.get('version', 'nothing')!r}"
    for name, (words, expected) in _EXPECTED.items():
        if name not in lines:
            return f"{words} cannot be compiled and run"
        if lines[name] != expected:
            return f"{words} printed {lines[name]!r} instead of {expected!r}"
    return ""
