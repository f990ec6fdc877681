"""The work folder of ``emwheels build .``: a project of recipes like any other, made of what was asked for."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from typing import TYPE_CHECKING, Any

from emwheels import __version__
from emwheels.atomic import read_regular, write_atomically
from emwheels.author.edit import Edit
from emwheels.author.new_build import change
from emwheels.author.own_recipe import OwnRecipe, propose_own, read_table
from emwheels.author.own_source import tree_of
from emwheels.fetch.archive import unpack
from emwheels.recipe.load import load_recipe, patches_of, read_recipes, recipe_folders
from emwheels.recipe.locked import BUILD_LOCK, RUN_LOCK
from emwheels.recipe.own_tests import TEST_LOCK
from emwheels.recipe.source_tree import OWN_LOCK

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from emwheels.author.new_needs import PackageSource
    from emwheels.author.own_source import OwnSource
    from emwheels.recipe.model import Recipe
    from emwheels.recipe.overrides import Aim
    from emwheels.target import Target

LOCKS = (BUILD_LOCK, RUN_LOCK, TEST_LOCK)
_STATE = "own.json"
_FORMAT = 1
"""Raised when other recipes are made of the same projects."""
_RECIPES, _PATCHES = "recipes", "patches"
_PART = "#: "
"""What a line of `OWN_LOCK` begins with that names the lock file whose text follows."""
_HEAD = "# Made by emwheels build. The lock files of this project, for each Pyodide; commit it. Do not edit.\n"


def make_place(root: Path, targets: bytes) -> None:
    """Make ``root`` a project without recipes, for the ``targets`` of another."""
    for name in (_RECIPES, _PATCHES):
        (root / name).mkdir(parents=True, exist_ok=True)
    file = root / "targets.toml"
    if not file.is_file() or file.read_bytes() != targets:
        write_atomically(file, targets)


def link_recipes(root: Path, shelves: Sequence[Path]) -> None:
    """Have the recipes and patches of another project in ``root`` as links, but for those that it has of its own.

    Patches lie in ``patches`` beside the folder of recipes that has theirs.
    """
    mine = {path.name for path in (root / _RECIPES).iterdir() if not path.is_symlink()}
    recipes = {path.name: path.resolve() for path in recipe_folders(shelves).values() if path.name not in mine}
    patched = filter(None, map(patches_of, recipes.values()))
    patches = {path.name: path.resolve() for path in patched}
    for folder, wanted in ((root / _RECIPES, recipes), (root / _PATCHES, patches)):
        for path in folder.iterdir():
            if path.is_symlink() and wanted.get(path.name) != path.resolve():
                path.unlink()
        for name, path in wanted.items():
            if not (folder / name).is_symlink():
                (folder / name).symlink_to(path)


class OwnPlace:
    """Writes the recipe of each project into a work folder, and knows what it wrote there before."""

    def __init__(self, root: Path, target: Target, aim: Aim, registry: PackageSource | None) -> None:
        self._root = root
        self._recipes = root / _RECIPES
        self._patches = root / _PATCHES
        self._target = target
        self._aim = aim
        self._registry = registry
        self._file = root / _STATE
        self._state = self._read()

    def add(self, source: OwnSource, *, lock_anew: bool) -> Mapping[str, Any]:
        """Write the recipe for ``source`` unless nothing has changed; return its name and what is to be said of it.

        Raises `UsageError` for a project that cannot be built, `RecipeError` for a folder that cannot be taken.
        """
        with tree_of(source) as (tree, digest):
            table = read_table(tree, source.label, self._aim, strict=source.folder is not None)
            stamp = self._stamp(digest)
            known = self._state.get(source.asked)
            if known is None or known["stamp"] != stamp or not (self._recipes / known["name"]).is_dir():
                where = dict(source.source) or {"path": self._unpacked(source)}
                recipe = propose_own(
                    tree,
                    where,
                    table.of(self._target.name),
                    registry=self._registry,
                    target=self._target,
                    recipes=self._others(),
                )
                guessed = (known or {}).get("guessed", {})
                known = self._write(recipe, tree, stamp)
                if version := guessed.get(recipe.version):
                    self._correct(known, recipe.version, version)
        self._take_locks(source, known, anew=lock_anew)
        self._state[source.asked] = known
        self._save()
        return known

    def correct(self, source: OwnSource, version: str) -> None:
        """Note the version that the wheel of a project has, where its files say another or none."""
        known = self._state[source.asked]
        self._correct(known, known["version"], version)
        self._save()

    def _correct(self, known: dict[str, Any], guess: str, version: str) -> None:
        change(self._recipes / known["name"], [Edit(key="package.version", value=version)])
        known["guessed"], known["version"] = {guess: version}, version

    def _save(self) -> None:
        write_atomically(self._file, json.dumps(self._state, indent=1).encode())

    def keep_locks(self, source: OwnSource, name: str, *, make: bool) -> bool:
        """Write what was locked into `OWN_LOCK` of the project, if it has that or is to; tell whether it changed."""
        if source.folder is None or not (make or (source.folder / OWN_LOCK).is_file()):
            return False
        parts = _read_lock(source.folder / OWN_LOCK)
        target = self._target.name
        parts = {key: text for key, text in parts.items() if not key.startswith(f"{target}/")}
        parts[f"{target}/asked {self._state[source.asked]['asked']}"] = ""
        for lock in LOCKS:
            if (self._recipes / name / lock).is_file():
                parts[f"{target}/{lock}"] = (self._recipes / name / lock).read_text(encoding="utf-8")
        text = _HEAD + "".join(f"{_PART}{key}\n{parts[key]}" for key in sorted(parts))
        try:
            before = read_regular(source.folder / OWN_LOCK)
        except OSError:
            before = b""
        if text.encode() != before:
            write_atomically(source.folder / OWN_LOCK, text.encode())
        return text.encode() != before

    def _read(self) -> dict[str, Any]:
        try:
            state = json.loads(self._file.read_bytes())
        except (OSError, ValueError):
            return {}
        return state if isinstance(state, dict) else {}

    def _stamp(self, digest: str) -> str:
        others = sorted(path.name for path in self._recipes.iterdir() if path.is_symlink())
        parts = [_FORMAT, __version__, digest, self._target.name, others]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()

    def _others(self) -> Mapping[str, Recipe]:
        found = read_recipes(self._recipes, patches=self._patches, aim=self._aim)
        return found.sound

    def _unpacked(self, source: OwnSource) -> str:
        """Unpack an archive of this machine beside the recipes, and return where."""
        assert source.archive is not None
        folder = self._root / "unpacked" / source.archive.sha256[:16]
        if not folder.is_dir():
            named = folder.parent / source.archive.filename
            folder.parent.mkdir(exist_ok=True)
            named.unlink(missing_ok=True)
            named.symlink_to(source.archive.path)
            unpack(named, folder, strip_single_top=True)
            named.unlink()
        return str(folder)

    def _write(self, recipe: OwnRecipe, tree: Path, stamp: str) -> dict[str, Any]:
        """Write the recipe's folder, its locks kept if it asks for what it asked for before."""
        folder, asked = self._recipes / recipe.name, hashlib.sha256("\n".join(recipe.asked).encode()).hexdigest()
        before = next((each["asked"] for each in self._state.values() if each["name"] == recipe.name), "")
        kept: dict[str, bytes] = {}
        if folder.is_symlink():
            folder.unlink()
            (self._patches / recipe.name).unlink(missing_ok=True)
        elif before == asked:
            kept = {lock: (folder / lock).read_bytes() for lock in LOCKS if (folder / lock).is_file()}
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        for name in recipe.copied:
            _copy(tree / name, folder / name)
        for name, data in {"meta.yaml": recipe.meta.encode(), **recipe.files, **kept}.items():
            (folder / name).write_bytes(data)
        load_recipe(folder, patches=self._patches)
        return {
            "stamp": stamp,
            "asked": asked,
            "name": recipe.name,
            "version": recipe.version,
            "pure": recipe.pure,
            "notes": list(recipe.notes),
            "first": [[need.name, need.version] for need in recipe.first],
        }

    def _take_locks(self, source: OwnSource, known: Mapping[str, Any], *, anew: bool) -> None:
        """Lay the locks that the project keeps beside the recipe, if they are for what it asks for."""
        folder = self._recipes / known["name"]
        if anew:
            for lock in LOCKS:
                (folder / lock).unlink(missing_ok=True)
            return
        parts = _read_lock(source.folder / OWN_LOCK) if source.folder is not None else {}
        target = self._target.name
        if f"{target}/asked {known['asked']}" in parts:
            for lock in LOCKS:
                if (text := parts.get(f"{target}/{lock}")) is not None:
                    (folder / lock).write_text(text, encoding="utf-8")


def _copy(source: Path, destination: Path) -> None:
    destination.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        ignored = shutil.ignore_patterns("__pycache__", ".*")
        shutil.copytree(source, destination, ignore=ignored, dirs_exist_ok=True)
    else:
        shutil.copyfile(source, destination)


def _read_lock(file: Path) -> dict[str, str]:
    """Return the parts of a lock file of a project, by name; nothing without one."""
    try:
        text = read_regular(file, limit=16 << 20).decode()
    except (OSError, ValueError):
        return {}
    parts = re.split(rf"(?m)^{_PART}(.+)\n", text)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))
