"""Reads ``[tool.emwheels]`` of a pyproject.toml: how a project without a recipe is built and tested."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from packaging.requirements import InvalidRequirement, Requirement

from emwheels.errors import UsageError
from emwheels.recipe.document import did_you_mean, printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from emwheels.recipe.overrides import Aim

TABLE = "tool.emwheels"
_TEXT, _TEXTS, _COMMANDS, _PAIRS = "text", "a list of texts", "text or a list of texts", "a table of texts"
_SETTINGS = "a table of texts or lists of texts"


@dataclass(frozen=True, kw_only=True)
class Option:
    """One key of the table."""

    kind: str
    means: str
    check: Callable[[str], str] = lambda _: ""
    """What is wrong with one of its texts, empty if nothing is."""
    by_target: bool = True
    """Whether an override may have it."""


def _requirement_fault(text: str) -> str:
    try:
        found = Requirement(text)
    except (InvalidRequirement, RecursionError):
        return f"{printable(text)} is not a requirement (PEP 508)"
    return f"{printable(text)} is a direct reference; write NAME==VERSION" if found.url else ""


def _name_fault(text: str) -> str:
    return "" if re.fullmatch(r"[A-Za-z0-9](?:[\w.-]*[A-Za-z0-9])?", text) else f"{printable(text)} is no name"


def _variable_fault(text: str) -> str:
    return "" if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", text) else f"{printable(text)} is not the name of a variable"


def _path_fault(text: str) -> str:
    parts = text.split("/")
    if not any(part not in ("", ".") for part in parts):
        return f"{printable(text) or 'an empty text'} is no file or folder in the project"
    return f"{printable(text)} leads out of the project" if text.startswith("/") or ".." in parts else ""


OPTIONS: dict[str, Option] = {
    "targets": Option(kind=_TEXTS, means="Pyodide versions to build for, without --target.", by_target=False),
    "engines": Option(kind=_TEXTS, means="Engines to test in, without --engine.", by_target=False),
    "profile": Option(kind=_TEXT, means="How to optimise, without --profile.", by_target=False),
    "host": Option(kind=_TEXTS, means="Recipes of libraries that the project links.", check=_name_fault),
    "build-requires": Option(
        kind=_TEXTS, means="Build requirements beside build-system.requires.", check=_requirement_fault
    ),
    "config-settings": Option(kind=_SETTINGS, means="Settings for the build backend."),
    "environment": Option(
        kind=_PAIRS, means="Variables of the build and of the tests, taken to the letter.", check=_variable_fault
    ),
    "cflags": Option(kind=_TEXT, means="Flags for the C compiler, added to those of target and profile."),
    "cxxflags": Option(kind=_TEXT, means="Flags for the C++ compiler, added likewise."),
    "ldflags": Option(kind=_TEXT, means="Flags for the linker, added likewise."),
    "before-build": Option(
        kind=_COMMANDS, means="Shell commands in the source tree, before the build, in the sandbox."
    ),
    "test-command": Option(kind=_COMMANDS, means="How to test: pytest …, python -m …, python -c … or python FILE …"),
    "before-test": Option(kind=_COMMANDS, means="Python commands that run before the tests, in the same interpreter."),
    "test-requires": Option(
        kind=_TEXTS, means="What the tests need beside the package and pytest.", check=_requirement_fault
    ),
    "test-extras": Option(kind=_TEXTS, means="Extras of the project that the tests need.", check=_name_fault),
    "test-groups": Option(kind=_TEXTS, means="Dependency groups that the tests need (PEP 735).", check=_name_fault),
    "test-sources": Option(
        kind=_TEXTS, means="Files and folders that the tests are in, relative to pyproject.toml.", check=_path_fault
    ),
}
"""Every key but ``overrides``, a list of tables with ``target``, a pattern, and keys of this table."""


@dataclass(frozen=True, kw_only=True)
class OwnSettings:
    """What the table says for one target."""

    values: Mapping[str, Any] = field(default_factory=dict)

    def text(self, key: str) -> str:
        """Return a text, empty without the key."""
        return str(self.values.get(key, ""))

    def texts(self, key: str) -> tuple[str, ...]:
        """Return a list; a text alone is one of one."""
        given = self.values.get(key, ())
        return (given,) if isinstance(given, str) else tuple(given)

    def table(self, key: str) -> Mapping[str, Any]:
        """Return a table, empty without the key."""
        return dict(self.values.get(key, {}))

    def has(self, key: str) -> bool:
        """Tell whether the key is there."""
        return key in self.values


class OwnTable:
    """The table ``tool.emwheels`` of a pyproject.toml, checked."""

    def __init__(self, file: str, text: str, document: Mapping[str, Any], aim: Aim) -> None:
        """Read it. Raises `UsageError` with every mistake, each with its line."""
        tool = document.get("tool")
        table = tool.get("emwheels", {}) if isinstance(tool, Mapping) else {}
        self._aim = aim
        self._places = _lines(text)
        self._problems: list[tuple[int, str, str]] = []
        self._table = dict(table) if isinstance(table, Mapping) else {}
        if not isinstance(table, Mapping):
            self._report("", "must be a table")
        self._overrides = self._read_overrides(self._table.pop("overrides", []))
        self._check(self._table, "", [*OPTIONS, "overrides"])
        if self._problems:
            lines = [f"{file}:{line}: {where}: {message}" for line, where, message in sorted(self._problems)]
            raise UsageError("\n".join(lines), hint=f"the keys are: {', '.join([*OPTIONS, 'overrides'])}")

    def of(self, target: str) -> OwnSettings:
        """Return what counts for a target: the table, then every override that fits, the later one first."""
        values = dict(self._table)
        for pattern, table in self._overrides:
            if self._aim.fits(pattern, target):
                values |= table
        return OwnSettings(values=values)

    @property
    def common(self) -> OwnSettings:
        """What is the same for all targets."""
        return OwnSettings(values=self._table)

    def _report(self, key: str, message: str) -> None:
        dotted = f"{TABLE}.{key}" if key else TABLE
        self._problems.append((_line(self._places, dotted), dotted, message))

    def _read_overrides(self, given: object) -> list[tuple[str, dict[str, Any]]]:
        if not isinstance(given, list) or not all(isinstance(entry, Mapping) for entry in given):
            self._report("overrides", "must be a list of tables: write [[tool.emwheels.overrides]]")
            return []
        found = []
        for i, entry in enumerate(given):
            where, table = f"overrides[{i}].", dict(entry)
            pattern = table.pop("target", None)
            if not isinstance(pattern, str):
                self._report(f"{where}target", "is missing; write a pattern of targets, such as '314*'")
            elif not any(self._aim.fits(pattern, name) for name in self._aim.abis):
                self._report(
                    f"{where}target", f"{printable(pattern)} fits no target; there are {', '.join(self._aim.abis)}"
                )
            self._check(table, where, [name for name, option in OPTIONS.items() if option.by_target])
            found.append((str(pattern), table))
        return found

    def _check(self, table: Mapping[str, Any], where: str, known: Sequence[str]) -> None:
        for key, value in table.items():
            if key not in known:
                instead = "; it is the same for all targets" if key in OPTIONS else did_you_mean(key, known)
                self._report(f"{where}{printable(key)}", f"unknown key{instead}")
            elif not _is_a(OPTIONS[key].kind, value):
                self._report(f"{where}{key}", f"must be {OPTIONS[key].kind}")
            else:
                for fault in filter(None, map(OPTIONS[key].check, _texts_in(value, key))):
                    self._report(f"{where}{key}", fault)


def _is_a(kind: str, value: object) -> bool:
    texts = isinstance(value, list) and all(isinstance(each, str) for each in value)
    if kind in (_PAIRS, _SETTINGS):
        lists = kind == _SETTINGS
        return isinstance(value, Mapping) and all(
            isinstance(each, str) or (lists and _is_a(_TEXTS, each)) for each in value.values()
        )
    return texts if kind == _TEXTS else isinstance(value, str) or (kind == _COMMANDS and texts)


def _texts_in(value: object, key: str) -> list[str]:
    """Return what is checked of a value: its texts, of a table of variables their names."""
    if isinstance(value, Mapping):
        return list(value) if key == "environment" else []
    return [value] if isinstance(value, str) else list(value) if isinstance(value, list) else []


_BARE = str.maketrans("", "", "\"' ")


def _lines(text: str) -> dict[str, int]:
    """Return dotted keys of a TOML text with the lines on which they stand, as far as a look at its lines tells."""
    places: dict[str, int] = {}
    counts: dict[str, int] = {}
    table = ""
    for number, line in enumerate(text.splitlines(), 1):
        words = line.strip()
        if header := re.match(r"(\[\[?)([\w.\"' -]+)\]", words):
            table = header[2].translate(_BARE)
            if header[1] == "[[":
                counts[table] = counts.get(table, -1) + 1
                table = f"{table}[{counts[table]}]"
            places.setdefault(table, number)
        elif key := re.match(r"([\w.\"' -]+)=", words):
            places.setdefault(f"{table}.{key[1].translate(_BARE)}", number)
    return places


def _line(places: Mapping[str, int], dotted: str) -> int:
    return next((places[name] for name in _above(dotted) if name in places), 1)


def _above(dotted: str) -> Iterator[str]:
    while dotted:
        yield dotted
        dotted = dotted.rpartition(".")[0]


def own_schema() -> dict[str, Any]:
    """Return a JSON Schema of the table, for editors and for `check-jsonschema`."""
    keys = {name: _SCHEMAS[option.kind] | {"description": option.means} for name, option in OPTIONS.items()}
    by_target = {name: keys[name] for name, option in OPTIONS.items() if option.by_target}
    override = {
        "type": "object",
        "additionalProperties": False,
        "required": ["target"],
        "properties": {"target": {"type": "string", "description": "A pattern of targets, or of ABI tags."}}
        | by_target,
    }
    overrides = {"type": "array", "items": override, "description": "Other values for some targets."}
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": f"{TABLE} of a pyproject.toml",
        "type": "object",
        "additionalProperties": False,
        "properties": keys | {"overrides": overrides},
    }


_A_TEXT: dict[str, Any] = {"type": "string"}
_A_LIST: dict[str, Any] = {"type": "array", "items": _A_TEXT}
_SCHEMAS: dict[str, dict[str, Any]] = {
    _TEXT: _A_TEXT,
    _TEXTS: _A_LIST,
    _COMMANDS: {"anyOf": [_A_TEXT, _A_LIST]},
    _PAIRS: {"type": "object", "additionalProperties": _A_TEXT},
    _SETTINGS: {"type": "object", "additionalProperties": {"anyOf": [_A_TEXT, _A_LIST]}},
}
