"""What a build that failed leaves: its work folder stays, and the failure's message says where."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

from emwheels.build.compile import surroundings
from emwheels.build.kept import AUDIT, COMPILE, Kept, keep, kept_folder
from emwheels.errors import AuditError, EmwheelsError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

    from emwheels.build.compile import BuildInputs, Built
    from emwheels.pipeline.model import Run
    from emwheels.plan.key import BuildKey


def left_of(
    run: Run, key: BuildKey, inputs: BuildInputs, *, work: Path, given: Collection[str], phase: str = COMPILE
) -> Kept:
    """Return what is to be known of the work folder of a build, should it fail in ``phase``."""
    environment = run.environment
    return Kept(
        folder=work,
        phase=phase,
        target=environment.target.name,
        profile=run.options.profile,
        toolchain=environment.toolchain_name,
        image=environment.image_digest,
        log=str(environment.logs / inputs.recipe.name / f"{environment.target.name}-{run.options.profile}.log"),
        inputs=dict(key.inputs),
        surroundings=surroundings(inputs, image=environment.image, toolchain=environment.toolchain, work=work),
        given=tuple(given),
    )


def of_audit(left: Kept, built: Built) -> Kept:
    """Return the same for a build whose audit may refuse what it made."""
    made = {
        "file": str(built.file.relative_to(left.folder)),
        "seconds": built.seconds,
        "peak_kib": built.peak_kib,
        "ccache": asdict(built.ccache),
    }
    if built.tests is not None:
        made["tests"] = str(built.tests.relative_to(left.folder))
    return replace(left, phase=AUDIT, built=made)


@contextmanager
def staying(run: Run, name: str, work: Path, left: Kept) -> Iterator[None]:
    """Have the work folder stay if the block raises anything, an interrupt as well; a failure's hint says so then."""
    try:
        yield
    except BaseException as error:
        stayed = keep(work, run.environment.project.cache, name, left)
        if isinstance(error, EmwheelsError) and stayed:
            error.hint = "\n  ".join(filter(None, (error.hint, _words(run, name, left.phase, error))))
        raise


def _words(run: Run, name: str, phase: str, error: EmwheelsError) -> str:
    project = run.environment.project
    where = f"--project {project.root} " if project.root.is_relative_to(project.cache) else ""  # of no recipe's own
    look = f"to look around: emwheels {where}debug {name} (until the next build, it all stays in "
    look += f"{kept_folder(project.cache, name)})"
    if phase == AUDIT and isinstance(error, AuditError):
        return f"once meta.yaml accepts it: emwheels build {name} --from audit, which compiles nothing\n  {look}"
    return look
