"""The pipeline that the options of a verb ask for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from emwheels.errors import UsageError
from emwheels.pipeline.run import Pipeline
from emwheels.progress import Board

if TYPE_CHECKING:
    import argparse

    from emwheels.checkout import Project
    from emwheels.target import Targets


def open_pipeline(arguments: argparse.Namespace, project: Project, targets: Targets) -> Pipeline:
    """Return it. Raises `UsageError` for options that do not go together."""
    board, address = Board(), getattr(arguments, "remote", "")
    push = bool(address) and arguments.push
    if arguments.offline and address:
        board.say("store", "offline: the remote store is not asked")
    remote = None
    if address and not arguments.offline:
        from emwheels.outputs.remote.open import open_remote

        remote = open_remote(address)
    if remote and push and not remote.writable:
        raise UsageError(f"{remote.url} is read-only", hint="leave --push away, or give a registry: oci://HOST/NAME")
    target = targets.get(arguments.target)
    return Pipeline(
        project,
        targets,
        target,
        board=board,
        offline=arguments.offline,
        toolchain_name=arguments.toolchain,
        remote=remote,
        push=push,
    )
