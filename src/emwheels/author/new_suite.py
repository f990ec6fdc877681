"""A source's own tests -> the small part of them that runs with the recipe's tests: upstream.yaml with ``smoke``."""

from __future__ import annotations

import ast
import io
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ruamel.yaml import YAML

from emwheels.atomic import write_atomically
from emwheels.errors import visible

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence
    from pathlib import Path

SECONDS = 20.0
"""What the whole part may take in one engine."""
MOST = 12
_LARGEST = 48 << 10
_FOLDERS = ("tests", "test")
_ELSEWHERE = frozenset({
    *("subprocess", "multiprocessing", "threading", "concurrent", "_thread", "socket", "socketserver", "ssl", "http"),
    *("ctypes", "resource", "signal", "tracemalloc", "tkinter", "curses", "distutils", "setuptools", "timeit"),
})  # fmt: skip
"""Modules of tests that need what a browser has not, or that only measure."""
_PYTEST = frozenset({"pytest", "_pytest", "unittest", "doctest"})


@dataclass(frozen=True, kw_only=True)
class Candidates:
    """Test files of a source that may run anywhere."""

    base: str
    """A folder of the source, as upstream.yaml has it."""
    folder: str
    """The folder of tests, relative to `base`."""
    into: str
    files: tuple[str, ...]
    """Relative to `base`, the smallest first."""


@dataclass(frozen=True, kw_only=True)
class Tried:
    """What came of one test: pytest's name for it, how it ended, and how long it took."""

    nodeid: str
    outcome: str
    seconds: float
    message: str = ""


def find_candidates(tree: Path, top_level: Sequence[str], requires: Collection[str]) -> Candidates | None:
    """Return the files of plain tests of an unpacked source; None if it has none. Nothing of it is run.

    They import the package's modules ``top_level``, what the package requires and the standard library, and no other.
    """
    allowed = {*top_level, *(name.replace("-", "_") for name in requires), *_PYTEST}
    places = [(".", folder, "tests") for folder in _FOLDERS]
    places += [
        (base, f"{top}/{folder}", "site-packages") for base in (".", "src") for top in top_level for folder in _FOLDERS
    ]
    for base, folder, into in places:
        root = tree / base
        there = root / folder
        if there.is_dir() and not there.is_symlink():
            files = tuple(path.relative_to(root).as_posix() for path in _plain(there, allowed))
            if files:
                return Candidates(base=base, folder=folder, into=into, files=files)
    return None


def _plain(folder: Path, allowed: Collection[str]) -> list[Path]:
    """Return the files of tests in a folder that import nothing else, the smallest first."""
    own = {path.name.removesuffix(".py") for path in folder.iterdir()}
    known = {*allowed, *own, *_FOLDERS}
    if any(not _is_plain(path, known) for path in (folder / "conftest.py", folder / "__init__.py") if path.exists()):
        return []
    tests = {*folder.glob("test_*.py"), *folder.glob("*_test.py")}
    sizes = {path: path.stat().st_size for path in tests if path.is_file() and not path.is_symlink()}
    small = sorted((path for path, size in sizes.items() if size <= _LARGEST), key=lambda path: (sizes[path], path))
    return [path for path in small if _is_plain(path, known)][:MOST]


def _is_plain(path: Path, known: Collection[str]) -> bool:
    try:
        imported = set(_imported(ast.parse(path.read_bytes())))
    except (OSError, ValueError, SyntaxError, RecursionError, MemoryError):
        return False
    return not imported & _ELSEWHERE and all(name in known or name in sys.stdlib_module_names for name in imported)


def _imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.module.partition(".")[0]


def suite_text(found: Candidates, smoke: Sequence[str]) -> str:
    """Return an upstream.yaml whose ``smoke`` are these files."""
    document: dict[str, object] = {"files": [found.folder]}
    if found.base != ".":
        document["base"] = found.base
    if found.into != "tests":
        document |= {"into": found.into, "paths": [found.folder]}
    out = io.StringIO()
    YAML().dump(document | {"smoke": list(smoke)}, out)
    return out.getvalue()


def write_suite(file: Path, found: Candidates, smoke: Sequence[str]) -> None:
    """Write `suite_text` to ``file``."""
    write_atomically(file, suite_text(found, smoke).encode())


def passing(files: Iterable[str], tried: Sequence[Tried]) -> tuple[list[str], dict[str, str]]:
    """Return the files whose tests passed within `SECONDS` in all, and why each of the others is left out."""
    kept, left_out, spent = [], {}, 0.0
    outside = next((each for each in tried if each.nodeid in ("boot", "session")), None)
    for file in files:
        own = [each for each in tried if each.nodeid == file or each.nodeid.startswith(f"{file}::")]
        bad = next((each for each in own if each.outcome in ("failed", "error")), None)
        seconds = sum(each.seconds for each in own)
        if bad is not None or not any(each.outcome == "passed" for each in own):
            at_fault = bad or outside
            why = _last_line(at_fault.message) if at_fault else ""
            left_out[file] = why or "none of its tests passed"
        elif spent + seconds > SECONDS:
            left_out[file] = f"it takes {seconds:.0f} s, and all may take {SECONDS:.0f}"
        else:
            kept.append(file)
            spent += seconds
    return kept, left_out


def _last_line(text: str) -> str:
    lines = [line.removeprefix("E").strip() for line in text.splitlines() if line.startswith("E ")]
    lines = lines or [line.strip() for line in text.splitlines() if line.strip()]
    return visible(lines[0], lines=False)[:120] if lines else ""
