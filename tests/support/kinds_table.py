"""The table of kinds of failures in docs/troubleshooting.md: ``python tests/support/kinds_table.py`` writes it anew."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from emwheels.author.fix import mended_kinds
from emwheels.build.diagnosis import OF_TESTS, kinds_of_builds

if TYPE_CHECKING:
    from emwheels.build.diagnosis import Kind

PAGE = Path(__file__).resolve().parents[2] / "docs" / "troubleshooting.md"
_START, _END = "writes this table from src/emwheels/build/diagnosis -->\n", "<!-- end of kinds -->"


def table() -> str:
    """Return the table in Markdown."""
    mended = mended_kinds()
    head = ["| kind | in the log | cause | what to do |", "| --- | --- | --- | --- |"]
    return "\n".join([*head, *(_row(kind, mends=kind.id in mended) for kind in (*kinds_of_builds(), *OF_TESTS))]) + "\n"


def _row(kind: Kind, *, mends: bool) -> str:
    do = _plain(kind.do) + (" `emwheels fix` does it." if mends else "")
    cells = (f"`{kind.id}`", kind.sees, _plain(kind.means), do)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _plain(text: str) -> str:
    """Return a sentence with X where a log has a name."""
    return text.replace("{what}", "X")


def page_with_table(text: str) -> str:
    """Return the page with the table as it has to be."""
    before, _, rest = text.partition(_START)
    _, _, after = rest.partition(_END)
    return f"{before}{_START}{table()}{_END}{after}"


if __name__ == "__main__":
    PAGE.write_text(page_with_table(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
