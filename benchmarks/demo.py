"""The demo in Chromium: a first and a second visit by stage, and pre- and post-processing against opencv.js and native.

    python benchmarks/demo.py                 five pairs of visits, 20 rounds of each step
    python benchmarks/demo.py --visits 1 --rounds 5

A first visit is one with an empty profile; the second starts the browser anew with what the first one kept. Both end
when the sample has been read; times are medians. The steps run in turn in one page; natively they run with one thread.
Bytes are those that JavaScript copied from one array into another in a call. Needs the development dependencies, and
builds the demo's wheels if they are missing.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from emwheels.errors import EmwheelsError
from emwheels.pipeline.environment import Environment, environment_here

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "support"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "support" / "demo"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "demo"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "demo" / "training"))

import steps
from demo_browser import drive, served

from build_site import build_site
from sample_pages import page

CHECKOUT = Path(__file__).resolve().parents[1]
STEPS = CHECKOUT / "tests" / "support" / "demo" / "steps.py"
OPENCV_JS = (
    "pkg:npm/%40techstark/opencv-js@5.0.0-release.1",
    "5f2289421462489de42444d8ddc59ed035de13458fd8d9d390616f9c53b35434",
)


def visits(environment: Environment, site: Path, count: int) -> list[dict[str, dict[str, float]]]:
    """Return the milliseconds of each stage in ``count`` first and second visits."""
    found = []
    for _ in range(count):
        with tempfile.TemporaryDirectory() as name, served(site, Path(name) / "requests.log") as address:
            said = drive(environment, "visits", address, Path(name), {"only": ["first", "second"]})
        found.append({visit: {**said[visit]["stages"], **said[visit]["milliseconds"]} for visit in ("first", "second")})
    return found


def prepare_steps(environment: Environment, site: Path) -> bytes:
    """Put beside the site what the comparison needs, and return the pixels that it works on."""
    peer = environment.npm_package(*OPENCV_JS)
    shutil.copyfile(peer / "dist" / "opencv.js", site / "opencv.js")
    shutil.copyfile(STEPS, site / "steps.py")
    (site / "blank.html").write_text("<!doctype html><title>blank</title>")
    pixels: bytes = page(3)[0].tobytes()
    (site / "pixels.bin").write_bytes(pixels)
    return pixels


def natively(pixels: bytes, rounds: int) -> dict[str, float]:
    """Return the median milliseconds of both steps in this interpreter."""
    ramp = bytes(number * 7 % 256 for number in range(108 * 192))
    found = {}
    for name, function, given in (("before", steps.before, pixels), ("after", steps.after, ramp)):
        function(given)
        times = []
        for _ in range(rounds):
            start = time.perf_counter()
            function(given)
            times.append((time.perf_counter() - start) * 1000)
        found[name] = statistics.median(times)
    return found


def main() -> int:
    """Measure and print two tables, or JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--visits", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    environment = environment_here(CHECKOUT)
    with tempfile.TemporaryDirectory() as name:
        site, folder = Path(name) / "site", Path(name) / "folder"
        folder.mkdir()
        try:
            build_site(site, environment)
        except EmwheelsError as error:
            print(f"{error.message}\n  {error.hint}", file=sys.stderr)
            return error.exit_code
        rows = visits(environment, site, arguments.visits)
        pixels = prepare_steps(environment, site)
        with served(site, folder / "requests.log") as address:
            browser = drive(environment, "steps", address, folder, {"rounds": arguments.rounds})
    stages = {
        stage: {visit: statistics.median(row[visit][stage] for row in rows) for visit in ("first", "second")}
        for stage in rows[0]["first"]
    }
    native = natively(pixels, arguments.rounds)
    compared = {
        step: {
            "native": {"ms": native[step]},
            **{
                engine: {"ms": statistics.median(row["times"]), "copied": row["copied"]}
                for engine, row in browser[step].items()
            },
        }
        for step in browser
    }
    if arguments.json:
        print(json.dumps({"stages": stages, "steps": compared}, indent=1))
        return 0
    table = Table("stage, ms", "first", "second", "second / first", box=None)
    for stage, row in stages.items():
        first, second = row["first"], row["second"]
        table.add_row(stage, f"{first:,.0f}", f"{second:,.0f}", f"{second / first:.2f}" if first else "")
    Console(width=120).print(table)
    table = Table("step", "engine", "ms", "bytes copied", box=None)
    for step, engines in compared.items():
        for engine, found in engines.items():
            copied = f"{found['copied']:,}" if "copied" in found else ""
            table.add_row(step, engine, f"{found['ms']:.1f}", copied)
    Console(width=120).print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
