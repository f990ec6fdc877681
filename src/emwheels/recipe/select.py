"""Which recipes a command line means: names, patterns, ``tag:x``, and ``!`` for all but these."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from emwheels.errors import UsageError
from emwheels.recipe.document import did_you_mean, printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from emwheels.recipe.model import Recipe

_SIGNS = frozenset("*?[,!:")
_WAYS = 'write NAME, "NAME*", tag:TAG, or "!" before one of these to leave it out; * is every recipe'


def is_selector(text: str) -> bool:
    """Tell whether ``text`` is more than the name of one recipe."""
    return not _SIGNS.isdisjoint(text)


def select(texts: Iterable[str], known: Mapping[str, Recipe | None]) -> list[str]:
    """Return the names that ``texts`` pick out of ``known``, in its order; each may hold several, after commas.

    What follows ``!`` is left out, wherever it stands; if there is nothing else, all others are picked. A recipe that
    is disabled is picked by its name alone. In ``known`` is None for a recipe that makes no sense; it has no tags.
    Raises `UsageError` for a name, pattern or tag that no recipe has, and if nothing is picked.
    """
    words = [word.strip() for text in texts for word in text.split(",")]
    if "" in words or "!" in words:
        raise UsageError("a selector is empty", hint=_WAYS)
    picked = [word for word in words if not word.startswith("!")]
    left_out = {name for word in words if word.startswith("!") for name in _names(word[1:], known)}
    found = {name for word in picked or ["*"] for name in _names(word, known)} - left_out
    if not found:
        raise UsageError(f"{printable(' '.join(words))} picks no recipe", hint=_WAYS)
    return [name for name in known if name in found]


def _names(word: str, known: Mapping[str, Recipe | None]) -> Sequence[str]:
    enabled = {name: recipe for name, recipe in known.items() if recipe is None or not recipe.package.disabled}
    if word.startswith("tag:"):
        tags = {name: recipe.package.tag for name, recipe in enabled.items() if recipe is not None}
        return _of_tag(word.removeprefix("tag:"), tags)
    if _SIGNS.isdisjoint(word):
        name = str(canonicalize_name(word))
        if name not in known:
            raise UsageError(f"there is no recipe {printable(word)}{did_you_mean(word, [*known])}", hint=_WAYS)
        return [name]
    pattern = word.lower().replace("_", "-")
    names = [name for name in enabled if fnmatchcase(name, pattern)]
    if not names and known:
        raise UsageError(f"no recipe is called {printable(word)}", hint=_WAYS)
    return names


def _of_tag(tag: str, tags: Mapping[str, Sequence[str]]) -> list[str]:
    names = [name for name, those in tags.items() if tag in those]
    if not names:
        there = sorted({each for those in tags.values() for each in those})
        words = did_you_mean(tag, there) or (f"; there are {', '.join(map(printable, there))}" if there else "")
        raise UsageError(f"no recipe has the tag {printable(tag)}{words}", hint="tags are in package.tag of meta.yaml")
    return names
