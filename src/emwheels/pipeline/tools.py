"""Build tools that have a source archive only: built to wheels in the sandbox, each once."""

from __future__ import annotations

import hashlib
import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from emwheels.build.backend import build_tool

if TYPE_CHECKING:
    from collections.abc import Sequence

    from emwheels.fetch.fetcher import Fetched
    from emwheels.pipeline.environment import Environment

TOOL = "build-tools"
"""The kind of store record that says what a source archive of a tool was built to."""


def built_tool(environment: Environment, source: Fetched, wheels: Sequence[Fetched], *, python: str) -> Fetched:
    """Return the wheel of a build tool for the image's Python, built with ``wheels`` if it was not yet.

    Raises `BuildError` when it does not build, `FetchError` for an archive that is not to be trusted.
    """
    store, image = environment.store, environment.image
    given = [source.sha256, image.digest, python, sorted(wheel.sha256 for wheel in wheels)]
    key = hashlib.sha256(json.dumps(given).encode()).hexdigest()
    record = store.get_record(TOOL, key)
    if record is None or not store.has("sources", record["sha256"]):
        with tempfile.TemporaryDirectory() as folder:
            wheel = build_tool(source, wheels, image=image, python=python, to=Path(folder))
            record = {"sha256": store.put_file("sources", wheel), "filename": wheel.name}
        store.add_record(TOOL, key, record)
    sha256, filename = record["sha256"], record["filename"]
    return type(source)(path=store.path_of("sources", sha256), sha256=sha256, filename=filename, url=source.url)
