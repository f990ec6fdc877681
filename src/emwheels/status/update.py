"""Keeps the status page of an index right, here and where it is published."""

from __future__ import annotations

from typing import TYPE_CHECKING

from emwheels.index.places.folder import Folder
from emwheels.index.update import read_catalogue
from emwheels.status.collect import known_builds
from emwheels.status.model import PAGE, ROWS, StatusRow, dump_rows, load_rows, rows_of
from emwheels.status.page import status_page

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from emwheels.index.places.place import Place, Source
    from emwheels.store import Store
    from emwheels.target import Target


def write_status(
    dist: Path,
    store: Store,
    targets: Sequence[Target],
    *,
    profile: str,
    tested: Mapping[str, Mapping[str, str]] | None = None,
) -> list[StatusRow]:
    """Write the status page of the working index ``dist`` and return what it says.

    Builds and reports are looked at anew for the projects in ``tested``, all by default (see `known_builds`); of others
    what was known stays.
    """
    place = Folder(dist)
    with place.changing():
        catalogue = read_catalogue(place)
        known, _ = load_rows(place.read(ROWS))
        looked = known_builds(dist, catalogue, store, targets, profile=profile, tested=tested)
        rows = rows_of(catalogue, known | looked, targets)
        _send(place, rows, known, profile)
    return rows


def refresh_status(place: Place, targets: Sequence[Target]) -> None:
    """Write the status page of ``place`` again after its index was changed, if it has one."""
    data = place.read(ROWS)
    if data is None:
        return
    with place.changing():
        known, profile = load_rows(data)
        _send(place, rows_of(read_catalogue(place), known, targets), known, profile)


def publish_status(source: Folder, destination: Place, targets: Sequence[Target]) -> int:
    """Bring the page at ``destination``, and what it links to, up to what ``source`` knows; return the files sent.

    What the destination knows of wheels that ``source`` does not have, or knows nothing of, stays. Reports go first.
    """
    ours, profile = load_rows(source.read(ROWS))
    if not ours:
        return 0
    with destination.changing():
        catalogue = read_catalogue(destination)
        theirs, _ = load_rows(destination.read(ROWS))
        known = theirs | {sha256: row for sha256, row in ours.items() if row.digest}
        rows = rows_of(catalogue, known, targets)
        files: dict[str, Source] = {}
        for row in rows:
            before = theirs.get(row.sha256)
            if before is None or before.digest != row.digest:
                files |= {link: path for link in row.links if (path := source.root / link).is_file()}
        return destination.send(files) + _send(destination, rows, theirs, profile)


def _send(place: Place, rows: Sequence[StatusRow], before: dict[str, StatusRow], profile: str) -> int:
    sent = place.send({ROWS: dump_rows(rows, profile), PAGE: status_page(rows, profile=profile).encode()})
    linked = {link for row in rows for link in row.links}
    gone = {link for row in before.values() for link in row.links} - linked
    place.remove(sorted(gone))
    return sent
