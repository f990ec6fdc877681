"""Start driver.mjs inside the test image and read a result for each engine."""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING

from emwheels.errors import HarnessError, redacted
from emwheels.harness.model import Suite
from emwheels.harness.protocol import read_engine
from emwheels.image.model import Mount
from emwheels.image.places import HARNESS, NODE, PLAYWRIGHT, PROGRAMS, RUNTIME, STAGE

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from emwheels.harness.model import EngineResult, Event
    from emwheels.image.model import Image
    from emwheels.image.processes import WatchedProcess

_LONGEST = 64 << 20
"""Bytes of a line: what a test said is at most some hundred kilobytes."""


def runtime_mounts(runtime: Path, playwright_core: Path) -> tuple[Mount, ...]:
    """Return the mounts that every job needs; ``STAGE``, with the job itself, comes besides."""
    return (
        Mount(host=runtime, inside=RUNTIME),
        Mount(host=playwright_core, inside=PLAYWRIGHT),
        Mount(host=Path(__file__).parent / "inside", inside=HARNESS),
    )


def drive(
    image: Image,
    mounts: Sequence[Mount],
    *,
    engines: Sequence[str],
    output: Path,
    on_event: Callable[[Event], None] | None,
    network: bool = False,
    environment: Mapping[str, str] | None = None,
    content: str = "",
    listed: Collection[str] = (),
    suite: Suite = Suite(),  # noqa: B008  (it is immutable)
) -> dict[str, EngineResult]:
    """Run driver.mjs and read what it says. Raises `HarnessError`, with the end of its standard error, if it fails."""
    argv = (NODE, f"{HARNESS}/driver.mjs", f"{STAGE}/job.json")
    env = {"HOME": "/tmp", "PATH": PROGRAMS, "LANG": "C.UTF-8", **(environment or {})}  # noqa: S108  (fresh /tmp)
    with (
        tempfile.TemporaryFile() as stderr,
        # No limit of time: the driver has those for boots and tests.
        image.start(argv, mounts=mounts, env=env, network=network, stderr=stderr, seconds=0) as process,
    ):
        assert process.stdout is not None  # the contract of Image.start
        lines = iter(partial(process.stdout.readline, _LONGEST), b"")
        try:
            return {
                engine: read_engine(
                    lines,
                    engine=engine,
                    output=output,
                    on_event=on_event,
                    content=content,
                    listed=listed,
                    expected=suite.expected.get(engine, {}),
                    partial=suite.partial,
                )
                for engine in engines
            }
        except HarnessError as error:
            process.kill()
            process.wait()
            raise HarnessError(error.message, hint=_reason(process, stderr) or error.hint) from error
        finally:
            process.kill()


def _reason(process: WatchedProcess, stderr: IO[bytes]) -> str:
    if process.reason:
        return f"the tests were {process.reason}"
    stderr.seek(0)
    return redacted(stderr.read().decode(errors="replace").strip())[-2000:]
