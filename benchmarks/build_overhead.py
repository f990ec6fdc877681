"""What our compile phase costs over pyodide-build alone: same source, same image, same flags.

Alternates `emwheels.build.build` with a bare ``pyodide build-recipes-no-deps`` that finds everything prepared, and
compares the medians of their wall times. Ours counts unpacking, patching and asking for the flags too. Then runs the
whole path once, for each phase's share of it.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from emwheels.build.compile import BuildInputs, build, image_path
from emwheels.build.source import plain_recipe, prepare_source
from emwheels.errors import BuildError, EmwheelsError, UsageError
from emwheels.image.model import Image, Mount
from emwheels.image.places import WORK
from emwheels.image.removal import remove_tree
from emwheels.image.toolchain.crossenv import INSIDE as CROSSENV
from emwheels.pipeline.environment import Environment, environment_here
from emwheels.pipeline.model import Options
from emwheels.pipeline.run import make_run, run_packages
from emwheels.progress import print_table
from emwheels.recipe.load import load_recipes

_OPTIMISE = {"speed": "-O3 -msimd128", "size": "-Oz", "debug": "-O1 -g -UNDEBUG"}
"""Profile -> what it has pyodide-build optimise by, written out here so that nothing of ours is in it."""


@dataclass(frozen=True, kw_only=True)
class Measured:
    """The times of one package, in seconds of wall time."""

    package: str
    profile: str
    ours: list[float]
    bare: list[float]
    ratio: float
    """Median of ours over median of bare."""
    same_bytes: bool
    """Both made the same wheel."""
    phases: dict[str, float]
    """One run of the whole path; ``store`` is what is left: build key, store, index."""


def main() -> int:
    """Run the measurement and print it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("package", nargs="?", default="msgpack", help="a recipe without host libraries (msgpack)")
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="builds of each kind (3)")
    parser.add_argument("--profile", choices=list(_OPTIMISE), default="speed")
    parser.add_argument("--no-phases", action="store_true", help="do not run the whole path")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    arguments = parser.parse_args()
    if arguments.rounds < 1:
        parser.error("--rounds must be at least 1")
    environment = environment_here(Path(__file__).parent)
    try:
        measured = measure(environment, arguments.package, arguments.profile, arguments.rounds)
        if not arguments.no_phases:
            measured.phases.update(phases(environment, arguments.package, arguments.profile))
    except EmwheelsError as error:
        print(f"{error.message}\n  {error.hint}", file=sys.stderr)
        return error.exit_code
    if arguments.json:
        print(json.dumps(asdict(measured), indent=1))
    else:
        print_measured(measured)
    return 0


def measure(environment: Environment, name: str, profile: str, rounds: int) -> Measured:
    """Build ``rounds`` times each way, alternating which way is first, and return the times.

    Neither way has a compiler cache.
    """
    recipe = load_recipes(environment.project.shelves, names=[name])[name]
    if recipe.requirements.host or recipe.source.url is None or recipe.build_lock is None:
        raise UsageError(f"{name} cannot be measured: it needs a library, or has no source or build lock of its own")
    inputs = BuildInputs(
        recipe=recipe,
        target=environment.target,
        profile=profile,
        source=environment.fetcher.fetch(recipe.source.url, recipe.source.sha256),
        requirements=environment.fetcher.fetch_requirements(recipe.build_lock, python=environment.target.python_minor),
        libraries=(),
    )
    flags = flags_of(environment, inputs)
    times: dict[str, list[float]] = {"ours": [], "bare": []}
    wheels: set[bytes] = set()
    for turn in range(rounds):
        for way in ("ours", "bare") if turn % 2 == 0 else ("bare", "ours"):
            environment.board.say(name, f"round {turn + 1} of {rounds}: {way}")
            with tempfile.TemporaryDirectory(dir=environment.project.cache) as folder:
                work = Path(folder) / "work"
                work.mkdir()
                log = environment.logs / "benchmarks" / name / f"{way}.log"
                log.parent.mkdir(parents=True, exist_ok=True)
                if way == "ours":
                    started = time.monotonic()
                    built = build(inputs, image=environment.image, toolchain=environment.toolchain, work=work, log=log)
                    times[way].append(round(time.monotonic() - started, 3))
                    wheels.add(built.file.read_bytes())
                else:
                    seconds, wheel = bare(environment, inputs, flags, work, log)
                    times[way].append(round(seconds, 3))
                    wheels.add(wheel.read_bytes())
                remove_tree(work)
    return Measured(
        package=name,
        profile=profile,
        ours=times["ours"],
        bare=times["bare"],
        ratio=round(statistics.median(times["ours"]) / statistics.median(times["bare"]), 4),
        same_bytes=len(wheels) == 1,
        phases={},
    )


def variables(image: Image, inputs: BuildInputs) -> dict[str, str]:
    """Return what pyodide-build needs to see in the image, written out here so that nothing of ours is in it."""
    return {
        "PATH": f"/opt/emwheels/python{inputs.target.python_minor}/bin:{image_path(image)}",
        "HOME": f"{WORK}/home",
        "PYODIDE_ROOT": f"{CROSSENV}/xbuildenv/pyodide-root",
        "SKIP_EMSCRIPTEN_VERSION_CHECK": "1",
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": f"{WORK}/wheels",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "SOURCE_DATE_EPOCH": "1704067200",
        "PYTHONHASHSEED": "0",
        "PYTHONDONTWRITEBYTECODE": "1",
        "TERM": "dumb",
        "NO_COLOR": "1",
    }


def flags_of(environment: Environment, inputs: BuildInputs) -> dict[str, str]:
    """Return the SIDE_MODULE_* variables of the profile: pyodide-build's own, with the profile's optimisation."""
    found = {}
    for name in ("cflags", "ldflags"):
        with tempfile.TemporaryDirectory() as home, tempfile.TemporaryFile() as output:
            done = environment.image.run(
                ["pyodide", "config", "get", name],
                mounts=[
                    Mount(host=Path(home), inside=WORK, writable=True),
                    Mount(host=environment.toolchain.crossenv, inside=CROSSENV),
                ],
                env=variables(environment.image, inputs),
                cwd=WORK,
                output=output,
            )
            output.seek(0)
            text = output.read().decode().strip()
            if done.status:
                raise BuildError(f"pyodide config get {name} failed:\n{text}")
            found[name] = text.replace("-Oz", "")
    optimise = _OPTIMISE[inputs.profile]
    common = f"{found['cflags']} {optimise} -ffile-prefix-map={WORK}/="
    return {
        "SIDE_MODULE_CFLAGS": common,
        "SIDE_MODULE_CXXFLAGS": common,
        "SIDE_MODULE_LDFLAGS": f"{found['ldflags']} {optimise} -Wl,--experimental-pic",
    }


def bare(
    environment: Environment, inputs: BuildInputs, flags: dict[str, str], work: Path, log: Path
) -> tuple[float, Path]:
    """Build with pyodide-build alone and return its wall time and the wheel; what it needs is laid out beforehand."""
    recipe = inputs.recipe
    folder = work / "packages" / recipe.name
    for path in (folder, work / "build", work / "wheels", work / "home"):
        path.mkdir(parents=True)
    prepare_source(recipe, inputs.source, work / "source", environment.image)
    (folder / "meta.yaml").write_text(json.dumps(plain_recipe(recipe, f"{WORK}/source"), indent=1))
    for wheel in inputs.requirements:
        shutil.copyfile(wheel.path, work / "wheels" / wheel.filename)
    command = ["pyodide", "build-recipes-no-deps", recipe.name, "--recipe-dir", f"{WORK}/packages"]
    command += ["--build-dir", f"{WORK}/build", "--force-rebuild"]
    with log.open("wb") as output:
        done = environment.image.run(
            command,
            mounts=[
                Mount(host=work, inside=WORK, writable=True),
                Mount(host=environment.toolchain.crossenv, inside=CROSSENV),
            ],
            env=variables(environment.image, inputs) | flags,
            cwd=f"{WORK}/packages",
            output=output,
        )
    if done.status:
        raise BuildError(f"{recipe.name} did not build without us", hint=f"the log is {log}")
    return done.seconds, next((folder / "dist").glob("*.whl"))


def phases(environment: Environment, name: str, profile: str) -> dict[str, float]:
    """Build and test ``name`` again by the whole path and return the wall seconds of its phases."""
    run_packages(
        make_run(environment, [name], Options(profile=profile, test=False))
    )  # what it needs is there before the clock starts
    started = time.monotonic()
    outcomes = run_packages(
        make_run(environment, [name], Options(profile=profile, rebuild=True, retest=True, ccache=False))
    )
    total = time.monotonic() - started
    if len(outcomes) != 1:
        raise UsageError(f"{name} needs other packages, whose phases would be counted too", hint="use --no-phases")
    if outcomes[0].error is not None:
        raise outcomes[0].error
    known = outcomes[0].phases
    return known | {"store": round(total - sum(known.values()), 3)}


def print_measured(measured: Measured) -> None:
    """Print the times and each phase's share."""
    print(f"{measured.package}, profile {measured.profile}, {len(measured.ours)} rounds, seconds of wall time")
    print(f"ours   median {statistics.median(measured.ours):8.2f}  {measured.ours}")
    print(f"bare   median {statistics.median(measured.bare):8.2f}  {measured.bare}")
    print(f"ratio  {measured.ratio:.3f}; same wheel: {'yes' if measured.same_bytes else 'no'}")
    if measured.phases:
        total = sum(measured.phases.values())
        rows = ((phase, f"{seconds:.2f}", f"{seconds / total:.1%}") for phase, seconds in measured.phases.items())
        print_table(("phase", "seconds", "share"), rows, right=("seconds", "share"))


if __name__ == "__main__":
    sys.exit(main())
