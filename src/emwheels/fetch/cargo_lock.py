"""Cargo.lock -> the crates that it names, each by its sha256. Nothing of a source is run to read it."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from typing import Any

from packageurl import PackageURL

from emwheels.errors import FetchError, RecipeError, visible

LIMIT = 8 << 20
"""Bytes of a Cargo.lock."""
MOST_CRATES = 5000
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,127}")
_VERSION = re.compile(r"[0-9][0-9A-Za-z.+-]{0,127}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_PUBLIC = re.compile(r"/crates\Wio-index/?$")
"""How the source of the public registry's crates ends in every Cargo.lock, whatever mirror they came from."""


@dataclass(frozen=True, kw_only=True, order=True)
class Crate:
    """A crate of a registry."""

    name: str
    version: str
    sha256: str
    """Of its ``.crate`` file."""

    @property
    def purl(self) -> str:
        """Its package URL."""
        return PackageURL("cargo", None, self.name, self.version).to_string()

    @property
    def folder(self) -> str:
        """The folder that holds everything in its archive."""
        return f"{self.name}-{self.version}"


def read_cargo_lock(data: bytes, label: str) -> tuple[Crate, ...]:
    """Return the crates of a Cargo.lock, sorted; those of the source tree itself are not among them.

    Raises `RecipeError` for what is no Cargo.lock, for crates of git, of another registry, and without a sha256.
    """
    if len(data) > LIMIT:
        raise RecipeError(f"{label} has more than {LIMIT >> 20} MB: that is no Cargo.lock")
    try:
        packages = tomllib.loads(data.decode()).get("package", [])
        crates = [crate for each in packages if (crate := _crate(each, label))]
    except RecursionError as error:
        raise RecipeError(f"{label}: its tables or lists lie too deep in each other") from error
    except (ValueError, AttributeError, TypeError) as error:
        raise RecipeError(f"{label} is no Cargo.lock: {visible(str(error), lines=False)[:200]}") from error
    if len(crates) > MOST_CRATES:
        raise RecipeError(f"{label} names {len(crates):,} crates; {MOST_CRATES:,} are allowed")
    return tuple(sorted(set(crates)))


def _crate(package: dict[str, Any], label: str) -> Crate | None:
    name, version, source = (package.get(key) for key in ("name", "version", "source"))
    if source is None:
        return None
    if not (isinstance(name, str) and isinstance(version, str) and isinstance(source, str)):
        raise TypeError("a package without name, version or source")
    if not _NAME.fullmatch(name) or not _VERSION.fullmatch(version):
        raise ValueError(f"{name[:80]!r} {version[:80]!r} is no crate")
    if source.startswith("git+"):
        raise RecipeError(f"{label}: {name} {version} comes from git, and no sha256 says what it is", hint=_VENDOR)
    if not _PUBLIC.search(source):
        raise RecipeError(f"{label}: {name} {version} comes from a registry of its own", hint=_VENDOR)
    sha256 = package.get("checksum")
    if not isinstance(sha256, str) or not _SHA256.fullmatch(sha256):
        raise RecipeError(
            f"{label}: {name} {version} has no checksum: an old cargo wrote it",
            hint="put a newer one, made by `cargo generate-lockfile`, into the recipe's folder as Cargo.lock",
        )
    return Crate(name=name, version=version, sha256=sha256)


_VENDOR = (
    "run `cargo vendor` in its source, add the folder and the .cargo/config.toml that cargo prints to a source archive "
    "of your own, and name that in source.url"
)


def parse_crate(name: str, version: str) -> tuple[str, str]:
    """Return both as they are. Raises `FetchError` for what is no name or version of a crate."""
    if not _NAME.fullmatch(name) or not _VERSION.fullmatch(version):
        raise FetchError(f"{visible(name, lines=False)[:80]!r} {visible(version, lines=False)[:80]!r} is no crate")
    return name, version
