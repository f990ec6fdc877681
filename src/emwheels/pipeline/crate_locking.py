"""Stage: a Cargo.lock for a source that has none, written beside its recipe by cargo, in the image."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from emwheels.atomic import write_atomically
from emwheels.build.cargo_tree import read_cargo_tree, read_file
from emwheels.errors import FetchError, RecipeError, redacted, visible
from emwheels.fetch.cargo_lock import read_cargo_lock
from emwheels.fetch.crates import WAYS, crates_place
from emwheels.image.model import Mount
from emwheels.image.places import CRATE_FILES, CRATE_HOME, RUST, SOURCE
from emwheels.pipeline.sources import source_tree
from emwheels.recipe.rust import CRATE_LOCK, crate_lock

if TYPE_CHECKING:
    from emwheels.fetch.crates import Place
    from emwheels.pipeline.environment import Environment
    from emwheels.recipe.model import Recipe

_SECONDS = 600
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")


def lock_crates(environment: Environment, recipe: Recipe) -> Path | None:
    """Write ``Cargo.lock`` for a recipe in Rust whose source has neither one nor its crates; None if it has.

    cargo resolves, with network, in the image; nothing of the source is run. Raises `FetchError` with cargo's last
    words, and `RecipeError` for crates that no sha256 can be had for.
    """
    with source_tree(environment, recipe) as tree:
        cargo = read_cargo_tree(tree)
        if cargo is None or cargo.locked or (cargo.vendored and crate_lock(recipe) is None):
            return None
        if environment.offline:
            raise FetchError("this is offline, and cargo asks a registry", hint="run the command without --offline")
        with environment.board.phase(recipe.name, "lock crates"):
            _generate(environment, tree, cargo.manifest)
        data = read_file(tree, cargo.lock)
    destination = recipe.folder / CRATE_LOCK
    read_cargo_lock(data, str(destination))
    write_atomically(destination, data)
    return destination


def _generate(environment: Environment, tree: Path, manifest: str) -> None:
    layer = environment.rust.layer
    place = crates_place(lambda: layer.registry)
    with tempfile.TemporaryDirectory(prefix="emwheels-cargo-") as home, tempfile.TemporaryFile() as output:
        (Path(home) / "config.toml").write_text(_configuration(place))
        given = [Mount(host=place.folder, inside=CRATE_FILES)] if place.folder is not None else []
        done = environment.image.run(
            ["cargo", "generate-lockfile", "--manifest-path", f"{SOURCE}/{manifest}"],
            mounts=[
                layer.mount(),
                Mount(host=tree, inside=SOURCE, writable=True),
                Mount(host=Path(home), inside=CRATE_HOME, writable=True),
                *given,
            ],
            env={
                "PATH": f"{RUST}/bin:{dict(environment.image.environment)['PATH']}",
                "CARGO_HOME": CRATE_HOME,
                "CARGO_TERM_COLOR": "never",
                **{name: value for name in _PROXIES if (value := os.environ.get(name) or os.environ.get(name.lower()))},
            },
            cwd=SOURCE,
            network=place.folder is None,
            output=output,
            seconds=_SECONDS,
        )
        if done.status or done.reached:
            output.seek(0)
            said = visible(redacted(output.read()[-4000:].decode(errors="replace")).strip())
            raise FetchError(f"cargo could not find the crates:\n{said}", hint=WAYS)


def _configuration(place: Place) -> str:
    """Return a configuration of cargo's by which it asks ``place``. Raises `FetchError` for one without an index."""
    start = '[source.crates-io]\nreplace-with = "here"\n[source.here]\n'
    if place.folder is not None and not (place.folder / "index").is_dir():
        raise RecipeError(
            f"{place.folder} has no folder index: cargo cannot choose versions from files alone",
            hint="name a registry in $CARGO_HOME/config.toml, or put a Cargo.lock of your own into the recipe's folder",
        )
    if place.folder is not None:
        return f'{start}local-registry = "{CRATE_FILES}"\n'
    if place.plain:
        raise RecipeError(
            "EMWHEELS_CRATES has files alone, from which cargo cannot choose versions",
            hint="name a registry in $CARGO_HOME/config.toml, or put a Cargo.lock of your own into the recipe's folder",
        )
    return f'{start}registry = "sparse+{place.registry}"\n'
