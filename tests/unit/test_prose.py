"""What benchmarks/prose.py counts as a sentence, and what it leaves out."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from typing import Any

import pytest

PROGRAM = Path(__file__).parents[2] / "benchmarks" / "prose.py"


@pytest.fixture(scope="module")
def prose() -> Any:
    spec = importlib.util.spec_from_file_location("prose", PROGRAM)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def told(prose: Any, text: str) -> list[str]:
    return [" ".join(words) for words in prose.sentences(text)]


def test_sentences(prose):
    text = "numpy 2.5.5 is built.\nIt has tests; they pass! Do they? numpy (once.) and *twice.*\n\nSecond paragraph:\n"
    assert told(prose, text) == [
        "numpy 2.5.5 is built.",
        "It has tests; they pass!",
        "Do they?",
        "numpy (once.",
        "and *twice.*",
        "Second paragraph:",
    ]


def test_an_abbreviation_ends_no_sentence(prose):
    assert told(prose, "An option, e.g. this one, is passed on.") == ["An option, e.g this one, is passed on."]


@pytest.mark.parametrize(
    "text",
    [
        "```console\n$ emwheels list\n```",
        "   ```js\n   const a = 1;\n\n   run(a);\n   ```",
        "~~~\ncode\n~~~",
        "    python benchmarks/prose.py\n    python benchmarks/prose.py --json",
        "# How it works\n### The image",
        "| rule | finds |\n|---|---|\n| `tag` | a name that is wrong. |",
        "<!-- a comment\n\nof two paragraphs -->",
        "<!-- wheels: numpy=? 2026-11-22 -->\n*Of **an earlier** numpy; 2026-11-22.*",
        "![The page on a desktop](page.jpg)",
        "* \n\n---",
    ],
)
def test_what_is_no_prose(prose, text):
    assert told(prose, f"Before.\n\n{text}\n\nAfter.\n") == ["Before.", "After."]


def test_a_list_item_is_a_sentence_at_least(prose):
    text = "You need:\n\n* a disk\n- a processor of\n  two cores. Or four\n1. `pip`,\n\n   which is there\n2) nothing\n"
    assert told(prose, text) == [
        "You need:",
        "a disk",
        "a processor of two cores.",
        "Or four",
        "code,",
        "which is there",
        "nothing",
    ]


def test_code_is_one_word_and_a_link_its_text(prose):
    text = "Run `nox -s tests. Then` and ``a `b` c``, see [the other page](what-is-that.md#you) and [this][that].\n"
    assert told(prose, text) == ["Run code and code, see the other page and this."]


def test_figures(prose):
    found = prose.sentences("You see that which is yours. What? `that` (that/which) is your's.\n")
    assert prose.figures(found) == {
        "sentences": 3,
        "words p90": 6,
        "that/which/what": round(100 * 5 / 11, 2),
        "you/your": round(1000 * 3 / 11, 1),
    }


def test_figures_of_nothing(prose):
    assert prose.figures([]) == {"sentences": 0, "words p90": 0, "that/which/what": 0, "you/your": 0}


def test_the_90th_percentile(prose):
    assert prose.figures([["word"] * length for length in range(1, 11)])["words p90"] == 10
    assert prose.figures([["word"] * length for length in (*range(1, 20), 1000)])["words p90"] == 19


@pytest.fixture
def checkout(prose, tmp_path, monkeypatch):
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "packages.md").write_text(
        "<!-- Written by `emwheels tables`; do not edit. -->\n\nThat is that.\n"
    )
    (tmp_path / "docs" / "notes.txt").write_text("That is what that is.\n")
    monkeypatch.setattr(prose, "CHECKOUT", tmp_path)
    monkeypatch.setattr(sys, "argv", ["prose.py"])
    return tmp_path


def test_within_the_limits(prose, checkout, capsys):
    (checkout / "README.md").write_text("You build numpy.\n")
    (checkout / "docs" / "more.md").write_text("emwheels tests it.\n")
    assert prose.main() == 0
    printed, said = capsys.readouterr()
    assert [line.split()[0] for line in printed.splitlines()[1:5]] == ["README.md", "docs/more.md", "total", "limit"]
    assert said == ""


def test_worse_than_a_limit(prose, checkout, capsys, monkeypatch):
    (checkout / "README.md").write_text(f"That is {'very ' * 40}long.\n")
    monkeypatch.setattr(sys, "argv", ["prose.py", "--json"])
    assert prose.main() == 1
    document = json.loads(capsys.readouterr().out)
    assert document["worse"] == ["words p90", "that/which/what", "you/your"]
    assert document["total"] == document["pages"]["README.md"]
    assert (document["at most"], document["at least"]) == (prose.AT_MOST, prose.AT_LEAST)
    monkeypatch.setattr(sys, "argv", ["prose.py"])
    assert prose.main() == 1
    assert "worse than the limit: words p90, that/which/what, you/your" in capsys.readouterr().err


def test_the_pages_of_this_project(prose):
    found = prose.pages()
    assert {"README.md", "CONTRIBUTING.md", "docs/how-it-works.md"} <= set(found)
    assert not {"docs/packages.md", "docs/upstream-tests.md", "docs/reproduce.md"} & set(found)
    assert prose.worse_than_limits(prose.figures([sentence for page in found.values() for sentence in page])) == []
