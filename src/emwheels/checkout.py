"""Where a checkout keeps its things, and where the user's cache is."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from emwheels.errors import UsageError


@dataclass(frozen=True, kw_only=True)
class Checkout:
    """A checkout with recipes, and the cache that all checkouts of this user share."""

    root: Path
    cache: Path

    @property
    def targets_file(self) -> Path:
        """targets.toml."""
        return self.root / "targets.toml"

    @property
    def recipes(self) -> Path:
        """One folder for each recipe."""
        return self.root / "recipes"

    @property
    def patches(self) -> Path:
        """One folder of patches for each recipe that needs some."""
        return self.root / "patches"

    @property
    def dist(self) -> Path:
        """What is published: wheels, index, reports."""
        return self.root / "dist"


def find_project(start: Path | None = None) -> Checkout:
    """Return the project that ``start`` (the working folder by default) is in.

    ``EMWHEELS_CACHE`` moves the cache. Raises `UsageError` outside of a checkout.
    """
    here = (start or Path.cwd()).resolve()
    for folder in (here, *here.parents):
        if (folder / "targets.toml").is_file() and (folder / "recipes").is_dir():
            return Checkout(root=folder, cache=_cache())
    raise UsageError(
        f"{here} is not inside a project: no folder above it has targets.toml and recipes/",
        hint="run the command in a checkout, or give its folder with --project",
    )


def bare_project() -> Checkout:
    """Return a project without recipes, with the targets that emwheels itself has: for what needs no checkout."""
    cache = _cache()
    root = cache / "bare"
    (root / "recipes").mkdir(parents=True, exist_ok=True)
    project = Checkout(root=root, cache=cache)
    package = Path(__file__).parent
    own = next(file for file in (package / "targets.toml", package.parents[1] / "targets.toml") if file.is_file())
    if not project.targets_file.is_file() or project.targets_file.read_bytes() != own.read_bytes():
        part = root / f".targets-{os.getpid()}.toml"
        shutil.copyfile(own, part)
        part.replace(project.targets_file)
    return project


def _cache() -> Path:
    return Path(os.environ.get("EMWHEELS_CACHE") or platformdirs.user_cache_dir("emwheels")).resolve()
