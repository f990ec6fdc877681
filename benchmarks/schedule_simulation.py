"""How long building a large set of packages would take on 1 to 32 workers, by the real scheduler in virtual time.

Builds nothing: tasks end after the seconds that builds of this project's recipes were measured to take. The graph has
the shape of the set that Pyodide's own recipes make: 332 recipes, of which 206 are compiled, five levels deep, wide, a
few fat ones. Prints a table; the last lines are about the scheduler itself, in CPU time.

    python benchmarks/schedule_simulation.py
    python benchmarks/schedule_simulation.py --measured ~/.cache/emwheels/store     times of this machine's builds
"""

from __future__ import annotations

import argparse
import heapq
import json
import random
import time
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING
from unittest import mock

from emwheels.schedule import Task, critical_path, run_tasks

if TYPE_CHECKING:
    from collections.abc import Mapping

MEASURED = {
    "opencv-python": 1200.0,
    "numpy": 158.0,
    "libjpeg-turbo": 101.9,
    "bottleneck": 81.9,
    "contourpy": 84.4,
    "brotli": 48.9,
    "zlib": 29.4,
    "libyaml": 19.7,
    "lz4": 21.1,
    "kiwisolver": 12.5,
    "regex": 7.9,
    "wrapt": 6.9,
    "pyyaml": 6.8,
    "xxhash": 5.4,
    "msgpack": 4.8,
    "markupsafe": 5.0,
}
"""Seconds of the compile phase on 2 cores that did other work as well, the shortest that was seen of each recipe."""

WORKERS = (1, 2, 4, 8, 32)
LEVELS = (0.55, 0.27, 0.12, 0.05, 0.01)
"""Share of the packages on each of five levels; level 0 needs nothing."""
COMPILED = 206 / 332
PURE_SECONDS = 3.0
"""A package that is only packed."""
FAT = ("opencv-python", "numpy")
"""Those of which there is one each; the others are drawn again and again."""


class VirtualTime:
    """An executor whose tasks end when their seconds have passed on a clock that jumps from end to end."""

    memory = 0

    def __init__(self, jobs: int) -> None:
        self.jobs = jobs
        self.now = 0.0
        self.busy = 0.0
        self._running: list[tuple[float, int, Future[None]]] = []
        self._count = 0

    def submit(self, task: Task[str], given: Mapping[str, None]) -> Future[None]:  # noqa: ARG002
        """Let ``task`` end after its seconds."""
        future: Future[None] = Future()
        self._count += 1
        self.busy += task.seconds
        heapq.heappush(self._running, (self.now + task.seconds, self._count, future))
        return future

    def advance(self) -> None:
        """Go to the end of the task that ends next."""
        self.now, _, future = heapq.heappop(self._running)
        future.set_result(None)

    def stop(self) -> None:
        """Forget what runs."""
        self._running.clear()


def simulate(tasks: list[Task[str]], jobs: int) -> tuple[VirtualTime, float]:
    """Run ``tasks`` on ``jobs`` workers and return the clock at the end, and the CPU seconds of the scheduler."""
    executor = VirtualTime(jobs)

    class Queue:
        """Where the scheduler waits for the next end: the moment to advance the clock."""

        def __init__(self) -> None:
            self._names: list[str] = []

        def put(self, name: str) -> None:
            self._names.append(name)

        def get(self) -> str:
            executor.advance()
            return self._names.pop()

    started = time.process_time()
    with mock.patch("emwheels.schedule.run.SimpleQueue", Queue):
        results = run_tasks(tasks, executor)
    assert len(results) == len(tasks)
    return executor, time.process_time() - started


def graph(count: int, measured: Mapping[str, float], seed: int = 1) -> list[Task[str]]:
    """Return ``count`` packages in the shape of upstream's graph; the same for the same arguments."""
    randomness = random.Random(seed)
    drawn = sorted(seconds for name, seconds in measured.items() if name not in FAT)
    seconds = [randomness.choice(drawn) if randomness.random() < COMPILED else PURE_SECONDS for _ in range(count)]
    sizes = [max(1, round(share * count)) for share in LEVELS]
    sizes[0] += count - sum(sizes)
    # As many of each fat one as upstream has for 332 packages.
    copies = max(1, round(count / 332))
    level_starts = [sum(sizes[:level]) for level in range(len(sizes))]
    for number in range(copies):
        seconds[number] = measured.get("numpy", MEASURED["numpy"])
        seconds[level_starts[1] + number] = measured.get("opencv-python", MEASURED["opencv-python"])
    tasks = []
    for level, start in enumerate(level_starts):
        for index in range(start, start + sizes[level]):
            needs: set[int] = set()
            if level:
                above = range(level_starts[level - 1], start)
                needs |= {randomness.choice(above)}
                needs |= {randomness.randrange(start) for _ in range(randomness.choice((0, 0, 1, 2)))}
            if index in range(level_starts[1], level_starts[1] + copies):
                needs |= {index - level_starts[1]}  # OpenCV needs numpy
            tasks.append(
                Task(identity=f"p{index}", needs=tuple(f"p{need}" for need in sorted(needs)), seconds=seconds[index])
            )
    return tasks


def measured_in(store: Path) -> dict[str, float]:
    """Return the shortest compile phase of each recipe in a store."""
    found: dict[str, float] = {}
    for path in (store / "records" / "builds").glob("*.json"):
        output = json.loads(path.read_bytes())["output"]
        found[output["name"]] = min(output["seconds"], found.get(output["name"], 1e9))
    return found


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--measured", type=Path, help="a store whose builds' times to use")
    parser.add_argument("--packages", type=int, default=300)
    arguments = parser.parse_args()
    measured = measured_in(arguments.measured) if arguments.measured else MEASURED
    tasks = graph(arguments.packages, measured)
    ahead = critical_path(tasks)
    total, longest = sum(task.seconds for task in tasks), max(ahead.values())
    by_name = {task.identity: task for task in tasks}
    chain = [max(ahead, key=ahead.__getitem__)]
    dependents: dict[str, list[str]] = {}
    for task in tasks:
        for need in task.needs:
            dependents.setdefault(need, []).append(task.identity)
    while chain[-1] in dependents:
        chain.append(max(dependents[chain[-1]], key=ahead.__getitem__))
    shown = " -> ".join(f"{by_name[name].seconds:,.0f} s" for name in chain)
    fat = sum(sorted((task.seconds for task in tasks), reverse=True)[:5])
    print(f"{len(tasks)} packages, {total:,.0f} s of work, the five longest {fat / total:.0%} of it")
    print(f"critical path {longest:,.0f} s: {shown}\n")
    print("| workers | makespan, s | bound, s | / bound | busy | scheduler, s |")
    print("|---|---|---|---|---|---|")
    for workers in WORKERS:
        clock, real = simulate(tasks, workers)
        bound = max(longest, total / workers)
        busy = clock.busy / (clock.now * workers)
        print(f"| {workers} | {clock.now:,.0f} | {bound:,.0f} | {clock.now / bound:.3f} | {busy:.0%} | {real:.4f} |")
    large = graph(10_000, measured)
    print("\n| nodes | workers | makespan, s | scheduler, s | share |\n|---|---|---|---|---|")
    for workers in WORKERS:
        clock, real = simulate(large, workers)
        print(f"| {len(large):,} | {workers} | {clock.now:,.0f} | {real:.3f} | {real / clock.now:.4%} |")


if __name__ == "__main__":
    main()
