"""What a target needs beside the image: its npm runtime, its cross-build environment, the browser driver."""

from __future__ import annotations

import hashlib
import importlib.resources
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from emwheels.atomic import make_once
from emwheels.image.toolchain import emsdk
from emwheels.image.toolchain.crossenv import INSIDE, CrossEnvInputs, make_crossenv

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from emwheels.fetch.fetcher import Fetcher
    from emwheels.image.model import Image
    from emwheels.target import Target


TOOLCHAINS = ("debian", "emsdk")
"""Debian's Emscripten with a cross-build environment made here, or each target's exact one from upstream."""


@dataclass(frozen=True, kw_only=True)
class Toolchain:
    """The folders of one target that are mounted into the image, and a key that changes when they do."""

    crossenv: Path
    """Mounted at `emwheels.image.toolchain.crossenv.INSIDE`."""
    key: str
    name: str = "debian"

    def module_flags(self) -> tuple[str, str]:
        """Return the compile and link flags that pyodide-build gives side modules, without its optimisation.

        The same as ``pyodide config get cflags`` and ``ldflags`` less ``-Oz`` (pyodide-build 0.39.2), without
        starting it.
        """
        if self.name == "emsdk":
            flags = json.loads((self.crossenv / "flags.json").read_text())
            return flags["cflags"], flags["ldflags"]
        text = (self.crossenv / "xbuildenv" / "pyodide-root" / "Makefile.envs").read_text()
        exported = dict(re.findall(r"(?m)^export (\w+)=(.*)$", text))
        cflags = f"{exported['CFLAGS_BASE']} -I{exported['PYTHONINCLUDE']}"
        # lld-21 warns about -shared without it, which pyodide-build makes fatal.
        return cflags, f"{exported['LDFLAGS_BASE']} -s SIDE_MODULE=1 -Wl,--experimental-pic"

    def environment(self, python_minor: str, image_path: str) -> dict[str, str]:
        """Return what a build sees of this toolchain."""
        if self.name == "emsdk":
            return emsdk.toolchain_environment(python_minor)
        return {
            "PATH": f"/opt/emwheels/python{python_minor}/bin:{image_path}",
            "PYODIDE_ROOT": f"{INSIDE}/xbuildenv/pyodide-root",
            # Debian has one Emscripten for all targets; the audit checks what comes out of it.
            "SKIP_EMSCRIPTEN_VERSION_CHECK": "1",
        }


def toolchain_key(target: Target, image_digest: str, *, name: str = "debian") -> str:
    """Return what changes when the cross-build environment does: target, image (headers) and the code making it.

    Raises `ImageError` for an ``emsdk`` that is not pinned.
    """
    if name == "emsdk":
        return emsdk.emsdk_key(target, image_digest)
    maker = importlib.resources.files("emwheels.image").joinpath("toolchain/crossenv.py").read_bytes()
    text = f"{sorted(target.identity().items())}\n{image_digest}\n".encode()
    return hashlib.sha256(text + maker).hexdigest()


def make_toolchain(
    target: Target,
    *,
    runtime: Path,
    name: str,
    image: Image,
    image_root: Path,
    fetcher: Fetcher,
    cache: Path,
    say: Callable[[str], None],
    log: Path,
) -> Toolchain:
    """Return the toolchain ``name`` of ``target``, made if it is not there yet. Raises `FetchError`, `ImageError`.

    ``runtime`` is the unpacked npm package ``pyodide``, ``image_root`` a folder of the host that holds the image's
    ``/opt/emwheels/headers``.
    """
    key = toolchain_key(target, image.digest, name=name)
    folder = cache / "xbuildenvs" / key[:24]
    inputs = CrossEnvInputs(runtime=runtime, headers=image_root / "opt/emwheels/headers/usr/include")

    def make(making: Path) -> None:
        if name == "emsdk":
            emsdk.make_emsdk(target, making, image=image, fetcher=fetcher, say=say, log=log)
        else:
            make_crossenv(target, inputs, making)

    make_once(folder, make)
    return Toolchain(crossenv=folder, key=key, name=name)
