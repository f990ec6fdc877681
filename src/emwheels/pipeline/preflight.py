"""What is looked at before anything is compiled: missing or outdated locks, and recipes that cannot be built."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

from emwheels.errors import RecipeError
from emwheels.pipeline.known import fault
from emwheels.recipe.graph import required_recipes
from emwheels.recipe.load import read_recipes
from emwheels.recipe.locked import lock_needed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from emwheels.pipeline.model import Run


def with_locks(run: Run, *, locked: bool = False) -> Run:
    """Return the run in which every recipe has the lock that it asks for; make those needed.

    Raises `RecipeError` where a lock is needed and must not be made (``locked``) or cannot be (offline, a folder that
    cannot be written), and like `lock_recipe`.
    """
    needed = {name: why for name, recipe in run.recipes.items() if (why := lock_needed(recipe, run.recipes))}
    if not needed:
        return run
    environment = run.environment
    _refuse(run, needed, locked=locked)
    from emwheels.pipeline.locking import lock_recipe, open_locking  # noqa: PLC0415  a build rarely locks

    with open_locking(environment) as locking:
        for name, why in needed.items():
            environment.board.say(name, f"needs a lock, making it: {why}")
            lock_recipe(locking, run.recipes[name])
    project = environment.project
    read = read_recipes(project.shelves, names=[*run.recipes], aim=environment.aim)
    return replace(run, recipes=read.sound)


def _refuse(run: Run, needed: Mapping[str, str], *, locked: bool) -> None:
    """Raise `RecipeError` if the locks that are ``needed`` are not to be made here."""
    folders = [run.recipes[name].folder for name in needed]
    unwritable = [folder for folder in folders if not os.access(folder, os.W_OK)]
    foreign = [folder for folder in folders if not run.environment.project.is_own(folder)]
    if locked:
        reason = "--locked makes none"
    elif run.environment.offline:
        reason = "this is offline, and no index can be asked"
    elif foreign:
        reason = f"{foreign[0].parent} is not of this project; make the recipe yours: emwheels recipe copy NAME"
    elif unwritable:
        reason = f"{unwritable[0]} cannot be written"
    else:
        return
    lines = "\n".join(f"{run.recipes[name].folder}: needs a lock: {why}" for name, why in needed.items())
    raise RecipeError(f"{lines}\n{reason}", hint=f"make it and commit it: emwheels lock {' '.join(needed)}")


def check_faults(run: Run) -> None:
    """Raise `RecipeError` if nothing of what was asked for can be built as its recipe is.

    Where something can, what cannot fails by itself, before the compiler starts on it.
    """
    faults = {name: why for name, recipe in run.recipes.items() if (why := fault(recipe, run.environment.project))}
    if not faults:
        return
    tainted = set(faults)
    while (
        more := {
            name for name, recipe in run.recipes.items() if tainted.intersection(required_recipes(recipe, run.recipes))
        }
        - tainted
    ):
        tainted |= more
    if tainted.issuperset(set(run.names) & run.recipes.keys()):
        raise RecipeError("\n".join(f"{run.recipes[name].folder / 'meta.yaml'}: {why}" for name, why in faults.items()))
