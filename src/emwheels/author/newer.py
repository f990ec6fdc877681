"""What is newer than the source of a recipe: on this machine's package index, and in a Debian suite."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from emwheels.errors import FetchError
from emwheels.fetch.debian_sources import upstream_version, version_order

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from emwheels.fetch.debian_sources import SourcePackage
    from emwheels.fetch.index_pages import Offer
    from emwheels.fetch.registries import Registries
    from emwheels.recipe.model import Recipe

_THREADS = 8
PYPI, DEBIAN = "PyPI", "Debian"
NEWEST, NEWER, PINNED, UNKNOWN, FAILED = "newest", "newer", "pinned", "unknown", "failed"
"""What `Standing.state` can be; ``unknown`` is a source of which nobody keeps a list, ``failed`` a silent registry."""


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Where the source of a recipe comes from."""

    registry: str
    """``PyPI`` or ``Debian``, as ecosystems are called in OSV's format."""
    project: str
    version: str
    """The source's, which need not be the recipe's: Debian adds to it where it has removed files."""


@dataclass(frozen=True, kw_only=True)
class Standing:
    """How a recipe compares with what its registry has."""

    name: str
    version: str
    state: str
    origin: Origin | None = None
    newest: str = ""
    """The newest version of the source that can be built, empty where it is not known."""
    published: str = ""
    """The newest version of which upstream publishes a wheel for the target."""
    note: str = ""


_ADDED = re.compile(r"[+~.-](?:dfsg|ds|repack|debian|deb|orig)[0-9.]*")
"""What Debian adds to a version whose archive it has changed."""


def cleaned(version: str) -> str:
    """Return the version that upstream gave to what Debian calls by ``version``."""
    return _ADDED.sub("", version.rpartition("+really")[2])


def origin(recipe: Recipe) -> Origin | None:
    """Return where the source comes from, or None for one of which no registry keeps a list of versions."""
    purl, url = recipe.source.purl, recipe.source.url
    match (purl.type, purl.namespace) if purl else ("", None):
        case "pypi", None:
            assert purl is not None
            return Origin(registry=PYPI, project=canonicalize_name(purl.name), version=purl.version or "")
        case "deb", "debian":
            assert purl is not None
            return Origin(registry=DEBIAN, project=purl.name, version=upstream_version(purl.version or ""))
    web = url is not None and url.startswith(("https://", "http://"))
    if web and url is not None and recipe.version in unquote(urlsplit(url).path):
        return Origin(registry=PYPI, project=recipe.name, version=recipe.version)
    return None


def standings(recipes: Iterable[Recipe], registries: Registries, *, suite: str, python: str) -> list[Standing]:
    """Return how each recipe stands, all registries asked at the same time; one that is silent costs only its own.

    ``suite`` is Debian's, and ``python`` the target's full version, which a source archive has to accept.
    """
    chosen = list(recipes)
    debian = {found.project for recipe in chosen if (found := origin(recipe)) and found.registry == DEBIAN}
    with ThreadPoolExecutor(_THREADS) as pool:
        # Submitted first, so that no thread that waits for it keeps it from being read.
        listed = pool.submit(registries.debian_sources, suite, debian) if debian else None

        def stand(recipe: Recipe, found: Origin) -> Standing:
            if found.registry == PYPI:
                return _on_index(recipe, found, registries.sources(found.project), python)
            assert listed is not None
            return _in_debian(recipe, found, listed.result(), suite)

        return list(pool.map(lambda recipe: _answered(recipe, stand), chosen))


def published(
    recipes: Iterable[Recipe], registries: Registries, *, python: str, platforms: Sequence[str]
) -> list[Standing]:
    """Return for each recipe whose source is on the index the newest version with a wheel for one of ``platforms``.

    Pure wheels do not count: a recipe is there for what is compiled.
    """

    def stand(recipe: Recipe, found: Origin) -> Standing:
        minor = ".".join(python.split(".")[:2])
        offers = registries.published(found.project, minor, platforms)
        usable = [_usable(offer, python) for offer in offers if not offer.resource.filename.endswith("-any.whl")]
        versions = [version for version in usable if version is not None]
        return _standing(recipe, found, NEWEST, published=str(max(versions)) if versions else "")

    chosen = [recipe for recipe in recipes if (found := origin(recipe)) and found.registry == PYPI]
    with ThreadPoolExecutor(_THREADS) as pool:
        return list(pool.map(lambda recipe: _answered(recipe, stand), chosen))


def _answered(recipe: Recipe, stand: Callable[[Recipe, Origin], Standing]) -> Standing:
    """Return how a recipe stands, also where no registry can tell."""
    found = origin(recipe)
    if found is None:
        return _standing(recipe, None, UNKNOWN, note="no registry lists the versions of its source")
    try:
        return stand(recipe, found)
    except FetchError as error:
        return _standing(recipe, found, FAILED, note=error.message)


def asked_for(recipe: Recipe, version: str) -> Standing:
    """Return how a recipe stands of which somebody named the version that it is to have."""
    found = origin(recipe)
    same = found is not None and found.version == version
    return _standing(recipe, found, NEWEST if same else NEWER, newest=version)


def _standing(
    recipe: Recipe, found: Origin | None, state: str, *, newest: str = "", published: str = "", note: str = ""
) -> Standing:
    if recipe.package.pinned and state == NEWER:
        state, note = PINNED, "package.pinned: it is left alone"
    elif found and state == NEWER and recipe.version not in (found.version, cleaned(found.version)):
        note = f"its source is {found.project} {found.version}: change it by hand"
    return Standing(
        name=recipe.name,
        version=recipe.version,
        state=state,
        origin=found,
        newest=newest,
        published=published,
        note=note,
    )


def _in_debian(recipe: Recipe, found: Origin, listed: Mapping[str, Sequence[SourcePackage]], suite: str) -> Standing:
    versions = [package.upstream for package in listed.get(found.project, ()) if package.archives]
    if not versions:
        return _standing(recipe, found, UNKNOWN, note=f"Debian {suite} has no source package {found.project}")
    newest = max(versions, key=version_order)
    try:
        newer = version_order(newest) > version_order(found.version)
    except ValueError as error:  # of the recipe: the list was read with its versions
        return _standing(recipe, found, UNKNOWN, newest=newest, note=str(error))
    return _standing(recipe, found, NEWER if newer else NEWEST, newest=newest)


def _on_index(recipe: Recipe, found: Origin, offers: Sequence[Offer], python: str) -> Standing:
    try:
        current = Version(found.version)
    except InvalidVersion:
        return _standing(recipe, found, UNKNOWN, note=f"{found.version} is no version of PEP 440")
    if not offers:
        return _standing(recipe, found, UNKNOWN, note=f"the index has no source archive of {found.project}")
    usable = [version for offer in offers if (version := _usable(offer, python)) is not None]
    newest = max((version for version in usable if _is_release(version, current)), default=current)
    return _standing(recipe, found, NEWER if newest > current else NEWEST, newest=str(max(newest, current)))


def _usable(offer: Offer, python: str) -> Version | None:
    """Return the version of a file, if the target's Python may use it and nobody took it back."""
    try:
        fits_python = SpecifierSet(offer.requires_python).contains(python, prereleases=True)
        return Version(offer.version) if fits_python and offer.yanked is None else None
    except (InvalidVersion, InvalidSpecifier):
        return None


def _is_release(version: Version, current: Version) -> bool:
    return not version.is_prerelease or current.is_prerelease
