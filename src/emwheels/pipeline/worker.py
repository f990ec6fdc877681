"""One task of a run on another machine: the recipes come with it, builds go through the remote store."""

from __future__ import annotations

import io
import os
import tarfile
import tempfile
import threading
import uuid
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import platformdirs

from emwheels.atomic import write_atomically
from emwheels.checkout import Project
from emwheels.errors import EmwheelsError
from emwheels.fetch.archive import unpack
from emwheels.outputs.remote.open import open_remote
from emwheels.pipeline.run import Pipeline, remove_stale_work
from emwheels.progress import Board
from emwheels.schedule.cluster import DaskExecutor
from emwheels.schedule.local import kill_children
from emwheels.target import load_targets

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from emwheels.pipeline.model import Options, Outcome

_busy: dict[str, Pipeline] = {}
"""What this process works at now: run -> its pipeline."""
_lock = threading.Lock()


@dataclass(frozen=True, kw_only=True)
class Assignment:
    """All that a worker has to know to do tasks of a run; it is pickled."""

    run: str
    project: bytes
    """targets.toml, recipes and patches, as `pack_project` makes it."""
    target: str
    toolchain: str
    remote: str
    options: Options
    names: tuple[str, ...]

    def __call__(self, task: str, given: Mapping[str, Outcome]) -> Reply:
        """Do ``task`` here, with a pipeline on this machine's cache.

        What it needs comes from the remote store, and what it builds goes there before it counts as done, so that
        nothing is lost with this machine. Raises `EmwheelsError` when the remote store has no part in that.
        """
        work = _cache() / "work"
        work.mkdir(parents=True, exist_ok=True)
        remove_stale_work(work)  # of workers that were killed, too
        with tempfile.TemporaryDirectory(prefix="task-", suffix=f"-{os.getpid()}", dir=work) as folder:
            root = Path(folder) / "project"
            archive = Path(folder) / "project.tar.gz"
            archive.write_bytes(self.project)
            unpack(archive, root)
            for name in ("recipes", "patches"):
                (root / name).mkdir(exist_ok=True)
            pipeline = self._pipeline(root)
            with _lock:
                _busy[self.run] = pipeline
            try:
                pipeline.load(self.names)
                for outcome in given.values():
                    if outcome.output:
                        pipeline.bring(outcome.output)
                outcome = pipeline.step(task, given, self.options)
                if outcome.output and not pipeline.builds.shared(outcome.output.key):
                    raise EmwheelsError(
                        f"{outcome.name} was built on {os.uname().nodename} but could not be pushed to {self.remote}",
                        hint="see why in that worker's output, then run the command again: the build is kept there",
                    )
            finally:
                with _lock:
                    _busy.pop(self.run, None)
            reports = _files_below(pipeline.dist(self.options.profile) / "reports")
            return Reply(outcome=outcome, reports=reports, host=f"{os.uname().nodename}, process {os.getpid()}")

    def _pipeline(self, root: Path) -> Pipeline:
        targets = load_targets(root / "targets.toml")
        return Pipeline(
            Project(root=root, cache=_cache()),
            targets,
            targets.get(self.target),
            board=Board(),
            toolchain_name=self.toolchain,
            remote=open_remote(self.remote),
            push=True,
        )


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What came of a task on a worker."""

    outcome: Outcome
    reports: Mapping[str, bytes]
    """Path below ``reports/`` -> content."""
    host: str


def run_on_cluster(
    address: str, pipeline: Pipeline, names: Sequence[str], options: Options, remote: str
) -> list[Outcome]:
    """Run `Pipeline.run` with its tasks done by the workers of the Dask cluster whose scheduler is at ``address``.

    ``remote`` is the address of the remote store that all of them push to. Raises `ClusterError` without a cluster.
    """
    run = uuid.uuid4().hex
    assignment = Assignment(
        run=run,
        project=pack_project(pipeline.project),
        target=pipeline.target.name,
        toolchain=pipeline.toolchain_name,
        remote=remote,
        options=options,
        names=tuple(names),
    )
    executor: DaskExecutor[Outcome] = DaskExecutor(
        address, assignment, receive=lambda reply: _receive(reply, pipeline, options), end=partial(end, run)
    )
    try:
        return pipeline.run(names, options, executor=executor)
    finally:
        executor.close()


def _cache() -> Path:
    return Path(os.environ.get("EMWHEELS_CACHE") or platformdirs.user_cache_dir("emwheels")).resolve()


def _receive(reply: Reply, pipeline: Pipeline, options: Options) -> Outcome:
    """Bring what a worker built and reported to this machine and return the outcome."""
    reports = pipeline.dist(options.profile) / "reports"
    for name, content in reply.reports.items():
        write_atomically(reports / name, content)
    outcome = reply.outcome
    if outcome.output:
        pipeline.bring(outcome.output)
    pipeline.board.say(
        outcome.name, f"{outcome.state} on {reply.host} ({', '.join(outcome.phases) or 'nothing to do'})"
    )
    return outcome


def end(run: str) -> None:
    """End what this process does for a run."""
    with _lock:
        pipeline = _busy.get(run)
    if pipeline is not None:
        pipeline.stop()
        kill_children()


def pack_project(project: Project) -> bytes:
    """Return targets.toml, recipes and patches as an archive, the same bytes for the same files."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w:gz", compresslevel=6, format=tarfile.PAX_FORMAT) as tar:
        tar.add(project.targets_file, arcname="targets.toml")
        for folder in (project.recipes, project.patches):
            for path in sorted(folder.rglob("*")):
                if path.is_file() and "__pycache__" not in path.parts:
                    tar.add(path, arcname=str(path.relative_to(project.root)), recursive=False)
    return raw.getvalue()


def _files_below(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
