"""Tiny packages of Debian and suites of them, made by dpkg-deb: what an image is made of, in a second."""

from __future__ import annotations

import gzip
import hashlib
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from emwheels.image.debs import Deb

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_PROGRAMS = (
    "bash", "cat", "chmod", "diff", "dpkg", "dpkg-deb", "dpkg-query", "dpkg-split", "dpkg-trigger", "env", "find",
    "ldconfig", "ls", "mkdir", "prlimit", "rm", "sed", "setpriv", "sh", "start-stop-daemon", "tar", "true",
)  # fmt: skip
"""What dpkg and the sandbox need to run at all."""


def make_deb(
    mirror: Path,
    name: str,
    version: str,
    files: Mapping[str, bytes | Path] | None = None,
    *,
    depends: Sequence[str] = (),
    essential: bool = False,
    folders: Sequence[str] = (),
    links: Mapping[str, str] | None = None,
) -> Deb:
    """Write a package below ``mirror``/pool; a `Path` among ``files`` is a program of this machine, copied."""
    tree = mirror / "trees" / f"{name}-{version}"
    shutil.rmtree(tree, ignore_errors=True)
    (tree / "DEBIAN").mkdir(parents=True)
    lines = [f"Package: {name}", f"Version: {version}", "Architecture: all", "Maintainer: Somebody <a@example.org>"]
    lines += [f"Depends: {', '.join(depends)}"] if depends else []
    lines += ["Essential: yes"] if essential else []
    (tree / "DEBIAN" / "control").write_text("\n".join([*lines, "Description: a test", ""]))
    for path, content in (files or {}).items():
        place = tree / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content.read_bytes() if isinstance(content, Path) else content)
        place.chmod(0o755)
    for folder in folders:
        (tree / folder).mkdir(parents=True, exist_ok=True)
    for link, target in (links or {}).items():
        (tree / link).symlink_to(target)
    path = f"pool/main/{name[0]}/{name}/{name}_{version.rpartition(':')[2]}_all.deb"
    (mirror / path).parent.mkdir(parents=True, exist_ok=True)
    command = ["dpkg-deb", "-Znone", "--root-owner-group", "--build", str(tree), str(mirror / path)]
    subprocess.run(command, check=True, capture_output=True)
    content = (mirror / path).read_bytes()
    return Deb(name=name, version=version, path=path, size=len(content), sha256=hashlib.sha256(content).hexdigest())


def make_base(mirror: Path) -> list[Deb]:
    """Write the packages of the smallest system that dpkg runs in: its programs and libraries, from this machine."""
    files: dict[str, bytes | Path] = {"etc/passwd": b"root:x:0:0::/:/bin/sh\n", "etc/group": b"root:x:0:\n"}
    for program in _PROGRAMS:
        found = shutil.which(program, path="/usr/bin:/usr/sbin:/bin:/sbin")
        assert found is not None, f"this machine has no {program}"
        files[f"usr/{'sbin' if '/sbin/' in found else 'bin'}/{program}"] = Path(found)
        listed = subprocess.run(["ldd", found], capture_output=True, text=True, check=False).stdout
        for word in listed.split():
            if word.startswith("/"):
                files[f"usr{word.removeprefix('/usr')}"] = Path(word)
    links = {name: f"usr/{name}" for name in ("bin", "lib", "lib64", "sbin")}
    folders = ("dev", "mnt", "proc", "sys", "tmp", "usr/lib64")
    base = make_deb(mirror, "base", "1.0", files, essential=True, folders=folders, links=links)
    return [base, make_deb(mirror, "apt", "1.0", {"usr/share/apt-was-here": b""})]


def write_suite(mirror: Path, suite: str, debs: Iterable[Deb], *, architecture: str = "amd64") -> str:
    """Write the lists of a suite that has ``debs``, without a signature, and return the mirror's address."""
    folder = mirror / "dists" / suite / "main" / f"binary-{architecture}"
    folder.mkdir(parents=True, exist_ok=True)
    records = []
    for deb in debs:
        shown = subprocess.run(
            ["dpkg-deb", "--field", str(mirror / deb.path)], capture_output=True, text=True, check=True
        ).stdout
        records.append(f"{shown.rstrip()}\nFilename: {deb.path}\nSize: {deb.size}\nSHA256: {deb.sha256}\n")
    packages = "\n".join(records).encode()
    sums = []
    for name, content in (("Packages", packages), ("Packages.gz", gzip.compress(packages, mtime=0))):
        (folder / name).write_bytes(content)
        place = folder.relative_to(mirror / "dists" / suite) / name
        sums.append(f" {hashlib.sha256(content).hexdigest()} {len(content)} {place}")
    lines = [f"Suite: {suite}", f"Codename: {suite}", f"Architectures: {architecture} all", "Components: main"]
    lines += ["Date: Sat, 28 Nov 2026 00:00:00 UTC", "SHA256:", *sums]
    (mirror / "dists" / suite / "Release").write_text("".join(f"{line}\n" for line in lines))
    return f"file://{mirror}"
