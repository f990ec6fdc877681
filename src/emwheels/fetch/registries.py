"""Package URLs -> files, found by this machine's own pip, npm and apt configuration. No registry is named here."""

from __future__ import annotations

import os
import re
import shutil
from bisect import bisect_left
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import quote, unquote, urljoin, urlsplit, urlunsplit

from packageurl import PackageURL
from packaging.utils import canonicalize_version
from packaging.version import InvalidVersion, Version
from unearth import TargetPython

from emwheels.errors import FetchError
from emwheels.fetch.crates import Crates
from emwheels.fetch.debian_sources import suite_sources
from emwheels.fetch.documents import parse_json
from emwheels.fetch.download import Downloader, NotFoundError
from emwheels.fetch.index_pages import Failure, Offer, Resource, find_offers
from emwheels.fetch.pip_configuration import output_of, pip_configuration

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from emwheels.fetch.debian_sources import SourcePackage
    from emwheels.fetch.pip_configuration import PipConfiguration

_FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+~!-]*")
_DEBIAN_NAME = re.compile(r"[a-z0-9][a-z0-9+.-]+")
_LIST_LIMIT = 4 << 20
_VERSIONS_SHOWN = 8
_ORIG_SUFFIXES = ("xz", "gz", "bz2", "zst")


def parse_purl(text: str) -> PackageURL:
    """Parse a package URL that pins a version (ECMA-427). Raises `FetchError` when it is none."""
    try:
        purl = PackageURL.from_string(text)
    except ValueError as error:
        raise FetchError(f"{text!r} is not a package URL: {error}", hint="write pkg:pypi/NAME@VERSION") from error
    if not purl.version:
        raise FetchError(f"{text!r} pins no version", hint=f"write {text}@VERSION")
    file_name = _qualifiers(purl).get("file_name")
    if file_name is not None and not _FILE_NAME.fullmatch(file_name):
        raise FetchError(f"{text!r}: {file_name!r} is not a file name")
    return purl


class Registries:
    """Finds files by package URL.

    ``npm_registry`` is asked where this machine has no npm configuration, ``debian_mirror`` where apt has no Debian,
    ``crates`` where cargo's configuration names no registry. ``pip`` tells the indexes, by default those of this
    machine's pip.
    """

    def __init__(
        self,
        downloader: Downloader,
        *,
        npm_registry: Callable[[], str] | None = None,
        debian_mirror: Callable[[], str] | None = None,
        crates: Callable[[], str] | None = None,
        pip: PipConfiguration | None = None,
    ) -> None:
        self._pip_given = pip
        self._crates = Crates(downloader, crates)
        self._downloader = downloader
        self._npm_registry_fallback = npm_registry
        self._debian_mirror_fallback = debian_mirror

    def candidates(self, purl: PackageURL, sha256: str | None) -> Sequence[Resource]:
        """Return the files that may be what ``purl`` means, best first; all but the last may turn out not to exist."""
        match purl.type, purl.namespace:
            case "pypi", None:
                return (self._pypi(purl, sha256),)
            case "npm", _:
                return (self._npm(purl),)
            case "deb", "debian":
                return _debian(purl, self._debian_mirror_fallback)
            case "cargo", None:
                return self._crates.candidates(purl, sha256)
        raise FetchError(
            f"{purl}: this kind of package URL is not known", hint="known: pkg:pypi, pkg:npm, pkg:deb/debian, pkg:cargo"
        )

    def debian_versions(self, purl: PackageURL) -> list[str]:
        """Return the upstream versions of a Debian source package that the mirrors have, newest last.

        They are read from the mirror's list of its folder; empty for another kind of purl, and where there is no list.
        """
        if (purl.type, purl.namespace) != ("deb", "debian") or not _DEBIAN_NAME.fullmatch(purl.name):
            return []
        form = re.compile(rf"{re.escape(purl.name)}_([0-9][A-Za-z0-9.+~]{{0,60}})\.orig\.tar\.(?:xz|gz|bz2|zst)\b")
        versions: set[str] = set()
        for mirror in _debian_mirrors(self._debian_mirror_fallback):
            try:
                page = self._downloader.get(f"{mirror}/{_debian_folder(purl.name)}/", limit=_LIST_LIMIT).content
            except FetchError:  # a mirror need not list its folders
                continue
            versions.update(form.findall(unquote(page.decode(errors="replace"))))
        return sorted(versions, key=_digits)[-_VERSIONS_SHOWN:]

    def wheels(self, name: str, version: str, python: str, platforms: Sequence[str]) -> Sequence[Resource]:
        """Return a release's wheels for CPython ``python`` (``3.14``) and one of ``platforms``, best first."""
        major, minor = map(int, python.split("."))
        target = TargetPython(py_ver=(major, minor), abis=[f"cp{major}{minor}"], impl="cp", platforms=list(platforms))
        offers, _ = self._find(name, target_python=target, only_binary=[":all:"])
        return [offer.resource for offer in offers if _same_version(offer.version, version)]

    def published(self, name: str, python: str, platforms: Sequence[str]) -> Sequence[Offer]:
        """Return the wheels of every version for CPython ``python`` (``3.14``) on ``platforms``, pure ones too.

        Raises like `offers`.
        """
        major, minor = map(int, python.split("."))
        target = TargetPython(py_ver=(major, minor), abis=[f"cp{major}{minor}"], impl="cp", platforms=list(platforms))
        return self._of_first(name, target_python=target, only_binary=[":all:"])

    def sources(self, name: str) -> Sequence[Offer]:
        """Return the source archives of every version, newest first. Raises like `offers`."""
        return self._of_first(name, ignore_compatibility=True, no_binary=[":all:"])

    def offers(self, name: str) -> Sequence[Offer]:
        """Return every file of a project, newest first: of the first index that has any, and of find-links.

        Who can publish on a later index must not be able to replace it. Raises `FetchError` if none answers, or not
        one that may be the first.
        """
        return self._of_first(name, ignore_compatibility=True)

    def versions(self, name: str) -> Sequence[Offer]:
        """Return the files of every version of a project: of the first index that has it, and of find-links.

        Raises like `offers`.
        """
        offers, failures = self._answers(name, ignore_compatibility=True)
        _first_index(name, offers, failures)
        first: dict[str, int] = {}
        for offer in offers:
            if offer.place is not None:
                version = canonicalize_version(offer.version)
                first[version] = min(offer.place, first.get(version, offer.place))
        return [offer for offer in offers if offer.place in (None, first.get(canonicalize_version(offer.version)))]

    def debian_sources(self, suite: str, names: Collection[str]) -> dict[str, list[SourcePackage]]:
        """Return what a Debian suite has of the source packages ``names``. Raises `FetchError`."""
        return suite_sources(_debian_mirrors(self._debian_mirror_fallback), suite, names, self._downloader)

    def _of_first(self, name: str, **options: Any) -> list[Offer]:
        offers, failures = self._answers(name, **options)
        first = _first_index(name, offers, failures)
        return [offer for offer in offers if offer.place in (None, first)]

    def _answers(self, name: str, **options: Any) -> tuple[list[Offer], list[Failure]]:
        offers, failures = self._find(name, **options)
        if failures and not offers:
            raise FetchError(f"{name} was not found, and not every index answered: {_said(failures)}")
        return offers, failures

    def _pypi(self, purl: PackageURL, sha256: str | None) -> Resource:
        version = cast("str", purl.version)
        offers, failures = self._find(purl.name, ignore_compatibility=True)
        if sha256 is None:
            first = _first_index(purl.name, offers, failures)
            offers = [offer for offer in offers if offer.place in (None, first)]
        resources = [offer.resource for offer in offers if _same_version(offer.version, version)]
        file_name = _qualifiers(purl).get("file_name")
        for resource in resources:
            matches = resource.filename == file_name if file_name else bool(sha256) and resource.sha256 == sha256
            if matches:
                return resource
        sources = [r for r in resources if not r.filename.endswith(".whl")]
        if sources and not file_name:
            return min(sources, key=lambda r: not r.filename.endswith(".tar.gz"))
        if resources:
            near = get_close_matches(file_name or purl.name, [r.filename for r in resources], n=5, cutoff=0)
            wish = f"file {file_name}" if file_name else "source distribution"
            raise FetchError(f"{purl} has no {wish}", hint=f"pick a file with ?file_name=…, such as {', '.join(near)}")
        raise _no_version(purl, (offer.version for offer in offers), failures)

    def _find(self, name: str, **options: Any) -> tuple[list[Offer], list[Failure]]:
        return find_offers(name, self._downloader, self._pip, **options)

    @cached_property
    def _pip(self) -> PipConfiguration:
        return self._pip_given or pip_configuration()

    def _npm(self, purl: PackageURL) -> Resource:
        registry = self._npm_registry
        name = f"{purl.namespace}/{purl.name}" if purl.namespace else purl.name
        base = f"{registry}/{quote(name, safe='@')}"
        try:
            release = parse_json(self._downloader.get(f"{base}/{quote(cast('str', purl.version))}").content)
            tarball = str(release["dist"]["tarball"])
        except NotFoundError:
            raise self._npm_missing(purl, base) from None
        except (ValueError, LookupError, TypeError) as error:
            raise FetchError(f"{purl}: the npm registry's answer is not understood: {error}") from error
        return Resource(url=_on_registry(tarball, registry), filename=Path(urlsplit(tarball).path).name)

    def _npm_missing(self, purl: PackageURL, base: str) -> FetchError:
        try:
            versions = parse_json(self._downloader.get(base).content)["versions"]
        except NotFoundError:
            versions = ()
        except (ValueError, LookupError, TypeError) as error:
            return FetchError(f"{purl}: the npm registry's answer is not understood: {error}")
        return _no_version(purl, versions, [])

    @cached_property
    def _npm_registry(self) -> str:
        environment = _npm_environment("registry")
        address = environment or _npmrc_registry()
        if not address and (npm := shutil.which("npm")):
            address = output_of([npm, "config", "get", "registry"])
        if not address and self._npm_registry_fallback:
            address = self._npm_registry_fallback()
        if not address:
            raise FetchError("no npm registry is configured on this machine", hint="set npm_config_registry to its URL")
        return address.rstrip("/")


def _first_index(name: str, offers: Sequence[Offer], failures: Sequence[Failure]) -> int | None:
    """Return which index is the first that has any file; find-links count as every index.

    Raises `FetchError` where an index failed that may be the first.
    """
    first = min((offer.place for offer in offers if offer.place is not None), default=None)
    before = [fault for fault in failures if fault.place is not None and first is not None and fault.place < first]
    if before:
        raise FetchError(f"{name}: an index that goes first did not answer: {_said(before)}")
    return first


def _said(failures: Sequence[Failure]) -> str:
    return "; ".join(failure.message for failure in failures)


def _qualifiers(purl: PackageURL) -> dict[str, str]:
    return dict(cast("Mapping[str, str]", purl.qualifiers))


def _same_version(offered: str | None, asked: str) -> bool:
    try:
        return offered is not None and Version(offered) == Version(asked)
    except InvalidVersion:
        return offered == asked


def _no_version(purl: PackageURL, versions: Iterable[str], failures: Sequence[Failure]) -> FetchError:
    if failures:
        return FetchError(f"{purl} was not found, and not every index answered: {_said(failures)}")
    known = []
    for text in set(versions):
        try:
            known.append(Version(text))
        except InvalidVersion:  # a name for which no order is known
            continue
    if not known:
        return FetchError(f"{purl}: there is no such package", hint="check the name and the index of this machine")
    known.sort()
    try:
        place = bisect_left(known, Version(cast("str", purl.version)))
    except InvalidVersion:
        place = len(known)
    near = ", ".join(map(str, known[max(0, place - 3) : place + 3]))
    return FetchError(f"{purl}: there is no such version", hint=f"nearest: {near}")


def _npm_environment(key: str) -> str:
    """Return a setting from the environment, which npm reads in either case."""
    name = f"npm_config_{key}"
    return os.environ.get(name) or os.environ.get(name.upper(), "")


def _npmrc_registry() -> str:
    user = _npm_environment("userconfig")
    for path in (Path(user) if user else Path.home() / ".npmrc", Path("/etc/npmrc")):
        if path.is_file():
            for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
                key, _, value = line.partition("=")
                if key.strip() == "registry":
                    return os.path.expandvars(value.strip().strip("\"'"))
    return ""


def _on_registry(tarball: str, registry: str) -> str:
    """Return the tarball's URL on the configured registry: a mirror may pass on the address of what it mirrors."""
    file, home = urlsplit(urljoin(registry + "/", tarball)), urlsplit(registry)
    if (file.scheme, file.netloc) == (home.scheme, home.netloc):
        return urlunsplit(file)
    path = file.path if file.path.startswith(home.path + "/") else home.path + file.path
    return urlunsplit((home.scheme, home.netloc, path, "", ""))


def _debian(purl: PackageURL, fallback: Callable[[], str] | None) -> Sequence[Resource]:
    name, version = purl.name, cast("str", purl.version)
    if not _DEBIAN_NAME.fullmatch(name):
        raise FetchError(f"{purl}: {name!r} is not the name of a Debian source package")
    upstream = version.partition(":")[2] or version  # an epoch is in no file name (Debian Policy 5.6.12)
    upstream = upstream.rpartition("-")[0] or upstream
    file_name = _qualifiers(purl).get("file_name")
    names = [file_name] if file_name else [f"{name}_{upstream}.orig.tar.{suffix}" for suffix in _ORIG_SUFFIXES]
    return [
        Resource(url=f"{mirror}/{_debian_folder(name)}/{quote(file)}", filename=file)
        for mirror in _debian_mirrors(fallback)
        for file in names
    ]


def _debian_folder(name: str) -> str:
    return f"pool/main/{name[:4] if name.startswith('lib') else name[:1]}/{name}"


def _digits(version: str) -> list[tuple[int, str]]:
    """Return what versions sort by where nothing more is known of them than that numbers count as such."""
    return [(int(part[:9]), "") if part.isdigit() else (-1, part) for part in re.findall(r"\d+|\D+", version)]


def _debian_mirrors(fallback: Callable[[], str] | None) -> list[str]:
    if mirror := os.environ.get("EMWHEELS_DEBIAN_MIRROR"):
        return [mirror.rstrip("/")]
    rows = output_of(["apt-get", "indextargets", "--format", "$(REPO_URI) $(ORIGIN)", "Created-By: Packages"])
    mirrors: dict[str, None] = {}
    for row in rows.splitlines():
        uri, _, origin = row.partition(" ")
        if origin == "Debian" and "debian-security" not in uri:
            mirrors[uri.rstrip("/")] = None
    if not mirrors and fallback:
        return [fallback().rstrip("/")]
    if not mirrors:
        raise FetchError("no Debian mirror is configured on this machine", hint="set EMWHEELS_DEBIAN_MIRROR to its URL")
    return list(mirrors)
