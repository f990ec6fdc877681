"""Wheels -> the simple repository (PEP 503) that micropip, pip and uv install from."""

from __future__ import annotations

import hashlib
import html
import os
import tempfile
import zipfile
from email.parser import BytesParser
from pathlib import Path

from packaging.utils import canonicalize_name, parse_wheel_filename


def write_atomically(path: Path, data: bytes) -> None:
    """Replace ``path`` by ``data``: a reader sees the old or the new. Leaves a file alone that has these bytes."""
    if path.is_file() and path.read_bytes() == data:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as part:
        try:
            part.write(data)
            part.flush()
            os.fsync(part.fileno())
            os.fchmod(part.fileno(), 0o644)
            Path(part.name).replace(path)
        except BaseException:
            Path(part.name).unlink(missing_ok=True)
            raise


def publish(dist: Path, wheel: Path, filename: str) -> Path:
    """Copy ``wheel`` to ``dist/wheels/filename``, list it in ``dist/simple/``, and return where it is."""
    published = dist / "wheels" / filename
    write_atomically(published, wheel.read_bytes())
    project = canonicalize_name(parse_wheel_filename(filename)[0])
    write_project(dist, project)
    return published


def write_project(dist: Path, project: str) -> None:
    """Write the pages of ``project`` and of all projects. Wheels come first, then their page, then the root."""
    wheels = [
        path
        for path in sorted((dist / "wheels").glob("*.whl"))
        if canonicalize_name(parse_wheel_filename(path.name)[0]) == project
    ]
    links = "".join(_link(path) for path in wheels)
    write_atomically(dist / "simple" / project / "index.html", _page(project, links))
    projects = sorted(path.parent.name for path in (dist / "simple").glob("*/index.html"))
    root = "".join(f'<a href="{name}/">{name}</a><br>\n' for name in projects)
    write_atomically(dist / "simple" / "index.html", _page("Simple index", root))


def _link(wheel: Path) -> str:
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    requires = _requires_python(wheel)
    attribute = f' data-requires-python="{html.escape(requires)}"' if requires else ""
    return f'<a href="../../wheels/{wheel.name}#sha256={digest}"{attribute}>{wheel.name}</a><br>\n'


def _requires_python(wheel: Path) -> str:
    with zipfile.ZipFile(wheel) as archive:
        for member in archive.namelist():
            if member.endswith(".dist-info/METADATA") and member.count("/") == 1:
                return str(BytesParser().parsebytes(archive.read(member)).get("Requires-Python", ""))
    return ""


def _page(title: str, body: str) -> bytes:
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="pypi:repository-version" content="1.0">'
        f"<title>{html.escape(title)}</title></head><body>\n{body}</body></html>\n"
    ).encode()
