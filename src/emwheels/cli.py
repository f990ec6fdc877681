"""The ``emwheels`` command."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import sys
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from rich.console import Console
from rich.table import Table

from emwheels import __version__
from emwheels.build.compiler_cache import Hits
from emwheels.checkout import Project, find_project
from emwheels.errors import EmwheelsError, ImageError, UsageError, of_os_error
from emwheels.fetch.npm import npm_package
from emwheels.harness.engines import ENGINES
from emwheels.image import debian
from emwheels.image.toolchain import TOOLCHAINS
from emwheels.package import Options, Outcome
from emwheels.profile import PROFILES
from emwheels.recipe.load import load_recipes
from emwheels.status.documents import due_after
from emwheels.status.ledger import WHEELS
from emwheels.target import Targets, load_targets
from emwheels.verbs.opening import open_pipeline

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from emwheels.pipeline import Pipeline

_EXAMPLES = """examples:
  emwheels list                          the recipes, a line each
  emwheels build numpy                   image, sources, build, audit, tests and index: everything needed
  emwheels build --all --profile size    every recipe with upstream's size optimisation
  emwheels plan                          what a build would do, and why
  emwheels test numpy --engine node      the tests only, in one engine
  emwheels image                         what is in the build image
  emwheels serve                         dist/ over HTTP, with the headers that micropip needs
  emwheels publish PLACE                 send dist/ to a folder, another machine (rsync) or a bucket (S3)
  emwheels index verify URL              does every project install from that index, in every client
  emwheels explain "pandas>=3"           which wheels there are for it, and why each is or is not taken
  emwheels bundle -o app numpy           Pyodide, numpy and a page in one folder, for any web server
  emwheels lock numpy                    pin numpy's build requirements by hash
  emwheels cache info                    what the cache holds; gc, verify and export: see emwheels cache --help

exit status: 0 done, 1 other failure, 2 wrong usage, 3 recipe, 4 fetch, 5 image, 6 build, 7 audit, 8 tests,
  9 store damaged, 10 index, 130 stopped
"""


def _parser(asked: str = "") -> argparse.ArgumentParser:
    """Return the parser of all verbs, or of those that are here and ``asked``, whose module alone is loaded."""
    parser = argparse.ArgumentParser(
        prog="emwheels",
        description="Turns source packages into tested WebAssembly wheels for Pyodide.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=__version__)
    parser.add_argument("--project", type=Path, help="a folder of the checkout (default: the working folder)")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")

    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--target", help="Pyodide version, a table of targets.toml (default: the one named there)")
    common.add_argument(
        "--toolchain",
        choices=TOOLCHAINS,
        default=TOOLCHAINS[0],
        help="Debian's Emscripten (default), or the target's exact one from upstream, which needs more than registries",
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

    verbs.add_parser("list", parents=[common], help="list the recipes")
    for verb, text in (
        ("build", "build, audit, test and index packages and what they need"),
        ("test", "run the tests of packages again, building what is missing"),
    ):
        run = verbs.add_parser(verb, parents=[common, shared], help=text)
        run.add_argument("names", nargs="*", metavar="NAME")
        run.add_argument("--all", action="store_true", help="every recipe")
        run.add_argument("--profile", choices=list(PROFILES), default="speed", help="how to optimise (default: speed)")
        run.add_argument("--engine", action="append", choices=ENGINES, help="only this engine; may be repeated")
        run.add_argument(
            "--scheduler", metavar="ADDRESS", help="run on a Dask cluster, e.g. tcp://HOST:8786; needs --remote"
        )
        run.add_argument("--test-seconds", type=float, default=120, metavar="S", help="limit for one test (120)")
        if verb == "build":
            run.add_argument(
                "--jobs", type=int, default=0, metavar="N", help="cores for all builds together (those of the machine)"
            )
            run.add_argument("--fail-fast", action="store_true", help="start nothing more after the first failure")
            run.add_argument("--no-test", action="store_true", help="do not run the tests")
            run.add_argument(
                "--no-ccache", action="store_true", help="compile every object, with an empty compiler cache"
            )
            run.add_argument("--force", action="store_true", help="build and test even what is up to date")
    image = verbs.add_parser("image", parents=[common], help="make, show, save or load the build image")
    image.add_argument("action", nargs="?", choices=["show", "save", "load"], default="show")
    image.add_argument("file", nargs="?", type=Path, help="the archive to save to or load from")
    audit = verbs.add_parser("audit", parents=[common], help="audit wheel files")
    audit.add_argument("wheels", nargs="+", type=Path, metavar="WHEEL")
    audit.add_argument("--dependency", action="append", type=Path, default=[], metavar="WHEEL")
    for module, (adder, several, runners) in _MODULES.items():
        if asked in runners or not asked:
            add = getattr(import_module(f"emwheels.verbs.{module}"), adder)
            add(verbs, [common, shared] if several else common)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status."""
    for each in (signal.SIGTERM, signal.SIGHUP):  # the latter when a terminal is closed
        if signal.getsignal(each) != signal.SIG_IGN:  # nohup
            signal.signal(each, _stop)
    try:
        given = sys.argv[1:] if argv is None else argv
        arguments = _parser(next((word for word in given if word in _verb_names()), "")).parse_args(argv)
        project = find_project(arguments.project)
        return _runner(arguments.verb)(arguments, project, load_targets(project.targets_file))
    except EmwheelsError as error:
        _complain(error)
        return error.exit_code
    except KeyboardInterrupt:
        print("emwheels: stopped; what was finished is kept, run the same command to go on", file=sys.stderr)
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        if error.errno is None:
            raise
        _complain(of_os_error(error))
        return 1


def _stop(_signal: int, _frame: object) -> NoReturn:
    raise KeyboardInterrupt


def _complain(error: EmwheelsError) -> None:
    print(f"emwheels: {error.message}", file=sys.stderr)
    if error.hint:
        print(f"  {error.hint}", file=sys.stderr)


def _list(arguments: argparse.Namespace, project: Project, targets: Targets) -> int:
    recipes = load_recipes(project.recipes, patches=project.patches)
    if arguments.json:
        rows = [{"name": r.name, "version": r.version, "summary": r.about.summary} for r in recipes.values()]
        print(json.dumps(rows, indent=1))
        return 0
    width = max(len(name) for name in recipes) if recipes else 0
    for recipe in recipes.values():
        print(f"{recipe.name:{width}}  {recipe.version:12}  {recipe.about.summary or ''}")
    print("\nTo build one and test it: nox -s build-package -- NAME    (or: emwheels build NAME)")
    print(f"Targets: {', '.join(targets.targets)} (default {targets.default}); profiles: {', '.join(PROFILES)}")
    return 0


def _run(arguments: argparse.Namespace, project: Project, targets: Targets) -> int:
    if not arguments.names and not arguments.all:
        return _list(arguments, project, targets)
    if arguments.names and arguments.all:
        raise UsageError("give names or --all, not both")
    only_test = arguments.verb == "test"
    if not only_test and arguments.jobs < 0:
        raise UsageError(f"--jobs {arguments.jobs}: give the number of cores", hint="0 takes those of the machine")
    options = Options(
        profile=arguments.profile,
        engines=tuple(arguments.engine or ENGINES),
        test=only_test or not arguments.no_test,
        rebuild=not only_test and arguments.force,
        retest=only_test or arguments.force,
        test_seconds=arguments.test_seconds,
        ccache=only_test or not arguments.no_ccache,
        jobs=0 if only_test else arguments.jobs,
        fail_fast=not only_test and arguments.fail_fast,
    )
    if arguments.scheduler and (not arguments.remote or arguments.offline):
        raise UsageError(
            "--scheduler needs --remote: the workers hand builds to each other through it",
            hint="--remote oci://HOST/NAME, a registry that this machine and all workers can reach",
        )
    pipeline = open_pipeline(arguments, project, targets)
    if arguments.scheduler:
        from emwheels.worker import run_on_cluster

        outcomes = run_on_cluster(arguments.scheduler, pipeline, arguments.names, options, arguments.remote)
    else:
        outcomes = pipeline.run(arguments.names, options)
    due = _due(project, pipeline, outcomes)
    if arguments.json:
        print(json.dumps([_plain(outcome) | {"due": due.get(outcome.name, [])} for outcome in outcomes], indent=1))
    else:
        _print_outcomes(outcomes)
        for name, results in due.items():
            print(f"{name} has other content than docs/ tells of; due: {', '.join(results)}")
        if due:
            print("To have them again: emwheels upstream-tests --due, then emwheels tables")
    failed = [outcome.error for outcome in outcomes if outcome.error is not None]
    return failed[0].exit_code if failed else 0


def _due(project: Project, pipeline: Pipeline, outcomes: Sequence[Outcome]) -> dict[str, list[str]]:
    """Return for each package that was built the results in docs/ that are of another content of it."""
    if not (project.root / "docs" / WHEELS).is_file():
        return {}
    built = [each.output for each in outcomes if each.state in ("built", "failed") and each.output is not None]
    return due_after(project.root / "docs", {output.name: pipeline.content(output) for output in built})


def _plain(outcome: Outcome) -> dict[str, Any]:
    return {
        "name": outcome.name,
        "state": outcome.state,
        "why": outcome.why,
        "output": asdict(outcome.output) if outcome.output else None,
        "phases": outcome.phases,
        "engines": outcome.engines,
        "ccache": asdict(outcome.ccache) if outcome.ccache else None,
        "error": outcome.error.message if outcome.error else None,
    }


def _print_outcomes(outcomes: Sequence[Outcome]) -> None:
    table = Table(box=None, pad_edge=False)
    for heading in ("package", "result", "bytes", "seconds", "ccache", "tests", ""):
        table.add_column(heading, justify="right" if heading in ("bytes", "seconds") else "left", overflow="fold")
    for outcome in outcomes:
        output = outcome.output
        table.add_row(
            outcome.name,
            outcome.state,
            f"{output.size:,}" if output else "",
            f"{sum(outcome.phases.values()):.1f}" if outcome.phases else "",
            str(outcome.ccache) if outcome.ccache else "",
            "; ".join(f"{engine} {summary}" for engine, summary in outcome.engines.items()),
            outcome.why or (output.filename if output else ""),
        )
    width = shutil.get_terminal_size((160, 24)).columns
    Console(highlight=False, width=width).print(table)
    found = [outcome.ccache for outcome in outcomes if outcome.ccache]
    if found:
        print(f"ccache: {sum(found, Hits())}")


def _image(arguments: argparse.Namespace, project: Project, targets: Targets) -> int:
    pipeline = open_pipeline(arguments, project, targets)
    if arguments.action != "show" and arguments.file is None:
        raise UsageError(
            f"image {arguments.action} needs a file", hint=f"emwheels image {arguments.action} image.tar.gz"
        )
    if arguments.action == "load":
        record = debian.load_archive(project.cache, targets.image, arguments.file)
        print(f"loaded {record.digest}")
        return 0
    digest = pipeline.image_digest
    if arguments.action == "save":
        debian.save_image(project.cache, targets.image, arguments.file)
        print(f"saved {digest} to {arguments.file} ({arguments.file.stat().st_size:,} bytes)")
        return 0
    if arguments.toolchain == "emsdk" and not pipeline.target.emsdk.complete:
        return _propose_emsdk(arguments, pipeline)
    toolchain = pipeline.toolchain
    shown = debian.read_record(debian.image_folder(project.cache, targets.image))
    content = {"digest": digest, "toolchain": toolchain.name, "toolchain_key": toolchain.key} | (
        asdict(shown) if shown and shown.digest == digest else {}
    )
    if arguments.json:
        print(json.dumps(content, indent=1))
        return 0
    print(f"digest     {digest}\ntoolchain  {toolchain.name} for {pipeline.target.name}, {toolchain.crossenv}")
    if shown and shown.digest == digest:
        print(f"suite      Debian {shown.suite}")
        print(f"kept in    {debian.image_folder(project.cache, targets.image)}\n")
        for package, version in sorted(shown.packages.items()):
            print(f"{package} {version}")
    return 0


def _propose_emsdk(arguments: argparse.Namespace, pipeline: Pipeline) -> int:
    """Print the lines of targets.toml that pin the emsdk toolchain; nothing is used before they are there."""
    from emwheels.image.toolchain.emsdk import propose_pins

    target = pipeline.target
    pins = propose_pins(target, pipeline.fetcher)
    if arguments.json:
        print(json.dumps(asdict(pins), indent=1))
        return ImageError.exit_code
    print("# targets.toml does not pin these files yet. Compare them with what upstream publishes, then add:\n")
    for name, pin in pins.by_name().items():
        print(f'[target."{target.name}".emsdk.{name}]\nurl = "{pin.url}"\nsha256 = "{pin.sha256}"\n')
    return ImageError.exit_code


def _audit(arguments: argparse.Namespace, project: Project, targets: Targets) -> int:
    from emwheels.audit import Runtime, audit_wheel
    from emwheels.image.places import BUILD_PATHS

    pipeline = open_pipeline(arguments, project, targets)
    target = pipeline.target
    runtime = Runtime.read(npm_package(target.runtime, target.runtime_sha256, pipeline.fetcher, project.cache))
    status = 0
    for wheel in arguments.wheels:
        report = audit_wheel(
            wheel, target=target, runtime=runtime, dependencies=arguments.dependency, build_paths=BUILD_PATHS
        )
        status = 7 if report.errors else status
        if arguments.json:
            print(report.to_json(), end="")
            continue
        print(f"{report.wheel}: {len(report.errors)} errors, {len(report.findings) - len(report.errors)} warnings")
        for finding in report.findings:
            print(f"  {finding.severity}: {finding.rule}: {finding.member}: {finding.message}")
    return status


_VERBS = {"list": _list, "build": _run, "test": _run, "image": _image, "audit": _audit}

_MODULES: dict[str, tuple[str, bool, dict[str, str]]] = {
    "lock": ("add_lock", False, {"lock": "run_lock"}),
    "upstream": ("add_upstream_tests", False, {"upstream-tests": "run_upstream_tests"}),
    "tables": ("add_tables", False, {"tables": "run_tables"}),
    "plan": ("add_plan", True, {"plan": "run_plan"}),
    "reproduce": ("add_reproduce", True, {"reproduce": "run_reproduce"}),
    "serve": ("add_serve", False, {"serve": "run_serve"}),
    "status": ("add_status", False, {"status": "run_status"}),
    "index": ("add_index", False, {"index": "run_index", "publish": "run_publish"}),
    "explain": ("add_explain", False, {"explain": "run_explain"}),
    "bundle": ("add_bundle", False, {"bundle": "run_bundle"}),
    "cache": ("add_cache", False, {"cache": "run_cache"}),
}
"""Module of `emwheels.verbs` -> what adds its parsers, whether with both groups of options, and what runs each verb."""


def _verb_names() -> set[str]:
    return {*_VERBS, *(verb for *_, runners in _MODULES.values() for verb in runners)}


def _runner(verb: str) -> Callable[[argparse.Namespace, Project, Targets], int]:
    if verb in _VERBS:
        return _VERBS[verb]
    module, runner = next((module, runners[verb]) for module, (*_, runners) in _MODULES.items() if verb in runners)
    found: Callable[[argparse.Namespace, Project, Targets], int] = getattr(
        import_module(f"emwheels.verbs.{module}"), runner
    )
    return found
