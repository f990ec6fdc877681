"""The ``emwheels`` command."""

from __future__ import annotations

import argparse
import io
import os
import signal
import sys
import traceback
from contextlib import redirect_stderr, redirect_stdout
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TextIO, cast

from emwheels import __version__
from emwheels.checkout import Checkout, bare_project, find_project, new_project
from emwheels.cli.own_options import is_own
from emwheels.errors import EmwheelsError, StoppedError, UsageError, of_os_error
from emwheels.image.toolchain import TOOLCHAINS
from emwheels.progress import Screen
from emwheels.target import Targets, load_targets
from emwheels.target.profiles import flags_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


_EXAMPLES = """examples:
  emwheels list                          the recipes, a line each
  emwheels build numpy                   image, sources, build, audit, tests and index: everything needed
  emwheels build .                       your own Python project, without a recipe; its wheel is in wheelhouse/
  emwheels build --all --profile size    every recipe with upstream's size optimisation
  emwheels plan                          what a build would do, and why
  emwheels test numpy --engine node      the tests only, in one engine
  emwheels image                         what is in the images
  emwheels doctor                        what works on this machine, and what to do where something does not
  emwheels serve                         dist/ over HTTP, with the headers that micropip needs
  emwheels publish PLACE                 send dist/ to a folder, another machine (rsync) or a bucket (S3)
  emwheels index verify URL              does every project install from that index, in every client
  emwheels debug numpy                   a shell in the sandbox where its build failed, or would compile
  emwheels fix numpy                     what would mend its failed build, as a change of meta.yaml
  emwheels source numpy                  its source, patches applied, in a folder; then emwheels create-patch numpy
  emwheels explain "pandas>=3"           which wheels there are for it, and why each is or is not taken
  emwheels run --with numpy -c CODE      Python in Pyodide with wheels of dist/: code, -m MODULE, a script, a prompt
  emwheels bundle -o app numpy           Pyodide, numpy and a page in one folder, for any web server
  emwheels lint --fix                    what is wrong with recipes; mends what is mechanical
  emwheels recipe show numpy             what is known of a recipe; graph draws what needs what
  emwheels new-recipe crc32c             write a recipe for a package of PyPI, build it and test it
  emwheels import FOLDER                 take over recipes that are written for pyodide-build
  emwheels init                          make the working folder a project of its own, on the standard recipes
  emwheels lock numpy                    pin numpy's build requirements by hash
  emwheels bump --check                  what is newer than the recipes; emwheels bump NAME changes one
  emwheels audit NAME.whl                what would make a wheel fail, mislead or leak
  emwheels status                        write dist/index.html, the page of what is published, anew
  emwheels cache info                    what the cache holds; gc, verify and export: see emwheels cache --help

exit status: 0 done, 1 other failure, 2 wrong usage, 3 recipe, 4 fetch, 5 image, 6 build, 7 audit, 8 tests,
  9 store damaged, 10 index, 130 stopped
"""


_TAKE_ALL = (argparse.PARSER, argparse.REMAINDER)
"""What takes options, too, once it has begun."""


class _Joined(argparse.Action):
    """An option that may be repeated: its values, joined by commas."""

    def __call__(self, _parser: Any, namespace: argparse.Namespace, values: Any, _option: Any = None) -> None:
        """See `argparse.Action`."""
        before = getattr(namespace, self.dest, None)
        setattr(namespace, self.dest, f"{before},{values}" if before else values)


class _VerbParser(argparse.ArgumentParser):
    """Takes options between the words of a verb, as in ``image save --part test FILE``; argparse does not by itself."""

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """See `argparse.ArgumentParser.parse_known_args`; ``rest`` gets what stands behind ``--``, for who wants it."""
        if args is not None and "--" in args and self.get_default("rest") is not None:
            end = args.index("--")
            namespace = argparse.Namespace() if namespace is None else namespace
            args, namespace.rest = args[:end], tuple(args[end + 1 :])
        if self._intermixing or any(action.nargs in _TAKE_ALL for action in self._actions):
            return super().parse_known_args(args, namespace)
        self._intermixing = True  # which calls this
        try:
            return self.parse_known_intermixed_args(args, namespace)
        finally:
            self._intermixing = False

    _intermixing = False


def _parser(asked: str = "") -> argparse.ArgumentParser:
    """Return the parser of all verbs, or of those in the module of the one ``asked``, which alone is loaded."""
    parser = argparse.ArgumentParser(
        prog="emwheels",
        description="Turns source packages into tested WebAssembly wheels for Pyodide.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=__version__)
    parser.add_argument("--project", type=Path, help="a folder of the project (default: the working folder)")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB", parser_class=_VerbParser)

    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "--target", action=_Joined, help="Pyodide version, a table of targets.toml (default: the one named there)"
    )
    common.add_argument(
        "--toolchain",
        choices=TOOLCHAINS,
        default=TOOLCHAINS[0],
        help=(
            "Debian's Emscripten (default), or the target's exact one from upstream, which needs access to GitHub and "
            "Google Storage"
        ),
    )
    common.add_argument("--offline", action="store_true", help="open no socket; what is missing is an error")
    common.add_argument("--json", action="store_true", help="print the result as JSON on standard output")

    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument(
        "--remote",
        metavar="URL",
        default=os.environ.get("EMWHEELS_REMOTE", ""),
        help="a store of builds to share: oci://HOST/NAME, or https://… of a folder (default: EMWHEELS_REMOTE)",
    )
    shared.add_argument(
        "--push",
        action="store_true",
        default=os.environ.get("EMWHEELS_PUSH", "") not in ("", "0"),
        help="also upload builds to it (default: EMWHEELS_PUSH)",
    )

    for module, (adder, several, runners) in _MODULES.items():
        if asked in runners or not asked:
            add = getattr(import_module(f"emwheels.cli.{module}"), adder)
            add(verbs, [common, shared] if several else common)
    return parser


def command_parser() -> argparse.ArgumentParser:
    """Return the parser of every verb, for what describes the command."""
    return _parser()


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status."""
    for each in (signal.SIGTERM, signal.SIGHUP):  # the latter when a terminal is closed
        if signal.getsignal(each) != signal.SIG_IGN:  # nohup
            signal.signal(each, _stop)
    os.umask(os.umask(0o022) & 0o022)  # what is mounted in the sandbox is read there by another user than root
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # no locale ends a command
    screens = cast("tuple[TextIO, TextIO]", (Screen(sys.stdout), Screen(sys.stderr)))
    with redirect_stdout(screens[0]), redirect_stderr(screens[1]):
        try:
            return _run(argv)
        except Exception:  # noqa: BLE001  a defect; what Python itself prints may have a password in it
            print(traceback.format_exc(), file=sys.stderr, end="")
            return EmwheelsError.exit_code


def _run(argv: Sequence[str] | None) -> int:
    try:
        given = sys.argv[1:] if argv is None else argv
        arguments = _parser(_asked(given)).parse_args(argv)
        project = _project(arguments)
        targets = load_targets(project.targets_file, use=project.settings.targets)
        _take_settings(arguments, project)
        if profile := getattr(arguments, "profile", ""):
            # It names folders, too: no verb takes one that is none.
            flags_of(profile, targets.get(None).profiles)
        return _runner(arguments.verb)(arguments, project, targets)
    except EmwheelsError as error:
        _complain(error)
        return error.exit_code
    except KeyboardInterrupt:
        print("emwheels: stopped; what was finished is kept, run the same command to go on", file=sys.stderr)
        return StoppedError.exit_code
    except RecursionError:
        _complain(
            EmwheelsError("something that was read is nested too deeply to be read", hint="see what it asked last")
        )
        return EmwheelsError.exit_code
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        if error.errno is None:
            raise
        _complain(of_os_error(error))
        return 1


def _project(arguments: argparse.Namespace) -> Checkout:
    """Return the project that recipes are of; outside of one, that without recipes for what needs none."""
    if arguments.verb in _WITHOUT_PROJECT:
        return new_project()
    try:
        return find_project(arguments.project)
    except UsageError:
        if arguments.project is None and _needs_none(arguments):
            return bare_project()
        raise


def _needs_none(arguments: argparse.Namespace) -> bool:
    """Tell whether a verb works without a project: it builds a folder, or reads an index that somebody published."""
    if arguments.verb in ("build", "test"):
        return is_own(arguments)
    return arguments.verb in _ANYWHERE and _ANYWHERE[arguments.verb] == getattr(arguments, "action", None)


_ANYWHERE = {"explain": None, "bundle": None, "run": None, "serve": None, "index": "verify"}
"""Verbs, or a verb's action, that an application team runs on a published index, with no project around."""


def _take_settings(arguments: argparse.Namespace, project: Checkout) -> None:
    """Give options that the command line leaves open the values of the project's emwheels.toml."""
    if getattr(arguments, "profile", "") is None:
        arguments.profile = project.settings.profile
    if getattr(arguments, "remote", None) == "":
        arguments.remote = project.settings.remote


def _stop(_signal: int, _frame: object) -> NoReturn:
    raise KeyboardInterrupt


def _complain(error: EmwheelsError) -> None:
    print(f"emwheels: {error.message}", file=sys.stderr)
    if error.hint:
        print(f"  {error.hint}", file=sys.stderr)


_WITHOUT_PROJECT = ("init",)
"""Verbs that need no project around them."""
_MODULES: dict[str, tuple[str, bool, dict[str, str]]] = {
    "build": ("add_build", True, {"list": "run_list", "build": "run_build", "test": "run_build"}),
    "debug": ("add_debug", True, {"debug": "run_debug"}),
    "fix": ("add_fix", False, {"fix": "run_fix"}),
    "source": ("add_source", False, {"source": "run_source", "create-patch": "run_create_patch"}),
    "image": ("add_image", False, {"image": "run_image"}),
    "doctor": ("add_doctor", False, {"doctor": "run_doctor"}),
    "audit": ("add_audit", False, {"audit": "run_audit"}),
    "lint": ("add_lint", False, {"lint": "run_lint"}),
    "lock": ("add_lock", False, {"lock": "run_lock"}),
    "recipe": ("add_recipe", False, {"recipe": "run_recipe"}),
    "new_recipe": ("add_new_recipe", False, {"new-recipe": "run_new_recipe"}),
    "upstream": ("add_upstream_tests", False, {"upstream-tests": "run_upstream_tests"}),
    "bump": ("add_bump", True, {"bump": "run_bump"}),
    "tables": ("add_tables", False, {"tables": "run_tables"}),
    "plan": ("add_plan", True, {"plan": "run_plan"}),
    "reproduce": ("add_reproduce", True, {"reproduce": "run_reproduce"}),
    "serve": ("add_serve", False, {"serve": "run_serve"}),
    "status": ("add_status", False, {"status": "run_status"}),
    "index": ("add_index", False, {"index": "run_index"}),
    "publish": ("add_publish", False, {"publish": "run_publish"}),
    "explain": ("add_explain", False, {"explain": "run_explain"}),
    "run": ("add_run", False, {"run": "run_run"}),
    "bundle": ("add_bundle", False, {"bundle": "run_bundle"}),
    "cache": ("add_cache", False, {"cache": "run_cache"}),
    "init": ("add_init", False, {"init": "run_init"}),
    "import_": ("add_import", False, {"import": "run_import"}),
}
"""Module of `emwheels.cli` -> what adds its parsers, whether with both groups of options, and what runs each verb."""


def _asked(given: Sequence[str]) -> str:
    """Return the verb of a command line, empty if it has none that there is."""
    words = iter(given)
    for word in words:
        if word == "--project":
            next(words, None)
        elif not word.startswith("-"):
            return word if any(word in runners for *_, runners in _MODULES.values()) else ""
    return ""


def _runner(verb: str) -> Callable[[argparse.Namespace, Checkout, Targets], int]:
    module, runner = next((module, runners[verb]) for module, (*_, runners) in _MODULES.items() if verb in runners)
    function: Callable[[argparse.Namespace, Checkout, Targets], int] = getattr(
        import_module(f"emwheels.cli.{module}"), runner
    )
    return function
