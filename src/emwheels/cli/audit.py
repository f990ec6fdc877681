"""``emwheels audit``: the audit of wheel files from anywhere."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from emwheels.cli.opening import open_environment
from emwheels.errors import AuditError

if TYPE_CHECKING:
    import argparse

    from emwheels.checkout import Checkout
    from emwheels.target import Targets


def add_audit(verbs: Any, common: argparse.ArgumentParser) -> None:
    """Add the verb's parser."""
    audit = verbs.add_parser("audit", parents=[common], help="audit wheel files")
    audit.add_argument("wheels", nargs="+", type=Path, metavar="WHEEL", help="a wheel file")
    audit.add_argument(
        "--dependency",
        action="append",
        type=Path,
        default=[],
        metavar="WHEEL",
        help="a wheel whose shared libraries these use; may be repeated",
    )


def run_audit(arguments: argparse.Namespace, project: Checkout, targets: Targets) -> int:
    """Audit the files, print what was found, and return the exit status."""
    from emwheels.audit import Runtime, audit_wheel
    from emwheels.image.places import BUILD_PATHS

    environment = open_environment(arguments, project, targets)
    target = environment.target
    runtime = Runtime.read(environment.runtime)
    status = 0
    for wheel in arguments.wheels:
        report = audit_wheel(
            wheel, target=target, runtime=runtime, dependencies=arguments.dependency, build_paths=BUILD_PATHS
        )
        status = AuditError.exit_code if report.errors else status
        if arguments.json:
            print(report.to_json(), end="")
            continue
        print(f"{report.wheel}: {len(report.errors)} errors, {len(report.findings) - len(report.errors)} warnings")
        for finding in report.findings:
            print(f"  {finding.severity}: {finding.rule}: {finding.member}: {finding.message}")
    return status
