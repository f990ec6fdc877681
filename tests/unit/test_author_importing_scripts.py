"""Foreign recipes that are made to take for ever, or to nest too deep."""

from __future__ import annotations

from emwheels.author import importing
from emwheels.author.importing_scripts import Changes, script


def test_lines_that_are_made_to_take_for_ever_do_not():
    lines = (" " * 50_000 + "x", "embuilder" + " " * 50_000 + ";", '"--use-port=' + "a" * 50_000 + " x")
    for line in lines:
        assert script(line, "build.script", lambda _: [], Changes()) == line


def test_tests_that_nest_too_deep_are_not_taken():
    each = importing.TakenOver(name="spam")
    assert importing._file("test_a.py", b"x = " + b"-" * 100_000 + b"1", each) == b""
    assert "no Python" in each.done[0]
