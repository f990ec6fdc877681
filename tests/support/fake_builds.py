"""Builds without a compiler: records as the pipeline writes them, of files with any bytes."""

from __future__ import annotations

import hashlib
import io
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from emwheels.store import Store

WHEEL, LOG = b"wheel" * 20000, b"log\n" * 100


def make_build(
    store: Store, name: str = "tiny", wheel: bytes = WHEEL, log: bytes = LOG, **output: Any
) -> tuple[str, dict[str, Any]]:
    """Put the files of a build into the store and return its key and its record."""
    inputs = {"recipe": {"package": {"name": name, "version": "1.0"}}}
    key = hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()
    made = {
        "name": name,
        "kind": "wheels",
        "filename": f"{name}-1.0-py3-none-any.whl",
        "sha256": store.put_file("wheels", io.BytesIO(wheel)),
        "size": len(wheel),
        "seconds": 1.5,
        "key": key,
    }
    return key, {"inputs": inputs, "log": store.put_file("logs", io.BytesIO(log)), "output": made | output}


def flipped(content: bytes) -> bytes:
    """Return ``content`` with one bit changed."""
    changed = bytearray(content)
    changed[len(changed) // 3] ^= 1
    return bytes(changed)
