"""``emwheels new-recipe``: a package of an index gets a recipe, is built, mended where that is known, and tested."""

from __future__ import annotations

import argparse
import json
import os
from dataclasses import asdict, dataclass, field
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emwheels.author.new import WRITE, Asked, Proposal, first_words, parse_asked, propose, write_recipe
from emwheels.author.new_build import BroughtUp, bring_up
from emwheels.author.new_folder import propose_folder
from emwheels.author.new_library import library_name
from emwheels.cli.opening import open_environment
from emwheels.cli.own_tests import add_own_tests
from emwheels.cli.workshop import CommandWorkshop
from emwheels.errors import EmwheelsError, RecipeError, UsageError
from emwheels.fetch.download import PATIENCE, Downloader
from emwheels.fetch.registries import Registries
from emwheels.harness.engines import ENGINES
from emwheels.progress import print_table
from emwheels.recipe.load import load_recipes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from emwheels.checkout import Checkout
    from emwheels.fetch.fetcher import Fetched
    from emwheels.fetch.index_pages import Offer
    from emwheels.pipeline.environment import Environment
    from emwheels.recipe.model import Recipe
    from emwheels.target import Targets

_EXAMPLES = """examples:
  emwheels new-recipe crc32c                    the newest version: recipe, lock, build, first test
  emwheels new-recipe mmh3==5.1.0 --engine node
  emwheels new-recipe --with-dependencies netcdf4    also recipes for what it needs and has none
  emwheels new-recipe ./acme                    the Python project in a folder of yours, as it is there
  emwheels new-recipe pkg:deb/debian/taglib     a C or C++ library, by the name of Debian's source package
  emwheels new-recipe --dry-run pyroaring       show the meta.yaml, write nothing
  emwheels new-recipe --no-build pyroaring      only write the recipe

exit status: 0 every package is tested, or needs no recipe; 3 something needs a recipe first; else as emwheels build
"""


def add_new_recipe(verbs: Any, common: argparse.ArgumentParser) -> None:
    """Add the verb's parser."""
    parser = verbs.add_parser(
        "new-recipe",
        parents=[common],
        help="write a recipe for a package of an index, build it and test it",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "names",
        nargs="+",
        metavar="NAME[==VERSION]",
        help="a package of your index, pkg:deb/debian/NAME, or the path of a folder",
    )
    parser.add_argument(
        "--with-dependencies", action="store_true", help="write recipes for compiled requirements that have none, too"
    )
    parser.add_argument("--anyway", action="store_true", help="write a recipe even where upstream's wheel does")
    parser.add_argument("--dry-run", action="store_true", help="show what would be written; write and build nothing")
    parser.add_argument("--no-build", action="store_true", help="write the recipes, and lock, build and test nothing")
    parser.add_argument("--engine", action="append", choices=ENGINES, help="test only in this engine; may be repeated")


_DEBIAN = "pkg:deb/debian/"


@dataclass(kw_only=True)
class _Row:
    """What came of one package."""

    name: str
    version: str = ""
    state: str = ""
    """``tested``, ``written``, ``would be written``, ``pure``, ``published`` or ``failed``."""
    why: str = ""
    meta: str = ""
    needs: list[dict[str, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    mended: list[str] = field(default_factory=list)
    status: int = 0


class ConfiguredIndex:
    """The registry as `propose` asks it: projects from pip's indexes, files by way of the store."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self._registries = Registries(Downloader(patience=PATIENCE))

    def offers(self, name: str) -> Sequence[Offer]:
        """Return every file of a project, newest first."""
        return self._registries.offers(name)

    def fetch(self, url_or_purl: str, sha256: str | None) -> Fetched:
        """Return a file."""
        return self._environment.fetcher.fetch(url_or_purl, sha256)


def run_new_recipe(arguments: argparse.Namespace, project: Checkout, targets: Targets) -> int:
    """Write recipes, build and test them, print what came of each, and return the exit status."""
    if arguments.offline:
        raise UsageError("new-recipe asks your index, and this is offline", hint="run it without --offline")
    environment = open_environment(arguments, project, targets)
    folders = [Path(text).expanduser() for text in arguments.names if _is_path(text)]
    asked = [parse_asked(text) for text in arguments.names if not text.startswith(_DEBIAN) and not _is_path(text)]
    workshop = CommandWorkshop(environment, tuple(arguments.engine or ENGINES))
    rows = [_library(text, workshop, arguments) for text in arguments.names if text.startswith(_DEBIAN)]
    recipes = load_recipes(project.shelves)
    for each in asked:
        if each.name in recipes:
            project.check_own(recipes[each.name].folder, "new-recipe")
    proposals, faults = _proposals([*folders, *asked], environment, recipes, arguments)
    rows += [
        _Row(name=name, state="failed", why=fault.message, status=fault.exit_code) for name, fault in faults.items()
    ]
    failed = set(faults)
    for name in _in_order(proposals):
        row = _row(proposals[name])
        blocked = sorted(failed.intersection(need.name for need in proposals[name].needs))
        if blocked:
            row.state, row.why, row.status = "blocked", f"needs {', '.join(blocked)}", RecipeError.exit_code
        else:
            _do(row, proposals[name], workshop, arguments, missing=_missing(proposals[name], proposals))
        if row.status:
            failed.add(name)
        rows.append(row)
    _print(rows, arguments)
    return next((row.status for row in rows if row.status), 0)


def _is_path(text: str) -> bool:
    """Tell a folder from a name: it has a slash, or a dot or a tilde at its start."""
    return not text.startswith("pkg:") and (os.sep in text or text.startswith((".", "~")))


def _library(text: str, workshop: CommandWorkshop, arguments: argparse.Namespace) -> _Row:
    """Do one library of Debian: ``pkg:deb/debian/NAME``, with or without ``@VERSION``."""
    name, _, version = text.removeprefix(_DEBIAN).partition("@")
    source = workshop.library_source(name, version)
    texts = workshop.library_texts(source)
    row = _Row(name=library_name(source, workshop.recipes()), version=source.version, meta=texts[0])
    if arguments.dry_run:
        row.state = "would be written"
    elif arguments.no_build:
        project = workshop.environment.project
        write_recipe(project.recipes / row.name, row.meta, project.patches)
        row.state = "written"
    elif workshop.write_library(source, texts):
        row.state = "built"
    else:
        row.state, row.why, row.status = "failed", "it does not build in any way that its source offers", 6
    return row


def _proposals(
    asked: Sequence[Asked | Path],
    environment: Environment,
    recipes: Mapping[str, Recipe],
    arguments: argparse.Namespace,
) -> tuple[dict[str, Proposal], dict[str, EmwheelsError]]:
    """Return what is to be done for each package, and why nothing can be for some: they cost only what needs them."""
    index = ConfiguredIndex(environment)
    proposals: dict[str, Proposal] = {}
    faults: dict[str, EmwheelsError] = {}
    waiting = list(asked)
    while waiting:
        each = waiting.pop(0)
        if each.name in proposals or each.name in faults:
            continue
        try:
            with environment.board.phase(each.name, "look"):
                proposal = (
                    propose_folder(each, environment.project.recipes, index, environment.target, recipes)
                    if isinstance(each, Path)
                    else propose(each, index, environment.target, recipes, anyway=arguments.anyway)
                )
        except EmwheelsError as error:
            faults[each.name] = error
            environment.board.say(each.name, f"failed: {error.message}\n  {error.hint}".rstrip())
            continue
        proposals[proposal.name] = proposal
        if arguments.with_dependencies:
            waiting += [Asked(name=need.name) for need in proposal.first]
    return proposals, faults


def _in_order(proposals: Mapping[str, Proposal]) -> list[str]:
    """Return the names so that each comes after what it needs. Raises `RecipeError` for a ring."""
    graph = {name: [need.name for need in each.first if need.name in proposals] for name, each in proposals.items()}
    try:
        return list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        ring = " -> ".join(error.args[1])
        raise RecipeError(f"these packages need each other: {ring}", hint="write their recipes by hand") from None


def _missing(proposal: Proposal, proposals: Mapping[str, Proposal]) -> list[str]:
    return [first_words(need) for need in proposal.first if need.name not in proposals]


def _row(proposal: Proposal) -> _Row:
    return _Row(
        name=proposal.name,
        version=proposal.version,
        state=proposal.state,
        why=proposal.why,
        meta=proposal.meta,
        needs=[asdict(need) for need in proposal.needs],
        notes=list(proposal.notes),
    )


def _do(
    row: _Row, proposal: Proposal, workshop: CommandWorkshop, arguments: argparse.Namespace, missing: Sequence[str]
) -> None:
    for note in proposal.notes:
        workshop.say(row.name, note)
    if proposal.state != WRITE:
        workshop.say(row.name, proposal.why)
        return
    if missing and not arguments.dry_run:
        row.state, row.why, row.status = "failed", "; ".join(missing), RecipeError.exit_code
        workshop.say(row.name, f"{row.why}. Run it again with --with-dependencies")
        return
    if arguments.dry_run:
        row.state, row.why = "would be written", "; ".join(missing)
        return
    folder = workshop.environment.project.recipes / row.name
    write_recipe(folder, proposal.meta, workshop.environment.project.patches)
    workshop.say(row.name, f"wrote {folder.relative_to(workshop.environment.project.root)}/meta.yaml")
    row.state = "written"
    if not arguments.no_build:
        result = bring_up(row.name, folder, workshop, workshop.environment.target)
        if result.error is None and (attempt := add_own_tests(row.name, folder, workshop)):
            result.error, result.summary = attempt.error, attempt.summary
        _take(row, result, folder)


def _take(row: _Row, result: BroughtUp, folder: Path) -> None:
    row.mended = result.mended
    row.meta = (folder / "meta.yaml").read_text(encoding="utf-8")
    if result.error is None:
        row.state, row.why = "tested", result.summary
    else:
        row.state, row.why = "failed", result.error.message
        row.status = result.error.exit_code


def _print(rows: Sequence[_Row], arguments: argparse.Namespace) -> None:
    if arguments.json:
        print(json.dumps([asdict(row) for row in rows], indent=1))
        return
    if arguments.dry_run:
        for row in rows:
            if row.state == "would be written":
                print(f"# recipes/{row.name}/meta.yaml\n{row.meta}")
    print_table(
        ("package", "version", "result", "mended", "why"),
        [(row.name, row.version, row.state, str(len(row.mended) or ""), _first(row.why)) for row in rows],
    )


def _first(text: str) -> str:
    return text.strip().partition("\n")[0]
