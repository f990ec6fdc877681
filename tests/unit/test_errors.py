"""Exit statuses: all of them are those of `emwheels.errors`, and the help names them."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re

import emwheels
from emwheels import errors
from emwheels.cli.main import command_parser

STATUSES = {
    kind.exit_code for kind in vars(errors).values() if inspect.isclass(kind) and issubclass(kind, errors.EmwheelsError)
}


def descendants(kind):
    return {kind}.union(*map(descendants, kind.__subclasses__()))


def test_no_status_is_defined_elsewhere():
    for module in pkgutil.walk_packages(emwheels.__path__, "emwheels."):
        if ".inside" not in module.name and not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    own = {kind for kind in descendants(errors.EmwheelsError) if kind.__module__.startswith("emwheels.")}
    assert {kind.exit_code for kind in own} == STATUSES


def test_help_names_every_status():
    text = command_parser().epilog.partition("exit status: ")[2]
    assert {int(number) for number in re.findall(r"\b\d+\b", text)} == STATUSES | {0}


def test_each_says_what_happened():
    for kind in vars(errors).values():
        if inspect.isclass(kind) and issubclass(kind, errors.EmwheelsError):
            assert kind.__doc__
