"""A built wheel -> the modules in it, and a first test that imports every compiled one."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from emwheels.author.new_metadata import Described, read_about
from emwheels.errors import BuildError
from emwheels.wheel import UNREADABLE, metadata_member, read_record

if TYPE_CHECKING:
    from pathlib import Path

_EXTENSION = re.compile(r"(.+?)\.(?:cpython-\d+[^/]*|abi3|[^/.]*wasm32[^/.]*)\.so")
_PART = re.compile(r"[A-Za-z_]\w*")
_ASIDE = frozenset({"tests", "test", "testing", "docs", "doc", "examples", "benchmarks"})


@dataclass(frozen=True, kw_only=True)
class WheelContents:
    """What is in a wheel, for a recipe."""

    top_level: tuple[str, ...]
    """Modules and packages that a user imports."""
    extensions: tuple[str, ...]
    """Compiled modules, by their dotted names."""
    about: Described


def read_contents(wheel: Path) -> WheelContents:
    """Return what is in ``wheel``. Raises `BuildError` for one that cannot be read."""
    try:
        record = metadata_member(wheel, "RECORD") or b""
        about = read_about(metadata_member(wheel, "METADATA") or b"")
    except UNREADABLE as error:
        raise BuildError(f"{wheel.name} cannot be read: {error}", hint="build it again") from error
    paths = [row.path for row in read_record("RECORD", record).rows]
    extensions = sorted({name for path in paths if (name := _extension(path))})
    return WheelContents(top_level=_top_level(paths), extensions=tuple(extensions), about=about)


def _extension(path: str) -> str:
    match = _EXTENSION.fullmatch(path)
    parts = match[1].split("/") if match else []
    if not parts or not all(_PART.fullmatch(part) for part in parts):
        return ""
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _top_level(paths: list[str]) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for path in paths:
        first, _, rest = path.partition("/")
        if rest and rest.endswith((".py", ".so")) and _PART.fullmatch(first):
            found[first] = None
        elif not rest and path.endswith(".py") and _PART.fullmatch(path.removesuffix(".py")):
            found[path.removesuffix(".py")] = None
        elif not rest and (name := _extension(path)):
            found[name] = None
    kept = [name for name in found if name not in _ASIDE]
    return tuple(sorted(kept or found))


def first_test(name: str, contents: WheelContents) -> str:
    """Return a pytest module: every compiled module is there and starts; without any, every top-level one."""
    modules = contents.extensions or contents.top_level
    listed = "".join(f'    "{module}",\n' for module in modules)
    what = "compiled module" if contents.extensions else "module"
    check = (
        '    assert module.__spec__.origin.endswith(".so")\n'
        if contents.extensions
        else "    assert module.__name__ == name\n"
    )
    return (
        f'"""{name}: every {what} of the wheel starts."""\n\n'
        "from __future__ import annotations\n\n"
        "from importlib import import_module\n\n"
        "import pytest\n\n"
        f"MODULES = (\n{listed})\n\n\n"
        '@pytest.mark.parametrize("name", MODULES)\n'
        "def test_module_starts(name):\n"
        "    module = import_module(name)\n"
        f"{check}"
    )
