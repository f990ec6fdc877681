"""``emwheels audit``: the audit of wheel files from anywhere, and what their modules want and give."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emwheels.cli.opening import open_environment
from emwheels.errors import AuditError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from emwheels.audit.symbols import Symbols
    from emwheels.checkout import Checkout
    from emwheels.target import Targets

_EXAMPLES = """examples:
  emwheels audit NAME.whl                         what would make it fail, mislead or leak
  emwheels audit --imports --needed NAME.whl      what each of its modules wants, and who gives it
  emwheels audit --exports libx.a                 what each object of an archive gives
  emwheels audit --imports --json module.so       the same for a program to read
"""
LISTS = ("needed", "imports", "exports")


def add_audit(verbs: Any, common: argparse.ArgumentParser) -> None:
    """Add the verb's parser."""
    audit = verbs.add_parser(
        "audit",
        parents=[common],
        help="audit wheel files, or list what their modules want and give",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    audit.add_argument("wheels", nargs="+", type=Path, metavar="FILE", help="a wheel; to list, a .so, .o or .a as well")
    audit.add_argument(
        "--dependency",
        action="append",
        type=Path,
        default=[],
        metavar="WHEEL",
        help="a wheel whose shared libraries these use; may be repeated",
    )
    audit.add_argument("--imports", action="store_true", help="list what each module wants, and who gives it; no audit")
    audit.add_argument("--exports", action="store_true", help="list what each module gives; no audit")
    audit.add_argument("--needed", action="store_true", help="list the libraries that each module needs; no audit")


def run_audit(arguments: argparse.Namespace, project: Checkout, targets: Targets) -> int:
    """Audit the files, print what was found, and return the exit status."""
    from emwheels.audit import Runtime, audit_wheel
    from emwheels.image.places import BUILD_PATHS

    environment = open_environment(arguments, project, targets)
    target = environment.target
    runtime = Runtime.read(environment.runtime)
    if any(getattr(arguments, name) for name in LISTS):
        return _list(arguments, runtime)
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


def _list(arguments: argparse.Namespace, runtime: Any) -> int:
    from emwheels.pipeline.symbols import file_symbols

    asked = [name for name in LISTS if getattr(arguments, name)]
    files = {
        str(path): file_symbols(path, dependencies=arguments.dependency, runtime=runtime) for path in arguments.wheels
    }
    if arguments.json:
        plain = [
            {
                "file": path,
                "modules": [{"member": each.member} | {name: asdict(each)[name] for name in asked} for each in modules],
            }
            for path, modules in files.items()
        ]
        print(json.dumps(plain, indent=1))
        return 0
    for path, modules in files.items():
        print(f"{path}: {len(modules)} modules")
        for each in modules:
            print(f"  {each.member}")
            for line in _lines(each, asked):
                print(f"    {line}")
    return 0


def _lines(symbols: Symbols, asked: list[str]) -> Iterator[str]:
    if "needed" in asked:
        for library, place in symbols.needed.items():
            yield f"needs {library}: {place or 'neither here nor in a dependency'}"
    if "imports" in asked:
        for wanted in sorted(symbols.imports, key=lambda each: (each.giver, each.name)):
            where = wanted.giver or ("nobody, and need not be" if wanted.weak else "nobody here")
            yield f"wants {wanted.name} {wanted.signature or wanted.kind}: {where}"
    if "exports" in asked:
        for given in symbols.exports:
            yield f"gives {given.name} {given.signature or given.kind}"
