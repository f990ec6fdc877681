"""A folder that holds a Python project -> a recipe whose source is that folder."""

from __future__ import annotations

import os
import re
import tempfile
import tomllib
from configparser import ConfigParser
from configparser import Error as ConfigError
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from packaging.metadata import parse_email
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from emwheels.atomic import read_regular
from emwheels.author.new import LocalProject, propose_tree
from emwheels.author.new_metadata import about_of_project, about_of_source
from emwheels.author.new_source import required_name
from emwheels.errors import UsageError, visible
from emwheels.fetch.archive import unpack
from emwheels.recipe.model import Package, Recipe, Source
from emwheels.recipe.source_tree import PROJECT_FILES, last_tag, write_tree

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from emwheels.author.new import Proposal
    from emwheels.author.new_metadata import Described
    from emwheels.author.new_needs import PackageSource
    from emwheels.target import Target

_LARGEST = 1 << 20
_NAME = re.compile(r"^[ \t]*name\s*=\s*['\"]([A-Za-z0-9][\w.-]*)['\"]", re.MULTILINE)
_VERSION = re.compile(r"^[ \t]*(?:__version__|version)\s*(?::\s*\w+\s*)?=\s*['\"]([\w.!+-]+)['\"]", re.MULTILINE)
_OF_MESON = re.compile(r"project\([^()]*?\bversion\s*:\s*'([\w.!+-]+)'")
_FROM_GIT = ("setuptools-scm", "hatch-vcs", "setuptools-git-versioning", "versioneer", "poetry-dynamic-versioning")
_PRETEND = "export SETUPTOOLS_SCM_PRETEND_VERSION={version}\n"
UNKNOWN = "0.0"


@dataclass(frozen=True, kw_only=True)
class FolderProject:
    """What the files of a Python project say without being run."""

    name: str
    """Normalised."""
    version: str
    table: Mapping[str, Any]
    """pyproject.toml."""
    notes: Sequence[str] = ()
    script: str = ""
    """What has to be exported before the build: the version, where the project asks git for it."""
    about: Described | None = None
    """What it says of itself; None without a table ``project``."""


def describe(folder: Path) -> FolderProject:
    """Return what is known of the project in ``folder``. Raises `UsageError` where that is none, or has no name."""
    if not any((folder / name).is_file() for name in PROJECT_FILES):
        raise UsageError(
            f"{folder} is no Python project: it has neither {' nor '.join(PROJECT_FILES)}",
            hint="name the folder of a project, or a package of your index",
        )
    table = _table(folder)
    name = _name(folder, table)
    version, notes = _version(folder, name, table)
    asks_git = {required_name(text) for text in build_requires(table)}.intersection(_FROM_GIT)
    said = table.get("project")
    return FolderProject(
        name=name,
        version=version,
        table=table,
        notes=notes,
        script=_PRETEND.format(version=version) if asks_git else "",
        about=about_of_project(said) if isinstance(said, dict) else None,
    )


def propose_folder(
    folder: Path, place: Path, registry: PackageSource, target: Target, recipes: Mapping[str, Recipe]
) -> Proposal:
    """Return a recipe for the project in ``folder``, to be written below the folder ``place``; nothing of it is run.

    Raises `UsageError` for a folder without a project, or one that has a recipe, and `RecipeError` for files that
    cannot be taken.
    """
    folder = folder.absolute()
    said = describe(folder)
    if said.name in recipes:
        there = recipes[said.name]
        raise UsageError(f"{said.name} has a recipe, of version {there.version}", hint=f"edit {there.folder}")
    recipe = Recipe(
        folder=place / said.name,
        package=Package(name=canonicalize_name(said.name), version=said.version),
        source=Source(path=_path(folder, place / said.name)),
    )
    found = LocalProject(
        name=said.name,
        version=said.version,
        source={"path": str(recipe.source.path)},
        label=str(folder),
        build={"script": said.script} if said.script else {},
        notes=said.notes,
    )
    with tempfile.TemporaryDirectory(prefix="emwheels-new-") as work:
        archive = Path(work) / "source.tar"
        with archive.open("xb") as out:
            write_tree(recipe, out)
        tree = unpack(archive, Path(work) / "tree", strip_single_top=True)
        about = said.about or about_of_source(tree)
        return propose_tree(found, tree, about, registry=registry, target=target, recipes=recipes)


def _path(folder: Path, recipe: Path) -> str:
    """Return ``source.path``: relative within the project and beside it, which may lie elsewhere on other machines."""
    there, here = folder.resolve(), recipe.resolve()
    near = here.parents[2]
    return os.path.relpath(there, here) if there.is_relative_to(near) else str(there)


def _table(folder: Path) -> dict[str, Any]:
    """Return the folder's pyproject.toml; nothing without one. Raises `UsageError`."""
    file = folder / "pyproject.toml"
    if not file.is_file():
        return {}
    try:
        return tomllib.loads(read_regular(file, limit=_LARGEST).decode())
    except (OSError, ValueError, RecursionError) as error:
        raise UsageError(f"{file} cannot be read: {visible(str(error), lines=False)}", hint="mend it") from error


def build_requires(table: Mapping[str, Any]) -> list[str]:
    """Return ``build-system.requires`` of a pyproject.toml; what is no text is left out."""
    system = table.get("build-system")
    requires = system.get("requires") if isinstance(system, dict) else None
    return [text for text in requires if isinstance(text, str)] if isinstance(requires, list) else []


def _name(folder: Path, table: Mapping[str, Any]) -> str:
    said = table.get("project")
    found = said.get("name") if isinstance(said, dict) else None
    found = found or _of_setup_cfg(folder, "name") or _first(_NAME, folder / "setup.py")
    if not isinstance(found, str) or not re.fullmatch(r"[A-Za-z0-9](?:[\w.-]*[A-Za-z0-9])?", found):
        raise UsageError(
            f"{folder} does not say what its project is called",
            hint='write name = "…" below [project] of pyproject.toml',
        )
    return canonicalize_name(found)


def _version(folder: Path, name: str, table: Mapping[str, Any]) -> tuple[str, list[str]]:
    """Return the project's version, and a word where that is a guess."""
    said = table.get("project")
    stated = said.get("version") if isinstance(said, dict) else None
    module = name.replace("-", "_")
    files = ("__init__.py", "_version.py", "__about__.py", "version.py")
    places = [folder / above / module / file for above in ("", "src") for file in files]
    found = stated or _of_pkg_info(folder) or _of_setup_cfg(folder, "version") or _first(_VERSION, folder / "setup.py")
    found = found or next(filter(None, (_first(_VERSION, place) for place in [*_named(folder, table), *places])), "")
    found = found or _first(_OF_MESON, folder / "meson.build")
    if isinstance(found, str) and _is_version(found):
        return found, []
    tag = last_tag(folder).removeprefix(name).lstrip("-_v")
    version = tag if _is_version(tag) else UNKNOWN
    why = "git's last tag" if version == tag else "as good as any"
    return version, [f"no file says which version this is: package.version is {version}, {why}"]


def _named(folder: Path, table: Mapping[str, Any]) -> Iterator[Path]:
    """Give the files from which hatchling and scikit-build-core are told to read the version."""
    for keys in (("hatch", "version", "path"), ("scikit-build", "metadata", "version", "input")):
        value: Any = table.get("tool")
        for key in keys:
            value = value.get(key) if isinstance(value, dict) else None
        if isinstance(value, str) and "\0" not in value and (folder / value).resolve().is_relative_to(folder.resolve()):
            yield folder / value


def _is_version(text: str) -> bool:
    try:
        Version(text)
    except InvalidVersion:
        return False
    return True


def _of_setup_cfg(folder: Path, key: str) -> str:
    parser = ConfigParser(interpolation=None)
    try:
        parser.read_string(read_regular(folder / "setup.cfg", limit=_LARGEST).decode())
        return parser.get("metadata", key, fallback="")
    except (OSError, ValueError, ConfigError):
        return ""


def _of_pkg_info(folder: Path) -> str:
    """Return the version of a source archive, which says it in metadata of its own."""
    try:
        raw, _ = parse_email(read_regular(folder / "PKG-INFO", limit=_LARGEST))
    except OSError:
        return ""
    return raw.get("version", "")


def _first(pattern: re.Pattern[str], file: Path) -> str:
    try:
        match = pattern.search(read_regular(file, limit=_LARGEST).decode(errors="replace"))
    except OSError:
        return ""
    return match[1] if match else ""
