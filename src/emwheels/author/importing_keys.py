"""Keys of a recipe for pyodide-build, today's and earlier ones, as changes of its meta.yaml."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from packaging.utils import InvalidSdistFilename, canonicalize_name, parse_sdist_filename

from emwheels.author.edit import Edit
from emwheels.author.importing_scripts import Changes, flags, script

if TYPE_CHECKING:
    from collections.abc import Iterator

    from emwheels.author.importing_scripts import Providers
    from emwheels.recipe.document import Findings

_LIBRARIES = ("shared_library", "static_library")
_LIBRARY_KEYS = frozenset({"type", "script", "exports", "unvendor-tests"})
_GONE = {
    "build.skip_host": "a build for the host is never made here",
    "build.replace-libs": "no library is replaced here",
    "source.md5": "the sha256 says which file it is",
}
"""Keys of earlier formats that mean nothing here, and why."""
_SCRIPTS, _FLAGS = ("script", "cross-script", "post"), ("cflags", "cxxflags", "ldflags")


@dataclass(frozen=True, kw_only=True)
class Others:
    """What is known of other recipes."""

    libraries: frozenset[str]
    """Names of those that make libraries, not packages."""
    wheels: frozenset[str]
    """Names of those whose source is a wheel: what a build asks for is in its lock."""
    providers: Providers


def converted(document: dict[str, Any], findings: Findings, others: Others, changes: Changes) -> list[Edit]:
    """Return what is to be changed in a recipe so that it means the same here, and note it in ``changes``."""
    sections = {name: value for name, value in document.items() if isinstance(value, dict)}
    edits = [
        *_package(sections.get("package", {}), findings, changes),
        *_source(sections, changes),
        *_type(sections.get("build", {}), changes),
        *_build(sections.get("build", {}), others.providers, changes),
        *_requirements(sections.get("requirements", {}), others, changes),
    ]
    for dotted, why in _GONE.items():
        section, _, key = dotted.partition(".")
        if key in sections.get(section, {}):
            changes.done.append(f"{dotted} is left out: {why}")
            edits.append(Edit(key=dotted))
    return edits


def kind_of(document: dict[str, Any]) -> str:
    """Return what a recipe makes, in today's words: package, static_library, shared_library or cpython_module."""
    build = document.get("build")
    build = build if isinstance(build, dict) else {}
    if build.get("sharedlibrary") is True:
        return "shared_library"
    return "static_library" if build.get("library") is True else str(build.get("type", "package"))


def file_of(url: str) -> str:
    """Return the name of the file at an address; nothing for what is no address."""
    try:
        return unquote(urlsplit(url).path.rpartition("/")[2])
    except ValueError:
        return ""


def _package(package: dict[str, Any], findings: Findings, changes: Changes) -> Iterator[Edit]:
    if "_tag" in package:
        yield Edit(key="package._tag")
        yield Edit(key="package.tag", value=package["_tag"])
        changes.done.append("package._tag is package.tag")
    place = findings.places.get("package.version")
    if place and isinstance(package.get("version"), (int, float)):
        yield Edit(key="package.version", value=place.text)
        changes.done.append(f"package.version: {place.text} is text")


def _source(sections: dict[str, dict[str, Any]], changes: Changes) -> Iterator[Edit]:
    name, url = sections.get("package", {}).get("name"), sections.get("source", {}).get("url")
    if not isinstance(url, str) or not isinstance(name, str):
        return
    try:
        project, version = parse_sdist_filename(file_of(url))
    except InvalidSdistFilename:
        return
    if "packages" in urlsplit(url).path.split("/") and project == canonicalize_name(name):
        yield Edit(key="source.url", value=f"pkg:pypi/{project}@{version}")
        changes.done.append("source.url is a package URL, which your own index answers")


def _type(build: dict[str, Any], changes: Changes) -> Iterator[Edit]:
    kind = kind_of({"build": build})
    for old in ("library", "sharedlibrary"):
        if old in build:
            yield Edit(key=f"build.{old}")
            changes.done.append(f"build.{old} is build.type")
    if kind == "shared_library":
        changes.done.append("build.type: a shared library is a static_library that installs a .so")
    if kind in _LIBRARIES and build.get("type") != "static_library":
        yield Edit(key="build.type", value="static_library")
    if kind in _LIBRARIES:
        for key in sorted(build.keys() - _LIBRARY_KEYS - {"library", "sharedlibrary"}):
            yield Edit(key=f"build.{key}")
            changes.left.append(f"build.{key}: {str(build[key]).strip()[:90]}: for a library, say this in build.script")


def _build(build: dict[str, Any], providers: Providers, changes: Changes) -> Iterator[Edit]:
    is_library = kind_of({"build": build}) in _LIBRARIES
    for keys, convert in ((_SCRIPTS, script), (_FLAGS, flags)):
        for key in keys:
            if isinstance(build.get(key), str) and (not is_library or key == "script"):
                new = convert(build[key], f"build.{key}", providers, changes)
                if new != build[key]:
                    yield Edit(key=f"build.{key}", value=new if new.strip() else None)
    if build.get("_cross-build-env-skip-install") is False:
        yield Edit(key="build._cross-build-env-skip-install")
        changes.done.append("build._cross-build-env-skip-install is left out: it is always so here")


def _requirements(requirements: dict[str, Any], others: Others, changes: Changes) -> Iterator[Edit]:
    run, host = (_texts(requirements.get(key)) for key in ("run", "host"))
    linked = [name for name in run if canonicalize_name(name) in others.libraries]
    if linked:
        changes.done.append(f"requirements.run: {', '.join(linked)}: linked, so it goes to requirements.host")
        yield Edit(key="requirements.run", value=[name for name in run if name not in linked] or None)
    tools = [name for name in host if canonicalize_name(name) in others.wheels]
    if tools:
        changes.done.append(f"requirements.host: {', '.join(tools)}: a wheel, so it goes to requirements.build-extras")
        yield from (Edit(key="requirements.build-extras", value=name, adds=True) for name in tools)
    more = [name for name in [*linked, *changes.hosts] if name not in host]
    if tools or more:
        kept = [name for name in host if name not in tools] + more
        yield Edit(key="requirements.host", value=kept or None)
    programs = _texts(requirements.get("executable"))
    if "rustup" in programs:
        changes.done.append("requirements.executable: rustup is cargo")
        yield Edit(
            key="requirements.executable",
            value=list(dict.fromkeys(re.sub("^rustup$", "cargo", name) for name in programs)),
        )


def _texts(value: object) -> list[str]:
    return [text for text in value if isinstance(text, str)] if isinstance(value, list) else []
