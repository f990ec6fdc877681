"""What is wrong with recipes beyond what stops a build, each with its place; and mends what is mechanical."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from emwheels.atomic import write_atomically
from emwheels.author.lint import files, meta, testing
from emwheels.author.lint.model import Remark, Subject
from emwheels.author.lint.rules import RULES
from emwheels.errors import RecipeError
from emwheels.recipe.document import did_you_mean, printable
from emwheels.recipe.examine import examine
from emwheels.recipe.load import find_recipe, patch_folders, patches_of, recipe_folders

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from pathlib import Path

    from emwheels.recipe.document import Findings, Problem
    from emwheels.recipe.model import Recipe

Check = Callable[[Subject], Iterator[Remark]]
_MENDING: tuple[Check, ...] = (*meta.CHECKS, *files.CHECKS)
_CHECKS: tuple[Check, ...] = (*_MENDING, *testing.CHECKS)
_MOST_MENDS = 200
"""For one recipe, so that two mends which undo each other come to an end."""


@dataclass(frozen=True, kw_only=True)
class LintOptions:
    """What is looked at, and how."""

    recipes: Path
    patches: Path
    others: Sequence[Path] = ()
    """Further folders of recipes, which those of ``recipes`` may need; of these only the named ones are looked at."""
    names: Collection[str] | None = None
    """In any spelling; None: all of ``recipes``, and what belongs to none."""
    modules: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Name of a recipe -> what users can import of the wheel that was built of it."""
    ruff: str | None = None
    """The path of ruff; None to leave it out."""


def lint(options: LintOptions) -> list[Remark]:
    """Return what the rules say, by file and line. One recipe that cannot be read does not stop the others.

    Raises `UsageError` for a name that no recipe has, and for folders that cannot be read.
    """
    examined = _Examined(options)
    found: list[Remark] = []
    subjects = []
    for name in examined.chosen():
        found += examined.problems[name]
        if subject := examined.subject(name):
            subjects.append(subject)
    by_ruff = list(testing.ruff_remarks(options.ruff, subjects, options.recipes.parent)) if options.ruff else []
    for subject in subjects:
        own = [remark for remark in by_ruff if remark.recipe == subject.recipe.folder.name]
        found += accepted(subject, [*examined.remarks(subject, _CHECKS), *own])
    if options.names is None:
        found += _stray_patches(options.patches, examined)
    return sorted(found, key=lambda remark: (str(remark.file), remark.line, remark.column, remark.rule))


def mend(options: LintOptions) -> list[Remark]:
    """Mend in each meta.yaml what is mechanical, and return what was mended. What else there is `lint` tells after it.

    A change after which the recipe could not be used is not written.
    """
    examined = _Examined(options)
    mended: list[Remark] = []
    for name in examined.chosen():
        for _ in range(_MOST_MENDS):
            subject = examined.subject(name)
            remarks = accepted(subject, examined.remarks(subject, _MENDING)) if subject else []
            done = next((remark for remark in remarks if examined.written(name, remark)), None)
            if done is None:
                break
            mended.append(done)
    return mended


class _Examined:
    """Every recipe of a project, as far as it can be read."""

    def __init__(self, options: LintOptions) -> None:
        self._options = options
        self.folders = recipe_folders([options.recipes, *options.others])
        self._fault: RecipeError | None = None
        self._patched: Mapping[str, Path] = {}
        try:
            self._patched = patch_folders(options.patches)
        except RecipeError as error:  # about a patch; the recipes are looked at all the same
            self._fault = error
        self._recipes: dict[str, Recipe] = {}
        self._findings: dict[str, Findings] = {}
        self.problems: dict[str, list[Remark]] = {}
        for name in self.folders:
            self._examine(name)

    def _examine(self, name: str) -> None:
        """Read a recipe, and note what makes it unfit for use."""
        folder = self.folders[name]
        own = folder.parent == self._options.recipes
        recipe, findings = examine(folder, self._patched.get(name) if own else patches_of(folder))
        self._findings[name] = findings
        self._recipes.pop(name, None)
        if recipe is not None:
            self._recipes[name] = recipe
        self.problems[name] = [_of_problem(problem, folder.name, findings) for problem in findings.problems]

    def chosen(self) -> list[str]:
        """Return the names of the recipes that are asked for. Raises `UsageError` for one that is not there."""
        if self._options.names is None:
            return [name for name, folder in self.folders.items() if folder.parent == self._options.recipes]
        known = {name: name for name in self.folders}
        return list(dict.fromkeys(find_recipe(name, known, self._options.recipes) for name in self._options.names))

    def subject(self, name: str) -> Subject | None:
        """Return what the rules look at; None of a recipe that cannot be used, which gets no further advice."""
        recipe, findings = self._recipes.get(name), self._findings[name]
        if recipe is None or findings.problems:
            return None
        text = findings.file.read_text(encoding="utf-8")
        modules = self._options.modules.get(recipe.name)
        return Subject(recipe=recipe, findings=findings, text=text, recipes=self._recipes, modules=modules)

    def remarks(self, subject: Subject, checks: Iterable[Check]) -> list[Remark]:
        """Return what ``checks`` say of one recipe."""
        found = [remark for check in checks for remark in check(subject)]
        return found + list(_unknown_hosts(subject, self.folders))

    def written(self, name: str, remark: Remark) -> bool:
        """Mend and tell whether that changed anything. What could not be used after it is put back."""
        if remark.mend is None:
            return False
        before = remark.file.read_text(encoding="utf-8")
        after = remark.mend(before)
        if after == before:
            return False
        write_atomically(remark.file, after.encode())
        self._examine(name)
        if self.problems[name]:
            write_atomically(remark.file, before.encode())
            self._examine(name)
            return False
        return True

    def strays(self) -> Iterator[str]:
        """Yield what is wrong with the folder of patches as a whole."""
        if self._fault is not None:
            yield self._fault.message
        patches = self._options.patches
        beside = [name for name, folder in self.folders.items() if folder.parent.with_name("patches") == patches]
        for name, folder in self._patched.items():
            if name not in beside:
                yield f"there is no recipe {printable(folder.name)}{did_you_mean(name, [*self.folders])}"


def _of_problem(problem: Problem, recipe: str, findings: Findings) -> Remark:
    key = problem.key
    return Remark(
        rule="format",
        recipe=recipe,
        file=problem.file,
        line=problem.line,
        column=findings.position(key)[1] if key and problem.file == findings.file else 0,
        message=f"{key}: {problem.message}" if key else problem.message,
    )


def _unknown_hosts(subject: Subject, folders: Mapping[str, Path]) -> Iterator[Remark]:
    for i, name in enumerate(subject.recipe.requirements.host):
        if name not in folders:
            message = f"there is no recipe {printable(name)}{did_you_mean(name, [*folders])}"
            yield subject.remark("format", f"requirements.host[{i}]", message)


def _stray_patches(patches: Path, examined: _Examined) -> list[Remark]:
    return [
        Remark(rule="unused", recipe=patches.name, file=patches, line=1, message=message)
        for message in examined.strays()
    ]


def accepted(subject: Subject, remarks: Sequence[Remark]) -> list[Remark]:
    """Return ``remarks`` less those whose rule ``extra.emwheels.lint`` accepts, and what is wrong with that list."""
    entries = subject.recipe.own.get("lint", [])
    if not isinstance(entries, list):
        return [*remarks, subject.remark("acceptance", "extra.emwheels.lint", "must be a list")]
    rules: dict[str, str] = {}
    faults = []
    for number, entry in enumerate(entries):
        key = f"extra.emwheels.lint[{number}]"
        match entry:
            case {"rule": str(rule), "reason": str(reason), **rest} if reason.strip() and not rest:
                if rule in RULES and RULES[rule].acceptable:
                    rules[rule] = key
                else:
                    near = did_you_mean(rule, [name for name, each in RULES.items() if each.acceptable])
                    faults.append(subject.remark("acceptance", key, f"{printable(rule)} cannot be accepted{near}"))
            case _:
                faults.append(subject.remark("acceptance", key, "must have the keys rule and reason, each with text"))
    said = {remark.rule for remark in remarks}
    faults += [
        subject.remark("acceptance", key, f"the rule {rule} has nothing to say")
        for rule, key in rules.items()
        if rule not in said and rule not in ("ruff", "top-level")  # which say nothing where ruff or the wheel is not
    ]
    return [remark for remark in remarks if remark.rule not in rules] + faults


__all__ = ["RULES", "LintOptions", "Remark", "accepted", "lint", "mend"]
