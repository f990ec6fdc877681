"""``emwheels publish``: the working index, to where people install from."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING, Any

from emwheels import index
from emwheels.cli.opening import add_profile, dist_of, open_environment
from emwheels.index.places.folder import Folder
from emwheels.index.publishing import check_base_url, place_of, publish_to
from emwheels.index.runtime import read_runtime
from emwheels.index.update import read_catalogue
from emwheels.progress import Board
from emwheels.serve.rules import headers_of, rule_of
from emwheels.status import publish_status

if TYPE_CHECKING:
    from emwheels.checkout import Checkout
    from emwheels.index.runtime import RuntimeFiles
    from emwheels.index.update import Changed
    from emwheels.target import Target, Targets

_PUBLISH_EXAMPLES = """examples:
  emwheels publish /srv/www/wheels
  emwheels publish deploy@www.example.org:/srv/www/wheels --base-url https://wheels.example.org/
  emwheels publish s3://wheels/team --base-url https://cdn.example.org/team/
  emwheels publish /srv/www/wheels --runtime     with Pyodide itself, in pyodide/vRELEASE/full/
  emwheels publish /srv/www/wheels --dry-run

An index whose projects need what it lacks is refused: `emwheels index close` first, or publish it with --open.
Files that are there already are not sent again, and nothing that only the destination has is removed. A run that
was stopped goes on where it was. A file of the same name with other bytes is refused. For a bucket, credentials and
address are those of AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION and AWS_ENDPOINT_URL.
"""


def add_publish(verbs: Any, common: argparse.ArgumentParser) -> None:
    """Add the verb's parser."""
    publish = verbs.add_parser(
        "publish",
        parents=[common],
        help="send dist/ to a folder, to another machine (rsync) or to a bucket (S3)",
        epilog=_PUBLISH_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    publish.add_argument(
        "destination", metavar="DEST", help="folder, user@host:folder, rsync://… or s3://bucket/folder"
    )
    publish.add_argument("--base-url", metavar="URL", help="where DEST is served: for JSON pages; kept once given")
    add_profile(publish, "the dist/ of this profile (speed)")
    publish.add_argument("--dry-run", action="store_true", help="only say what would be sent")
    publish.add_argument(
        "--runtime",
        action="store_true",
        help="also Pyodide's own files, in every release of targets.toml with the ABI of the wheels",
    )
    publish.add_argument(
        "--open",
        action="store_true",
        help="publish it though projects need what it lacks; Pyodide's own packages are in its lock, by address",
    )


def run_publish(arguments: argparse.Namespace, project: Checkout, targets: Targets) -> int:
    """Publish and return the exit status."""
    board = Board()
    source = Folder(dist_of(project, arguments.profile).resolve())
    destination = place_of(arguments.destination, object_headers)
    base_url = None if arguments.base_url is None else check_base_url(arguments.base_url)
    plan, changed = publish_to(
        source,
        destination,
        base_url=base_url,
        opened=arguments.open,
        assumed=[index.bare_release(targets.get(arguments.target))],
        runtimes=_runtimes(arguments, project, targets, source, board) if arguments.runtime else (),
        dry_run=arguments.dry_run,
        say=lambda text: board.say("publish", text),
    )
    reports = 0 if arguments.dry_run else publish_status(source, destination, list(targets.targets.values()))
    if arguments.json:
        result = {
            "destination": destination.where,
            "wheels": [file.filename for file in plan.wheels],
            "bytes": plan.bytes,
            "projects": list(plan.projects),
            "sent": (changed.sent if changed else 0) + reports,
        }
        print(json.dumps(result, indent=1))
        return 0
    if not plan.projects and changed is None:
        print(f"{destination.where} has {'every wheel' if reports else 'everything'} already")
        if reports:
            print(f"status page and reports: {reports} files sent")
        return 0
    for file in plan.wheels:
        print(f"{file.size:>12,}  {file.filename}")
    verb = "would be sent" if arguments.dry_run else "sent"
    print(f"{len(plan.wheels)} wheels, {plan.bytes:,} bytes, pages of {len(plan.projects)} projects {verb}")
    print_left_out(changed)
    return 0


def targets_of(place: Folder, asked: str | None, targets: Targets) -> list[Target]:
    """Return the target that was asked for, or those that an index has a lock for; the default where it has none."""
    if asked:
        return [targets.get(asked)]
    names = [name for name in read_catalogue(place).releases if name in targets.targets]
    return [targets.get(name) for name in names] or [targets.get(None)]


def _runtimes(
    arguments: argparse.Namespace, project: Checkout, targets: Targets, source: Folder, board: Board
) -> list[RuntimeFiles]:
    """Return Pyodide's files for the targets of an index, in every release that has the ABI."""
    environment = open_environment(arguments, project, targets)
    runtimes = []
    for target in targets_of(source, arguments.target, targets):
        release = index.read_release(target, environment.runtime_of(target))
        for name, (purl, sha256) in target.packages_of_runtimes().items():
            board.say("publish", f"Pyodide {name}")
            package = environment.npm_package(purl, sha256)
            runtimes.append(read_runtime(name, release, package, project.cache / "compressed"))
    return runtimes


def object_headers(name: str) -> dict[str, str]:
    """Return the headers that an object of a bucket is served with: those of the web servers' configuration."""
    rule = rule_of(f"/{name}")
    return {"Content-Type": rule.media_type, "Cache-Control": headers_of(rule)["Cache-Control"]}


def print_left_out(changed: Changed | None) -> None:
    """Say which projects the locks lack, and what is in them otherwise than the wheels say."""
    for release, projects in (changed.left_out if changed else {}).items():
        for name, why in projects.items():
            print(f"not in the lock of Pyodide {release}: {name} {why}")
    for release, remarks in (changed.remarks if changed else {}).items():
        for remark in remarks:
            print(f"in the lock of Pyodide {release}: {remark}")
