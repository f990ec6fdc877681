"""Which file of a project an application gets, and why each of the others is none for it.

The answer to micropip's "Can't find a pure Python 3 wheel". What is taken in which order was read in micropip 0.11.1:
with an index of one's own, that index goes first and Pyodide's lock after it; without, the lock before PyPI.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import InvalidWheelFilename, parse_wheel_filename
from packaging.version import InvalidVersion, Version

from emwheels.fetch.index_pages import Offer, Resource
from emwheels.fetch.markers import holds
from emwheels.index.model import offered, required_project
from emwheels.target.tags import Policy, fitting_tags

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from packaging.requirements import Requirement
    from packaging.tags import Tag

    from emwheels.index.lockfile import Lock, Release
    from emwheels.index.model import Catalogue, Project

Source = Literal["index", "lock", "pypi"]
SOURCES: Mapping[Source, str] = {"index": "this index", "lock": "Pyodide's lock", "pypi": "PyPI"}

_SYSTEMS = (
    ("Linux", re.compile(r"(many|musl)?linux")),
    ("macOS", re.compile(r"macosx")),
    ("Windows", re.compile(r"win")),
    ("Android", re.compile(r"android")),
    ("iOS", re.compile(r"ios")),
)
_PYODIDE = re.compile(r"(?:pyemscripten|pyodide)_(\d+_\d+)_wasm32")


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A file that there is, and what speaks against it."""

    source: Source
    filename: str
    version: str
    reasons: tuple[str, ...] = ()
    """Why it cannot be taken; empty for one that can."""
    notes: tuple[str, ...] = ()
    """What a client does with it that may surprise."""
    kind: str = ""
    """In a word, why: ``source``, ``platform``, ``abi``, ``python``, ``version``, ``yanked`` or ``prerelease``."""


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """Everything about one requirement and one Pyodide release."""

    requirement: str
    release: str
    candidates: tuple[Candidate, ...]
    chosen: Mapping[str, Candidate | None] = field(default_factory=dict)
    """Client -> what it takes."""
    problems: Mapping[str, str] = field(default_factory=dict)
    """Client -> what becomes of the requirements of what it takes, or why it takes nothing of ours."""
    advice: str = ""
    note: str = ""
    """What was asked for, where it was put in other words."""

    @property
    def found(self) -> bool:
        """Tell whether anything can be installed."""
        return any(candidate is not None for candidate in self.chosen.values())


def explain(
    requirement: Requirement,
    release: Release,
    *,
    project: Project | None,
    pypi: Sequence[Offer] | None,
    recipes: Mapping[str, str],
    merged: Lock | None = None,
    gap: str = "",
    note: str = "",
) -> Explanation:
    """Judge every file that there is for ``requirement``.

    ``project`` is ours, None when there is none; ``pypi`` is what PyPI lists, None when it was not asked; ``recipes``
    are the versions that can be built, by name. ``merged`` is the index's own lock, ``gap`` what the project needs and
    the index lacks. A requirement whose marker does not hold is installed by nobody.
    """
    if not holds(requirement.marker, release.environment()):
        advice = f"its marker, {requirement.marker}, does not hold in Pyodide {release.name}: installers skip it"
        return Explanation(requirement=str(requirement), release=release.name, candidates=(), advice=advice)
    ours = [_judge("index", offer, requirement, release) for offer in _offers(project)]
    theirs = [_judge("pypi", offer, requirement, release) for offer in pypi or ()]
    locked = _locked(requirement, release)
    index, lock, web = _best(ours), _best(locked), _best(theirs)
    chosen = {
        _MICROPIP: index or lock,
        "micropip, as Pyodide has it": lock or web,
        _LOADED: index or lock if merged is None else _in_lock(requirement, merged, release),
        "loadPackage with Pyodide's own lock": lock,
    }
    left_out = merged.left_out.get(required_project(requirement), "") if merged else ""
    problems = {
        _MICROPIP: f"{gap}: micropip takes that from elsewhere, or fails" if gap and index else "",
        _LOADED: f"ours is left out: it {left_out}" if left_out else "",
    }
    candidates = tuple(_newest_first([*ours, *locked, *theirs]))
    return Explanation(
        requirement=str(requirement),
        release=release.name,
        candidates=candidates,
        chosen=chosen,
        problems={client: problem for client, problem in problems.items() if problem},
        note=note,
        advice=_advice(requirement, candidates, index, recipes, asked=pypi is not None),
    )


_MICROPIP = "micropip, index URLs set to this index"
_LOADED = "loadPackage with this index's lock"


def _in_lock(requirement: Requirement, merged: Lock, release: Release) -> Candidate | None:
    """Return what ``loadPackage`` loads with the index's own lock, whatever else there is."""
    name = required_project(requirement)
    if name not in merged.document["packages"]:
        return None
    (found,) = _locked(requirement, replace(release, lock=merged.document))
    source: Source = "lock" if "://" in found.filename else "index"
    return None if found.reasons else replace(found, source=source, filename=found.filename.rpartition("/")[2])


def projects_with(module: str, catalogue: Catalogue, release: Release) -> list[str]:
    """Return the projects that have a module: ours first, then those of Pyodide's lock."""
    ours = [
        name
        for name, project in sorted(catalogue.projects.items())
        if any(module in file.imports for file in offered(project))
    ]
    theirs = [name for name, entry in release.lock["packages"].items() if module in entry.get("imports", ())]
    return list(dict.fromkeys((*ours, *sorted(theirs))))


def _offers(project: Project | None) -> list[Offer]:
    return [
        Offer(
            resource=Resource(url="", filename=file.filename),
            version=str(file.version),
            requires_python=file.requires_python,
            yanked=file.yanked,
        )
        for file in (() if project is None else offered(project))
    ]


def _judge(source: Source, offer: Offer, requirement: Requirement, release: Release) -> Candidate:
    filename, requires_python, yanked = offer.resource.filename, offer.requires_python, offer.yanked
    try:
        _, parsed, _, tags = parse_wheel_filename(filename)
    except (InvalidWheelFilename, InvalidVersion):
        what = (
            "not the name of a wheel"
            if filename.endswith(".whl")
            else "a source distribution, which would have to be built"
        )
        return Candidate(source=source, filename=filename, version=offer.version, reasons=(what,), kind="source")
    problems: list[tuple[str, str]] = []
    if problem := tag_problem(tags, release):
        problems.append(problem)
    problems += _version_problems(parsed, requirement.specifier)
    try:
        fits = SpecifierSet(requires_python).contains(release.python, prereleases=True)
    except InvalidSpecifier:
        fits = True
    notes: tuple[str, ...] = ()
    if not fits:
        text = f"needs Python {requires_python}, Pyodide {release.name} has {release.python}"
        if source == "index" or not problems:
            notes = (f"{text}; micropip does not look at that",)
    if yanked is not None:
        problems.append(("yanked", f"yanked: {yanked}" if yanked else "yanked"))
    return Candidate(
        source=source,
        filename=filename,
        version=str(parsed),
        reasons=tuple(text for _, text in problems),
        notes=notes,
        kind=problems[0][0] if problems else "",
    )


def tag_problem(tags: Iterable[Tag], release: Release) -> tuple[str, str] | None:
    """Return the kind of problem that a wheel with these tags has on this release, and the words for it."""
    tags = list(tags)
    if release.accepts(tags):
        return None
    platforms = sorted({tag.platform for tag in tags})
    interpreters = ", ".join(sorted({f"{tag.interpreter}-{tag.abi}" for tag in tags}))
    if any(tag.platform in platforms for tag in fitting_tags(release, Policy.MICROPIP)):
        return "python", f"for the interpreter {interpreters}, Pyodide {release.name} is {release.python_tag}"
    abis = sorted({match[1] for platform in platforms if (match := _PYODIDE.fullmatch(platform))})
    if abis:
        abi = release.platform_tag.removesuffix("_wasm32").partition("_")[2]
        return "abi", f"for Pyodide's ABI {', '.join(abis)}, Pyodide {release.name} has {abi}"
    systems = [name for name, pattern in _SYSTEMS if any(pattern.match(platform) for platform in platforms)]
    return "platform", f"machine code for {', '.join(systems or platforms)}"


def _version_problems(version: Version, specifier: SpecifierSet) -> list[tuple[str, str]]:
    if not specifier.contains(version, prereleases=True):
        return [("version", f"{version} is not {specifier}")]
    if version.is_prerelease and not specifier.prereleases:
        return [("prerelease", f"{version} is a pre-release, and none was asked for")]
    return []


def _locked(requirement: Requirement, release: Release) -> list[Candidate]:
    entry = release.lock["packages"].get(required_project(requirement))
    if entry is None:
        return []
    # With the lock, micropip takes a pre-release as any other version.
    problems = [p for p in _version_problems(_version(entry["version"]), requirement.specifier) if p[0] == "version"]
    return [
        Candidate(
            source="lock",
            filename=entry["file_name"],
            version=entry["version"],
            reasons=tuple(text for _, text in problems),
            kind=problems[0][0] if problems else "",
        )
    ]


def _best(candidates: Sequence[Candidate]) -> Candidate | None:
    """Return what micropip takes: the newest that fits, yanked ones and pre-releases only where there is no other."""
    for allowed in ({""}, {"", "yanked"}, {"", "prerelease"}):
        fitting = [c for c in candidates if c.kind in allowed and len(c.reasons) <= 1]
        if fitting:
            return max(fitting, key=lambda candidate: (_version(candidate.version), *_preferred(candidate.filename)))
    return None


def _preferred(filename: str) -> tuple[bool, int]:
    """Order files of one version as micropip does: compiled ones first, then as our pages list them."""
    try:
        _, _, build, tags = parse_wheel_filename(filename)
    except (InvalidWheelFilename, InvalidVersion):  # Pyodide's lock may have an archive of another kind
        return False, -1
    return all(tag.platform != "any" for tag in tags), build[0] if build else -1


def _newest_first(candidates: Iterable[Candidate]) -> list[Candidate]:
    order = list(SOURCES)
    newest = sorted(candidates, key=lambda candidate: candidate.filename)
    newest.sort(key=lambda candidate: _version(candidate.version), reverse=True)
    return sorted(newest, key=lambda candidate: order.index(candidate.source))


def _version(text: str) -> Version:
    try:
        return Version(text)
    except InvalidVersion:
        return Version("0")


def _advice(
    requirement: Requirement,
    candidates: Sequence[Candidate],
    index: Candidate | None,
    recipes: Mapping[str, str],
    *,
    asked: bool,
) -> str:
    if index is not None:
        return ""
    name = required_project(requirement)
    fits = [c for c in candidates if not c.reasons]
    if name in recipes:
        if requirement.specifier.contains(recipes[name], prereleases=True):
            return f"there is a recipe for {name} {recipes[name]}: emwheels build {name}"
        return f"the recipe builds {name} {recipes[name]}, which is not {requirement.specifier}: change its version"
    if fits:
        return f"it needs no recipe: {SOURCES[fits[0].source]} has {fits[0].filename}"
    on_pypi = [c for c in candidates if c.source == "pypi"]
    if any(c.kind == "platform" for c in on_pypi):
        return f"{name} has compiled code and no wheel for Pyodide: write a recipe (docs/adding-a-recipe.md)"
    if any(c.kind == "abi" for c in on_pypi):
        return f"{name} has wheels for other releases of Pyodide: take one of those, or write a recipe"
    if on_pypi:
        return (
            f"PyPI has only source distributions of {name}: if it is pure Python, build a wheel "
            f"(python -m build --wheel) and add it with `emwheels index add`; otherwise write a recipe"
        )
    return f"PyPI has no project {name}: check the name" if asked else "PyPI was not asked"
