"""The embedded images: Debian root file systems that are kept in the user's cache, and what each of them is."""

from __future__ import annotations

import hashlib
import importlib.resources
import json
import platform
import re
import weakref
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from emwheels.image.debs import pinned
from emwheels.image.holding import in_use
from emwheels.image.rootfs import RootFs, usable_method
from emwheels.target import BuildImagePins, RustPins

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from emwheels.target import ImagePins

PATH_INSIDE = "/usr/share/emscripten:/usr/lib/llvm-{llvm}/bin:/usr/bin:/bin"
"""Emscripten's own folder comes first: Debian's links to it in /usr/bin do not find their tools."""

LEFT_OUT = ("/usr/share/locale/*", "/usr/share/man/*", "/usr/share/info/*")
"""What of Debian's packages nobody reads in an image: a tenth of it."""
RECORD = "image.json"
"""The file beside an image's root file system that says what it is."""
REQUIREMENTS = "pyodide-build.txt"
"""The file of this room that pins pyodide-build and what it needs, by hash."""
MARK = "opt/emwheels/digest"
"""The file in it that has its digest."""
PACKAGES = "opt/emwheels/packages"
"""The file in it that lists its packages and their versions: its digest is made of them."""


@dataclass(frozen=True, kw_only=True)
class ImageRecord:
    """What an image is; kept beside it and shown by ``emwheels image``."""

    key: str
    digest: str
    suite: str
    packages: dict[str, str]
    """Debian package -> version."""


def environment(pins: ImagePins) -> tuple[tuple[str, str], ...]:
    """Return what every command in the image sees."""
    everywhere = (("HOME", "/tmp"), ("LANG", "C.UTF-8"))  # noqa: S108  fresh for each command
    if not isinstance(pins, BuildImagePins):
        return (("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"), *everywhere)
    return (
        ("PATH", PATH_INSIDE.format(llvm=pins.llvm)),
        *everywhere,
        ("EM_CACHE", "/opt/emwheels/emscripten-cache"),
        ("EM_FROZEN_CACHE", "1"),
    )


def data(name: str) -> str:
    """Return the text of a file of this room."""
    return importlib.resources.files("emwheels.image").joinpath(name).read_text()


def image_key(pins: ImagePins) -> str:
    """Return the hash of everything that the image is made from, as 64 hexadecimal digits."""
    inputs = {"pins": pins.identity(), "left out": LEFT_OUT}
    if isinstance(pins, BuildImagePins):
        inputs |= {
            "provision": data("inside/provision.sh"),
            "warm": data("inside/warm.sh"),
            "pyodide_build": data(REQUIREMENTS),
        }
    if isinstance(pins, RustPins):
        inputs |= {"rust": data("inside/rust.sh")}
    return hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()


def image_folder(cache: Path, pins: ImagePins) -> Path:
    """Return where the image for ``pins`` is kept: another folder for other packages that are pinned for it."""
    name = image_key(pins)
    if debs := pinned(pins, platform.machine()):
        name = hashlib.sha256(f"{name} {debs.digest}".encode()).hexdigest()
    return cache / "images" / name[:16]


def load_image(cache: Path, pins: ImagePins, *, method: str | None = None) -> tuple[RootFs, ImageRecord] | None:
    """Return the finished image for ``pins``, or None when there is none or a half-made one.

    It is in use, and is not replaced, for as long as somebody has what this returns.
    """
    folder = image_folder(cache, pins)
    with ExitStack() as stack:
        stack.enter_context(in_use(folder))
        record = read_record(folder)
        if record is None:
            return None
        root = folder / "rootfs"
        chosen = method or usable_method(root)
        image = RootFs(root=root, digest=record.digest, method=chosen, environment=environment(pins))
        weakref.finalize(image, stack.pop_all().close)
    return image, record


def read_record(folder: Path) -> ImageRecord | None:
    """Return the record of the image in ``folder``; None unless the root file system there is the one it names."""
    try:
        record = ImageRecord(**json.loads((folder / RECORD).read_text()))
        mark = (folder / "rootfs" / MARK).read_text().strip()
    except (OSError, ValueError, TypeError, RecursionError):
        return None
    texts = isinstance(record.packages, dict) and [record.key, record.digest, record.suite, *record.packages.values()]
    whole = texts and all(isinstance(text, str) for text in texts)
    return record if whole and mark == record.digest else None


def installed_packages(root: Path) -> dict[str, str]:
    """Return the versions of the packages in a root file system, by name."""
    lines = (root / PACKAGES).read_text().splitlines()
    return {name.split(":")[0]: version for name, _, version in (line.partition("\t") for line in lines)}


def version_problems(installed: Mapping[str, str], pins: BuildImagePins) -> list[str]:
    """Return in words where packages, name -> version, are not what ``pins`` ask of a build image."""
    emscripten = re.sub(r"[~+-].*", "", installed.get("emscripten", "none").rpartition(":")[2])
    problems = []
    if emscripten != pins.emscripten:
        problems.append(f"Emscripten {emscripten} instead of {pins.emscripten}")
    if f"clang-{pins.llvm}" not in installed:
        compilers = sorted(name for name in installed if re.fullmatch(r"clang-\d+", name))
        problems.append(f"LLVM {', '.join(compilers) or 'none'} instead of clang-{pins.llvm}")
    problems += [f"no Python {python}" for python in pins.pythons if f"python{python}" not in installed]
    return problems


def record_of(pins: ImagePins, packages: dict[str, str]) -> ImageRecord:
    """Return the record of an image that is made for ``pins`` and holds these ``packages``."""
    key = image_key(pins)
    content = json.dumps({"key": key, "packages": packages}, sort_keys=True)
    digest = f"sha256:{hashlib.sha256(content.encode()).hexdigest()}"
    return ImageRecord(key=key, digest=digest, suite=pins.suite, packages=packages)
