"""What a target needs beside the image: its npm runtime, its cross-build environment, the browser driver."""

from __future__ import annotations

import hashlib
import importlib.resources
import os
import re
import shutil
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from emwheels.archive import unpack
from emwheels.image.crossenv import CrossEnvInputs, make_crossenv

if TYPE_CHECKING:
    from collections.abc import Callable

    from emwheels.fetch import Fetcher
    from emwheels.target import Target


@dataclass(frozen=True, kw_only=True)
class Toolchain:
    """The folders of one target that are mounted into the image, and a key that changes when they do."""

    runtime: Path
    """The npm package ``pyodide``."""
    crossenv: Path
    key: str

    def module_flags(self) -> tuple[str, str]:
        """Return the compile and link flags that pyodide-build gives side modules, without its optimisation.

        The same as ``pyodide config get cflags`` and ``ldflags`` less ``-Oz`` (pyodide-build 0.39.2), without
        starting it.
        """
        text = (self.crossenv / "xbuildenv" / "pyodide-root" / "Makefile.envs").read_text()
        exported = dict(re.findall(r"(?m)^export (\w+)=(.*)$", text))
        cflags = f"{exported['CFLAGS_BASE']} -I{exported['PYTHONINCLUDE']}"
        return cflags, f"{exported['LDFLAGS_BASE']} -s SIDE_MODULE=1"


def toolchain_key(target: Target, image_digest: str) -> str:
    """Return what changes when the cross-build environment does: target, image (headers) and the code making it."""
    maker = importlib.resources.files("emwheels.image").joinpath("crossenv.py").read_bytes()
    text = f"{sorted(asdict(target).items())}\n{image_digest}\n".encode()
    return hashlib.sha256(text + maker).hexdigest()


def npm_package(purl: str, sha256: str, fetcher: Fetcher, cache: Path) -> Path:
    """Return the unpacked npm package, fetched and verified if it is not there yet."""
    folder = cache / "npm" / sha256[:24]
    if not folder.is_dir():
        fetched = fetcher.fetch(purl, sha256)
        _make_once(folder, lambda making: unpack(fetched.path, making, strip_single_top=True))
    return folder


def make_toolchain(target: Target, *, image_root: Path, image_digest: str, fetcher: Fetcher, cache: Path) -> Toolchain:
    """Return the toolchain of ``target``, made if it is not there yet. Raises `FetchError` and `ImageError`."""
    runtime = npm_package(target.runtime, target.runtime_sha256, fetcher, cache)
    key = toolchain_key(target, image_digest)
    folder = cache / "xbuildenvs" / key[:24]
    inputs = CrossEnvInputs(runtime=runtime, headers=image_root / "opt/emwheels/headers/usr/include")
    _make_once(folder, lambda making: make_crossenv(target, inputs, making))
    return Toolchain(runtime=runtime, crossenv=folder, key=key)


def _make_once(folder: Path, make: Callable[[Path], object]) -> None:
    """Have ``make`` fill a folder beside ``folder`` and rename it: the folder is whole or it is not there."""
    if folder.is_dir():
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        making = temporary / "made"
        make(making)
        try:
            making.rename(folder)
        except OSError:
            if not folder.is_dir():  # another process may have been first
                raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    os.utime(folder)
