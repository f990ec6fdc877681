"""Recipes from their folders: one, some with what they need, or all."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from packaging.utils import canonicalize_name

from emwheels.errors import RecipeError, UsageError
from emwheels.recipe.document import Findings, Problem, did_you_mean, printable
from emwheels.recipe.examine import examine, is_patch
from emwheels.recipe.graph import all_requirements, matching, recipes_for_tests, required_recipes

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from emwheels.recipe.model import Recipe

_T = TypeVar("_T")


class RecipeProblems(RecipeError):  # noqa: N818 - its name says that it holds several
    """All that is wrong with one or more recipes."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__(
            "\n".join(map(str, self.problems)),
            hint="each line names the file, the line and the key to mend; docs/ has a page on adding a recipe",
        )


def load_recipe(folder: Path, *, patches: Path) -> Recipe:
    """Return the recipe in ``folder`` with its patches from ``patches/NAME``. Raises `RecipeError`."""
    recipe, findings = examine(folder, patch_folders(patches).get(canonicalize_name(folder.name)))
    if recipe is None or findings.problems:
        raise RecipeProblems(findings.problems)
    return recipe


def load_recipes(recipes: Path, *, patches: Path, names: Iterable[str] | None = None) -> dict[str, Recipe]:
    """Return the recipes called ``names``, in any spelling, and all that those need, or every recipe; sorted by name.

    A recipe that says ``package._disabled`` is there only if it is named or needed.

    Raises `RecipeProblems` with all problems of all of them, `UsageError` for a name that no recipe has, and
    `RecipeError` for patches that belong to no recipe.
    """
    folders = recipe_folders(recipes)
    patched = patch_folders(patches)
    _check_owners(patched, folders, patches)
    waiting = list(folders.values()) if names is None else [find_recipe(name, folders, recipes) for name in names]
    seen: set[Path] = set()
    loaded: dict[str, Recipe] = {}
    problems: list[Problem] = []
    while waiting:
        folder = waiting.pop()
        if folder in seen:
            continue
        seen.add(folder)
        recipe, findings = examine(folder, patched.get(canonicalize_name(folder.name)))
        if recipe is not None:
            loaded[recipe.name] = recipe
            _check_host_recipes(recipe, folders, findings)
            waiting.extend(matching(all_requirements(recipe.requirements), folders))
            waiting.extend(matching(recipe.own_tests.required.values(), folders))
        problems += findings.problems
    if problems:
        raise RecipeProblems(sorted(problems, key=lambda problem: (str(problem.file), problem.line)))
    if names is None:
        loaded = {name: loaded[name] for name in _enabled(loaded)}
    return dict(sorted(loaded.items()))


def _enabled(recipes: Mapping[str, Recipe]) -> set[str]:
    enabled: set[str] = set()
    waiting = [name for name, recipe in recipes.items() if not recipe.package.disabled]
    while waiting:
        name = waiting.pop()
        if name not in enabled:
            enabled.add(name)
            waiting += required_recipes(recipes[name], recipes)
            waiting += recipes_for_tests(recipes[name], recipes)
    return enabled


def recipe_folders(recipes: Path) -> dict[str, Path]:
    """Return the folders below ``recipes`` by the names of their packages. Raises `RecipeError`, `UsageError`."""
    try:
        return _by_name(recipes)
    except OSError as error:
        raise UsageError(
            f"{recipes} cannot be read: {error.strerror}", hint="name the folder that holds the recipes"
        ) from None


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


def find_recipe(name: str, known: Mapping[str, _T], recipes: Path) -> _T:
    """Return what ``known`` has for the recipe in ``recipes`` that a user calls ``name``. Raises `UsageError`."""
    recipe = known.get(canonicalize_name(name))
    if recipe is None:
        raise UsageError(
            f"there is no recipe {printable(name)}{did_you_mean(name, [*known])}",
            hint=f"{recipes} has one folder per recipe",
        )
    return recipe


def _check_host_recipes(recipe: Recipe, folders: Mapping[str, Path], findings: Findings) -> None:
    for i, name in enumerate(recipe.requirements.host):
        if name not in folders:
            near = did_you_mean(name, [*folders])
            findings.report(f"requirements.host[{i}]", f"there is no recipe {printable(name)}{near}")
