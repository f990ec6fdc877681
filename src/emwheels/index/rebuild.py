"""The index of a folder, made anew from its wheels."""

from __future__ import annotations

import hashlib
import os
from collections import defaultdict
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from itertools import islice
from multiprocessing import get_context
from typing import TYPE_CHECKING

from emwheels.errors import EmwheelsError, IndexingError
from emwheels.index.model import PROVENANCE, Catalogue, File, Project, now, project_of
from emwheels.index.places.place import RECORD
from emwheels.index.statement import with_statement
from emwheels.index.update import Changed, beside, read_catalogue, write
from emwheels.index.wheelfile import Wheel, read_wheel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from emwheels.index.lockfile import Release
    from emwheels.index.places.folder import Folder
    from emwheels.index.places.place import Source

_BATCH = 500
"""Wheels of which the metadata is in memory at one time."""
_FEW = 50
"""Wheels that are read in this process, as to start others takes longer."""
_SHOWN = 20


def rebuild(
    place: Folder,
    *,
    base_url: str | None = None,
    releases: Sequence[Release] = (),
    say: Callable[[str], None] = lambda _text: None,
) -> Changed:
    """Read every wheel of the folder again and write all pages. ``base_url`` None keeps the one that it has.

    What no wheel tells stays: times, yanks and statuses. Call it while holding `Folder.changing`. Raises
    `IndexingError` that names the wheels which must not be in an index; then no page was changed.
    """
    before = read_catalogue(place)
    files: dict[str, list[File]] = defaultdict(list)
    problems: list[EmwheelsError] = []
    paths = sorted((place.root / "wheels").glob("*.whl"))
    for done, wheels in _read_all(paths):
        sides: dict[str, Source] = {}
        problems += [wheel for wheel in wheels if isinstance(wheel, EmwheelsError)]
        for wheel in (_with_history(wheel, before, place) for wheel in wheels if isinstance(wheel, Wheel)):
            files[project_of(wheel.file)].append(wheel.file)
            sides |= beside(wheel)
        place.send(sides)
        say(f"{done} of {len(paths)} wheels read")
    if problems:
        lines = "\n".join(problem.message for problem in problems[:_SHOWN])
        raise IndexingError(
            f"{len(problems)} of {len(paths)} wheels in {place.root / 'wheels'} cannot be in an index:\n{lines}",
            hint="mend them or take them out of the folder, then run the same command again",
        )
    base_url = before.base_url if base_url is None else base_url
    after = replace(before, base_url=base_url, projects={}, pending=frozenset())
    for name, present in files.items():
        project = before.projects.get(name, Project(name=project_of(present[0])))
        after.put(replace(project, files=()).with_files(present))
    return write(place, after, changed={*before.projects, *after.projects, *before.pending}, releases=releases)


def read_or_rebuild(place: Folder) -> Catalogue:
    """Return what is in the index of a folder; one that has wheels and no record yet is made first."""
    if place.read(RECORD) is None and any((place.root / "wheels").glob("*.whl")):
        rebuild(place)
    return read_catalogue(place)


def _with_history(wheel: Wheel, before: Catalogue, place: Folder) -> Wheel:
    """Return a wheel with what was known of it: one that was built here, and is the same, keeps its statement."""
    project = before.projects.get(project_of(wheel.file))
    known = project.file(wheel.file.filename) if project else None
    if known is None:
        return wheel
    file = replace(wheel.file, yanked=known.yanked, marked=known.marked)
    if known.sha256 != file.sha256:
        return replace(wheel, file=file)
    wheel = replace(wheel, file=replace(file, uploaded=known.uploaded))
    if known.statement_sha256:
        wheel = with_statement(wheel)
    if known.statement_sha256 != wheel.file.statement_sha256:
        return wheel
    signed = place.read(f"wheels/{file.filename}{PROVENANCE}") if known.provenance_sha256 else None
    kept = signed is not None and hashlib.sha256(signed).hexdigest() == known.provenance_sha256
    return replace(wheel, file=replace(wheel.file, provenance_sha256=known.provenance_sha256 if kept else ""))


def _read_all(paths: Sequence[Path]) -> Iterator[tuple[int, list[Wheel | EmwheelsError]]]:
    """Yield how many wheels have been read, and the last batch of them or what is wrong with each."""
    waiting, done = iter(paths), 0
    with ExitStack() as stack:
        reading: Callable[..., Iterator[Wheel | EmwheelsError]] = map
        if len(paths) > _FEW:
            pool = ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("spawn"))
            executor = stack.enter_context(pool)
            reading = lambda function, batch: executor.map(function, batch, chunksize=25)  # noqa: E731
        while batch := list(islice(waiting, _BATCH)):
            wheels = list(reading(_read, batch))
            done += len(batch)
            yield done, wheels


def _read(path: Path) -> Wheel | EmwheelsError:
    try:
        return read_wheel(path, path.name, uploaded=now())
    except EmwheelsError as error:
        return error
