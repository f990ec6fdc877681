"""Stage: the audit of a wheel that was just built."""

from __future__ import annotations

import json
import os
import re
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from packaging.utils import canonicalize_name

from emwheels.atomic import write_atomically
from emwheels.audit import Owner, Runtime, audit_wheel
from emwheels.errors import AuditError, EmwheelsError
from emwheels.image.places import BUILD_PATHS
from emwheels.pipeline.known import latest
from emwheels.recipe.accepted import accepted_findings
from emwheels.recipe.graph import matching
from emwheels.recipe.load import read_recipes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from emwheels.audit import Report
    from emwheels.outputs.builds import Output
    from emwheels.pipeline.model import Run
    from emwheels.recipe.model import Recipe


def judge_wheel(
    run: Run, recipe: Recipe, wheel: Path, outputs: Mapping[str, Output], *, reports: Path | None = None
) -> dict[str, Any]:
    """Audit ``wheel``, write and show what was found, and return the report.

    The report goes beside those of published wheels, or into ``reports``.
    Raises `AuditError` for a wheel that must not be published; it is kept beside the logs.
    """
    reports = reports or _reports(run, recipe)
    report = _audit(run, recipe, wheel, outputs, owner=_owner(run, recipe), size=_accepted_size(run, recipe.name))
    _show(run, recipe, wheel, report, reports)
    document: dict[str, Any] = json.loads(report.to_json())
    return document


def judge_tests(run: Run, recipe: Recipe, tests: Path, wheel: Path, outputs: Mapping[str, Output]) -> None:
    """Audit the wheel with the ``tests`` that were taken out of ``wheel``; else as `judge_wheel`."""
    owner = _owner(run, recipe)
    modules = owner.modules or (recipe.name.replace("-", "_"),)
    owner = replace(owner, name=canonicalize_name(f"{recipe.name}-tests"), modules=(*modules, "test", "tests"))
    report = _audit(run, recipe, tests, outputs, owner=owner, beside=[wheel])
    _show(run, recipe, tests, report, _reports(run, recipe) / "tests")


def _audit(
    run: Run,
    recipe: Recipe,
    wheel: Path,
    outputs: Mapping[str, Output],
    *,
    owner: Owner,
    beside: Sequence[Path] = (),
    size: int | None = None,
) -> Report:
    environment, accepted = run.environment, accepted_findings(recipe)
    needed = [environment.named_wheel(output) for output in matching(recipe.requirements.run, outputs)]
    return audit_wheel(
        wheel,
        target=environment.target,
        runtime=Runtime.read(environment.runtime),
        dependencies=[*needed, *beside],
        build_paths=(*BUILD_PATHS, *_kernel()),
        accepted_size=size,
        accepted_types=[each.what for each in accepted if each.rule == "split-type"],
        owner=owner,
        accepted=[(each.rule, each.what) for each in accepted],
    )


def _reports(run: Run, recipe: Recipe) -> Path:
    return run.environment.dist(run.options.profile) / "reports" / recipe.name


def _show(run: Run, recipe: Recipe, wheel: Path, report: Report, reports: Path) -> None:
    """Write the report and tell what was found. Raises `AuditError` if the wheel must not be published."""
    environment = run.environment
    write_atomically(reports / f"audit-{environment.target.name}.json", report.to_json().encode())
    for finding in report.findings:
        environment.board.say(
            recipe.name, f"audit {finding.severity}: {finding.rule}: {finding.member}: {finding.message}"
        )
    if report.errors:
        lines = "\n".join(f"  {item.rule}: {item.member}: {item.message}" for item in report.errors)
        rejected = environment.logs / recipe.name / "rejected" / wheel.name
        write_atomically(rejected, wheel.read_bytes())
        raise AuditError(
            f"{wheel.name} must not be published:\n{lines}",
            hint=f"the wheel is {rejected}, the report is in {reports}; nothing was published",
        )


def _owner(run: Run, recipe: Recipe) -> Owner:
    """Return whose wheel it has to be, and what belongs to the other recipes of the project."""
    recipes, project = run.recipes, run.environment.project
    with suppress(EmwheelsError):  # a fault in another recipe is none of this wheel
        recipes = read_recipes(project.shelves).sound
    others = {
        module: other.name
        for other in recipes.values()
        if other.build.type != "static_library"
        for module in other.package.top_level
        if other.name != recipe.name
    }
    return Owner(name=recipe.name, version=recipe.version, modules=recipe.package.top_level, others=others)


def _kernel() -> tuple[str, ...]:
    """Return the kernel's release, unless it is a plain number, which any other program may have as its version."""
    release = os.uname().release
    return () if re.fullmatch(r"[\d.]*", release) else (release,)


def _accepted_size(run: Run, name: str) -> int | None:
    before = None if name in run.options.aside else latest(run, name)
    return int(before["output"]["size"]) if before else None
