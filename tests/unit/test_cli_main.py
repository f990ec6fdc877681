"""What the reference of the command is made from is complete."""

from __future__ import annotations

import argparse
import signal

import pytest

from emwheels.cli.main import command_parser, main


def commands(parser, words=("emwheels",)):
    yield " ".join(words), parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, below in action.choices.items():
                yield from commands(below, (*words, name))


COMMANDS = dict(commands(command_parser()))


def test_every_argument_has_help():
    lacking = [
        f"{words}: {'/'.join(action.option_strings) or action.dest}"
        for words, parser in COMMANDS.items()
        for action in parser._actions
        if not isinstance(action, argparse._SubParsersAction) and not action.help
    ]
    assert lacking == []


@pytest.mark.parametrize(
    ("words", "dest"),
    [
        (["build", "one", "--json", "two"], "names"),
        (["plan", "--json", "one", "--target=x", "two"], "names"),
        (["audit", "one", "--json", "two"], "wheels"),
        (["index", "show", "one", "--json", "two"], "names"),
        (["bundle", "-o", "out", "one", "--json", "two"], "requirements"),
    ],
)
def test_options_may_stand_between_the_words_of_every_verb(words, dest):
    arguments = command_parser().parse_args(words)
    assert [str(word) for word in getattr(arguments, dest)] == ["one", "two"]
    assert arguments.json


def test_what_stands_for_nothing_is_refused(capsys):
    with pytest.raises(SystemExit):
        command_parser().parse_args(["lock", "one", "--no-such-option", "two"])
    assert "unrecognized arguments: --no-such-option" in capsys.readouterr().err


def test_every_verb_has_an_example():
    general = command_parser().epilog
    verbs = [words for words in COMMANDS if words.count(" ") == 1]
    assert [verb for verb in verbs if f"  {verb}" not in general + (COMMANDS[verb].epilog or "")] == []


@pytest.fixture
def handlers():
    """Of signals: `main` sets its own."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("handlers")
def test_what_an_application_team_runs_needs_no_project(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["serve", "--config", "headers"]) == 0
    assert "Access-Control-Allow-Origin" in capsys.readouterr().out
    assert main(["index", "verify", "https://wheels.example.org/pyodide-lock.json"]) == 2
    assert "try https://wheels.example.org/simple" in capsys.readouterr().err
    for words in (["list"], ["index", "show"], ["--project", str(tmp_path), "serve", "--config", "headers"]):
        assert main(words) == 2
        assert "is not inside a project" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
