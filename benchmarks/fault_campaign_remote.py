"""Faults of the shared store, at random moments, round after round; prints what was lost: it has to be nothing.

Each round, a machine with an empty store of its own goes through a set of builds, as a pipeline does: it takes each
from a real registry, or makes it and pushes it. Meanwhile the registry or the machine's process is killed (SIGKILL), or
before it a byte of something that is stored is flipped, or a file cut short. Then the registry is started again,
and the machine runs again. After that it must have every build with the right bytes, having made nothing that was
whole; and a fresh machine must get every build from the registry alone. Builds are files of random bytes: no compiler.

    python benchmarks/fault_campaign_remote.py --rounds 60
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "support"))

from fake_builds import flipped, make_build
from registry import LocalRegistry

from emwheels.outputs.builds import Builds, files_of
from emwheels.outputs.remote.open import open_remote
from emwheels.pipeline.environment import environment_here
from emwheels.store import Store
from emwheels.store.upkeep import collect

BUILDS = 8
BYTES = 400_000
FAULTS = (
    "registry killed",
    "machine killed",
    "both killed",
    "wheel flipped in the registry",
    "wheel cut short in the registry",
    "record flipped in the registry",
    "manifest flipped in the registry",
    "wheel flipped on the machine",
    "record flipped on the machine",
    "collection while it runs",
)


def contents(number: int) -> bytes:
    """Return the bytes of a build, always the same."""
    return random.Random(number).randbytes(BYTES)


def key_of(number: int, scratch: Store) -> tuple[str, dict[str, Any]]:
    """Return the key and the record of a build, made in a store that does not matter."""
    return make_build(scratch, f"p{number}", contents(number))


def machine(folder: Path, url: str) -> None:
    """Be a machine: get every build or make it; print where each came from."""
    store = Store(folder)
    builds = Builds(store, open_remote(url), push=True, say=lambda text: print(text, file=sys.stderr))
    with tempfile.TemporaryDirectory() as other:
        known = [key_of(number, Store(Path(other))) for number in range(BUILDS)]
    origins = {}
    for number, (key, record) in enumerate(known):
        found = builds.get(key)
        origins[number] = found[1] if found else "made"
        if not found:
            make_build(store, f"p{number}", contents(number))
            builds.add(key, record)
    print(json.dumps(origins))


def start(folder: Path, url: str) -> subprocess.Popen[str]:
    """Start a machine in a process of its own."""
    return subprocess.Popen(
        [sys.executable, __file__, "--machine", str(folder), url],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finished(process: subprocess.Popen[str]) -> tuple[dict[int, str], str]:
    """Wait for a machine; return where each build came from, and what it said."""
    out, said = process.communicate()
    if process.returncode:
        raise AssertionError(f"a machine ended with {process.returncode}: {said}")
    return {int(number): origin for number, origin in json.loads(out).items()}, said


def spoil(path: Path, change: str) -> None:
    """Damage a file that is stored."""
    content = path.read_bytes()
    path.chmod(0o644)
    path.write_bytes(content[: len(content) // 2] if change == "cut" else flipped(content))


def part_of(registry: LocalRegistry, what: str, key: str) -> Path:
    """Return the registry's file for a part of a build as its tag names it now."""
    link = next(registry.folder.glob(f"storage/**/tags/{key}/current/link"))
    digest = link.read_text().removeprefix("sha256:")
    if what == "manifest":
        return registry.blob(digest)
    manifest = json.loads(registry.blob(digest).read_bytes())
    parts = {"record": manifest["config"], "wheel": manifest["layers"][0]}
    return registry.blob(parts[what]["digest"].removeprefix("sha256:"))


def campaign(rounds: int, seed: int, folder: Path, minutes: float) -> Counter[str]:
    """Run the rounds and return the counts."""
    randomness, counts = random.Random(seed), Counter[str]()
    image = environment_here(Path(__file__).parent).service_image
    scratch = Store(folder / "scratch")
    known = [key_of(number, scratch) for number in range(BUILDS)]
    registry = LocalRegistry(image, folder / "registry").start()
    try:
        finished(start(folder / "origin", registry.url))
        began = time.monotonic()
        finished(start(folder / "timed", registry.url))
        usual = time.monotonic() - began
        limit = time.monotonic() + minutes * 60
        for number in range(rounds):
            if time.monotonic() > limit:
                break
            fault = FAULTS[number % len(FAULTS)]
            home = folder / f"m{number}"
            at_fault: set[int] = set()
            if "in the registry" in fault or "on the machine" in fault:
                victim = randomness.randrange(BUILDS)
                at_fault.add(victim)
            if "in the registry" in fault:
                what = fault.split()[0]
                spoil(part_of(registry, what, known[victim][0]), "cut" if "cut" in fault else "flip")
            if "on the machine" in fault:
                finished(start(home, registry.url))
                key, record = known[victim]
                store = Store(home)
                where = store.path_of("wheels", record["output"]["sha256"])
                spoil(where if "wheel" in fault else home / "records" / "builds" / f"{key}.json", "flip")
                at_fault.clear()  # the registry has it
            process = start(home, registry.url)
            if "collection" in fault:
                collector = threading.Thread(target=_collect_until, args=(home, process))
                collector.start()
            if "killed" in fault:
                time.sleep(randomness.uniform(0.3, 1.0) * usual)
                if fault != "machine killed":
                    registry.kill()
                if fault != "registry killed":
                    process.kill()
            out, said = process.communicate()
            if "collection" in fault:
                collector.join()
            counts["killed in the midst"] += process.returncode < 0
            counts["damage reported"] += "is damaged" in said or "damaged" in said
            if process.returncode not in (0, -9):
                raise AssertionError(f"round {number}, {fault}: {said}")
            if ("registry" in fault and "killed" in fault) or fault == "both killed":
                registry.start()
            already = _whole(home, known) if process.returncode == 0 else set()
            if process.returncode == 0 and "killed" not in fault:
                first = {int(build) for build, origin in json.loads(out).items() if origin == "made"}
                counts["made again though whole"] += len(first - at_fault)
                counts["made again"] += len(first)
            origins, said = finished(start(home, registry.url))
            made = {build for build, origin in origins.items() if origin == "made"}
            counts["made again though whole"] += len(made - at_fault)
            counts["made again"] += len(made)
            counts["wrong or lost"] += BUILDS - len(_whole(home, known))
            counts["finished before but not found"] += len(already & made)
            fresh, said = finished(start(folder / f"f{number}", registry.url))
            counts["not to be had from the registry"] += sum(origin != "remote" for origin in fresh.values())
            counts["wrong or lost"] += BUILDS - len(_whole(folder / f"f{number}", known))
            counts[f"round: {fault}"] += 1
            print(f"round {number + 1}: {fault}: made again {len(made)}", file=sys.stderr)
    finally:
        registry.kill()
    return counts


def _collect_until(home: Path, process: subprocess.Popen[str]) -> None:
    while process.poll() is None:
        collect(Store(home), files_of, older_than=0, max_bytes=0)


def _whole(home: Path, known: list[tuple[str, dict[str, Any]]]) -> set[int]:
    """Return the builds whose wheel is in the store with the right bytes."""
    store = Store(home)
    paths = [store.path_of("wheels", record["output"]["sha256"]) for _, record in known]
    return {number for number, path in enumerate(paths) if path.is_file() and path.read_bytes() == contents(number)}


def main() -> int:
    """Print the counts; exit 1 if anything was lost, wrong or made in vain."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=60, help="start no round after this")
    parser.add_argument("--machine", nargs=2, metavar=("FOLDER", "URL"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.machine:
        machine(Path(arguments.machine[0]), arguments.machine[1])
        return 0
    with tempfile.TemporaryDirectory() as folder:
        counts = campaign(arguments.rounds, arguments.seed, Path(folder), arguments.minutes)
    bad = (
        "wrong or lost",
        "made again though whole",
        "finished before but not found",
        "not to be had from the registry",
    )
    for name in sorted(counts.keys() | set(bad)):
        print(f"{name:40} {counts[name]}")
    return int(any(counts[name] for name in bad))


if __name__ == "__main__":
    sys.exit(main())
