"""upstream.yaml -> which of a source's tests are run, and how."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from emwheels.errors import RecipeError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from packaging.utils import NormalizedName

SUITE_FILE = "upstream.yaml"
"""In a recipe's folder."""
LOCK_FILE = "requirements.upstream.txt"
"""The hash-pinned requirements of the tests, in the recipe's folder."""
_PLACES = ("tests", "site-packages")


@dataclass(frozen=True, kw_only=True)
class Reason:
    """Why some tests fail or are left out."""

    tests: str
    """A pattern (fnmatch) of pytest's names of tests: ``numpy/core/tests/test_mem*.py::*``."""
    reason: str


@dataclass(frozen=True, kw_only=True)
class UpstreamSuite:
    """A recipe's upstream.yaml."""

    files: tuple[str, ...]
    """Patterns (as `Path.glob`) of the files that the tests consist of, relative to `base`."""
    base: str = "."
    """A folder of the source distribution."""
    into: str = "tests"
    """``site-packages`` for tests that belong into the installed package, else ``tests``: a folder of their own."""
    paths: tuple[str, ...] = ()
    """What pytest collects, relative to `base`; everything if empty."""
    options: tuple[str, ...] = ()
    """Further options of pytest."""
    requirements: tuple[str, ...] = ()
    """What the tests need beside the package (PEP 508): recipes, or pure Python that is locked beside it."""
    backend_flags: str = ""
    """Added to build.backend-flags for the wheel that is tested: where a wheel lacks the compiled parts of tests."""
    smoke: tuple[str, ...] = ()
    """Files, relative to `base`, that run with the recipe's own tests in every engine: quick ones, which together touch
    every compiled module."""
    left_out: tuple[Reason, ...] = ()
    """Files that are not run at all: what cannot work, and would only take time."""
    reasons: tuple[Reason, ...] = ()
    """For tests that fail. The first that fits counts."""
    conftest: Path | None = None
    """A file in the recipe's folder that becomes the tests' conftest.py: for what upstream's own runner sets up."""

    @property
    def required(self) -> dict[str, NormalizedName]:
        """What each of `requirements` names."""
        return {text: canonicalize_name(Requirement(text).name) for text in self.requirements}


def split_requirements(suite: UpstreamSuite, recipes: Collection[str]) -> tuple[list[NormalizedName], list[str]]:
    """Return those of the tests' requirements that are names of ``recipes``, and the others, which are to be locked."""
    names = suite.required
    return [name for name in names.values() if name in recipes], [text for text in names if names[text] not in recipes]


def read_suite(folder: Path) -> UpstreamSuite | None:
    """Return what upstream.yaml in a recipe's folder says, or None without one. Raises `RecipeError`."""
    path = folder / SUITE_FILE
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError(f"{path}: {error}") from error
    try:
        document = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError) as error:
        raise RecipeError(f"{path}: {error}") from error
    except RecursionError:
        raise RecipeError(f"{path}: is nested too deeply", hint="it needs no more than lists in a mapping") from None
    problems: list[str] = []
    lines = text.splitlines()
    if not isinstance(document, dict):
        raise RecipeError(f"{path}: must be a mapping with the key files", hint="docs/adding-a-recipe.md has the keys")
    known = {"files", "base", "into", "paths", "options", "requirements", "backend-flags"}
    known |= {"left-out", "reasons", "conftest", "smoke"}
    problems += [f"{key}: unknown key" for key in document if key not in known]
    suite = UpstreamSuite(
        files=_texts(document, "files", problems),
        base=_text(document, "base", ".", problems),
        into=_text(document, "into", "tests", problems),
        paths=_texts(document, "paths", problems),
        options=_texts(document, "options", problems),
        requirements=_texts(document, "requirements", problems),
        smoke=_texts(document, "smoke", problems),
        backend_flags=_text(document, "backend-flags", "", problems),
        left_out=_reasons(document, "left-out", problems),
        reasons=_reasons(document, "reasons", problems),
        conftest=folder / name if (name := _text(document, "conftest", "", problems)) else None,
    )
    problems += [f"requirements: {fault}" for text in suite.requirements if (fault := _fault_of(text, lines))]
    if suite.conftest is not None and (suite.conftest.parent != folder or not suite.conftest.is_file()):
        problems.append("conftest: must be the name of a file beside upstream.yaml")
    if not suite.files:
        problems.append("files: is missing or empty; it names the files that the tests consist of")
    if suite.into not in _PLACES:
        problems.append(f"into: must be one of {', '.join(_PLACES)}")
    inside = [*suite.files, suite.base, *suite.paths, *suite.smoke]
    problems += [f"{name!r} leads out of the source" for name in inside if ".." in Path(name).parts or name[:1] == "/"]
    if problems:
        raise RecipeError("\n".join(f"{path}: {problem}" for problem in problems))
    return suite


def _fault_of(requirement: str, lines: Sequence[str]) -> str:
    try:
        url = Requirement(requirement).url
    except InvalidRequirement:
        return f"{requirement!r} is not a requirement"
    line = next((number for number, text in enumerate(lines, 1) if requirement in text), 1)
    return f"line {line}: {requirement!r} is a direct reference; write NAME==VERSION" if url else ""


def _text(document: dict[str, Any], key: str, default: str, problems: list[str]) -> str:
    value = document.get(key, default)
    if isinstance(value, str):
        return value
    problems.append(f"{key}: must be text")
    return default


def _texts(document: dict[str, Any], key: str, problems: list[str]) -> tuple[str, ...]:
    value = document.get(key, [])
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return tuple(value)
    problems.append(f"{key}: must be a list of texts")
    return ()


def _reasons(document: dict[str, Any], key: str, problems: list[str]) -> tuple[Reason, ...]:
    value = document.get(key, [])
    reasons = []
    for item in value if isinstance(value, list) else [value]:
        match item:
            case {"tests": str(tests), "reason": str(reason), **rest} if not rest and reason.strip():
                reasons.append(Reason(tests=tests, reason=" ".join(reason.split())))
            case _:
                problems.append(f"{key}: each entry has the keys tests (a pattern) and reason (text)")
    return tuple(reasons)


def lay_out(suite: UpstreamSuite, source: Path, destination: Path) -> int:
    """Copy the files of the tests from the unpacked ``source`` to ``destination``; return how many.

    Raises `RecipeError` if a pattern finds nothing, as after a new version that has moved its tests.
    """
    base = source / suite.base
    copied = 0
    for pattern in suite.files:
        files = list(_found(base, pattern))
        if not files:
            raise RecipeError(f"{SUITE_FILE}: files: nothing in the source is called {pattern!r} (below {suite.base})")
        for path in files:
            name = path.relative_to(base)
            if any(fnmatchcase(name.as_posix(), each.tests) for each in suite.left_out):
                continue
            (destination / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, destination / name)
            copied += 1
    if suite.conftest is not None:
        if (destination / "conftest.py").exists():
            raise RecipeError(f"{suite.conftest}: the suite has a conftest.py of its own")
        shutil.copyfile(suite.conftest, destination / "conftest.py")
    return copied


def _found(base: Path, pattern: str) -> Iterator[Path]:
    for path in sorted(base.glob(pattern)):
        if path.is_symlink():
            continue
        if path.is_file():
            yield path
        else:
            yield from (below for below in sorted(path.rglob("*")) if below.is_file() and not below.is_symlink())
