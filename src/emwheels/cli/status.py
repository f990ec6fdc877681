"""``emwheels status``: the page for people, in the published folder."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from emwheels.cli.opening import add_profile, dist_of
from emwheels.status import PAGE, summary, write_status
from emwheels.store import Store

if TYPE_CHECKING:
    import argparse

    from emwheels.checkout import Checkout
    from emwheels.target import Targets


def add_status(verbs: Any, common: argparse.ArgumentParser) -> None:
    """Add the verb's parser."""
    parser = verbs.add_parser(
        "status",
        parents=[common],
        help="write dist/index.html anew: packages, versions, sizes, tests, build times; --json prints them",
    )
    add_profile(parser, "which index (default: speed)")


def run_status(arguments: argparse.Namespace, project: Checkout, targets: Targets) -> int:
    """Write the page, and print where it is or what it says."""
    dist = dist_of(project, arguments.profile)
    store = Store(project.cache / "store")
    rows = write_status(dist, store, list(targets.targets.values()), profile=arguments.profile)
    print(json.dumps(summary(rows), indent=1) if arguments.json else dist / PAGE)
    return 0
