"""Requirements -> the wheels that they and all they need come down to, for one Pyodide release."""

from __future__ import annotations

from dataclasses import dataclass, field
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import InvalidWheelFilename, parse_wheel_filename
from packaging.version import InvalidVersion, Version
from resolvelib import AbstractProvider, BaseReporter, ResolutionImpossible, ResolutionTooDeep, Resolver

from emwheels.errors import IndexingError, visible
from emwheels.fetch.lock_selection import Selection
from emwheels.fetch.markers import holds
from emwheels.index.lockfile import worth
from emwheels.index.model import now, offered, project_name, required_project
from emwheels.index.wheelfile import read_wheel
from emwheels.target.tags import Policy, fitting_tags

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from packaging.utils import NormalizedName

    from emwheels.fetch.index_pages import Offer
    from emwheels.index.lockfile import Release
    from emwheels.index.model import Catalogue

_ROUNDS = 2000
_ROUNDS_EACH = 10
_MOST_CAUSES = 20
"""Lines of a message that says why there is no set of wheels."""
_SHOWN = 8
"""Versions in a message."""
_MOST_FETCHED = 500
"""Wheels of a package index that are fetched to learn what they need, unless many are asked for."""
_MOST_EACH = 10
"""The same, for each that is asked for."""


@dataclass(frozen=True, kw_only=True)
class FoundWheel:
    """A wheel that was chosen."""

    name: NormalizedName
    version: Version
    filename: str
    path: Path
    requires: tuple[str, ...]
    source: str
    """``index`` for one of ours, ``pypi``, ``lock`` for one of Pyodide's that stays where it is."""


@dataclass(frozen=True, kw_only=True)
class _Candidate:
    name: NormalizedName
    extras: frozenset[str]
    wheel: FoundWheel


def _no_offers(_name: str) -> Sequence[Offer]:
    return ()


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
    pinned: Callable[[str], Sequence[Offer]] = _no_offers
    """What goes before PyPI: the wheels of a lock."""
    replaceable: Container[str] = ()
    """Files of ours of which PyPI may have a better one: they came from there."""
    foreign: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Entries of Pyodide's own lock that may stay where they are."""
    recipes: Container[str] = ()
    """Names of what could be built."""
    asked: int = 0
    """How many requirements are resolved together."""
    _refused: dict[str, str] = field(default_factory=dict)
    _known: dict[str, FoundWheel] = field(default_factory=dict)
    _offers: dict[str, list[tuple[Version, Offer]]] = field(default_factory=dict)
    _fetched: set[str] = field(default_factory=set)

    def find(self, name: NormalizedName, accepts: Callable[[Version], bool]) -> Iterator[FoundWheel]:
        """Yield the wheels that ``accepts`` accepts, the best first: those of our index, or else PyPI's."""
        ours = [wheel for wheel in self._ours(name) if accepts(wheel.version)]
        yield from ours
        if any(wheel.filename not in self.replaceable for wheel in ours):
            return
        if name in self.foreign:
            yield from self._foreign(name, accepts)
            return
        known = {wheel.filename for wheel in ours}
        for source in (self._pinned, self._theirs):
            for version, offer in source(name):
                if accepts(version) and offer.resource.filename not in known:
                    known.add(offer.resource.filename)
                    if source == self._theirs:
                        self._count_download(offer)
                    label = "index" if offer.index == "index" else "pypi"
                    if found := self._read(name, version, offer.resource.filename, self.fetch(offer), label):
                        yield found

    def reason(self, requirement: Requirement) -> str:
        """Say why there is no wheel for a requirement, as far as it can be known; empty where there is one."""
        name = required_project(requirement)
        if refused := [why for file, why in self._refused.items() if project_name(file) == name]:
            return refused[0].rstrip(":")
        there = [wheel.version for wheel in self._ours(name)] or [version for version, _ in self._theirs(name)]
        if any(requirement.specifier.contains(version, prereleases=True) for version in there):
            return ""
        recipe = f"there is a recipe: emwheels build {name}" if name in self.recipes else "it needs a recipe"
        if there:
            return (
                f"there is {', '.join(dict.fromkeys(map(str, there[:_SHOWN])))}, which is not {requirement.specifier}"
            )
        if self.catalogue.projects.get(name) or self.offers(name):
            return f"{name} is compiled and has no wheel for {self.release.platform_tag}: {recipe}"
        return f"no index that was asked has {name}" if name not in self.recipes else recipe

    def _count_download(self, offer: Offer) -> None:
        self._fetched.add(offer.resource.filename)
        most = max(_MOST_FETCHED, _MOST_EACH * self.asked)
        if len(self._fetched) > most:
            raise IndexingError(
                f"{most} wheels were fetched without an end, the last of them {offer.resource.filename}",
                hint="pin the versions of some requirements",
            )

    def _ours(self, name: NormalizedName) -> list[FoundWheel]:
        project = self.catalogue.projects.get(name)
        fitting = [
            file
            for file in (offered(project) if project else ())
            if file.yanked is None and self.release.accepts(file.tags) and self.release.runs(file.requires_python)
        ]
        fitting.sort(key=lambda file: worth(file, self.release), reverse=True)
        return [
            FoundWheel(
                name=name,
                version=file.version,
                filename=file.filename,
                path=self.dist / "wheels" / file.filename,
                requires=file.requires,
                source="index",
            )
            for file in fitting
        ]

    def _foreign(self, name: NormalizedName, accepts: Callable[[Version], bool]) -> Iterator[FoundWheel]:
        entry = self.foreign[name]
        try:
            version = Version(entry["version"])
        except InvalidVersion:  # of a shared library
            version = Version("0")
        if accepts(version):
            yield FoundWheel(
                name=name,
                version=version,
                filename=entry["file_name"],
                path=self.dist,
                requires=tuple(entry.get("depends", ())),
                source="lock",
            )

    def _pinned(self, name: NormalizedName) -> list[tuple[Version, Offer]]:
        return self._fitting(self.pinned(name))

    def _theirs(self, name: NormalizedName) -> list[tuple[Version, Offer]]:
        if name not in self._offers:
            # The pure wheels of a project that has become compiled are of another time.
            tags = frozenset(fitting_tags(self.release, Policy.MICROPIP))
            offers = self.offers(name)
            self._offers[name] = self._fitting(offers[n] for n, _ in Selection(tags=tags).choose(name, offers))
        return self._offers[name]

    def _fitting(self, offers: Iterable[Offer]) -> list[tuple[Version, Offer]]:
        wheels = []
        for offer in offers:
            try:
                _, version, build, tags = parse_wheel_filename(offer.resource.filename)
            except (InvalidWheelFilename, InvalidVersion):
                continue
            if offer.yanked is None and self.release.accepts(tags) and self.release.runs(offer.requires_python):
                key = (not version.is_prerelease, version, -self.release.rank(tags), build)
                wheels.append((key, version, offer))
        wheels.sort(key=itemgetter(0), reverse=True)
        return [(version, offer) for _, version, offer in wheels]

    def _read(
        self, name: NormalizedName, version: Version, filename: str, path: Path, source: str
    ) -> FoundWheel | None:
        """Return a wheel that was fetched, None for one that must not be in an index: another version may do."""
        if filename not in self._known and filename not in self._refused:
            try:
                requires = read_wheel(path, filename, uploaded=now()).file.requires
            except IndexingError as error:
                self._refused[filename] = error.message.splitlines()[0]
                return None
            self._known[filename] = FoundWheel(
                name=name, version=version, filename=filename, path=path, requires=requires, source=source
            )
        return self._known.get(filename)


class _Provider(AbstractProvider[Requirement, _Candidate, Any]):
    def __init__(self, finder: Finder) -> None:
        self._finder = finder
        self._environment = finder.release.environment()
        self.needed_by: dict[str, dict[str, None]] = {}
        """Project -> those that were seen to need it, in order."""

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
                self.needed_by.setdefault(required_project(requirement), {})[candidate.name] = None
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
            f"{wheel.filename} requires {requirement.name} from an address; wheels are taken from indexes only",
            hint=f"take another version of {wheel.name}, or build one without that requirement",
        )
    return requirement


def resolve(requirements: Sequence[Requirement], finder: Finder) -> list[FoundWheel]:
    """Return one wheel for each project that ``requirements`` need, by name.

    Raises `IndexingError` that says what needs what when there is no such set, and `FetchError`.
    """
    return resolve_with_needs(requirements, finder)[0]


def resolve_with_needs(
    requirements: Sequence[Requirement], finder: Finder
) -> tuple[list[FoundWheel], dict[str, set[str]]]:
    """Return the same as `resolve`, and project -> those of the projects that need it."""
    finder.asked = len(requirements)
    provider = _Provider(finder)
    resolver: Resolver[Requirement, _Candidate, Any] = Resolver(provider, BaseReporter())
    try:
        result = resolver.resolve(requirements, max_rounds=max(_ROUNDS, _ROUNDS_EACH * len(requirements)))
    except ResolutionImpossible as error:
        causes = [(cause.requirement, cause.parent) for cause in error.causes]
        lines = list(dict.fromkeys(_cause(*cause, provider, finder) for cause in causes))
        more = [f"  and {len(lines) - _MOST_CAUSES} more"] if len(lines) > _MOST_CAUSES else []
        raise IndexingError(
            f"no set of wheels for Pyodide {finder.release.name} has what is wanted:\n"
            + "\n".join(lines[:_MOST_CAUSES] + more),
            hint=f"see which wheels there are: emwheels explain {causes[0][0].name}",
        ) from error
    except ResolutionTooDeep as error:
        raise IndexingError("the requirements were not resolved in time", hint="pin the versions of some") from error
    chosen = {candidate.wheel.filename: candidate.wheel for candidate in result.mapping.values()}
    needs: dict[str, set[str]] = {}
    for identifier in result.mapping:
        parents = {parent[0] for parent in result.graph.iter_parents(identifier) if parent is not None}
        needs.setdefault(identifier[0], set()).update(parents - {identifier[0]})
    return sorted(chosen.values(), key=lambda wheel: wheel.name), needs


def _cause(requirement: Requirement, parent: _Candidate | None, provider: _Provider, finder: Finder) -> str:
    """Return a line that says who asks for something, up to what was asked for, and why there is none."""
    if parent is None:
        who = "asked for"
    else:
        chain = [str(parent.name)]
        while above := [name for name in provider.needed_by.get(chain[-1], ()) if name not in chain]:
            chain.append(above[0])
        who = f"of {parent.name} {parent.wheel.version}" + "".join(f", which {name} needs" for name in chain[1:])
    reason = finder.reason(requirement)
    return f"  {requirement} ({who})" + (f": {reason}" if reason else "")
