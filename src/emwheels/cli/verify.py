"""``emwheels index verify``: an index, proved from outside."""

from __future__ import annotations

import argparse
import json
from collections import Counter
from typing import TYPE_CHECKING, Any

from emwheels.cli.opening import open_environment
from emwheels.errors import IndexingError, UsageError
from emwheels.progress import Board, print_table
from emwheels.verify import (
    all_checks,
    all_clients,
    engine_clients,
    root_of,
    verify,
    with_engines,
    with_identity,
    with_programs,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from emwheels.checkout import Checkout
    from emwheels.target import Targets
    from emwheels.verify import CheckSignature, Verification

_EXAMPLES = """examples:
  emwheels index verify https://wheels.example.org/simple
  emwheels index verify http://127.0.0.1:8000/simple --client micropip-node --only numpy
  emwheels index verify URL --client none      pages, files and headers only; needs no image
  emwheels index verify URL --identity WHO --issuer URL     also: every wheel's build was signed by this identity
  emwheels index verify URL --json | jq '.[].findings[].check'

exit status: 0 no errors (there may be warnings), 10 errors
"""


def add_verify(actions: Any, common: argparse.ArgumentParser) -> None:
    """Add the action's parser."""
    parser = actions.add_parser(
        "verify",
        parents=[common],
        help="install from an index with micropip, pip and uv, and check what it serves",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("urls", nargs="+", metavar="URL", help="the folder with the list of projects, …/simple")
    parser.add_argument("--only", action="append", default=[], metavar="NAME", help="this project; may be repeated")
    parser.add_argument(
        "--client", action="append", choices=[*all_clients(), "none"], help="only this client; may be repeated (all)"
    )
    parser.add_argument("--every-file", action="store_true", help="fetch every file, not only those that clients take")
    parser.add_argument("--identity", metavar="WHO", help="who has to have signed, as the certificate names it")
    parser.add_argument("--issuer", metavar="URL", help="who vouches for this identity; goes with --identity")
    parser.add_argument("--seconds", type=float, default=30, metavar="S", help="limit for an answer (30)")


def run_verify(arguments: argparse.Namespace, project: Checkout, targets: Targets) -> int:
    """Verify, print, and return the exit status."""
    board = Board()
    if arguments.offline:
        raise UsageError("index verify reads a server, which --offline forbids", hint="leave --offline away")
    if not 0 < arguments.seconds < _LONGEST:
        raise UsageError(f"--seconds {arguments.seconds:g} is no time for an answer", hint="for example --seconds 60")
    for url in arguments.urls:
        root_of(url)
    signed = _check_of(arguments.identity, arguments.issuer)
    environment = open_environment(arguments, project, targets)
    clients = [client for client in all_clients() if client in (arguments.client or all_clients())]
    engines = None
    if any(client in engine_clients() for client in clients):
        engines = with_engines(
            image=environment.test_image,
            runtime=environment.runtime,
            playwright_core=environment.playwright_core,
            harness_wheels=environment.harness_wheels,
        )
    programs = with_programs(environment.test_image) if {"pip", "uv"} & set(clients) else None
    reports = verify(
        arguments.urls,
        target=environment.target,
        others=[target for target in targets.targets.values() if target is not environment.target],
        clients=clients,
        engines=engines,
        programs=programs,
        only=arguments.only,
        every_file=arguments.every_file,
        signed=signed,
        seconds=arguments.seconds,
        say=lambda text: board.say("verify", text),
    )
    if arguments.json:
        print(json.dumps([report.to_dict() for report in reports], indent=1))
    else:
        _show(reports)
    return IndexingError.exit_code if any(report.errors for report in reports) else 0


def _check_of(identity: str | None, issuer: str | None) -> CheckSignature | None:
    if bool(identity) != bool(issuer):
        raise UsageError(
            "--identity and --issuer go together", hint="give both: a name says nothing without who vouches for it"
        )
    return with_identity(identity, issuer) if identity and issuer else None


_LONGEST = 86_400
_SUBJECTS = 3
"""Places that are named of each cause; ``--json`` has all."""


def _show(reports: Sequence[Verification]) -> None:
    for report in reports:
        print(f"{report.url} for Pyodide {report.target}")
        if report.projects:
            _print_projects(report)
        for worth, count in Counter(report.statements.values()).items():
            print(f"statements of builds: {count} {worth}")
        if not report.findings:
            print("no findings\n")
            continue
        rows = []
        for name, found in report.causes().items():
            check = all_checks()[name]
            where = ", ".join(dict.fromkeys(fault.subject for fault in found[:_SUBJECTS]))
            where += f" and {len(found) - _SUBJECTS} more" if len(found) > _SUBJECTS else ""
            rows.append((check.severity, name, str(len(found)), where, f"{found[0].message}: {check.means}", check.fix))
        print_table(("", "check", "times", "where", "what was seen, the first time", "what to do"), rows)
        warnings = len(report.findings) - len(report.errors)
        print(f"{len(report.errors)} errors, {warnings} warnings, {report.seconds:.1f} s\n")


def _print_projects(report: Verification) -> None:
    columns = list(dict.fromkeys(client for clients in report.projects.values() for client in clients))
    projects = sorted(report.projects.items())
    print_table(
        ("project", *columns), ((name, *(clients.get(column, "") for column in columns)) for name, clients in projects)
    )
