"""``emwheels debug``: a shell in the sandbox, where a build failed or where it would compile."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from emwheels.author.debug import debug
from emwheels.cli.opening import (
    DOCUMENTED_PROFILE,
    add_limits,
    add_profile,
    limits_given,
    open_builds,
    open_environment,
)
from emwheels.pipeline.gathering import limits_of
from emwheels.pipeline.looking import laid_out, left
from emwheels.pipeline.model import Options
from emwheels.pipeline.run import make_run

if TYPE_CHECKING:
    from emwheels.checkout import Checkout
    from emwheels.target import Targets

_EXAMPLES = """examples:
  emwheels debug numpy                           a shell where its build failed, or where it would compile
  emwheels debug numpy -- cat meson-logs/x.txt   one command; its exit status is that of emwheels
  emwheels debug numpy --fresh                   forget what was left there, and lay everything out anew
  emwheels build numpy --from compile            does it compile now, with what you changed there?

The folder is the source tree that the build compiles, the compilers are the build's (cc and gcc add the flags of
recipe and profile), the network is closed. Changes stay until the next build of the recipe.
"""


def add_debug(verbs: Any, parents: list[argparse.ArgumentParser]) -> None:
    """Add the verb's parser."""
    parser = verbs.add_parser(
        "debug",
        parents=parents,
        help="open a shell in the sandbox where a build failed, or would compile",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("name", metavar="NAME", help="a recipe")
    parser.add_argument("command", nargs="*", metavar="COMMAND", help="run this instead of a shell; write -- before it")
    parser.add_argument("--fresh", action="store_true", help="lay everything out anew, and forget what was left there")
    add_profile(parser, "of which build (default: the one that failed, else speed)")
    parser.set_defaults(profile="")
    add_limits(parser)


def run_debug(arguments: argparse.Namespace, project: Checkout, targets: Targets) -> int:
    """Open the shell or run the command, and return its exit status."""
    environment = open_environment(arguments, project, targets)
    name = make_run(environment, [arguments.name]).recipe(arguments.name).name
    target = environment.target.name if arguments.target else ""
    kept = left(environment, name, target=target, profile=arguments.profile, fresh=arguments.fresh)
    profile = arguments.profile or (kept.profile if kept else DOCUMENTED_PROFILE)
    options = Options(profile=profile, test=False, publish=False, limits=limits_given(arguments))
    run = make_run(environment, [arguments.name], options, builds=open_builds(arguments, environment))
    if kept is None:
        kept = laid_out(run, name)
    limits = limits_of(run, run.recipes[name])
    return debug(kept, environment.image, cache=project.cache, command=arguments.command, limits=limits)
