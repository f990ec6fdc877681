"""What a source tree says of its crates: the manifest that is built, its Cargo.lock, crates of its own, its Rust.

Only files are read, through the door: an archive, or a patch in the sandbox, may have laid links in their place.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from emwheels.errors import RecipeError, visible
from emwheels.fetch.cargo_lock import LIMIT
from emwheels.image.door import Door, DoorError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LOCK = "Cargo.lock"
_MANIFEST = "Cargo.toml"
_CONFIGURATIONS = (".cargo/config.toml", ".cargo/config")
_PUBLIC = "crates-io"
_MOST_HOPS = 10
_LARGEST = 4 << 20


@dataclass(frozen=True, kw_only=True)
class CargoTree:
    """The part of a source tree that cargo builds; paths are relative to the tree."""

    manifest: str
    """Its Cargo.toml."""
    lock: str
    """Where its Cargo.lock is, or would be."""
    locked: bool
    """Whether there is one."""
    vendored: bool
    """Whether the tree has its crates itself, and a configuration that says so."""
    rust_version: str = ""
    """The least version of rustc that it asks for; may be empty."""


def read_cargo_tree(tree: Path) -> CargoTree | None:
    """Return what the source in ``tree`` says of its crates; None if there is no Cargo.toml in it.

    Raises `RecipeError` for a file of cargo's that makes no sense.
    """
    with Door(tree) as door:
        names = {left.path for left in door.files() if left.link is None}
        manifests = sorted((name for name in names if _is(name, _MANIFEST)), key=lambda name: (name.count("/"), name))
        if not manifests:
            return None
        vendored = _vendored(door, names)
        named = next((name for name in _named_manifests(door, names) if name in names), "")
        beside = [name for name in manifests if f"{_folder(name)}{LOCK}" in names]
        manifest = named or (manifests[0] if "/" not in manifests[0] else [*beside, manifests[0]][0])
        lock = next((f"{above}{LOCK}" for above in _above(manifest) if f"{above}{LOCK}" in names), "")
        return CargoTree(
            manifest=manifest,
            lock=lock or f"{_workspace(door, names, manifest)}{LOCK}",
            locked=bool(lock),
            vendored=vendored,
            rust_version=_rust_version(door, names, manifest),
        )


def read_file(tree: Path, name: str) -> bytes:
    """Return a file of a source tree. Raises `RecipeError` for a link, and for what is no Cargo.lock by its size."""
    try:
        with Door(tree) as door:
            return door.read(name, limit=LIMIT)
    except DoorError as error:
        raise RecipeError(error.message) from error


def _is(name: str, file: str) -> bool:
    return name == file or name.endswith(f"/{file}")


def _folder(name: str) -> str:
    """Return the folder of a file, with a slash at its end; empty for the top."""
    return name[: name.rfind("/") + 1]


def _above(name: str) -> Iterator[str]:
    """Yield the folder of a file and those above it, each with a slash at its end, the top last."""
    folder = _folder(name)
    while folder:
        yield folder
        folder = _folder(folder[:-1])
    yield ""


def _named_manifests(door: Door, names: set[str]) -> Iterator[str]:
    """Yield the manifests that pyproject.toml names for maturin and for setuptools-rust."""
    tools = _table(_read(door, "pyproject.toml", names), "tool")
    yield _plain(_table(tools, "maturin").get("manifest-path"))
    modules = _table(tools, "setuptools-rust").get("ext-modules", [])
    for each in modules if isinstance(modules, list) else []:
        if isinstance(each, dict):
            yield _plain(each.get("path", _MANIFEST))


def _plain(path: object) -> str:
    return str(PurePosixPath(str(path))) if path else ""


def _vendored(door: Door, names: set[str]) -> bool:
    """Tell whether cargo's configuration at the top of the tree has crates taken from a folder of the tree."""
    for file in _CONFIGURATIONS:
        sources = _table(_read(door, file, names), "source")
        name = _PUBLIC
        for _ in range(_MOST_HOPS):
            source = _table(sources, name)
            if directory := source.get("directory") or source.get("local-registry"):
                return door.has_folder(_plain(directory).removeprefix("./")) if ".." not in str(directory) else False
            name = str(source.get("replace-with", ""))
    return False


def _workspace(door: Door, names: set[str], manifest: str) -> str:
    """Return the folder of the workspace that a manifest belongs to, with a slash at its end: Cargo.lock lies there."""
    for folder in _above(manifest):
        if "workspace" in _read(door, f"{folder}{_MANIFEST}", names):
            return folder
    return _folder(manifest)


def _rust_version(door: Door, names: set[str], manifest: str) -> str:
    given = _table(_read(door, manifest, names), "package").get("rust-version", "")
    if isinstance(given, dict):  # {workspace = true}
        root = f"{_workspace(door, names, manifest)}{_MANIFEST}"
        given = _table(_table(_read(door, root, names), "workspace"), "package").get("rust-version", "")
    return visible(str(given), lines=False)[:40]


def _read(door: Door, name: str, names: set[str]) -> dict[str, Any]:
    if name not in names:
        return {}
    try:
        return tomllib.loads(door.read(name, limit=_LARGEST).decode())
    except (DoorError, ValueError, RecursionError) as error:
        raise RecipeError(f"{name} of the source cannot be read: {visible(str(error), lines=False)[:200]}") from error


def _table(document: dict[str, Any], name: str) -> dict[str, Any]:
    table = document.get(name, {})
    return table if isinstance(table, dict) else {}
