"""What the modules of a file from anywhere want and give."""

from __future__ import annotations

from typing import TYPE_CHECKING

from emwheels.atomic import read_regular
from emwheels.audit.symbols import symbols_of
from emwheels.errors import AuditError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from emwheels.audit import Runtime
    from emwheels.audit.symbols import Symbols

_LARGEST = 1 << 30


def file_symbols(path: Path, *, dependencies: Sequence[Path] = (), runtime: Runtime | None = None) -> list[Symbols]:
    """Read a file and return what `symbols_of` finds. Raises `AuditError`, also for what is no regular file."""
    try:
        data = read_regular(path, limit=_LARGEST)
    except OSError as error:
        raise AuditError(f"{path} cannot be read: {error.strerror or error}", hint="name another file") from error
    return symbols_of(path, data, dependencies=dependencies, runtime=runtime)
