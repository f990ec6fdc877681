"""Why a compiled project is needed: the chain of requirements that leads to it."""

from __future__ import annotations

from email.parser import BytesParser
from typing import TYPE_CHECKING

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from emwheels.errors import FetchError, visible
from emwheels.fetch.fetcher import EMSCRIPTEN, marker_environment
from emwheels.fetch.lock_selection import read_metadata
from emwheels.fetch.markers import holds

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from emwheels.fetch.lock_index import LockIndex

_PROJECTS = 200
"""How many are looked at before the search is given up."""
_METADATA = 4 << 20


def chains_to_compiled(asked: Sequence[str], index: LockIndex, *, python: str, recipes: Collection[str]) -> list[str]:
    """Return a line for each project that `LockIndex.unfit` has and that ``asked`` leads to, by newest versions.

    What ``recipes`` (names) provide is not looked into.
    """
    if not index.unfit:
        return []
    environment = marker_environment(python, platform=EMSCRIPTEN)
    lines: dict[str, str] = {}
    seen: set[tuple[str, frozenset[str]]] = set()
    waiting: list[tuple[Requirement, tuple[str, ...]]] = [
        (requirement, ()) for requirement in _applying(asked, (), environment)
    ]
    while waiting and len(seen) < _PROJECTS:
        requirement, before = waiting.pop(0)
        name, extras = canonicalize_name(requirement.name), frozenset(requirement.extras)
        if name in recipes or (name, extras) in seen:
            continue
        seen.add((name, extras))
        if name in index.unfit:
            lines.setdefault(name, _line((*before, name)))
            continue
        needs = _applying(_requires(index, name, requirement), sorted(extras), environment)
        waiting += [(need, (*before, name)) for need in needs]
    return list(lines.values())


def _line(chain: Sequence[str]) -> str:
    *before, last = chain
    way = "".join(f"{one} needs {other}: " for one, other in zip(before, chain[1:], strict=False))
    return f"  {way}{last} is compiled and has no wheel for the target's ABI: it needs a recipe"


def _applying(texts: Sequence[str], extras: Sequence[str], environment: Mapping[str, str]) -> Iterator[Requirement]:
    for text in texts:
        try:
            requirement = Requirement(text)
            if any(holds(requirement.marker, {**environment, "extra": extra}) for extra in ("", *extras)):
                yield requirement
        except (InvalidRequirement, ValueError):  # the resolver says what is wrong with it
            continue


def _requires(index: LockIndex, name: str, requirement: Requirement) -> list[str]:
    """Return what the newest version that is fit needs, as its metadata says; nothing where there is none to read."""
    for number in index.chosen(name):
        offer = index.offers(name)[number]
        if not requirement.specifier.contains(offer.version):
            continue
        path = index.file(name, number, metadata=True)
        try:
            if path is not None and path.is_file():
                data = path.read_bytes()[:_METADATA]
            elif (wheel := index.file(name, number, metadata=False)) is not None:
                data = read_metadata(wheel)
            else:
                return []
        except (OSError, FetchError):
            return []
        message = BytesParser().parsebytes(data, headersonly=True)
        return [visible(str(text)) for text in message.get_all("Requires-Dist", [])]
    return []
