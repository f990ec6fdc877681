"""What a build that failed leaves for whoever looks into it: its work folder, and what its commands saw.

There is one folder a recipe, ``CACHE/failed/NAME``, until that recipe is built again. The newest stays however large it
is; older ones go while all together take more than `MOST_BYTES`.
"""

from __future__ import annotations

import json
import os
import time
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from emwheels.atomic import read_regular, write_atomically
from emwheels.image.door import size_below
from emwheels.image.model import Mount
from emwheels.image.removal import remove_tree

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

MOST_BYTES = 20 << 30
"""Bytes on disk that all kept folders may take together."""
COMPILE, AUDIT, PREPARED = "compile", "audit", "prepared"
"""The phase that failed, or that nothing was compiled yet."""
_STATE = "kept.json"
"""Beside what a build could write, so that no build writes it."""
_LARGEST_STATE = 16 << 20


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What the commands of one build saw."""

    mounts: Sequence[Mount]
    env: Mapping[str, str]
    cwd: str
    spelling: str
    """What pyodide-build calls the recipe."""
    personality: str
    """An option of setarch(8): see `emwheels.build.same_bytes`."""


@dataclass(frozen=True, kw_only=True)
class Kept:
    """One work folder that stayed."""

    folder: Path
    phase: str
    """`COMPILE`, `AUDIT` or `PREPARED`."""
    target: str
    profile: str
    toolchain: str
    image: str
    """The digest of the image."""
    log: str
    inputs: Mapping[str, Any]
    """Of the build key."""
    surroundings: Surroundings
    given: tuple[str, ...] = ()
    """The files of host libraries, which are nothing that the recipe made."""
    built: Mapping[str, Any] = field(default_factory=dict)
    """If the audit refused it: the file that was made (relative), seconds, peak_kib and ccache."""


def tree_of(spelling: str, package: Mapping[str, Any]) -> str:
    """Return where pyodide-build has the source tree that it compiles, below `Workplace.inside`.

    ``package`` is that section of meta.yaml.
    """
    return f"build/{spelling}/build/{package['name']}-{package['version']}"


def kept_folder(cache: Path, name: str) -> Path:
    """Return where the work folder of a failed build of ``name`` stays."""
    return cache / "failed" / name


def kept_folders(cache: Path) -> list[Path]:
    """Return all folders that stayed, the one that was used longest ago first."""
    folders = [path for path in (cache / "failed").glob("*") if path.is_dir() and not path.is_symlink()]
    return sorted(folders, key=_used)


def _used(folder: Path) -> float:
    try:
        return (folder / _STATE).stat().st_mtime
    except OSError:
        return 0


@contextmanager
def held(cache: Path, name: str) -> Iterator[bool]:
    """Keep others from removing what is kept of ``name``; False if somebody else holds it already."""
    (cache / "locks").mkdir(parents=True, exist_ok=True)
    lock = FileLock(cache / "locks" / f"failed-{name}.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        yield False
        return
    try:
        yield True
    finally:
        lock.release()


def keep(work: Path, cache: Path, name: str, state: Kept) -> bool:
    """Move the work folder to where it stays, in place of an earlier one.

    Returns False, and leaves both alone, while somebody looks into the earlier one. False as well, and nothing is kept,
    if that needs space that the disk does not have: why the build failed matters more.
    """
    place = kept_folder(cache, name)
    with held(cache, name) as ours:
        if not ours:
            return False
        remove_tree(place)
        try:
            write_state(work, state)
            place.parent.mkdir(parents=True, exist_ok=True)
            work.rename(place)
        except OSError:
            return False
    _remove_oldest(cache, name)
    return True


def drop(cache: Path, name: str) -> bool:
    """Remove what is kept of ``name``; tell whether nothing is left, as somebody may be looking into it."""
    with held(cache, name) as ours:
        if ours:
            remove_tree(kept_folder(cache, name))
        return ours


def remove_kept(cache: Path, *, older_than: float, dry_run: bool) -> tuple[int, int]:
    """Remove what was last used ``older_than`` seconds ago; return how many folders these are, and their bytes."""
    count = freed = 0
    until = time.time() - older_than
    for folder in kept_folders(cache):
        if _used(folder) <= until:
            size = size_below(folder)
            if dry_run or drop(cache, folder.name):
                count, freed = count + 1, freed + size
    return count, freed


def _remove_oldest(cache: Path, newest: str) -> None:
    folders = kept_folders(cache)
    sizes = {folder: size_below(folder) for folder in folders}
    for folder in folders:
        if sum(sizes.values()) <= MOST_BYTES:
            return
        if folder.name != newest and drop(cache, folder.name):
            del sizes[folder]


def write_state(folder: Path, state: Kept) -> None:
    """Write what is known of a work folder into it."""
    seen = state.surroundings
    mounts = [[_relative(mount.host, state.folder), mount.inside, mount.writable] for mount in seen.mounts]
    document = {name: value for name, value in asdict(state).items() if name not in ("folder", "surroundings")}
    document["surroundings"] = {**asdict(seen), "mounts": mounts, "env": dict(seen.env)}
    write_atomically(folder / _STATE, json.dumps(document, indent=1).encode())


def read_kept(cache: Path, name: str) -> Kept | None:
    """Return what is kept of ``name``, None if that is nothing, or not whole."""
    folder = kept_folder(cache, name)
    try:
        document = json.loads(read_regular(folder / _STATE, limit=_LARGEST_STATE))
        seen = document.pop("surroundings")
        mounts = [
            Mount(host=folder / host, inside=inside, writable=writable) for host, inside, writable in seen.pop("mounts")
        ]
        given = tuple(document.pop("given"))
        return Kept(folder=folder, surroundings=Surroundings(mounts=mounts, **seen), given=given, **document)
    except (OSError, ValueError, TypeError, KeyError):
        return None


def touch(kept: Kept) -> None:
    """Note that it was used."""
    os.utime(kept.folder / _STATE)


def _relative(path: Path, folder: Path) -> str:
    """Return a path below ``folder`` relative to it, as that folder is moved; any other as it is."""
    return str(path.relative_to(folder)) if path.is_relative_to(folder) else str(path)
