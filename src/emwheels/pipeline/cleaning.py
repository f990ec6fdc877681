"""The user's cache made smaller: the store, and what lies beside it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from emwheels.build.kept import remove_kept
from emwheels.image.removal import remove_tree, unfinished_folders
from emwheels.outputs.builds import files_of
from emwheels.store.upkeep import Size, collect, remove_unused, size_below

if TYPE_CHECKING:
    from pathlib import Path

    from emwheels.store import Store
    from emwheels.store.upkeep import Collected


def _unused_projects(cache: Path, older_than: float) -> list[Path]:
    """Return the work folders of projects without recipes in which nothing was done for ``older_than`` seconds."""
    until = time.time() - older_than
    return [file.parent for file in sorted(cache.glob("own/*/*/own.json")) if file.stat().st_mtime < until]


def clean(
    store: Store, cache: Path, *, older_than: float | None, max_bytes: int | None, failed: bool, dry_run: bool
) -> Collected:
    """Remove what was last used ``older_than`` seconds ago, and what killed runs left; return what that was.

    Of the store also what was used longest ago, while it has more than ``max_bytes``; with ``failed`` all that failed
    builds left. With ``dry_run`` nothing is removed.
    """
    done = collect(store, files_of, older_than=older_than, max_bytes=max_bytes, copies=cache / "named", dry_run=dry_run)
    if older_than is not None:
        count, freed = remove_unused(cache / "ccache", older_than=older_than, dry_run=dry_run)
        if count:
            done.removed["ccache"] = Size(entries=count, bytes=freed)
        for folder in _unused_projects(cache, older_than):
            done.removed["projects"].add(size_below(folder).bytes)
            if not dry_run:
                remove_tree(folder)
    if failed or older_than is not None:
        count, freed = remove_kept(cache, older_than=0 if failed else older_than or 0, dry_run=dry_run)
        if count:
            done.removed["failed builds"] = Size(entries=count, bytes=freed)
    for folder in unfinished_folders(cache):
        done.removed["unfinished folders"].add(size_below(folder).bytes)
        if not dry_run:
            remove_tree(folder)
    return done
