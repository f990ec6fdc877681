"""Tests that are written for pytest-pyodide, as plain tests: the harness runs pytest inside the interpreter already."""

from __future__ import annotations

import ast

_PLUGIN = "pytest_pyodide"
_BROWSER = "selenium"
"""How the fixtures begin that give a test a browser."""
_MARKS = frozenset({
    "driver_timeout", "xfail_browsers", "skip_refcount_check", "skip_pyproxy_check", "requires_dynamic_linking"
})  # fmt: skip
"""Of pytest-pyodide, for a page that it drives."""


def plain_tests(text: str) -> tuple[str, list[str]]:
    """Return a file of tests that runs as it is, empty if no test is left, and the names of tests that were left out.

    A test that is decorated by ``run_in_pyodide`` becomes its body. One that drives the browser itself, and whatever
    uses the plugin in another way, cannot be kept. Raises `SyntaxError` or `ValueError` for what is no Python.
    """
    tree = ast.parse(text)
    kept: list[ast.stmt] = []
    lost: list[str] = []
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            _plain_function(node)
        if _uses_plugin(node):
            lost += [_name(node)] if _name(node) else []
            continue
        kept.append(node)
    kept = _without_unused(kept, lost)
    if not any(_is_test(node) for node in kept):
        return "", lost
    if not lost and len(kept) == len(tree.body) and ast.dump(ast.parse(text)) == ast.dump(tree):
        return text, lost
    tree.body = kept
    return ast.unparse(ast.fix_missing_locations(tree)) + "\n", lost


def _plain_function(node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
    """Take from a function the plugin's decorators and its browser."""
    runs_inside = any(_words(each)[-1:] == ["run_in_pyodide"] for each in node.decorator_list)
    node.decorator_list = [each for each in node.decorator_list if not _of_plugin(_words(each))]
    if runs_inside:
        node.args.args = [each for each in node.args.args if not each.arg.startswith(_BROWSER)]
        if isinstance(node, ast.AsyncFunctionDef):
            node.decorator_list.append(ast.Name(id=f"{_PLUGIN}_async"))  # pytest awaits nothing by itself


def _of_plugin(words: list[str]) -> bool:
    return words[-1:] == ["run_in_pyodide"] or (words[:2] == ["pytest", "mark"] and words[-1] in _MARKS)


def _words(node: ast.expr) -> list[str]:
    """Return a dotted name as its parts, that of a called function too."""
    if isinstance(node, ast.Call):
        return _words(node.func)
    if isinstance(node, ast.Attribute):
        return [*_words(node.value), node.attr]
    return [node.id] if isinstance(node, ast.Name) else []


def _uses_plugin(node: ast.AST) -> bool:
    for each in ast.walk(node):
        match each:
            case ast.ImportFrom(module=str(module)) if module.split(".")[0] in (_PLUGIN, "conftest"):
                return True
            case ast.Import(names=names) if any(name.name.split(".")[0] == _PLUGIN for name in names):
                return True
            case ast.Name(id=name) | ast.arg(arg=name):
                if name.startswith((_BROWSER, _PLUGIN)) or name == "run_in_pyodide":
                    return True
    return False


def _without_unused(body: list[ast.stmt], lost: list[str]) -> list[ast.stmt]:
    """Return a module's body without tests that use what was left out; their names join ``lost``."""
    gone, kept = set(lost), body
    while True:
        using = [node for node in kept if _name(node) and gone.intersection(_used(node))]
        if not using:
            return kept
        gone |= {_name(node) for node in using}
        lost += [_name(node) for node in using]
        kept = [node for node in kept if node not in using]


def _used(node: ast.AST) -> set[str]:
    names = {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}
    return names | {each.arg for each in ast.walk(node) if isinstance(each, ast.arg)}


def _name(node: ast.stmt) -> str:
    return node.name if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)) else ""


def _is_test(node: ast.stmt) -> bool:
    return _name(node).startswith(("test", "Test"))
