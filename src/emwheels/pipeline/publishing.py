"""Stage: a package whose last task is done goes into the index in dist/, and onto the status page, or out of both."""

from __future__ import annotations

from typing import TYPE_CHECKING

from emwheels import index
from emwheels.outputs.builds import KIND, Output
from emwheels.outputs.latest import latest_key
from emwheels.pipeline.known import latest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from emwheels.pipeline.model import Run


def publish_package(run: Run, output: Output) -> bool:
    """Put the wheel ``output`` into the index and tell whether that changed it. Raises `IndexingError`."""
    environment, profile = run.environment, run.options.profile
    dist, store = environment.dist(profile), environment.store
    store.add_root(dist.resolve() / "wheels")
    if not store.has(output.kind, output.sha256):  # built on another machine
        run.builds.get(output.key)
    # Its bytes were verified, or written, a moment ago.
    wheel = store.get(output.kind, output.sha256, verify=False)
    _remember(run, output)
    release, key = environment.release, output.key
    return index.publish(dist, wheel, output.filename, release=release, sha256=output.sha256, key=key)


def withdraw_package(run: Run, output: Output) -> bool:
    """Take the wheel ``output`` out of the index, if it is in there, and say so; tell whether that changed it."""
    environment = run.environment
    gone = index.withdraw(environment.dist(run.options.profile), output.filename, sha256=output.sha256)
    if gone:
        environment.board.say(output.name, f"{output.filename} is no longer in the index: its tests failed")
    return gone


def _remember(run: Run, output: Output) -> None:
    """See to it that what is published is what `latest` tells of, wherever and whenever it was built."""
    before = latest(run, output.name)
    if before is None or before["output"]["key"] != output.key:
        store = run.environment.store
        record = store.get_record(KIND, output.key)
        if record is not None:
            key = latest_key(output.name, run.environment.target.name, run.options.profile)
            store.add_record("latest", key, record)


def show_status(run: Run, tested: Mapping[str, Mapping[str, str]]) -> None:
    """Write the status page anew for the projects in ``tested``, with what came of their tests in this run."""
    from emwheels.status import write_status  # noqa: PLC0415  a run with nothing to do has nothing to show

    environment, profile = run.environment, run.options.profile
    targets = list(environment.targets.targets.values())
    write_status(environment.dist(profile), environment.store, targets, profile=profile, tested=tested)
