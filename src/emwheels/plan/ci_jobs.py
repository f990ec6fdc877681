"""A graph of packages -> the jobs of a continuous integration service, in levels that run one after another."""

from __future__ import annotations

import json
from dataclasses import dataclass
from graphlib import TopologicalSorter
from heapq import heappop, heappush
from statistics import median
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

MATRIX_LIMIT = 256
"""Jobs that one matrix may have on GitHub ("Usage limits" of its Actions)."""
GITHUB_LEVELS = 6
"""A workflow names its levels one by one, so their number is fixed; a deeper graph is folded into the last one."""
GITLAB_NEEDS_LIMIT = 50
"""Jobs that one job may name under ``needs`` on GitLab; the stages keep the order where it would name more."""
JOB_SECONDS = 600.0
"""How long the builds of small packages in one job may take. A package that takes longer has a job to itself."""
UNKNOWN_SECONDS = 60.0
"""What a package is taken to need when no build time is known at all."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """Packages that one machine builds."""

    name: str
    packages: tuple[str, ...]
    """Each after those of them that it needs."""
    seconds: float
    """What building them is expected to take."""
    needs: tuple[str, ...]
    """The jobs of earlier levels that build what these packages need."""


@dataclass(frozen=True, kw_only=True)
class _Group:
    """Packages that have to be in one job."""

    packages: tuple[str, ...]
    seconds: float


def ci_levels(
    needs: Mapping[str, Collection[str]],
    seconds: Mapping[str, float],
    *,
    job_seconds: float = JOB_SECONDS,
    max_jobs: int = MATRIX_LIMIT,
    max_levels: int | None = None,
) -> tuple[tuple[Job, ...], ...]:
    """Return the jobs of each level: every package of ``needs`` once, after what it needs.

    ``needs`` maps each package that is to be built to what it needs; what is not a key of it is there already.
    ``seconds`` are build times as far as they are known; the median stands for the others. No level has more than
    ``max_jobs`` jobs, and there are no more than ``max_levels`` levels. Raises `graphlib.CycleError`.
    """
    usual = median(seconds.values()) if seconds else UNKNOWN_SECONDS
    order = list(TopologicalSorter({name: set(needs[name]) & needs.keys() for name in sorted(needs)}).static_order())
    level_of: dict[str, int] = {}
    for name in order:
        level = max((level_of[need] + 1 for need in needs[name] if need in needs), default=0)
        level_of[name] = level if max_levels is None else min(level, max_levels - 1)
    job_of: dict[str, str] = {}
    levels = []
    for level in range(max(level_of.values(), default=-1) + 1):
        members = [name for name in order if level_of[name] == level]
        groups = [
            _Group(packages=group, seconds=sum(seconds.get(name, usual) for name in group))
            for group in _connected(members, needs)
        ]
        jobs = []
        for packed in _pack(groups, job_seconds, max_jobs):
            packages = tuple(name for group in packed for name in group.packages)
            name = packages[0] if len(packages) == 1 else f"{packages[0]} and {len(packages) - 1} more"
            needed = {job_of[need] for package in packages for need in needs[package] if need in job_of}
            total = sum(group.seconds for group in packed)
            jobs.append(Job(name=name, packages=packages, seconds=round(total, 3), needs=tuple(sorted(needed))))
        job_of |= {package: job.name for job in jobs for package in job.packages}
        levels.append(tuple(jobs))
    return tuple(levels)


def _connected(members: Sequence[str], needs: Mapping[str, Collection[str]]) -> list[tuple[str, ...]]:
    """Return the groups of ``members`` that need each other, in the order of ``members``."""
    group_of: dict[str, list[str]] = {}
    for name in members:
        joined = [name]
        for need in needs[name]:
            other = group_of.get(need)
            if other is not None and other[0] not in joined:
                joined = [*other, *joined]
        for member in joined:
            group_of[member] = joined
    position = {name: number for number, name in enumerate(members)}
    unique = {id(group): group for group in group_of.values()}
    return [tuple(sorted(group, key=position.__getitem__)) for group in unique.values()]


def _pack(groups: Iterable[_Group], job_seconds: float, max_jobs: int) -> list[list[_Group]]:
    """Give long groups a job each and share the others out, longest first."""
    longest_first = sorted(groups, key=lambda group: (-group.seconds, group.packages))
    alone = [[group] for group in longest_first if group.seconds >= job_seconds]
    small = longest_first[len(alone) :]
    if len(alone) > max_jobs or (small and len(alone) == max_jobs):
        return _spread(longest_first, max_jobs)
    shared: list[list[_Group]] = []
    taken: list[float] = []
    for group in small:
        fitting = (number for number, seconds in enumerate(taken) if seconds + group.seconds <= job_seconds)
        number = next(fitting, len(taken))
        if number == len(taken):
            shared.append([])
            taken.append(0.0)
        shared[number].append(group)
        taken[number] += group.seconds
    if len(alone) + len(shared) > max_jobs:
        shared = _spread(small, max_jobs - len(alone))
    return [*alone, *shared]


def _spread(groups: Sequence[_Group], jobs: int) -> list[list[_Group]]:
    """Share ``groups``, longest first, among ``jobs`` jobs: each goes to the one with the least to do."""
    heap: list[tuple[float, int]] = [(0.0, number) for number in range(jobs)]
    shared: list[list[_Group]] = [[] for _ in range(jobs)]
    for group in groups:
        seconds, number = heappop(heap)
        shared[number].append(group)
        heappush(heap, (seconds + group.seconds, number))
    return [packed for packed in shared if packed]


def github(levels: Sequence[Sequence[Job]]) -> str:
    """Return one line of JSON whose ``levels`` are values for ``strategy.matrix``, to be read with ``fromJSON``."""
    matrices = [
        {"include": [{"name": job.name, "packages": " ".join(job.packages), "seconds": job.seconds} for job in level]}
        for level in levels
    ]
    return json.dumps({"levels": matrices, "packages": sum(len(job.packages) for jobs in levels for job in jobs)})


def gitlab(levels: Sequence[Sequence[Job]]) -> str:
    """Return the YAML of a child pipeline: a stage for each level, jobs that wait for those they need and no others.

    Each job extends ``.emwheels-build`` of ``ci/gitlab/build.yml``, which finds what to build in
    ``EMWHEELS_PACKAGES``.
    """
    document: dict[str, Any] = {"stages": [f"level-{number}" for number in range(len(levels))]}
    if not levels:
        document = {"nothing to build": {"script": ["echo every package is up to date"]}}
    else:
        document["include"] = [{"local": "ci/gitlab/build.yml"}]
    for number, jobs in enumerate(levels):
        for job in jobs:
            document[job.name] = {
                "extends": ".emwheels-build",
                "stage": f"level-{number}",
                "variables": {"EMWHEELS_PACKAGES": " ".join(job.packages)},
            }
            if len(job.needs) <= GITLAB_NEEDS_LIMIT:
                document[job.name]["needs"] = list(job.needs)
    return yaml.safe_dump(document, sort_keys=False, width=120)
