"""Reads ``extra.emwheels.test`` of meta.yaml: what a recipe's own tests need, and how they are run.

The key is emwheels' own: pyodide-build takes no notice of it, and nothing of it reaches a compiler.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from emwheels.recipe.document import as_texts, did_you_mean, printable

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

    from packaging.utils import NormalizedName

    from emwheels.recipe.document import Findings, Section

TEST_LOCK = "requirements.test.txt"
"""The hash-pinned requirements of the recipe's own tests, in the recipe's folder."""
ENGINES = ("node", "chromium-page", "chromium-worker")
"""The engines that a key can name: those of `emwheels.harness.engines`."""
EVERY_ENGINE = "all"
"""Stands for each engine, where a key is by engine."""
LONGEST = 24 * 60 * 60
"""Seconds that a recipe may give to a test."""
KEYS = ("requirements", "environment", "arguments", "paths", "time", "expected-failures", "imports-skip")
"""What may be in ``extra.emwheels.test``."""
_KEY = "extra.emwheels.test"
_PLACES = (*ENGINES, EVERY_ENGINE)
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True, kw_only=True)
class OwnTests:
    """How a recipe's own tests are run."""

    __test__ = False  # or pytest takes it for a test class

    requirements: tuple[str, ...] = ()
    """What they need beside the package and pytest (PEP 508): recipes, or pure Python that is locked."""
    environment: Mapping[str, str] = field(default_factory=dict, hash=False)
    arguments: tuple[str, ...] = ()
    """Of pytest."""
    paths: tuple[str, ...] = ()
    """What pytest collects, relative to the recipe's folder; everything if empty."""
    time: Mapping[str, Mapping[str, float]] = field(default_factory=dict, hash=False)
    """Engine, or `EVERY_ENGINE` -> test -> seconds; the empty name is every other test."""
    expected: Mapping[str, Mapping[str, str]] = field(default_factory=dict, hash=False)
    """Engine, or `EVERY_ENGINE` -> test -> why it fails."""
    imports_skip: Mapping[str, str] = field(default_factory=dict, hash=False)
    """Module -> why it is not imported."""

    @property
    def required(self) -> dict[str, NormalizedName]:
        """What each of `requirements` names."""
        return {text: canonicalize_name(Requirement(text).name) for text in self.requirements}

    def to_lock(self, recipes: Collection[str]) -> list[str]:
        """Return those requirements that name none of ``recipes``."""
        return [text for text, name in self.required.items() if name not in recipes]

    def seconds_of(self, engine: str) -> dict[str, float]:
        """Return the limits of ``engine``: its own go before those of all."""
        return {**self.time.get(EVERY_ENGINE, {}), **self.time.get(engine, {})}

    def expected_of(self, engine: str) -> dict[str, str]:
        """Return the tests that fail in ``engine``, with the reasons."""
        return {**self.expected.get(EVERY_ENGINE, {}), **self.expected.get(engine, {})}


def is_module(name: str) -> bool:
    """Tell whether ``name`` is that of a module, such as ``x.y``."""
    return all(part.isidentifier() for part in name.split("."))


def read_imports(section: Section) -> tuple[str, ...]:
    """Return ``test.imports`` of meta.yaml, and report what is the name of no module."""
    names = section.texts("imports")
    for i, name in enumerate(names):
        if not is_module(name):
            section.report(f"imports[{i}]", f"{printable(name)} is not the name of a module")
    return names


def read_own_tests(extra: Mapping[str, Any], findings: Findings, *, imports_wheel: bool) -> OwnTests:
    """Return what ``extra`` of meta.yaml says of the recipe's tests, and report what is wrong with it.

    What is reported may be left out of the result. ``imports_wheel`` tells whether the modules to import are those of
    the wheel, from which some can be left out.
    """
    match extra:
        case {"emwheels": {"test": table}} if table is not None:
            pass
        case _:
            return OwnTests()
    if not isinstance(table, dict):
        findings.report(_KEY, "must be a mapping")
        return OwnTests()
    for key in table:
        if key not in KEYS:
            findings.report(f"{_KEY}.{printable(key)}", f"unknown key{did_you_mean(key, KEYS)}")
    if "imports-skip" in table and not imports_wheel:
        findings.report(f"{_KEY}.imports-skip", "has no effect beside test.imports or test files: take it out")
    reader = _Reader(table, findings)
    return OwnTests(
        requirements=tuple(reader.requirements()),
        environment=dict(reader.pairs("environment", "a variable", _VARIABLE.fullmatch)),
        arguments=tuple(reader.texts("arguments")),
        paths=tuple(reader.texts("paths")),
        time=dict(reader.times()),
        expected=dict(reader.expected()),
        imports_skip=dict(reader.pairs("imports-skip", "a module", is_module)),
    )


class _Reader:
    """Reads the keys of the table, one by one, and reports what is wrong where it stands."""

    def __init__(self, table: Mapping[str, Any], findings: Findings) -> None:
        self._table = table
        self._findings = findings

    def _report(self, key: str, message: str) -> None:
        self._findings.report(f"{_KEY}.{key}", message)

    def texts(self, key: str) -> tuple[str, ...]:
        """Return a list of texts."""
        given = self._table.get(key, [])
        if isinstance(given, list) and all(isinstance(item, str) for item in given):
            return as_texts(given)
        self._report(key, "must be a list of texts")
        return ()

    def requirements(self) -> Iterator[str]:
        """Give the requirements, each of PEP 508, of an index, and named once."""
        seen: set[str] = set()
        for i, text in enumerate(self.texts("requirements")):
            try:
                requirement = Requirement(text)
            except (InvalidRequirement, RecursionError):
                self._report(f"requirements[{i}]", f"{printable(text)} is not a requirement (PEP 508)")
                continue
            name = canonicalize_name(requirement.name)
            if requirement.url:
                self._report(f"requirements[{i}]", f"{printable(text)} is a direct reference; write NAME==VERSION")
            elif name in seen:
                self._report(f"requirements[{i}]", f"{printable(name)} is there twice; write one requirement")
            else:
                seen.add(name)
                yield text

    def mapping(self, key: str, what: str) -> Iterator[tuple[str, Any]]:
        """Give the pairs of a mapping."""
        given = self._table.get(key, {})
        if isinstance(given, dict):
            yield from given.items()
        else:
            self._report(key, f"must be a mapping of {what}")

    def pairs(self, key: str, what: str, is_right: Callable[[str], object]) -> Iterator[tuple[str, str]]:
        """Give pairs of a name and a text that says something."""
        for name, value in self.mapping(key, f"{what} to text"):
            if not is_right(name):
                self._report(f"{key}.{printable(name)}", f"is not the name of {what}")
            elif not isinstance(value, str) or (key != "environment" and not value.strip()):
                self._report(f"{key}.{printable(name)}", "must be text (put a number in quotes)")
            elif "\0" in value:
                self._report(f"{key}.{printable(name)}", "has a NUL, which no variable can hold")
            else:
                yield name, value

    def by_engine(self, key: str, what: str) -> Iterator[tuple[str, Any]]:
        """Give pairs of an engine and a value."""
        for engine, value in self.mapping(key, f"engines to {what}"):
            if engine in _PLACES:
                yield engine, value
            else:
                near = did_you_mean(engine, _PLACES)
                self._report(f"{key}.{printable(engine)}", f"must be one of {', '.join(_PLACES)}{near}")

    def times(self) -> Iterator[tuple[str, dict[str, float]]]:
        """Give the limits of each engine: of all its tests, or of some."""
        for engine, given in self.by_engine("time", "seconds"):
            tests = given if isinstance(given, dict) else {"": given}
            for test, seconds in tests.items():
                if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 < seconds <= LONGEST:
                    where = f"time.{engine}.{printable(test)}".rstrip(".")
                    self._report(where, f"must be a number of seconds, more than 0 and at most {LONGEST}")
            yield engine, tests

    def expected(self) -> Iterator[tuple[str, dict[str, str]]]:
        """Give the tests of each engine that fail."""
        for engine, given in self.by_engine("expected-failures", "tests with their reasons"):
            if not isinstance(given, dict):
                self._report(f"expected-failures.{engine}", "must be a mapping of tests to reasons")
                continue
            for test, reason in given.items():
                if not isinstance(reason, str) or not reason.strip():
                    self._report(f"expected-failures.{engine}.{printable(test)}", "must say why the test fails")
            yield engine, given
