"""How the pages read, in figures: README.md, CONTRIBUTING.md and docs/*.md.

    python benchmarks/prose.py [--json]

Only prose counts: tables, code, headings, HTML comments and the pages that a session writes are left out. Code
inside a sentence is one word, a link is its text, a list item is a sentence at least. Exits with 1 where the total is
worse than the limit that this project has set itself.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

CHECKOUT = Path(__file__).resolve().parents[1]
PAGES = ("README.md", "CONTRIBUTING.md", "docs/*.md")
GENERATED = "Written by `emwheels tables`"

AT_MOST = {"words p90": 25.0, "that/which/what": 1.5}
AT_LEAST = {"you/your": 8.0}
MEANING = {
    "sentences": "",
    "words p90": "90th percentile of the words in a sentence",
    "that/which/what": "in 100 words",
    "you/your": "in 1,000 words",
}

FENCE = re.compile(r"^ *(`{3,}|~{3,})[^\n]*\n.*?^ *\1 *$", re.MULTILINE | re.DOTALL)
STAMP = re.compile(r"<!-- wheels:[^\n]*-->\n[^\n]*")  # the line below it is written by `nox -s tables` as well
COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
INLINE_CODE = re.compile(r"(`+)(?!`).+?(?<!`)\1(?!`)", re.DOTALL)
IMAGE = re.compile(r"!\[[^\]]*\]\([^)]*\)")
LINK = re.compile(r"\[([^\]]*)\](?:\([^)]*\)|\[[^\]]*\])")
ITEM = re.compile(r"^\s*(?:[-*+]|\d+[.)])\s+")
NO_PROSE = re.compile(r"^\s*(?:\||#{1,6}\s|<)")
ABBREVIATION = re.compile(r"\b(e\.g|i\.e|etc|vs|cf)\.")
END = re.compile(r"(?<=[.!?])[)\"'*_]*\s+")


def blocks(text: str) -> Iterator[str]:
    """Yield the paragraphs and list items of a page, each on one line."""
    for pattern in (FENCE, STAMP, COMMENT, IMAGE):
        text = pattern.sub("\n", text)
    text = LINK.sub(r"\1", INLINE_CODE.sub("code", text))
    block: list[str] = []
    in_item = False
    for line in [*text.splitlines(), ""]:
        ended, code = not line.strip(), not block and not in_item and line.startswith("    ")
        if (ended or ITEM.match(line) or NO_PROSE.match(line)) and block:
            yield " ".join(block)
            block = []
        if ended or code or NO_PROSE.match(line):
            continue
        in_item = bool(ITEM.match(line)) or (in_item and line.startswith(" "))
        block.append(ITEM.sub("", line).strip().lstrip(">").strip())


def sentences(text: str) -> list[list[str]]:
    """Return the words of each sentence of a page."""
    found = []
    for block in blocks(text):
        for sentence in END.split(ABBREVIATION.sub(r"\1", block)):
            words = [word for word in sentence.split() if any(map(str.isalnum, word))]
            if words:
                found.append(words)
    return found


def figures(found: list[list[str]]) -> dict[str, float]:
    """Return the figures of these sentences."""
    words = [word.strip("\"'()*_,.:;!?").lower() for sentence in found for word in sentence]
    lengths = sorted(map(len, found))
    clauses = sum(part in {"that", "which", "what"} for word in words for part in word.split("/"))
    you = sum(word.split("'")[0] in {"you", "your", "yours", "yourself"} for word in words)
    return {
        "sentences": len(found),
        "words p90": lengths[int(len(lengths) * 0.9)] if lengths else 0,
        "that/which/what": round(100 * clauses / max(len(words), 1), 2),
        "you/your": round(1000 * you / max(len(words), 1), 1),
    }


def pages() -> dict[str, list[list[str]]]:
    """Return the sentences of every page that is written by hand, by its name in the checkout."""
    found = {}
    for pattern in PAGES:
        for path in sorted(CHECKOUT.glob(pattern)):
            text = path.read_text(encoding="utf-8")
            if GENERATED not in text:
                found[str(path.relative_to(CHECKOUT))] = sentences(text)
    return found


def worse_than_limits(total: dict[str, float]) -> list[str]:
    """Return the names of the figures that are worse than their limits."""
    above = [name for name, limit in AT_MOST.items() if total[name] > limit]
    return above + [name for name, limit in AT_LEAST.items() if total[name] < limit]


def main() -> int:
    """Print the figures of each page and of all together; return 1 if one of all together is worse than its limit."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    arguments = parser.parse_args()
    found = pages()
    rows = {name: figures(page) for name, page in found.items()}
    total = figures([sentence for page in found.values() for sentence in page])
    worse = worse_than_limits(total)
    if arguments.json:
        document = {"pages": rows, "total": total, "at most": AT_MOST, "at least": AT_LEAST, "worse": worse}
        print(json.dumps(document, indent=1))
        return bool(worse)
    print(f"{'':28}" + "".join(f"{name:>17}" for name in MEANING))
    for name, row in {**rows, "total": total}.items():
        print(f"{name:28}" + "".join(f"{value:>17,}" for value in row.values()))
    limits = {name: f"<= {limit:g}" for name, limit in AT_MOST.items()}
    limits |= {name: f">= {limit:g}" for name, limit in AT_LEAST.items()}
    print(f"{'limit':28}" + "".join(f"{limits.get(name, ''):>17}" for name in MEANING))
    print("\n" + "\n".join(f"{name}: {meaning}" for name, meaning in MEANING.items() if meaning))
    if worse:
        print(f"worse than the limit: {', '.join(worse)}", file=sys.stderr)
    return bool(worse)


if __name__ == "__main__":
    sys.exit(main())
