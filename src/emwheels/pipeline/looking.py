"""What somebody can look into: what a build that failed left, or what a build would compile."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from emwheels.build.kept import drop, read_kept
from emwheels.errors import UsageError
from emwheels.pipeline.model import PREPARE
from emwheels.pipeline.run import outputs_of, run_packages

if TYPE_CHECKING:
    from emwheels.build.kept import Kept
    from emwheels.pipeline.environment import Environment
    from emwheels.pipeline.model import Run


def left(environment: Environment, name: str, *, target: str, profile: str, fresh: bool) -> Kept | None:
    """Return what the last build of ``name`` left; None where that is nothing, or is to be forgotten (``fresh``).

    Raises `UsageError` if it is of another target, profile or image; those that are empty may be any.
    """
    cache = environment.project.cache
    kept = read_kept(cache, name)
    if kept is None or fresh:
        if not drop(cache, name):
            raise UsageError(f"{name}: somebody is in its work folder", hint="leave that shell first")
        return None
    for what, wanted, has in (("target", target, kept.target), ("profile", profile, kept.profile)):
        if wanted and wanted != has:
            raise UsageError(
                f"{name}: what the last build left is of {what} {has}, not {wanted}",
                hint=f"leave --{what} out, or add --fresh to forget it",
            )
    if kept.image != environment.image_digest:
        raise UsageError(f"{name}: what the last build left is of another build image", hint="add --fresh to forget it")
    return kept


def laid_out(run: Run, name: str) -> Kept:
    """Lay out what a build of ``name`` would compile, once all that it needs is built, and return that."""
    outputs_of(run_packages(replace(run, options=replace(run.options, starts={name: PREPARE}))))
    kept = read_kept(run.environment.project.cache, name)
    if kept is None:
        raise UsageError(f"{name}: what it needs was not built, so nothing could be laid out for it")
    return kept
