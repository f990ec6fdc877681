"""Start driver.mjs inside the test image and read a result for each engine."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from emwheels.errors import HarnessError
from emwheels.harness.protocol import read_engine
from emwheels.image.model import Mount
from emwheels.image.places import HARNESS, NODE, PLAYWRIGHT, PROGRAMS, RUNTIME, STAGE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from emwheels.harness.model import EngineResult, Event
    from emwheels.image.model import Image


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
) -> dict[str, EngineResult]:
    """Run driver.mjs and read what it says. Raises `HarnessError`, with the end of its standard error, if it fails."""
    argv = (NODE, f"{HARNESS}/driver.mjs", f"{STAGE}/job.json")
    env = {"HOME": "/tmp", "PATH": PROGRAMS, "LANG": "C.UTF-8", **(environment or {})}  # noqa: S108  (fresh /tmp)
    with (
        tempfile.TemporaryFile() as stderr,
        image.start(argv, mounts=mounts, env=env, network=network, stderr=stderr) as process,
    ):
        assert process.stdout is not None  # the contract of Image.start
        try:
            return {
                engine: read_engine(process.stdout, engine=engine, output=output, on_event=on_event, content=content)
                for engine in engines
            }
        except HarnessError as error:
            process.kill()
            process.wait()
            stderr.seek(0)
            message = stderr.read()[-2000:].decode(errors="replace").strip()
            raise HarnessError(error.message, hint=message or error.hint) from error
        finally:
            process.kill()
