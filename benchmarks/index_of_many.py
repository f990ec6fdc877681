"""An index of many wheels: the time to make it, the time to add one wheel, and the memory that this takes.

The wheels are synthetic and valid: each is read, hashed and held against its RECORD as any other. Their metadata has
the size and the number of requirements that those of scientific packages have.
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import sys
import tempfile
import time
from pathlib import Path

from emwheels import index
from emwheels.index.places.folder import Folder
from emwheels.index.rebuild import rebuild
from emwheels.index.update import read_catalogue
from emwheels.pipeline.environment import environment_here
from emwheels.progress import Board

sys.path.append(str(Path(__file__).parents[1] / "tests" / "support"))
from synthetic_wheels import OLD_WASM, WASM, make_wheel

BASE_URL = "https://wheels.example.org/"
DESCRIPTION = "\n".join(["A line of a description, as long as they are in most of the packages."] * 100)


def main() -> int:
    """Run the benchmark and print what it measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--wheels", type=int, default=10_000, help="how many (10000)")
    parser.add_argument("--each", type=int, default=4, metavar="N", help="wheels of one project (4)")
    parser.add_argument("--adds", type=int, default=5, metavar="N", help="wheels that are added, one by one (5)")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    arguments = parser.parse_args()
    board = Board()
    with tempfile.TemporaryDirectory(prefix="index-of-many-") as folder:
        dist = Path(folder) / "dist"
        started = time.perf_counter()
        for number in range(arguments.wheels):
            synthetic(dist / "wheels", number, arguments.each)
        board.say("benchmark", f"{arguments.wheels} wheels made in {time.perf_counter() - started:.1f} s")
        release = pyodide()
        place = Folder(dist)
        started = time.perf_counter()
        with place.changing():
            changed = rebuild(place, base_url=BASE_URL, releases=[release], say=lambda text: board.say("build", text))
        full = time.perf_counter() - started
        adds = []
        for number in range(arguments.wheels, arguments.wheels + arguments.adds):
            wheel = synthetic(Path(folder) / "new", number, arguments.each)
            started = time.perf_counter()
            index.publish(dist, wheel, wheel.name, release=release)
            adds.append(round(time.perf_counter() - started, 3))
        catalogue = read_catalogue(place)
        count = sum(len(project.files) for project in catalogue.projects.values())
        figures = {
            "wheels": count,
            "projects": len(catalogue.projects),
            "full build, s": round(full, 1),
            "left out of the lock": len(changed.left_out.get(release.name, {})),
            "adding one, s": adds,
            "largest resident set, MiB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
            "of one reading process, MiB": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024,
            "packages.json, bytes": (dist / "packages.json").stat().st_size,
            "pyodide-lock.json, bytes": (dist / "pyodide-lock.json").stat().st_size,
        }
        shutil.rmtree(dist)
    if count != arguments.wheels + arguments.adds:
        print(f"the index has {count} wheels", file=sys.stderr)
        return 1
    if arguments.json:
        print(json.dumps(figures, indent=1))
    else:
        print("\n".join(f"{name:28} {value}" for name, value in figures.items()))
    return 0


def synthetic(folder: Path, number: int, each: int) -> Path:
    """Write wheel ``number`` of the index: ``each`` of a project, of two versions and two ABIs or more."""
    project, place = divmod(number, each)
    name = f"project{project}"
    version = f"{1 + place // 2}.{project % 50}"
    tag = WASM if place % 2 == 0 else OLD_WASM
    needs = [
        "numpy>=1.2",
        f'importlib-resources>=3; python_version < "3.{project % 9}"',
        f"pytest>={project % 7}; extra == 'test'",
    ]
    needs += [f"project{(project - 1) // 2}>=1.0"] if project else []
    lines = ["Metadata-Version: 2.4", f"Name: {name}", f"Version: {version}", "Requires-Python: >=3.11"]
    lines += [f"Requires-Dist: {text}" for text in needs]
    metadata = "\n".join([*lines, "Provides-Extra: test", "", DESCRIPTION])
    files = {f"{name}/__init__.py": f"NUMBER = {number}\n", f"{name}/data.txt": "x" * 2000}
    return make_wheel(folder, name, version, tag=tag, metadata=metadata, files=files)


def pyodide() -> index.Release:
    """Return the default target's release, of which a lock is made."""
    return environment_here(Path(__file__).parent).release


if __name__ == "__main__":
    sys.exit(main())
