"""Crates of Rust -> files, found by this machine's own cargo configuration. No registry is named here.

A crate comes from what ``EMWHEELS_CRATES`` names, else from where ``$CARGO_HOME/config.toml`` has cargo look instead of
the public registry, else from the registry that the image's cargo asks by default. Registries are sparse ones (RFC
2789); of a ``local-registry`` the files are taken, and its index is not read.
"""

from __future__ import annotations

import os
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from emwheels.atomic import read_regular
from emwheels.errors import FetchError, keep_secrets_of
from emwheels.fetch.cargo_lock import parse_crate
from emwheels.fetch.documents import parse_json
from emwheels.fetch.download import NotFoundError
from emwheels.fetch.index_pages import Resource

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from packageurl import PackageURL

    from emwheels.fetch.download import Downloader

FOLDER = "EMWHEELS_CRATES"
"""The variable that names a folder, or an address, with files NAME-VERSION.crate."""
_LIMIT = 1 << 20
_MOST_HOPS = 10
_PUBLIC = "crates-io"
_SPARSE = "sparse+"
WAYS = (
    "there are four ways: have cargo's configuration name a registry that this machine reaches "
    "(source.crates-io.replace-with in $CARGO_HOME/config.toml); name a folder with the .crate files in "
    f"{FOLDER}; take a source archive that has its crates (cargo vendor); or copy a store of emwheels that has them"
)
"""What to do where no crate can be had."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where crates are."""

    folder: Path | None = None
    """Has files NAME-VERSION.crate."""
    registry: str = ""
    """The address of a sparse registry, with a slash at its end, or of a folder that is served."""
    plain: bool = False
    """``registry`` is no registry, but has the files themselves."""


class Crates:
    """Finds crates. ``default`` answers where this machine's cargo is not configured for another registry."""

    def __init__(self, downloader: Downloader, default: Callable[[], str] | None = None) -> None:
        self._downloader = downloader
        self._default = default
        self._templates: dict[str, str] = {}

    def candidates(self, purl: PackageURL, sha256: str | None) -> Sequence[Resource]:
        """Return the file of a crate. Raises `FetchError` without a ``sha256``, which is Cargo.lock's."""
        name, version = parse_crate(purl.name, purl.version or "")
        if sha256 is None:
            raise FetchError(f"{purl}: a crate needs a sha256", hint="Cargo.lock has it: checksum")
        filename = f"{name}-{version}.crate"
        place = crates_place(self._default)
        if place.folder is not None:
            return (Resource(url=(place.folder.absolute() / filename).as_uri(), filename=filename),)
        if place.plain:
            return (Resource(url=f"{place.registry}{quote(filename)}", filename=filename),)
        url = _download_url(self._template(place.registry), name, version, sha256)
        return (Resource(url=url, filename=filename, listed_at=place.registry),)

    def _template(self, registry: str) -> str:
        """Return where a registry has its files."""
        if registry not in self._templates:
            try:
                document = parse_json(self._downloader.get(f"{registry}config.json", limit=_LIMIT).content)
                template = str(document["dl"])
            except NotFoundError as error:
                raise FetchError(f"{registry} is no sparse registry of crates: {error.message}", hint=WAYS) from error
            except (ValueError, LookupError, TypeError) as error:
                raise FetchError(f"{registry}config.json is not understood: {error}", hint=WAYS) from error
            if not template.startswith(("http://", "https://")):
                raise FetchError(f"{registry}config.json has no address of files: {template[:100]!r}", hint=WAYS)
            self._templates[registry] = template
        return self._templates[registry]


def _download_url(template: str, name: str, version: str, sha256: str) -> str:
    """Return the address of a crate's file (The Cargo Book, Registry Index, "Index Configuration")."""
    if "{" not in template:
        template = f"{template}/{{crate}}/{{version}}/download"
    for mark, value in {
        "{crate}": name,
        "{version}": version,
        "{prefix}": _prefix(name),
        "{lowerprefix}": _prefix(name.lower()),
        "{sha256-checksum}": sha256,
    }.items():
        template = template.replace(mark, quote(value))
    return template


def _prefix(name: str) -> str:
    return {1: "1", 2: "2", 3: f"3/{name[0]}"}.get(len(name), f"{name[:2]}/{name[2:4]}")


def crates_place(default: Callable[[], str] | None = None) -> Place:
    """Return where this machine finds crates. Raises `FetchError` for a configuration that cannot be followed."""
    if given := os.environ.get(FOLDER):
        keep_secrets_of(given)
        if given.startswith(("http://", "https://")):
            return Place(registry=f"{given.rstrip('/')}/", plain=True)
        if not Path(given).is_dir():
            raise FetchError(f"{FOLDER} names {given}, which is no folder", hint=WAYS)
        return Place(folder=Path(given))
    home = Path(os.environ.get("CARGO_HOME") or Path.home() / ".cargo")
    for name in ("config", "config.toml"):  # cargo takes the older name where both are there
        if (file := home / name).is_file():
            return _configured(file) or _sparse(default() if default else "", "cargo's own default")
    return _sparse(default() if default else "", "cargo's own default")


def _configured(file: Path) -> Place | None:
    """Return what cargo's configuration has in place of the public registry; None if it has nothing."""
    try:
        document = tomllib.loads(read_regular(file, limit=_LIMIT).decode())
    except (OSError, ValueError, RecursionError) as error:
        raise FetchError(f"{file}: {error}", hint="mend it, or set CARGO_HOME to another folder") from error
    sources, registries = _table(document, "source"), _table(document, "registries")
    name = _PUBLIC
    for _ in range(_MOST_HOPS):
        source = _table(sources, name)
        if (following := source.get("replace-with")) is None:
            break
        name = str(following)
    else:
        raise FetchError(f"{file}: source.{_PUBLIC} is replaced in a ring", hint=WAYS)
    if name == _PUBLIC:
        return None
    if isinstance(local := source.get("local-registry"), str):
        return Place(folder=file.parent.parent / local)
    if "directory" in source:
        raise FetchError(
            f"{file}: source.{name} is a directory of unpacked crates, which no checksum of a Cargo.lock fits",
            hint=WAYS,
        )
    address = source.get("registry") or _table(registries, name).get("index")
    return _sparse(str(address or ""), f"{file}: source.{name}")


def _table(document: dict[str, Any], name: str) -> dict[str, Any]:
    table = document.get(name, {})
    return table if isinstance(table, dict) else {}


def _sparse(address: str, where: str) -> Place:
    keep_secrets_of(address)
    if not address.startswith((f"{_SPARSE}http://", f"{_SPARSE}https://")):
        raise FetchError(f"{where} is no sparse registry of crates (sparse+https://…)", hint=WAYS)
    return Place(registry=address.removeprefix(_SPARSE).rstrip("/") + "/")
