"""Takes the paths of a build out of the SBOMs in a wheel. Runs in the build image: standard library only.

    python3 plain_sbom.py WHEEL OUT PREFIX...

maturin names crates of the source tree by where they were (``path+file:///…``). Each PREFIX is left out of the
documents in ``.dist-info/sboms``, and RECORD is made to fit. Everything else stays.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import sys
import zipfile
from pathlib import Path


def plain_sboms(wheel: Path, out: Path, prefixes: list[str]) -> None:
    """Write to ``out`` what ``wheel`` holds, without ``prefixes`` in its SBOMs."""
    with zipfile.ZipFile(wheel) as old, zipfile.ZipFile(out, "w") as new:
        members = {member.filename: old.read(member) for member in old.infolist()}
        for name, data in members.items():
            if ".dist-info/sboms/" in name:
                members[name] = _without(data, prefixes)
        for name, data in members.items():
            if name.count("/") == 1 and name.endswith(".dist-info/RECORD"):
                members[name] = _record(data, members)
        for member in old.infolist():
            new.writestr(member, members[member.filename])


def _without(data: bytes, prefixes: list[str]) -> bytes:
    for prefix in prefixes:
        data = data.replace(prefix.encode(), b"")
    return data


def _record(data: bytes, members: dict[str, bytes]) -> bytes:
    """Return RECORD with the hashes and sizes that the SBOMs have now."""
    rows = []
    for row in csv.reader(io.StringIO(data.decode())):
        if row and ".dist-info/sboms/" in row[0] and row[0] in members:
            digest = base64.urlsafe_b64encode(hashlib.sha256(members[row[0]]).digest()).rstrip(b"=").decode()
            rows.append([row[0], f"sha256={digest}", str(len(members[row[0]]))])
        else:
            rows.append(row)
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()


if __name__ == "__main__":
    plain_sboms(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:])
