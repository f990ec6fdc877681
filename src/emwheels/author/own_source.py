"""What ``emwheels build`` is given that is no recipe: folders, archives, addresses, versions, lists of requirements."""

from __future__ import annotations

import hashlib
import json
import os
import re
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.requirements import InvalidRequirement, Requirement

from emwheels.atomic import read_regular
from emwheels.author.new import parse_asked
from emwheels.author.new_release import choose
from emwheels.errors import FetchError, UsageError, visible, without_secrets
from emwheels.fetch.archive import unpack
from emwheels.recipe.model import Package, Recipe, Source
from emwheels.recipe.source_tree import write_tree

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from packaging.utils import NormalizedName

    from emwheels.author.new_needs import PackageSource
    from emwheels.fetch.fetcher import Fetched, Fetcher
    from emwheels.target import Target

ARCHIVES = (".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".zip")
WEB = ("https://", "http://", "git+")
_LONGEST_LIST = 1 << 20


@dataclass(frozen=True, kw_only=True)
class OwnSource:
    """One project that is to be built without a recipe."""

    asked: str
    """As it was named, without secrets."""
    label: str
    """How messages call it."""
    folder: Path | None = None
    """The project's folder; None for an archive."""
    archive: Fetched | None = None
    source: Mapping[str, str] = field(default_factory=dict)
    """The section ``source`` of its recipe; empty for a file of this machine, which is unpacked beside the recipe."""


@dataclass(frozen=True, kw_only=True)
class Said:
    """A package that needs no build."""

    name: str
    version: str
    state: str
    """``pure``, ``published`` or ``missing``."""
    why: str


def resolve(text: str, fetcher: Fetcher, registry: PackageSource | None, target: Target) -> OwnSource | Said:
    """Return the project that ``text`` means. Without a ``registry``, this is offline.

    Raises `UsageError` and `FetchError`.
    """
    if text.startswith(WEB):
        fetched = fetcher.fetch(text, None)
        address = without_secrets(text)
        pinned = {} if text.startswith("git+") else {"sha256": fetched.sha256}
        return OwnSource(asked=address, label=fetched.filename, archive=fetched, source={"url": address, **pinned})
    if "==" in text and os.sep not in text:
        return _of_index(text, fetcher, registry, target)
    path = Path(text).expanduser().absolute()
    if path.is_dir():
        return OwnSource(asked=str(path.resolve()), label=text, folder=path, source={"path": str(path.resolve())})
    if not path.is_file():
        raise UsageError(f"there is no {text}", hint="give the folder of a project, a source archive, or NAME==VERSION")
    if not path.name.endswith(ARCHIVES):
        raise UsageError(f"{text} is no source archive", hint=f"its name has to end in one of {', '.join(ARCHIVES)}")
    return OwnSource(asked=str(path.resolve()), label=path.name, archive=fetcher.take(path, None))


def _of_index(text: str, fetcher: Fetcher, registry: PackageSource | None, target: Target) -> OwnSource | Said:
    asked = parse_asked(text)
    if registry is None:
        raise UsageError(f"{text} asks your index, and this is offline", hint="run it without --offline")
    release = choose(registry.offers(asked.name), target, asked.specifier, sources=True)
    if release is None:
        raise FetchError(f"{text}: no release has a source archive for Python {target.python_minor}")
    version = release.version
    if release.pure is not None:
        why = "pure Python: micropip installs its own wheel as it is"
        return Said(name=asked.name, version=version, state="pure", why=why)
    if release.source is None:
        raise FetchError(f"{asked.name} {version} has no source archive", hint=f"see: emwheels explain {asked.name}")
    url = f"pkg:pypi/{asked.name}@{version}"
    fetched = fetcher.fetch(url, release.source.resource.sha256)
    source = {"url": url, "sha256": fetched.sha256}
    return OwnSource(asked=f"{asked.name}=={version}", label=fetched.filename, archive=fetched, source=source)


@contextmanager
def tree_of(source: OwnSource) -> Iterator[tuple[Path, str]]:
    """Give the files of a project in a folder that goes away, and the hash of all of them. Raises as `write_tree`."""
    with tempfile.TemporaryDirectory(prefix="emwheels-own-") as folder:
        if source.archive is not None:
            named = Path(folder) / source.archive.filename
            named.symlink_to(source.archive.path)
            digest = source.archive.sha256
        else:
            assert source.folder is not None
            named = Path(folder) / "source.tar"
            with named.open("xb") as out:
                write_tree(_as_recipe(source.folder), out)
            with named.open("rb") as stream:
                digest = hashlib.file_digest(stream, "sha256").hexdigest()
        yield unpack(named, Path(folder) / "tree", strip_single_top=True), digest


def _as_recipe(folder: Path) -> Recipe:
    name: NormalizedName = "project"  # type: ignore[assignment]
    package = Package(name=name, version="0")
    return Recipe(folder=folder.parent / name, package=package, source=Source(path=str(folder.resolve())))


def requirements_in(files: Sequence[Path]) -> tuple[list[Requirement], list[str]]:
    """Return the requirements of lists as pip reads them, and the lines that are something else.

    Raises `UsageError` for a file that cannot be read and for a line that is no requirement.
    """
    found: list[Requirement] = []
    others: list[str] = []
    for file in files:
        try:
            text = read_regular(file, limit=_LONGEST_LIST).decode()
        except (OSError, ValueError) as error:
            raise UsageError(f"{file} cannot be read: {visible(str(error), lines=False)}") from error
        for number, line in enumerate(re.sub(r"\\\r?\n", " ", text).splitlines(), 1):
            entry = re.sub(r"(^|\s)#.*|\s--hash=\S+", "", line).strip()
            if entry.startswith(("-", ".", "/")) or "://" in entry.partition("@")[0]:
                others.append(entry)
            elif entry:
                try:
                    found.append(Requirement(entry))
                except InvalidRequirement as error:
                    raise UsageError(
                        f"{file}:{number}: {visible(entry, lines=False)[:80]} is no requirement"
                    ) from error
    return found, others


def place_of(names: Sequence[str]) -> str:
    """Return the name of the work folder for these projects, the same in every run."""
    return hashlib.sha256(json.dumps(sorted(names)).encode()).hexdigest()[:16]
