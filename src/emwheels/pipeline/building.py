"""Stage: one package is built: gathered, compiled, judged and kept.

Everything that only a build needs is imported from here: a run with nothing to build is over before it would be loaded.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from emwheels.build.compile import build_prepared, prepare
from emwheels.build.kept import drop
from emwheels.outputs.builds import Output
from emwheels.outputs.latest import latest_key
from emwheels.pipeline.gathering import compiler_cache_folder, gather, limits_of
from emwheels.pipeline.going_on import going_on
from emwheels.pipeline.judging import judge_tests, judge_wheel
from emwheels.pipeline.known import latest
from emwheels.pipeline.leaving import left_of, of_audit, staying
from emwheels.pipeline.phases import timed, work_folder
from emwheels.recipe.accepted import accepted_findings
from emwheels.wheel import content_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from emwheels.build.compile import Built
    from emwheels.build.compiler_cache import Hits
    from emwheels.pipeline.model import Outcome, Run
    from emwheels.plan.key import BuildKey
    from emwheels.recipe.model import Recipe


def build_package(run: Run, recipe: Recipe, key: BuildKey, outputs: Mapping[str, Output], to: Outcome) -> Output:
    """Build ``recipe``, audit it, keep it in the store, and note in ``to`` how long each phase took.

    Raises `RecipeError`, `FetchError`, `BuildError` and `AuditError`; what was kept before stays.
    """
    environment = run.environment
    accepted_findings(recipe)  # what is wrong with them is said before anything is compiled
    limits_of(run, recipe)
    with timed(run, to, "fetch"):
        inputs = gather(run, recipe, key, outputs)
    log = log_of(run, recipe)
    with work_folder(environment.project.cache, recipe.name) as work:
        image, toolchain = environment.image, environment.toolchain
        with timed(run, to, "compile"):
            given = prepare(inputs, image=image, toolchain=toolchain, work=work)
            left = left_of(run, key, inputs, work=work, given=given)
            with staying(run, recipe.name, work, left), going_on(run, recipe.name, log, "compile"):
                built = build_prepared(inputs, image=image, toolchain=toolchain, work=work, log=log, given=given)
        if run.options.ccache:
            _report_hits(run, recipe, key, built.ccache, to)
        with staying(run, recipe.name, work, of_audit(left, built)):
            output = judge_and_keep(run, recipe, key, built, outputs=outputs, to=to)
    drop(environment.project.cache, recipe.name)
    return output


def log_of(run: Run, recipe: Recipe) -> Path:
    """Return where the log of a build is written."""
    return run.environment.logs / recipe.name / f"{run.environment.target.name}-{run.options.profile}.log"


def judge_and_keep(
    run: Run, recipe: Recipe, key: BuildKey, built: Built, *, outputs: Mapping[str, Output], to: Outcome
) -> Output:
    """Audit what a clean build made and keep it in the store. Raises `AuditError`."""
    report: dict[str, Any] = {}
    if recipe.build.type != "static_library":
        with timed(run, to, "audit"):
            report = judge_wheel(run, recipe, built.file, outputs)
            if built.tests is not None:
                judge_tests(run, recipe, built.tests, built.file, outputs)
    return _keep(run, recipe, key, built, audit=report, log=log_of(run, recipe))


def _keep(run: Run, recipe: Recipe, key: BuildKey, built: Built, *, audit: dict[str, Any], log: Path) -> Output:
    store = run.environment.store
    kind = "libraries" if recipe.build.type == "static_library" else "wheels"
    seen = recipe.build.cross_build_files if recipe.build.cross_build_env else None
    output = Output(
        name=recipe.name,
        kind=kind,
        filename=built.file.name,
        sha256=store.put_file(kind, built.file),
        size=built.file.stat().st_size,
        seconds=round(built.seconds, 3),
        key=key.digest,
        content=content_of(built.file, seen) if kind == "wheels" else "",
    )
    record = {
        "output": asdict(output),
        "inputs": dict(key.inputs),
        "log": store.put_file("logs", log),
        "audit": audit,
        "peak_kib": built.peak_kib,
        "ccache objects": built.ccache.objects,
    }
    if built.tests is not None:
        record["tests"] = {
            "filename": built.tests.name,
            "sha256": store.put_file(kind, built.tests),
            "size": built.tests.stat().st_size,
        }
    run.builds.add(key.digest, record)
    if recipe.name not in run.options.aside:
        store.add_record("latest", latest_key(recipe.name, run.environment.target.name, run.options.profile), record)
    return output


def _report_hits(run: Run, recipe: Recipe, key: BuildKey, hits: Hits, to: Outcome) -> None:
    """Note what came out of the compiler cache, and warn where a rebuild should have hit it and did not."""
    to.ccache = hits
    before = latest(run, recipe.name)
    if hits.hits or not hits.objects or not before or not before.get("ccache objects"):
        return
    if not any(name.startswith(_CHANGES_EVERY_OBJECT) for name in key.changed(before["inputs"])):
        run.environment.board.say(
            recipe.name,
            f"warning: no hit in the compiler cache for {hits.objects:,} objects, though the last build kept its own; "
            f"the cache is {compiler_cache_folder(run, recipe.name, key)}",
        )


_CHANGES_EVERY_OBJECT = (
    *("format", "recipe/", "patches/", "extras/", "build requirements", "dependencies/", "rust/"),
    *("target/", "profile/", "image", "toolchain", "cross-build"),
)
"""Inputs of a key after whose change the compiler cache may rightly have no object."""
