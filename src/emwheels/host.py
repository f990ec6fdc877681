"""What host requirements give a build: C libraries in one prefix, and platform files of packages such as numpy."""

from __future__ import annotations

import shutil
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.requirements import Requirement
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
from packaging.version import Version

from emwheels.errors import RecipeError
from emwheels.fetch.archive import unpack

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from emwheels.fetch.fetcher import Fetched
    from emwheels.recipe import Recipe

LICENCES = "share/licenses"
"""Where a library keeps its licence files, in a folder of its name: they go into every wheel that links it."""


@dataclass(frozen=True, kw_only=True)
class CrossPackage:
    """A built package whose headers and libraries other packages compile against: ``build.cross-build-env``.

    While something is built against it, the *native* package of the same version is installed, as it can be
    imported there, and `files` of the wasm wheel are laid over it (pyodide-build 0.39.2).
    """

    recipe: Recipe
    wheel: Path

    @property
    def files(self) -> tuple[str, ...]:
        """Those that differ between platforms, by their names in the wheel: ``build.cross-build-files``."""
        return self.recipe.build.cross_build_files


def cross_requirements(recipe: Recipe, recipes: Mapping[str, Recipe]) -> list[Recipe]:
    """Return the host requirements of ``recipe`` that are packages to compile against, in the recipe's order."""
    known = {canonicalize_name(name): found for name, found in recipes.items()}
    found = (known.get(canonicalize_name(name)) for name in recipe.requirements.host)
    return [host for host in found if host is not None and host.build.cross_build_env]


def pinned_to_recipes(requirements: Iterable[str], cross: Sequence[Recipe]) -> list[str]:
    """Return ``requirements`` less those that name a package of ``cross``, which is added at the recipe's version.

    ``requirements`` are those of PEP 508. pyodide-build exchanges them in the same way when it builds.
    """
    names = {canonicalize_name(recipe.name) for recipe in cross}
    kept = [text for text in requirements if canonicalize_name(Requirement(text).name) not in names]
    return kept + [f"{recipe.name}=={recipe.version}" for recipe in cross]


def check_native_packages(recipe: Recipe, cross: Sequence[Recipe], wheels: Sequence[Fetched]) -> None:
    """Raise `RecipeError` unless the native wheel of each of ``cross``, at its recipe's version, is in ``wheels``."""
    for needed in cross:
        versions = {version for name, version in map(_identity, wheels) if name == canonicalize_name(needed.name)}
        if Version(needed.version) not in versions:
            pinned = f"pins {needed.name} {versions.pop()}" if versions else f"does not pin {needed.name}"
            raise RecipeError(
                f"{recipe.folder / 'requirements.build.txt'}: {pinned}, and the recipe that {recipe.name} is to be "
                f"built against has {needed.version}",
                hint=f"lock again: nox -s lock -- {recipe.name}",
            )


def _identity(wheel: Fetched) -> tuple[str, Version | None]:
    try:
        name, version, _, _ = parse_wheel_filename(wheel.filename)
    except InvalidWheelFilename:
        return "", None
    return name, version


def add_cross_packages(packages: Sequence[CrossPackage], crossenv: Path) -> None:
    """Make ``packages`` known to the cross-build environment at ``crossenv``, which is the build's own.

    Raises `RecipeError` for a file that a package's recipe promises and its wheel does not hold.
    """
    tree = crossenv / "xbuildenv"
    pins = "".join(f"{package.recipe.name}=={package.recipe.version}\n" for package in packages)
    (tree / "requirements.txt").write_text(pins)
    for package in packages:
        with zipfile.ZipFile(package.wheel) as archive:
            for name in package.files:
                try:
                    data = archive.read(name)
                except KeyError:
                    raise RecipeError(
                        f"{package.recipe.folder / 'meta.yaml'}: build.cross-build-files: the wheel has no {name}",
                        hint="list what is in the wheel; a backend installs headers only if it is told to",
                    ) from None
                path = tree / "site-packages-extras" / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(data)


def unpack_libraries(archives: Sequence[Path], libs: Path) -> frozenset[str]:
    """Unpack the host libraries into one prefix, ``libs``, and return the names of their files."""
    libs.mkdir()
    for archive in archives:
        with tempfile.TemporaryDirectory(dir=libs.parent) as folder:
            tree = unpack(archive, Path(folder) / "tree")
            shutil.copytree(tree, libs, dirs_exist_ok=True, symlinks=True)
    return frozenset(files_below(libs))


def licences_of(libs: Path) -> dict[str, bytes]:
    """Return the licence files of the libraries in ``libs`` by their names in a wheel's .dist-info (PEP 639)."""
    root = libs / LICENCES
    if not root.is_dir():
        return {}
    names = [name for name in files_below(root) if "/" in name and not (root / name).is_symlink()]
    return {f"licenses/{name}": (root / name).read_bytes() for name in names}


def files_below(tree: Path) -> list[str]:
    """Return the files and links below ``tree``, relative to it and sorted."""
    return sorted(str(path.relative_to(tree)) for path in tree.rglob("*") if path.is_symlink() or path.is_file())
