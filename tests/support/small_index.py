"""A package index and a Debian mirror on loopback: folders, of which pip and emwheels are told by the environment."""

from __future__ import annotations

import hashlib
import lzma
from dataclasses import dataclass
from typing import TYPE_CHECKING

from packed import tar_gz

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    import pytest


@dataclass(frozen=True, kw_only=True)
class SmallIndex:
    """What is served: files of projects, and the list of Debian's sources."""

    folder: Path
    address: str

    def use(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Have this process ask nobody else."""
        for name, value in self.environment().items():
            monkeypatch.setenv(name, value)

    def environment(self) -> Mapping[str, str]:
        """Return the variables by which a process asks nobody else."""
        return {
            "PIP_CONFIG_FILE": "/dev/null",
            "PIP_INDEX_URL": f"{self.address}/simple",
            "PIP_EXTRA_INDEX_URL": "",
            "PIP_FIND_LINKS": "",
            "EMWHEELS_DEBIAN_MIRROR": f"{self.address}/debian",
        }

    def add(self, name: str, filename: str, data: bytes = b"", *, requires: str = "", yanked: bool = False) -> str:
        """List a file of a project, and return its sha256."""
        folder = self.folder / "simple" / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / filename).write_bytes(data)
        sha256 = hashlib.sha256(data).hexdigest()
        facts = f' data-requires-python="{requires}"' if requires else ""
        facts += ' data-yanked="broken"' if yanked else ""
        with (folder / "index.html").open("a") as page:
            page.write(f'<a href="{filename}#sha256={sha256}"{facts}>{filename}</a>\n')
        return sha256

    def add_source(self, name: str, version: str, members: Mapping[str, str] | None = None) -> str:
        """List a source archive, and return its sha256."""
        given = members or {"pyproject.toml": "[build-system]\nrequires = []\n"}
        archive = tar_gz({f"{name}-{version}/{path}": content for path, content in given.items()})
        return self.add(name, f"{name}-{version}.tar.gz", archive)

    def debian(self, *packages: tuple[str, str], suite: str = "forky") -> None:
        """Write the list of a suite's sources: pairs of a name and a version with its revision."""
        path = self.folder / "debian" / "dists" / suite / "main" / "source" / "Sources.xz"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(lzma.compress("\n\n".join(_entries(packages)).encode()))


def _entries(packages: tuple[tuple[str, str], ...]) -> Iterator[str]:
    for name, version in packages:
        upstream = version.rpartition("-")[0].rpartition(":")[2]
        yield f"Package: {name}\nVersion: {version}\nChecksums-Sha256:\n {'0' * 64} 9 {name}_{upstream}.orig.tar.xz"
