"""The schema of a build's record, which anybody may have written: the type and the bounds of each field."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from emwheels.outputs.remote.model import MOST_BYTES, DamagedError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    _Fields = Mapping[str, tuple[Callable[[Any], bool], str]]

_SHA256 = re.compile(r"[0-9a-f]{64}")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+!-]{0,249}")
_MOST_SECONDS = 1e7
_MOST_KIB = 1 << 40
_MOST_OBJECTS = 10_000_000
_PART = 80
"""Characters of a foreign value that a message has."""


def _is_sha256(value: Any) -> bool:
    return isinstance(value, str) and _SHA256.fullmatch(value) is not None


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and _NAME.fullmatch(value) is not None


def _is_number(value: Any, *, most: float) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= most


def _is_count(value: Any, *, most: int) -> bool:
    return isinstance(value, int) and _is_number(value, most=most)


_OUTPUT: _Fields = {
    "name": (_is_name, "a name"),
    "kind": (lambda value: value in ("wheels", "libraries"), "wheels or libraries"),
    "filename": (_is_name, "the name of a file"),
    "sha256": (_is_sha256, "a sha256"),
    "size": (lambda value: _is_count(value, most=MOST_BYTES), "a number of bytes"),
    "seconds": (lambda value: _is_number(value, most=_MOST_SECONDS), "a number of seconds"),
    "key": (_is_sha256, "a sha256"),
    "content": (lambda value: value == "" or _is_sha256(value), "a sha256, or empty"),
}
_RECORD: _Fields = {
    "output": (lambda value: isinstance(value, dict), "an object"),
    "inputs": (lambda value: isinstance(value, dict), "an object"),
    "log": (_is_sha256, "a sha256"),
    "audit": (lambda value: value is None or isinstance(value, dict), "an object"),
    "peak_kib": (lambda value: _is_count(value, most=_MOST_KIB), "a number of KiB"),
    "ccache objects": (lambda value: _is_count(value, most=_MOST_OBJECTS), "a number of objects"),
    "tests": (lambda value: isinstance(value, dict), "an object"),
}
_TESTS: _Fields = {name: _OUTPUT[name] for name in ("filename", "sha256", "size")}
_OPTIONAL = frozenset({"content", "audit", "peak_kib", "ccache objects", "tests"})


def check_schema(record: Any) -> None:
    """Raise `DamagedError` that names the first field of a build's record which is missing, unknown or malformed."""
    if not isinstance(record, dict):
        raise DamagedError("its record is no object")
    _check(record, _RECORD, "")
    _check(record["output"], _OUTPUT, "output.")
    if "tests" in record:
        _check(record["tests"], _TESTS, "tests.")


def _check(values: Mapping[str, Any], fields: _Fields, prefix: str) -> None:
    for name in sorted(values.keys() - fields.keys()):
        raise DamagedError(f"its record has a field {_part(prefix + name)} that no build writes")
    for name, (is_right, what) in fields.items():
        if name not in values:
            if name not in _OPTIONAL:
                raise DamagedError(f"its record lacks {prefix}{name}")
        elif not is_right(values[name]):
            raise DamagedError(f"its record has {_part(values[name])} for {prefix}{name}, which is not {what}")


def _part(value: Any) -> str:
    text = ascii(value)
    return text if len(text) <= _PART else f"{text[:_PART]}…"
