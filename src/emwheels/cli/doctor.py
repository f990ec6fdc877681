"""``emwheels doctor``: what works on this machine, and what to do where something does not."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from emwheels import __version__
from emwheels.cli.opening import open_environment
from emwheels.errors import ImageError
from emwheels.pipeline.doctor import examine
from emwheels.pipeline.doctor.model import NO

if TYPE_CHECKING:
    from collections.abc import Sequence

    from emwheels.checkout import Checkout
    from emwheels.pipeline.doctor.model import Observation
    from emwheels.target import Targets

_EXAMPLES = """\
examples:
  emwheels doctor                           what works here, a line each; put it into a report of a defect
  emwheels doctor --offline                 the same without asking the registries
  emwheels doctor --json

exit status: 0 a build can run, 5 something stops it
"""


def add_doctor(verbs: Any, common: argparse.ArgumentParser) -> None:
    """Add the verb's parser."""
    verbs.add_parser(
        "doctor",
        parents=[common],
        help="check this machine: sandbox, disk, memory, limits, registries and images",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def run_doctor(arguments: argparse.Namespace, project: Checkout, targets: Targets) -> int:
    """Look at the machine, print what was found, and return the exit status."""
    found = examine(open_environment(arguments, project, targets))
    stopping = [each.name for each in found if each.state == NO]
    if arguments.json:
        rows = [asdict(each) for each in found]
        print(json.dumps({"emwheels": __version__, "can build": not stopping, "checks": rows}, indent=1))
    else:
        _print(found)
        print(f"\na build cannot run: {', '.join(stopping)}" if stopping else "\na build can run")
    return ImageError.exit_code if stopping else 0


def _print(found: Sequence[Observation]) -> None:
    width = max(len(each.name) for each in found)
    for each in found:
        print(f"{each.state:7}  {each.name:{width}}  {each.detail}")
        if each.hint:
            print(f"{'':7}  {'':{width}}  -> {each.hint}")
