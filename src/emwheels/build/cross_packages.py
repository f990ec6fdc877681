"""Packages that others compile against, such as numpy: their platform files in the cross-build environment."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

from packaging.utils import InvalidWheelFilename, parse_wheel_filename
from packaging.version import Version

from emwheels.errors import RecipeError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from emwheels.fetch.fetcher import Fetched
    from emwheels.recipe.model import Recipe


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


def check_native_packages(recipe: Recipe, cross: Sequence[Recipe], wheels: Sequence[Fetched]) -> None:
    """Raise `RecipeError` unless the native wheel of each of ``cross``, at its recipe's version, is in ``wheels``."""
    for needed in cross:
        versions = {version for name, version in map(_identity, wheels) if name == needed.name}
        if Version(needed.version) not in versions:
            pinned = f"pins {needed.name} {versions.pop()}" if versions else f"does not pin {needed.name}"
            raise RecipeError(
                f"{recipe.folder / 'requirements.build.txt'}: {pinned}, and the recipe that {recipe.name} is to be "
                f"built against has {needed.version}",
                hint=f"lock again: emwheels lock {recipe.name}",
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
    pins = "".join(f"{package.recipe.spelling}=={package.recipe.version}\n" for package in packages)
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
