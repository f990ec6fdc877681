"""Projects -> what clients read: PEP 503 HTML and PEP 691 JSON, from one model.

HTML has relative URLs, so that an index can be moved; JSON has absolute ones, because micropip 0.11.1 fails on
others.
"""

from __future__ import annotations

import html
import json
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from emwheels.index.model import offered

if TYPE_CHECKING:
    from collections.abc import Iterable

    from emwheels.index.model import File, Project

HTML_VERSION = "1.0"
JSON_VERSION = "1.1"
"""PEP 700: sizes, upload times and versions."""
STATUS_VERSION = "1.4"
"""PEP 792. Only a page that has a status says so: some clients warn of a version that they do not know."""


def project_html(project: Project) -> bytes:
    """Return the page of a project, for ``simple/NAME/index.html``."""
    meta = ""
    if project.status != "active":
        meta += _meta("pypi:project-status", project.status)
        meta += _meta("pypi:project-status-reason", project.reason) if project.reason else ""
    version = STATUS_VERSION if meta else HTML_VERSION
    return _page(project.name, version, meta, "".join(_link(file) for file in offered(project)))


def root_html(names: Iterable[str]) -> bytes:
    """Return the list of projects, for ``simple/index.html``."""
    body = "".join(f'<a href="{quote(name)}/">{html.escape(name)}</a><br>\n' for name in sorted(names))
    return _page("Simple index", HTML_VERSION, "", body)


def project_json(project: Project, base_url: str) -> bytes:
    """Return the JSON page of a project; ``base_url`` is that of the folder that ``simple/`` is in, with a slash."""
    files = offered(project)
    document: dict[str, Any] = {
        "meta": {"api-version": JSON_VERSION},
        "name": project.name,
        "versions": list(dict.fromkeys(str(file.version) for file in files)),
        "files": [_entry(file, base_url) for file in files],
    }
    if project.status != "active":
        document["meta"] = {"api-version": STATUS_VERSION}
        document["project-status"] = {"status": project.status}
        if project.reason:
            document["project-status"]["reason"] = project.reason
    return _json(document)


def root_json(names: Iterable[str]) -> bytes:
    """Return the JSON list of projects."""
    return _json({"meta": {"api-version": JSON_VERSION}, "projects": [{"name": name} for name in sorted(names)]})


def _link(file: File) -> str:
    address = f"../../wheels/{quote(file.filename)}#sha256={file.sha256}"
    metadata = f"sha256={file.metadata_sha256}"
    attributes = {
        "href": address,
        "data-requires-python": file.requires_python or None,
        "data-core-metadata": metadata,  # PEP 714
        "data-dist-info-metadata": metadata,  # its older name (PEP 658)
        "data-yanked": file.yanked,
    }
    text = " ".join(f'{key}="{html.escape(value)}"' for key, value in attributes.items() if value is not None)
    return f"<a {text}>{html.escape(file.filename)}</a><br>\n"


def _entry(file: File, base_url: str) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "filename": file.filename,
        "url": f"{base_url}wheels/{quote(file.filename)}",
        "hashes": {"sha256": file.sha256},
        "size": file.size,
        "upload-time": file.uploaded,
        "core-metadata": {"sha256": file.metadata_sha256},
        "dist-info-metadata": {"sha256": file.metadata_sha256},
        "yanked": file.yanked or file.yanked is not None,
    }
    if file.requires_python:
        entry["requires-python"] = file.requires_python
    return entry


def _meta(name: str, content: str) -> str:
    return f'<meta name="{name}" content="{html.escape(content)}">'


def _page(title: str, version: str, meta: str, body: str) -> bytes:
    head = '<meta charset="utf-8">' + _meta("pypi:repository-version", version) + meta
    title = html.escape(title)
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head>{head}<title>{title}</title></head><body>\n{body}</body></html>\n'
    ).encode()


def _json(document: dict[str, Any]) -> bytes:
    return (json.dumps(document, separators=(",", ":")) + "\n").encode()
