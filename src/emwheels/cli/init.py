"""``emwheels init``: makes a folder a project of its own, on the standard recipes."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emwheels import __version__
from emwheels.author.starting import SERVICES, starting_files, write_new
from emwheels.checkout.standard import standard_folder, standard_version
from emwheels.cli.opening import local_path
from emwheels.errors import EmwheelsError, UsageError

if TYPE_CHECKING:
    from emwheels.checkout import Checkout
    from emwheels.target import Targets

_EXAMPLES = """examples:
  emwheels init                                  in the working folder: emwheels.toml, recipes/, .gitignore
  emwheels init wheels --ci github               in a new folder, with a workflow for GitHub Actions
  emwheels init --ci gitlab --noxfile            with pipelines for GitLab, and sessions for nox
  emwheels init --target 314.0.7 --target 315.0.0-alpha.2

A file that is there already stays as it is; the output names it.
"""


def add_init(verbs: Any, _common: argparse.ArgumentParser) -> None:
    """Add the verb's parser."""
    parser = verbs.add_parser(
        "init",
        help="make a folder a project of its own, on the standard recipes",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "folder", nargs="?", type=local_path, default=Path(), metavar="FOLDER", help="where (default: here)"
    )
    parser.add_argument(
        "--target",
        dest="targets",
        action="append",
        metavar="TARGET",
        help="a Pyodide version to build for; may be repeated (default: the newest stable one)",
    )
    parser.add_argument("--ci", action="append", choices=SERVICES, default=[], help="also write files for this service")
    parser.add_argument("--noxfile", action="store_true", help="also write a noxfile.py")
    parser.add_argument("--json", action="store_true", help="print what was written as JSON on standard output")


def run_init(arguments: argparse.Namespace, _project: Checkout, targets: Targets) -> int:
    """Write the files, say which were left, print the next commands, and return the exit status."""
    shipped = standard_folder()
    if shipped is None:
        raise EmwheelsError("this emwheels has no standard recipes", hint="install emwheels from its wheel")
    chosen = list(dict.fromkeys(arguments.targets or [targets.default]))
    for name in chosen:
        targets.get(name)
    texts = starting_files(
        version=__version__,
        standard=standard_version(shipped),
        targets=chosen,
        services=list(dict.fromkeys(arguments.ci)),
        noxfile=arguments.noxfile,
        shipped=shipped,
    )
    folder = arguments.folder.absolute()
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is no folder", hint="name a folder, which may be a new one")
    written, left = write_new(folder, texts)
    if arguments.json:
        print(json.dumps({"folder": str(folder), "written": written, "left": left}, indent=1))
        return 0
    for name in written:
        print(f"wrote {name}")
    for name in left:
        print(f"left  {name}: it is there already")
    into = "" if folder == Path.cwd() else f" in {arguments.folder}"
    print(f"\nNext{into}:\n  emwheels list\n  emwheels new-recipe NAME\n  emwheels build --all")
    return 0
