"""What differs between the program on a server and in the browser."""

from __future__ import annotations

import ast
import zipfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
SOURCE = HERE / "inkreader" / "src"
ADDED = HERE / "site" / "browser.py"


def changed(wheel: Path) -> list[str]:
    """Return the files of the program that are others in ``wheel``, or that only one of the two has."""
    with zipfile.ZipFile(wheel) as archive:
        packed = {name: archive.read(name) for name in archive.namelist() if ".dist-info/" not in name}
    own = {
        path.relative_to(SOURCE).as_posix(): path.read_bytes()
        for path in SOURCE.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    return sorted(name for name in {*packed, *own} if packed.get(name) != own.get(name))


def added() -> list[str]:
    """Return the lines of code that only the browser's version has: no blank ones, no docstrings."""
    text = ADDED.read_text(encoding="utf-8")
    documentation: set[int] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            documentation.update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    lines = enumerate(text.splitlines(), 1)
    return [line for number, line in lines if line.strip() and number not in documentation]


def show(wheel: Path) -> int:
    """Print the difference and return the exit status: 1 if it is ten lines or more."""
    files = changed(wheel)
    for name in files:
        print(f"differs: {name}")
    with zipfile.ZipFile(wheel) as archive:
        count = sum(name.endswith(".py") for name in archive.namelist())
    print(f"{wheel.name}: {count} modules, {len(files)} other than those that the server runs")
    lines = added()
    print(f"added by the page, {ADDED.relative_to(HERE.parent)}:")
    for line in lines:
        print(f"+ {line}")
    print(f"{len(lines)} lines")
    return int(bool(files) or len(lines) >= 10)
