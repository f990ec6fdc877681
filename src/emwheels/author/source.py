"""The source of a recipe as a folder to work in, and what was changed there as the recipe's next patch.

Nothing of the source is kept for the comparison: it is unpacked again, as its hash and those of the patches say that it
is the same. What a folder was unpacked from is noted in the cache, outside of the tree.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emwheels.atomic import read_regular, write_atomically
from emwheels.author.patch import changes, patch_of
from emwheels.build.source import apply_patch, prepare_source
from emwheels.errors import RecipeError, UsageError
from emwheels.image.door import Door
from emwheels.image.removal import remove_tree

if TYPE_CHECKING:
    from collections.abc import Iterator

    from emwheels.author.patch import Change
    from emwheels.fetch.fetcher import Fetched
    from emwheels.image.model import Image
    from emwheels.recipe.model import Recipe

_LARGEST_NOTE = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Origin:
    """What both commands need of a recipe: the recipe, its source, and the way into the sandbox that patches it."""

    recipe: Recipe
    source: Fetched
    image: Image
    cache: Path


def unpack_source(origin: Origin, folder: Path) -> None:
    """Unpack the source with all patches applied as ``folder``, which may be there if it is empty.

    It appears whole or not at all. Raises `UsageError` for a folder with something in it, else as `prepare_source`.
    """
    if folder.is_symlink() or (folder.exists() and (not folder.is_dir() or any(folder.iterdir()))):
        raise UsageError(f"{folder} is there already, and is no empty folder", hint="remove it, or name another folder")
    folder.parent.mkdir(parents=True, exist_ok=True)
    making = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        making.chmod(0o755)
        tree = making / "tree"
        prepare_source(origin.recipe, origin.source, tree, origin.image)
        _own(tree)
        _note(origin, folder, origin.recipe.patches)
        tree.replace(folder)
    finally:
        remove_tree(making)


def changed_files(origin: Origin, folder: Path) -> list[Change]:
    """Return what was changed in a folder of `unpack_source`. Raises `UsageError`, and as `changes` does."""
    _check_origin(origin, folder)
    with _pristine(origin) as tree, Door(tree) as before, Door(folder.resolve()) as after:
        return changes(before, after, own=_extras(origin))


def write_patch(origin: Origin, folder: Path, found: list[Change], *, header: str, file: Path) -> None:
    """Write the changes as the patch ``file``, once it is tried: it makes of the source what the folder is.

    Raises `RecipeError` if it does not.
    """
    text = header.encode() + b"\n" + patch_of(found)
    with _pristine(origin) as tree:
        tried = tree.parent / file.name
        tried.write_bytes(text)
        apply_patch(tried, tree, origin.image)
        with Door(tree) as before, Door(folder.resolve()) as after:
            if left := changes(before, after, own=_extras(origin)):
                raise RecipeError(
                    f"{folder / left[0].path}: patch(1) does not make of the source what is there, so nothing was "
                    "written",
                    hint="was it changed meanwhile? Else make the change in another way, such as in source.extras",
                )
    file.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(file, text)
    _note(origin, folder, [*origin.recipe.patches, file])


def next_patch(patches: Path, name: str) -> Path:
    """Return where the next patch in the folder ``patches`` goes that does ``name``."""
    numbers = [int(path.name[:4]) for path in patches.glob("*.patch") if path.name[:4].isdigit()]
    return patches / f"{max(numbers, default=0) + 1:04}-{name}.patch"


@contextmanager
def _pristine(origin: Origin) -> Iterator[Path]:
    """Give the source as the recipe has it now, in a folder that goes away."""
    work = origin.cache / "work" / f"source-{origin.recipe.name}-{os.getpid()}"
    remove_tree(work)
    work.mkdir(parents=True)
    try:
        prepare_source(origin.recipe, origin.source, work / "tree", origin.image)
        yield work / "tree"
    finally:
        remove_tree(work)


def _extras(origin: Origin) -> set[str]:
    return {os.path.normpath(inside) for _, inside in origin.recipe.source.extras}


def _note_of(origin: Origin, folder: Path) -> Path:
    digest = hashlib.sha256(os.fsencode(folder.resolve())).hexdigest()[:24]
    return origin.cache / "unpacked" / f"{digest}.json"


def _note(origin: Origin, folder: Path, patches: list[Path] | tuple[Path, ...]) -> None:
    document = {"recipe": origin.recipe.name, "source": origin.source.sha256, "patches": _hashes(patches)}
    write_atomically(_note_of(origin, folder), json.dumps(document, indent=1).encode())


def _hashes(patches: list[Path] | tuple[Path, ...]) -> list[list[str]]:
    return [[path.name, hashlib.sha256(path.read_bytes()).hexdigest()] for path in patches]


def _check_origin(origin: Origin, folder: Path) -> None:
    """Raise `UsageError` unless ``folder`` was unpacked from what the recipe says now."""
    recipe = origin.recipe
    again = f"emwheels source {recipe.name} NEW-FOLDER"
    if not folder.is_dir():
        raise UsageError(f"{folder} is no folder", hint=f"{again}, then make your changes there")
    try:
        note: dict[str, Any] = json.loads(read_regular(_note_of(origin, folder), limit=_LARGEST_NOTE))
    except (OSError, ValueError):
        note = {}
    if note.get("recipe") != recipe.name:
        raise UsageError(
            f"{folder} was not unpacked by emwheels source {recipe.name}, or was moved since",
            hint=f"{again}, then copy your changes there",
        )
    if note.get("source") != origin.source.sha256:
        raise UsageError(
            f"{folder} is of another source than {recipe.name} has now", hint=f"{again}, then copy your changes there"
        )
    if note.get("patches") != _hashes(recipe.patches):
        raise UsageError(
            f"{folder} has other patches applied than {recipe.name} has now",
            hint=f"{again}, then copy your changes there",
        )


def _own(tree: Path) -> None:
    """Have root's tree belong to root again, as the sandbox that patched it is another user."""
    if os.geteuid() != 0:
        return
    for folder, folders, files in os.walk(tree):
        for name in (".", *folders, *files):
            os.lchown(os.path.join(folder, name), 0, 0)  # noqa: PTH118  (pathlib has no lchown)
