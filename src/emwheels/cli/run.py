"""``emwheels run``: a script, a module, code or a prompt in Pyodide, with wheels of the index."""

from __future__ import annotations

import argparse
import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from packaging.specifiers import InvalidSpecifier, SpecifierSet

from emwheels.cli.bundle import finder_of, read_requirement
from emwheels.cli.opening import add_limits, add_profile, limits_given, local_path, open_environment
from emwheels.errors import UsageError
from emwheels.index.resolve import resolve
from emwheels.pipeline.program import Program, run_program
from emwheels.target.limits import default_limits

if TYPE_CHECKING:
    from emwheels.checkout import Checkout
    from emwheels.target import Target, Targets

_EXAMPLES = """examples:
  emwheels run --with numpy -c "import numpy; print(numpy.arange(3))"
  emwheels run script.py input.csv                 what its first lines name (PEP 723) is installed
  emwheels run --with lxml --save out script.py    files that it writes are copied to out/
  emwheels run --with pytest -m pytest             tests of the working folder
  emwheels run --with pandas                       a prompt; Ctrl-D ends it
  emwheels run --limit time=60s --limit memory=2G script.py

The program sees a copy of the working folder (of the script's, if that is elsewhere) at the same path, and nothing else
of this machine; there is no network without --network. Wheels come from dist/; what is not there comes from PyPI.
The exit status is the program's.
"""
_METADATA = re.compile(r"(?m)^# /// script\s*$\n(?P<content>(?:^#(?:| .*)$\n)+?)^# ///\s*$")
"""The block of PEP 723, without others."""
_MOST_BLOCKS = 100


def add_run(verbs: Any, common: argparse.ArgumentParser) -> None:
    """Add the verb's parser."""
    parser = verbs.add_parser(
        "run",
        parents=[common],
        help="run a script, a module, code or a prompt in Pyodide, with wheels of the index",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        usage="emwheels run [options] [-c CODE | -m MODULE | SCRIPT] [ARGUMENT ...]",
    )
    asked = "install this, e.g. numpy or pandas>=3; may be repeated"
    parser.add_argument("--with", action="append", default=[], dest="requirements", metavar="REQUIREMENT", help=asked)
    mount = "copy this folder and no other for the program, which starts in it"
    parser.add_argument("--mount", type=local_path, metavar="FOLDER", help=mount)
    save = "copy the files that the program makes or changes to this folder"
    parser.add_argument("--save", type=local_path, metavar="FOLDER", help=save)
    parser.add_argument("--env", action="append", default=[], metavar="NAME=VALUE", help="set a variable")
    parser.add_argument("--network", action="store_true", help="let the program reach the network")
    parser.add_argument("-c", action="store_const", const="-c", dest="way", help="run CODE, the word that follows")
    parser.add_argument("-m", action="store_const", const="-m", dest="way", help="run MODULE, the word that follows")
    parser.add_argument("words", nargs=argparse.REMAINDER, metavar="SCRIPT", help="the script, and its arguments")
    parser.add_argument("--index", metavar="URL", help="a published index in place of dist/; needs no project around")
    add_profile(parser, "wheels of the dist/ of this profile (speed)")
    add_limits(parser)


def run_run(arguments: argparse.Namespace, project: Checkout, targets: Targets) -> int:
    """Run the program, and return its exit status."""
    target = targets.get(arguments.target)
    program = _program(arguments)
    script = _script(arguments)
    requirements = [*arguments.requirements, *(_declared(script, target) if script else ())]
    limits = default_limits().with_texts({"idle": "none", **limits_given(arguments)})
    environment = open_environment(arguments, project, targets)
    wheels = resolve([read_requirement(text) for text in requirements], finder_of(arguments, project, environment))
    return run_program(
        program,
        environment,
        {wheel.filename: wheel.path for wheel in wheels},
        limits=limits,
        network=arguments.network,
    )


def _script(arguments: argparse.Namespace) -> Path | None:
    """Return the script that is to run. Raises `UsageError` if it is not there."""
    if arguments.way or not arguments.words:
        return None
    script = Path(arguments.words[0])
    if not script.is_file():
        raise UsageError(f"there is no script {script}", hint="or write -m before a module, -c before code")
    return script.resolve()


def _program(arguments: argparse.Namespace) -> Program:
    words = arguments.words
    if arguments.way and not words:
        raise UsageError(f"{arguments.way} needs a word behind it", hint="see emwheels run --help")
    script, here = _script(arguments), Path.cwd()
    folder = arguments.mount.resolve() if arguments.mount else None
    if arguments.save and arguments.save.exists() and not arguments.save.is_dir():
        raise UsageError(f"--save {arguments.save} is no folder", hint="name a folder, which may be a new one")
    if folder is not None and not folder.is_dir():
        raise UsageError(f"--mount {arguments.mount}: there is no such folder")
    if folder is None and script is not None:
        folder = here if script.is_relative_to(here) else script.parent
    elif folder is None and arguments.way == "-m":
        folder = here
    if script is not None and folder is not None and not script.is_relative_to(folder):
        raise UsageError(f"{script} is not in {folder}", hint="name the folder that has both with --mount")
    if script is not None and folder is not None:
        words = [str(script.relative_to(folder)), *words[1:]]
    return Program(
        words=tuple([arguments.way, *words] if arguments.way else words),
        folder=folder,
        environment=tuple(_variable(text) for text in arguments.env),
        save=arguments.save,
    )


def _variable(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise UsageError(f"--env {text}: write NAME=VALUE")
    return name, value


def _declared(script: Path, target: Target) -> list[str]:
    """Return what a script says that it needs (PEP 723). Raises `UsageError` for what is wrong with that."""
    text = script.read_text(encoding="utf-8", errors="replace")
    if text.count("# /// script") > _MOST_BLOCKS:  # each would be looked for an end to the end of the file
        raise UsageError(f"{script}: there are more than {_MOST_BLOCKS} blocks '# /// script'; PEP 723 allows one")
    blocks = list(_METADATA.finditer(text + "\n"))
    if not blocks:
        return []
    if len(blocks) > 1:
        raise UsageError(f"{script}: there are {len(blocks)} blocks '# /// script'; PEP 723 allows one")
    lines = blocks[0]["content"].splitlines()
    try:
        declared = tomllib.loads("\n".join(line[2:] if line.startswith("# ") else line[1:] for line in lines))
    except (ValueError, RecursionError) as error:  # of TOML, or of a number too long for Python
        raise UsageError(f"{script}: its block '# /// script' is no TOML: {error}") from error
    python, needs = declared.get("requires-python", ""), declared.get("dependencies", [])
    if not isinstance(needs, list) or not all(isinstance(each, str) for each in needs):
        raise UsageError(f"{script}: dependencies in its block '# /// script' must be a list of texts")
    try:
        fits = SpecifierSet(python if isinstance(python, str) else "?").contains(target.python, prereleases=True)
    except InvalidSpecifier as error:
        raise UsageError(f"{script}: requires-python in its block '# /// script': {error}") from error
    if not fits:
        raise UsageError(
            f"{script} requires Python {python}, and Pyodide {target.name} has {target.python}",
            hint="choose another release: --target",
        )
    return needs
