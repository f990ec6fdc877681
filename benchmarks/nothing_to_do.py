"""What a run over many recipes costs when there is nothing to do, and where the time goes.

Makes a throwaway project of small recipes, half of them with a host requirement, puts a wheel for each into a store of
its own under the right build key, and runs ``emwheels build --all`` in one process: first to publish, then measured.
The build image has to be there; nothing is compiled.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import csv
import hashlib
import io
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from caches import make_cache

from emwheels import index
from emwheels.cli.main import main as emwheels
from emwheels.harness.engines import ENGINES
from emwheels.outputs.builds import Output
from emwheels.pipeline import run as run_module
from emwheels.pipeline.environment import Environment, environment_here, environment_of
from emwheels.pipeline.known import key_of
from emwheels.pipeline.testing import key_of_tests
from emwheels.recipe.graph import dependency_order, host_recipes

if TYPE_CHECKING:
    from collections.abc import Callable

STEPS = (
    ("recipes read", run_module, "read_recipes"),
    ("build keys", run_module, "key_of"),
    ("outputs found and hashed", run_module, "existing"),
    ("test results found", run_module, "test_package"),
    ("index", index, "publish"),
)
"""What is clocked: its name, and where the function is."""


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipes", type=int, default=30, metavar="N", help="how many (30)")
    parser.add_argument("--size", type=int, default=2_000_000, metavar="BYTES", help="of each wheel (2,000,000)")
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="runs, of which the median is given (5)")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    arguments = parser.parse_args()
    here = environment_here(Path(__file__).parent)
    with tempfile.TemporaryDirectory() as folder:
        project = make_project(Path(folder), here, arguments.recipes, arguments.size).project
        command = [sys.executable, "-m", "emwheels", "--project", str(project.root), "build", "--all", "--json"]
        env = {**os.environ, "EMWHEELS_CACHE": str(project.cache)}
        subprocess.run(command, env=env, check=True, stdout=subprocess.DEVNULL)
        times, cpu = [], []
        for _ in range(arguments.rounds):
            started, before = time.monotonic(), os.times()
            done = subprocess.run(command, env=env, check=True, stdout=subprocess.PIPE)
            after = os.times()
            times.append(round(time.monotonic() - started, 3))
            cpu.append(round(sum(after[2:4]) - sum(before[2:4]), 3))
            states = {row["state"] for row in json.loads(done.stdout)}
            if states != {"reused"}:
                raise SystemExit(f"there was something to do: {states}")
        started = time.monotonic()
        subprocess.run([sys.executable, "-c", "import emwheels.cli.main"], check=True)
        start_up = round(time.monotonic() - started, 3)
        profile = profiled(command[3:], env)
    result = {
        "recipes": arguments.recipes,
        "bytes of each wheel": arguments.size,
        "seconds": times,
        "median seconds": statistics.median(times),
        "median processor seconds": statistics.median(cpu),
        "start of the interpreter and imports": start_up,
        "profile": profile,
    }
    if arguments.json:
        print(json.dumps(result, indent=1))
        return 0
    print(f"{arguments.recipes} recipes, wheels of {arguments.size:,} bytes, nothing to do, one process")
    print(f"wall seconds  median {result['median seconds']:.2f}  {times}")
    print(f"processor     median {result['median processor seconds']:.2f}  {cpu}")
    print(f"of the wall time, start of the interpreter and imports: {start_up:.2f}")
    print("seconds in one more run, added up over its threads:")
    for what, seconds in profile.items():
        print(f"  {what:26} {seconds:.3f}")
    return 0


def profiled(argv: list[str], env: dict[str, str]) -> dict[str, float]:
    """Run once more in this process and return the seconds in each of `STEPS`, which are in several threads."""
    os.environ.update(env)
    spent: dict[str, float] = {}
    for what, owner, name in STEPS:
        setattr(owner, name, _clocked(what, getattr(owner, name), spent))
    started = time.monotonic()
    with contextlib.redirect_stdout(io.StringIO()):
        emwheels(argv)
    spent["everything after the imports"] = time.monotonic() - started
    return {what: round(seconds, 3) for what, seconds in spent.items()}


def _clocked(what: str, function: Callable[..., Any], spent: dict[str, float]) -> Callable[..., Any]:
    def call(*arguments: Any, **options: Any) -> Any:
        started = time.monotonic()
        try:
            return function(*arguments, **options)
        finally:
            spent[what] = spent.get(what, 0.0) + time.monotonic() - started

    return call


def make_project(folder: Path, here: Environment, count: int, size: int) -> Environment:
    """Return a project of ``count`` recipes for each of which there is a wheel in the store, and passed tests."""
    real = here.project
    project = replace(real, root=folder / "project", cache=make_cache(folder / "cache", real.cache))
    (project.root / "patches").mkdir(parents=True)
    shutil.copyfile(real.targets_file, project.targets_file)
    for number in range(count):
        recipe = project.recipes / f"package-{number}"
        recipe.mkdir(parents=True)
        host = f"requirements:\n  host: [package-{number // 2}]\n" if number % 2 else ""
        (recipe / "meta.yaml").write_text(
            f"package:\n  name: package-{number}\n  version: 1.0.0\n"
            f"source:\n  url: pkg:pypi/package-{number}@1.0.0\n  sha256: {'ab' * 32}\n{host}"
            "about:\n  home: https://example.org\n  summary: One of many\n  license: MIT\n"
        )
        (recipe / "requirements.build.txt").write_text(f"setuptools==80.0.0 --hash=sha256:{'cd' * 32}\n")
        (recipe / f"test_package_{number}.py").write_text("def test_nothing():\n    assert True\n")
    environment = environment_of(project)
    fill_store(environment, size)
    return environment


def fill_store(environment: Environment, size: int) -> None:
    """Put a wheel of every recipe into the store as if it had been built and had passed its tests."""
    run = run_module.make_run(environment, ())
    recipes = run.recipes
    outputs: dict[str, Output] = {}
    log = environment.store.put_file("logs", io.BytesIO(b"a log\n"))
    for name in dependency_order(recipes):
        recipe = recipes[name]
        needed = {need: outputs[need] for need in host_recipes(recipe, recipes)}
        key = key_of(run, recipe, needed)
        wheel = environment.project.cache / f"{name.replace('-', '_')}-1.0.0-py3-none-any.whl"
        write_wheel(wheel, name, size)
        outputs[name] = output = Output(
            name=name,
            kind="wheels",
            filename=wheel.name,
            sha256=environment.store.put_file("wheels", wheel),
            size=wheel.stat().st_size,
            seconds=1.0,
            key=key.digest,
        )
        wheel.unlink()
        record = {"output": asdict(output), "inputs": dict(key.inputs), "log": log, "audit": {}, "peak_kib": 1000}
        run.builds.add(key.digest, record)
        for engine in ENGINES:
            environment.store.add_record("tests", key_of_tests(run, recipe, [output], engine), {"summary": "1 passed"})


def write_wheel(path: Path, name: str, size: int) -> None:
    """Write a wheel with ``size`` bytes that do not compress."""
    info = f"{name.replace('-', '_')}-1.0.0.dist-info"
    members = {
        f"{name.replace('-', '_')}.bin": os.urandom(size),
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0.0\n".encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: benchmark\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    rows = []
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for member, data in members.items():
            archive.writestr(member, data)
            digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
            rows.append([member, f"sha256={digest}", str(len(data))])
        text = io.StringIO()
        csv.writer(text).writerows([*rows, [f"{info}/RECORD", "", ""]])
        archive.writestr(f"{info}/RECORD", text.getvalue())


if __name__ == "__main__":
    sys.exit(main())
