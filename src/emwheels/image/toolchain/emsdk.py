"""The ``emsdk`` toolchain: a target's exact Emscripten and upstream's cross-build environment, by pyodide-build.

pyodide-build downloads both and verifies neither (0.39.2). Here the four files are fetched first, held against the
sha256 that targets.toml pins, and given to ``pyodide xbuildenv install`` and ``install-emscripten`` in the image,
which has no network: the cross-build environment as a file URL, emsdk as a local git repository, and what emsdk would
download as files that it finds already there.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import tempfile
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emwheels.errors import FetchError, ImageError
from emwheels.fetch.archive import unpack
from emwheels.image.model import Mount
from emwheels.image.toolchain.crossenv import INSIDE
from emwheels.target import EmsdkPins, Pin

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from emwheels.fetch.fetcher import Fetched, Fetcher
    from emwheels.image.model import Image
    from emwheels.target import Target

ROOT = f"{INSIDE}/xbuildenv/pyodide-root"
EMSCRIPTEN = f"{INSIDE}/emsdk/upstream/emscripten"
_DOWNLOADS = "/mnt/downloads"
_REPOSITORY = "https://github.com/emscripten-core/emsdk.git"
"""What pyodide-build clones."""
_CROSSENV = "https://github.com/pyodide/pyodide/releases/download/{version}/xbuildenv-{version}.tar.bz2"
_SOURCE = "https://github.com/emscripten-core/emsdk/archive/refs/tags/{version}.tar.gz"
_RELEASES = "https://storage.googleapis.com/webassembly/emscripten-releases-builds"
_NOT_THERE = (OSError, ValueError, KeyError, TypeError, RecursionError)
"""What reading something out of a JSON file that anybody may have written raises where it is not there."""
_OTHER = "or take the other toolchain: --toolchain debian (the default), which needs package registries only"


@dataclass(frozen=True, kw_only=True)
class _Archives:
    """The four files, verified."""

    crossenv: Fetched
    source: Fetched
    binaries: Fetched
    node: Fetched


def emsdk_key(target: Target, image_digest: str) -> str:
    """Return the hash of what the toolchain is made of. Raises `ImageError` if targets.toml does not pin all of it."""
    pins = target.emsdk
    if not pins.complete:
        raise ImageError(
            f"targets.toml does not pin the emsdk toolchain of {target.name} yet",
            hint=f"emwheels image --toolchain emsdk --target {target.name} fetches its files and prints "
            f"the lines to write there; {_OTHER}",
        )
    made_by = [_data("toolchain/emsdk.py"), _data("inside/emsdk.sh"), _data("inside/warm.sh")]
    text = json.dumps([target.identity(), [pin.sha256 for pin in pins.by_name().values()], image_digest, *made_by])
    return hashlib.sha256(text.encode()).hexdigest()


def propose_pins(target: Target, fetcher: Fetcher) -> EmsdkPins:
    """Fetch the four files of ``target``, whatever they hash to, and return what would pin them.

    Where targets.toml pins one already, or upstream records its sha256 (the Emscripten binaries, in emsdk's own
    ``bazel/revisions.bzl``), the file has to be that one. Raises `FetchError`, `ImageError`.
    """
    pins = target.emsdk
    crossenv = _fetch(pins.crossenv, _CROSSENV.format(version=target.name), fetcher)
    source = _fetch(pins.source, _SOURCE.format(version=target.emscripten), fetcher)
    with tempfile.TemporaryDirectory() as folder:
        tree = unpack(_linked(source, Path(folder)), Path(folder) / "emsdk", strip_single_top=True)
        release, recorded = _release(tree, target.emscripten)
        node = _node_archive(tree, release)
    pin = replace(pins.binaries, sha256=pins.binaries.sha256 or recorded)
    binaries = _fetch(pin, f"{_RELEASES}/linux/{release}/wasm-binaries.tar.xz", fetcher)
    node_archive = _fetch(pins.node, f"{_RELEASES}/deps/{node}", fetcher)
    return EmsdkPins(
        crossenv=Pin(url=pins.crossenv.url or _CROSSENV.format(version=target.name), sha256=crossenv.sha256),
        source=Pin(url=pins.source.url or _SOURCE.format(version=target.emscripten), sha256=source.sha256),
        binaries=Pin(
            url=pins.binaries.url or f"{_RELEASES}/linux/{release}/wasm-binaries.tar.xz", sha256=binaries.sha256
        ),
        node=Pin(url=pins.node.url or f"{_RELEASES}/deps/{node}", sha256=node_archive.sha256),
    )


def make_emsdk(
    target: Target, destination: Path, *, image: Image, fetcher: Fetcher, say: Callable[[str], None], log: Path
) -> None:
    """Install the toolchain of ``target`` at ``destination``, which must not exist.

    Raises `FetchError` when a file is not to be had or is not the pinned one, `ImageError` when a step fails; ``log``
    then holds its output.
    """
    pins = target.emsdk
    if not pins.complete:
        raise ImageError(f"targets.toml does not pin the emsdk toolchain of {target.name}")
    say(f"emsdk: cross-build environment {target.name}, Emscripten {target.emscripten}")
    archives = _Archives(**{name: _fetch(pin, pin.url, fetcher) for name, pin in pins.by_name().items()})
    destination.mkdir()
    log.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=destination.parent) as folder, log.open("wb") as output:
        given = Path(folder)
        _prepare(archives, given, target.emscripten)
        (given / "emsdk.sh").write_text(_data("inside/emsdk.sh"))
        (given / "warm.sh").write_text(_data("inside/warm.sh"))
        done = image.run(
            ["sh", "/mnt/given/emsdk.sh", target.emscripten],
            mounts=[
                Mount(host=destination, inside=INSIDE, writable=True),
                Mount(host=given, inside="/mnt/given", writable=True),
                Mount(host=given / "downloads", inside=_DOWNLOADS, writable=True),
            ],
            env=_environment(target),
            cwd="/mnt/given",
            output=output,
        )
    if done.status:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-8:])
        raise ImageError(f"the emsdk toolchain could not be installed:\n{tail}", hint=f"the whole output is in {log}")
    file = destination / "flags.json"
    printed = file.read_text() if file.is_file() else ""
    try:
        flags = json.loads(printed)
        right = "-fPIC" in flags["cflags"] and "SIDE_MODULE" in flags["ldflags"]
    except (ValueError, KeyError, TypeError):
        right = False
    if not right:
        raise ImageError(
            f"the cross-build environment of {target.name} gives flags that do not make a side module: "
            f"{printed.strip()}",
            hint=f"the whole output is in {log}",
        )


def toolchain_environment(python_minor: str) -> dict[str, str]:
    """Return what commands see with this toolchain mounted at `emwheels.image.toolchain.crossenv.INSIDE`."""
    emsdk = f"{INSIDE}/emsdk"
    return {
        "PATH": f"/opt/emwheels/python{python_minor}/bin:{EMSCRIPTEN}:{emsdk}/upstream/bin:/usr/bin:/bin",
        "EMSDK": emsdk,
        "EM_CONFIG": f"{emsdk}/.emscripten",
        "EM_CACHE": f"{EMSCRIPTEN}/cache",
        "PYODIDE_ROOT": ROOT,
        "SKIP_EMSCRIPTEN_VERSION_CHECK": "0",
    }


def _environment(target: Target) -> dict[str, str]:
    return toolchain_environment(target.python_minor) | {
        "EMSDK_KEEP_DOWNLOADS": "1",
        "EMSDK_NOTTY": "1",
        "EMSDK_PYTHON": "/usr/bin/python3",
        "GIT_CONFIG_COUNT": "2",
        "GIT_CONFIG_KEY_0": "url.file:///mnt/given/emsdk.insteadOf",
        "GIT_CONFIG_VALUE_0": _REPOSITORY,
        "GIT_CONFIG_KEY_1": "safe.directory",
        "GIT_CONFIG_VALUE_1": "*",
    }


def _prepare(archives: _Archives, given: Path, version: str) -> None:
    """Lay out what emsdk.sh reads: the cross-build environment, emsdk's source, and emsdk's downloads."""
    shutil.copyfile(archives.crossenv.path, given / "xbuildenv.tar")
    tree = unpack(_linked(archives.source, given), given / "emsdk", strip_single_top=True)
    release, recorded = _release(tree, version)
    if recorded and recorded != archives.binaries.sha256:
        raise FetchError(
            f"targets.toml pins sha256 {archives.binaries.sha256} for the binaries of Emscripten {version}, "
            f"emsdk's own bazel/revisions.bzl says {recorded}"
        )
    downloads = given / "downloads"
    downloads.mkdir()
    shutil.copyfile(archives.binaries.path, downloads / f"{release}-wasm-binaries.tar.xz")
    shutil.copyfile(archives.node.path, downloads / _node_archive(tree, release))
    (tree / "downloads").symlink_to(_DOWNLOADS)


def _fetch(pin: Pin, url: str, fetcher: Fetcher) -> Fetched:
    """Return a file by its URL, or by its name from the folder or URL in ``EMWHEELS_EMSDK_ARCHIVES``."""
    name = url.rpartition("/")[2]
    place = os.environ.get("EMWHEELS_EMSDK_ARCHIVES", "")
    try:
        if place and "://" not in place:
            return fetcher.take(Path(place).absolute() / name, pin.sha256 or None)
        return fetcher.fetch(f"{place.rstrip('/')}/{name}" if place else url, pin.sha256 or None)
    except FetchError as error:
        raise FetchError(
            f"{error.message} (emsdk toolchain)",
            hint=f"get {name} by other means and set EMWHEELS_EMSDK_ARCHIVES to its folder, {_OTHER}",
        ) from error


def _linked(fetched: Fetched, folder: Path) -> Path:
    path = folder / fetched.filename
    path.symlink_to(fetched.path)
    return path


def _release(tree: Path, version: str) -> tuple[str, str]:
    """Return the revision that emsdk downloads for ``version``, and its archive's sha256 if emsdk records it."""
    try:
        release = json.loads((tree / "emscripten-releases-tags.json").read_text())["releases"][version]
        revisions = tree / "bazel" / "revisions.bzl"
        text = revisions.read_text() if revisions.is_file() else ""
    except _NOT_THERE as error:
        raise ImageError(f"this emsdk does not know Emscripten {version}: {error!r}") from error
    if not re.fullmatch(r"[0-9a-f]{40}", str(release)):
        raise ImageError(f"emsdk's emscripten-releases-tags.json maps {version} to {release!r}, which is no revision")
    entry = re.search(rf'"{re.escape(version)}":\s*struct\((.*?)\)', text, re.DOTALL)
    recorded = re.search(r'\bsha_linux\s*=\s*"([0-9a-f]{64})"', entry[1]) if entry else None
    return release, recorded[1] if recorded else ""


def _node_archive(tree: Path, release: str) -> str:
    """Return the name of the Node archive that emsdk asks for together with ``release``."""
    try:
        manifest: dict[str, Any] = json.loads((tree / "emsdk_manifest.json").read_text())
        uses = next(
            sdk["uses"]
            for sdk in manifest["sdks"]
            if any("releases-%releases-tag%" in tool for tool in sdk["uses"]) and sdk.get("os", "linux") == "linux"
        )
        tools = {f"{tool['id']}-{tool['version']}-{tool.get('bitness', 64)}bit": tool for tool in manifest["tools"]}
        node = next(use for use in uses if use.startswith("node-"))
        archives = [tool for name, tool in tools.items() if name == node and _for_linux(tool)]
        name = archives[0]["linux_url"].rpartition("/")[2]
    except (*_NOT_THERE, IndexError, StopIteration, AttributeError) as error:
        raise ImageError(f"emsdk's emsdk_manifest.json does not say which Node {release} uses: {error!r}") from error
    if not re.fullmatch(r"\w[\w.+-]*", name):
        raise ImageError(f"emsdk's emsdk_manifest.json names a Node archive {name!r}")
    return str(name)


def _for_linux(tool: Mapping[str, Any]) -> bool:
    return "linux_url" in tool and tool.get("arch", "x86_64") == "x86_64"


def _data(name: str) -> str:
    return files("emwheels.image").joinpath(name).read_text()
