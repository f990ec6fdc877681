"""meta.yaml -> plain data and its sections, with the place of every key and every problem found on the way."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import yaml

from emwheels.atomic import read_regular
from emwheels.errors import redacted, visible

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

_T = TypeVar("_T")

_MAX_BYTES = 1 << 20
_MAX_NODES = 100_000
_MAX_DEPTH = 40
_PLACED_DEPTH = 8  # extra.emwheels.overrides[i].section.key[j][k]: nothing deeper has a meaning of its own
_SHOWN_CHARACTERS = 60
_SHOWN_UNKNOWN_KEYS = 20


@dataclass(frozen=True, kw_only=True)
class Problem:
    """One thing to mend; ``line`` counts from 1, ``key`` is dotted (``build.cflags``) or empty for the whole file."""

    file: Path
    line: int
    key: str
    message: str

    def __str__(self) -> str:
        """Return it as compilers do: file, line, then what is wrong."""
        where = f"{self.key}: " if self.key else ""
        return f"{self.file.as_posix()}:{self.line}: {where}{self.message}"


def did_you_mean(word: str, right: Sequence[str]) -> str:
    """Return the end of a message: what ``word`` was probably to be, if anything comes near."""
    folded = {name.casefold(): name for name in right}
    near = difflib.get_close_matches(word[:_SHOWN_CHARACTERS].casefold(), folded, n=1)
    return f"; did you mean {folded[near[0]]}?" if near else ""


def printable(text: str) -> str:
    """Return ``text`` fit for one line of a terminal."""
    text = redacted(text)
    cut = text if len(text) <= _SHOWN_CHARACTERS else text[: _SHOWN_CHARACTERS - 1] + "…"
    return visible(cut, lines=False)


@dataclass(frozen=True, kw_only=True)
class _Place:
    line: int
    column: int
    text: str
    """A scalar as written."""


class Findings:
    """What is known of one meta.yaml while it is examined: where each key stands, and what is wrong."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.places: dict[str, _Place] = {}
        self.problems: list[Problem] = []

    def report(self, key: str, message: str, *, line: int | None = None) -> None:
        """Note a problem of ``key``, where that stands or on ``line``."""
        self.problems.append(Problem(file=self.file, line=line or self._line(key), key=key, message=message))

    def report_file(self, file: Path, message: str) -> None:
        """Note a problem of another file."""
        self.problems.append(Problem(file=file, line=1, key="", message=message))

    def _line(self, key: str) -> int:
        return self.position(key)[0]

    def position(self, key: str) -> tuple[int, int]:
        """Return the line and the column (from 1) of a key, or of the nearest one above it that is there."""
        while key and key not in self.places:
            key = key.rpartition(".")[0]
        return (self.places[key].line, self.places[key].column) if key else (1, 1)


class UnreadableError(Exception):
    """The file as a whole makes no sense; there is one problem and nothing more to say."""

    def __init__(self, message: str, *, line: int = 1) -> None:
        super().__init__(message)
        self.message = message
        self.line = line


class _RecipeLoader(yaml.SafeLoader):
    """Reads scalars as YAML 1.2 does, hence as pyodide-build's ruamel.yaml: ``yes`` and ``2024-01-01`` are text."""

    yaml_implicit_resolvers: ClassVar[dict[str, Any]] = {}  # type: ignore[misc]  # the stub has it per instance

    _depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise yaml.MarkedYAMLError(problem="nested too deeply", problem_mark=self.get_mark())
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node


_TAG = "tag:yaml.org,2002:"
_SCALARS: dict[str, tuple[str, list[str] | None, Callable[[str], Any]]] = {
    "null": (r"~|null|Null|NULL|", ["~", "n", "N", ""], lambda _: None),
    "bool": (r"true|True|TRUE|false|False|FALSE", list("tTfF"), lambda text: text.lower() == "true"),
    "int": (r"[-+]?[0-9]{1,18}", list("-+0123456789"), int),
    "float": (
        r"[-+]?([0-9]+\.[0-9]*|\.[0-9]+|[0-9]+(?=[eE]))([eE][-+]?[0-9]+)?",
        list("-+.0123456789"),
        float,
    ),
}
for _name, (_pattern, _first, _) in _SCALARS.items():
    _RecipeLoader.add_implicit_resolver(_TAG + _name, re.compile(f"(?:{_pattern})$"), _first)

_REFUSED = object()  # stands for a value that has been reported already


def read_document(file: Path, findings: Findings) -> dict[str, Any]:
    """Return the document of ``file``. Raises `UnreadableError` where it makes no sense as a whole."""
    text = _read_text(file)
    node = _compose(text)
    if not isinstance(node, yaml.MappingNode):
        raise UnreadableError("must be a mapping with the keys package, source, …")
    document = _PlainData(findings).convert(node, "", 0)
    return document if isinstance(document, dict) else {}


def _read_text(file: Path) -> str:
    try:
        data = read_regular(file, limit=_MAX_BYTES)
    except FileNotFoundError:
        raise UnreadableError("there is no such file; every recipe folder has a meta.yaml") from None
    except OSError as error:
        raise UnreadableError(f"cannot be read: {error.strerror}") from None
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise UnreadableError("is not UTF-8; save it as UTF-8", line=line) from None


def _compose(text: str) -> yaml.Node | None:
    try:
        return yaml.compose(text, Loader=_RecipeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        reason = printable(error.problem or error.context or "cannot be parsed")
        raise UnreadableError(f"malformed YAML at column {column}: {reason}", line=line) from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise UnreadableError(f"malformed YAML: {error.reason}", line=line) from None
    except (ValueError, OverflowError) as error:  # PyYAML lets through those of chr() and int() on escapes, directives
        raise UnreadableError(f"malformed YAML: {printable(str(error))}") from None


class _PlainData:
    """Converts a node graph to dicts, lists and scalars, and notes where each key stands."""

    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        self._visits = 0

    def convert(self, node: yaml.Node, key: str, depth: int) -> Any:
        self._visits += 1
        line = node.start_mark.line + 1
        if self._visits > _MAX_NODES:
            raise UnreadableError(f"has over {_MAX_NODES} values once its aliases are expanded", line=line)
        if depth > _MAX_DEPTH:  # the loader bounds the text; this bounds an alias of its own ancestor
            raise UnreadableError("nested too deeply", line=line)
        match node:
            case yaml.MappingNode(tag="tag:yaml.org,2002:map"):
                return self._mapping(node, key, depth)
            case yaml.SequenceNode(tag="tag:yaml.org,2002:seq"):
                return [self._item(item, f"{key}[{i}]", depth) for i, item in enumerate(node.value)]
            case yaml.ScalarNode(tag="tag:yaml.org,2002:str"):
                return node.value
            case yaml.ScalarNode(tag=tag) if tag.removeprefix(_TAG) in _SCALARS:
                return self._scalar(node, key, line)
        self._findings.report(key, f"the YAML tag {printable(node.tag)} is not allowed", line=line)
        return _REFUSED

    def _scalar(self, node: yaml.ScalarNode, key: str, line: int) -> Any:
        kind = node.tag.removeprefix(_TAG)
        pattern, _, read = _SCALARS[kind]
        if re.fullmatch(pattern, node.value):
            return read(node.value)
        self._findings.report(key, f"{printable(node.value)} is not of the YAML type {kind}", line=line)
        return _REFUSED

    def _item(self, node: yaml.Node, key: str, depth: int) -> Any:
        self._note(key, node, node, depth)
        return self.convert(node, key, depth + 1)

    def _mapping(self, node: yaml.MappingNode, parent: str, depth: int) -> dict[str, Any]:
        mapping: dict[str, Any] = {}
        lines: dict[str, int] = {}
        for name_node, value_node in node.value:
            name = name_node.value
            line = name_node.start_mark.line + 1
            if not isinstance(name, str):
                self._findings.report(parent, "a key must be text", line=line)
                continue
            key = f"{parent}.{printable(name)}" if parent else printable(name)
            if name in lines:
                message = f"duplicate key on line {line}; the first is on line {lines[name]}"
                self._findings.report(key, message, line=line)
                continue
            lines[name] = line
            self._note(key, name_node, value_node, depth)
            mapping[name] = self.convert(value_node, key, depth + 1)
        return mapping

    def _note(self, key: str, at: yaml.Node, value: yaml.Node, depth: int) -> None:
        if depth < _PLACED_DEPTH:
            text = value.value if isinstance(value, yaml.ScalarNode) else ""
            mark = at.start_mark
            self._findings.places[key] = _Place(line=mark.line + 1, column=mark.column + 1, text=text)


class _WrongTypeError(Exception):
    """A value is not of the expected type; its argument is what was expected."""


def as_text(value: Any) -> str:
    """Return ``value`` if it is text."""
    if not isinstance(value, str):
        raise _WrongTypeError("text")
    return value


def as_optional_text(value: Any) -> str | None:
    """Return ``value`` if it is text or null."""
    return None if value is None else as_text(value)


def as_flag(value: Any) -> bool:
    """Return ``value`` if it is true or false."""
    if not isinstance(value, bool):
        raise _WrongTypeError("true or false")
    return value


def as_texts(value: Any) -> tuple[str, ...]:
    """Return a list of texts as a tuple."""
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise _WrongTypeError("a list of texts")
    return tuple(value)


def as_pairs(value: Any) -> tuple[tuple[str, str], ...]:
    """Return a list of pairs of texts as a tuple."""
    expected = "a list of pairs [file in the recipe, place in the source tree]"
    if not isinstance(value, list):
        raise _WrongTypeError(expected)
    pairs = []
    for item in value:
        match item:
            case [str(source), str(place)]:
                pairs.append((source, place))
            case _:
                raise _WrongTypeError(expected)
    return tuple(pairs)


def as_text_or_texts(value: Any) -> str | tuple[str, ...]:
    """Return text as it is, a list of texts as a tuple."""
    return value if isinstance(value, str) else as_texts(value)


def _kind(value: Any) -> str:
    match value:
        case None:
            return "nothing"
        case bool():
            return "true or false"
        case int() | float():
            return "a number (put it in quotes to make it text)"
        case str():
            return "text"
        case list():
            return "a list"
    return "a mapping"


class Section:
    """One section of a document. It knows the keys that were asked of it, so the rest are unknown."""

    def __init__(self, name: str, document: Mapping[str, Any], findings: Findings) -> None:
        self.name = name
        self._findings = findings
        value = document.get(name, {})
        if not isinstance(value, dict) and value is not _REFUSED:
            findings.report(name, f"must be a mapping, not {_kind(value)}")
        self.given: dict[str, Any] = value if isinstance(value, dict) else {}
        self.changed: set[str] = set()
        self._asked: list[str] = []

    def report(self, key: str, message: str) -> None:
        """Note a problem of a key of this section."""
        self._findings.report(f"{self.name}.{key}", message)

    def get(self, key: str, read: Callable[[Any], _T], default: _T) -> _T:
        """Return the value of ``key``, or ``default`` if it is missing or, which is reported, of a wrong type."""
        self._asked.append(key)
        given = self.given.get(key, _REFUSED)
        if given is _REFUSED:
            return default
        try:
            value = read(given)
        except _WrongTypeError as error:
            self._report_type(key, given, str(error))
            return default
        if value != default:
            self.changed.add(key)
        return value

    def _report_type(self, key: str, given: Any, expected: str) -> None:
        if isinstance(given, list) and expected == "a list of texts":
            for i, item in enumerate(given):
                if not isinstance(item, str) and item is not _REFUSED:
                    self.report(f"{key}[{i}]", f"must be text, not {_kind(item)}")
            return
        instead = "" if isinstance(given, list) else f", not {_kind(given)}"
        self.report(key, f"must be {expected}{instead}")

    def texts(self, key: str) -> tuple[str, ...]:
        """Return a list of texts, empty if it is missing."""
        return self.get(key, as_texts, ())

    def required_text(self, key: str) -> str:
        """Return text; that it is missing is a problem."""
        if key not in self.given:
            self.report(key, "is missing")
        return self.get(key, as_text, "")

    def required_version(self, key: str) -> str:
        """Return a version even if YAML took it for a number, as long as that loses nothing (1.10 would)."""
        given = self.given.get(key)
        if type(given) in {int, float} and str(given) == self._findings.places[f"{self.name}.{key}"].text:
            self._asked.append(key)
            return str(given)
        return self.required_text(key)

    def report_unknown(self) -> None:
        """Report every key that was given and never asked for."""
        unknown = [key for key in self.given if key not in self._asked]
        for key in unknown[:_SHOWN_UNKNOWN_KEYS]:
            self.report(printable(key), f"unknown key{did_you_mean(key, self._asked)}")
        if len(unknown) > _SHOWN_UNKNOWN_KEYS:
            self._findings.report(self.name, f"{len(unknown) - _SHOWN_UNKNOWN_KEYS} more unknown keys")
