"""Recipes + what was built before -> what is to be built, and why."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

from emwheels.plan.key import explain
from emwheels.recipe.graph import dependency_order, host_recipes, required_recipes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from emwheels.plan.key import BuildKey
    from emwheels.recipe.model import Recipe


UP_TO_DATE = "up to date"
REMOTE = "remote"
TO_BUILD = "to build"
BLOCKED = "blocked"
BAD_RECIPE = "bad recipe"


@dataclass(frozen=True, kw_only=True)
class Planned:
    """What a run would do with one package."""

    name: str
    state: str
    """`UP_TO_DATE`, `REMOTE` (it would come from the remote store), `TO_BUILD`, `BLOCKED` or `BAD_RECIPE`."""
    why: tuple[str, ...] = ()
    """E.g. ``patch 0002-x changed``."""
    needs: tuple[str, ...] = ()
    """The recipes that come before."""
    key: str = ""
    """Empty where it is not known yet: a host requirement is to be built, and what it comes out as is part of it."""
    certain: bool = True
    """False if it turns out to be up to date should what it needs come out with the bytes of last time."""
    seconds: float | None = None
    """How long the last build of it took."""


class Known(Protocol):
    """What was built before; `emwheels.pipeline.known.KnownBuilds` knows it."""

    def key_for(self, recipe: Recipe, outputs: Mapping[str, str]) -> BuildKey:
        """Return the key, given the hash of the output of each host requirement."""
        ...

    def found(self, key: BuildKey) -> tuple[str, str] | None:
        """Return the hash of the output, as it counts in keys, and where it is: ``store`` or ``remote``."""
        ...

    def latest(self, name: str) -> Mapping[str, Any] | None:
        """Return the record of the last build, whatever its key was."""
        ...

    def fault(self, recipe: Recipe) -> str:
        """Return why ``recipe`` cannot be built as it is; empty if nothing is known against it."""
        ...

    def lock(self, recipe: Recipe) -> str:
        """Return why ``recipe`` has to be locked first; empty if nothing tells so."""
        ...


def make_plan(recipes: Mapping[str, Recipe], known: Known) -> list[Planned]:
    """Return what a run would do with ``recipes``, each after those that it needs. Builds and downloads nothing.

    Raises `RecipeError` for recipes that need each other.
    """
    return _Planner(recipes, known).plan()


class _Planner:
    """One call of `make_plan`."""

    def __init__(self, recipes: Mapping[str, Recipe], known: Known) -> None:
        self.recipes = recipes
        self.known = known
        self.planned: dict[str, Planned] = {}
        self.outputs: dict[str, str] = {}
        """Name -> sha256 of what it is, or was when it was last built."""

    def plan(self) -> list[Planned]:
        for name in dependency_order(self.recipes):
            recipe = self.recipes[name]
            needs = tuple(required_recipes(recipe, self.recipes))
            latest = self.known.latest(name)
            seconds = float(latest["output"]["seconds"]) if latest else None
            blocked = [need for need in needs if self.planned[need].state == BLOCKED]
            if blocked:
                planned = Planned(name=name, state=BLOCKED, why=(f"needs {', '.join(blocked)}",))
            elif fault := self.known.fault(recipe):
                planned = Planned(name=name, state=BLOCKED, why=(fault,))
            else:
                planned = self._one(recipe, latest)
                if lock := self.known.lock(recipe):
                    planned = replace(planned, why=(f"needs a lock: {lock}", *planned.why))
            self.planned[name] = replace(planned, needs=needs, seconds=seconds)
        return list(self.planned.values())

    def _one(self, recipe: Recipe, latest: Mapping[str, Any] | None) -> Planned:
        name, host = recipe.name, host_recipes(recipe, self.recipes)
        first = [need for need in host if self.planned[need].state == TO_BUILD]
        after = f"{', '.join(first)} {'is' if len(first) == 1 else 'are'} to be built first"
        digest = ""
        why: list[str] = ["never built"] if latest is None else []
        if all(need in self.outputs for need in host):
            key = self.known.key_for(recipe, {need: self.outputs[need] for need in host})
            known = self.known.found(key)
            if known:
                self.outputs[name] = known[0]
                if not first:
                    return Planned(name=name, state=UP_TO_DATE if known[1] == "store" else REMOTE, key=key.digest)
                perhaps = (f"{after}; up to date if that gives the same bytes as before",)
                return Planned(name=name, state=TO_BUILD, why=perhaps, certain=False)
            digest = "" if first else key.digest
            why = explain(key, latest["inputs"] if latest else None)
        if latest:
            self.outputs[name] = latest["output"].get("content") or latest["output"]["sha256"]
        return Planned(name=name, state=TO_BUILD, why=(*why, after) if first else tuple(why), key=digest)
