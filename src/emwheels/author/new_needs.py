"""Run requirements -> what each of them is inside Pyodide: a recipe here, a wheel, or something that needs a recipe."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from packaging.utils import canonicalize_name

from emwheels.author.new_metadata import Described, read_about, wanted_here
from emwheels.author.new_release import choose
from emwheels.errors import FetchError
from emwheels.wheel import UNREADABLE, metadata_member

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from packaging.requirements import Requirement

    from emwheels.fetch.fetcher import Fetched
    from emwheels.fetch.index_pages import Offer
    from emwheels.target import Target

_MOST = 200
"""Requirements that are followed."""

RECIPE, PURE, PUBLISHED, COMPILED, MISSING = "recipe", "pure", "published", "compiled", "missing"


@dataclass(frozen=True, kw_only=True)
class Need:
    """One package that is needed at run time."""

    name: str
    state: str
    """``recipe``, ``pure``, ``published`` (upstream has a wheel for the target), ``compiled`` (it needs a recipe first)
    or ``missing``."""
    chain: tuple[str, ...]
    """Who asks for it, from the package itself on."""
    version: str = ""


class PackageSource(Protocol):
    """The part of `Registries` and `Fetcher` that is asked."""

    def offers(self, name: str) -> Sequence[Offer]:
        """Return every file of a project, newest first."""
        ...

    def fetch(self, url_or_purl: str, sha256: str | None) -> Fetched:
        """Return a file."""
        ...


def find_needs(
    name: str, requires: Iterable[Requirement], registry: PackageSource, target: Target, recipes: Collection[str]
) -> list[Need]:
    """Return what ``requires``, those of the package ``name``, ask for, and what that asks for in turn.

    A recipe is not followed: it says itself what it needs.
    """
    found: dict[str, Need] = {}
    waiting: list[tuple[Requirement, tuple[str, ...]]] = [
        (requirement, (name,)) for requirement in wanted_here(requires, target)
    ]
    while waiting and len(found) < _MOST:
        requirement, chain = waiting.pop(0)
        needed = canonicalize_name(requirement.name)
        if needed in found or needed == canonicalize_name(name):
            continue
        need, about = _need(requirement, chain, registry, target, recipes)
        found[needed] = need
        further = wanted_here(about.requires, target, requirement.extras)
        waiting += [(each, (*chain, needed)) for each in further]
    return list(found.values())


def _need(
    requirement: Requirement, chain: tuple[str, ...], registry: PackageSource, target: Target, recipes: Collection[str]
) -> tuple[Need, Described]:
    name = canonicalize_name(requirement.name)
    if name in recipes:
        return Need(name=name, state=RECIPE, chain=chain), Described()
    release = choose(registry.offers(name), target, requirement.specifier, sources=False)
    if release is None:
        return Need(name=name, state=MISSING, chain=chain), Described()
    state, wheel = COMPILED, None
    if release.pure is not None:
        state, wheel = PURE, release.pure
    elif release.published is not None:
        state, wheel = PUBLISHED, release.published
    about = Described() if wheel is None else about_of_wheel(name, release.version, wheel, registry)
    return Need(name=name, state=state, chain=chain, version=release.version), about


def about_of_wheel(name: str, version: str, wheel: Offer, registry: PackageSource) -> Described:
    """Return what the metadata of an offered wheel says. Raises `FetchError`."""
    file = wheel.resource
    fetched = registry.fetch(f"pkg:pypi/{name}@{version}?file_name={file.filename}", file.sha256)
    try:
        data = metadata_member(fetched.path, "METADATA")
    except UNREADABLE as error:
        raise FetchError(f"{file.filename} cannot be read: {error}", hint="check where it came from") from error
    return read_about(data or b"")
