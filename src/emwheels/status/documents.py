"""Every result that the documents hold, with the wheels that it is of."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from emwheels.errors import EmwheelsError
from emwheels.status.ledger import RecordedResult
from emwheels.status.stamps import read_stamps

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

KINDS = ("upstream-tests", "reproduce")
"""Folders of the documents with a file of JSON for each package, which has ``date`` and ``wheels``."""


def recorded_results(docs: Path) -> list[RecordedResult]:
    """Return what is recorded in the folder ``docs``. Raises `EmwheelsError` for a file that is no result."""
    results = []
    for kind in KINDS:
        for path in sorted((docs / kind).glob("*.json")):
            try:
                document = json.loads(path.read_text(encoding="utf-8"))
                wheels = {str(name): str(content) for name, content in document.get("wheels", {}).items()}
                results.append(RecordedResult(name=f"{kind}/{path.stem}", date=str(document["date"]), wheels=wheels))
            except (OSError, ValueError, LookupError, AttributeError) as error:
                raise EmwheelsError(f"{path}: not a result: {error}", hint="make it again") from error
    for path in sorted(docs.glob("*.md")):
        results += read_stamps(path.name, path.read_text(encoding="utf-8"))
    return results


def due_after(docs: Path, contents: dict[str, str]) -> dict[str, list[str]]:
    """Return for each wheel of ``contents`` the results that were had with another content of it."""
    due: dict[str, list[str]] = {}
    for result in _readable(docs):
        for name, content in contents.items():
            had = result.wheels.get(name)
            of_it = had is not None or (not result.wheels and result.name.endswith(f"/{name}"))
            if of_it and (not had or content[: len(had)] != had):
                due.setdefault(name, []).append(result.name)
    return due


def _readable(docs: Path) -> Iterable[RecordedResult]:
    try:
        return recorded_results(docs)
    except EmwheelsError:
        return ()
