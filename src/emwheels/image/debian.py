"""The embedded images: Debian root file systems put together from the registries and kept in the user's cache."""

from __future__ import annotations

import hashlib
import importlib.resources
import json
import os
import re
import shutil
import subprocess
import weakref
from contextlib import ExitStack
from ctypes.util import find_library
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

from filelock import FileLock

from emwheels.errors import ImageError, keep_secrets_of, redacted
from emwheels.image.holding import in_use, nobody_in
from emwheels.image.model import Mount
from emwheels.image.removal import remove_tree, replace_tree
from emwheels.image.rootfs import RootFs, usable_method
from emwheels.image.sharing import share_files
from emwheels.target import BuildImagePins

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from emwheels.fetch.fetcher import Fetcher
    from emwheels.target import ImagePins

PATH_INSIDE = "/usr/share/emscripten:/usr/lib/llvm-{llvm}/bin:/usr/bin:/bin"
"""Emscripten's own folder comes first: Debian's links to it in /usr/bin do not find their tools."""

_LEFT_OUT = ("/usr/share/locale/*", "/usr/share/man/*", "/usr/share/info/*")
"""What of Debian's packages nobody reads in an image: a tenth of it."""
RECORD = "image.json"
"""The file beside an image's root file system that says what it is."""
_REQUIREMENTS = "pyodide-build.txt"
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


def _data(name: str) -> str:
    return importlib.resources.files("emwheels.image").joinpath(name).read_text()


def image_key(pins: ImagePins) -> str:
    """Return the hash of everything that the image is made from, as 64 hexadecimal digits."""
    inputs = {"pins": pins.identity(), "left out": _LEFT_OUT}
    if isinstance(pins, BuildImagePins):
        inputs |= {
            "provision": _data("inside/provision.sh"),
            "warm": _data("inside/warm.sh"),
            "pyodide_build": _data("pyodide-build.txt"),
        }
    return hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()


def image_folder(cache: Path, pins: ImagePins) -> Path:
    """Return where the image for ``pins`` is kept."""
    return cache / "images" / image_key(pins)[:16]


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


def make_image(cache: Path, pins: ImagePins, fetcher: Fetcher, *, say: Callable[[str], None], log: Path) -> ImageRecord:
    """Put the image together, verify it, and only then let it be found. Keeps one that is already whole.

    Raises `ImageError` when a tool of the host is missing, the suite does not offer what ``pins`` ask for, or a
    step fails; ``log`` then holds its output.
    """
    folder = image_folder(cache, pins)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{folder}.lock"):
        record = read_record(folder)
        if record is not None:
            return record
        require_host_tools(say)
        making = folder.with_name(f"{folder.name}.making")
        remove_tree(making)
        making.mkdir()
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("wb") as output:
            if isinstance(pins, BuildImagePins):
                _fetch_pyodide_build(making / "wheels", pins, fetcher)
            _bootstrap(making / "rootfs", pins, say, output, log)
            packages = installed_packages(making / "rootfs")
            if isinstance(pins, BuildImagePins):
                _check_versions(packages, pins)
                _provision(making, pins, say, output, log)
        record = _marked(making / "rootfs", pins, packages)
        share_files(making / "rootfs", _roots(folder.parent))
        (making / RECORD).write_text(json.dumps(asdict(record), indent=1, sort_keys=True) + "\n")
        with nobody_in(folder):
            replace_tree(folder, making)
        return record


def _roots(images: Path) -> list[Path]:
    """Return the root file systems of the finished images, the newest first."""
    folders = [path.parent for path in images.glob(f"*/{RECORD}") if read_record(path.parent) is not None]
    return [folder / "rootfs" for folder in sorted(folders, key=lambda folder: folder.stat().st_mtime, reverse=True)]


def _fetch_pyodide_build(folder: Path, pins: BuildImagePins, fetcher: Fetcher) -> None:
    """Put pyodide-build and what it needs, for each Python of the image, into ``folder``, with the lock file."""
    folder.mkdir()
    lock = folder / _REQUIREMENTS
    lock.write_text(_data("pyodide-build.txt"))
    for python in pins.pythons:
        for wheel in fetcher.fetch_requirements(lock, python=python):
            shutil.copyfile(wheel.path, folder / wheel.filename)


_HOST_TOOLS = {
    "mmdebstrap": "mmdebstrap",
    "bwrap": "bubblewrap",
    "dpkg-deb": "dpkg",
}


def missing_host_packages() -> list[str]:
    """Return the Debian packages that this machine lacks to make an image."""
    tools = _HOST_TOOLS if os.geteuid() == 0 else _HOST_TOOLS | {"newuidmap": "uidmap"}  # mmdebstrap --mode=unshare
    missing = [package for tool, package in tools.items() if not shutil.which(tool)]
    if not any(Path("/usr/share/keyrings").glob("debian-archive-keyring.*")):
        missing.append("debian-archive-keyring")
    if find_library("seccomp") is None:
        missing.append("libseccomp2")
    return missing


def require_host_tools(say: Callable[[str], None]) -> None:
    """Install what the host needs to make an image, as root; else raise `ImageError` with the line to run."""
    install_on_host(missing_host_packages(), say)


def can_install() -> bool:
    """Tell whether `install_on_host` can do anything: as root, on a machine with apt."""
    return os.geteuid() == 0 and shutil.which("apt-get") is not None


def install_on_host(packages: Sequence[str], say: Callable[[str], None]) -> None:
    """Install Debian packages on this machine, as root; else raise `ImageError` with the line to run."""
    if not packages:
        return
    named = ", ".join(packages)
    line = f"apt-get install -y --no-install-recommends {' '.join(packages)}"
    if not can_install():
        raise ImageError(f"this machine lacks {named}", hint=f"run as root: apt-get update && {line}")
    say(f"installing {named}")
    for command in ("apt-get update", line):
        done = subprocess.run(
            command.split(), env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"}, capture_output=True, check=False
        )
        if done.returncode:
            tail = "\n".join(done.stderr.decode(errors="replace").splitlines()[-5:])
            raise ImageError(f"{command} failed:\n{tail}", hint="mend the machine's apt configuration and run again")


def debian_mirror() -> str:
    """Return the Debian mirror of this machine's apt, or an empty string for mmdebstrap's own default.

    ``EMWHEELS_DEBIAN_MIRROR`` overrides it, which a machine that is not Debian may need.
    """
    if mirror := os.environ.get("EMWHEELS_DEBIAN_MIRROR"):
        return mirror
    if not shutil.which("apt-get"):
        return ""
    listed = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(REPO_URI) $(ORIGIN)", "Created-By: Packages"],
        capture_output=True,
        text=True,
        check=False,
    )
    for line in listed.stdout.splitlines():
        address, _, origin = line.partition(" ")
        if origin == "Debian" and "security" not in address:
            return address
    return ""


_NPM_REGISTRY = (
    "sed -n \"/new Definition('registry'/,/})/s/.*default: '\\\\(.*\\\\)'.*/\\\\1/p\" "
    '"$1"/opt/emwheels/headers/usr/share/nodejs/@npmcli/config/lib/definitions/definitions.js '
    '> "$1/opt/emwheels/npm-registry" && test -s "$1/opt/emwheels/npm-registry"'
)


_ANONYMOUS = 'find "$1"/etc/apt/sources.list* -type f -exec sed -i "s#://[^/ ]*@#://#g" {} +'
"""An image is saved and published; the mirror's password stays here."""


def _bootstrap(root: Path, pins: ImagePins, say: Callable[[str], None], output: IO[bytes], log: Path) -> None:
    hooks = ['mkdir -p "$1/opt/emwheels"', *(_headers_hooks(pins) if isinstance(pins, BuildImagePins) else ())]
    hooks.append('dpkg-query --admindir="$1/var/lib/dpkg" -W > "$1/opt/emwheels/packages"')
    hooks.append(': > "$1/etc/resolv.conf"')  # a mount point of the doorway
    hooks.append(_ANONYMOUS)
    as_root = os.geteuid() == 0
    target = str(root) if as_root else f"{root}.tar"
    command = [
        "mmdebstrap",
        f"--mode={'root' if as_root else 'unshare'}",
        "--variant=apt",
        '--aptopt=Acquire::Check-Valid-Until "false"',
        '--aptopt=Acquire::Retries "5"',
        '--aptopt=Apt::Install-Recommends "false"',
        *(f"--dpkgopt=path-exclude={pattern}" for pattern in _LEFT_OUT),
        f"--include={','.join(pins.packages)}",
        *(f"--customize-hook={hook}" for hook in hooks),
        pins.suite,
        target,
    ]
    if mirror := debian_mirror():
        keep_secrets_of(mirror)
        command.append(mirror)
    say(f"Debian {pins.suite}: downloading and unpacking {len(pins.packages)} packages and what they need")
    _checked(command, output, log, "mmdebstrap could not put the root file system together")
    if not as_root:
        root.mkdir()
        _checked(
            ["tar", "-xf", target, "-C", str(root), "--no-same-owner", "--exclude=./dev/*"],
            output,
            log,
            "the root file system could not be unpacked",
        )
        root.with_name(f"{root.name}.tar").unlink()


def _headers_hooks(pins: BuildImagePins) -> list[str]:
    """Return what gets Python's headers, and the registry that npm asks by default, into the root file system.

    npm itself would bring 350 packages. The .pc files beside the headers go: a cross build must not find the image's
    own Python.
    """
    taken = [*(f"libpython{python}-dev" for python in pins.pythons), "npm"]
    return [
        'mkdir "$1/opt/emwheels/headers"',
        f'cd "$1/opt/emwheels" && APT_CONFIG="$MMDEBSTRAP_APT_CONFIG" apt-get download {" ".join(taken)}',
        'for deb in "$1"/opt/emwheels/*.deb; do dpkg-deb -x "$deb" "$1/opt/emwheels/headers"; rm "$deb"; done',
        _NPM_REGISTRY,
        'rm -rf "$1/opt/emwheels/headers/usr/lib" "$1/opt/emwheels/headers/usr/share"',
    ]


def _checked(command: list[str], output: IO[bytes], log: Path, failure: str) -> None:
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True
    )
    with process:
        assert process.stdout is not None
        try:
            for line in process.stdout:
                output.write(redacted(line.decode(errors="replace")).encode())
            output.flush()
        except BaseException:
            process.terminate()  # mmdebstrap unmounts what it mounted
            process.communicate()
            raise
    if process.returncode:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-8:])
        raise ImageError(f"{failure}:\n{tail}", hint=f"the whole output is in {log}")


def installed_packages(root: Path) -> dict[str, str]:
    """Return the versions of the packages in a root file system, by name."""
    lines = (root / PACKAGES).read_text().splitlines()
    return {name.split(":")[0]: version for name, _, version in (line.partition("\t") for line in lines)}


def _check_versions(installed: Mapping[str, str], pins: BuildImagePins) -> None:
    """Raise `ImageError` when the suite has moved away from what targets.toml pins."""
    if problems := version_problems(installed, pins):
        raise ImageError(
            f"Debian {pins.suite} now offers {'; '.join(problems)}",
            hint="either write the new versions into [image.build] of targets.toml, which builds every wheel again, "
            "or take an image that was saved before (emwheels image load FILE)",
        )


def version_problems(installed: Mapping[str, str], pins: BuildImagePins) -> list[str]:
    """Return in words where packages, name -> version, are not what ``pins`` ask of a build image."""
    emscripten = re.sub(r"[~+-].*", "", installed.get("emscripten", "none"))
    problems = []
    if emscripten != pins.emscripten:
        problems.append(f"Emscripten {emscripten} instead of {pins.emscripten}")
    if f"clang-{pins.llvm}" not in installed:
        compilers = sorted(name for name in installed if re.fullmatch(r"clang-\d+", name))
        problems.append(f"LLVM {', '.join(compilers) or 'none'} instead of clang-{pins.llvm}")
    problems += [f"no Python {python}" for python in pins.pythons if f"python{python}" not in installed]
    return problems


def _provision(making: Path, pins: BuildImagePins, say: Callable[[str], None], output: IO[bytes], log: Path) -> None:
    root = making / "rootfs"
    script = making / "provision.sh"
    script.write_text(_data("inside/provision.sh").replace("LLVM_VERSION", pins.llvm))
    (making / "warm.sh").write_text(_data("inside/warm.sh"))
    doorway = RootFs(root=root, digest="", method=usable_method(root), writable=True)
    say(f"pyodide-build {pins.pyodide_build} and Emscripten's system libraries (2-3 minutes)")
    done = doorway.run(
        ["sh", "/mnt/provision.sh", *pins.pythons],
        mounts=[
            Mount(host=script, inside="/mnt/provision.sh"),
            Mount(host=making / "warm.sh", inside="/mnt/warm.sh"),
            Mount(host=making / "wheels", inside="/mnt/wheels"),
            Mount(host=making / "wheels" / _REQUIREMENTS, inside="/mnt/requirements.txt"),
        ],
        env={"PATH": "/usr/bin:/bin"},
        output=output,
    )
    if done.status:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-8:])
        raise ImageError(f"the image could not be provisioned:\n{tail}", hint=f"the whole output is in {log}")
    for used in ("provision.sh", "warm.sh"):
        (making / used).unlink()
    shutil.rmtree(making / "wheels")


def record_of(pins: ImagePins, packages: dict[str, str]) -> ImageRecord:
    """Return the record of an image that is made for ``pins`` and holds these ``packages``."""
    key = image_key(pins)
    content = json.dumps({"key": key, "packages": packages}, sort_keys=True)
    digest = f"sha256:{hashlib.sha256(content.encode()).hexdigest()}"
    return ImageRecord(key=key, digest=digest, suite=pins.suite, packages=packages)


def _marked(root: Path, pins: ImagePins, packages: dict[str, str]) -> ImageRecord:
    """Write the image's digest into it, and return its record."""
    record = record_of(pins, packages)
    (root / MARK).write_text(record.digest + "\n")
    return record
