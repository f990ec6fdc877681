"""``emwheels lock``: what a recipe's build, wheel, own and upstream tests require, pinned by hash."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from emwheels.cli.opening import NAMES, open_environment, open_recipes, say_bad
from emwheels.errors import UsageError
from emwheels.pipeline.locking import LockOptions, lock_recipe, open_locking
from emwheels.recipe.select import is_selector

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from emwheels.checkout import Checkout
    from emwheels.fetch.lock import Pinned
    from emwheels.pipeline.environment import Environment
    from emwheels.target import Targets

_EXAMPLES = """examples:
  emwheels lock regex                             the newest versions that fit
  emwheels lock regex --min-age 14                nothing that was uploaded in the last two weeks
  emwheels lock regex --exclude-newer 2026-11-01  nothing that was uploaded after that day
  emwheels lock regex --any-index cython          this project from any of pip's indexes

The source's build backend is asked in the sandbox what it needs when it runs, with the recipe's patches applied.
"""


def add_lock(verbs: Any, common: argparse.ArgumentParser) -> None:
    """Add the verb's parser."""
    lock = verbs.add_parser(
        "lock",
        parents=[common],
        help="pin build, run and test requirements by hash",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    lock.add_argument("names", nargs="+", metavar="NAME", help=NAMES)
    lock.add_argument(
        "--any-index",
        action="append",
        default=[],
        metavar="PROJECT",
        help="take this project from any of pip's indexes, not only from the first that has it; may be repeated",
    )
    age = lock.add_mutually_exclusive_group()
    age.add_argument(
        "--exclude-newer", metavar="DATE", help="only files uploaded until then: YYYY-MM-DD, or with a time"
    )
    age.add_argument("--min-age", type=int, metavar="DAYS", help="only files uploaded at least so many days ago")


def run_lock(arguments: argparse.Namespace, project: Checkout, targets: Targets) -> int:
    """Lock, print the names of the files that were written, and return the exit status."""
    options = LockOptions(any_index=tuple(arguments.any_index), newest=_newest(arguments))
    environment = open_environment(arguments, project, targets)
    read, every = open_recipes(arguments, project, targets, arguments.names)
    packages = {name for name, recipe in every.sound.items() if recipe.takes_wheels}
    patterns = any(map(is_selector, arguments.names))  # which may pick libraries, too
    chosen = [name for name in read.names if name in read.sound and (name in packages or not patterns)]
    if patterns:
        chosen = [name for name in chosen if project.is_own(read.sound[name].folder)]
    for name in chosen:
        project.check_own(read.sound[name].folder, "lock")
    bad = say_bad(read.bad)
    with open_locking(environment, options, every.sound) as locking:
        for name in chosen:
            for file, pinned in lock_recipe(locking, read.sound[name]):
                _tell(environment, file, pinned)
    return bad


def _newest(arguments: argparse.Namespace) -> datetime | None:
    """Return until when a file may have been uploaded. Raises `UsageError` for a date that is none."""
    text, days = arguments.exclude_newer, arguments.min_age
    if days is not None:
        if not 0 <= days <= _MOST_DAYS:
            raise UsageError(f"--min-age {days}: give a number of days, from 0 to {_MOST_DAYS}")
        return datetime.now(UTC) - timedelta(days=days)
    if text is None:
        return None
    try:
        newest = datetime.fromisoformat(text)
    except ValueError as error:
        raise UsageError(f"--exclude-newer {text!r}: {error}", hint="for example --exclude-newer 2026-11-01") from error
    if len(text) <= len("2026-11-01"):
        newest += timedelta(days=1, microseconds=-1)  # a day is within it
    return newest if newest.tzinfo else newest.replace(tzinfo=UTC)


_MOST_DAYS = 36500


def _tell(environment: Environment, file: Path, pinned: Sequence[Pinned]) -> None:
    """Print the file, and beside it which index each version came from."""
    for pin in pinned:
        environment.board.say(file.parent.name, f"{pin.name} {pin.version} from {pin.index}")
    print(file.relative_to(environment.project.root))
