"""Which files of a package's own suite are quick, and touch every folder that has compiled modules.

    python benchmarks/smoke_files.py scipy shapely

Reads what the last ``emwheels upstream-tests`` left in dist/reports and the wheel in dist/wheels, and prints lines for
the recipe's upstream.yaml. Per folder with compiled modules the quickest file of tests in which something passes
comes first, then what is quickest of the rest for each test, as many as the number and the seconds allow.
"""

from __future__ import annotations

import argparse
import sys
import zipfile
from collections import defaultdict
from pathlib import PurePosixPath
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from packaging.utils import canonicalize_name, parse_wheel_filename

from emwheels.pipeline.environment import environment_here

if TYPE_CHECKING:
    from pathlib import Path


def timed_files(report: Path) -> dict[str, tuple[float, int]]:
    """Return for each file of tests the seconds it took and how many of its tests passed; none with a failure."""
    seconds: dict[str, float] = defaultdict(float)
    passed: dict[str, int] = defaultdict(int)
    failed: set[str] = set()
    for case in ET.parse(report).getroot().iter("testcase"):
        file = case.get("classname", "")
        seconds[file] += float(case.get("time", "0"))
        tags = {child.tag for child in case}
        if tags & {"failure", "error"}:
            failed.add(file)
        elif "skipped" not in tags:
            passed[file] += 1
    return {file: (seconds[file], passed[file]) for file in seconds if file not in failed and passed[file]}


def compiled_folders(dist: Path, name: str) -> set[str]:
    """Return the folders of the package's wheel in dist/ that have compiled modules, their dots as slashes."""
    wheels = [
        path
        for path in (dist / "wheels").glob("*.whl")
        if canonicalize_name(parse_wheel_filename(path.name)[0]) == canonicalize_name(name)
    ]
    if not wheels:
        sys.exit(f"there is no wheel of {name} in {dist / 'wheels'}: build it first")
    with zipfile.ZipFile(max(wheels, key=lambda path: path.stat().st_mtime)) as archive:
        members = [PurePosixPath(member) for member in archive.namelist() if member.endswith(".so")]
    return {member.parent.as_posix() for member in members if not member.parts[0].endswith(".libs")}


def chosen(files: dict[str, tuple[float, int]], folders: set[str], *, most: int, seconds: float) -> list[str]:
    """Return the files to run: see the module."""
    quickest = sorted(files, key=lambda file: (files[file][0] / files[file][1], file))
    first = []
    for folder in sorted(folders):
        near = [file for file in quickest if file.startswith(f"{folder}/tests/") or f"/{folder}/" in f"/{file}"]
        first += near[:1]
    picked: list[str] = []
    spent = 0.0
    for file in dict.fromkeys([*first, *quickest]):
        if len(picked) < most and spent + files[file][0] <= seconds:
            picked.append(file)
            spent += files[file][0]
    return sorted(picked)


def main() -> int:
    """Print the files for each package."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="+", metavar="NAME")
    parser.add_argument("--most", type=int, default=20, help="files (20)")
    parser.add_argument("--seconds", type=float, default=5.0, help="in Node, as the suite took (5)")
    arguments = parser.parse_args()
    environment = environment_here()
    dist, target = environment.project.dist, environment.target.name
    for name in arguments.names:
        report = dist / "reports" / name / target / "upstream" / "node.xml"
        if not report.is_file():
            sys.exit(f"{report} is not there: run emwheels upstream-tests {name} first")
        files = timed_files(report)
        picked = chosen(files, compiled_folders(dist, name), most=arguments.most, seconds=arguments.seconds)
        tests, seconds = (sum(files[file][i] for file in picked) for i in (1, 0))
        print(f"# {name}: {tests} tests, {seconds:.1f} s in Node\nsmoke:")
        print("".join(f"  - {file}\n" for file in picked), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
