"""``emwheels explain``: why a requirement can, or cannot, be installed in Pyodide."""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from packaging.requirements import InvalidRequirement, Requirement

from emwheels.cli.opening import open_environment, open_recipes, warn_of_bad
from emwheels.errors import FetchError, UsageError
from emwheels.fetch.download import PATIENCE, Downloader
from emwheels.fetch.registries import Registries
from emwheels.index import read_release
from emwheels.index.explain import SOURCES, Candidate, Explanation, explain
from emwheels.index.model import required_project
from emwheels.index.publishing import place_of
from emwheels.index.update import read_catalogue
from emwheels.progress import print_table

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from packaging.utils import NormalizedName

    from emwheels.checkout import Checkout
    from emwheels.fetch.index_pages import Offer
    from emwheels.progress import Board
    from emwheels.target import Targets

_EXAMPLES = """examples:
  emwheels explain numpy
  emwheels explain "opencv-python>=4.10" --target 315.0.0-alpha.2
  emwheels explain pandas --at s3://wheels/team      what is published there instead of dist/
  emwheels explain lxml --json

exit status: 0 something can be installed, 1 nothing can
"""
_LINES = 12
"""Versions that are shown of each source; --all shows every one."""


def add_explain(verbs: Any, common: argparse.ArgumentParser) -> None:
    """Add the verb's parser."""
    parser = verbs.add_parser(
        "explain",
        parents=[common],
        help="which wheels there are for a requirement, and why each is or is not taken",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("requirement", metavar="REQUIREMENT", help='a name, with versions if wanted: "numpy>=2"')
    parser.add_argument("--at", metavar="PLACE", help="a published index instead of dist/")
    parser.add_argument(
        "--all", action="store_true", help=f"every version, not only the newest {_LINES} of each source"
    )


def run_explain(arguments: argparse.Namespace, project: Checkout, targets: Targets) -> int:
    """Explain, print, and return the exit status."""
    try:
        requirement = Requirement(arguments.requirement)
    except InvalidRequirement as error:
        raise UsageError(
            f"{arguments.requirement!r} is not a requirement: {error}", hint='such as "numpy>=2"'
        ) from error
    if requirement.url:
        raise UsageError(
            f"{arguments.requirement!r} asks for an address, and explain looks into indexes", hint='such as "numpy>=2"'
        )
    target = targets.get(arguments.target)
    environment = open_environment(arguments, project, targets)
    runtime = environment.runtime
    catalogue = read_catalogue(place_of(arguments.at or str(project.dist)))
    _, read = open_recipes(arguments, project, targets)
    warn_of_bad(read.bad)
    recipes = read.sound
    pypi = None if arguments.offline else _offers(required_project(requirement), environment.board)
    explanation = explain(
        requirement,
        read_release(target, runtime),
        project=catalogue.projects.get(required_project(requirement)),
        pypi=pypi,
        recipes={recipe.name: recipe.version for recipe in recipes.values()},
    )
    if arguments.json:
        print(json.dumps(asdict(explanation), indent=1))
    else:
        _print(explanation, None if arguments.all else _LINES, () if pypi is not None else ("pypi",))
    return 0 if explanation.found else 1


def _offers(name: NormalizedName, board: Board) -> Sequence[Offer] | None:
    try:
        return Registries(Downloader(patience=PATIENCE)).offers(name)
    except FetchError as error:
        board.say("explain", f"PyPI was left out: {error.message}")
        return None


def _print(explanation: Explanation, limit: int | None, unasked: Collection[str]) -> None:
    for source, name in SOURCES.items():
        candidates = [candidate for candidate in explanation.candidates if candidate.source == source]
        if not candidates:
            print(f"{name}: {'not asked' if source in unasked else 'nothing'}\n")
            continue
        print(f"{name}:")
        rows = _grouped(candidates)
        print_table((), (("", *cells) for cells in rows[:limit]))
        if limit is not None and len(rows) > limit:
            print(f"  and {len(rows) - limit} more lines (--all)")
        print()
    print(f"{explanation.requirement} in Pyodide {explanation.release} is installed by")
    chosen = []
    for client, candidate in explanation.chosen.items():
        what = "nothing" if candidate is None else f"{candidate.filename} ({SOURCES[candidate.source]})"
        chosen.append(("", client, what))
    print_table((), chosen)
    if explanation.advice:
        print(f"\n{explanation.advice}")


def _grouped(candidates: Sequence[Candidate]) -> list[tuple[str, str, str]]:
    """Return a line for each file that can be taken, and one for all of a version that are refused for one reason."""
    groups: dict[tuple[str, tuple[str, ...]], list[Candidate]] = defaultdict(list)
    for candidate in candidates:
        reasons = candidate.reasons
        if candidate.kind == "platform":  # one line for Linux, macOS and Windows
            reasons = ("machine code for other systems", *reasons[1:])
        groups[candidate.version, reasons or (candidate.filename,)].append(candidate)
    rows = []
    for (version, reasons), group in groups.items():
        first = group[0]
        files = first.filename if len(group) == 1 else f"{len(group)} files"
        why = "; ".join(reasons) if first.reasons else "; ".join(("fits", *first.notes))
        rows.append((version, files, why))
    return rows
