"""``emwheels run`` before anything runs: words, folders, and what a script says that it needs."""

from __future__ import annotations

import argparse
from types import SimpleNamespace

import pytest

from emwheels.cli import run as cli
from emwheels.cli.main import command_parser
from emwheels.errors import UsageError

TARGET = SimpleNamespace(name="314.0.7", python="3.14.2")


def parsed(*words):
    return command_parser().parse_args(["run", *words])


@pytest.mark.parametrize(
    ("words", "way", "left"),
    [
        (["--with", "numpy", "-c", "print(1)", "--with", "x"], "-c", ["print(1)", "--with", "x"]),
        (["-m", "pytest", "-q", "-k", "a"], "-m", ["pytest", "-q", "-k", "a"]),
        (["script.py", "--json", "-m", "x"], None, ["script.py", "--json", "-m", "x"]),
        (["--with", "numpy"], None, []),
    ],
)
def test_what_stands_behind_the_program_is_the_program_s(words, way, left):
    arguments = parsed(*words)
    assert (arguments.way, arguments.words) == (way, left)


def test_a_script_is_seen_where_it_lies(tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    script = tmp_path / "here" / "sub" / "script.py"
    script.parent.mkdir()
    script.write_text("")
    monkeypatch.chdir(tmp_path / "here")
    inside = cli._program(parsed("--env", "A=b=c", "sub/script.py", "x"))
    assert (inside.words, inside.folder) == (("sub/script.py", "x"), tmp_path / "here")
    assert inside.environment == (("A", "b=c"),)
    monkeypatch.chdir("/")
    monkeypatch.chdir(tmp_path / "here" / "sub")
    assert cli._program(parsed(str(script))).folder == script.parent
    assert cli._program(parsed("--mount", str(tmp_path), str(script))).words == ("here/sub/script.py",)


def test_code_and_a_prompt_see_no_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert cli._program(parsed("-c", "1")).folder is None
    assert cli._program(parsed()).words == ()
    assert cli._program(parsed("-m", "pytest")).folder == tmp_path


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["-m"], "-m needs a word"),
        (["missing.py"], "there is no script missing.py"),
        (["--mount", "nowhere", "-c", "1"], "no such folder"),
        (["--mount", "empty", "script.py"], "is not in"),
        (["--env", "A", "-c", "1"], "write NAME=VALUE"),
    ],
)
def test_wrong_use_is_said(tmp_path, monkeypatch, words, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "script.py").write_text("")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match=message):
        cli._program(parsed(*words))


def declared(tmp_path, text):
    script = tmp_path / "s.py"
    script.write_text(text)
    return cli._declared(script, TARGET)


def test_the_block_of_pep_723_is_read(tmp_path):
    block = (
        '# /// script\n# requires-python = ">=3.12"\n# dependencies = [\n#   "numpy>=2",\n#\n#   "lxml",\n# ]\n# ///\n'
    )
    assert declared(tmp_path, f"#!/usr/bin/env python\n{block}\nimport numpy\n") == ["numpy>=2", "lxml"]
    assert declared(tmp_path, "import numpy\n") == []
    assert declared(tmp_path, block.removesuffix("\n")) == ["numpy>=2", "lxml"]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ('# requires-python = ">=3.15"', r"requires Python >=3\.15, and Pyodide 314\.0\.7 has 3\.14\.2"),
        ('# requires-python = "new"', "requires-python in its block"),
        ("# requires-python = 3", "requires-python in its block"),
        ('# dependencies = "numpy"', "must be a list of texts"),
        ("# dependencies = [1]", "must be a list of texts"),
        ("# dependencies = [", "is no TOML"),
        ("# b = 1\n# ///\nx = 1\n# /// script\n# a = 1", "allows one"),
    ],
)
def test_a_wrong_block_is_said(tmp_path, lines, message):
    with pytest.raises(UsageError, match=message):
        declared(tmp_path, f"# /// script\n{lines}\n# ///\n")


def test_help_shows_examples():
    verbs = next(action for action in command_parser()._actions if isinstance(action, argparse._SubParsersAction))
    assert "-m pytest" in verbs.choices["run"].format_help()


@pytest.mark.parametrize("block", ["# /// script\n# x = " + "1" * 5000 + "\n# ///\n", "# /// script\n" * 5000])
def test_a_block_that_cannot_be_read_is_said(tmp_path, block):
    (tmp_path / "script.py").write_text(block)
    with pytest.raises(UsageError, match="/// script"):
        cli._declared(tmp_path / "script.py", TARGET)


def test_a_place_to_save_to_is_looked_at_before_the_program_runs(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="is no folder"):
        cli._program(parsed("--save", str(tmp_path / "file"), "-c", "1"))
