"""The tests of a folder as its files say, before anything of them or of the package under test is imported.

What a package reports of its own tests comes from an interpreter that it can change. It cannot change this.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from emwheels.harness.model import Case

_CHOOSING = ("pytest_collection_modifyitems", "pytest_ignore_collect", "collect_ignore", "pytest_pycollect")
"""What a conftest.py has that chooses tests itself: then the files do not tell."""


def list_tests(tests: Path) -> frozenset[str]:
    """Return node IDs without parameters, ``test_a.py::TestB::test_c``, of all tests that pytest has to collect.

    Only what stands in a file without a condition is listed. A folder whose conftest.py chooses tests has none.
    """
    if any(word in _text(path) for path in tests.rglob("conftest.py") for word in _CHOOSING):
        return frozenset()
    files = (path for path in sorted(tests.rglob("*.py")) if path.name.startswith("test_") and not path.is_symlink())
    return frozenset(node for path in files for node in _of_file(path, path.relative_to(tests).as_posix()))


def missing_tests(listed: Iterable[str], cases: Iterable[Case]) -> list[str]:
    """Return those of ``listed`` of which no case tells, nor of their file, sorted."""
    told = {case.nodeid.partition("[")[0] for case in cases}
    return sorted(node for node in listed if node not in told and node.partition("::")[0] not in told)


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""


def _of_file(path: Path, name: str) -> Iterator[str]:
    try:
        tree = ast.parse(_text(path))
    except (SyntaxError, ValueError, RecursionError):  # pytest will say so
        return
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and node.name.startswith("Test") and _is_collected(node):
            yield from (f"{name}::{node.name}::{each}" for each in _functions(node.body))
    yield from (f"{name}::{each}" for each in _functions(tree.body))


def _functions(body: Iterable[ast.stmt]) -> Iterator[str]:
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test"):
            words = {each.attr for each in ast.walk(node) if isinstance(each, ast.Attribute)}
            decorators = [ast.unparse(each) for each in node.decorator_list]
            if "__test__" not in words and not any("fixture" in each for each in decorators):
                yield node.name


def _is_collected(node: ast.ClassDef) -> bool:
    """Tell whether pytest collects a class: one that is made by arguments, or says so, it does not."""
    names = {each.name for each in node.body if isinstance(each, ast.FunctionDef)}
    assigned = {ast.unparse(target) for each in node.body if isinstance(each, ast.Assign) for target in each.targets}
    return "__init__" not in names and "__new__" not in names and "__test__" not in assigned
