"""Builds a package twice under different circumstances, and compares what comes out byte for byte."""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from emwheels.build.compile import build
from emwheels.build.same_bytes import SAME_ADDRESSES_OPTION
from emwheels.errors import BuildError
from emwheels.image.places import FAKETIME, JOBSERVER, PYTHON
from emwheels.image.removal import remove_tree
from emwheels.outputs.named import content
from emwheels.pipeline.difference import first_difference
from emwheels.pipeline.gathering import gather
from emwheels.pipeline.known import key_of
from emwheels.pipeline.model import Options
from emwheels.pipeline.run import make_run, outputs_of, run_packages
from emwheels.schedule import JobServer, available_cores

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from emwheels.build.compile import BuildInputs
    from emwheels.image.model import Image
    from emwheels.outputs.builds import Builds
    from emwheels.pipeline.environment import Environment

_OTHER_USER = 2000
_OTHER_KERNEL = "--uname-2.6"
"""An option of setarch(8): the kernel has another name."""
DAYS_AHEAD = 400
"""How far the clock of a build on another day is ahead: another year, and another day of the week."""

_OTHER_DAY = {
    "LD_PRELOAD": FAKETIME,
    "FAKETIME": f"+{DAYS_AHEAD}d",
    # What waits, waits as ever; and nothing is shared between processes, which another user could not open.
    "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    "FAKETIME_DISABLE_SHM": "1",
}
"""libfaketime 0.9.10. `emwheels.build.compiler_cache` keeps it away from the compilers."""


class NotReproducedError(BuildError):
    """A package came out with other bytes when it was built again."""


@dataclass(frozen=True, kw_only=True)
class Reproduction:
    """Two builds of one package."""

    name: str
    version: str
    difference: str
    """The first difference between the two, in words; empty if their bytes are equal."""
    as_stored: bool
    """The first is also what is in the store under the same key, which was built at another time."""
    seconds: tuple[float, ...]
    """Wall times of the compile phases, without a compiler cache."""
    sha256: str
    """Of what the last build made."""
    varied: tuple[str, ...]
    """What was another between the builds, in words."""
    content: str = ""
    """Of what is in the store: see `emwheels.outputs.named.content`."""
    files: tuple[str, ...] = ()
    """Where the two are, if they differ."""

    @property
    def same(self) -> bool:
        """Every byte is equal, in all three."""
        return not self.difference and self.as_stored


@dataclass(frozen=True, kw_only=True)
class _Surroundings:
    """Where and how one of the builds is made."""

    place: Path
    jobs: int
    environment: Mapping[str, str]
    user: int | None = None
    personality: str = SAME_ADDRESSES_OPTION


def reproduce(environment: Environment, builds: Builds, name: str, profile: str, *, once: bool = False) -> Reproduction:
    """Build ``name`` twice without a compiler cache, and compare both with what is in the store.

    The builds have other folders of the host, numbers of jobs, times of the day, time zones, user names in the
    environment, users and dates. With ``once`` only the second is made, which is the farther from an ordinary build.
    What the package needs, and the build in the store, is made first if it is missing. Raises `EmwheelsError` for
    whatever does not build.
    """
    options = Options(profile=profile, test=False, ccache=False)
    run = make_run(environment, [name], options, builds=builds)
    outputs = outputs_of(run_packages(run))
    recipe = run.recipe(name)
    inputs = gather(run, recipe, key_of(run, recipe, outputs), outputs)
    work, logs = environment.project.cache / "work", environment.logs / recipe.name
    second, varied = _elsewhere(
        work / f"a-second-time-somewhere-else-{os.getpid()}" / "deeper" / "down", environment.image
    )
    first = _Surroundings(
        place=work / f"reproduce-{os.getpid()}",
        jobs=1,
        environment={"TZ": "UTC", "USER": "root", "LOGNAME": "root"},
    )
    around = [second] if once else [first, second]
    try:
        made, seconds = [], []
        for number, surroundings in enumerate(around, start=1):
            jobs = surroundings.jobs
            phase = f"build {number} of {len(around)}, {jobs} job{'s' if jobs > 1 else ''}"
            with environment.board.phase(recipe.name, phase):
                file, took = _build(environment, inputs, surroundings, logs / f"reproduce-{number}.log")
            made.append(file)
            seconds.append(round(took, 3))
        stored = outputs[recipe.name]
        in_store = environment.store.get(stored.kind, stored.sha256)
        sha256 = hashlib.sha256(made[-1].read_bytes()).hexdigest()
        difference = "" if once else first_difference(*made)
        as_stored = made[0].read_bytes() == in_store.read_bytes()
        if not difference and not as_stored:
            difference = "stored: " + first_difference(in_store, made[0])
        copies = _keep([in_store, *made] if once else made, logs / "reproduce", made[0].name) if difference else ()
    finally:
        for surroundings in around:
            remove_tree(surroundings.place)
        remove_tree(second.place.parent.parent)
    return Reproduction(
        name=recipe.name,
        version=recipe.version,
        difference=difference,
        as_stored=as_stored,
        seconds=tuple(seconds),
        sha256=sha256,
        varied=varied,
        content=content(stored, environment.store),
        files=copies,
    )


def _elsewhere(place: Path, image: Image) -> tuple[_Surroundings, tuple[str, ...]]:
    """Return surroundings as far from the usual as ``image`` allows here, and in words what is another there.

    Not every way into an image allows another user; an image made before libfaketime was in it has today's date only.
    """
    environment = {"TZ": "Asia/Kolkata", "USER": "somebody", "LOGNAME": "somebody", "LC_TIME": "C"}
    varied = ["folder", "jobs", "time zone", "user name"]
    user = None
    if image.takes_user:
        user = _OTHER_USER
        varied.append("user")
    personality = SAME_ADDRESSES_OPTION
    if image.run(["setarch", _OTHER_KERNEL, SAME_ADDRESSES_OPTION, "true"]).status == 0:
        personality = _OTHER_KERNEL
        varied.append("kernel")
    ahead = [PYTHON, "-c", "import sys, time; sys.exit(time.time() < float(sys.argv[1]))"]
    if image.run([*ahead, str(time.time() + (DAYS_AHEAD - 1) * 86400)], env=_OTHER_DAY).status == 0:
        environment |= _OTHER_DAY
        varied.append("date")
    jobs = available_cores() + 2
    return _Surroundings(place=place, jobs=jobs, environment=environment, user=user, personality=personality), tuple(
        varied
    )


def _build(environment: Environment, inputs: BuildInputs, around: _Surroundings, log: Path) -> tuple[Path, float]:
    work = around.place / "work"
    work.mkdir(parents=True)
    server = JobServer(around.place / "jobserver", cores=around.jobs, inside=JOBSERVER)
    try:
        built = build(
            replace(
                inputs,
                jobserver=server,
                environment=around.environment,
                user=around.user,
                personality=around.personality,
            ),
            image=environment.image,
            toolchain=environment.toolchain,
            work=work,
            log=log,
        )
    finally:
        server.close()
    return built.file, built.seconds


def _keep(made: list[Path], folder: Path, name: str) -> tuple[str, ...]:
    copies = []
    for number, path in enumerate(made, start=1):
        copy = folder / str(number) / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)
        copies.append(str(copy))
    return tuple(copies)
