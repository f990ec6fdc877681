"""``emwheels bundle``: packages, the runtime and a page in one folder."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING, Any

from packaging.requirements import InvalidRequirement, Requirement

from emwheels.bundle import make_bundle
from emwheels.cli.close import fetch_from, offline_offers
from emwheels.cli.opening import add_profile, dist_of, local_path, open_environment
from emwheels.errors import IndexingError, UsageError, without_secrets
from emwheels.fetch.download import PATIENCE, Downloader
from emwheels.fetch.index_pages import Offer, Resource
from emwheels.fetch.registries import Registries
from emwheels.harness.install import installer_wheels
from emwheels.index import read_release
from emwheels.index.model import Catalogue, offered
from emwheels.index.places.folder import Folder
from emwheels.index.places.web import Web
from emwheels.index.resolve import Finder
from emwheels.index.update import read_catalogue
from emwheels.recipe.load import recipe_folders

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from emwheels.checkout import Checkout
    from emwheels.index.model import File
    from emwheels.pipeline.environment import Environment
    from emwheels.target import Targets

_SERVER = "python3 -m http.server --bind 127.0.0.1"
_EXAMPLES = f"""examples:
  emwheels bundle -o app numpy contourpy
  emwheels bundle -o app "numpy>=2" my-tool --target 315.0.0-alpha.2
  emwheels bundle -o app numpy --index https://wheels.example.org/simple
  cd app && {_SERVER}

Wheels come from dist/, or from --index; pure Python ones, and those for Pyodide, that are not there come from PyPI.
"""


def add_bundle(verbs: Any, common: argparse.ArgumentParser) -> None:
    """Add the verb's parser."""
    parser = verbs.add_parser(
        "bundle",
        parents=[common],
        help="a folder with Pyodide, packages, all they need and a page: runs from any web server, without network",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("requirements", nargs="+", metavar="REQUIREMENT", help="e.g. numpy, or pandas>=3")
    output = "the folder, which is made"
    parser.add_argument("-o", "--output", type=local_path, required=True, metavar="DIR", help=output)
    parser.add_argument("--index", metavar="URL", help="a published index in place of dist/; needs no project around")
    add_profile(parser, "the dist/ of this profile (speed)")


def run_bundle(arguments: argparse.Namespace, project: Checkout, targets: Targets) -> int:
    """Make the bundle, say what is in it, and return the exit status."""
    environment = open_environment(arguments, project, targets)
    runtime = environment.runtime
    release = read_release(environment.target, runtime)
    bundle = make_bundle(
        arguments.output,
        [read_requirement(text) for text in arguments.requirements],
        runtime=runtime,
        release=release,
        finder=finder_of(arguments, project, environment),
        extra=installer_wheels(environment.harness_wheels),
    )
    if arguments.json:
        rows = [{"name": w.name, "version": str(w.version), "source": w.source} for w in bundle.wheels]
        print(json.dumps({"folder": str(bundle.folder), "bytes": bundle.size, "wheels": rows}, indent=1))
        return 0
    for wheel in bundle.wheels:
        print(f"{wheel.source:6} {wheel.filename}")
    print(f"{bundle.folder}: {bundle.size:,} bytes. To see it: cd {bundle.folder} && {_SERVER}")
    return 0


def finder_of(arguments: argparse.Namespace, project: Checkout, environment: Environment) -> Finder:
    """Return what finds wheels: in dist/ of ``--profile`` or at ``--index``, and on PyPI unless ``--offline``."""
    dist = dist_of(project, arguments.profile)
    published = _published(arguments, environment)
    return Finder(
        release=read_release(environment.target, environment.runtime),
        catalogue=Catalogue() if arguments.index else read_catalogue(Folder(dist)),
        dist=dist,
        pinned=lambda name: published.get(name, ()),
        offers=offline_offers if arguments.offline else Registries(Downloader(patience=PATIENCE)).offers,
        fetch=_fetch(environment),
        recipes=recipe_folders([shelf for shelf in project.shelves if shelf.is_dir()]),
    )


def _published(arguments: argparse.Namespace, environment: Environment) -> dict[str, list[Offer]]:
    """Return what a published index offers, by project."""
    if not arguments.index:
        return {}
    if not arguments.index.startswith(("http://", "https://")):
        raise UsageError(f"--index {arguments.index!r} is no URL", hint="for example https://wheels.example.org/simple")
    environment.board.say("bundle", f"wheels come from {without_secrets(arguments.index)}")
    place = Web(arguments.index)
    catalogue = read_catalogue(place)
    if not catalogue.projects:
        raise IndexingError(f"{place.where} has no index that emwheels published", hint="look for its packages.json")
    return {name: [_offer(place, file) for file in offered(each)] for name, each in catalogue.projects.items()}


def _offer(place: Web, file: File) -> Offer:
    resource = Resource(url=place.address(f"wheels/{file.filename}"), filename=file.filename, sha256=file.sha256)
    return Offer(
        resource=resource,
        version=str(file.version),
        requires_python=file.requires_python,
        yanked=file.yanked,
        index="index",
    )


def _fetch(environment: Environment) -> Callable[[Offer], Path]:
    """Return what fetches a wheel of a published index, or of the package index."""
    of_package_index = fetch_from(environment)

    def fetch(offer: Offer) -> Path:
        if offer.index == "index":
            return environment.fetcher.fetch(offer.resource.url, offer.resource.sha256).path
        return of_package_index(offer)

    return fetch


def read_requirement(text: str) -> Requirement:
    """Return a requirement. Raises `UsageError` for what is none, and for one by address."""
    try:
        requirement = Requirement(text)
    except InvalidRequirement as error:
        raise UsageError(f"{text!r} is not a requirement: {error}", hint='such as "numpy>=2"') from error
    if requirement.url:
        raise UsageError(
            f"{requirement.name} is asked for by address; a bundle takes wheels from indexes only",
            hint="add the wheel to your index (emwheels index add), then name the package",
        )
    return requirement
