"""Recipes from their folders: one, some with what they need, or all; a bad one costs only what needs it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from packaging.utils import canonicalize_name

from emwheels.errors import RecipeError, UsageError
from emwheels.recipe.document import Findings, Problem, did_you_mean, printable
from emwheels.recipe.examine import examine, is_patch
from emwheels.recipe.graph import all_requirements, matching
from emwheels.recipe.select import is_selector, select

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from emwheels.recipe.model import Recipe
    from emwheels.recipe.overrides import Aim

_T = TypeVar("_T")


class RecipeProblems(RecipeError):  # noqa: N818 - its name says that it holds several
    """All that is wrong with one or more recipes."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__(
            "\n".join(map(str, self.problems)),
            hint="each line names the file, the line and the key to mend; docs/ has a page on adding a recipe",
        )


def load_recipe(folder: Path, *, patches: Path | None = None) -> Recipe:
    """Return the recipe in ``folder`` with its patches, by default ``../../patches/NAME``. Raises `RecipeError`."""
    patched = patches_of(folder) if patches is None else patch_folders(patches).get(canonicalize_name(folder.name))
    recipe, findings = examine(folder, patched)
    if recipe is None or findings.problems:
        raise RecipeProblems(findings.problems)
    return recipe


@dataclass(frozen=True, kw_only=True)
class Recipes:
    """What was asked for, with all that it needs."""

    names: tuple[str, ...]
    """What names and selectors picked."""
    sound: dict[str, Recipe]
    """What can be gone on with, and all that it needs; sorted by name."""
    bad: Mapping[str, RecipeProblems] = field(default_factory=dict)
    """Those, asked for or needed, in which something is wrong."""
    blocked: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """What needs them -> the bad ones that it needs."""
    others: Mapping[str, RecipeProblems] = field(default_factory=dict)
    """Bad ones that were read, too, and are neither asked for nor needed."""

    def raise_problems(self) -> None:
        """Raise `RecipeProblems` with all problems of all that are bad, if there are any."""
        if self.bad:
            found = [problem for problems in self.bad.values() for problem in problems.problems]
            raise RecipeProblems(sorted(found, key=lambda problem: (str(problem.file), problem.line)))


def load_recipes(
    recipes: Path | Sequence[Path],
    *,
    patches: Path | None = None,
    names: Iterable[str] | None = None,
    aim: Aim | None = None,
) -> dict[str, Recipe]:
    """Return the recipes that `read_recipes` reads, sorted by name. Raises `RecipeProblems` if one of them is bad."""
    read = read_recipes(recipes, patches=patches, names=names, aim=aim)
    read.raise_problems()
    return read.sound


def read_recipes(
    recipes: Path | Sequence[Path],
    *,
    patches: Path | None = None,
    names: Iterable[str] | None = None,
    aim: Aim | None = None,
    of_first: bool = False,
) -> Recipes:
    """Return the recipes that ``names`` and selectors pick and all that those need, or every recipe.

    Of several folders of ``recipes`` the first that has a name wins. Its patches are in ``patches`` beside that
    folder, unless they are given. With ``of_first``, "every" means every recipe of the first folder.

    Selectors are those of `select`. A recipe that says ``package._disabled`` is there only if it is named or needed.
    Recipes are as they are for the target of ``aim``, or as without overrides.

    Raises `UsageError` for a name that no recipe has and a selector that picks none, and `RecipeError` for patches that
    belong to no recipe.
    """
    folders = recipe_folders(recipes)
    patched = _patched(recipes, folders, patches)
    reading = _Reading(folders, patched, aim)
    asked = None if names is None else list(names)
    if asked is None or any(map(is_selector, asked)):
        reading.read(folders)
        first = _several(recipes)[0]
        every = [name for name in reading.every() if not of_first or folders[name].parent == first]
        picked = every if asked is None else select(asked, reading.found)
    else:
        picked = [canonicalize_name(find_recipe(name, folders, recipes).name) for name in dict.fromkeys(asked)]
        reading.read(picked)
    return reading.recipes(picked)


class _Reading:
    """One call of `read_recipes`."""

    def __init__(self, folders: Mapping[str, Path], patched: Mapping[str, Path], aim: Aim | None) -> None:
        self._folders = folders
        self._patched = patched
        self._aim = aim
        self.found: dict[str, Recipe | None] = {}
        """Recipes by the names of their folders; None for one that makes no sense. Bad ones are among them."""
        self._bad: dict[str, RecipeProblems] = {}

    def read(self, names: Iterable[str]) -> None:
        """Read these and what they need."""
        waiting = [*names]
        while waiting:
            name = waiting.pop()
            if name in self.found:
                continue
            recipe, findings = examine(self._folders[name], self._patched.get(name), self._aim)
            self.found[name] = recipe
            if recipe is not None:
                _check_host_recipes(recipe, self._folders, findings)
                waiting += self._needs(recipe)
            if findings.problems:
                self._bad[name] = RecipeProblems(findings.problems)
        self.found = dict(sorted(self.found.items()))

    def every(self) -> list[str]:
        """Return all that are read but those that say that they are not ready; of these the bad ones as well."""
        return [name for name, each in self.found.items() if name in self._bad or not (each and each.package.disabled)]

    def recipes(self, picked: Iterable[str]) -> Recipes:
        """Return those that were picked and what they need."""
        names = tuple(dict.fromkeys(picked))
        wanted = self._closure(names)
        bad = self._bad.keys() & wanted
        causes = {name: tuple(sorted(bad & self._closure([name]))) if bad else () for name in sorted(wanted)}
        return Recipes(
            names=names,
            sound={name: recipe for name, recipe in self.found.items() if recipe and causes.get(name) == ()},
            bad={name: problems for name, problems in self._bad.items() if name in wanted},
            blocked={name: bad for name, bad in causes.items() if bad and name not in self._bad},
            others={name: problems for name, problems in self._bad.items() if name not in wanted},
        )

    def _closure(self, names: Iterable[str]) -> set[str]:
        """Return these and what they need. What a bad one needs is nobody's need."""
        closure: set[str] = set()
        waiting = [*names]
        while waiting:
            name = waiting.pop()
            if name in closure:
                continue
            closure.add(name)
            recipe = self.found[name]
            if recipe is not None and name not in self._bad:
                waiting += self._needs(recipe)
        return closure

    def _needs(self, recipe: Recipe) -> list[str]:
        names = {name: name for name in self._folders}
        needed = matching(all_requirements(recipe.requirements), names)
        return [*needed, *matching(recipe.own_tests.required.values(), names)]


def recipe_folders(recipes: Path | Sequence[Path]) -> dict[str, Path]:
    """Return the folders below ``recipes`` by the names of their packages. Raises `RecipeError`, `UsageError`.

    Of several, the first that has a name wins.
    """
    folders: dict[str, Path] = {}
    for parent in _several(recipes):
        try:
            folders = _by_name(parent) | folders
        except OSError as error:
            raise UsageError(
                f"{parent} cannot be read: {error.strerror}", hint="name the folder that holds the recipes"
            ) from None
    return dict(sorted(folders.items())) if len(_several(recipes)) > 1 else folders


def patches_of(folder: Path) -> Path | None:
    """Return the folder of the patches of the recipe in ``folder``, if it has some. Raises `RecipeError`."""
    return patch_folders(folder.parent.with_name("patches")).get(canonicalize_name(folder.name))


def _several(folders: Path | Sequence[Path]) -> Sequence[Path]:
    return [folders] if isinstance(folders, Path) else folders


def _patched(recipes: Path | Sequence[Path], folders: Mapping[str, Path], patches: Path | None) -> dict[str, Path]:
    """Return the folders of patches by the names of their recipes. Raises `RecipeError` for one of no recipe."""
    shelves: dict[Path, list[Path]] = {}
    for parent in _several(recipes):
        shelves.setdefault(patches or parent.with_name("patches"), []).append(parent)
    found: dict[str, Path] = {}
    for place, parents in shelves.items():
        patched = patch_folders(place)
        _check_owners(patched, recipe_folders(parents), place)
        found |= {name: path for name, path in patched.items() if folders[name].parent in parents}
    return found


def patch_folders(patches: Path) -> dict[str, Path]:
    """Return the folders below ``patches``, if there is such a folder, by the names of their recipes.

    Raises `RecipeError` for two of one name, and for a patch outside of them.
    """
    try:
        folders = _by_name(patches)
        stray = next((path for path in sorted(patches.iterdir()) if is_patch(path) and path.is_file()), None)
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise RecipeError(f"{patches} cannot be read: {error.strerror}", hint="make it a folder you can read") from None
    if stray is not None:
        raise RecipeError(f"{stray} belongs to no recipe", hint=f"move it to {patches / 'NAME'}, by its recipe's name")
    return folders


def _by_name(parent: Path) -> dict[str, Path]:
    folders: dict[str, Path] = {}
    for folder in sorted(parent.iterdir()):
        if not folder.is_dir() or folder.name.startswith((".", "__")):
            continue
        other = folders.setdefault(canonicalize_name(folder.name), folder)
        if other is not folder:
            raise RecipeError(
                f"{other} and {folder} normalise to the same name (PEP 503)", hint="remove one of the two folders"
            )
    return folders


def _check_owners(patched: Mapping[str, Path], folders: Mapping[str, Path], patches: Path) -> None:
    lost = [(path, did_you_mean(name, [*folders])) for name, path in patched.items() if name not in folders]
    if lost:
        raise RecipeError(
            "\n".join(f"{path}: there is no recipe {printable(path.name)}{near}" for path, near in lost),
            hint=f"call a folder in {patches} as its recipe's folder is called, or remove it",
        )


def find_recipe(name: str, known: Mapping[str, _T], recipes: Path | Sequence[Path]) -> _T:
    """Return what ``known`` has for the recipe in ``recipes`` that a user calls ``name``. Raises `UsageError`."""
    recipe = known.get(canonicalize_name(name))
    if recipe is None:
        places = _several(recipes)
        raise UsageError(
            f"there is no recipe {printable(name)}{did_you_mean(name, [*known])}",
            hint=f"{', '.join(map(str, places))} {'has' if len(places) == 1 else 'have'} one folder per recipe",
        )
    return recipe


def _check_host_recipes(recipe: Recipe, folders: Mapping[str, Path], findings: Findings) -> None:
    for i, name in enumerate(recipe.requirements.host):
        if name not in folders:
            near = did_you_mean(name, [*folders])
            findings.report(f"requirements.host[{i}]", f"there is no recipe {printable(name)}{near}")
