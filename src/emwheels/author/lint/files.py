"""The rules of lint that look at patches, locks and the blanks of a recipe."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from emwheels.errors import RecipeError
from emwheels.fetch.lock import locked_versions
from emwheels.recipe.document import printable
from emwheels.recipe.examine import is_patch
from emwheels.recipe.graph import cross_requirements, foreign_requirements

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from emwheels.author.lint.model import Remark, Subject

_MOST_BYTES = 64 << 20
_HUNK = re.compile(r"^(@@ |GIT binary patch|rename from |deleted file|new file|old mode )", re.MULTILINE)
_START = re.compile(r"^(---|diff) ", re.MULTILINE)
_FEWEST_LINES = 2


def check_patches(subject: Subject) -> Iterator[Remark]:
    """See rule ``patch``."""
    for patch in subject.recipe.patches:
        text = patch.read_bytes()[:_MOST_BYTES].decode("utf-8", "replace")
        if not _HUNK.search(text):
            yield subject.about("patch", patch, "has no change in it")
            continue
        start = _START.search(text)
        header = [line for line in text[: start.start() if start else 0].splitlines() if line.strip()]
        if len(header) < _FEWEST_LINES:
            message = "the header has one line: say why it is needed, where it is reported and when it can go"
            yield subject.about("patch", patch, message)


def check_unused(subject: Subject) -> Iterator[Remark]:
    """See rule ``unused``."""
    recipe = subject.recipe
    named = {(recipe.folder / path).resolve() for path in recipe.source.patches}
    for file in sorted(filter(is_patch, recipe.folder.rglob("*"))):
        if file.resolve() not in named:
            yield subject.about("unused", file, "source.patches does not name it")
    for folder in {patch.parent for patch in recipe.patches} - {recipe.folder}:
        for file in sorted(folder.iterdir()):
            if file.is_file() and not is_patch(file) and not file.name.startswith((".", "README")):
                yield subject.about("unused", file, "is no patch by its name, so it is not applied")
    if recipe.build_lock and not recipe.takes_wheels:
        message = f"a {recipe.build.type} has no build requirements, and requirements.build-extras names none"
        yield subject.about("unused", recipe.build_lock, message)
    if recipe.run_lock and not foreign_requirements(recipe, subject.recipes):
        yield subject.about("unused", recipe.run_lock, "every run requirement has a recipe")


def check_locks(subject: Subject) -> Iterator[Remark]:
    """See rules ``lock`` and ``host``."""
    recipe = subject.recipe
    if recipe.takes_wheels and not (recipe.source.url or "").endswith(".whl"):
        if recipe.build_lock is None:
            yield subject.about("lock", recipe.folder / "requirements.build.txt", "is missing")
        else:
            yield from _build_lock(subject, recipe.build_lock)
    foreign = foreign_requirements(recipe, subject.recipes)
    if foreign and recipe.run_lock is None:
        missing = recipe.folder / "requirements.run.txt"
        yield subject.about("lock", missing, f"is missing, and no recipe builds {', '.join(foreign)}")
    elif foreign and recipe.run_lock:
        pinned = _pinned(recipe.run_lock)
        for name in foreign:
            if name not in pinned:
                yield subject.about("lock", recipe.run_lock, f"does not pin {name}, which requirements.run names")


def _build_lock(subject: Subject, lock: Path) -> Iterator[Remark]:
    pinned = _pinned(lock)
    for i, text in enumerate(subject.recipe.requirements.build_extras):
        requirement = Requirement(text)
        name = canonicalize_name(requirement.name)
        if requirement.marker is None and not any(map(requirement.specifier.contains, pinned.get(name, ()))):
            yield subject.remark("lock", f"requirements.build-extras[{i}]", f"{lock.name} does not pin {text}")
    for host in cross_requirements(subject.recipe, subject.recipes):
        versions = pinned.get(host.name, set())
        if not any(_same(version, host.version) for version in versions):
            message = f"does not pin {host.name}=={host.version}, which is the version of its recipe"
            yield subject.about("lock", lock, message)
    for pin in pinned:
        other = subject.recipes.get(pin)
        if other and other.build.cross_build_env and other.name not in subject.recipe.requirements.host:
            message = f"{lock.name} pins {pin}, which others compile against, and it is not here"
            yield subject.remark("host", "requirements.host", message)


def _pinned(lock: Path) -> dict[str, set[str]]:
    try:
        return locked_versions(lock)
    except RecipeError:
        return {}


def _same(one: str, other: str) -> bool:
    try:
        return Version(one) == Version(other)
    except InvalidVersion:
        return one == other


def check_blanks(subject: Subject) -> Iterator[Remark]:
    """See rule ``blanks``."""
    file = subject.findings.file
    for number, line in enumerate(subject.text.split("\n"), 1):
        stripped = line.rstrip()
        if stripped != line:
            yield subject.about(
                "blanks", file, "blanks at the end of the line", line=number, column=len(stripped) + 1, mend=_trimmed
            )
        elif (at := line.find("\t")) >= 0:
            yield subject.about("blanks", file, f"a tab in {printable(line)}", line=number, column=at + 1)
    if subject.text and not subject.text.endswith("\n"):
        last = subject.text.count("\n") + 1
        yield subject.about("blanks", file, "the last line has no end", line=last, mend=_trimmed)


def _trimmed(text: str) -> str:
    """Return a text without blanks at the ends of its lines; as it is if they are part of a value."""
    trimmed = "\n".join(line.rstrip() for line in text.split("\n")).rstrip("\n") + "\n"
    return trimmed if yaml.safe_load(trimmed) == yaml.safe_load(text) else text


CHECKS = (check_patches, check_unused, check_locks, check_blanks)
