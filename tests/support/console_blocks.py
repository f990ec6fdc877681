"""The console blocks of a page in Markdown: commands, what the page shows of their output, and who runs them.

``tests/integration/test_console_blocks.py`` runs each block. A comment on the line above may say otherwise::

    <!-- not run: takes four minutes; tests/e2e/test_recipes.py does the same -->
    <!-- needs: network -->

The second one runs the block under the pytest marker of that name. Whatever would let a command slip through unseen
is a fault: a transcript in a block of another kind, a language that nobody has decided about, a comment without a
reason or without a block.
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
FEWEST_WORDS = 3
"""Of a reason."""

_COMMENT = re.compile(r"<!-- (not run|needs): (.+) -->", re.DOTALL)
_MEANT_AS_ONE = re.compile(r"<!--\W*(not\W*run|needs)\b", re.IGNORECASE)
_NAMED_FILE = re.compile(r"\b(?:tests|ci)/[\w./-]+\.\w+(?:::\w+)?")
_COMMAND = re.compile(
    r"^\s*(?:[$%] \S|(?:\S*/)?(?:emwheels|nox|pip|python3?|pytest|podman|docker|bash|sh|git|cd|curl|apt-get) +[\w./-])",
    re.MULTILINE,
)
"""What looks like a command in a block that is none."""


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
            wrong = [*_faults_of(said, checkout), *([] if steps else ["output without a command, or nothing at all"])]
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
            if len(re.findall(r"\w+", what[2])) < FEWEST_WORDS:
                yield f"{comment}: this is no reason"
            for file in _NAMED_FILE.findall(what[2]):
                if not _is_there(file, checkout):
                    yield f"{comment}: there is no {file}"


def _is_there(file: str, checkout: Path) -> bool:
    """Tell whether a file, or a test in it (``FILE::NAME``), is there."""
    name, _, test = file.partition("::")
    path = checkout / name
    if not path.is_file() or not test:
        return path.is_file()
    return any(isinstance(node, ast.FunctionDef) and node.name == test for node in ast.parse(path.read_text()).body)


def _hidden(token: Token) -> Iterator[str]:
    """Yield what is wrong with a block that is no console block."""
    if token.type == "fence" and _language(token) not in OTHERS:
        yield f"{_language(token)}: a language that tests/support/console_blocks.py does not know"
    elif (command := _COMMAND.search(token.content)) and _language(token) in ("", "text"):
        yield f"{command[0].strip()}…: commands belong into a block of the language console"
