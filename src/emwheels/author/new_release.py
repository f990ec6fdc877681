"""What an index offers of a project -> the release that a recipe is written for, and whether it needs one."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import InvalidWheelFilename, parse_wheel_filename
from packaging.version import InvalidVersion, Version

from emwheels.target.tags import Policy, fits

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from emwheels.fetch.index_pages import Offer
    from emwheels.target import Target

_SOURCES = (".tar.gz", ".zip", ".tar.bz2", ".tar.xz", ".tgz")


@dataclass(frozen=True, kw_only=True)
class OfferedRelease:
    """One version of a project, and its files by what they are good for."""

    version: str
    source: Offer | None = None
    pure: Offer | None = None
    """A wheel of Python alone."""
    published: Offer | None = None
    """Upstream's own wheel for the target."""
    wheels: tuple[Offer, ...] = ()
    """All wheels, whatever they are for."""
    passed_over: tuple[str, ...] = ()
    """Newer versions that do not do, each with the reason."""

    @property
    def compiled(self) -> bool:
        """Whether some wheels have machine code."""
        return any(not offer.resource.filename.endswith("-none-any.whl") for offer in self.wheels)


def choose(offers: Iterable[Offer], target: Target, wanted: SpecifierSet, *, sources: bool) -> OfferedRelease | None:
    """Return the newest release within ``wanted`` that can be used for ``target``; None if there is none.

    Pre-releases and yanked files count only where ``wanted`` pins a version. With ``sources`` a release has to have
    something to build or install here, so one of foreign wheels alone is passed over.
    """
    by_version: dict[Version, list[Offer]] = defaultdict(list)
    for offer in offers:
        try:
            by_version[Version(offer.version)].append(offer)
        except InvalidVersion:  # a name from before versions had an order
            continue
    pinned = any(each.operator in ("==", "===") and not each.version.endswith("*") for each in wanted)
    passed_over: list[str] = []
    for version in sorted(by_version, reverse=True):
        if not wanted.contains(version, prereleases=pinned):
            continue
        release, why = _judged(version, by_version[version], target, sources=sources, pinned=pinned)
        if release is not None:
            return OfferedRelease(**{**vars(release), "passed_over": tuple(passed_over)})
        passed_over.append(f"{version}: {why}")
    return None


def _judged(
    version: Version, offers: Sequence[Offer], target: Target, *, sources: bool, pinned: bool
) -> tuple[OfferedRelease | None, str]:
    kept = [offer for offer in offers if pinned or offer.yanked is None]
    if not kept:
        return None, "yanked"
    kept = [offer for offer in kept if _python_fits(offer.requires_python, target)]
    if not kept:
        return None, f"not for Python {target.python_minor}"
    release = _release(str(version), kept, target)
    if sources and not (release.source or release.pure or release.published):
        return None, "no source archive"
    return release, ""


def _release(version: str, offers: Sequence[Offer], target: Target) -> OfferedRelease:
    wheels = [offer for offer in offers if offer.resource.filename.endswith(".whl")]
    return OfferedRelease(
        version=version,
        source=_source(offers),
        pure=None if _brings_library(wheels) else next((offer for offer in wheels if _is_pure(offer, target)), None),
        published=next((offer for offer in wheels if _is_for(offer, target, Policy.OPENED)), None),
        wheels=tuple(wheels),
    )


def _source(offers: Sequence[Offer]) -> Offer | None:
    found = [offer for offer in offers if offer.resource.filename.endswith(_SOURCES)]
    return min(found, key=lambda offer: not offer.resource.filename.endswith(".tar.gz"), default=None)


def _is_pure(offer: Offer, target: Target) -> bool:
    """Tell whether a wheel has no machine code; one of ``py2.py3`` is as good as any."""
    return offer.resource.filename.endswith("-none-any.whl") and _is_for(offer, target, Policy.PIP)


def _brings_library(wheels: Sequence[Offer]) -> bool:
    """Tell whether wheels for platforms have no ABI: they bring a library, which one for any platform goes without."""
    names = [offer.resource.filename.removesuffix(".whl").split("-")[-2:] for offer in wheels]
    return any(abi == "none" and platform != "any" for abi, platform in (name for name in names if len(name) == 2))


def _is_for(offer: Offer, target: Target, policy: Policy) -> bool:
    try:
        return fits(parse_wheel_filename(offer.resource.filename)[3], target, policy)
    except (InvalidWheelFilename, InvalidVersion):
        return False


def _python_fits(text: str, target: Target) -> bool:
    try:
        return not text or SpecifierSet(text).contains(target.python, prereleases=True)
    except InvalidSpecifier:  # pip ignores it as well
        return True
