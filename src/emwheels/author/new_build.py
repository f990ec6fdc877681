"""A new recipe until its tests pass: lock, build, mend what is known to mend, write the first test from the wheel."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from packaging.utils import canonicalize_name

from emwheels.atomic import read_regular, write_atomically
from emwheels.author.edit import Edit, edited
from emwheels.author.fix import host_edits, remedies
from emwheels.author.new_library import provided
from emwheels.author.new_metadata import wanted_here
from emwheels.author.new_tests import first_test, read_contents
from emwheels.errors import AuditError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from emwheels.author.fix import Remedy
    from emwheels.author.new_source import Look
    from emwheels.author.new_tests import WheelContents
    from emwheels.errors import EmwheelsError
    from emwheels.recipe.model import Recipe
    from emwheels.target import Target

ROUNDS = 8
"""How often a recipe is mended before that is left to a person."""


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """What came of one step."""

    error: EmwheelsError | None = None
    log: str = ""
    """What the step said, for its diagnosis."""
    wheel: Path | None = None
    tests: bool = False
    """Whether it was the tests that were run."""
    archive: Path | None = None
    """What a library installed."""
    summary: str = ""
    """E.g. ``node 3 passed``."""


class Workshop(Protocol):
    """What the command can do with a recipe; this room knows neither the pipeline nor the command."""

    def recipes(self) -> Mapping[str, Recipe]:
        """Return every recipe as it is now."""
        ...

    def lock(self, name: str) -> Attempt:
        """Pin what the recipe requires."""
        ...

    def build(self, name: str) -> Attempt:
        """Build, and publish nothing."""
        ...

    def test(self, name: str) -> Attempt:
        """Test in the engines, and publish."""
        ...

    def find_library(self, look: Look) -> str:
        """Write and build a recipe for a library that a source looks for, and return its name; empty: none known."""
        ...

    def say(self, name: str, text: str) -> None:
        """Tell the user one thing."""
        ...


@dataclass(kw_only=True)
class BroughtUp:
    """What came of a new recipe."""

    name: str
    error: EmwheelsError | None = None
    mended: list[str] = field(default_factory=list)
    """What was done to the recipe, in words."""
    summary: str = ""


@dataclass(frozen=True, kw_only=True)
class BringingUp:
    """A recipe that is brought up, and with what."""

    folder: Path
    workshop: Workshop
    target: Target
    result: BroughtUp
    tried: set[str] = field(default_factory=set)
    """Remedies that were applied."""


def bring_up(name: str, folder: Path, workshop: Workshop, target: Target) -> BroughtUp:
    """Lock, build and test the recipe in ``folder``; mend it up to `ROUNDS` times."""
    result = BroughtUp(name=name)
    job = BringingUp(folder=folder, workshop=workshop, target=target, result=result)
    settled = False
    for _ in range(ROUNDS + 1):
        attempt = _first_failure(name, (workshop.lock, workshop.build))
        if attempt.error is None and not settled and attempt.wheel is not None:
            settled = True
            if _settle(job, attempt.wheel):
                attempt = _first_failure(name, (workshop.lock, workshop.build))
        if attempt.archive is not None:
            change(folder, [Edit(key="extra.emwheels.provides", value=provided(attempt.archive))])
        if attempt.wheel is not None:
            attempt = workshop.test(name)
        result.error, result.summary = attempt.error, attempt.summary
        if attempt.error is None or not _mend(job, attempt):
            break
    return result


def _first_failure(name: str, steps: Iterable[Callable[[str], Attempt]]) -> Attempt:
    attempt = Attempt()
    for step in steps:
        attempt = step(name)
        if attempt.error is not None:
            break
    return attempt


def _mend(job: BringingUp, attempt: Attempt) -> bool:
    """Change the recipe by the first remedy that was not tried; return whether there was one."""
    error, name = attempt.error, job.result.name
    log = f"{attempt.log}\n{error.message if error else ''}"
    if isinstance(error, AuditError):
        log = error.message  # what was said of the build, which succeeded, is no fault
    recipes = job.workshop.recipes()
    for remedy in remedies(log, recipes[name], recipes, tests=attempt.tests):
        if remedy.identity in job.tried:
            continue
        job.tried.add(remedy.identity)
        if edits := _edits(remedy, recipes[name], job.workshop):
            change(job.folder, edits)
            job.result.mended.append(remedy.words)
            job.workshop.say(name, f"mended: {remedy.words}")
            return True
    return False


def _edits(remedy: Remedy, recipe: Recipe, workshop: Workshop) -> tuple[Edit, ...]:
    if remedy.wanted is None:
        return remedy.edits
    library = workshop.find_library(remedy.wanted)
    if not library:
        return ()
    return host_edits([library], recipe, workshop.recipes())


def _settle(job: BringingUp, wheel: Path) -> bool:
    """Write what only the built wheel knows; return whether it has to be built again for that."""
    name = job.result.name
    recipe, contents = job.workshop.recipes()[name], read_contents(wheel)
    news: list[str] = []
    edits = [Edit(key="test.imports", value=[*dict.fromkeys([*contents.top_level, *contents.extensions])])]
    if contents.top_level != recipe.package.top_level:
        edits.append(Edit(key="package.top-level", value=list(contents.top_level)))
        news.append(f"package.top-level: {', '.join(contents.top_level)}")
    asked = [canonicalize_name(each.name) for each in wanted_here(contents.about.requires, job.target)]
    missing = [each for each in asked if each not in (*recipe.requirements.run, name)]
    edits += [Edit(key="requirements.run", value=each, adds=True) for each in missing]
    if missing:
        news.append(f"requirements.run: {', '.join(missing)}")
    for text in news:
        job.workshop.say(name, f"the wheel says: {text}")
    job.result.mended += news
    change(job.folder, edits)
    _write_test(job, contents)
    return bool(news)


def _write_test(job: BringingUp, contents: WheelContents) -> None:
    name = job.result.name
    test = job.folder / f"test_{re.sub(r'[-.]', '_', name)}.py"
    if not test.exists():
        write_atomically(test, first_test(name, contents).encode())
        job.workshop.say(name, f"wrote {test.name}, which imports {', '.join(contents.extensions) or 'it'}")


def change(folder: Path, edits: Iterable[Edit]) -> None:
    """Write changes into the meta.yaml of a recipe's folder."""
    file = folder / "meta.yaml"
    before = read_regular(file, limit=1 << 20).decode()
    write_atomically(file, edited(before, edits, str(file)).encode())
