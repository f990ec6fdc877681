"""Core metadata of a source archive or a wheel -> what a recipe says about a package."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from packaging.metadata import parse_email
from packaging.requirements import InvalidRequirement, Requirement

from emwheels.errors import visible
from emwheels.fetch.markers import holds

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from emwheels.target import Target

_LONGEST = 200
_LARGEST = 4 << 20
_HOMES = ("homepage", "home", "source", "sourcecode", "repository", "github", "code", "documentation")
_LICENCES = {
    "MIT License": "MIT",
    "MIT No Attribution License (MIT-0)": "MIT-0",
    "BSD License": "BSD-3-Clause",
    "Apache Software License": "Apache-2.0",
    "ISC License (ISCL)": "ISC",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
    "The Unlicense (Unlicense)": "Unlicense",
    "zlib/libpng License": "Zlib",
    "Boost Software License 1.0 (BSL-1.0)": "BSL-1.0",
    "GNU General Public License v2 (GPLv2)": "GPL-2.0-only",
    "GNU General Public License v2 or later (GPLv2+)": "GPL-2.0-or-later",
    "GNU General Public License v3 (GPLv3)": "GPL-3.0-only",
    "GNU General Public License v3 or later (GPLv3+)": "GPL-3.0-or-later",
    "GNU Lesser General Public License v2 (LGPLv2)": "LGPL-2.1-only",
    "GNU Lesser General Public License v2 or later (LGPLv2+)": "LGPL-2.1-or-later",
    "GNU Lesser General Public License v3 (LGPLv3)": "LGPL-3.0-only",
    "GNU Lesser General Public License v3 or later (LGPLv3+)": "LGPL-3.0-or-later",
}
"""Trove classifiers -> SPDX."""


@dataclass(frozen=True, kw_only=True)
class Described:
    """What a project says about itself."""

    summary: str = ""
    license: str = ""
    home: str = ""
    requires: tuple[Requirement, ...] = ()
    """Run requirements, with their markers."""
    tells_requires: bool = True
    """False where an old source archive does not say what it requires."""


def read_about(data: bytes) -> Described:
    """Read METADATA or PKG-INFO. What does not parse is left out: it comes from strangers."""
    raw, _ = parse_email(data[:_LARGEST])
    dynamic = [field.casefold() for field in raw.get("dynamic", [])]
    return Described(
        summary=_line(raw.get("summary", "")),
        license=_licence(raw),
        home=_home(raw),
        requires=tuple(_requirements(raw.get("requires_dist", []))),
        tells_requires="requires_dist" in raw or (raw.get("metadata_version", "1") >= "2.2" and not dynamic),
    )


def about_of_source(tree: Path) -> Described:
    """Return what the PKG-INFO of an unpacked source archive says; an empty one where there is none."""
    for path in (
        tree / "PKG-INFO",
        *sorted(tree.glob("*.egg-info/PKG-INFO")),
        *sorted(tree.glob("*/*.egg-info/PKG-INFO")),
    ):
        if path.is_file() and not path.is_symlink():
            with path.open("rb") as stream:
                return read_about(stream.read(_LARGEST))
    return Described(tells_requires=False)


def about_of_project(table: Mapping[str, Any]) -> Described:
    """Return what the table ``project`` of a pyproject.toml says (PEP 621); what is of another type is left out."""
    licence = table.get("license")
    licence = licence.get("text", "") if isinstance(licence, dict) else licence
    urls = table.get("urls")
    dynamic = _texts(table.get("dynamic"))
    raw: dict[str, Any] = {
        "license": licence if isinstance(licence, str) else "",
        "classifiers": _texts(table.get("classifiers")),
        "project_urls": {str(key): str(url) for key, url in urls.items()} if isinstance(urls, dict) else {},
    }
    return Described(
        summary=_line(str(table.get("description", ""))),
        license=_licence(raw),
        home=_home(raw),
        requires=tuple(_requirements(_texts(table.get("dependencies")))),
        tells_requires="dependencies" not in dynamic,
    )


def _texts(value: object) -> list[str]:
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []


def target_markers(target: Target) -> dict[str, str]:
    """Return what markers (PEP 508) are evaluated against inside Pyodide."""
    return {
        "implementation_name": "cpython",
        "implementation_version": target.python,
        "os_name": "posix",
        "platform_machine": "wasm32",
        "platform_python_implementation": "CPython",
        "platform_release": "",
        "platform_system": "Emscripten",
        "platform_version": "",
        "python_full_version": target.python,
        "python_version": target.python_minor,
        "sys_platform": "emscripten",
        "extra": "",
    }


def wanted_here(requires: Iterable[Requirement], target: Target, extras: Iterable[str] = ()) -> list[Requirement]:
    """Return those requirements that count inside Pyodide, for a package asked for with ``extras``."""
    markers = target_markers(target)
    environments = [markers, *({**markers, "extra": extra} for extra in extras)]
    return [each for each in requires if any(_holds(each, environment) for environment in environments)]


def _holds(requirement: Requirement, environment: Mapping[str, str]) -> bool:
    try:
        return holds(requirement.marker, environment)
    except ValueError:
        return False


def _requirements(texts: Iterable[str]) -> Iterable[Requirement]:
    for text in texts:
        try:
            yield Requirement(text)
        except InvalidRequirement:  # pip would refuse the package; the build tells
            continue


def _line(text: str) -> str:
    return visible(" ".join(text.split()), lines=False)[:_LONGEST]


def _licence(raw: Mapping[str, Any]) -> str:
    if expression := raw.get("license_expression"):
        return _line(expression)
    for classifier in raw.get("classifiers", []):
        if classifier.startswith("License ::") and (known := _LICENCES.get(classifier.rpartition(":: ")[2])):
            return known
    given = str(raw.get("license", "")).strip()
    return _line(given) if re.fullmatch(r"[\w .()+-]{2,60}", given) else ""


def _home(raw: Mapping[str, Any]) -> str:
    urls = {re.sub(r"[^a-z]", "", label.casefold()): url for label, url in raw.get("project_urls", {}).items()}
    found = [urls[label] for label in _HOMES if label in urls]
    given = [str(raw.get("home_page", "")), *found, *urls.values()]
    return next((_line(url) for url in given if url.startswith(("https://", "http://"))), "")
