"""One task of a run on another machine: the recipes come with it, builds go through the remote store."""

from __future__ import annotations

import gzip
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
from emwheels.checkout import Checkout
from emwheels.errors import EmwheelsError
from emwheels.fetch.archive import unpack
from emwheels.outputs.builds import Builds
from emwheels.outputs.remote.open import open_remote
from emwheels.pipeline.environment import Environment
from emwheels.pipeline.phases import remove_stale_work
from emwheels.pipeline.run import do_step, make_run, run_packages
from emwheels.progress import Board
from emwheels.recipe.load import patches_of, recipe_folders
from emwheels.schedule.cluster import DaskExecutor
from emwheels.schedule.local import kill_children
from emwheels.target import load_targets

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from emwheels.outputs.builds import Output
    from emwheels.pipeline.model import Options, Outcome, Run, Step

_busy: dict[str, Run] = {}
"""What this process works at now, by the number of the run."""
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

    def __call__(self, step: Step, given: Mapping[Step, Outcome]) -> Reply:
        """Do ``step`` here, with this machine's cache.

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
            run = self._run_here(root)
            with _lock:
                _busy[self.run] = run
            try:
                for outcome in given.values():
                    if outcome.output:
                        _bring(run, outcome.output)
                outcome = do_step(run, step, given)
                if outcome.output and not run.builds.shared(outcome.output.key):
                    raise EmwheelsError(
                        f"{outcome.name} was built on {os.uname().nodename} but could not be pushed to {self.remote}",
                        hint="see why in that worker's output, then run the command again: the build is kept there",
                    )
            finally:
                with _lock:
                    _busy.pop(self.run, None)
            reports = _files_below(run.environment.dist(self.options.profile) / "reports")
            return Reply(outcome=outcome, reports=reports, host=f"{os.uname().nodename}, process {os.getpid()}")

    def _run_here(self, root: Path) -> Run:
        targets, board = load_targets(root / "targets.toml"), Board()
        environment = Environment(
            Checkout(root=root, cache=_cache()),
            targets,
            targets.get(self.target),
            board=board,
            toolchain_name=self.toolchain,
        )
        builds = Builds(
            environment.store, open_remote(self.remote), push=True, say=lambda text: board.say("store", text)
        )
        return make_run(environment, self.names, self.options, builds=builds)


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What came of a task on a worker."""

    outcome: Outcome
    reports: Mapping[str, bytes]
    """Path below ``reports/`` -> content."""
    host: str


def run_on_cluster(address: str, run: Run, names: Sequence[str], remote: str) -> list[Outcome]:
    """Do what `run_packages` does with the workers of the Dask cluster whose scheduler is at ``address``.

    ``remote`` is the address of the remote store that all of them push to. Raises `ClusterError` without a cluster.
    """
    number = uuid.uuid4().hex
    assignment = Assignment(
        run=number,
        project=pack_project(run.environment.project),
        target=run.environment.target.name,
        toolchain=run.environment.toolchain_name,
        remote=remote,
        options=run.options,
        names=tuple(names),
    )
    executor: DaskExecutor[Step, Outcome] = DaskExecutor(
        address, assignment, receive=lambda reply: _receive(reply, run), end=partial(end, number)
    )
    try:
        return run_packages(run, executor=executor)
    finally:
        executor.close()


def _bring(run: Run, output: Output) -> None:
    """See to it that what another machine built is in the local store."""
    if run.builds.get(output.key) is None:
        raise EmwheelsError(
            f"{output.name} was built elsewhere and cannot be had from the remote store",
            hint="run the command again: what cannot be had is built again",
        )


def _cache() -> Path:
    return Path(os.environ.get("EMWHEELS_CACHE") or platformdirs.user_cache_dir("emwheels")).resolve()


def _receive(reply: Reply, run: Run) -> Outcome:
    """Bring what a worker built and reported to this machine and return the outcome."""
    reports = run.environment.dist(run.options.profile) / "reports"
    for name, content in reply.reports.items():
        write_atomically(reports / name, content)
    outcome = reply.outcome
    if outcome.output:
        _bring(run, outcome.output)
    run.environment.board.say(
        outcome.name, f"{outcome.state} on {reply.host} ({', '.join(outcome.phases) or 'nothing to do'})"
    )
    return outcome


def end(run: str) -> None:
    """End what this process does for a run."""
    with _lock:
        busy = _busy.get(run)
    if busy is not None:
        busy.stopping.set()
        kill_children()


def pack_project(project: Checkout) -> bytes:
    """Return targets.toml, recipes and patches as an archive, the same bytes for the same files."""
    raw = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=raw, mode="wb", compresslevel=6, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        tar.add(project.targets_file, arcname="targets.toml")
        for place, folder in _packed_folders(project):
            for path in sorted(folder.rglob("*")):
                if path.is_file() and "__pycache__" not in path.parts:
                    tar.add(path, arcname=f"{place}/{path.relative_to(folder)}", recursive=False)
    return raw.getvalue()


def _packed_folders(project: Checkout) -> Iterator[tuple[str, Path]]:
    """Yield the folders of every recipe and its patches, and where they are on a worker: there is one place for all."""
    folders = sorted(recipe_folders(project.shelves).values(), key=lambda folder: folder.name)
    yield from ((f"recipes/{folder.name}", folder) for folder in folders)
    for folder in folders:
        if (patches := patches_of(folder)) is not None:
            yield f"patches/{folder.name}", patches


def _files_below(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
