"""The last build of each package, whatever its key was."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from emwheels.store import Store


def latest_key(name: str, target: str, profile: str) -> str:
    """Return the key of the record of the last build of ``name``."""
    return hashlib.sha256(f"{name}\n{target}\n{profile}".encode()).hexdigest()


def latest_build(store: Store, name: str, target: str, profile: str) -> dict[str, Any] | None:
    """Return the record of the last build of ``name``: ``output``, ``inputs``, ``log``, ``audit``, ``peak_kib``."""
    return store.get_record("latest", latest_key(name, target, profile))
