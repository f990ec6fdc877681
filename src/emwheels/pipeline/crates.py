"""Stage: what a recipe in Rust needs beside others: the layer, the crates of its Cargo.lock, and their licences."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING, Any

from packaging.version import InvalidVersion, Version

from emwheels.build.cargo_tree import read_cargo_tree, read_file
from emwheels.build.provenance import CrateNote
from emwheels.build.rust import RustInputs
from emwheels.errors import FetchError, RecipeError, visible
from emwheels.fetch.archive import read_member
from emwheels.fetch.cargo_lock import read_cargo_lock
from emwheels.fetch.crates import WAYS
from emwheels.fetch.download import NotFoundError, UnreachableError
from emwheels.pipeline.sources import source_tree
from emwheels.recipe.rust import crate_lock

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from emwheels.build.cargo_tree import CargoTree
    from emwheels.fetch.cargo_lock import Crate
    from emwheels.fetch.fetcher import Fetched, Fetcher
    from emwheels.pipeline.environment import Environment
    from emwheels.recipe.model import Recipe

_LARGEST_MANIFEST = 1 << 20


def rust_inputs(environment: Environment, recipe: Recipe) -> RustInputs:
    """Return the layer and the crates for a build of ``recipe``, fetched if need be.

    Raises `RecipeError` for crates that nothing locks and for a Rust that is newer than the layer's, `FetchError` for
    crates that cannot be had, and `ImageError` without a layer.
    """
    own = crate_lock(recipe)
    with source_tree(environment, recipe) as tree:
        cargo = read_cargo_tree(tree)
        if cargo is None:
            return RustInputs(layer=environment.rust.layer)
        _check_version(recipe, cargo, environment.rust.pins.rust)
        if cargo.vendored and own is None:
            return RustInputs(layer=environment.rust.layer)
        if own is None and not cargo.locked:
            raise RecipeError(
                f"{recipe.folder / 'meta.yaml'}: its source has no {cargo.lock}, so no sha256 says what its crates are",
                hint=f"make one: emwheels lock {recipe.name}",
            )
        data = own.read_bytes() if own else read_file(tree, cargo.lock)
    label = str(own) if own else f"{recipe.name}: {cargo.lock} of its source"
    crates = fetch_crates(environment.fetcher, read_cargo_lock(data, label), label)
    lock = (cargo.lock, data) if own else None
    return RustInputs(layer=environment.rust.layer, crates=crates, lock=lock)


def _check_version(recipe: Recipe, cargo: CargoTree, there: str) -> None:
    try:
        newer = bool(cargo.rust_version) and Version(cargo.rust_version) > Version(there)
    except InvalidVersion:  # cargo says so itself
        return
    if newer:
        raise RecipeError(
            f"{recipe.folder / 'meta.yaml'}: its {cargo.manifest} asks for Rust {cargo.rust_version}, and the layer of "
            f"targets.toml has {there}",
            hint="take an older version of the package, or a newer rust in [image.rust] of targets.toml",
        )


def fetch_crates(fetcher: Fetcher, crates: Iterable[Crate], label: str) -> list[tuple[Crate, Fetched]]:
    """Fetch the crates of a Cargo.lock, which is called ``label``. Raises `FetchError`, one line and what to do."""
    found = []
    for crate in crates:
        try:
            found.append((crate, fetcher.fetch(crate.purl, crate.sha256)))
        except (UnreachableError, NotFoundError) as error:
            raise FetchError(
                f"{label} needs the crate {crate.name} {crate.version}, which cannot be had: {error.message}", hint=WAYS
            ) from error
    return found


def crate_notes(crates: Sequence[tuple[Crate, Fetched]]) -> list[CrateNote]:
    """Return what an SBOM is to say of crates, with the licence that each states of itself."""
    return [
        CrateNote(name=crate.name, version=crate.version, sha256=crate.sha256, licence=_licence(crate, fetched))
        for crate, fetched in crates
    ]


def _licence(crate: Crate, fetched: Fetched) -> str:
    data = read_member(fetched.path, f"{crate.folder}/Cargo.toml", limit=_LARGEST_MANIFEST)
    try:
        package: dict[str, Any] = tomllib.loads((data or b"").decode()).get("package", {})
        given = package.get("license") or ""
    except (ValueError, AttributeError, RecursionError):
        return ""
    return visible(str(given), lines=False)[:200].replace("/", " OR ") if given else ""
