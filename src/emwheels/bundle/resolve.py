"""Requirements -> the wheels that they and all they need come down to, for one Pyodide release."""

from __future__ import annotations

from dataclasses import dataclass, field
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import InvalidWheelFilename, parse_wheel_filename
from packaging.version import InvalidVersion, Version
from resolvelib import AbstractProvider, BaseReporter, ResolutionImpossible, ResolutionTooDeep, Resolver

from emwheels.errors import IndexingError, visible
from emwheels.fetch.markers import holds
from emwheels.index.model import now, required_project
from emwheels.index.wheelfile import read_wheel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from packaging.utils import NormalizedName

    from emwheels.fetch.index_pages import Offer
    from emwheels.index.lockfile import Release
    from emwheels.index.model import Catalogue

_ROUNDS = 2000
_MOST_CAUSES = 20
"""Lines of a message that says why there is no set of wheels."""
_MOST_FETCHED = 500
"""Wheels of a package index that are fetched to learn what they need."""


@dataclass(frozen=True, kw_only=True)
class FoundWheel:
    """A wheel that was chosen."""

    name: NormalizedName
    version: Version
    filename: str
    path: Path
    requires: tuple[str, ...]
    source: str
    """``index`` for one of ours, ``pypi``."""


@dataclass(frozen=True, kw_only=True)
class _Candidate:
    name: NormalizedName
    extras: frozenset[str]
    wheel: FoundWheel


@dataclass(kw_only=True)
class Finder:
    """Finds wheels: ours first, and what we have none of on PyPI.

    ``dist`` is the folder of the index ``catalogue``; ``offers`` asks PyPI for a name, ``fetch`` fetches what it offers
    and returns where it is.
    """

    release: Release
    catalogue: Catalogue
    dist: Path
    offers: Callable[[str], Sequence[Offer]]
    fetch: Callable[[Offer], Path]
    _known: dict[str, FoundWheel] = field(default_factory=dict)
    _offers: dict[str, list[tuple[Version, Offer]]] = field(default_factory=dict)
    _fetched: set[str] = field(default_factory=set)

    def find(self, name: NormalizedName, accepts: Callable[[Version], bool]) -> Iterator[FoundWheel]:
        """Yield the wheels that ``accepts`` accepts, the best first: those of our index, or else PyPI's."""
        ours = [wheel for wheel in self._ours(name) if accepts(wheel.version)]
        if ours:
            yield from ours
            return
        for version, offer in self._theirs(name):
            if accepts(version):
                self._count_download(offer)
                yield self._read(name, version, offer.resource.filename, self.fetch(offer), "pypi")

    def _count_download(self, offer: Offer) -> None:
        self._fetched.add(offer.resource.filename)
        if len(self._fetched) > _MOST_FETCHED:
            raise IndexingError(
                f"{_MOST_FETCHED} wheels were fetched without an end, the last of them {offer.resource.filename}",
                hint="pin the versions of some requirements",
            )

    def _ours(self, name: NormalizedName) -> list[FoundWheel]:
        project = self.catalogue.projects.get(name)
        fitting = [
            FoundWheel(
                name=name,
                version=file.version,
                filename=file.filename,
                path=self.dist / "wheels" / file.filename,
                requires=file.requires,
                source="index",
            )
            for file in (project.files if project else ())
            if file.yanked is None and self.release.accepts(file.tags)
        ]
        return sorted(fitting, key=attrgetter("version"), reverse=True)

    def _theirs(self, name: NormalizedName) -> list[tuple[Version, Offer]]:
        if name not in self._offers:
            wheels = []
            for offer in self.offers(name):
                try:
                    _, version, _, tags = parse_wheel_filename(offer.resource.filename)
                except (InvalidWheelFilename, InvalidVersion):
                    continue
                if offer.yanked is None and self.release.accepts(tags):
                    wheels.append((version, offer))
            wheels.sort(key=lambda pair: (not pair[0].is_prerelease, pair[0]), reverse=True)
            self._offers[name] = wheels
        return self._offers[name]

    def _read(self, name: NormalizedName, version: Version, filename: str, path: Path, source: str) -> FoundWheel:
        if filename not in self._known:
            requires = read_wheel(path, filename, uploaded=now()).file.requires
            self._known[filename] = FoundWheel(
                name=name, version=version, filename=filename, path=path, requires=requires, source=source
            )
        return self._known[filename]


class _Provider(AbstractProvider[Requirement, _Candidate, Any]):
    def __init__(self, finder: Finder) -> None:
        self._finder = finder
        self._environment = finder.release.environment()

    def identify(self, requirement_or_candidate: Requirement | _Candidate) -> Any:
        given = requirement_or_candidate
        name = given.name if isinstance(given, _Candidate) else required_project(given)
        return name, frozenset(given.extras)

    def get_preference(self, identifier: Any, *_: Any, **__: Any) -> Any:
        return str(identifier)

    def find_matches(
        self,
        identifier: Any,
        requirements: Mapping[Any, Iterator[Requirement]],
        incompatibilities: Mapping[Any, Iterator[_Candidate]],
    ) -> Callable[[], Iterator[_Candidate]]:
        name, extras = identifier
        asked = list(requirements[identifier])
        refused = {candidate.wheel.filename for candidate in incompatibilities[identifier]}

        def accepts(version: Version) -> bool:
            return all(requirement.specifier.contains(version, prereleases=True) for requirement in asked)

        def matches() -> Iterator[_Candidate]:
            for wheel in self._finder.find(name, accepts):
                if wheel.filename not in refused:
                    yield _Candidate(name=name, extras=extras, wheel=wheel)

        return matches

    def is_satisfied_by(self, requirement: Requirement, candidate: _Candidate) -> bool:
        return requirement.specifier.contains(candidate.wheel.version, prereleases=True)

    def get_dependencies(self, candidate: _Candidate) -> Iterable[Requirement]:
        if candidate.extras:  # the extras of a package need the package itself, in the same version
            yield Requirement(f"{candidate.name}=={candidate.wheel.version}")
        for text in candidate.wheel.requires:
            requirement = _requirement(text, candidate.wheel)
            extras = candidate.extras or {""}
            try:
                applies = any(holds(requirement.marker, {**self._environment, "extra": extra}) for extra in extras)
            except ValueError as error:
                wheel = candidate.wheel.filename
                raise IndexingError(f"{wheel} requires {visible(text, lines=False)}: {error}") from error
            if applies:
                yield requirement


def _requirement(text: str, wheel: FoundWheel) -> Requirement:
    try:
        requirement = Requirement(text)
    except InvalidRequirement as error:
        raise IndexingError(
            f"{wheel.filename} requires {visible(text, lines=False)!r}, which is no requirement"
        ) from error
    if requirement.url:
        raise IndexingError(
            f"{wheel.filename} requires {requirement.name} from an address; a bundle takes wheels from indexes only",
            hint=f"take another version of {wheel.name}, or build one without that requirement",
        )
    return requirement


def resolve(requirements: Sequence[Requirement], finder: Finder) -> list[FoundWheel]:
    """Return one wheel for each project that ``requirements`` need, by name.

    Raises `IndexingError` that says what needs what when there is no such set, and `FetchError`.
    """
    resolver: Resolver[Requirement, _Candidate, Any] = Resolver(_Provider(finder), BaseReporter())
    try:
        result = resolver.resolve(requirements, max_rounds=_ROUNDS)
    except ResolutionImpossible as error:
        lines = list(dict.fromkeys(_cause(cause.requirement, cause.parent) for cause in error.causes))
        more = [f"  and {len(lines) - _MOST_CAUSES} more"] if len(lines) > _MOST_CAUSES else []
        name = next(iter(error.causes)).requirement.name
        raise IndexingError(
            f"no set of wheels for Pyodide {finder.release.name} has what is wanted:\n"
            + "\n".join(lines[:_MOST_CAUSES] + more),
            hint=f"see which wheels there are: emwheels explain {name}",
        ) from error
    except ResolutionTooDeep as error:
        raise IndexingError("the requirements were not resolved in time", hint="pin the versions of some") from error
    chosen = {candidate.wheel.filename: candidate.wheel for candidate in result.mapping.values()}
    return sorted(chosen.values(), key=lambda wheel: wheel.name)


def _cause(requirement: Requirement, parent: _Candidate | None) -> str:
    return f"  {requirement} (of {parent.name} {parent.wheel.version})" if parent else f"  {requirement} (asked for)"
