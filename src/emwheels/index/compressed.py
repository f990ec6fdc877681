"""Compressed copies of a wheel whose members are not: web servers send them in its place to whoever accepts them."""

from __future__ import annotations

import gzip
import hashlib
import zipfile
from typing import TYPE_CHECKING

import brotli

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_WINDOW = 22
"""The largest that a browser has to take (RFC 7932, 9.1)."""
_PACK: dict[str, Callable[[bytes], bytes]] = {
    ".br": lambda data: brotli.compress(data, quality=11, lgwin=_WINDOW),
    ".gz": lambda data: gzip.compress(data, 9, mtime=0),
}
_UNPACK: dict[str, Callable[[bytes], bytes]] = {".br": brotli.decompress, ".gz": gzip.decompress}
_LEAST = 1 << 15
"""Bytes of a wheel from which on a copy is worth a file."""
_WORTH = 0.98
"""A copy that is hardly smaller costs a server more than it saves."""
COPIES = tuple(_PACK)
"""Suffixes of the copies, after the wheel's own name."""


def is_stored(wheel: Path) -> bool:
    """Tell whether no member of a wheel is compressed."""
    with zipfile.ZipFile(wheel) as archive:
        return all(member.compress_type == zipfile.ZIP_STORED for member in archive.infolist())


def compressed_copies(wheel: Path) -> dict[str, bytes]:
    """Return suffix -> content of the copies that a wheel has: none if it is compressed in itself, or small."""
    if wheel.stat().st_size < _LEAST or not is_stored(wheel):
        return {}
    return packed(wheel.read_bytes())


def packed(data: bytes) -> dict[str, bytes]:
    """Return suffix -> content of the copies that are smaller than ``data`` by more than a little."""
    copies = {suffix: pack(data) for suffix, pack in _PACK.items()}
    return {suffix: copy for suffix, copy in copies.items() if len(copy) < len(data) * _WORTH}


def is_copy(path: Path, suffix: str, sha256: str) -> bool:
    """Tell whether the copy at ``path`` has the bytes with this hash in it."""
    try:
        return hashlib.sha256(_UNPACK[suffix](path.read_bytes())).hexdigest() == sha256
    except (OSError, EOFError, brotli.error):
        return False
