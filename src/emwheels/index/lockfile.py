"""Projects -> ``pyodide-lock.json``: Pyodide's own packages, with ours in their place or beside them.

The format is that of pyodide-lock 0.2.1. That library needs Python 3.12, and it reads every wheel again for each lock;
here the records of the index are enough. An integration test holds the result against the library.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import asdict, dataclass, field, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from packaging.requirements import Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version

from emwheels.errors import IndexingError
from emwheels.fetch.documents import parse_json
from emwheels.fetch.markers import holds
from emwheels.index.circles import without_circles
from emwheels.index.model import required_project
from emwheels.target.tags import Policy, fits, preference

if TYPE_CHECKING:
    from collections.abc import Collection, Container, Iterable, Mapping
    from pathlib import Path

    from packaging.markers import Marker
    from packaging.tags import Tag

    from emwheels.index.model import File, Project
    from emwheels.target import Target

_PACKAGES_URL = re.compile(r"`(https?://[^`$]+)\$\{(\w+)\}([^`]*)`")


@dataclass(frozen=True, kw_only=True)
class Release:
    """What is known of a Pyodide release to make locks for it."""

    name: str
    """E.g. ``314.0.7``."""
    python: str
    platform_tag: str
    packages_url: str
    """Where Pyodide's own packages are, with a final slash."""
    lock: dict[str, Any]
    """The lock that comes with it."""

    @property
    def python_tag(self) -> str:
        """E.g. ``cp314``."""
        return "cp" + "".join(self.python.split(".")[:2])

    def accepts(self, tags: Iterable[Tag]) -> bool:
        """Tell whether micropip and loadPackage take a wheel with these tags."""
        return fits(tags, self, Policy.MICROPIP)

    def rank(self, tags: Iterable[Tag]) -> int:
        """Return how much micropip prefers a wheel with these tags to others of its version: less is better."""
        return preference(tags, self, Policy.MICROPIP)

    def runs(self, requires_python: str) -> bool:
        """Tell whether a wheel that says so of itself is for this Python; one that says nonsense is."""
        return _is_for_python(requires_python, self.python)

    def environment(self) -> dict[str, str]:
        """Return the environment that markers are evaluated in (PEP 508)."""
        info = self.lock.get("info", {})
        major_minor = ".".join(self.python.split(".")[:2])
        return {
            "implementation_name": "cpython",
            "implementation_version": self.python,
            "os_name": "posix",
            "platform_machine": "wasm32",
            "platform_python_implementation": "CPython",
            "platform_release": str(info.get("platform", "")).removeprefix("emscripten_").replace("_", "."),
            "platform_system": "Emscripten",
            "platform_version": "#1",
            "python_full_version": self.python,
            "python_version": major_minor,
            "sys_platform": "emscripten",
            "extra": "",
        }


@dataclass(frozen=True, kw_only=True)
class Lock:
    """A lock, and which of our packages are not in it."""

    document: dict[str, Any]
    left_out: dict[str, str] = field(default_factory=dict)
    """Project -> why it is not in the lock, or is in it as Pyodide has it."""
    remarks: tuple[str, ...] = ()
    """What is in the lock otherwise than the wheels say."""

    def dump(self) -> bytes:
        """Return pyodide-lock.json."""
        return (json.dumps(self.document, separators=(",", ":"), sort_keys=True) + "\n").encode()

    def below(self, folder: str) -> Lock:
        """Return the lock for a folder below its own, so many levels as ``folder`` has parts."""
        up = "../" * (folder.count("/") + 1)
        packages = {
            name: entry if "://" in entry["file_name"] else {**entry, "file_name": up + entry["file_name"]}
            for name, entry in self.document["packages"].items()
        }
        return replace(self, document={**self.document, "packages": packages})


def read_release(target: Target, runtime: Path) -> Release:
    """Read what the npm package ``pyodide``, unpacked at ``runtime``, says of its own packages."""
    try:
        lock = _checked(parse_json((runtime / "pyodide-lock.json").read_bytes()))
        script = (runtime / "pyodide.mjs").read_text()
    except (OSError, ValueError) as error:
        raise IndexingError(f"{runtime} is not an unpacked npm package of pyodide: {error}") from error
    return Release(
        name=target.name,
        python=target.python,
        platform_tag=target.platform_tag,
        packages_url=_packages_url(script, runtime),
        lock=lock,
    )


def bare_release(target: Target) -> Release:
    """Return a release of which nothing is known but its Python and its ABI: no package of Pyodide's own."""
    return Release(
        name=target.name,
        python=target.python,
        platform_tag=target.platform_tag,
        packages_url="",
        lock={"info": {}, "packages": {}},
    )


def _checked(lock: Any) -> dict[str, Any]:
    """Return Pyodide's lock. Raises `ValueError` for one in which a package has no name, version or file."""
    try:
        for entry in lock["packages"].values():
            # Versions of Pyodide's shared libraries are not those of Python: libopenssl is 1.1.1w.
            "".join([entry["version"], entry["file_name"], *entry.get("imports", ())])
        lock.get("info", {}).get("platform")
        checked: dict[str, Any] = lock
    except (LookupError, TypeError, AttributeError) as error:
        raise ValueError(f"its packages are malformed: {error}") from error
    return checked


def _packages_url(script: str, runtime: Path) -> str:
    """Find the address that pyodide.mjs loads packages from when no other is given: a template and a version."""
    template = _PACKAGES_URL.search(script)
    if template is None:
        raise IndexingError(
            f"{runtime}/pyodide.mjs does not say where its packages are", hint="adapt emwheels.index.lockfile to it"
        )
    name, value = template[2], None
    while value is None:
        match = re.search(rf"\b{re.escape(name)}=(?:\"([^\"]+)\"|(\w+))", script)
        if match is None or match[2] == name:
            raise IndexingError(f"{runtime}/pyodide.mjs: the version in {template[0]} is not found")
        name, value = match[2], match[1]
    return f"{template[1]}{value}{template[3]}"


def dump_release(release: Release) -> bytes:
    """Return what is kept of a release beside the index, so that its lock can be made again anywhere."""
    return (json.dumps(asdict(release), separators=(",", ":"), sort_keys=True) + "\n").encode()


def load_release(data: bytes, where: str) -> Release:
    """Read what `dump_release` wrote. Raises `IndexingError`."""
    try:
        document = parse_json(data)
        lock = _checked(document.pop("lock"))
        return Release(**{key: str(value) for key, value in document.items()}, lock=lock)
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise IndexingError(f"{where} is damaged: {error}", hint="remove it and build the index again") from error


def best_file(project: Project, release: Release) -> File | None:
    """Return the wheel that micropip would take on this release, of those that its Python may have.

    That is the newest that is not yanked, a pre-release only where there is nothing else; of one version a compiled
    wheel goes before one for every platform, then the higher build number (PEP 427).
    """
    if project.status == "quarantined":
        return None
    fitting = [
        file
        for file in project.files
        if file.yanked is None and release.accepts(file.tags) and release.runs(file.requires_python)
    ]
    if len(fitting) < 2:
        return fitting[0] if fitting else None
    return max(fitting, key=lambda file: worth(file, release))


def worth(file: File, release: Release) -> tuple[bool, Version, int, int, str]:
    """Return what orders the wheels of a project for ``release``: the best has the most."""
    version, build, name = file.sort_key
    return not version.is_prerelease, version, -release.rank(file.tags), -build, name


@lru_cache(maxsize=1 << 12)
def _is_for_python(requires_python: str, python: str) -> bool:
    try:
        return SpecifierSet(requires_python).contains(python, prereleases=True)
    except InvalidSpecifier:
        return True


def merge(release: Release, projects: Iterable[Project], *, foreign: Collection[str] | None = None) -> Lock:
    """Return Pyodide's lock for ``release`` with our packages in it.

    Ours go before Pyodide's of the same name. Of Pyodide's only those stay that ``foreign`` names, with what they need;
    None keeps all. One of ours that needs something that is in neither, or that is there in another version, is left
    out: to load it would fail, and micropip, which looks into the lock first, would not find what is missing elsewhere
    either. Our files are named relative to the lock, Pyodide's by URL.
    """
    base: dict[str, dict[str, Any]] = release.lock["packages"]
    if foreign is not None:
        base = {name: base[name] for name in needed_of_pyodide(base, foreign)}
    ours: dict[str, File] = {}
    for project in projects:
        if file := best_file(project, release):
            ours[project.name] = file
    depends, left_out = _joined(ours, base, _Environment(release), closed=foreign is not None)
    depends, remarks = without_circles(depends)
    document = dict(release.lock)
    document["packages"] = packages = _of_pyodide(base, ours, release.packages_url)
    for name, file in ours.items():
        packages[name] = {
            "name": name,
            "version": str(file.version),
            "file_name": f"wheels/{quote(file.filename)}",
            "install_dir": "site",
            "sha256": file.sha256,
            "package_type": "package",
            "imports": list(file.imports),
            "depends": depends[name],
            "unvendored_tests": False,
        }
    _give_each_module_to_one(packages, ours)
    return Lock(document=document, left_out=left_out, remarks=remarks)


def needed_of_pyodide(base: Mapping[str, Any], names: Iterable[str]) -> list[str]:
    """Return those of ``names`` that Pyodide's lock has, with everything that they need there, sorted."""
    waiting, found = [name for name in names if name in base], set()
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += [need for need in base[name].get("depends", ()) if need in base]
    return sorted(found)


def _joined(
    ours: dict[str, File], base: Mapping[str, Any], environment: _Environment, *, closed: bool
) -> tuple[dict[str, list[str]], dict[str, str]]:
    """Return what each of ours needs, and why others are left out; those are taken out of ``ours``."""
    left_out: dict[str, str] = {}
    depends: dict[str, list[str]] = {}
    unchecked = set(ours)
    while unchecked:  # until none is left out: what was left out may have been what another needs
        available = {**{name: entry["version"] for name, entry in base.items()}, **_versions(ours)}
        dropped = set()
        for name in sorted(unchecked):
            needs, problem = _depends(name, ours, available, environment, closed=closed)
            depends[name] = needs
            if problem:
                left_out[name] = problem
                dropped.add(name)
        for name in dropped:
            del ours[name], depends[name]
        unchecked = {name for name, needs in depends.items() if dropped.intersection(needs)}
    return depends, left_out


def _give_each_module_to_one(packages: Mapping[str, dict[str, Any]], ours: Container[str]) -> None:
    """Leave a module that several packages have with the first of ours by name, and take it from Pyodide's.

    Pyodide's ``loadPackagesFromImports`` asks the last package in the lock that names a module (pyodide 314.0.7), so
    ``import cv2`` would load opencv-python-headless, which may be another version of OpenCV than opencv-python is. A
    namespace that several share is nobody's: ``import google.protobuf`` must not load what has ``google.auth``.
    """
    namespaces = Counter(name for entry in packages.values() for name in _namespaces(entry.get("imports", ())))
    taken = {name for name, count in namespaces.items() if count > 1}
    for name in sorted(packages, key=lambda name: (name not in ours, name)):
        entry = packages[name]
        entry["imports"] = [module for module in entry.get("imports", ()) if module not in taken]
        if name in ours:
            taken.update(entry["imports"])


def _namespaces(modules: Iterable[str]) -> set[str]:
    """Return those modules that others of the same package lie in."""
    above = {module[:end] for module in modules for end, letter in enumerate(module) if letter == "."}
    return above.intersection(modules)


def _of_pyodide(base: Mapping[str, Any], ours: Mapping[str, File], packages_url: str) -> dict[str, dict[str, Any]]:
    """Return Pyodide's entries less those that ours replace, and the tests that were taken out of those."""
    replaced = set(ours) | {f"{name}-tests" for name in ours if base.get(name, {}).get("unvendored_tests")}
    entries = {}
    for name, entry in base.items():
        if name not in replaced:
            address = entry["file_name"]
            entries[name] = {**entry, "file_name": address if "://" in address else packages_url + address}
    return entries


def _versions(files: Mapping[str, File]) -> dict[str, str]:
    # The version as the file name has it; parsing the whole name for each of thousands would be most of the work.
    return {name: file.filename.split("-", 2)[1] for name, file in files.items()}


class _Environment:
    """Evaluates markers for one release, each text once."""

    def __init__(self, release: Release) -> None:
        self._values = release.environment()
        self._known: dict[tuple[str, str], bool] = {}

    def holds(self, marker: Marker | None, extra: str) -> bool:
        if marker is None:
            return True
        key = (str(marker), extra)
        if key not in self._known:
            self._known[key] = holds(marker, {**self._values, "extra": extra})
        return self._known[key]


_requirement = lru_cache(maxsize=1 << 16)(Requirement)


@lru_cache(maxsize=1 << 16)
def _satisfies(version: str, specifier: SpecifierSet) -> bool:
    try:
        return specifier.contains(Version(version), prereleases=True)
    except InvalidVersion:
        return False


_NOWHERE = {False: "neither in this index nor in Pyodide's lock", True: "not in this index"}


def _depends(
    name: str, ours: Mapping[str, File], available: Mapping[str, str], environment: _Environment, *, closed: bool
) -> tuple[list[str], str]:
    """Return what ``name`` needs here, and what is wrong with that.

    The format has no extras: what an extra of a dependency needs, the package that asks for it needs.
    """
    depends: dict[str, None] = {}
    waiting = [(name, "")]
    seen = set(waiting)
    while waiting:
        current, extra = waiting.pop()
        if current not in ours:  # Pyodide's entries do not say what their extras need
            continue
        for text in ours[current].requires:
            requirement = _requirement(text)
            try:
                applies = environment.holds(requirement.marker, extra)
                # What is needed without the extra as well is found when that package itself is looked at.
                applies = applies and not (extra and environment.holds(requirement.marker, ""))
            except ValueError as error:
                return list(depends), f"needs {text}: {error}"
            if not applies:
                continue
            needed = required_project(requirement)
            version = available.get(needed)
            if version is None:
                return list(depends), f"needs {text}, which is {_NOWHERE[closed]}"
            if requirement.specifier and not _satisfies(version, requirement.specifier):
                return list(depends), f"needs {text}, and {version} is what the lock has"
            if needed != name:
                depends[needed] = None
            for pair in ((needed, chosen) for chosen in requirement.extras):
                if pair not in seen:
                    seen.add(pair)
                    waiting.append(pair)
    return sorted(depends), ""
