"""Reads ``extra.emwheels.accepted`` of meta.yaml: which findings of the audit a recipe accepts, each with its reason.

The key is emwheels' own: pyodide-build takes no notice of it. The audit gets what is accepted from its caller.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from emwheels.errors import RecipeError

if TYPE_CHECKING:
    from emwheels.recipe.model import Recipe

RULES = ("split-type", "namespace", "startup", "script", "plugin", "requirement", "names")
"""The rules of the audit whose findings can be accepted."""


@dataclass(frozen=True, kw_only=True)
class Accepted:
    """What is accepted, and why."""

    rule: str
    """One of `RULES`."""
    what: str
    """A pattern (fnmatch) of what the finding is about: of ``split-type``, of types (``geos::geom::*``); of the others,
    the file, module, program or requirement that it names."""
    reason: str


def accepted_findings(recipe: Recipe) -> tuple[Accepted, ...]:
    """Return what ``recipe`` accepts. Raises `RecipeError` for an entry that lacks something, or is of no such rule."""
    entries = recipe.own.get("accepted", [])
    if not isinstance(entries, list):
        raise _error(recipe, "", "must be a list")
    return tuple(_accepted(recipe, f"[{number}]", entry) for number, entry in enumerate(entries))


def _accepted(recipe: Recipe, where: str, entry: object) -> Accepted:
    match entry:
        case {"rule": str(rule), "what": str(what), "reason": str(reason), **rest} if not rest and reason.strip():
            if rule not in RULES:
                raise _error(recipe, where, f"findings of {rule!r} cannot be accepted, only of {', '.join(RULES)}")
            return Accepted(rule=rule, what=what, reason=" ".join(reason.split()))
        case _:
            raise _error(recipe, where, "must have the keys rule, what and reason, each with text")


def _error(recipe: Recipe, where: str, message: str) -> RecipeError:
    return RecipeError(
        f"{recipe.folder / 'meta.yaml'}: extra.emwheels.accepted{where}: {message}",
        hint='write extra: {emwheels: {accepted: [{rule: split-type, what: "name::*", reason: why}]}}',
    )
