"""How fast our wheels are: against our own build with upstream's flags, native CPython, and the JavaScript peer.

    python benchmarks/speed.py opencv-python
    python benchmarks/speed.py numpy --engine node --rounds 5
    python benchmarks/speed.py shapely --wheel new.whl --against old.whl --no-native

The same Python workload (benchmarks/workloads) runs in (a) our wheel, (b) a build of the same source with the profile
`size`, which is what upstream's flags amount to, and (c) native CPython with the published wheel and one thread.
Where there is a JavaScript package for the same library, (d), it runs the same operations in Node. Rounds alternate
between them; a number is the median of the rounds, each of which is the median of at least three calls.

Wheels that are not there yet are built. Writes NAME.json and NAME.svg to --output.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import venv
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from emwheels.errors import EmwheelsError
from emwheels.harness import run_tests
from emwheels.harness.engines import ENGINES
from emwheels.image.model import Mount
from emwheels.pipeline.building import build_package
from emwheels.pipeline.environment import Environment, environment_here
from emwheels.pipeline.known import existing, key_of
from emwheels.pipeline.model import Options, Outcome
from emwheels.pipeline.run import make_run, outputs_of, run_packages
from emwheels.progress import print_table
from emwheels.recipe.load import load_recipes
from emwheels.status.stamps import contents_of, stamp

if TYPE_CHECKING:
    from emwheels.recipe.model import Recipe

HERE = Path(__file__).parent
DEFAULT_ENGINES = ("node", "chromium-page")
MARK = "RESULT "
TEST = """
import runner

def test_measure():
    print(runner.MARK + runner.json.dumps(runner.measure({workload!r})))
"""
JAVASCRIPT = {
    "opencv-python": {
        "opencv-js 5.0.0": (
            "pkg:npm/%40techstark/opencv-js@5.0.0-release.1",
            "5f2289421462489de42444d8ddc59ed035de13458fd8d9d390616f9c53b35434",
        ),
        "opencv-js 4.12.0": (
            "pkg:npm/%40techstark/opencv-js@4.12.0-release.1",
            "e5745fae26adb6ba79e90ef3bf3b639b5b696187f7230c1b346785bc4a759a85",
        ),
    },
}


@dataclass(kw_only=True)
class Results:
    """What was measured: variant -> case -> milliseconds of each round."""

    package: str
    version: str
    rounds: dict[str, dict[str, list[float]]] = field(default_factory=dict)
    bytes: dict[str, int] = field(default_factory=dict)
    wheels: dict[str, str] = field(default_factory=dict)
    """Project -> content of our wheel, and of those that it runs on."""

    def add(self, variant: str, measured: dict[str, float]) -> None:
        """Keep one round."""
        for case, milliseconds in measured.items():
            self.rounds.setdefault(variant, {}).setdefault(case, []).append(milliseconds)

    def median(self, variant: str, case: str) -> float | None:
        """Return the median in milliseconds, or None if the variant does not have the case."""
        times = self.rounds.get(variant, {}).get(case)
        return statistics.median(times) if times else None

    def cases(self) -> list[str]:
        """Return the cases in the order of the workload."""
        return list(next(iter(self.rounds.values())))

    def geometric_mean(self, variant: str, base: str) -> float | None:
        """Return by what factor ``variant`` takes longer than ``base``, over the cases both have."""
        pairs = [(self.median(variant, case), self.median(base, case)) for case in self.cases()]
        logs = [math.log(mine / its) for mine, its in pairs if mine and its]
        return math.exp(statistics.fmean(logs)) if logs else None


def main() -> int:
    """Measure, print a table, write JSON and SVG."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    workloads = sorted(path.stem.removeprefix("workload_") for path in (HERE / "workloads").glob("workload_*.py"))
    parser.add_argument("package", choices=[name.replace("_", "-") for name in workloads])
    parser.add_argument("--engine", action="append", choices=ENGINES, help=f"default: {' and '.join(DEFAULT_ENGINES)}")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--output", type=Path, default=Path("dist/benchmarks"))
    parser.add_argument("--against", type=Path, metavar="WHEEL", help="use this wheel as (b) instead of building it")
    parser.add_argument("--wheel", type=Path, metavar="WHEEL", help="use this wheel as (a) instead of building it")
    parser.add_argument("--no-native", action="store_true", help="leave (c) out")
    parser.add_argument("--no-javascript", action="store_true")
    arguments = parser.parse_args()
    environment = environment_here(HERE)
    try:
        results = measure(environment, arguments)
    except EmwheelsError as error:
        print(f"{error.message}\n  {error.hint}", file=sys.stderr)
        return error.exit_code
    arguments.output.mkdir(parents=True, exist_ok=True)
    (arguments.output / f"{results.package}.json").write_text(json.dumps(document(results), indent=1) + "\n")
    (arguments.output / f"{results.package}.svg").write_text(plot(results))
    print_results(results)
    return 0


def measure(environment: Environment, arguments: argparse.Namespace) -> Results:
    """Run every variant ``arguments.rounds`` times, in turn. Raises `EmwheelsError`."""
    name = arguments.package
    recipe = load_recipes(environment.project.shelves, names=[name])[name]
    results = Results(package=name, version=recipe.version)
    workload = f"workload_{name.replace('-', '_')}"
    with tempfile.TemporaryDirectory() as folder:
        variants, needed = wheels_of(environment, recipe, arguments)
        results.bytes = {variant: wheel.stat().st_size for variant, wheel in variants.items()}
        results.wheels = contents_of((variants["a speed"], *needed))
        tests = Path(folder) / "tests"
        shutil.copytree(HERE / "workloads", tests)
        (tests / "test_measure.py").write_text(TEST.format(workload=workload))
        python = None if arguments.no_native else native_python(recipe, Path(folder))
        peers = {} if arguments.no_javascript else JAVASCRIPT.get(name, {})
        packages = {peer: environment.npm_package(purl, sha256) for peer, (purl, sha256) in peers.items()}
        for number in range(arguments.rounds):
            for engine in arguments.engine or DEFAULT_ENGINES:
                for variant, wheel in variants.items():
                    environment.board.say(name, f"round {number + 1}: {variant} in {engine}")
                    found = in_pyodide(
                        environment,
                        recipe,
                        engine,
                        wheels=[wheel, *needed],
                        tests=tests,
                        output=Path(folder) / "output",
                    )
                    results.add(f"{variant} {engine}", found)
            if python is not None:
                environment.board.say(name, f"round {number + 1}: native")
                results.add("c native", in_native(python, workload))
            for peer, package in packages.items():
                environment.board.say(name, f"round {number + 1}: {peer}")
                results.add(f"d {peer}", in_javascript(environment, package, f"{workload}.mjs"))
    return results


def wheels_of(
    environment: Environment, recipe: Recipe, arguments: argparse.Namespace
) -> tuple[dict[str, Path], list[Path]]:
    """Return the wheels of (a) and (b), and those of what they need. What is missing is built."""
    names = [*recipe.requirements.host, *recipe.requirements.run] if arguments.wheel else [recipe.name]
    options = Options(profile="speed", test=False)
    outputs = outputs_of(run_packages(make_run(environment, names, options))) if names else {}
    mine = outputs.pop(recipe.name, None)
    variants = {"a speed": environment.named_wheel(mine) if mine else arguments.wheel}
    if arguments.against:
        variants["b size"] = arguments.against
    else:
        run = make_run(environment, [recipe.name], Options(profile="size", test=False))
        key = key_of(run, recipe, outputs)
        if found := existing(run, key):
            size = found[0]
        else:
            built = Outcome(name=recipe.name, state="failed")
            size = build_package(run, recipe, key, outputs, built)
        variants["b size"] = environment.named_wheel(size)
    needed = [output for name, output in outputs.items() if name in recipe.requirements.run]
    return variants, [environment.named_wheel(output) for output in needed]


def in_pyodide(
    environment: Environment, recipe: Recipe, engine: str, *, wheels: list[Path], tests: Path, output: Path
) -> dict[str, float]:
    """Run the workload as a test in ``engine`` and return its times in milliseconds."""
    results = run_tests(
        image=environment.test_image,
        runtime=environment.runtime,
        playwright_core=environment.playwright_core,
        harness_wheels=environment.harness_wheels,
        wheels=wheels,
        requirements=[f"{recipe.name}=={recipe.version}"],
        tests=tests,
        engines=[engine],
        output=output,
        test_seconds=600,
    )
    (case,) = results[engine].cases
    if case.outcome != "passed":
        raise EmwheelsError(f"the workload failed in {engine}:\n{case.message}")
    return read_result(case.output)


def read_result(text: str) -> dict[str, float]:
    """Return what the workload printed."""
    lines = [line for line in text.splitlines() if line.startswith(MARK)]
    found: dict[str, float] = json.loads(lines[-1].removeprefix(MARK))
    return found


def native_python(recipe: Recipe, folder: Path) -> Path:
    """Return an interpreter that has the published wheel of the same version, or the newest that fits it."""
    venv.create(folder / "native", with_pip=True)
    python = folder / "native" / "bin" / "python"
    for wanted in (f"{recipe.name}=={recipe.version}", recipe.name):
        command = [str(python), "-m", "pip", "install", "--quiet", "--only-binary", ":all:", wanted, "numpy"]
        if subprocess.run(command, check=False, capture_output=True).returncode == 0:
            return python
    raise EmwheelsError(f"no native wheel of {recipe.name} can be installed for this interpreter")


def in_native(python: Path, workload: str) -> dict[str, float]:
    """Run the workload in native CPython with one thread and return its times in milliseconds."""
    one = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    done = subprocess.run(
        [str(python), "runner.py", workload],
        cwd=HERE / "workloads",
        env={**os.environ, **one, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    return read_result(done.stdout)


def in_javascript(environment: Environment, package: Path, script: str) -> dict[str, float]:
    """Run the JavaScript twin of the workload in Node and return its times in milliseconds."""
    with tempfile.TemporaryFile() as output:
        done = environment.test_image.run(
            ["node", f"/mnt/workloads/{script}"],
            mounts=[
                Mount(host=HERE / "workloads", inside="/mnt/workloads"),
                Mount(host=package, inside="/mnt/package"),
            ],
            output=output,
            seconds=900,
        )
        output.seek(0)
        text = output.read().decode(errors="replace")
    if done.status:
        raise EmwheelsError(f"{script} failed:\n{text[-2000:]}")
    return read_result(text)


def document(results: Results) -> dict[str, object]:
    """Return what is written as JSON."""
    return {
        "package": results.package,
        "version": results.version,
        "date": datetime.now(UTC).date().isoformat(),
        "machine": platform.processor() or platform.machine(),
        "milliseconds": {
            variant: {case: round(statistics.median(times), 4) for case, times in cases.items()}
            for variant, cases in results.rounds.items()
        },
        "wheel bytes": results.bytes,
        "wheels": results.wheels,
        "times slower than a in node, geometric mean": {
            variant: round(ratio, 3)
            for variant in results.rounds
            if (ratio := results.geometric_mean(variant, "a speed node")) is not None
        },
    }


def print_results(results: Results) -> None:
    """Print milliseconds of every variant, and the geometric mean of each over (a) in Node."""
    rows = {case: [results.median(variant, case) for variant in results.rounds] for case in results.cases()}
    rows["mean / a node"] = [results.geometric_mean(variant, "a speed node") for variant in results.rounds]
    cells = ((name, *("" if cell is None else f"{cell:.2f}" for cell in row)) for name, row in rows.items())
    print_table(("ms", *results.rounds), cells, right=[*results.rounds])
    print("wheel bytes: " + ", ".join(f"{name} {size:,}" for name, size in results.bytes.items()))
    print("below the table in docs: " + stamp(results.wheels, datetime.now(UTC).date().isoformat()))


def plot(results: Results) -> str:
    """Return a bar chart as SVG: how many times faster (a) in Node is than each other variant."""
    base = "a speed node"
    others = [variant for variant in results.rounds if variant != base]
    bar, gap, left, scale = 11, 12, 150, 90
    colours = ("#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377")
    rows: list[str] = []
    y = 34 + 16 * len(others)
    for i, variant in enumerate(others):
        rows.append(f'<rect x="{left}" y="{24 + 16 * i}" width="11" height="11" fill="{colours[i % 6]}"/>')
        rows.append(f'<text x="{left + 17}" y="{34 + 16 * i}">{variant}</text>')
    for case in results.cases():
        rows.append(f'<text x="{left - 8}" y="{y + 12}" text-anchor="end">{case}</text>')
        mine = results.median(base, case)
        for i, variant in enumerate(others):
            its = results.median(variant, case)
            if mine and its:
                width = min(its / mine, 8) * scale
                rows.append(f'<rect x="{left}" y="{y}" width="{width:.1f}" height="{bar}" fill="{colours[i % 6]}"/>')
                rows.append(f'<text x="{left + width + 4:.1f}" y="{y + 9}" font-size="9">{its / mine:.2f}</text>')
            y += bar
        y += gap
    rows.append(f'<path d="M{left + scale} {30 + 16 * len(others)}V{y}" stroke="black" stroke-dasharray="3"/>')
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + 8 * scale + 60}" height="{y + 10}"'
    title = f"{results.package} {results.version}: time of each over our wheel in Node"
    style = ' font-family="sans-serif" font-size="11">'
    white = '<rect width="100%" height="100%" fill="white"/>'
    return "\n".join([head + style, white, f'<text x="{left}" y="14" font-size="13">{title}</text>', *rows, "</svg>\n"])


if __name__ == "__main__":
    sys.exit(main())
