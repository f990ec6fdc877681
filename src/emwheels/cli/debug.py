"""``emwheels debug``: a shell in the sandbox, where a build failed or where it would compile."""

from __future__ import annotations

import argparse
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from emwheels.author.debug import debug
from emwheels.build.kept import drop, read_kept
from emwheels.cli.opening import (
    DOCUMENTED_PROFILE,
    add_limits,
    add_profile,
    limits_given,
    open_builds,
    open_environment,
)
from emwheels.errors import UsageError
from emwheels.pipeline.gathering import limits_of
from emwheels.pipeline.model import PREPARE, Options
from emwheels.pipeline.run import make_run, outputs_of, run_packages

if TYPE_CHECKING:
    from emwheels.build.kept import Kept
    from emwheels.checkout import Checkout
    from emwheels.pipeline.environment import Environment
    from emwheels.pipeline.model import Run
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
    kept = _kept(arguments, environment)
    profile = arguments.profile or (kept.profile if kept else DOCUMENTED_PROFILE)
    options = Options(profile=profile, test=False, publish=False, limits=limits_given(arguments))
    run = make_run(environment, [arguments.name], options, builds=open_builds(arguments, environment))
    name = run.recipe(arguments.name).name
    if kept is None:
        kept = _prepared(run, name)
    limits = limits_of(run, run.recipes[name])
    return debug(kept, environment.image, cache=project.cache, command=arguments.command, limits=limits)


def _kept(arguments: argparse.Namespace, environment: Environment) -> Kept | None:
    """Return what a build left, if that is what is asked for. Raises `UsageError` if it is of another build."""
    cache = environment.project.cache
    name = make_run(environment, [arguments.name]).recipe(arguments.name).name
    kept = read_kept(cache, name)
    if kept is None or arguments.fresh:
        if not drop(cache, name):
            raise UsageError(f"{name}: somebody is in its work folder", hint="leave that shell first")
        return None
    asked = (environment.target.name if arguments.target else "", arguments.profile)
    for what, wanted, has in zip(("target", "profile"), asked, (kept.target, kept.profile), strict=True):
        if wanted and wanted != has:
            raise UsageError(
                f"{name}: what the last build left is of {what} {has}, not {wanted}",
                hint=f"leave --{what} out, or add --fresh to forget it",
            )
    if kept.image != environment.image_digest:
        raise UsageError(f"{name}: what the last build left is of another build image", hint="add --fresh to forget it")
    return kept


def _prepared(run: Run, name: str) -> Kept:
    outputs_of(run_packages(replace(run, options=replace(run.options, starts={name: PREPARE}))))
    kept = read_kept(run.environment.project.cache, name)
    if kept is None:
        raise UsageError(f"{name}: what it needs was not built, so nothing could be laid out for it")
    return kept
