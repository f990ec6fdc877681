"""Which packages an image is made of: those that are pinned, else what the suite has now, if that may be used."""

from __future__ import annotations

import os
import re
import shlex
import tempfile
from contextlib import suppress
from dataclasses import dataclass, replace
from importlib.resources import as_file, files
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.version import InvalidVersion, Version

from emwheels.atomic import read_regular
from emwheels.errors import ImageError, keep_secrets_of
from emwheels.image.debs import DebSet, moved, read_records
from emwheels.image.host_tools import require_host_tools, run_to_end
from emwheels.image.moved import PACKAGES, PROGRAMS, is_accepted
from emwheels.image.rust import SOURCES, check_version
from emwheels.image.supply import MIRROR, SNAPSHOT
from emwheels.target import BuildImagePins, RustPins

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from emwheels.image.supply import Supply
    from emwheels.target import ImagePins

_RECORDS = 32 << 20
_SECONDS = 900
"""How long apt may ask."""
_LISTS = ("offered", "taken")
"""The files that the script writes."""
_SCRIPT = files("emwheels.image").joinpath("inside/offered.sh")


@dataclass(frozen=True, kw_only=True)
class Choice:
    """What an image is to be made of."""

    pins: ImagePins
    """Those that were asked for, or with another compiler, which has to be proven."""
    debs: DebSet
    news: str = ""
    """In one line, why these are not the packages that are pinned."""
    proof: str = ""
    """What a compiler that is not the pinned one has to pass: `PROGRAMS`, `PACKAGES`, or nothing."""


def choose(pins: ImagePins, debs: DebSet | None, supply: Supply, suite: Callable[[], DebSet]) -> Choice:
    """Return what an image is made of: ``debs``, which are pinned, if they can be had, else what ``suite`` has now.

    Raises `ImageError` when neither can be used, with the reasons.
    """
    if debs is None:
        return accepted(pins, suite())
    lacking = supply.lacking(debs)
    if not lacking:
        return Choice(pins=pins, debs=debs)
    if supply.faults:  # who did not answer may have them
        faults = "".join(f"\n{kind}: {fault}" for kind, fault in supply.faults.items())
        raise ImageError(
            f"{len(lacking)} of the pinned packages cannot be had, as not every place answered:{faults}",
            hint=f"check the network, or name a place that has them in {MIRROR}",
        )
    try:
        offer = suite()
        choice = accepted(pins, offer)
    except ImageError as error:
        raise ImageError(
            f"{_missing(lacking)}, and Debian {pins.suite} as it is cannot take their place: {error.message}",
            hint=f"name a mirror that has them in {SNAPSHOT}, or load a saved image (emwheels image load FILE)",
        ) from error
    if choice.news:
        return choice
    count = len(moved(debs, offer))
    return replace(choice, news=f"{_missing(lacking)}: the suite as it is now is used, {count} packages differ")


def _missing(lacking: Sequence[object]) -> str:
    return f"Debian has moved on, {len(lacking)} of the pinned packages are nowhere any more"


def accepted(pins: ImagePins, offer: DebSet) -> Choice:
    """Return the choice of what a suite offers. Raises `ImageError` where its compiler may not be used."""
    if isinstance(pins, RustPins):
        check_version(offer, pins)
    if not isinstance(pins, BuildImagePins):
        return Choice(pins=pins, debs=offer)
    newer = compiler_fault(offer.versions, pins)
    if not newer:
        return Choice(pins=pins, debs=offer)
    emscripten, llvm = compiler(offer.versions, pins.suite)
    same = Version(emscripten).release[:2] == Version(pins.emscripten).release[:2] and llvm == pins.llvm
    return Choice(
        pins=replace(pins, emscripten=emscripten, llvm=llvm),
        debs=offer,
        news=f"Debian has moved on: {newer}, which has to be proven",
        proof=PROGRAMS if same else PACKAGES,
    )


def compiler_fault(versions: Mapping[str, str], pins: BuildImagePins) -> str:
    """Return in words how the compiler differs that packages are, if it may take the pinned one's place; else nothing.

    Raises `ImageError` where it may not.
    """
    if lacking := [f"python{python}" for python in pins.pythons if f"python{python}" not in versions]:
        raise ImageError(f"Debian {pins.suite} has no {' and no '.join(lacking)}")
    emscripten, llvm = compiler(versions, pins.suite)
    if (emscripten, llvm) == (pins.emscripten, pins.llvm):
        return ""
    if not is_accepted(emscripten, pins):
        raise ImageError(
            f"Debian {pins.suite} has Emscripten {emscripten}, and image.build.accepted of targets.toml "
            f"{f'is {pins.accepted}' if pins.accepted else 'accepts no other than the pinned one'}",
            hint=f"name a mirror that has the pinned packages in {SNAPSHOT} or {MIRROR}",
        )
    return f"Emscripten {emscripten} with LLVM {llvm} instead of {pins.emscripten} with {pins.llvm}"


def compiler(versions: Mapping[str, str], suite: str) -> tuple[str, str]:
    """Return the versions of Emscripten and of its LLVM that packages are. Raises `ImageError` without one of them."""
    if "emscripten" not in versions:
        raise ImageError(f"Debian {suite} has no Emscripten")
    emscripten = re.sub(r"[~+-].*", "", versions["emscripten"].rpartition(":")[2])
    with suppress(InvalidVersion):
        llvms = sorted(int(name.removeprefix("clang-")) for name in versions if re.fullmatch(r"clang-\d{1,4}", name))
        if llvms:
            return str(Version(emscripten)), str(llvms[-1])
        raise ImageError(f"Debian {suite} has no clang for Emscripten")
    raise ImageError(f"the Emscripten of Debian {suite} is {versions['emscripten']!r}, which is no version")


def taken_packages(pins: ImagePins) -> list[str]:
    """Return the packages of which only files are taken: the headers of each Python, npm's registry, Rust's sources."""
    if isinstance(pins, RustPins):
        return [*SOURCES]
    return [*(f"libpython{python}-dev" for python in pins.pythons), "npm"] if isinstance(pins, BuildImagePins) else []


def offered(pins: ImagePins, mirror: str, *, say: Callable[[str], None], trusted: bool = False) -> DebSet:
    """Ask apt what ``mirror`` has now for an image: what it would install, and the files that are taken.

    ``mirror`` is an address, or empty for mmdebstrap's default; apt verifies its signature, unless it is ``trusted``.
    Raises `ImageError` with what apt says.
    """
    require_host_tools(say)
    keep_secrets_of(mirror)
    say(f"Debian {pins.suite}: which packages there are now")
    line = f"deb {'[trusted=yes] ' if trusted else ''}{mirror} {pins.suite} main" if mirror else ""
    with tempfile.TemporaryDirectory(prefix="emwheels-suite-") as scratch, as_file(_SCRIPT) as script:
        folder = Path(scratch)
        sources = folder / "sources.list"  # not in a list of processes: it may have a password
        sources.write_text(f"{line}\n")
        asked = [" ".join(taken_packages(pins)), "apt", *sorted(pins.packages)]
        command = [
            "mmdebstrap",
            f"--mode={'root' if os.geteuid() == 0 else 'unshare'}",
            "--variant=custom",
            '--aptopt=Acquire::Check-Valid-Until "false"',
            '--aptopt=Acquire::Retries "5"',
            '--aptopt=Apt::Install-Recommends "false"',
            f"--setup-hook=upload {shlex.quote(str(script))} /offered.sh",
            f'--customize-hook=sh "$1/offered.sh" "$1" {shlex.join(asked)}',
            *(f"--customize-hook=download /{name} {shlex.quote(str(folder / name))}" for name in _LISTS),
            pins.suite,
            os.devnull,
            *([str(sources)] if line else []),
        ]
        with (folder / "said").open("w+b") as said:
            status = run_to_end(command, said, seconds=_SECONDS)
            said.seek(0)
            words = said.read(_RECORDS).decode(errors="replace")
        if status:
            raise ImageError(f"apt does not say what it has:\n{_faults(words)}")
        lists = [read_records(read_regular(folder / name, limit=_RECORDS).decode()) for name in _LISTS]
    return DebSet(installed=lists[0], taken=lists[1])


def beyond(pins: RustPins, image: ImagePins, ask: Callable[[ImagePins], DebSet]) -> DebSet:
    """Return what a suite has for a layer over ``image``: what both need together, less what the image has.

    ``ask`` is `offered`, but for the pins.
    """
    both = ask(replace(pins, packages={**image.packages, **pins.packages}))
    there = ask(image).versions
    return replace(both, installed=tuple(deb for deb in both.installed if deb.name not in there))


def _faults(said: str) -> str:
    """Return the last lines of what apt and mmdebstrap said against something."""
    lines = said.splitlines()
    return "\n".join(([line for line in lines if line.startswith(("E:", "Err:"))] or lines)[-5:])
