"""Lay out what the engines load: wheels, a PEP 503 index over them, the list of test files, the job."""

from __future__ import annotations

import hashlib
import html
import json
import os
import shutil
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import InvalidWheelFilename, NormalizedName, canonicalize_name, parse_wheel_filename

from emwheels.errors import HarnessError
from emwheels.image.places import CHROMIUM, HARNESS, PLAYWRIGHT, RUNTIME, STAGE, TESTS
from emwheels.wheel import record_sha256

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from emwheels.harness.model import Suite

_MICROPIP = NormalizedName("micropip")


@dataclass(frozen=True, kw_only=True)
class Patience:
    """Seconds that a boot (Pyodide and the installation) and a single test may take."""

    boot: float
    test: float


def stage(
    folder: Path,
    *,
    harness_wheels: Sequence[Path],
    wheels: Sequence[Path],
    requirements: Sequence[str],
    tests: Path,
    engines: Sequence[str],
    suite: Suite,
    limits: Patience,
) -> None:
    """Fill ``folder``, to be seen at `STAGE` inside the image. Raises `HarnessError` for what cannot be tested."""
    under_test = by_name(wheels)
    # A package that is both under test and used by the harness (packaging) is tested, not shadowed.
    served = by_name(harness_wheels) | under_test
    required = required_names(requirements, under_test)
    write_index(folder, served)
    content = {
        **job(engines, served, limits),
        "requirements": [*requirements, *suite.requirements],
        "names": required,
        "records": {name: _record_of(wheel) for name, wheel in under_test.items()},
        "files": list_files(tests),
        "root": suite.root,
        "paths": list(suite.paths),
        "options": list(suite.options),
        "imports": dict(suite.imports),
        "environment": dict(suite.environment),
        "seconds": {engine: dict(limits) for engine, limits in suite.seconds.items()},
        "expected": {engine: list(tests) for engine, tests in suite.expected.items()},
        "ends_in_a_row": suite.ends_in_a_row,
        "strict": suite.strict,
    }
    (folder / "job.json").write_text(json.dumps(content, indent=1), encoding="utf-8")


def job(engines: Sequence[str], wheels: Mapping[NormalizedName, Path], limits: Patience) -> dict[str, Any]:
    """Return what every job has. Raises `HarnessError` if ``wheels`` have no micropip."""
    micropip = wheels.get(_MICROPIP)
    if micropip is None:
        raise HarnessError(
            "there is no micropip among the harness's wheels",
            hint="delete the folder harness in the cache and run the command again",
        )
    return {
        "engines": list(engines),
        "micropip": micropip.name,
        "boot_seconds": limits.boot,
        "test_seconds": limits.test,
        "chromium": CHROMIUM,
        "playwright": PLAYWRIGHT,
        "folders": {
            "/pyodide/": RUNTIME,
            "/harness/": HARNESS,
            "/tests/": TESTS,
            "/simple/": f"{STAGE}/simple",
            "/wheels/": f"{STAGE}/wheels",
        },
    }


def by_name(wheels: Iterable[Path]) -> dict[NormalizedName, Path]:
    """Wheels by the normalised name of their project; one wheel a project."""
    wheels_by_name: dict[NormalizedName, Path] = {}
    for wheel in wheels:
        try:
            name = parse_wheel_filename(wheel.name)[0]
        except InvalidWheelFilename as error:
            raise HarnessError(f"{wheel}: {error}") from error
        if name in wheels_by_name:
            raise HarnessError(f"two wheels of {name} to test: {wheels_by_name[name].name} and {wheel.name}")
        wheels_by_name[name] = wheel
    return wheels_by_name


def required_names(requirements: Sequence[str], wheels: Mapping[NormalizedName, Path]) -> list[NormalizedName]:
    """Names of what ``requirements`` ask for. Raises `HarnessError` for one that no wheel answers."""
    names = []
    for text in requirements:
        try:
            name = canonicalize_name(Requirement(text).name)
        except InvalidRequirement as error:
            raise HarnessError(f"requirement {text!r}: {error}") from error
        if name not in wheels:
            raise HarnessError(f"requirement {text!r}: no wheel of {name} was given", hint="build it first")
        names.append(name)
    return names


def _record_of(wheel: Path) -> str:
    """Return the sha256 of a wheel's RECORD, by which an installed distribution is known again."""
    try:
        sha256 = record_sha256(wheel)
    except (OSError, zipfile.BadZipFile) as error:
        raise HarnessError(f"{wheel}: not a wheel that can be read ({error})") from error
    if sha256 is None:
        raise HarnessError(f"{wheel}: not a wheel that can be read (it has no RECORD)")
    return sha256


def write_index(folder: Path, wheels: Mapping[NormalizedName, Path]) -> None:
    """Copy ``wheels`` to ``folder/wheels`` and write a PEP 503 index over them to ``folder/simple``."""
    (folder / "wheels").mkdir()
    for name, wheel in wheels.items():
        copy = folder / "wheels" / wheel.name
        shutil.copyfile(wheel, copy)
        with copy.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        page = folder / "simple" / name / "index.html"
        page.parent.mkdir(parents=True)
        file = html.escape(wheel.name)
        page.write_text(
            f'<!doctype html><title>{name}</title><a href="../../wheels/{file}#sha256={digest}">{file}</a>\n',
            encoding="utf-8",
        )


def list_files(tests: Path) -> list[str]:
    """Paths of the files below ``tests``, relative and sorted; no hidden ones, no caches, no symbolic links."""
    paths = []
    for folder, names, files in os.walk(tests):
        names[:] = [name for name in names if not name.startswith(".") and name != "__pycache__"]
        here = Path(folder)
        paths += [
            (here / file).relative_to(tests).as_posix()
            for file in files
            if not file.startswith(".") and not (here / file).is_symlink()
        ]
    if not paths:
        raise HarnessError(f"{tests}: there are no tests here", hint="add a test_NAME.py with plain pytest tests")
    return sorted(paths)
