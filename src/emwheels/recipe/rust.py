"""Which recipes are in Rust, and the Cargo.lock that one may have beside its meta.yaml."""

from __future__ import annotations

from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from emwheels.recipe.locked import pinned_versions

if TYPE_CHECKING:
    from pathlib import Path

    from emwheels.recipe.model import Recipe

PROGRAMS = ("cargo", "rustc", "rustup")
"""Names in ``requirements.executable`` that ask for Rust. pyodide-build would have rustup download it."""
BACKENDS = (canonicalize_name("maturin"), canonicalize_name("setuptools-rust"))
"""Build requirements that compile Rust."""
CRATE_LOCK = "Cargo.lock"
"""The file of a recipe whose source has none: `emwheels lock` writes it."""


def is_rust(recipe: Recipe) -> bool:
    """Tell whether a build of ``recipe`` compiles Rust: by its programs, or by the build requirements that it locks."""
    if any(name in PROGRAMS for name in recipe.requirements.executable):
        return True
    return not pinned_versions(recipe.build_lock).keys().isdisjoint(BACKENDS)


def crate_lock(recipe: Recipe) -> Path | None:
    """Return the recipe's own Cargo.lock, if it has one."""
    file = recipe.folder / CRATE_LOCK
    return file if file.is_file() else None
