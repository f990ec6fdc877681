"""Every command, option, session and file that messages, help and documents name is there."""

from __future__ import annotations

import argparse
import ast
import re
from pathlib import Path

import pytest

from emwheels.cli import main as command

CHECKOUT = Path(__file__).parents[2]
_COMMAND = re.compile(r"(?:`|^ {2,}|\$ |: |\brun )emwheels ([a-z][a-z-]*)\b(?![.\]/=:(])([^`\n;|&#]*)", re.MULTILINE)
"""A command stands in backticks, indented, or after a prompt, a colon or "run"; a sentence does not."""


def code_of(document):
    """Keep of a document what stands in fences, indented, and in backticks."""
    fences = re.findall(r"(?ms)^```\w*\n(.*?)^```", document)
    spans = re.findall(r"`[^`\n]+`", re.sub(r"(?ms)^```.*?^```", "", document))
    return "\n".join(f"  {line}" for block in fences for line in block.splitlines()) + "\n" + "\n".join(spans)


def texts():
    """Yield where a text stands, and the text: string literals of the library, and whole documents."""
    for path in sorted((CHECKOUT / "src").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield f"{path.relative_to(CHECKOUT)}:{node.lineno}", node.value
    for pattern in ("*.md", "docs/*.md", "ci/**/*.md", "demo/*.md", "dist/*.md"):
        for path in sorted(CHECKOUT.glob(pattern)):
            if path.name != "CHANGELOG.md":  # tells of what was
                yield str(path.relative_to(CHECKOUT)), code_of(path.read_text())


def parsers(parser, prefix=()):
    """Yield the words of each command with its parser."""
    yield prefix, parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, below in action.choices.items():
                yield from parsers(below, (*prefix, name))


TEXTS = list(texts())
COMMANDS = dict(parsers(command._parser()))
VERBS = {words[0] for words in COMMANDS if words}


def options(parser):
    return {name for action in parser._actions for name in action.option_strings}


def test_every_command_that_is_named_is_there():
    wrong = [
        f"{where}: emwheels {match[1]}"
        for where, text in TEXTS
        for match in _COMMAND.finditer(text)
        if match[1] not in VERBS
    ]
    assert wrong == []


def test_every_option_of_a_command_that_is_named_is_there():
    wrong = []
    for where, text in TEXTS:
        for match in _COMMAND.finditer(text):
            words = (match[1], *match[2].split()[:1])
            known = next((COMMANDS[words[:count]] for count in (2, 1) if words[:count] in COMMANDS), None)
            own = options(known) | options(COMMANDS[()]) if known else set()
            wrong += [
                f"{where}: emwheels {match[1]} {option}"
                for option in re.findall(r"(?<![\w-])--[a-z][a-z-]*", match[2])
                if known and option not in own
            ]
    assert wrong == []


def test_every_session_that_is_named_is_there():
    noxfile = ast.parse((CHECKOUT / "noxfile.py").read_text())
    sessions = set()
    for node in noxfile.body:
        for decorator in getattr(node, "decorator_list", []):
            given = [each.value.value for each in getattr(decorator, "keywords", []) if each.arg == "name"]
            if "session" in ast.unparse(decorator):
                sessions.add(given[0] if given else node.name)
    wrong = [
        f"{where}: nox -s {match[1]}"
        for where, text in TEXTS
        for match in re.finditer(r"nox -s ([a-z][a-z-]*)", text)
        if match[1] not in sessions
    ]
    assert wrong == []


@pytest.mark.parametrize("pattern", [r"\bdocs/[a-z-]+\.(?:md|yaml)", r"\bsrc/emwheels/[\w/]+\.(?:py|sh|mjs)"])
def test_every_file_that_is_named_is_there(pattern):
    generated = {"docs/packages.md"}
    wrong = [
        f"{where}: {name}"
        for where, text in TEXTS
        for name in re.findall(pattern, text)
        if name not in generated and not (CHECKOUT / name).is_file()
    ]
    assert wrong == []
