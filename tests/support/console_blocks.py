"""The console blocks of a page in Markdown: commands, what the page shows of their output, and who runs them.

``tests/integration/test_console_blocks.py`` runs each block. A comment on the line above may say otherwise::

    <!-- not run: takes four minutes; tests/e2e/test_recipes.py does the same -->
    <!-- needs: network -->

The second one runs the block under the pytest marker of that name. Whatever would let a command slip through unseen
is a fault: a transcript in a block of another kind, a language that nobody has decided about, a prompt other than
``$``, a comment without a reason or without a block.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from markdown_it import MarkdownIt
from markdown_it.token import Token

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CONSOLE = ("console", "bash", "sh")
OTHERS = ("", "js", "python", "toml", "yaml", "{toctree}")
"""Languages of blocks that are no commands."""
NEEDS = ("image", "network")
CODE = ("js", "python")
"""Those of `OTHERS` in which a line that begins as a command does cannot be code."""
FEWEST_WORDS = 3
"""Of a reason, all different; two of them have three letters."""

_COMMENT = re.compile(r"<!-- (not run|needs): (.+) -->", re.DOTALL)
_MEANT_AS_ONE = re.compile(r"<!--\W*(not\W*run|needs)\b", re.IGNORECASE)
_NESTED = re.compile(r"^(```+|~~~+).*?^\1", re.MULTILINE | re.DOTALL)
"""A block that a block of Markdown quotes."""
_NAMED_FILE = re.compile(r"(?<![\w./:~-])[\w.-]+(?:/[\w.-]+)+(?:::\w+)?")
_PROGRAM = re.compile(
    r"(?:\S*/)?(?:apt-get|bash|bwrap|cd|chroot|curl|docker|emwheels|git|node|nox|npm|npx|pip3?|podman|pytest|python3?"
    r"|rsync|sh|ssh|uv|wget)"
)
"""With an argument behind it, a line of one of these is a command."""
_BEFORE_PROGRAM = re.compile(r"command|doas|env|exec|nice|nohup|sudo|time|timeout|xargs|[A-Za-z_]\w*=.*")
_PROMPT = re.compile(r"(?:\(\S+\) ?)?(?P<mark>[^\s$%#>]*[$%#>!])\s*(?P<rest>.*)")
"""``$ ``, ``% ``, ``# ``, ``> ``, ``!``, ``(venv) $ ``, ``root@host:/# ``, and what is behind it."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """A command, and the lines that the page shows below it."""

    command: str
    shown: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Block:
    """One console block."""

    line: int
    """Of its fence, from 1."""
    steps: tuple[Step, ...]
    reason: str = ""
    """Why it is not run; empty if it is."""
    needs: str = ""
    """One of `NEEDS`, or empty."""


def console_blocks(text: str, checkout: Path) -> tuple[list[Block], list[str]]:
    """Return the console blocks of a page, and its faults by line; files that reasons name are in ``checkout``."""
    blocks: list[Block] = []
    faults: list[str] = []
    start = Token("start", "", 0)
    for before, token in pairwise([start, *MarkdownIt().parse(text), start]):
        line = token.map[0] + 1 if token.map else 0
        comment = before.content.strip() if _is_comment(before) and before.map else ""
        if token.type == "fence" and _language(token) in CONSOLE:
            steps = _steps(token.content.splitlines())
            said = comment if before.map and token.map and before.map[1] == token.map[0] else ""
            wrong = [*_faults_of(said, checkout), *_other_prompts(token.content.splitlines())]
            wrong += [] if steps or wrong else ["output without a command, or nothing at all"]
            faults += [f"{line}: {fault}" for fault in wrong]
            what = _COMMENT.fullmatch(said)
            given = {("needs" if what[1] == "needs" else "reason"): what[2]} if what else {}
            blocks.append(Block(line=line, steps=steps, **given))
            comment = "" if said else comment
        elif token.type in ("fence", "code_block", "html_block"):
            faults += [f"{line}: {fault}" for fault in _hidden(token)]
        for each in token.children or ():
            if _is_comment(each):
                faults.append(f"{line}: {each.content}: write it on a line of its own")
        if comment and before.map:
            faults.append(f"{before.map[0] + 1}: {comment}: no console block begins on the next line")
    return blocks, faults


def _is_comment(token: Token) -> bool:
    return token.type in ("html_block", "html_inline") and bool(_MEANT_AS_ONE.search(token.content))


def _language(token: Token) -> str:
    return token.info.split(maxsplit=1)[0] if token.info.strip() else ""


def _steps(lines: list[str]) -> tuple[Step, ...]:
    """Return the commands: all lines where none has a prompt. None at all if something precedes the first prompt."""
    prompt = "$ " if any(line.startswith("$ ") for line in lines) else ""
    steps: list[Step] = []
    for line in lines:
        if steps and steps[-1].command.endswith("\\") and not steps[-1].shown:
            steps[-1] = Step(command=f"{steps[-1].command}\n{line.removeprefix('> ')}")
        elif prompt and not line.startswith(prompt):
            if not steps:
                return ()
            steps[-1] = Step(command=steps[-1].command, shown=(*steps[-1].shown, line))
        elif prompt or (line.strip() and not line.startswith("#")):
            steps.append(Step(command=line.removeprefix(prompt)))
    return tuple(steps)


def _faults_of(comment: str, checkout: Path) -> Iterator[str]:
    if not comment:
        return
    match _COMMENT.fullmatch(comment):
        case None:
            yield f"{comment}: write `<!-- not run: REASON -->`, or `<!-- needs: {' | '.join(NEEDS)} -->`"
        case what if what[1] == "needs":
            if what[2] not in NEEDS:
                yield f"{comment}: a block needs {' or '.join(NEEDS)}, or nothing"
        case what:
            words = {word.lower() for word in re.findall(r"[^\W_]+", what[2])}
            if len(words) < FEWEST_WORDS or sum(bool(re.match(r"[^\W\d_]{3}", word)) for word in words) < 2:
                yield f"{comment}: this is no reason"
            for found in _NAMED_FILE.findall(what[2]):
                file = found.rstrip(".")
                if _names_a_file(file, checkout) and not _is_there(file, checkout):
                    yield f"{comment}: there is no {file}"


def _names_a_file(text: str, checkout: Path) -> bool:
    """Tell ``src/emwheels`` and ``x/y.py`` from "and/or": they begin in a folder of the checkout, or have a suffix."""
    path = text.partition("::")[0]
    return (checkout / path.partition("/")[0]).is_dir() or re.search(r"\.[a-z]{1,4}$", path) is not None


def _is_there(file: str, checkout: Path) -> bool:
    """Tell whether a file, or a test in it (``FILE::NAME``), is there."""
    name, _, test = file.partition("::")
    path = checkout / name
    if not path.is_file() or not test:
        return path.exists() and not test
    return any(isinstance(node, ast.FunctionDef) and node.name == test for node in ast.parse(path.read_text()).body)


def _hidden(token: Token) -> Iterator[str]:
    """Yield what is wrong with a block that is no console block."""
    language = _language(token)
    if token.type == "fence" and language not in OTHERS:
        yield f"{language}: a language that tests/support/console_blocks.py does not know"
        return
    bare = language in ("", *CODE)
    content = _NESTED.sub("", token.content) if language else token.content
    for line in content.splitlines():
        if _has_prompt(line, comments=not language) or (bare and _is_command(line)):
            yield f"{line.strip()}…: commands belong into a block of the language console"
            return


def _other_prompts(lines: list[str]) -> Iterator[str]:
    """Yield what is wrong with lines of a console block that readers take for a command, and `_steps` does not."""
    for before, line in pairwise(["", *lines]):
        goes_on = before.endswith("\\")
        if not goes_on and not line.startswith("$ ") and _has_prompt(line, comments=True):
            yield f"{line.strip()}: write the prompt as `$ ` at the start of the line"


def _has_prompt(line: str, *, comments: bool) -> bool:
    """Tell whether a line shows a prompt and a command; with ``comments``, ``#`` before a command is one as well."""
    found = _PROMPT.fullmatch(line.strip())
    if found is None:
        return False
    mark, rest = found["mark"], found["rest"]
    if mark in ("$", "%") and re.match(rf"\s*{re.escape(mark)} \S", line):
        return True
    return (comments or not mark.endswith("#")) and _is_command(rest)


def _is_command(line: str) -> bool:
    """Tell whether a line begins with a program and an argument, behind ``sudo``, ``nice -n 5`` or ``X=1``, too."""
    before, prefixed = "", False
    for word, after in pairwise([*line.split(), ""]):
        if word == "sudo":
            return bool(after)
        if _PROGRAM.fullmatch(word):
            return re.match(r"[\w./-]", after) is not None
        if _BEFORE_PROGRAM.fullmatch(word):
            prefixed = True
        elif not prefixed or not (word.startswith("-") or before.startswith("-") or word[0].isdigit()):
            return False
        before = word
    return False
