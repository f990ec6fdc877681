"""Sources and build requirements -> store, verified by sha256. Nothing that was fetched is executed."""

from __future__ import annotations

import hashlib
import json
import platform
import re
import tempfile
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from packaging.markers import default_environment
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from emwheels.errors import FetchError, without_secrets
from emwheels.fetch.download import Downloader, NotFoundError
from emwheels.fetch.git import GIT, pack_commit, parse_git
from emwheels.fetch.index_pages import Resource
from emwheels.fetch.markers import holds
from emwheels.fetch.registries import Registries, parse_purl
from emwheels.store import Store, StoreError, sha256_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from emwheels.fetch.download import Progress

KIND = "sources"
"""The kind of store entry that everything fetched is kept as."""

_SHA256 = re.compile(r"[0-9a-f]{64}")
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})(?=\s|$)")


@dataclass(frozen=True, kw_only=True)
class Fetched:
    """A file in the store. ``path`` is named by its hash: copy it under ``filename`` where the name matters."""

    path: Path
    sha256: str
    filename: str
    url: str
    """Where it came from, without user, password and tokens."""


@dataclass(frozen=True, kw_only=True)
class _Pinned:
    """A line of a lock file that applies."""

    name: str
    version: str
    hashes: frozenset[str]


def manylinux_platforms(machine: str = "") -> tuple[str, ...]:
    """Return the wheel platforms that every build image runs: glibc 2.35 and older, newest first (PEP 600)."""
    machine = machine or platform.machine()
    legacy = {17: "manylinux2014", 12: "manylinux2010", 5: "manylinux1"}
    tags = []
    for minor in range(35, 4, -1):
        tags.append(f"manylinux_2_{minor}_{machine}")
        if minor in legacy:
            tags.append(f"{legacy[minor]}_{machine}")
    return tuple(tags)


class Fetcher:
    """Fetches into ``store``.

    With ``offline`` no socket is opened: what is not in the store is an error that says so. ``progress`` is called
    with a file name, the bytes that are there and the total, if known. ``npm_registry``, ``debian_mirror`` and
    ``crates`` answer where this machine has no npm configuration, an apt without Debian, or no cargo configuration.
    """

    def __init__(
        self,
        store: Store,
        *,
        offline: bool = False,
        progress: Progress | None = None,
        attempts: int = 5,
        pause: Callable[[float], None] = time.sleep,
        npm_registry: Callable[[], str] | None = None,
        debian_mirror: Callable[[], str] | None = None,
        crates: Callable[[], str] | None = None,
    ) -> None:
        self._store = store
        self._offline = offline
        self._progress = progress
        self._downloader = Downloader(attempts=attempts, pause=pause)
        self._registries = Registries(
            self._downloader, npm_registry=npm_registry, debian_mirror=debian_mirror, crates=crates
        )

    def fetch(self, url_or_purl: str, sha256: str | None) -> Fetched:
        """Return the file from the store, or fetch it.

        ``sha256`` decides: it is asked of the registry, of the file, and of the store's copy. Without it, what a purl
        means was decided by whatever the registry answered first. A commit of git (``git+…@COMMIT``) has none: what
        comes is an archive of its files. Raises `FetchError`.
        """
        if sha256 is not None and not _SHA256.fullmatch(sha256):
            raise FetchError(
                f"{url_or_purl}: {sha256!r} is not a sha256", hint="it has 64 lower-case hexadecimal digits"
            )
        key = _key("file", without_secrets(url_or_purl), sha256)
        if fetched := self._already_fetched(key):
            return fetched
        self._refuse_offline(url_or_purl)
        if url_or_purl.startswith(GIT):
            return self._remember(key, self._commit(url_or_purl))
        expected = {sha256} if sha256 else set()
        if url_or_purl.startswith("pkg:"):
            purl = parse_purl(url_or_purl)
            candidates = self._registries.candidates(purl, sha256)
            known: Callable[[], list[str]] = partial(self._registries.debian_versions, purl)
        else:
            candidates, known = (_plain(url_or_purl),), list
        return self._remember(key, self._first(candidates, expected, known))

    def _commit(self, url: str) -> Fetched:
        commit = parse_git(url)
        filename = f"{commit.name}-{commit.commit[:12]}.tar"
        with tempfile.TemporaryDirectory(prefix="emwheels-git-") as folder:
            archive = Path(folder) / filename
            pack_commit(commit, archive)
            digest = self._store.put_file(KIND, archive)
        return Fetched(path=self._store.path_of(KIND, digest), sha256=digest, filename=filename, url=url)

    def take(self, path: Path, sha256: str | None) -> Fetched:
        """Keep a file of this machine in the store. Raises `FetchError` when it is missing or not the one asked for."""
        if not path.is_file():
            raise FetchError(f"{path} does not exist")
        got = sha256_of(path)
        if sha256 is not None and got != sha256:
            raise FetchError(f"{path}: expected sha256 {sha256}, got {got}")
        digest = self._store.put_file(KIND, path)
        return Fetched(path=self._store.path_of(KIND, digest), sha256=digest, filename=path.name, url=path.as_uri())

    def fetch_requirements(
        self, lock: Path, *, python: str, platforms: Sequence[str] | None = None, sources: bool = False
    ) -> tuple[Fetched, ...]:
        """Fetch the wheels that a hash-pinned requirements file asks for on CPython ``python`` (``3.14``) under Linux.

        ``platforms`` are wheel platforms, best first, ``any`` for pure Python; `manylinux_platforms` of this machine by
        default. With one of WebAssembly, markers are those of Pyodide. A requirement without a fitting wheel is a
        `FetchError`, since its source distribution would run code to be built; with ``sources``, its source archive is
        returned, if that is what is pinned.
        """
        platforms = platforms if platforms is not None else manylinux_platforms()
        wasm = any(platform.endswith("_wasm32") for platform in platforms)
        pins = _read_lock(lock, marker_environment(python, platform=EMSCRIPTEN if wasm else "linux"))
        return tuple(self._wheel(pinned, lock, python, platforms, sources=sources) for pinned in pins)

    def _wheel(self, pinned: _Pinned, lock: Path, python: str, platforms: Sequence[str], *, sources: bool) -> Fetched:
        text = f"{pinned.name}=={pinned.version}"
        key = _key("wheel", text, sorted(pinned.hashes), python, list(platforms))
        if fetched := self._already_fetched(key):
            return fetched
        self._refuse_offline(f"{text} ({lock})")
        wheels = self._registries.wheels(pinned.name, pinned.version, python, platforms)
        if not wheels and sources:
            offers = [offer.resource for offer in self._registries.offers(pinned.name)]
            wheels = [each for each in offers if each.sha256 in pinned.hashes and each.filename.endswith(".tar.gz")]
        if not wheels:
            raise _no_wheel(lock, pinned, python, platforms)
        allowed = [w for w in wheels if w.sha256 is None or w.sha256 in pinned.hashes]
        if not allowed:
            names = ", ".join(w.filename for w in wheels)
            raise FetchError(f"{lock}: {text}: no pinned hash is that of {names}", hint=_lock_again(lock))
        return self._remember(key, self._first(allowed[:1], pinned.hashes))

    def _already_fetched(self, key: str) -> Fetched | None:
        record = self._store.get_record("fetched", key)
        if record is None:
            return None
        try:
            path = self._store.get(KIND, record["sha256"])
        except StoreError:
            return None
        return Fetched(path=path, sha256=record["sha256"], filename=record["filename"], url=record["url"])

    def _remember(self, key: str, fetched: Fetched) -> Fetched:
        record = {"sha256": fetched.sha256, "filename": fetched.filename, "url": fetched.url}
        self._store.add_record("fetched", key, record)
        return fetched

    def _refuse_offline(self, what: str) -> None:
        if self._offline:
            raise FetchError(
                f"{what} is not in the store, and this is offline",
                hint=f"run the same command once without --offline, or copy a store that has it to {self._store.root}",
            )

    def _first(
        self, candidates: Sequence[Resource], expected: Collection[str], known: Callable[[], list[str]] = list
    ) -> Fetched:
        """Return the first that there is; ``known`` tells which versions there are instead of the one asked for."""
        for resource in candidates:
            try:
                return self._obtain(resource, expected)
            except NotFoundError as error:
                missing = error
                if len(candidates) == 1:
                    raise
        tried = ", ".join(dict.fromkeys(resource.filename for resource in candidates))
        hint = f"it has these versions: {', '.join(versions)}" if (versions := known()) else "check name and version"
        raise FetchError(f"no mirror has any of: {tried}", hint=hint) from missing

    def _obtain(self, resource: Resource, expected: Collection[str]) -> Fetched:
        expected = expected or ({resource.sha256} if resource.sha256 else set())
        name = _key(without_secrets(resource.url), sorted(expected))
        with self._store.lock(name):
            part = self._store.partial(name)
            # What an earlier run left is only worth keeping when a hash will tell that both halves belong together.
            if not expected:
                part.unlink(missing_ok=True)
            had_some = part.exists()
            sha256 = self._download(resource, part)
            if expected and sha256 not in expected and had_some:
                part.unlink()
                sha256 = self._download(resource, part)
            if expected and sha256 not in expected:
                part.unlink()
                raise _other_hash(resource, expected, sha256)
            self._store.put_file(KIND, part)
            part.unlink()
        url = without_secrets(resource.url)
        return Fetched(path=self._store.path_of(KIND, sha256), sha256=sha256, filename=resource.filename, url=url)

    def _download(self, resource: Resource, partial: Path) -> str:
        def report(done: int, total: int | None) -> None:
            if self._progress:
                self._progress(resource.filename, done, total)

        if resource.url.startswith("file:"):
            source = Path(unquote(urlsplit(resource.url).path))
            if not source.is_file():
                raise NotFoundError(f"{source} does not exist")
            partial.write_bytes(source.read_bytes())
        else:
            self._downloader.save(resource.url, partial, report, listed_at=resource.listed_at)
        return sha256_of(partial)


def _other_hash(resource: Resource, expected: Collection[str], got: str) -> FetchError:
    if resource.sha256 == got:
        advice = (
            f"the index states {got} for it as well: for a version that is new in the recipe, write this hash. If the "
            "recipe's hash was right before, somebody replaced the file, or the version in the URL is another one"
        )
    elif resource.sha256:
        advice = (
            f"the index states {resource.sha256}, so the file is damaged or not what the index means: write neither"
        )
    else:
        advice = (
            "the source states no hash to compare with: for a version that is new in the recipe, compare the hash with "
            "upstream's own before you write it; else find out why the file was replaced"
        )
    message = f"{resource.filename}: expected sha256 {' or '.join(sorted(expected))}, got {got}"
    return FetchError(message, hint=f"the file was removed; {advice}")


def _lock_again(lock: Path) -> str:
    return f"lock again: emwheels lock {lock.parent.name}"


def _no_wheel(lock: Path, pinned: _Pinned, python: str, platforms: Sequence[str]) -> FetchError:
    text = f"{lock}: {pinned.name}=={pinned.version}"
    if "any" in platforms and len(platforms) <= _FEW:
        return FetchError(
            f"{text} is compiled and has no wheel for {platforms[0] if len(platforms) > 1 else 'every platform'}",
            hint=f"add a recipe for {pinned.name}, then {_lock_again(lock)}",
        )
    return FetchError(
        f"{text} has no wheel for CPython {python} on {platform.machine()}",
        hint=f"constrain it to a version that has one (requirements.constraint), then {_lock_again(lock)}",
    )


_FEW = 3
"""Platforms of WebAssembly and none; the machine's own are many."""


def _key(*parts: object) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _plain(url: str) -> Resource:
    try:
        parts = urlsplit(url)
        right = parts.scheme in {"http", "https"} and parts.hostname
    except ValueError:
        right = ""
    filename = unquote(parts.path).rpartition("/")[2] if right else ""
    if not filename:
        raise FetchError(f"{url!r} is not the URL of a file", hint="write https://… or pkg:pypi/NAME@VERSION")
    return Resource(url=url, filename=filename)


EMSCRIPTEN = "emscripten"
_WASM = {"platform_machine": "wasm32", "platform_system": "Emscripten", "sys_platform": EMSCRIPTEN}


def marker_environment(python: str, *, platform: str = "linux") -> dict[str, str]:
    """Return what markers are evaluated against: CPython ``python`` on Linux or `EMSCRIPTEN`, whatever runs this."""
    common = {key: str(value) for key, value in default_environment().items()} | {
        "implementation_name": "cpython",
        "implementation_version": f"{python}.0",
        "os_name": "posix",
        "platform_python_implementation": "CPython",
        "platform_system": "Linux",
        "python_full_version": f"{python}.0",
        "python_version": python,
        "sys_platform": "linux",
    }
    return common | _WASM if platform == EMSCRIPTEN else common


def _read_lock(lock: Path, environment: Mapping[str, str]) -> list[_Pinned]:
    try:
        text = lock.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise FetchError(f"{lock} cannot be read: {error}") from error
    pinned = []
    for line in re.sub(r"\\\r?\n", " ", text).splitlines():
        entry = re.sub(r"(^|\s)#.*", "", line).strip()
        if entry:
            requirement = _parse_line(lock, entry)
            try:
                applies = holds(requirement.marker, environment)
            except ValueError as error:
                raise FetchError(f"{lock}: {requirement}: {error}", hint=_lock_again(lock)) from error
            if applies:
                pinned.append(_pin(lock, requirement, frozenset(_HASH.findall(entry))))
    return pinned


def _parse_line(lock: Path, line: str) -> Requirement:
    try:
        return Requirement(_HASH.sub("", line).strip())
    except InvalidRequirement as error:
        hint = f"it may hold nothing but NAME==VERSION --hash=sha256:…; {_lock_again(lock)}"
        raise FetchError(f"{lock}: {line!r} is not a pinned requirement: {error}", hint=hint) from error


def _pin(lock: Path, requirement: Requirement, hashes: frozenset[str]) -> _Pinned:
    specifiers = list(requirement.specifier)
    exact = len(specifiers) == 1 and specifiers[0].operator == "==" and not specifiers[0].version.endswith("*")
    if requirement.url or not exact or not hashes:
        raise FetchError(f"{lock}: {requirement} is not pinned by version and sha256", hint=_lock_again(lock))
    return _Pinned(name=canonicalize_name(requirement.name), version=specifiers[0].version, hashes=hashes)
