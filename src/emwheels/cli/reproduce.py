"""``emwheels reproduce``: the same inputs give the same bytes, or where they do not."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from emwheels.cli.opening import NAMES, add_profile, is_documented, open_builds, open_environment, open_recipes
from emwheels.errors import EmwheelsError, UsageError
from emwheels.pipeline.reproduce import NotReproducedError, Reproduction, reproduce
from emwheels.progress import print_table

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from emwheels.checkout import Checkout
    from emwheels.target import Targets

_EXAMPLES = """examples:
  emwheels reproduce msgpack            build it twice, in other folders, with other jobs, and compare
  emwheels reproduce --all --json       every recipe, for a script
  emwheels reproduce --once numpy       build it once more, and compare with what is in the store

exit status: 0 every byte is equal, 6 something differs or did not build
"""


def add_reproduce(verbs: Any, parents: Sequence[argparse.ArgumentParser]) -> None:
    """Add the verb's parser."""
    parser = verbs.add_parser(
        "reproduce",
        parents=parents,
        help="build packages twice and compare the bytes",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=NAMES)
    parser.add_argument("--all", action="store_true", help="every recipe")
    parser.add_argument(
        "--once", action="store_true", help="build once, on another day by another user, and compare with the store"
    )
    add_profile(parser)


def run_reproduce(arguments: argparse.Namespace, project: Checkout, targets: Targets) -> int:
    """Build and compare, print a table, and return the exit status."""
    if bool(arguments.names) == arguments.all:
        raise UsageError("give names, or --all")
    read, _ = open_recipes(arguments, project, targets, arguments.names)
    environment = open_environment(arguments, project, targets)
    builds = open_builds(arguments, environment)
    reproductions: list[Reproduction] = []
    failed: dict[str, EmwheelsError] = {}
    for name in read.names:
        try:
            reproductions.append(reproduce(environment, builds, name, arguments.profile, once=arguments.once))
        except EmwheelsError as error:
            failed[name] = error
            print(f"emwheels: {name}: {error.message}", file=sys.stderr)
            continue
        if (docs := project.root / "docs").is_dir() and is_documented(arguments, targets):
            _note(reproductions[-1], docs / "reproduce" / f"{reproductions[-1].name}.json", once=arguments.once)
        verdict = "the same bytes" if reproductions[-1].same else f"differs: {reproductions[-1].difference}"
        environment.board.say(reproductions[-1].name, verdict)
    if arguments.json:
        rows = [asdict(one) | {"same": one.same} for one in reproductions]
        print(json.dumps(rows + [{"name": name, "error": str(error)} for name, error in failed.items()], indent=1))
    else:
        _print(reproductions, failed)
    if failed:
        return next(iter(failed.values())).exit_code
    return 0 if all(one.same for one in reproductions) else NotReproducedError.exit_code


def _note(reproduction: Reproduction, path: Path, *, once: bool) -> None:
    """Write down what came of it, and of which wheel, for docs/reproduce.md."""
    document = {
        "name": reproduction.name,
        "version": reproduction.version,
        "date": datetime.now(UTC).date().isoformat(),
        "how": "`reproduce --once`" if once else "`reproduce`",
        "same": reproduction.same,
        "difference": reproduction.difference,
        "varied": list(reproduction.varied),
        "wheels": {reproduction.name: reproduction.content},
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _print(reproductions: Sequence[Reproduction], failed: dict[str, EmwheelsError]) -> None:
    rows = [
        (
            one.name,
            "yes" if one.same else "no",
            ", ".join(one.varied),
            " ".join(f"{seconds:.1f}" for seconds in one.seconds),
            "; ".join([one.difference, *one.files]) if one.difference else "",
        )
        for one in reproductions
    ]
    rows += [(name, "?", "", "", f"failed: {error.message.splitlines()[0]}") for name, error in failed.items()]
    print_table(("package", "same bytes", "another", "seconds", "first difference"), rows, right=("seconds",))
    print(f"{sum(one.same for one in reproductions)} of {len(reproductions) + len(failed)} reproduce")
