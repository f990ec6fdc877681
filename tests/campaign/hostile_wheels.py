"""Wheels for the audit, as an attacker packs them."""

from __future__ import annotations

import stat
import warnings
import zipfile
from functools import partial
from typing import TYPE_CHECKING, Any

from hostile_ground import BrokenError, Ground, bomb, zip_with
from packaging.utils import NormalizedName
from sample_target import TARGET
from synthetic_wheels import make_wheel

from emwheels.audit import Owner, Runtime, audit_wheel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


def wheels(ground: Ground) -> Iterator[tuple[str, Callable[[], str]]]:
    """Wheels for the audit."""
    own = {"demo/__init__.py": ""}
    info = "demo-1.0.dist-info"
    many: dict[str, dict[str, Any]] = {
        "another project's module": {"files": {"numpy/__init__.py": ""}},
        "a module of Python": {"files": {"json.py": ""}},
        "pip itself": {"files": {"demo-1.0.data/purelib/pip/__init__.py": ""}},
        "what runs at every start": {"files": {"sitecustomize.py": ""}},
        "a .pth file": {"files": {"a.pth": "import os"}},
        "a .pth file by .data": {"files": {"demo-1.0.data/platlib/a.pth": "import os"}},
        "python3": {"files": {"demo-1.0.data/scripts/python3": ""}},
        "pip by an entry point": {"files": {f"{info}/entry_points.txt": "[console_scripts]\npip = demo:x\n"}},
        "a plugin of pytest": {"files": {f"{info}/entry_points.txt": "[pytest11]\nx = demo\n"}},
        "entry points that are none": {"files": {f"{info}/entry_points.txt": "[[[\n=\n"}},
        "a requirement by address": {"requires": ["x @ https://example.org/x.whl"]},
        "a requirement that is none": {"requires": ["--index-url https://example.org"]},
        "a path upwards": {"files": {"../evil.py": ""}},
        "an absolute path": {"files": {"/etc/evil.py": ""}},
        "a drive": {"files": {"C:/evil.py": ""}},
        "backslashes": {"files": {"..\\evil.py": ""}},
        "names that differ by case": {"files": {"demo/A": "", "demo/a": ""}},
        "300 folders": {"files": {"demo/" + "d/" * 300 + "x": ""}},
        "RECORD that lies": {"record": f"demo/__init__.py,sha256=AAAA,0\n{info}/RECORD,,\n"},
        "RECORD that is empty": {"record": ""},
        "RECORD that is no table": {"record": '"\n\0' * 10},
        "METADATA of another": {"metadata": "Metadata-Version: 2.1\nName: other\nVersion: 1.0\n"},
        "METADATA that is empty": {"metadata": ""},
        "METADATA that is binary": {"metadata": "\0\x01\udcff".encode(errors="surrogateescape").decode("latin-1")},
        "a library that is none": {"files": {"demo/_c.so": b"\0asm\1\0\0\0\xff\xff\xff\xff\xff"}},
        "a library of the host": {"files": {"demo/_c.so": b"\x7fELF" + bytes(100)}},
        "sections without end": {"files": {"demo/_c.so": b"\0asm\1\0\0\0" + b"\0\xff\xff\xff\xff\x0f"}},
        "a name of another": {"name": "other"},
        "a version of another": {"version": "2.0"},
        "a file name that is none": {"filename": "demo.whl"},
    }
    for name, options in many.items():
        given = {"name": "demo", **options, "files": own | options.get("files", {})}
        yield name, partial(_audit, ground, given)
    for name, damage in {
        "no zip": lambda path: path.write_bytes(b"no zip"),
        "a directory that lies": lambda path: path.write_bytes(path.read_bytes()[:-30] + b"\xff" * 30),
        "a bomb": bomb,
        "a link": partial(zip_with, name="demo/l", mode=stat.S_IFLNK | 0o777, data="/etc/passwd"),
        "a member twice": _twice,
    }.items():
        yield name, partial(_audit, ground, {"name": "demo", "files": own}, damage)


def _twice(path: Path) -> None:
    with zipfile.ZipFile(path, "a") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that it is there twice
        archive.writestr(zipfile.ZipInfo("demo/__init__.py"), "evil = 1")


def _audit(ground: Ground, options: dict[str, Any], damage: Callable[[Path], object] | None = None) -> str:
    wheel = make_wheel(ground.folder(), **options)
    if damage:
        damage(wheel)
    owner = Owner(name=NormalizedName("demo"), version="1.0", modules=("demo",), others={"numpy": "numpy"})
    report = audit_wheel(wheel, target=TARGET, runtime=Runtime(exports={}, javascript_names=frozenset()), owner=owner)
    if not report.errors:
        raise BrokenError(f"nothing was found in it but {report.findings}")
    return f"{report.errors[0].rule}: {report.errors[0].message}"
