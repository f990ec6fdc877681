"""Where an index is kept: a folder, a folder of another machine, an object store."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from contextlib import AbstractContextManager

Source = bytes | Path
"""The content of a file, or a file that has it."""

RECORD = "packages.json"
"""What the index holds; see `emwheels.index.model`."""


class Place(Protocol):
    """Holds files by name, which is a relative path with ``/``."""

    where: str
    """For messages."""

    def changing(self) -> AbstractContextManager[None]:
        """Hold the place while it is changed, as far as it can be held.

        Where it cannot, `send` raises `IndexingError` for a `RECORD` that somebody else replaced since it was read.
        """
        ...

    def read(self, name: str) -> bytes | None:
        """Return the content of a file, None when there is none."""
        ...

    def send(self, files: Mapping[str, Source]) -> int:
        """Write those files that are not there with the same bytes, and return how many were written.

        A reader sees each file as it was or as it is to be, never a part of it. On return all of them are there.
        """
        ...

    def remove(self, names: Iterable[str]) -> None:
        """Remove files; one that is not there is no error."""
        ...
