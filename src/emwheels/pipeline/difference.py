"""Two archives that should be the same -> the first difference, in words."""

from __future__ import annotations

import gzip
import tarfile
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_CONTEXT = 12


@dataclass(frozen=True, kw_only=True)
class _ArchiveMember:
    name: str
    data: bytes
    about: tuple[tuple[str, str], ...]
    """What is kept of it beside its bytes: mode, time."""


def first_difference(one: Path, other: Path) -> str:
    """Return where two wheels (zip) or library archives (tar.gz) differ first; empty if they are the same bytes.

    E.g. ``numpy/_core/_multiarray.so: byte 1,024 of 9,000: 2f6d6e74 b'/mnt' | 2f746d70 b'/tmp'``.
    """
    if one.read_bytes() == other.read_bytes():
        return ""
    left, right = _members(one), _members(other)
    for mine, theirs in zip(left, right, strict=False):
        if mine.name != theirs.name:
            return f"member {mine.name} | {theirs.name} at the same place: other files, or another order"
        if mine.data != theirs.data:
            return f"{mine.name}: {_in_data(mine.data, theirs.data)}"
        for (what, value), (_, other_value) in zip(mine.about, theirs.about, strict=True):
            if value != other_value:
                return f"{mine.name}: its {what} is {value} | {other_value}"
    if len(left) != len(right):
        extra = (left[len(right) :] or right[len(left) :])[0].name
        return f"{extra}: only in {'the first' if len(left) > len(right) else 'the second'}"
    return "the members are the same, they are packed differently"


def _members(path: Path) -> list[_ArchiveMember]:
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            return [
                _ArchiveMember(
                    name=info.filename,
                    data=archive.read(info),
                    about=(("mode", oct(info.external_attr >> 16)), ("time", str(info.date_time))),
                )
                for info in archive.infolist()
            ]
    with gzip.open(path) as stream, tarfile.open(fileobj=stream) as tar:
        members = []
        for info in tar:
            content = tar.extractfile(info) if info.isfile() else None
            data = content.read() if content else info.linkname.encode()
            members.append(
                _ArchiveMember(name=info.name, data=data, about=(("mode", oct(info.mode)), ("time", str(info.mtime))))
            )
        return members


def _in_data(one: bytes, other: bytes) -> str:
    at = next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    size = f"{len(one):,}" if len(one) == len(other) else f"{len(one):,} | {len(other):,}"
    if not _is_text(one) or not _is_text(other):
        left, right = (data[max(0, at - _CONTEXT) : at + _CONTEXT] for data in (one, other))
        return f"byte {at:,} of {size}: {left!r} | {right!r}"
    line = one[:at].count(b"\n")
    return f"line {line + 1}: {_line(one, line)!r} | {_line(other, line)!r}"


def _line(data: bytes, number: int) -> str:
    lines = data.decode(errors="replace").split("\n")
    return lines[number][:160] if number < len(lines) else ""


def _is_text(data: bytes) -> bool:
    return b"\0" not in data
