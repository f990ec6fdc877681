"""An unpacked source of a C or C++ library -> a recipe that builds it statically, one for each way it offers."""

from __future__ import annotations

import re
import tarfile
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emwheels.author.edit import written
from emwheels.author.new import find_hosts
from emwheels.author.new_licence import licence_of
from emwheels.author.new_scripts import ways_to_build
from emwheels.author.new_source import examine_source
from emwheels.errors import visible
from emwheels.fetch.archive import unpack

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from emwheels.author.new_debian import DebianSource
    from emwheels.author.new_scripts import Way
    from emwheels.recipe.model import Recipe


def library_recipes(source: DebianSource, name: str, archive: Path, recipes: Mapping[str, Recipe]) -> list[str]:
    """Return a meta.yaml for each way in which the source can be built, the most promising first; empty for none.

    Raises `FetchError` for an archive that is not to be trusted.
    """
    with tempfile.TemporaryDirectory(prefix="emwheels-new-") as folder:
        named = Path(folder) / source.filename
        named.symlink_to(archive)
        tree = unpack(named, Path(folder) / "tree", strip_single_top=True)
        hosts, _ = find_hosts(examine_source(tree, name, ()), recipes)
        licence, version = licence_of(tree), plain_version(source.version)
        return [_meta(source, name, hosts, licence, way) for way in ways_to_build(tree, name, version)]


def library_name(source: DebianSource, recipes: Collection[str]) -> str:
    """Return what the recipe of a library is to be called: ``lib`` before a name that a package has."""
    name = re.sub(r"[^a-z0-9-]", "-", source.name)
    return f"lib{name}" if name in recipes and not name.startswith("lib") else name


def plain_version(text: str) -> str:
    """Return a version of Debian as PEP 440 can read it: ``2.15.4+dfsg`` is ``2.15.4``."""
    really = text.rpartition("really")[2]
    match = re.match(r"\d+(?:\.\d+)*", really)
    return match[0] if match else "0"


def _meta(source: DebianSource, name: str, hosts: Sequence[str], licence: str, way: Way) -> str:
    requirements: dict[str, Any] = {"host": list(hosts)} if hosts else {}
    extras = {"build-extras": list(way.wheels)} if way.wheels else {}
    about = {"home": visible(source.home, lines=False), "summary": f"Library, by Debian's source {source.name}"}
    return written({
        "package": {"name": name, "version": plain_version(source.version)},
        "source": {"url": f"pkg:deb/debian/{source.name}@{source.version}", "sha256": source.sha256},
        "build": {"type": "static_library", "script": way.script},
        "requirements": requirements | extras | {"executable": list(way.programs)},
        "about": about | ({"license": licence} if licence else {}),
    })  # fmt: skip


_HEADER_PATH = re.compile(r"include/(.+\.(?:h|hh|hpp|hxx))")
_MOST = 12


def provided(archive: Path) -> dict[str, list[str]]:
    """Return what a built library installs, as ``extra.emwheels.provides`` has it."""
    found: dict[str, dict[str, None]] = {"pkg-config": {}, "cmake": {}, "headers": {}, "libraries": {}}
    with tarfile.open(archive) as tar:
        for path in sorted(tar.getnames()):
            if match := re.fullmatch(r"(?:lib|share)/pkgconfig/(.+)\.pc", path):
                found["pkg-config"][match[1]] = None
            elif match := re.fullmatch(r"(?:lib|share)/(?:.*/)?([^/]+?)(?:-config|Config)\.cmake", path):
                found["cmake"][match[1]] = None
            elif match := re.fullmatch(r"lib/lib([^/]+)\.(?:a|so)", path):
                found["libraries"][match[1]] = None
            elif match := _HEADER_PATH.fullmatch(path):
                found["headers"][match[1]] = None
    headers = list(found["headers"])
    if len(headers) > _MOST:
        folders = {f"{header.partition('/')[0]}/*": None for header in headers if "/" in header}
        headers = [*folders, *(header for header in headers if "/" not in header)]
    lists = {key: list(names) for key, names in found.items()} | {"headers": headers}
    return {key: names for key, names in lists.items() if names}
