"""emwheels.toml: what makes a folder a project of its own."""

from __future__ import annotations

import difflib
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from emwheels.errors import UsageError, visible

if TYPE_CHECKING:
    from collections.abc import Callable

FILE = "emwheels.toml"
_LARGEST = 1 << 20
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,99}")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What emwheels.toml says; without one, what it would say by default."""

    standard: str | bool | None = None
    """The version of the standard recipes; False: none; None: those of the emwheels that is installed."""
    paths: tuple[str, ...] = ("recipes",)
    """Folders of recipes, relative to the project. The first is the project's own."""
    targets: tuple[str, ...] = ()
    """The targets that the project builds for, its default first; empty: all of targets.toml."""
    profile: str = "speed"
    """What ``--profile`` is by default."""
    remote: str = ""
    """What ``--remote`` is by default."""
    index: str = "dist"
    """The folder of the index."""
    file: Path | None = None
    lines: tuple[tuple[str, int], ...] = ()
    """``table.key`` -> its line."""

    def place(self, table: str, key: str) -> str:
        """Return the file, and the line of a key if it has one, for a message."""
        line = dict(self.lines).get(f"{table}.{key}")
        return f"{self.file}:{line}" if line else str(self.file)


def _is_version(value: object) -> bool:
    return value is False or (isinstance(value, str) and bool(re.fullmatch(r"[0-9]{1,4}(\.[0-9]{1,4}){1,3}", value)))


def _is_place(text: object) -> bool:
    """Tell whether it is the name of one folder of the project."""
    return isinstance(text, str) and text not in ("", ".", "..") and "\0" not in text and len(_parts(text)) == 1


def _parts(text: str) -> tuple[str, ...]:
    return PurePosixPath(text).parts if not text.startswith("/") else ("/", "")


def _are_paths(value: object) -> bool:
    texts = isinstance(value, list) and all(isinstance(path, str) and path and "\0" not in path for path in value)
    return bool(texts) and isinstance(value, list) and bool(value) and _is_place(value[0])


def _are_names(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(map(_is_name, value))


def _is_name(value: object) -> bool:
    return isinstance(value, str) and bool(_NAME.fullmatch(value))


def _is_address(value: object) -> bool:
    return isinstance(value, str) and value.startswith(("oci://", "https://", "http://")) and value.isprintable()


_KEYS: dict[str, dict[str, tuple[str, str, Callable[[object], bool]]]] = {
    "recipes": {
        "standard": ("standard", 'a version, such as "2026.11.28", or false', _is_version),
        "paths": (
            "paths",
            'a list of folders, the first one in the project itself, such as ["recipes", "../more"]',
            _are_paths,
        ),
    },
    "targets": {"use": ("targets", 'a list of targets, such as ["314.0.7"]', _are_names)},
    "build": {
        "profile": ("profile", 'the name of a profile, such as "size"', _is_name),
        "remote": ("remote", 'the address of a store of builds, such as "oci://HOST/NAME"', _is_address),
    },
    "index": {"folder": ("index", 'the name of a folder of the project, such as "dist"', _is_place)},
}
"""Table -> key -> the field of `Settings`, what its value has to be in words, and whether one is."""


def read_settings(path: Path) -> Settings:
    """Read emwheels.toml. Raises `UsageError` that names the file, the line and the key for anything wrong in it."""
    with path.open("rb") as stream:
        content = stream.read(_LARGEST + 1)
    if len(content) > _LARGEST:
        raise UsageError(
            f"{path} is larger than {_LARGEST:,} bytes", hint="it has a few lines: see docs/own-repository.md"
        )
    try:
        text = content.decode()
        document = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # of TOML, of its encoding, or of a number too long for Python
        raise UsageError(f"{path}: {visible(str(error))}", hint="it is no TOML: mend the line") from error
    lines = _lines(text)
    given: dict[str, Any] = {}
    for table, values in document.items():
        _check_known(path, lines, table, "", list(_KEYS))
        if not isinstance(values, dict):
            raise _fault(path, lines, table, "must be a table")
        for key, value in values.items():
            _check_known(path, lines, key, table, list(_KEYS[table]))
            name, words, fits = _KEYS[table][key]
            if not fits(value):
                raise _fault(path, lines, f"{table}.{key}", f"must be {words}")
            given[name] = tuple(value) if isinstance(value, list) else value
    return Settings(**given, file=path, lines=tuple(lines.items()))


def _check_known(path: Path, lines: dict[str, int], key: str, table: str, known: list[str]) -> None:
    if key in known:
        return
    near = difflib.get_close_matches(key[:100], known, n=1)
    advice = f"did you mean {near[0]}?" if near else f"{table or 'the file'} has {', '.join(known)}"
    raise _fault(path, lines, f"{table}.{key}" if table else key, f"is no key; {advice}")


def _fault(path: Path, lines: dict[str, int], dotted: str, words: str) -> UsageError:
    line = f":{lines[dotted]}" if dotted in lines else ""
    shown = visible(dotted[:100], lines=False)
    return UsageError(f"{path}{line}: {shown} {words}", hint="docs/own-repository.md has every key")


_HEADER = re.compile(r"\s*\[\s*([A-Za-z0-9_-]+)\s*\]")
_KEY = re.compile(r"\s*([A-Za-z0-9_-]+)\s*=")


def _lines(text: str) -> dict[str, int]:
    """Return the line of each table and of each key, where they are written in the usual way."""
    found: dict[str, int] = {}
    table = ""
    for number, line in enumerate(text.split("\n"), start=1):
        if header := _HEADER.match(line):
            table = header[1]
            found.setdefault(table, number)
        elif key := _KEY.match(line):
            found.setdefault(f"{table}.{key[1]}" if table else key[1], number)
    return found
