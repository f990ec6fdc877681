"""``emwheels status``: the page for people, in the published folder."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from emwheels.plan import PROFILES
from emwheels.status import collect, write_status
from emwheels.status.collect import summary
from emwheels.store import Store

if TYPE_CHECKING:
    import argparse

    from emwheels.project import Project
    from emwheels.target import Targets


def add_status(verbs: Any, common: argparse.ArgumentParser) -> None:
    """Add the verb's parser."""
    parser = verbs.add_parser(
        "status",
        parents=[common],
        help="write dist/index.html: packages, versions, sizes, tests, build times; --json prints them",
    )
    parser.add_argument("--profile", choices=list(PROFILES), default="speed", help="which index (default: speed)")


def run_status(arguments: argparse.Namespace, project: Project, targets: Targets) -> int:
    """Write the page, or print what it says."""
    dist = project.dist if arguments.profile == "speed" else project.dist / arguments.profile
    store = Store(project.cache / "store")
    chosen = list(targets.targets.values())
    if arguments.json:
        print(summary(collect(dist, store, chosen, profile=arguments.profile)))
        return 0
    print(write_status(dist, store, chosen, profile=arguments.profile))
    return 0
