"""Projects -> what clients read: PEP 503 HTML and PEP 691 JSON, from one model.

HTML has relative URLs, so that an index can be moved. Where it is known where the index is served, they are absolute:
some hosts answer ``simple/NAME`` without a slash, and relative ones then lead elsewhere. JSON has absolute ones only,
because micropip 0.11.1 fails on others.
"""

from __future__ import annotations

import html
import json
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

from emwheels.index.model import PROVENANCE, offered

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from emwheels.index.model import File, Project

HTML_VERSION = "1.0"
JSON_VERSION = "1.1"
"""PEP 700: sizes, upload times and versions."""
PROVENANCE_VERSION = "1.3"
"""PEP 740."""
STATUS_VERSION = "1.4"
"""PEP 792. Only a page that has such things says so: some clients warn of a version that they do not know."""


def project_html(project: Project, base_url: str = "") -> bytes:
    """Return the page of a project, for ``simple/NAME/index.html``; ``base_url`` as for `project_json`, if known."""
    meta = ""
    if project.status != "active":
        meta += _meta("pypi:project-status", project.status)
        meta += _meta("pypi:project-status-reason", project.reason) if project.reason else ""
    files = offered(project)
    version = _version(project, base_url, HTML_VERSION)
    return _page(project.name, version, meta, "".join(_link(file, base_url) for file in files))


def root_html(names: Iterable[str]) -> bytes:
    """Return the list of projects, for ``simple/index.html``."""
    body = "".join(f'<a href="{quote(name)}/">{html.escape(name)}</a><br>\n' for name in sorted(names))
    return _page("Simple index", HTML_VERSION, "", body)


def project_json(project: Project, base_url: str) -> bytes:
    """Return the JSON page of a project; ``base_url`` is that of the folder that ``simple/`` is in, with a slash."""
    files = offered(project)
    document: dict[str, Any] = {
        "meta": {"api-version": _version(project, base_url, JSON_VERSION)},
        "name": project.name,
        "versions": list(dict.fromkeys(str(file.version) for file in files)),
        "files": [_entry(file, base_url) for file in files],
    }
    if project.status != "active":
        document["project-status"] = {"status": project.status}
        if project.reason:
            document["project-status"]["reason"] = project.reason
    return _json(document)


def root_json(names: Iterable[str]) -> bytes:
    """Return the JSON list of projects."""
    return _json({"meta": {"api-version": JSON_VERSION}, "projects": [{"name": name} for name in sorted(names)]})


def all_json(locks: Iterable[Mapping[str, Any]]) -> bytes:
    """Return what JupyterLite's piplite (0.8.7) reads by its ``pipliteUrls``: the wheels of these locks.

    It compares versions as texts, so it gets one of each project for each lock. It appends a query to the address, so
    it gets no metadata (PEP 658), whose address it would get wrong.
    """
    projects: dict[str, dict[str, dict[str, dict[str, Any]]]] = {}
    for name, entry in (pair for lock in locks for pair in lock["packages"].items()):
        if "://" not in entry["file_name"]:
            files = projects.setdefault(name, {}).setdefault(entry["version"], {})
            files[entry["file_name"]] = {
                "filename": unquote(entry["file_name"].rpartition("/")[2]),
                "url": f"./{entry['file_name']}",
                "digests": {"sha256": entry["sha256"]},
                "packagetype": "bdist_wheel",
                "yanked": False,
            }
    return _json(
        {
            name: {"releases": {version: list(files.values()) for version, files in versions.items()}}
            for name, versions in sorted(projects.items())
        }
    )


def _version(project: Project, base_url: str, least: str) -> str:
    if project.status != "active":
        return STATUS_VERSION
    return PROVENANCE_VERSION if any(_provenance(file, base_url) for file in offered(project)) else least


def _provenance(file: File, base_url: str) -> str | None:
    """Return where the provenance of a file is. PEP 740 has it linked to by a full address of a secure origin only."""
    if not file.provenance_sha256 or not base_url.startswith("https://"):
        return None
    return f"{base_url}wheels/{quote(file.filename + PROVENANCE)}"


def _promises(file: File) -> dict[str, str]:
    """Return the hashes of statement and provenance, which no PEP has a place for, by our own names."""
    promised = {"statement": file.statement_sha256, "provenance": file.provenance_sha256}
    return {f"emwheels-{name}": sha256 for name, sha256 in promised.items() if sha256}


def _link(file: File, base_url: str) -> str:
    address = f"{base_url or '../../'}wheels/{quote(file.filename)}#sha256={file.sha256}"
    metadata = f"sha256={file.metadata_sha256}"
    attributes = {
        "href": address,
        "data-requires-python": file.requires_python or None,
        "data-core-metadata": metadata,  # PEP 714
        "data-dist-info-metadata": metadata,  # its older name (PEP 658)
        "data-provenance": _provenance(file, base_url),
        **{f"data-{name}": f"sha256={sha256}" for name, sha256 in _promises(file).items()},
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
    if provenance := _provenance(file, base_url):
        entry["provenance"] = provenance
    # PEP 691 leaves names that begin with an underscore to each index.
    entry |= {f"_{name}": {"sha256": sha256} for name, sha256 in _promises(file).items()}
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
