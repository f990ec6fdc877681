"""Every result that the documents hold, with the wheels that it is of."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from emwheels.atomic import write_atomically
from emwheels.errors import EmwheelsError
from emwheels.status.ledger import WHEELS, RecordedResult, read_ledger
from emwheels.status.stamps import read_stamps

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

GENERATED = ("packages.md", "upstream-tests.md", "reproduce.md")
"""Documents without a line by hand."""
KINDS = ("upstream-tests", "reproduce")
"""Folders of the documents with a file of JSON for each package, which has ``date`` and ``wheels``."""


def recorded_results(docs: Path) -> list[RecordedResult]:
    """Return what is recorded in the folder ``docs``. Raises `EmwheelsError` for a file that is no result."""
    results = []
    for kind in KINDS:
        for path in sorted((docs / kind).glob("*.json")):
            record = _read_record(path, ("date",))
            results.append(RecordedResult(name=f"{kind}/{path.stem}", date=record["date"], wheels=record["wheels"]))
    for path in written_by_hand(docs):
        results += read_stamps(path.name, read_page(path))
    return results


def written_by_hand(docs: Path) -> list[Path]:
    """Return the documents that are not generated as a whole."""
    return [path for path in sorted(docs.glob("*.md")) if path.name not in GENERATED]


def recorded_reproductions(docs: Path) -> list[dict[str, Any]]:
    """Return what `emwheels reproduce` noted of each package. Raises `EmwheelsError` for a file that is no result."""
    keys = ("name", "version", "same", "difference", "how", "date")
    return [_read_record(path, keys) for path in sorted((docs / "reproduce").glob("*.json"))]


def read_page(path: Path) -> str:
    """Return the text of a document. Raises `EmwheelsError` if it is not UTF-8 or cannot be read."""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise EmwheelsError(f"{path}: not UTF-8: {error}", hint="save the page as UTF-8") from error
    except OSError as error:
        raise EmwheelsError(
            f"{path}: cannot be read: {error.strerror}", hint="a page is a file you can read"
        ) from error


def write_pages(docs: Path, pages: Mapping[str, str]) -> None:
    """Write documents by name; each is the old one or the new one."""
    for name, text in pages.items():
        write_atomically(docs / name, text.encode())


def _read_record(path: Path, keys: Iterable[str]) -> dict[str, Any]:
    """Return the record in a file: what stands there for each of ``keys``, and its ``wheels``."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        record = {key: document[key] if key == "same" else str(document[key]) for key in keys}
        wheels = {str(name): str(content) for name, content in document.get("wheels", {}).items()}
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        fault = f"it has no {error}" if isinstance(error, KeyError) else str(error)
        raise EmwheelsError(
            f"{path}: not a result: {fault}",
            hint=f"make it again (emwheels {path.parent.name} {path.stem}), or restore the file",
        ) from error
    return record | {"wheels": wheels}


def due_after(docs: Path, contents: Mapping[str, str], *, target: str, profile: str) -> dict[str, list[str]]:
    """Return for each wheel of ``contents`` the results that were had with another content of it.

    Nothing for a wheel that the documents have already, for a ``target`` or ``profile`` that they are not about, and
    if they cannot be read: a build does not fail for a document.
    """
    try:
        ledger, results = read_ledger(docs / WHEELS), recorded_results(docs)
    except EmwheelsError:
        return {}
    if (ledger.target, ledger.profile) != (target, profile):
        return {}
    due: dict[str, list[str]] = {}
    for name, content in contents.items():
        if name in ledger.wheels and ledger.wheels[name].content == content:
            continue
        for result in results:
            had = result.wheels.get(name)
            of_it = had is not None or (not result.wheels and result.name.endswith(f"/{name}"))
            if of_it and (not had or content[: len(had)] != had):
                due.setdefault(name, []).append(result.name)
    return due
