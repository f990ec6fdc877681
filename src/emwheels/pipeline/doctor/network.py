"""The registries as this machine is configured, each asked for what a build needs of it. No registry is named here."""

from __future__ import annotations

import lzma
import platform
import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from emwheels.errors import FetchError, ImageError, without_secrets
from emwheels.fetch.pip_configuration import pip_configuration
from emwheels.fetch.registries import parse_purl
from emwheels.image.debs import ARCHITECTURES
from emwheels.image.offer import compiler_fault
from emwheels.image.supply import SNAPSHOT
from emwheels.pipeline.doctor.model import Observation, fault, observed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from emwheels.fetch.download import Downloader
    from emwheels.fetch.registries import Registries
    from emwheels.target import BuildImagePins, Target

_CHECK_NETWORK = "check the network, HTTPS_PROXY and SSL_CERT_FILE"


def package_index(registries: Registries, version: str, *, needed: bool) -> Observation:
    """Return whether pip's indexes answer and have the pyodide-build ``version`` of the build image."""
    try:
        addresses = ", ".join(map(without_secrets, pip_configuration().index_urls)) or "no index"
        versions = {offer.version for offer in registries.offers("pyodide-build")}
    except FetchError as error:
        return fault("PyPI", error.message, error.hint or f"{_CHECK_NETWORK}, or set PIP_INDEX_URL", stops=needed)
    if version not in versions:
        hint = "point pip at an index that has it (PIP_INDEX_URL)"
        return fault("PyPI", f"{addresses} has no pyodide-build {version}", hint, stops=needed)
    return observed("PyPI", f"{addresses} has pyodide-build {version}")


def npm(registries: Registries, target: Target, *, needed: bool) -> Observation:
    """Return whether the npm registry answers and has the target's Pyodide."""
    try:
        (resource, *_) = registries.candidates(parse_purl(target.runtime), target.runtime_sha256)
    except FetchError as error:
        return fault("npm", error.message, error.hint or f"{_CHECK_NETWORK}, or set npm_config_registry", stops=needed)
    return observed("npm", f"{without_secrets(resource.url)} for Pyodide {target.name}")


def debian_suite(
    mirror: str, pins: BuildImagePins, get: Callable[[str], bytes], *, needed: bool, now: datetime
) -> Iterator[Observation]:
    """Yield whether the mirror has the suite, and whether that still offers the versions of the build image."""
    name = f"Debian {pins.suite}"
    if not mirror:
        hint = "set EMWHEELS_DEBIAN_MIRROR to have it checked"
        yield fault(name, "this machine's apt names no mirror: mmdebstrap takes its own default", hint)
        return
    base, shown = f"{mirror.rstrip('/')}/dists/{pins.suite}", without_secrets(mirror)
    try:
        made = _made(get(f"{base}/InRelease"))
        machine = platform.machine()
        packages = read_packages(get(f"{base}/main/binary-{ARCHITECTURES.get(machine, machine)}/Packages.xz"))
    except (FetchError, OSError, lzma.LZMAError) as error:
        hint = f"{_CHECK_NETWORK}, or name another mirror in EMWHEELS_DEBIAN_MIRROR"
        yield fault(name, f"{shown}: {getattr(error, 'message', error)}", hint, stops=needed)
        return
    day = f", list of {made:%Y-%m-%d}" if made else ""
    if made and made > now:
        yield fault("clock", f"Debian's list is of {made:%Y-%m-%d %H:%M} UTC, which is to come", "set the clock")
    offered = offered_toolchain(packages, pins)
    listed = f"{shown}{day}: " + ", ".join(f"{each} {offered[each]}" for each in sorted(offered))
    try:
        newer = compiler_fault(offered, pins)
    except ImageError as error:
        hint = f"name a mirror that has the pinned packages ({SNAPSHOT}), or load a saved image"
        yield fault(name, f"{listed}; {error.message}", hint, stops=needed)
        return
    if newer:
        yield fault(
            name,
            f"{listed}; {newer}",
            "a build proves it before it uses it; to prove it now: emwheels image try",
        )
    else:
        yield observed(name, listed)


def offered_toolchain(packages: Mapping[str, Mapping[str, str]], pins: BuildImagePins) -> dict[str, str]:
    """Return the versions of Emscripten, of the LLVM that it depends on, and of the Pythons, where they are offered."""
    depends = packages.get("emscripten", {}).get("Depends", "")
    names = ["emscripten", *re.findall(r"\bclang-\d+\b", depends), *(f"python{each}" for each in pins.pythons)]
    return {name: packages[name]["Version"] for name in names if name in packages}


_WANTED = re.compile(rb"(?m)^Package: (emscripten|clang-\d+|python3\.\d+)\n(?:.+\n)*")


def read_packages(compressed: bytes) -> dict[str, dict[str, str]]:
    """Return the fields of the packages of the toolchain in a Packages.xz (Debian's repository format, "Packages")."""
    packages = {}
    for paragraph in _WANTED.finditer(lzma.decompress(compressed)):
        lines = (line.partition(": ") for line in paragraph[0].decode(errors="replace").splitlines())
        packages[paragraph[1].decode()] = {key: value for key, _, value in lines}
    return packages


def read_address(url: str, downloader: Downloader) -> bytes:
    """Return what is at an address, which may be a folder of this machine as apt names one."""
    parts = urlsplit(url)
    if parts.scheme in {"file", "copy"}:
        return Path(unquote(parts.path)).read_bytes()
    return downloader.get(url).content


def _made(release: bytes) -> datetime | None:
    date = re.search(rb"(?m)^Date: (.+)$", release)
    try:
        return parsedate_to_datetime(date[1].decode().strip()).astimezone(UTC) if date else None
    except ValueError:
        return None
