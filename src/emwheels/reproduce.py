"""Builds a package twice under different circumstances, and compares what comes out byte for byte."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from emwheels.build import build
from emwheels.difference import first_difference
from emwheels.errors import EmwheelsError
from emwheels.image.debian import remove_tree
from emwheels.package import Options
from emwheels.schedule import JobServer, available_cores

if TYPE_CHECKING:
    from pathlib import Path

    from emwheels.build import BuildInputs
    from emwheels.pipeline import Pipeline


class NotReproducedError(EmwheelsError):
    """A package came out with other bytes when it was built again."""

    exit_code = 6


@dataclass(frozen=True, kw_only=True)
class Reproduction:
    """Two builds of one package."""

    name: str
    difference: str
    """The first difference between the two, in words; empty if their bytes are equal."""
    as_stored: bool
    """The first is also what is in the store under the same key, which was built at another time."""
    seconds: tuple[float, float]
    """Wall times of the two compile phases, without a compiler cache."""
    files: tuple[str, ...] = ()
    """Where the two are, if they differ."""

    @property
    def same(self) -> bool:
        """Every byte is equal, in all three."""
        return not self.difference and self.as_stored


def reproduce(pipeline: Pipeline, name: str, profile: str) -> Reproduction:
    """Build ``name`` twice without a compiler cache and compare.

    The two have other folders of the host, numbers of jobs, times of the day, time zones and user names in the
    environment. What it needs, and the build in the store that is compared too, is made first if it is missing. Raises
    `EmwheelsError` for whatever does not build.
    """
    options = Options(profile=profile, test=False, ccache=False)
    outcomes = pipeline.run([name], options)
    for outcome in outcomes:
        if outcome.error is not None:
            raise outcome.error
    outputs = {outcome.name: outcome.output for outcome in outcomes if outcome.output is not None}
    recipe = pipeline.recipe(name)
    inputs = pipeline.inputs(recipe, pipeline.key(recipe, profile, outputs), options, outputs)
    work, logs = pipeline.project.cache / "work", pipeline.logs / recipe.name
    places = (
        work / f"reproduce-{os.getpid()}",
        work / f"a-second-time-somewhere-else-{os.getpid()}" / "deeper" / "down",
    )
    around: tuple[tuple[int, dict[str, str]], ...] = (
        (1, {"TZ": "UTC", "USER": "root", "LOGNAME": "root"}),
        (available_cores() + 2, {"TZ": "Asia/Kolkata", "USER": "somebody", "LOGNAME": "somebody", "LC_TIME": "C"}),
    )
    try:
        made, seconds = [], []
        for number, (place, (jobs, environment)) in enumerate(zip(places, around, strict=True), start=1):
            with pipeline.board.phase(recipe.name, f"build {number} of 2, {jobs} job{'s' if jobs > 1 else ''}"):
                file, took = _build(
                    pipeline, replace(inputs, environment=environment), place, jobs, logs / f"reproduce-{number}.log"
                )
            made.append(file)
            seconds.append(round(took, 3))
        difference = first_difference(*made)
        stored = outputs[recipe.name]
        as_stored = made[0].read_bytes() == pipeline.store.get(stored.kind, stored.sha256).read_bytes()
        if not difference and not as_stored:
            difference = "stored: " + first_difference(pipeline.store.get(stored.kind, stored.sha256), made[0])
        kept = _keep(made, logs / "reproduce") if difference else ()
    finally:
        for place in places:
            remove_tree(place)
        remove_tree(places[1].parent.parent)
    return Reproduction(
        name=recipe.name, difference=difference, as_stored=as_stored, seconds=(seconds[0], seconds[1]), files=kept
    )


def _build(pipeline: Pipeline, inputs: BuildInputs, place: Path, jobs: int, log: Path) -> tuple[Path, float]:
    work = place / "work"
    work.mkdir(parents=True)
    server = JobServer(place / "jobserver", cores=jobs, inside="/mnt/jobserver")
    try:
        built = build(
            replace(inputs, jobserver=server), image=pipeline.image, toolchain=pipeline.toolchain, work=work, log=log
        )
    finally:
        server.close()
    return built.file, built.seconds


def _keep(made: list[Path], folder: Path) -> tuple[str, ...]:
    kept = []
    for number, path in enumerate(made, start=1):
        copy = folder / str(number) / path.name
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)
        kept.append(str(copy))
    return tuple(kept)
