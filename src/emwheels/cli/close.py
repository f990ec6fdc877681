"""``emwheels index close``: an index that needs no other place."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING, Any

from emwheels import index
from emwheels.cli.opening import add_profile, closing_lock_of, dist_of, open_environment
from emwheels.cli.publish import targets_of
from emwheels.errors import FetchError
from emwheels.fetch.download import PATIENCE, Downloader
from emwheels.fetch.registries import Registries
from emwheels.index.close import SETS, Sources, close
from emwheels.index.places.folder import Folder
from emwheels.progress import Board
from emwheels.recipe.load import recipe_folders
from emwheels.status import refresh_status

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from emwheels.checkout import Checkout
    from emwheels.fetch.index_pages import Offer
    from emwheels.index.close import Closing
    from emwheels.pipeline.environment import Environment
    from emwheels.target import Targets

_EXAMPLES = """examples:
  emwheels index close                   what the projects in dist/ need from elsewhere, and micropip
  emwheels index close --with jupyterlite --with requests
  emwheels index close --dry-run         only say what would be put in
  emwheels index close --offline         the wheels that index.lock pins, from the cache
  emwheels index close --keep-foreign openssl      leave this package of Pyodide's own where it is

The wheels are pinned by hash in index.lock, beside targets.toml: keep that file with the project. What it pins is taken
again next time; remove a line to take a newer version. Wheels that nothing needs any more go out of dist/.
"""


def add_close(actions: Any, common: argparse.ArgumentParser) -> None:
    """Add the action's parser."""
    parser = actions.add_parser(
        "close",
        parents=[common],
        help="put in everything that the projects need from elsewhere, pinned by hash",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--with",
        dest="asked",
        action="append",
        default=[],
        metavar="NAME",
        help=f"also what this client loads ({', '.join(SETS)}), or a requirement; may be repeated, and is kept",
    )
    parser.add_argument(
        "--keep-foreign",
        action="append",
        default=[],
        metavar="NAME",
        help="a package of Pyodide's own that stays on Pyodide's server; may be repeated, and is kept",
    )
    parser.add_argument("--dry-run", action="store_true", help="change nothing")
    add_profile(parser, "the dist/ of this profile (speed)")


def run_close(arguments: argparse.Namespace, project: Checkout, targets: Targets) -> int:
    """Close the working index, say what came in, and return the exit status."""
    environment = open_environment(arguments, project, targets)
    place = Folder(dist_of(project, arguments.profile).resolve())
    lock_file = closing_lock_of(project, arguments.profile)
    closing = close(
        place,
        lock_file,
        releases=[
            index.read_release(target, environment.runtime_of(target))
            for target in targets_of(place, arguments.target, targets)
        ],
        sources=Sources(
            offers=offline_offers if arguments.offline else Registries(Downloader(patience=PATIENCE)).offers,
            fetch=fetch_from(environment),
            recipes=recipe_folders([shelf for shelf in project.shelves if shelf.is_dir()]),
        ),
        asked=arguments.asked,
        foreign=arguments.keep_foreign,
        dry_run=arguments.dry_run,
    )
    if closing.changed:
        refresh_status(place, list(targets.targets.values()))
    if arguments.json:
        print(json.dumps(_to_dict(closing, lock_file), indent=1))
        return 0
    _print(closing, place, lock_file, dry_run=arguments.dry_run)
    return 0


def offline_offers(name: str) -> Sequence[Offer]:
    """Stand for a package index that must not be asked."""
    Board().say("offline", f"no package index is asked for {name}")
    return ()


def fetch_from(environment: Environment) -> Callable[[Offer], Path]:
    """Return what fetches an offered wheel, verified by the hash that the package index or a lock gives."""

    def fetch(offer: Offer) -> Path:
        if offer.resource.sha256 is None:
            raise FetchError(f"{offer.resource.filename}: the package index gives no sha256 for it")
        purl = f"pkg:pypi/{offer.resource.filename.split('-')[0]}@{offer.version}?file_name={offer.resource.filename}"
        return environment.fetcher.fetch(purl, offer.resource.sha256).path

    return fetch


def _to_dict(closing: Closing, lock_file: Path) -> dict[str, Any]:
    return {
        "lock": str(lock_file),
        "wheels": [
            {"filename": w.filename, "sha256": w.sha256, "releases": w.releases, "needed_by": w.needed_by}
            for w in closing.lock.wheels
        ],
        "added": closing.added,
        "removed": closing.removed,
        "with": closing.lock.asked,
        "keep_foreign": closing.lock.foreign,
        "elsewhere": closing.elsewhere,
    }


def _print(closing: Closing, place: Folder, lock_file: Path, *, dry_run: bool) -> None:
    needers = {wheel.filename: ", ".join(wheel.needed_by) for wheel in closing.lock.wheels}
    for filename in closing.added:
        print(f"+ {filename}  ({needers[filename]})")
    for filename in closing.removed:
        print(f"- {filename}")
    for release, projects in closing.elsewhere.items():
        for name, needed in projects.items():
            print(f"not for Pyodide {release}: {name} needs {needed}, which has no wheel for it here")
    verb = "would be closed" if dry_run else "is closed"
    print(f"{place.where} {verb}: {len(closing.lock.wheels)} wheels from elsewhere, pinned in {lock_file}")
