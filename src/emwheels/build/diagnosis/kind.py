"""A kind of failure, and how one is known."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One kind of failure. ``means`` and ``do`` may have ``{what}`` in them: what a group of ``pattern`` has found."""

    id: str
    pattern: str
    """Searched in the log, line ends included."""
    sees: str
    """What a person sees of it in the log, for the documentation."""
    means: str
    """What is wrong, a sentence."""
    do: str
    """What to do, a sentence or two; every key of meta.yaml by its name."""
    what: str = ""
    """Stands for ``{what}`` where no group has found anything."""

    @cached_property
    def compiled(self) -> re.Pattern[str]:
        """Return the pattern to search with."""
        return re.compile(self.pattern, re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class Found:
    """A kind of failure that a log has."""

    kind: Kind
    what: str
    """The name of what is missing, refused or too much; it comes from the log. May be empty."""

    @property
    def advice(self) -> str:
        """Return what is wrong and what to do."""
        what = self.what or self.kind.what
        return f"{self.kind.means} {self.kind.do}".replace("{what}", what)
