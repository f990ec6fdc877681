"""The options of ``emwheels build`` for a project without a recipe, and how such a one is told from a recipe."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from emwheels.errors import UsageError

if TYPE_CHECKING:
    import argparse

ARCHIVES = (".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".zip")
WEB = ("https://", "http://", "git+")


def add_own(parser: argparse.ArgumentParser, verb: str) -> None:
    """Add what is only for projects without a recipe to the parser of ``build`` or ``test``."""
    own = parser.add_argument_group("projects without a recipe (a folder, an archive, an address, NAME==VERSION)")
    own.add_argument(
        "-r", dest="requirements", action="append", type=Path, metavar="FILE", help="all that this list needs"
    )
    own.add_argument(
        "-o", "--output-dir", type=Path, metavar="FOLDER", help="where wheels are laid (default: wheelhouse)"
    )
    own.add_argument("--summary", type=Path, metavar="FILE", help="add what came of it to this file, as Markdown")
    if verb == "build":
        own.add_argument(
            "--lock", action="store_true", help="lock anew, and keep the locks in emwheels.lock beside pyproject.toml"
        )


def is_own(arguments: argparse.Namespace) -> bool:
    """Tell whether the command line names something else than recipes. Raises `UsageError` where it names both."""
    names: list[str] = getattr(arguments, "names", [])
    own = [name for name in names if _is_own(name)]
    if own and len(own) < len(names):
        recipe = next(name for name in names if not _is_own(name))
        raise UsageError(f"{own[0]} is a project and {recipe} a recipe: give one kind at a time")
    return bool(own or getattr(arguments, "requirements", None))


def _is_own(text: str) -> bool:
    return text.startswith((".", "~", *WEB)) or os.sep in text or "==" in text or text.endswith(ARCHIVES)
