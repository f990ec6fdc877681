"""What the reference of the command is made from is complete."""

from __future__ import annotations

import argparse

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


def test_every_verb_has_an_example():
    general = command_parser().epilog
    verbs = [words for words in COMMANDS if words.count(" ") == 1]
    assert [verb for verb in verbs if f"  {verb}" not in general + (COMMANDS[verb].epilog or "")] == []
