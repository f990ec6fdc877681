"""An unpacked source archive -> what it builds with, and which libraries it looks for."""

from __future__ import annotations

import os
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_MOST_FILES = 4000
_LARGEST = 1 << 20
"""Bytes of a file that is looked into; what is longer was generated."""
_BUILD_FILES = ("setup.py", "CMakeLists.txt", "meson.build", "setup.cfg", "pyproject.toml")
_COMPILED = (".c", ".cc", ".cpp", ".cxx", ".pyx", ".pyx.in", ".f", ".f90", ".rs", ".i", ".h", ".hpp")
_SOURCES = (".c", ".cc", ".cpp", ".cxx", ".h", ".hpp", ".hh", ".pyx", ".pxd", ".pxi")
_ASIDE = re.compile(
    r"(^|/)(tests?|testing|docs?|examples?|benchmarks?|third_?party|extern(al)?|vendor(ed)?|deps|subprojects|\.[^/]*)/"
)
_LOOKS = (
    ("pkg-config", r"""pkg-config\b[^\n]*?--(?:cflags|libs|exists)\S*\s+['"]?([A-Za-z][\w.+-]+)""", ("setup.py",)),
    ("pkg-config", r"""\bpkgconfig\.(?:parse|exists|libs|cflags)\(\s*['"]([\w.+-]+)""", ("setup.py",)),
    ("pkg-config", r"""\bdependency\(\s*'([\w.+-]+)'""", ("meson.build",)),
    ("libraries", r"""\bfind_library\(\s*'([\w.+-]+)'""", ("meson.build",)),
    ("cmake", r"""\bfind_package\(\s*(\w+)""", ("CMakeLists.txt",)),
    ("pkg-config", r"""\bpkg_(?:check_modules|search_module)\(\s*\w+((?:\s+[\w.+>=-]+)+)""", ("CMakeLists.txt",)),
    ("libraries", r"""(?:^|[\s'"])-l([A-Za-z][\w.+-]*)""", ("setup.py", "setup.cfg")),
)
_LIBRARIES = re.compile(r"""\blibraries\s*(?:=|\+=|\.(?:append|extend)\()\s*[\[(]?([^\])\n]*)""")
_WORD = re.compile(r"""['"]([A-Za-z][\w.+-]*)['"]""")
_INCLUDE = re.compile(
    r"""^\s*#\s*include\s*[<"]([\w./+-]+)[>"]|^\s*cdef extern from\s+['"]<?([\w./+-]+)>?['"]""", re.MULTILINE
)
_CMAKE_WORDS = frozenset({"REQUIRED", "QUIET", "IMPORTED_TARGET", "GLOBAL"})
_RUST = ("maturin", "setuptools-rust")


@dataclass(frozen=True, kw_only=True)
class Look:
    """Something that a source looks for outside of itself."""

    kind: str
    """``pkg-config``, ``cmake``, ``headers`` or ``libraries``, as recipes provide them."""
    name: str
    file: str
    """Where the source does, relative to its top."""


@dataclass(frozen=True, kw_only=True)
class Examined:
    """What a source archive tells of its build."""

    looks: tuple[Look, ...] = ()
    top_level: tuple[str, ...] = ()
    """Modules that the source declares or obviously has; the built wheel decides."""
    has_code: bool = False
    """Whether there is anything to compile."""
    rust: bool = False


def examine_source(tree: Path, name: str, build_requires: Iterable[str]) -> Examined:
    """Look through an unpacked source archive. Nothing in it is run."""
    files = {path.relative_to(tree).as_posix(): path for path in _files(tree)}
    wanted = {required_name(text) for text in build_requires}
    return Examined(
        looks=tuple(dict.fromkeys([*_looks(files), *_headers(files)])),
        top_level=_top_level(tree, name, files),
        has_code=any(path.endswith(_COMPILED) for path in files),
        rust=bool(wanted.intersection(_RUST)),
    )


def required_name(text: str) -> str:
    """Return the normalised name of a requirement, empty for none."""
    try:
        return canonicalize_name(Requirement(text).name)
    except InvalidRequirement:
        return ""


def _files(tree: Path) -> Iterator[Path]:
    count = 0
    for folder, folders, names in os.walk(tree):
        folders.sort()
        for name in sorted(names):
            path = Path(folder) / name
            if path.is_file() and not path.is_symlink():
                count += 1
                yield path
                if count == _MOST_FILES:
                    return


def _text(path: Path) -> str:
    if path.stat().st_size > _LARGEST:
        return ""
    return path.read_text(encoding="utf-8", errors="replace")


def _looks(files: dict[str, Path]) -> Iterator[Look]:
    for place, path in files.items():
        name = place.rpartition("/")[2]
        if name not in _BUILD_FILES or _ASIDE.search(place):
            continue
        text = re.sub(r"(?m)^\s*#.*$", "", _text(path))
        for kind, pattern, where in _LOOKS:
            for match in re.finditer(pattern, text) if name in where else ():
                for word in re.split(r"\s+", match[1].strip()):
                    asked = re.split(r"[<>=]", word)[0]
                    if asked and asked not in _CMAKE_WORDS:
                        yield Look(kind=kind, name=asked, file=place)
        if name in ("setup.py", "setup.cfg"):
            for match in _LIBRARIES.finditer(text):
                yield from (Look(kind="libraries", name=word, file=place) for word in _WORD.findall(match[1]))


def _headers(files: dict[str, Path]) -> Iterator[Look]:
    """Yield the headers that compiled sources include and that are not among the files."""
    own = {place.rpartition("/")[2] for place in files}
    for place, path in files.items():
        if not place.endswith(_SOURCES) or _ASIDE.search(place):
            continue
        for match in _INCLUDE.finditer(_text(path)):
            header = match[1] or match[2]
            if header.rpartition("/")[2] not in own:
                yield Look(kind="headers", name=header, file=place)


def _top_level(tree: Path, name: str, files: dict[str, Path]) -> tuple[str, ...]:
    for place, path in files.items():
        if place.endswith(".egg-info/top_level.txt") and place.count("/") <= 2:
            names = [line.strip() for line in _text(path).splitlines() if line.strip().isidentifier()]
            if names:
                return tuple(names)
    guesses = (name.replace("-", "_"), _declared(tree).replace("-", "_"))
    for guess in guesses:
        for found in (guess, guess.casefold()):
            if found and any(
                f"{folder}{found}{end}" in files for folder in ("", "src/") for end in ("/__init__.py", ".py")
            ):
                return (found,)
    return ()


def _declared(tree: Path) -> str:
    """Return the project's name as its pyproject.toml spells it."""
    try:
        table = tomllib.loads((tree / "pyproject.toml").read_text(encoding="utf-8"))
        return str(table["project"]["name"])
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return ""
