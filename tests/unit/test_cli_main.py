"""What the reference of the command is made from is complete."""

from __future__ import annotations

import argparse

import pytest

from emwheels.cli.main import command_parser


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
