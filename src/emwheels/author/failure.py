"""What a recipe failed at last, as its logs have it, and the change of meta.yaml that mends it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from emwheels.atomic import read_regular, write_atomically
from emwheels.author.edit import difference, edited
from emwheels.author.fix import Remedy, remedies
from emwheels.build.diagnosis import diagnose, diagnose_tests, first_error
from emwheels.build.diagnosis.logs import end_of
from emwheels.recipe.locked import pinned_versions

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from emwheels.build.diagnosis import Found
    from emwheels.recipe.model import Recipe

_SUCCEEDED = "Succeeded building package"
"""The last words of pyodide-build, where it has nothing to complain about."""
_MOST_LOGS = 20
_LARGEST_RECIPE = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Failure:
    """What a recipe failed at last."""

    log: Path
    error: tuple[str, ...]
    found: Found | None
    remedies: tuple[Remedy, ...]

    @property
    def remedy(self) -> Remedy | None:
        """The first that changes meta.yaml."""
        return next((each for each in self.remedies if each.edits), None)


def failure_of(log: Path, reports: Path, recipe: Recipe, recipes: Mapping[str, Recipe]) -> Failure | None:
    """Return what the build that wrote ``log`` failed at, else what its tests did; None if there is neither.

    ``reports`` is the folder in which the tests left their logs.
    """
    text = end_of(log)
    if text and _SUCCEEDED not in text:
        known = remedies(text, recipe, recipes)
        found = diagnose(text, pinned_versions(recipe.build_lock))
        return Failure(log=log, error=first_error(text), found=found, remedies=tuple(known))
    for report in _logs_of_tests(reports):
        text = end_of(report)
        if found := diagnose_tests(text):
            known = remedies(text, recipe, recipes, tests=True)
            return Failure(log=report, error=(), found=found, remedies=tuple(known))
    return None


def said_by(log: Path | None, reports: Path) -> str:
    """Return the end of what a build wrote, or, without a ``log``, of what its tests wrote below ``reports``."""
    return "\n".join(map(end_of, [log] if log else _logs_of_tests(reports)))


def change_of(root: Path, recipe: Recipe, remedy: Remedy) -> str:
    """Return what a remedy changes, as a unified diff below ``root``; empty if meta.yaml has it already."""
    file = recipe.folder / "meta.yaml"
    before = read_regular(file, limit=_LARGEST_RECIPE).decode()
    name = file.relative_to(root).as_posix() if file.is_relative_to(root) else file.name
    return difference(before, edited(before, remedy.edits, str(file)), name)


def write_change(recipe: Recipe, remedy: Remedy) -> None:
    """Write what a remedy changes into meta.yaml."""
    file = recipe.folder / "meta.yaml"
    before = read_regular(file, limit=_LARGEST_RECIPE).decode()
    write_atomically(file, edited(before, remedy.edits, str(file)).encode())


def _logs_of_tests(reports: Path) -> list[Path]:
    return sorted(reports.rglob("*.log"))[:_MOST_LOGS] if reports.is_dir() else []
