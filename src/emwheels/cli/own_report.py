"""What came of ``emwheels build .``: a table, JSON, and Markdown for a summary or a comment of a CI service."""

from __future__ import annotations

import json
import re
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from emwheels.errors import visible
from emwheels.progress import print_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from emwheels.pipeline.model import Outcome

_SHOWN = 2000
"""Characters of what pytest said of a test."""
_FAILURES = 10
MARK = "<!-- emwheels build -->"
"""The first line of a summary, by which a comment is found again."""


@dataclass(kw_only=True)
class OwnRow:
    """What came of one package for one target."""

    name: str
    target: str
    version: str = ""
    state: str = "not built"
    """``built``, ``reused``, ``failed``, ``blocked``, ``pure``, ``published`` or ``missing``."""
    pure: bool = False
    needed: bool = False
    """Whether it was not asked for: something needs it."""
    wheel: str = ""
    size: int = 0
    phases: dict[str, float] = field(default_factory=dict)
    engines: dict[str, str] = field(default_factory=dict)
    failures: list[dict[str, str]] = field(default_factory=list)
    why: str = ""
    hint: str = ""
    status: int = 0

    def take(self, outcome: Outcome) -> None:
        """Note what a run did."""
        self.state, self.why = outcome.state, outcome.why
        self.phases, self.engines = dict(outcome.phases), dict(outcome.engines)
        self.size = outcome.output.size if outcome.output else 0
        self.failures = [
            {"engine": engine, "test": case.nodeid, "message": case.message, "output": case.output}
            for engine, case in outcome.failures
        ]
        if outcome.error is not None:
            self.why, self.hint, self.status = outcome.error.message, outcome.error.hint, outcome.error.exit_code
        elif outcome.state in ("blocked", "not started", "bad recipe"):
            self.status = 3
        elif self.pure:
            self.why = PURE_WORDS

    @property
    def seconds(self) -> str:
        """The wall time of all phases, empty for what was not built."""
        return f"{sum(self.phases.values()):.1f}" if self.phases else ""

    @property
    def tests(self) -> str:
        """What came of the tests, in words."""
        return "; ".join(f"{engine} {said}" for engine, said in self.engines.items())


PURE_WORDS = "pure Python: micropip installs this wheel as it is, and so does any other that you publish"


def print_rows(rows: Sequence[OwnRow], *, as_json: bool) -> None:
    """Print what came of all packages to standard output."""
    if as_json:
        print(json.dumps([asdict(row) for row in rows], indent=1))
        return
    print_table(
        ("package", "version", "target", "result", "bytes", "seconds", "tests", "wheel, or why"),
        [
            (
                row.name,
                row.version,
                row.target,
                row.state,
                f"{row.size:,}" if row.size else "",
                row.seconds,
                row.tests,
                _first_line(row.why) if row.status or not row.wheel else row.wheel,
            )
            for row in rows
        ],
        right=("bytes", "seconds"),
    )
    for row in rows:
        for failure in row.failures[:_FAILURES]:
            said = "\n".join((failure["message"], failure["output"])).strip()[-_SHOWN:]
            where = f"{row.name}: {failure['engine']}: {visible(failure['test'], lines=False)}"
            print(f"--- {where}\n{visible(said)}", file=sys.stderr)
    for name in dict.fromkeys(row.name for row in rows if row.pure and not row.status):
        print(f"{name} is {PURE_WORDS}")


def summary(rows: Sequence[OwnRow]) -> str:
    """Return Markdown that tells what came of all packages: times, sizes, tests and failures."""
    failed = [row for row in rows if row.status]
    built = sum(1 for row in rows if row.wheel)
    head = f"{built} wheel{'s' if built != 1 else ''} for Pyodide" + (f", {len(failed)} failed" if failed else "")
    lines = [MARK, f"### {'❌' if failed else '✅'} {head}", ""]
    lines += ["| package | Pyodide | result | wheel | bytes | build | tests |", "|---|---|---|---|--:|--:|---|"]
    lines += [_table_row(row) for row in rows]
    for row in failed:
        lines += ["", f"#### {_cell(row.name)} {_cell(row.version)}, Pyodide {_cell(row.target)}", *_fence(_said(row))]
        for failure in row.failures[:_FAILURES]:
            title = f"{failure['engine']}: {failure['test']}"
            text = "\n".join((failure["message"], failure["output"])).strip()[-_SHOWN:]
            lines += ["", f"<details><summary>{_cell(title)}</summary>", "", *_fence(text), "</details>"]
    return "\n".join(lines) + "\n"


def write_summary(file: Path, text: str) -> None:
    """Add the summary to a file, as services want it; one that is not there is made."""
    with Path(file).open("a", encoding="utf-8") as stream:
        stream.write(text)


def _table_row(row: OwnRow) -> str:
    tests = "<br>".join(f"{_cell(engine)}: {_cell(said)}" for engine, said in row.engines.items())
    wheel = f"`{Path(row.wheel).name}`" if row.wheel else _cell(_first_line(row.why))
    size, seconds = f"{row.size:,}" if row.size else "", f"{row.seconds} s" if row.seconds else ""
    result = f"{row.state}, pure" if row.pure and row.wheel else row.state
    cells = (f"{row.name} {row.version}".strip(), row.target, result)
    return f"| {' | '.join(map(_cell, cells))} | {wheel} | {size} | {seconds} | {tests} |"


def _said(row: OwnRow) -> str:
    return f"{row.why}\n{row.hint}".strip()


def _cell(text: str) -> str:
    """Return text of anybody's as a cell of a table: on one line, nothing of it being Markdown or HTML."""
    shown = visible(" ".join(text.split()), lines=False)[:200]
    return re.sub(r"([|`*_\[\]~\\@#])", r"\\\1", shown.replace("&", "&amp;").replace("<", "&lt;"))


def _fence(text: str) -> list[str]:
    """Return a block that shows ``text`` to the letter, whatever is in it."""
    shown = visible(text)
    longest = max((len(run) for run in re.findall(r"`+", shown)), default=0)
    fence = "`" * max(3, longest + 1)
    return [f"{fence}text", shown, fence]


def _first_line(text: str) -> str:
    return text.strip().partition("\n")[0].rstrip(":")
