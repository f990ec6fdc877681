"""Crates of a few lines, and a sparse registry of them in a folder that is served on loopback."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from packed import tar_gz

if TYPE_CHECKING:
    from pathlib import Path

PUBLIC = "registry+https://github.com/rust-lang/crates" + ".io-index"
"""The source of every crate of the public registry in a Cargo.lock, whatever mirror it came from."""


def crate_file(name: str, version: str, members: dict[str, str], manifest: str = "") -> bytes:
    """Return a .crate archive; its Cargo.toml is made, with ``manifest`` after its ``[package]``."""
    toml = f'[package]\nname = "{name}"\nversion = "{version}"\nedition = "2021"\n{manifest}'
    files = {"Cargo.toml": toml, **members}
    return tar_gz({f"{name}-{version}/{path}": text for path, text in files.items()})


@dataclass
class SparseRegistry:
    """A registry in ``folder``, which is served at ``address``."""

    folder: Path
    address: str
    sums: dict[tuple[str, str], str] = field(default_factory=dict)
    _lines: dict[str, list[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        (self.folder / "index").mkdir(parents=True)
        (self.folder / "crates").mkdir()
        template = f"{self.address}/crates/{{crate}}-{{version}}.crate"
        (self.folder / "index" / "config.json").write_text(json.dumps({"dl": template}))

    def add(self, name: str, version: str, data: bytes, dependencies: tuple[str, ...] = ()) -> str:
        """Add a crate and return its sha256; ``dependencies`` are names, in any version."""
        sha256 = self.sums[name, version] = hashlib.sha256(data).hexdigest()
        (self.folder / "crates" / f"{name}-{version}.crate").write_bytes(data)
        needs = [
            {"name": need, "req": "*", "features": [], "optional": False, "default_features": True, "target": None}
            | {"kind": "normal", "registry": None, "package": None}
            for need in dependencies
        ]
        entry = {"name": name, "vers": version, "deps": needs, "cksum": sha256, "features": {}, "yanked": False}
        self._lines.setdefault(name, []).append(json.dumps(entry))
        place = {1: f"1/{name}", 2: f"2/{name}", 3: f"3/{name[0]}/{name}"}.get(
            len(name), f"{name[:2]}/{name[2:4]}/{name}"
        )
        path = self.folder / "index" / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(self._lines[name]) + "\n")
        return sha256

    def lock(self, root: str, *, source: str = PUBLIC) -> str:
        """Return a Cargo.lock of the package ``root`` with all crates."""
        crates = "".join(
            f'\n[[package]]\nname = "{name}"\nversion = "{version}"\nsource = "{source}"\nchecksum = "{sha256}"\n'
            for (name, version), sha256 in sorted(self.sums.items())
        )
        needs = "".join(f' "{name}",\n' for name, _ in sorted(self.sums))
        own = f'\n[[package]]\nname = "{root}"\nversion = "1.0.0"\ndependencies = [\n{needs}]\n'
        return f"version = 4\n{crates}{own}"

    def configure(self, home: Path) -> None:
        """Have cargo, by a configuration in ``home``, ask this registry instead of the public one."""
        home.mkdir(parents=True, exist_ok=True)
        (home / "config.toml").write_text(
            f'[source.crates-io]\nreplace-with = "here"\n[source.here]\nregistry = "sparse+{self.address}/index/"\n'
        )
