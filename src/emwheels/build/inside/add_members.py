"""Adds files to the .dist-info of a wheel and lists them in RECORD. Runs in the build image: standard library only.

The image's own zlib compresses, so that the bytes do not depend on the machine around it. `emwheels.wheel` reads RECORD
for the rest of the project; here it is read anew, because emwheels is not in the image.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import sys
import zipfile
from pathlib import Path

DATE = (2024, 1, 1, 0, 0, 0)


def add_members(wheel: Path, folder: Path, out: Path, *, stored: bool = False) -> None:
    """Write to ``out`` what ``wheel`` holds, and each file below ``folder`` in its .dist-info.

    With ``stored`` no member is compressed.
    Raises ValueError for a wheel without exactly one RECORD, and for a file that the wheel has already.
    """
    with zipfile.ZipFile(wheel) as old, zipfile.ZipFile(out, "w") as new:
        names = old.namelist()
        records = [name for name in names if name.count("/") == 1 and name.endswith(".dist-info/RECORD")]
        if len(records) != 1:
            raise ValueError(f"the wheel has {len(records)} RECORD files")
        record, info = records[0], records[0].rpartition("/")[0]
        for member in old.infolist():
            if member.filename != record:
                _write(new, member.filename, old.read(member), member.external_attr, stored=stored)
        rows = [row for row in csv.reader(io.StringIO(old.read(record).decode())) if row and row[0] != record]
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            name = f"{info}/{path.relative_to(folder).as_posix()}"
            if name in names:
                raise ValueError(f"the wheel has a {name} already")
            data = path.read_bytes()
            _write(new, name, data, 0o100644 << 16, stored=stored)
            digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
            rows.append([name, f"sha256={digest}", str(len(data))])
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows([*rows, [record, "", ""]])
        _write(new, record, text.getvalue().encode(), 0o100644 << 16, stored=stored)


def _write(archive: zipfile.ZipFile, name: str, data: bytes, attributes: int, *, stored: bool) -> None:
    member = zipfile.ZipInfo(name, DATE)
    member.external_attr = attributes
    member.create_system = 3
    member.compress_type = zipfile.ZIP_STORED if stored or name.endswith("/") else zipfile.ZIP_DEFLATED
    archive.writestr(member, data, compresslevel=9)


if __name__ == "__main__":
    add_members(*(Path(argument) for argument in sys.argv[1:4]), stored=sys.argv[4:] == ["stored"])
