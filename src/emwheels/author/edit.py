"""Changes to a meta.yaml that leave its comments, its order and every other line as they are."""

from __future__ import annotations

import difflib
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.scalarstring import LiteralScalarString

from emwheels.errors import RecipeError

_ORDER = ("package", "source", "build", "requirements", "test", "about", "extra")


@dataclass(frozen=True, kw_only=True)
class Edit:
    """One change. ``key`` is written with dots, as in ``requirements.host``."""

    key: str
    value: object = None
    """Text, a number, a list or a mapping. For `adds` one entry of a list; None removes the key."""
    adds: bool = False
    """Whether ``value`` joins the list at ``key`` (which is made if there is none) rather than replacing it."""


def edited(text: str, edits: Iterable[Edit], file: str) -> str:
    """Return a meta.yaml with the changes in it.

    A value that is there already is not added again. Raises `RecipeError`, which names ``file``, if a key leads through
    something that is no mapping, or an addition to something that is no list.
    """
    yaml = _round_trip()
    document = yaml.load(text) or {}
    for edit in edits:
        _apply(document, edit, file)
    out = io.StringIO()
    yaml.dump(document, out)
    return out.getvalue()


def written(document: dict[str, Any]) -> str:
    """Return a meta.yaml of plain values, its sections in the usual order and text of many lines as a block."""
    out = io.StringIO()
    ordered = {name: document[name] for name in _ORDER if document.get(name)}
    _round_trip().dump(_blocks(ordered), out)
    return out.getvalue()


def difference(before: str, after: str, file: str) -> str:
    """Return a unified diff of two texts of one file, empty if they are equal."""
    lines = difflib.unified_diff(before.splitlines(True), after.splitlines(True), f"a/{file}", f"b/{file}")
    return "".join(lines)


def _round_trip() -> YAML:
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 100_000
    yaml.indent(mapping=2, sequence=4, offset=2)
    return yaml


def _apply(document: Any, edit: Edit, file: str) -> None:
    *sections, last = edit.key.split(".")
    place = document
    for section in sections:
        if edit.value is None and section not in place:
            return
        place = place.setdefault(section, {})
        if not isinstance(place, dict):
            raise RecipeError(f"{file}: {section} is no mapping, so {edit.key} can not be changed; write it as one")
    if edit.value is None:
        place.pop(last, None)
    elif not edit.adds:
        place[last] = _blocks(edit.value)
    else:
        entries = place.setdefault(last, [])
        if not isinstance(entries, list):
            raise RecipeError(f"{file}: {edit.key} is no list, so nothing can be added to it; write it as a list")
        if edit.value not in entries:
            entries.append(edit.value)


def _blocks(value: object) -> object:
    if isinstance(value, str) and "\n" in value:
        return LiteralScalarString(value)
    if isinstance(value, dict):
        return {key: _blocks(part) for key, part in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_blocks(part) for part in value]
    return value
