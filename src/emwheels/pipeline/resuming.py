"""A build that starts in the middle: with what an earlier one left, or only as far as its first command.

What comes out of a tree that somebody could change is no clean build's output, and is never kept as one.
"""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from emwheels.build.compile import Built, build_prepared, prepare, surroundings
from emwheels.build.compiler_cache import Hits
from emwheels.build.kept import AUDIT, COMPILE, PREPARED, drop, held, keep, read_kept, write_state
from emwheels.errors import UsageError
from emwheels.pipeline.building import judge_and_keep
from emwheels.pipeline.gathering import gather, limits_of
from emwheels.pipeline.going_on import going_on
from emwheels.pipeline.judging import judge_wheel
from emwheels.pipeline.known import existing
from emwheels.pipeline.leaving import left_of
from emwheels.pipeline.phases import timed, work_folder
from emwheels.plan.key import explain
from emwheels.recipe.accepted import accepted_findings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from emwheels.build.kept import Kept
    from emwheels.outputs.builds import Output
    from emwheels.pipeline.model import Outcome, Run
    from emwheels.plan.key import BuildKey
    from emwheels.recipe.model import Recipe


def start_at(run: Run, recipe: Recipe, key: BuildKey, outputs: Mapping[str, Output], to: Outcome) -> None:
    """Do what is left of a build from its step of `Options.starts` on, and note in ``to`` what came of it.

    Raises `UsageError` where there is nothing to go on with, and what `build_package` raises.
    """
    match run.options.starts[recipe.name]:
        case "compile":
            _compile(run, recipe, key, outputs, to)
        case "audit":
            _audit(run, recipe, key, outputs, to)
        case "test":
            _test(run, recipe, key, to)
        case _:
            _prepare(run, recipe, key, outputs, to)


def _prepare(run: Run, recipe: Recipe, key: BuildKey, outputs: Mapping[str, Output], to: Outcome) -> None:
    environment = run.environment
    with timed(run, to, "fetch"):
        inputs = gather(run, recipe, key, outputs)
    with work_folder(environment.project.cache, recipe.name) as work, timed(run, to, "prepare"):
        given = prepare(inputs, image=environment.image, toolchain=environment.toolchain, work=work)
        left = left_of(run, key, inputs, work=work, given=given, phase=PREPARED)
        if not keep(work, environment.project.cache, recipe.name, left):
            raise _busy(recipe)
    to.state, to.why = "prepared", "nothing was compiled"


def _compile(run: Run, recipe: Recipe, key: BuildKey, outputs: Mapping[str, Output], to: Outcome) -> None:
    environment = run.environment
    limits_of(run, recipe)
    cache = environment.project.cache
    with held(cache, recipe.name) as ours:
        if not ours:
            raise _busy(recipe)
        kept = _kept(run, recipe)
        _check_same(recipe, key, kept)
        with timed(run, to, "fetch"):
            inputs = gather(run, recipe, key, outputs)
        image, toolchain, work = environment.image, environment.toolchain, kept.folder
        seen = surroundings(inputs, image=image, toolchain=toolchain, work=work)
        write_state(work, replace(kept, surroundings=seen, phase=COMPILE, built={}))
        with timed(run, to, "compile"), going_on(run, recipe.name, Path(kept.log), "compile"):
            built = build_prepared(
                inputs,
                image=image,
                toolchain=toolchain,
                work=work,
                log=Path(kept.log),
                given=kept.given,
                again=True,
            )
        if recipe.build.type != "static_library":
            with timed(run, to, "audit"), tempfile.TemporaryDirectory(dir=cache / "work") as reports:
                judge_wheel(run, recipe, built.file, outputs, reports=Path(reports))
    to.state, to.ccache = "works", built.ccache if run.options.ccache else None
    to.why = f"build it again without --from: what came of this is in {built.file} only, and is not published"


def _audit(run: Run, recipe: Recipe, key: BuildKey, outputs: Mapping[str, Output], to: Outcome) -> None:
    """Audit again what a clean build made; it is one as long as nothing of its key has changed."""
    accepted_findings(recipe)
    cache = run.environment.project.cache
    with held(cache, recipe.name) as ours:
        if not ours:
            raise _busy(recipe)
        kept = _kept(run, recipe)
        if kept.phase != AUDIT:
            raise UsageError(
                f"{recipe.name}: no audit has refused what the last build made, so none can be tried again",
                hint=f"the build failed before: emwheels build {recipe.name}",
            )
        if key.changed(kept.inputs):
            raise _changed(recipe, key, kept)
        made = dict(kept.built)
        built = Built(
            file=kept.folder / made["file"],
            seconds=made["seconds"],
            peak_kib=made["peak_kib"],
            ccache=Hits(**made["ccache"]),
            tests=kept.folder / made["tests"] if "tests" in made else None,
        )
        to.output = judge_and_keep(run, recipe, key, built, outputs=outputs, to=to)
    drop(cache, recipe.name)
    to.state, to.why = "built", ""


def _test(run: Run, recipe: Recipe, key: BuildKey, to: Outcome) -> None:
    known = existing(run, key)
    if known is None:
        raise UsageError(
            f"{recipe.name}: there is no build of what the recipe says now, so nothing can be tested",
            hint=f"emwheels build {recipe.name}",
        )
    to.output = known[0]
    to.state = "reused"


_MAY_DIFFER = ("recipe/build", "recipe/requirements", "recipe/package/top-level", "profile", "link", "programs")
"""Inputs of a key that a tree which is there already can be compiled with: flags, and what is not in the tree."""


def _check_same(recipe: Recipe, key: BuildKey, kept: Kept) -> None:
    if any(not name.startswith(_MAY_DIFFER) for name in key.changed(kept.inputs)):
        raise _changed(recipe, key, kept)


def _changed(recipe: Recipe, key: BuildKey, kept: Kept) -> UsageError:
    return UsageError(
        f"{recipe.name}: what the last build left is of other inputs: {'; '.join(explain(key, kept.inputs))}",
        hint=f"build it from the beginning: emwheels build {recipe.name}",
    )


def _kept(run: Run, recipe: Recipe) -> Kept:
    kept = read_kept(run.environment.project.cache, recipe.name)
    if kept is None:
        raise UsageError(
            f"{recipe.name}: no build has failed since the last one that worked, so there is nothing to go on with",
            hint=f"emwheels build {recipe.name}; emwheels debug {recipe.name} prepares a folder to try things in",
        )
    return kept


def _busy(recipe: Recipe) -> UsageError:
    return UsageError(f"{recipe.name}: somebody is in its work folder (emwheels debug)", hint="leave that shell first")
