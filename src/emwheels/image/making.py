"""An embedded image put together: Debian's packages, pyodide-build, Emscripten's system libraries."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
from dataclasses import asdict, dataclass
from typing import IO, TYPE_CHECKING
from urllib.parse import quote

from filelock import FileLock

from emwheels.errors import ImageError, without_secrets
from emwheels.image.debian import (
    LEFT_OUT,
    MARK,
    RECORD,
    REQUIREMENTS,
    data,
    environment,
    image_folder,
    installed_packages,
    read_record,
    record_of,
    version_problems,
)
from emwheels.image.holding import nobody_in
from emwheels.image.host_tools import debian_mirror, require_host_tools, run_to_end
from emwheels.image.model import Mount
from emwheels.image.removal import remove_tree, replace_tree
from emwheels.image.rootfs import RootFs, usable_method
from emwheels.image.sharing import share_files
from emwheels.image.supply import WHEELS, write_repository
from emwheels.target import BuildImagePins

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from emwheels.fetch.fetcher import Fetcher
    from emwheels.image.debian import ImageRecord
    from emwheels.image.debs import DebSet
    from emwheels.image.supply import Supply
    from emwheels.target import ImagePins

    Proof = Callable[[RootFs], None]


@dataclass(frozen=True, kw_only=True)
class _Work:
    """One image in the making."""

    folder: Path
    """Has ``debs``, then ``wheels``, then ``rootfs``."""
    say: Callable[[str], None]
    output: IO[bytes]
    log: Path
    """The file that ``output`` is."""
    stopping: threading.Event | None

    @property
    def root(self) -> Path:
        """The root file system."""
        return self.folder / "rootfs"

    def tail(self) -> str:
        """Return the last lines of the log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-8:])


def make_image(
    cache: Path,
    pins: ImagePins,
    debs: DebSet,
    supply: Supply,
    fetcher: Fetcher,
    *,
    say: Callable[[str], None],
    log: Path,
    proof: Proof | None = None,
    stopping: threading.Event | None = None,
    assemble: Callable[[Path, DebSet, ImagePins], None] | None = None,
) -> ImageRecord:
    """Put the image together of ``debs``, verify it, and only then let it be found. Keeps one that is already whole.

    ``proof`` is called with the image before it can be found, and refuses it with an `ImageError`. ``assemble`` makes
    the root file system, provisioned, of a folder with the files, in place of mmdebstrap. ``stopping`` ends mmdebstrap
    from another thread. Raises `ImageError` when a
    tool of the host is missing, a file cannot be had, or a step fails; ``log`` then holds its output.
    """
    folder = image_folder(cache, pins)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{folder}.lock"):
        record = read_record(folder)
        if record is not None:
            return record
        making = folder.with_name(f"{folder.name}.making")
        remove_tree(making)
        making.mkdir()
        log.parent.mkdir(parents=True, exist_ok=True)
        supply.gather(debs, making / "debs", say)
        with log.open("wb") as output:
            if assemble is not None:
                assemble(making / "rootfs", debs, pins)
            else:
                work = _Work(folder=making, say=say, output=output, log=log, stopping=stopping)
                _assemble(work, pins, debs, supply, fetcher)
        packages = installed_packages(making / "rootfs")
        if isinstance(pins, BuildImagePins):
            _check_versions(packages, pins)
        remove_tree(making / "debs")
        record = record_of(pins, packages)
        (making / "rootfs" / MARK).write_text(record.digest + "\n")
        if proof is not None:
            root = making / "rootfs"
            proof(RootFs(root=root, digest="", method=usable_method(root), environment=environment(pins)))
        share_files(making / "rootfs", _roots(folder.parent))
        (making / RECORD).write_text(json.dumps(asdict(record), indent=1, sort_keys=True) + "\n")
        with nobody_in(folder):
            replace_tree(folder, making)
        return record


def _roots(images: Path) -> list[Path]:
    """Return the root file systems of the finished images, the newest first."""
    folders = [path.parent for path in images.glob(f"*/{RECORD}") if read_record(path.parent) is not None]
    return [folder / "rootfs" for folder in sorted(folders, key=lambda folder: folder.stat().st_mtime, reverse=True)]


def _assemble(work: _Work, pins: ImagePins, debs: DebSet, supply: Supply, fetcher: Fetcher) -> None:
    require_host_tools(work.say)
    if isinstance(pins, BuildImagePins):
        fetch_pyodide_build(work.folder / "wheels", pins, supply, fetcher)
    _bootstrap(work, pins, debs)
    if isinstance(pins, BuildImagePins):
        _check_versions(installed_packages(work.root), pins)
        _provision(work, pins)


def fetch_pyodide_build(folder: Path, pins: BuildImagePins, supply: Supply, fetcher: Fetcher) -> None:
    """Put pyodide-build and what it needs, for each Python of the image, into ``folder``, with the lock file.

    They come from the image's own mirror, if there is one that has wheels, else from the configured PyPI.
    """
    folder.mkdir(parents=True)
    lock = folder / REQUIREMENTS
    lock.write_text(data(REQUIREMENTS))
    hashes = set(re.findall(r"--hash=sha256:([0-9a-f]{64})", lock.read_text()))
    if supply.take_listed(WHEELS, hashes, folder):
        return
    for python in pins.pythons:
        for wheel in fetcher.fetch_requirements(lock, python=python):
            shutil.copyfile(wheel.path, folder / wheel.filename)


_NPM_REGISTRY = (
    "sed -n \"/new Definition('registry'/,/})/s/.*default: '\\\\(.*\\\\)'.*/\\\\1/p\" "
    '"$1"/opt/emwheels/headers/usr/share/nodejs/@npmcli/config/lib/definitions/definitions.js '
    '> "$1/opt/emwheels/npm-registry" && test -s "$1/opt/emwheels/npm-registry"'
)
_IN_ROOT = "/debs"
"""Where the files of the packages are in the new root file system, until it is done."""


def _bootstrap(work: _Work, pins: ImagePins, debs: DebSet) -> None:
    """Make the root file system of the files in ``debs``, and of nothing else."""
    root, packages = work.root, work.folder / "debs"
    write_repository(packages, debs)
    names = sorted(deb.name for deb in debs.installed)
    as_root = os.geteuid() == 0
    target = str(root) if as_root else f"{root}.tar"
    command = [
        "mmdebstrap",
        f"--mode={'root' if as_root else 'unshare'}",
        "--variant=apt",
        '--aptopt=Apt::Install-Recommends "false"',
        *(f"--dpkgopt=path-exclude={pattern}" for pattern in LEFT_OUT),
        f"--include={','.join(names)}",
        *(() if as_root else _copied_in(packages)),
        *(f"--customize-hook={hook}" for hook in _hooks(pins, debs, packages if as_root else None)),
        pins.suite,
        target,
        f"deb [trusted=yes] copy:{quote(str(packages)) if as_root else _IN_ROOT} ./",
    ]
    work.say(f"Debian {pins.suite}: unpacking {len(debs.installed)} packages")
    _checked(work, command, "mmdebstrap could not put the root file system together")
    if not as_root:
        root.mkdir()
        unpack = ["tar", "-xf", target, "-C", str(root), "--no-same-owner", "--exclude=./dev/*"]
        _checked(work, unpack, "the root file system could not be unpacked")
        root.with_name(f"{root.name}.tar").unlink()


def _copied_in(packages: Path) -> list[str]:
    """Return the options for a user who is another one in mmdebstrap, and cannot look into the cache there."""
    listed = f'--setup-hook=echo "deb [trusted=yes] copy:$1{_IN_ROOT} ./" > "$1/etc/apt/sources.list"'
    copied = f"--setup-hook=sync-in {shlex.quote(str(packages))} {_IN_ROOT}"
    return [f'--setup-hook=mkdir "$1{_IN_ROOT}"', copied, listed]


def _hooks(pins: ImagePins, debs: DebSet, packages: Path | None) -> list[str]:
    """Return what is done in the new root file system, whose path is ``$1``.

    Of some packages only files are taken: Python's headers, and the registry that npm asks by default, as npm itself
    would bring 350 packages. The .pc files beside the headers go: a cross build must not find the image's own Python.
    """
    folder = str(packages) if packages else f"$1{_IN_ROOT}"
    hooks = ['mkdir -p "$1/opt/emwheels"']
    if debs.taken:
        hooks.append('mkdir "$1/opt/emwheels/headers"')
        hooks += [f'dpkg-deb -x "{folder}/{deb.path}" "$1/opt/emwheels/headers"' for deb in debs.taken]
    if isinstance(pins, BuildImagePins):
        hooks += [_NPM_REGISTRY, 'rm -rf "$1/opt/emwheels/headers/usr/lib" "$1/opt/emwheels/headers/usr/share"']
    mirror = without_secrets(debian_mirror())
    line = f"deb {mirror} {pins.suite} main" if mirror else "# made of files"
    return [
        *hooks,
        f'rm -rf "$1{_IN_ROOT}"; printf "%s\\n" {shlex.quote(line)} > "$1/etc/apt/sources.list"',
        'dpkg-query --admindir="$1/var/lib/dpkg" -W > "$1/opt/emwheels/packages"',
        ': > "$1/etc/resolv.conf"',  # a mount point of the doorway
    ]


def _checked(work: _Work, command: list[str], failure: str) -> None:
    if run_to_end(command, work.output, stopping=work.stopping):
        raise ImageError(f"{failure}:\n{work.tail()}", hint=f"the whole output is in {work.log}")


def _check_versions(installed: Mapping[str, str], pins: BuildImagePins) -> None:
    """Raise `ImageError` when the image does not have what its pins say."""
    if problems := version_problems(installed, pins):
        raise ImageError(
            f"the packages of Debian {pins.suite} have {'; '.join(problems)}",
            hint="write the versions into [image.build] of targets.toml, which builds every wheel again, "
            "or take an image that was saved before (emwheels image load FILE)",
        )


def _provision(work: _Work, pins: BuildImagePins) -> None:
    making, root = work.folder, work.root
    script = making / "provision.sh"
    script.write_text(data("inside/provision.sh").replace("LLVM_VERSION", pins.llvm))
    (making / "warm.sh").write_text(data("inside/warm.sh"))
    doorway = RootFs(root=root, digest="", method=usable_method(root), writable=True)
    work.say(f"pyodide-build {pins.pyodide_build} and Emscripten's system libraries (2-3 minutes)")
    done = doorway.run(
        ["sh", "/mnt/provision.sh", *pins.pythons],
        mounts=[
            Mount(host=script, inside="/mnt/provision.sh"),
            Mount(host=making / "warm.sh", inside="/mnt/warm.sh"),
            Mount(host=making / "wheels", inside="/mnt/wheels"),
            Mount(host=making / "wheels" / REQUIREMENTS, inside="/mnt/requirements.txt"),
        ],
        env={"PATH": "/usr/bin:/bin"},
        output=work.output,
    )
    if done.status:
        raise ImageError(
            f"the image could not be provisioned:\n{work.tail()}", hint=f"the whole output is in {work.log}"
        )
    for used in ("provision.sh", "warm.sh"):
        (making / used).unlink()
    shutil.rmtree(making / "wheels")
