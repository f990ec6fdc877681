"""Moves the tests inside of a wheel to a wheel of their own. Runs in the build image: standard library only.

What counts as a test is what pyodide-build 0.39.2 takes for one (its ``recipe/unvendor.py``): folders called ``test``
or ``tests``, and files called ``test_*.py``, ``*_test.py`` or ``conftest.py``. The image's own zlib compresses.
"""

from __future__ import annotations

import base64
import csv
import email.parser
import hashlib
import io
import re
import sys
import zipfile
from fnmatch import fnmatch, fnmatchcase
from pathlib import Path

DATE = (2024, 1, 1, 0, 0, 0)
_FOLDERS = ("test", "tests")
_LIBRARY = re.compile(r"\.so(?:\.\d+)*\Z")
_FILES = ("test_*.py", "*_test.py", "conftest.py")


def split(wheel: Path, out: Path, retained: list[str], *, stored: bool = False) -> None:
    """Write to the folder ``out`` the wheel without its tests and the wheel of these; nothing if it has none.

    ``retained`` are patterns (fnmatch) of files that stay: with some, a folder of tests does not go as a whole.
    Raises ValueError for a wheel without exactly one RECORD.
    """
    with zipfile.ZipFile(wheel) as old:
        names = [name for name in old.namelist() if not name.endswith("/")]
        infos = [
            name.rpartition("/")[0] for name in names if name.count("/") == 1 and name.endswith(".dist-info/RECORD")
        ]
        if len(infos) != 1:
            raise ValueError(f"the wheel has {len(infos)} RECORD files")
        info = infos[0]
        moved = [name for name in names if not _is_about(name) and is_test(name, retained)]
        if not moved:
            return
        members = [
            (name, old.read(name), old.getinfo(name).external_attr) for name in names if name != f"{info}/RECORD"
        ]
    kept = [member for member in members if member[0] not in set(moved)]
    _write(out / wheel.name, kept, info, stored=stored)
    tests = [member for member in members if member[0] in set(moved)]
    project, version = info.removesuffix(".dist-info").split("-")
    own = f"{project}_tests-{version}.dist-info"
    about = {name.removeprefix(f"{info}/"): data for name, data, _ in members if name.startswith(f"{info}/")}
    compiled = any(_LIBRARY.search(name) for name in moved)
    tags = wheel.name.removesuffix(".whl").split("-", 2)[2] if compiled else "py3-none-any"
    tag_lines = about["WHEEL"] if compiled else b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    documents = {"METADATA": _metadata(about["METADATA"]), "WHEEL": tag_lines}
    documents |= {name: data for name, data in about.items() if name.startswith("licenses/")}
    tests += [(f"{own}/{name}", data, 0o100644 << 16) for name, data in documents.items()]
    _write(out / f"{project}_tests-{version}-{tags}.whl", tests, own, stored=stored)


def _is_about(name: str) -> bool:
    return name.partition("/")[0].endswith((".dist-info", ".data"))


def is_test(name: str, retained: list[str]) -> bool:
    """Tell whether a file of a wheel is one of its tests."""
    *folders, file = name.split("/")
    if not retained and any(folder in _FOLDERS for folder in folders):
        return True
    in_tests = bool(folders) and folders[-1] in _FOLDERS
    is_file = any(fnmatchcase(file, pattern) for pattern in _FILES)
    return (in_tests or is_file) and not any(fnmatch(name, pattern) for pattern in retained)


def _metadata(text: bytes) -> bytes:
    """Return the metadata of the wheel with the tests: of that version alone, and to be installed over it."""
    about = email.parser.BytesParser().parsebytes(text, headersonly=True)
    name, version = about["Name"], about["Version"]
    lines = [f"Metadata-Version: {about['Metadata-Version']}", f"Name: {name}-tests", f"Version: {version}"]
    lines += [f"Summary: The tests of {name}", f"Requires-Dist: {name}=={version}"]
    for key in ("License-Expression", "License", "License-File"):
        lines += [f"{key}: {' '.join(str(value).split())}" for value in about.get_all(key, [])]
    return ("\n".join(lines) + "\n").encode()


def _write(wheel: Path, members: list[tuple[str, bytes, int]], info: str, *, stored: bool) -> None:
    rows = []
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, data, attributes in members:
            _add(archive, name, data, attributes, stored=stored)
            digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
            rows.append([name, f"sha256={digest}", str(len(data))])
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows([*rows, [f"{info}/RECORD", "", ""]])
        _add(archive, f"{info}/RECORD", text.getvalue().encode(), 0o100644 << 16, stored=stored)


def _add(archive: zipfile.ZipFile, name: str, data: bytes, attributes: int, *, stored: bool) -> None:
    member = zipfile.ZipInfo(name, DATE)
    member.external_attr = attributes
    member.create_system = 3
    member.compress_type = zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED
    archive.writestr(member, data, compresslevel=9)


if __name__ == "__main__":
    split(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[4:], stored=sys.argv[3] == "stored")
