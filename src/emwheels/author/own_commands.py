"""``test-command`` and ``before-test`` of a project -> what pytest is to run in an engine, where there is no shell."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from emwheels.errors import UsageError
from emwheels.recipe.document import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

_PLACES = re.compile(r"\{(?:project|package)\}/?")
_PYTHON = re.compile(r"python(?:3(?:\.\d+)?)?")
_WITH_VALUE = frozenset({"-k", "-m", "-p", "-c", "-o", "-W", "-n", "--rootdir", "--ignore", "--deselect", "--maxfail"})
"""Options of pytest whose value is the word behind them."""
_RUN = '''"""{title}: written from the commands of pyproject.toml."""

from __future__ import annotations

import runpy
import sys


def _run(arguments, code="", module="", file=""):
    before = sys.argv
    sys.argv = arguments
    try:
        if code:
            exec(compile(code, "<command>", "exec"), {{"__name__": "__main__"}})
        elif module:
            runpy.run_module(module, run_name="__main__", alter_sys=True)
        else:
            runpy.run_path(file, run_name="__main__")
    except SystemExit as end:
        if end.code not in (None, 0):
            raise AssertionError(f"{{arguments[0]}} ended with {{end.code}}") from None
    finally:
        sys.argv = before
'''


@dataclass(frozen=True, kw_only=True)
class Command:
    """``python …``, as it runs in an interpreter that is there already."""

    arguments: tuple[str, ...]
    """``sys.argv``."""
    code: str = ""
    module: str = ""
    file: str = ""

    @property
    def call(self) -> str:
        """The call of `_RUN`'s function."""
        return f"_run({list(self.arguments)!r}, code={self.code!r}, module={self.module!r}, file={self.file!r})"


@dataclass(frozen=True, kw_only=True)
class Commands:
    """What the commands of a project come to."""

    pytest: tuple[str, ...] | None = None
    """Arguments of pytest without paths; None where no command is pytest."""
    paths: tuple[str, ...] = ()
    """What pytest collects, relative to the project; everything if empty."""
    programs: tuple[Command, ...] = field(default=())

    @property
    def files(self) -> list[str]:
        """The files and folders that the commands name."""
        named = [*(path.partition("::")[0] for path in self.paths), *(each.file for each in self.programs)]
        return [*dict.fromkeys(filter(None, named))]


def read_commands(texts: Iterable[str], folder: Path, key: str) -> Commands:
    """Read the commands of ``key``, whose paths are in ``folder``. Raises `UsageError` for what no engine can run."""
    arguments: list[str] | None = None
    paths: list[str] = []
    programs: list[Command] = []
    for words in _split(texts, key):
        if words[0] == "pytest":
            rest, found = _paths(words[1:], folder)
            arguments = [*(arguments or []), *rest]
            paths += found
        else:
            programs.append(_program(words, key))
    return Commands(
        pytest=None if arguments is None else tuple(arguments), paths=tuple(paths), programs=tuple(programs)
    )


def test_file(programs: Sequence[Command]) -> str:
    """Return a pytest module with a test for each of ``programs``."""
    tests = (f"\n\ndef test_command_{number}():\n    {each.call}\n" for number, each in enumerate(programs, 1))
    return _RUN.format(title="The test commands") + "".join(tests)


def conftest_file(programs: Sequence[Command]) -> str:
    """Return a conftest.py that runs ``programs`` before any test is collected."""
    return _RUN.format(title="What runs before the tests") + "\n\n" + "".join(f"{each.call}\n" for each in programs)


def _split(texts: Iterable[str], key: str) -> Iterable[list[str]]:
    for text in texts:
        try:
            words = shlex.split(_PLACES.sub("", text))
        except ValueError as error:
            raise _fault(key, text, str(error)) from error
        command: list[str] = []
        for word in [*words, "&&"]:
            if word != "&&":
                command.append(word)
            elif command:
                yield _known(command, key, text)
                command = []


def _known(words: list[str], key: str, text: str) -> list[str]:
    if words[0] == "pytest" or not _PYTHON.fullmatch(words[0]):
        if words[0] != "pytest":
            raise _fault(key, text, f"{printable(words[0])} is no Python")
        return words
    if words[1:3] == ["-m", "pytest"]:
        return ["pytest", *words[3:]]
    if len(words) < 2 or (words[1].startswith("-") and (words[1] not in ("-c", "-m") or len(words) < 3)):
        raise _fault(key, text, "python takes -c CODE, -m MODULE or a file here")
    return words


def _program(words: Sequence[str], key: str) -> Command:
    match words[1]:
        case "-c":
            return Command(arguments=("-c", *words[3:]), code=words[2])
        case "-m":
            return Command(arguments=(words[2], *words[3:]), module=words[2])
    file = words[1].rstrip("/") or "."
    if file.startswith("/") or ".." in file.split("/"):
        raise _fault(key, file, "the file is not in the project")
    return Command(arguments=(file, *words[2:]), file=file)


def _paths(words: Sequence[str], folder: Path) -> tuple[list[str], list[str]]:
    """Part the words behind ``pytest`` into arguments and what names files of the project."""
    arguments, paths, before = [], [], ""
    for word in words:
        name = word.partition("::")[0].rstrip("/")
        inside = bool(name) and not name.startswith(("-", "/")) and ".." not in name.split("/")
        if inside and before not in _WITH_VALUE and (folder / name).exists():
            if name != ".":
                paths.append(word.rstrip("/"))
        else:
            arguments.append(word)
        before = word
    return arguments, paths


def _fault(key: str, text: str, why: str) -> UsageError:
    return UsageError(
        f"tool.emwheels.{key}: {printable(text)}: {why}",
        hint="tests run in a browser, without a shell: write pytest …, python -m MODULE, python -c CODE or python FILE",
    )
