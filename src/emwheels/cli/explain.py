"""``emwheels explain``: why a requirement can, or cannot, be installed in Pyodide."""

from __future__ import annotations

import argparse
import json
import re
from collections import defaultdict
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from emwheels.cli.opening import local_path, open_environment, open_recipes, warn_of_bad
from emwheels.errors import FetchError, IndexingError, UsageError
from emwheels.fetch.download import PATIENCE, Downloader
from emwheels.fetch.registries import Registries
from emwheels.index import read_release
from emwheels.index.close import gaps
from emwheels.index.explain import SOURCES, Candidate, Explanation, explain, projects_with
from emwheels.index.lockfile import merge
from emwheels.index.model import now, project_of, required_project
from emwheels.index.publishing import source_of
from emwheels.index.update import add, read_catalogue
from emwheels.index.wheelfile import read_wheel
from emwheels.progress import print_table

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from packaging.utils import NormalizedName

    from emwheels.checkout import Checkout
    from emwheels.fetch.index_pages import Offer
    from emwheels.index.lockfile import Release
    from emwheels.index.model import Catalogue
    from emwheels.progress import Board
    from emwheels.target import Targets

_EXAMPLES = """examples:
  emwheels explain numpy
  emwheels explain "opencv-python>=4.10" --target 315.0.0-alpha.2
  emwheels explain cv2                   a module: which project has it
  emwheels explain ./demo-1.0-py3-none-any.whl       as if it were in the index
  emwheels explain pandas --at s3://wheels/team      what is published there instead of dist/
  emwheels explain pandas --at https://wheels.example.org/simple     the same from outside; needs no project around
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
    parser.add_argument("requirement", metavar="REQUIREMENT", help='"numpy>=2", a module, or a wheel file')
    parser.add_argument("--at", metavar="PLACE", help="a published index instead of dist/")
    parser.add_argument(
        "--all", action="store_true", help=f"every version, not only the newest {_LINES} of each source"
    )


def run_explain(arguments: argparse.Namespace, project: Checkout, targets: Targets) -> int:
    """Explain, print, and return the exit status."""
    target = targets.get(arguments.target)
    environment = open_environment(arguments, project, targets)
    release = read_release(target, environment.runtime)
    if arguments.offline and (arguments.at or "").startswith(("http:", "https:")):
        raise UsageError("explain --at URL reads a server, which --offline forbids", hint="leave --offline away")
    place = source_of(arguments.at or str(project.dist))
    catalogue = read_catalogue(place)
    if arguments.at and not catalogue.projects:
        raise IndexingError(f"{place.where} has no index that emwheels published", hint="look for its packages.json")
    requirement, note = _asked(arguments.requirement, catalogue, release)
    name = required_project(requirement)
    recipes = _recipes(arguments, project, targets)
    pypi = None if arguments.offline else _offers(name, environment.board)
    explanation = explain(
        requirement,
        release,
        project=catalogue.projects.get(name),
        pypi=pypi,
        recipes=recipes,
        merged=merge(release, catalogue.projects.values(), foreign=catalogue.foreign) if catalogue.projects else None,
        gap=gaps(catalogue, [release], [name]).get(release.name, {}).get(name, ""),
        note="; ".join(filter(None, (note, _extras(requirement, catalogue)))),
    )
    if arguments.json:
        print(json.dumps(asdict(explanation), indent=1))
    else:
        _print(explanation, None if arguments.all else _LINES, () if pypi is not None else ("pypi",))
    return 0 if explanation.found else 1


def _asked(text: str, catalogue: Catalogue, release: Release) -> tuple[Requirement, str]:
    """Return the requirement that is meant, and a note where that is not what was written.

    A wheel file is taken into the catalogue, a module's name becomes that of a project.
    """
    if text.endswith(".whl") and local_path(text).is_file():
        path = local_path(text)
        file = read_wheel(path, path.name, uploaded=now()).file
        catalogue.put(add(catalogue, file, replacing=True))
        return Requirement(f"{project_of(file)}=={file.version}"), f"{path.name}, as if it were in the index"
    try:
        requirement = Requirement(text)
    except InvalidRequirement as error:
        raise UsageError(f"{text!r} is not a requirement: {error}", hint='such as "numpy>=2"') from error
    if requirement.url:
        raise UsageError(f"{text!r} asks for an address, and explain looks into indexes", hint='such as "numpy>=2"')
    name = required_project(requirement)
    if name in catalogue.projects or name in release.lock["packages"]:
        return requirement, ""
    having = projects_with(requirement.name, catalogue, release)
    if not having:
        return requirement, ""
    note = f"{requirement.name} is a module of {' and of '.join(having)}"
    requirement.name = having[0]
    return requirement, note


def _extras(requirement: Requirement, catalogue: Catalogue) -> str:
    """Say which extras the newest of ours does not have."""
    project = catalogue.projects.get(required_project(requirement))
    if project is None:
        return ""
    named = " ".join(project.files[-1].requires)
    known = {canonicalize_name(name) for name in re.findall(r"""\bextra\s*==\s*["']([^"']+)["']""", named)}
    unknown = sorted(extra for extra in requirement.extras if canonicalize_name(extra) not in known)
    has = ", ".join(sorted(known)) or "none"
    return f"{project.name} has no requirements for the extra {', '.join(unknown)}; it has {has}" if unknown else ""


def _recipes(arguments: argparse.Namespace, project: Checkout, targets: Targets) -> dict[str, str]:
    """Return the versions that can be built, by name; outside of a project there are none."""
    if not project.recipes.is_dir():
        return {}
    read, _ = open_recipes(arguments, project, targets)
    warn_of_bad(read.bad)
    return {recipe.name: recipe.version for recipe in read.sound.values()}


def _offers(name: NormalizedName, board: Board) -> Sequence[Offer] | None:
    try:
        return Registries(Downloader(patience=PATIENCE)).offers(name)
    except FetchError as error:
        board.say("explain", f"PyPI was left out: {error.message}")
        return None


def _print(explanation: Explanation, limit: int | None, unasked: Collection[str]) -> None:
    if explanation.note:
        print(explanation.note)
    print(f"{explanation.requirement} in Pyodide {explanation.release} is installed by")
    chosen = []
    for client, candidate in explanation.chosen.items():
        what = "nothing" if candidate is None else f"{candidate.filename} ({SOURCES[candidate.source]})"
        chosen.append(("", client, what, explanation.problems.get(client, "")))
    print_table((), chosen or [("", "no client")])
    if explanation.advice:
        print(f"\n{explanation.advice}")
    for source, name in SOURCES.items() if explanation.chosen else ():
        candidates = [candidate for candidate in explanation.candidates if candidate.source == source]
        if not candidates:
            print(f"\n{name}: {'not asked' if source in unasked else 'nothing'}")
            continue
        print(f"\n{name}:")
        rows = _grouped(candidates)
        print_table((), (("", *cells) for cells in rows[:limit]))
        if limit is not None and len(rows) > limit:
            print(f"  and {len(rows) - limit} more lines (--all)")


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
