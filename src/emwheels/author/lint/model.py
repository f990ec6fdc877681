"""What lint looks at, and what it says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from emwheels.recipe.document import Findings
    from emwheels.recipe.model import Recipe

Mend = Callable[[str], str]
"""The text of a meta.yaml -> the same without the fault."""


@dataclass(frozen=True, kw_only=True)
class LintRule:
    """One rule, in words."""

    what: str
    """What is wrong where the rule speaks up."""
    why: str
    mend: str
    """What to do about it."""
    mends: bool = False
    """Whether ``--fix`` does that."""
    acceptable: bool = True
    """Whether a recipe may say that it is right all the same."""


@dataclass(frozen=True, kw_only=True)
class Remark:
    """A rule that speaks up at a place. ``line`` and ``column`` count from 1; the column is 0 where there is none."""

    rule: str
    recipe: str
    """The name of the recipe's folder, or of the folder of patches."""
    file: Path
    line: int
    message: str
    column: int = 0
    mend: Mend | None = None
    """How to mend it in the recipe's meta.yaml, if that is mechanical."""


@dataclass(frozen=True, kw_only=True)
class Subject:
    """One recipe, and what its rules need to know of the others."""

    recipe: Recipe
    findings: Findings
    text: str
    """Of meta.yaml."""
    recipes: Mapping[str, Recipe]
    """Every recipe that can be read."""
    modules: frozenset[str] | None = None
    """What users can import of the wheel that was built of it; None if it is not built."""

    def remark(self, rule: str, key: str, message: str, *, mend: Mend | None = None) -> Remark:
        """Return a remark about a key of meta.yaml, at its place; the message begins with the key."""
        line, column = self.findings.position(key)
        said = f"{key}: {message}" if key else message
        return self.about(rule, self.findings.file, said, line=line, column=column, mend=mend)

    def about(
        self, rule: str, file: Path, message: str, *, line: int = 1, column: int = 0, mend: Mend | None = None
    ) -> Remark:
        """Return a remark about any file."""
        name = self.recipe.folder.name
        return Remark(rule=rule, recipe=name, file=file, line=line, column=column, message=message, mend=mend)
