"""Which files of a project a resolver is shown: those that can be installed where the lock is for."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from packaging.utils import InvalidWheelFilename, parse_wheel_filename
from packaging.version import InvalidVersion, Version

from emwheels.errors import FetchError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from collections.abc import Set as AbstractSet
    from pathlib import Path

    from packaging.tags import Tag

    from emwheels.fetch.index_pages import Offer

_METADATA_LIMIT = 4 << 20


@dataclass(frozen=True, kw_only=True)
class Selection:
    """By default every wheel, under its own name.

    The resolver knows nothing of Pyodide's platforms. So what fits is shown to it as a wheel for every platform: the
    hash and the content are those of the file.
    """

    tags: AbstractSet[Tag] = frozenset()
    """The tags that fit; empty: all do. Else a project is left out whose newest version
    has no wheel that fits, unless some have one for the platform itself: older pure wheels are of another time."""
    aside: Mapping[str, bool] = field(default_factory=dict)
    """Projects whose older versions count as well. True: so does every wheel, as something else will be installed (a
    recipe's own); False: the recipe bounds the version."""
    build: Callable[[str, Offer], Path] | None = None
    """Builds the wheel of a project that has source archives only, of which the resolver is shown."""
    native: AbstractSet[Tag] = frozenset()
    """With ``build``: the tags of wheels for the machine that builds."""

    def choose(self, name: str, offers: Sequence[Offer]) -> list[tuple[int, str]]:
        """Return the number of each file that is shown, and the name that it gets, in the order of ``offers``."""
        wheels = [(n, offer) for n, offer in enumerate(offers) if offer.resource.filename.endswith(".whl")]
        if not (self.tags or self.build):
            return [(n, offer.resource.filename) for n, offer in wheels]
        if self.tags:
            fitting = wheels if self.aside.get(name) else self._fitting(wheels, offers, old=name in self.aside)
            return [(n, o.resource.filename if _is_pure(o) else _universal(name, n, o)) for n, o in fitting]
        if any(_tags(offer) & self.native for _, offer in wheels):
            return [(n, offer.resource.filename) for n, offer in wheels]
        sources = [(n, offer) for n, offer in enumerate(offers) if _is_source(offer)]
        return [(n, _universal(name, n, offer)) for n, offer in sources] or [
            (n, o.resource.filename) for n, o in wheels
        ]

    def _fitting(
        self, wheels: Sequence[tuple[int, Offer]], offers: Sequence[Offer], *, old: bool
    ) -> list[tuple[int, Offer]]:
        fitting = [(n, offer) for n, offer in wheels if _tags(offer) & self.tags]
        newest = max((v for offer in offers if (v := _final(offer)) is not None), default=None)
        if old or newest is None or any(_final(offer) == newest for _, offer in fitting):
            return fitting
        return [(n, offer) for n, offer in fitting if not _is_pure(offer)]


def _is_source(offer: Offer) -> bool:
    return bool(offer.version) and offer.resource.sha256 is not None and offer.resource.filename.endswith(".tar.gz")


def _universal(name: str, number: int, offer: Offer) -> str:
    """Return the name of a wheel for every platform; the number, as its build tag, tells it from others."""
    return f"{name.replace('-', '_')}-{offer.version}-{number}-py3-none-any.whl"


def _tags(offer: Offer) -> AbstractSet[Tag]:
    try:
        return parse_wheel_filename(offer.resource.filename)[3]
    except InvalidWheelFilename:
        return frozenset()


def _is_pure(offer: Offer) -> bool:
    return all(tag.platform == "any" for tag in _tags(offer))


def _final(offer: Offer) -> Version | None:
    """Return the version of a release that is for everybody: not yanked, no preview."""
    try:
        version = Version(offer.version)
    except InvalidVersion:
        return None
    return version if offer.yanked is None and not version.is_prerelease else None


def read_metadata(wheel: Path) -> bytes:
    """Return METADATA of a wheel. Raises `FetchError` where there is none to be read."""
    try:
        with zipfile.ZipFile(wheel) as archive:
            names = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA") and "/" in name]
            with archive.open(names[0]) as stream:
                return stream.read(_METADATA_LIMIT)
    except (OSError, ValueError, LookupError, zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
        raise FetchError(f"{wheel.name}: it has no metadata that can be read: {error}") from error
