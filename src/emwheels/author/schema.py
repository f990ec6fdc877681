"""A JSON Schema of meta.yaml, made from the table of its keys, so that editors complete and check a recipe."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from emwheels.recipe.keys import KEYS

if TYPE_CHECKING:
    from emwheels.recipe.keys import Key

DIALECT = "http://json-schema.org/draft-07/schema#"
"""The newest that every language server reads."""

_ANY_NAME = re.compile(r"[A-Z]{2,}")
"""A part of a dotted key that stands for a name of your own."""
_OPEN = ("extra",)
"""Sections that other programs keep keys in."""
_WHOLE = ("extra.emwheels.accepted[]", "extra.emwheels.lint[]", "extra.emwheels.downloads[]")
"""Lists whose entries need every key that has no default."""
_TEXT: dict[str, Any] = {"type": "string"}
_TEXTS: dict[str, Any] = {"type": "array", "items": _TEXT}
_PAIR: dict[str, Any] = {"type": "array", "items": _TEXT, "minItems": 2, "maxItems": 2}


def recipe_schema() -> dict[str, Any]:
    """Return the schema of a meta.yaml.

    It refuses what `emwheels.recipe.examine` refuses for its type, for a key that is unknown, and for one that is
    missing. What a value means (a version, a hash, a file that is there) examine alone judges.
    """
    schema = _mapping()
    schema |= {"$schema": DIALECT, "title": "meta.yaml of an emwheels recipe", "required": ["package", "source"]}
    for name, key in KEYS.items():
        section, _, last = name.rpartition(".")
        schema_of_section = _add(schema, name.split("."), _value(name, key))
        if key.required or (section in _WHOLE and key.default is None):
            schema_of_section.setdefault("required", []).append(last)
    for section in _OPEN:
        schema["properties"][section]["additionalProperties"] = True
    of_git = {"required": ["url"], "properties": {"url": {"type": "string", "pattern": "^git\\+"}}}
    schema["properties"]["source"]["anyOf"] = [_given("url", "sha256"), _given("path"), of_git]
    return schema


def _mapping() -> dict[str, Any]:
    return {"type": "object", "additionalProperties": False, "properties": {}}


def _given(*keys: str) -> dict[str, Any]:
    """Return a schema for mappings that have all these keys, and text in each."""
    return {"required": list(keys), "properties": dict.fromkeys(keys, _TEXT)}


def _add(schema: dict[str, Any], parts: list[str], value: dict[str, Any]) -> dict[str, Any]:
    """Put the schema of one key at its place below ``schema``; return that of the mapping which has the key."""
    first, *rest = parts
    if _ANY_NAME.fullmatch(first):
        if names := value.pop("names", None):
            schema["propertyNames"] = {"enum": names}
        if not isinstance(schema["additionalProperties"], dict):
            schema["additionalProperties"] = _mapping() if rest else value
        below = schema["additionalProperties"]
    elif first.endswith("[]"):
        entries = schema["properties"].setdefault(first[:-2], {"type": "array", "items": _mapping()})
        below = entries["items"]
    else:
        below = schema["properties"].setdefault(first, _mapping() if rest else value)
    return _add(below, rest, value) if rest else schema


def _value(name: str, key: Key) -> dict[str, Any]:
    """Return the schema of a key's value, with its words."""
    schema = {"description": key.means, **_kind(key.kind), "examples": [key.example]}
    optional = key.default is None and not key.required and not name.startswith(_OPEN)
    if optional and schema.get("type") == "string":
        schema["type"] = ["string", "null"]
    elif key.default not in (None, ()):
        schema["default"] = key.default
    return schema


def _kind(kind: str) -> dict[str, Any]:
    """Return the schema of what the table of keys calls ``kind``; an empty one allows everything."""
    if kind.startswith("a list of pairs"):
        return {"type": "array", "items": _PAIR}
    if kind.startswith("a list of "):
        return dict(_TEXTS)
    if kind == "true or false":
        return {"type": "boolean"}
    if kind.startswith("one of "):
        words, _, otherwise = kind.removeprefix("one of ").partition(", or ")
        choice = {"enum": words.split(", ")}
        return {"anyOf": [choice, _TEXTS]} if otherwise.startswith("a list") else choice
    if kind.startswith("a number with a unit, for one of "):
        return {"type": ["string", "number"], "names": kind.partition("for one of ")[2].split(", ")}
    if kind.startswith("a version"):
        return {"type": ["string", "number"]}
    if kind.startswith("seconds, or a mapping"):
        return {"type": ["number", "object"]}
    if kind == "what the key takes":
        return {"type": ["string", "number", "boolean", "array", "object", "null"]}
    return dict(_TEXT) if _is_text(kind) else {}


def _is_text(kind: str) -> bool:
    return kind.startswith((
        "text", "a folder", "a file", "a package URL", "64 hexadecimal digits", "an SPDX expression", "a pattern",
        "a rule",
    ))  # fmt: skip
