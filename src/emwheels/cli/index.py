"""``emwheels index`` and ``emwheels publish``: what is in an index, changes of it, and where it goes."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emwheels import index
from emwheels.cli.opening import add_profile, open_environment
from emwheels.cli.verify import add_verify, run_verify
from emwheels.errors import IndexingError, UsageError
from emwheels.index.model import STATUSES, project_of
from emwheels.index.places.folder import Folder
from emwheels.index.publishing import check_base_url, place_of, publish_to
from emwheels.index.rebuild import rebuild
from emwheels.index.signing import publisher_here, sign, signer_here
from emwheels.index.update import files_of, read_catalogue, set_status, write, yank
from emwheels.progress import Board, print_table
from emwheels.serve.rules import headers_of, rule_of
from emwheels.status import publish_status, refresh_status

if TYPE_CHECKING:
    from collections.abc import Sequence

    from emwheels.checkout import Checkout
    from emwheels.index.model import Project
    from emwheels.index.places.place import Place
    from emwheels.index.update import Changed
    from emwheels.target import Targets

_INDEX_EXAMPLES = """examples:
  emwheels index show                    what is in dist/
  emwheels index add my_tool-1.0-py3-none-any.whl
  emwheels index yank numpy 2.5.5 --why "wrong results on big arrays"
  emwheels index yank numpy 2.5.5 --at s3://wheels/team     the same where it is published
  emwheels index build --base-url https://wheels.example.org/
  emwheels index sign                    in a CI job with an identity: sign how the wheels in dist/ were built
  emwheels index verify https://wheels.example.org/simple
"""

_PUBLISH_EXAMPLES = """examples:
  emwheels publish /srv/www/wheels
  emwheels publish deploy@www.example.org:/srv/www/wheels --base-url https://wheels.example.org/
  emwheels publish s3://wheels/team --base-url https://cdn.example.org/team/
  emwheels publish /srv/www/wheels --dry-run

Files that are there already are not sent again, and nothing that only the destination has is removed. A run that
was stopped goes on where it was. A file of the same name with other bytes is refused. For a bucket, credentials and
address are those of AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION and AWS_ENDPOINT_URL.
"""


def add_index(verbs: Any, common: argparse.ArgumentParser) -> None:
    """Add the parsers of ``index`` and ``publish``."""
    parser = verbs.add_parser(
        "index",
        help="show, change or verify an index",
        epilog=_INDEX_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")

    where = argparse.ArgumentParser(add_help=False)
    where.add_argument("--at", metavar="PLACE", help="a published index instead of dist/: as for `emwheels publish`")
    add_profile(where, "the dist/ of this profile (speed)")

    show = actions.add_parser("show", parents=[common, where], help="list the projects and their files")
    show.add_argument("names", nargs="*", metavar="NAME", help="a project (all)")
    add = actions.add_parser("add", parents=[common, where], help="put wheels into the index")
    add.add_argument("wheels", nargs="+", type=Path, metavar="WHEEL", help="a wheel file")
    build = actions.add_parser("build", parents=[common, where], help="read every wheel of dist/ and write all pages")
    build.add_argument("--base-url", metavar="URL", help="where it will be served: for JSON pages; '' for none")
    for verb, text in (
        ("yank", "say that a version should not be installed any more; those who pinned it still get it"),
        ("unyank", "take that back"),
    ):
        yanking = actions.add_parser(verb, parents=[common, where], help=text)
        yanking.add_argument("name", metavar="NAME", help="a project")
        yanking.add_argument("version", metavar="VERSION", help="one of its versions")
        if verb == "yank":
            yanking.add_argument("--why", metavar="TEXT", default="", help="is shown to who installs it")
    remove = actions.add_parser("remove", parents=[common, where], help="remove the files of a version, or a project")
    remove.add_argument("name", metavar="NAME", help="a project")
    remove.add_argument("version", metavar="VERSION", nargs="?", help="one of its versions (the whole project)")
    status = actions.add_parser("status", parents=[common, where], help="mark a project (PEP 792)")
    status.add_argument("name", metavar="NAME", help="a project")
    status.add_argument("status", choices=STATUSES, help="what clients are told")
    status.add_argument("--why", metavar="TEXT", default="", help="is shown to who installs it")
    actions.add_parser(
        "sign",
        parents=[common, where],
        help="sign the statements of builds (PEP 740), by the identity of this CI job",
        description="Sign how the wheels in dist/ were built. It needs a CI job with an identity (OIDC), and the "
        "library: pip install 'emwheels[sign]'. Your repository's name then stands in sigstore's public log for ever.",
    )
    add_verify(actions, common)

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


def run_index(arguments: argparse.Namespace, project: Checkout, targets: Targets) -> int:
    """Run an action of ``index`` and return the exit status."""
    match arguments.action:
        case "verify":
            return run_verify(arguments, project, targets)
        case "show":
            return _show(arguments, project)
        case "add":
            return _add(arguments, project, targets)
        case "build":
            return _build(arguments, project, targets)
        case "sign":
            return _sign(arguments, project)
    return _change(arguments, project, targets)


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
    _print_left_out(changed)
    return 0


def object_headers(name: str) -> dict[str, str]:
    """Return the headers that an object of a bucket is served with: those of the web servers' configuration."""
    rule = rule_of(f"/{name}")
    return {"Content-Type": rule.media_type, "Cache-Control": headers_of(rule)["Cache-Control"]}


def dist_of(project: Checkout, profile: str) -> Path:
    """Return the working index of a profile."""
    return project.dist_of(profile)


def _place(arguments: argparse.Namespace, project: Checkout) -> Place:
    if arguments.at:
        return place_of(arguments.at, object_headers)
    return Folder(dist_of(project, arguments.profile).resolve())


def _working(arguments: argparse.Namespace, project: Checkout) -> Path:
    if arguments.at:
        raise UsageError(f"index {arguments.action} works on dist/", hint="then: emwheels publish PLACE")
    return dist_of(project, arguments.profile).resolve()


def _add(arguments: argparse.Namespace, project: Checkout, targets: Targets) -> int:
    dist = _working(arguments, project)
    for wheel in arguments.wheels:
        if not wheel.is_file():
            raise UsageError(f"{wheel} is not a file")
        index.publish(dist, wheel, wheel.name)
        print(dist / "wheels" / wheel.name)
    refresh_status(Folder(dist), list(targets.targets.values()))
    return 0


def _build(arguments: argparse.Namespace, project: Checkout, targets: Targets) -> int:
    board = Board()
    place = Folder(_working(arguments, project))
    base_url = check_base_url(arguments.base_url) if arguments.base_url else arguments.base_url
    environment = open_environment(arguments, project, targets)
    chosen = [targets.get(arguments.target)] if arguments.target else list(targets.targets.values())
    releases = [
        index.read_release(target, environment.runtime_of(target))
        for target in sorted(chosen, key=lambda target: target.name != targets.default)
    ]
    with place.changing():
        changed = rebuild(place, base_url=base_url, releases=releases, say=lambda text: board.say("index", text))
    refresh_status(place, list(targets.targets.values()))
    projects = sorted(read_catalogue(place).projects)
    if arguments.json:
        print(json.dumps({"projects": projects, "left_out": changed.left_out}, indent=1))
        return 0
    print(f"{len(projects)} projects in {place.where}")
    _print_left_out(changed)
    return 0


def _sign(arguments: argparse.Namespace, project: Checkout) -> int:
    board = Board()
    place = Folder(_working(arguments, project))
    publisher = publisher_here()
    with signer_here() as signer:
        signed = sign(place, signer, publisher, say=lambda text: board.say("sign", text))
    if arguments.json:
        print(json.dumps({"signed": signed, "publisher": publisher}, indent=1))
        return 0
    print(f"{len(signed)} statements signed in {place.where}" if signed else f"{place.where}: nothing to sign")
    return 0


def _change(arguments: argparse.Namespace, project: Checkout, targets: Targets) -> int:
    """Yank, unyank, remove, or set a status."""
    place = _place(arguments, project)
    with place.changing():
        catalogue = read_catalogue(place)
        before = catalogue.project(arguments.name)
        gone: list[str] = []
        match arguments.action:
            case "yank":
                after = yank(before, arguments.version, arguments.why)
            case "unyank":
                after = yank(before, arguments.version, None)
            case "status":
                after = set_status(before, arguments.status, arguments.why)
            case _:
                files = files_of(before, arguments.version) if arguments.version else list(before.files)
                after = before.without(file.filename for file in files)
                gone = [name for file in files for name in index.names_of_wheel(file.filename)]
        catalogue.put(after)
        changed = write(place, catalogue, changed=[before.name], gone=gone)
    refresh_status(place, list(targets.targets.values()))
    if arguments.json:
        print(json.dumps({"project": before.name, "files": _rows([after]), "status": after.status}, indent=1))
        return 0
    _print_projects([after])
    _print_left_out(changed)
    return 0


def _show(arguments: argparse.Namespace, project: Checkout) -> int:
    place = _place(arguments, project)
    catalogue = read_catalogue(place)
    projects = [catalogue.project(name) for name in arguments.names]
    projects = projects or [catalogue.projects[name] for name in sorted(catalogue.projects)]
    if arguments.json:
        print(json.dumps({"base_url": catalogue.base_url, "files": _rows(projects)}, indent=1))
        return 0
    if not projects:
        raise IndexingError(f"{place.where} has no index", hint="build something first: emwheels build NAME")
    _print_projects(projects)
    return 0


def _rows(projects: Sequence[Project]) -> list[dict[str, Any]]:
    return [
        {
            "project": project_of(file),
            "version": str(file.version),
            "filename": file.filename,
            "size": file.size,
            "sha256": file.sha256,
            "uploaded": file.uploaded,
            "yanked": file.yanked,
            "status": project.status,
        }
        for project in projects
        for file in project.files
    ]


def _print_projects(projects: Sequence[Project]) -> None:
    rows = []
    for project in projects:
        for file in project.files:
            marks: list[str] = [project.status] if project.status != "active" else []
            marks += [f"yanked: {file.yanked}" if file.yanked else "yanked"] if file.yanked is not None else []
            rows.append((project.name, file.filename, f"{file.size:,}", file.uploaded[:10], "; ".join(marks)))
    print_table(("project", "file", "bytes", "since", ""), rows, right=("bytes",))


def _print_left_out(changed: Changed | None) -> None:
    for release, projects in (changed.left_out if changed else {}).items():
        for name, why in projects.items():
            print(f"not in the lock of Pyodide {release}: {name} {why}")
