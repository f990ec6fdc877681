"""The rules of lint that look at a recipe's tests. They are read, never run."""

from __future__ import annotations

import ast
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emwheels.atomic import read_regular
from emwheels.recipe.document import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from emwheels.author.lint.model import Remark, Subject

_CHECKING = ("assert", "check", "expect", "raises", "warns", "fail", "import_module", "importorskip", "approx")
"""How the names of functions begin that check something, whoever wrote them."""
_SECONDS = 120
_MOST_BYTES = 4 << 20
_Function = ast.FunctionDef | ast.AsyncFunctionDef


def check_tests(subject: Subject) -> Iterator[Remark]:
    """See rules ``no-test`` and ``no-check``."""
    recipe = subject.recipe
    if recipe.build.type != "package":
        return
    if not recipe.tests:
        yield subject.about("no-test", recipe.folder, "no test_*.py is in the folder")
    helpers: dict[str, _Function] = {}
    for file in sorted(recipe.folder.glob("*.py")):
        if file not in recipe.tests and isinstance(tree := _parsed(file), ast.Module):
            helpers |= _functions(tree)
    for file in recipe.tests:
        tree = _parsed(file)
        if isinstance(tree, ast.Module):
            yield from _idle(subject, file, tree, helpers)
        else:
            yield subject.about("no-check", file, f"cannot be read as Python: {printable(str(tree))}")


def _parsed(file: Path) -> ast.Module | Exception:
    try:
        return ast.parse(read_regular(file, limit=_MOST_BYTES))
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError) as error:
        return error


def _functions(tree: ast.Module) -> dict[str, _Function]:
    return {node.name: node for node in ast.walk(tree) if isinstance(node, _Function)}


def _idle(subject: Subject, file: Path, tree: ast.Module, helpers: Mapping[str, _Function]) -> Iterator[Remark]:
    functions = _functions(tree)
    tests = [node for name, node in functions.items() if name.startswith("test")]
    if not tests:
        yield subject.about("no-test", file, "has no function test_*")
    for test in tests:
        if not _checks(test, {**helpers, **functions}, set()):
            message = f"{printable(test.name)} checks nothing"
            yield subject.about("no-check", file, message, line=test.lineno, column=test.col_offset + 1)


def _checks(function: _Function, functions: Mapping[str, _Function], seen: set[str]) -> bool:
    """Tell whether a function asserts, raises or imports, itself or by functions and fixtures of the recipe's."""
    seen.add(function.name)
    asked = [argument.arg for argument in function.args.args]
    for node in ast.walk(function):
        if isinstance(node, ast.Assert | ast.Raise | ast.Import | ast.ImportFrom):
            return True
        if isinstance(node, ast.Call):
            name = _called(node.func)
            if name.lstrip("_").startswith(_CHECKING):
                return True
        if isinstance(node, ast.Name):
            asked.append(node.id)
    return any(_checks(functions[name], functions, seen) for name in asked if name in functions and name not in seen)


def _called(function: ast.expr) -> str:
    match function:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
    return ""


def ruff_program() -> str | None:
    """Return ruff's path: beside this Python, or on PATH; None if it is not installed."""
    beside = Path(sys.executable).with_name("ruff")
    return str(beside) if beside.is_file() else shutil.which("ruff")


def ruff_remarks(program: str, subjects: Sequence[Subject], root: Path) -> Iterator[Remark]:
    """Yield what ruff, as ``root`` configures it, has to say of the tests. See rule ``ruff``."""
    owners = {file.resolve(): subject for subject in subjects for file in subject.recipe.tests}
    if not owners:
        return
    argv = [
        program,
        "check",
        "--no-cache",
        "--no-fix",
        "--exit-zero",
        "--output-format",
        "json",
        "--",
        *map(str, owners),
    ]
    try:
        done = subprocess.run(argv, cwd=root, capture_output=True, text=True, check=False, timeout=_SECONDS)
        found = json.loads(done.stdout)
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        subject, *_ = subjects
        yield subject.about("ruff", root, f"ruff did not run: {printable(str(error))}")
        return
    for fault in found:
        if remark := _of_ruff(fault, owners):
            yield remark


def _of_ruff(fault: Any, owners: dict[Path, Subject]) -> Remark | None:
    match fault:
        case {"filename": str(name), "message": str(message), "location": {"row": int(row), "column": int(column)}}:
            subject = owners.get(Path(name).resolve())
            if subject is not None:
                said = f"{fault.get('code') or 'syntax'}: {printable(message)}"
                return subject.about("ruff", Path(name), said, line=row, column=column)
    return None


CHECKS = (check_tests,)
