"""``emwheels plan``: what a build would do, and why."""

from __future__ import annotations

import argparse
import json
from collections import Counter
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from emwheels.cli.opening import NAMES, add_profile, open_builds, open_environment, say_bad
from emwheels.errors import UsageError
from emwheels.pipeline.model import Options
from emwheels.pipeline.run import make_run
from emwheels.pipeline.survey import plan
from emwheels.plan.ci_jobs import GITHUB_LEVELS, ci_levels, github, gitlab
from emwheels.plan.planning import BAD_RECIPE, REMOTE, TO_BUILD
from emwheels.progress import print_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from emwheels.checkout import Checkout
    from emwheels.plan.planning import Planned
    from emwheels.target import Targets

_EXAMPLES = """examples:
  emwheels plan                       every recipe: up to date, from the remote store, to build or blocked, and why
  emwheels plan opencv-python         that one and what it needs
  emwheels plan "*,!tag:slow"         every recipe that does not have the tag slow
  emwheels plan --json | jq -r '.[] | select(.state == "to build").name'
  emwheels plan --format github       jobs for a matrix of GitHub Actions; gitlab: a child pipeline

Nothing is built or downloaded. What a package is compiled against is part of its key by its bytes: as long as such a
package is to be built itself, nobody can know whether its dependents change, and the plan says so.
"""


def add_plan(verbs: Any, parents: Sequence[argparse.ArgumentParser]) -> None:
    """Add the verb's parser."""
    parser = verbs.add_parser(
        "plan",
        parents=parents,
        help="say what a build would do, and why",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"{NAMES}; with what they need (default: all)")
    parser.add_argument("--all", action="store_true", help="every recipe, as without a name")
    parser.add_argument(
        "--format",
        choices=["table", "github", "gitlab"],
        default="table",
        help="how to print it; for a CI service, what is to be built as levels of jobs (default: table)",
    )
    add_profile(parser)


def run_plan(arguments: argparse.Namespace, project: Checkout, targets: Targets) -> int:
    """Print the plan and return the exit status: 0 also if there is something to do, but not for a bad recipe."""
    if arguments.names and arguments.all:
        raise UsageError("give names or --all, not both")
    environment = open_environment(arguments, project, targets)
    builds = open_builds(arguments, environment)
    run = make_run(environment, arguments.names, Options(profile=arguments.profile), builds=builds)
    planned = plan(run)
    if arguments.format != "table":
        print(ci_plan(planned, arguments.format))
    elif arguments.json:
        print(json.dumps([asdict(package) for package in planned], indent=1))
    else:
        _print_plan(planned)
    return say_bad(run.bad)


def ci_plan(planned: Sequence[Planned], service: str) -> str:
    """Return what is to be built as jobs of ``github`` or ``gitlab``."""
    needs = {package.name: package.needs for package in planned if package.state == TO_BUILD}
    seconds = {package.name: package.seconds for package in planned if package.seconds}
    if service == "github":
        return github(ci_levels(needs, seconds, max_levels=GITHUB_LEVELS))
    return gitlab(ci_levels(needs, seconds)).rstrip()


def _print_plan(planned: Sequence[Planned]) -> None:
    print_table(
        ("package", "plan", "why"),
        ((package.name, _STATES.get(package.state, package.state), _why(package)) for package in planned),
    )
    counts = Counter(_STATES.get(package.state, package.state) for package in planned)
    summary = ", ".join(f"{count} {state}" for state, count in counts.items()) or "no recipes"
    seconds = sum(package.seconds or 0 for package in planned if package.state == TO_BUILD)
    print(summary + (f"; the builds took {seconds:,.0f} s last time" if seconds else ""))


def _why(package: Planned) -> str:
    return f"{len(package.why)} to mend" if package.state == BAD_RECIPE else "; ".join(package.why)


_STATES = {REMOTE: "from the remote store"}
