"""Reads an index as its clients do, and says what is broken in it."""

from __future__ import annotations

import hashlib
import json
from html.parser import HTMLParser
from typing import TYPE_CHECKING
from urllib.parse import unquote, urljoin

if TYPE_CHECKING:
    from collections.abc import Callable

BASE = "http://index.test/"


class _Links(HTMLParser):
    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.links: list[dict[str, str]] = []
        self.closed = False
        self.feed(page.decode())
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "a":
            self.links.append({key: value or "" for key, value in attrs})

    def handle_endtag(self, tag: str) -> None:
        self.closed = self.closed or tag == "html"


def problems(get: Callable[[str], bytes | None], base_url: str = "") -> list[str]:
    """Follow every link of the index of which ``get`` returns a file by its relative path, None when it is missing."""
    found: list[str] = []
    root = get("simple/index.html")
    if root is None:
        return []  # not published yet
    names = [link["href"].strip("/") for link in _links(root, "simple/index.html", found)]
    for name in names:
        page = get(f"simple/{name}/index.html")
        if page is None:
            found.append(f"the list has {name}, which has no page")
            continue
        for link in _links(page, name, found):
            _follow(link | {"href": link["href"].replace(base_url or BASE, BASE)}, f"{BASE}simple/{name}/", get, found)
        if base_url and (text := get(f"simple/{name}/index.json")) is not None:
            for entry in json.loads(text)["files"]:
                path = unquote(entry["url"].removeprefix(base_url))
                if _sha256(get(path)) != entry["hashes"]["sha256"]:
                    found.append(f"the JSON page of {name} has a wrong or missing {path}")
    lock = get("pyodide-lock.json")
    for entry in json.loads(lock)["packages"].values() if lock else ():
        path = unquote(entry["file_name"])
        if "://" not in path and _sha256(get(path)) != entry["sha256"]:
            found.append(f"the lock has a wrong or missing {path}")
    return found


def _links(page: bytes, where: str, found: list[str]) -> list[dict[str, str]]:
    parsed = _Links(page)
    if not parsed.closed:
        found.append(f"{where}: half a page")
    return parsed.links


def _follow(link: dict[str, str], page: str, get: Callable[[str], bytes | None], found: list[str]) -> None:
    address, _, fragment = urljoin(page, link["href"]).partition("#sha256=")
    path = unquote(address.removeprefix(BASE))
    if _sha256(get(path)) != fragment:
        found.append(f"{page}: a wrong or missing {path}")
    if "sha256=" + _sha256(get(f"{path}.metadata")) != link["data-core-metadata"]:
        found.append(f"{page}: a wrong or missing {path}.metadata")
    for name, suffix in (("statement", ".statement.json"), ("provenance", ".provenance")):
        promised = link.get(f"data-emwheels-{name}")
        if promised is not None and "sha256=" + _sha256(get(f"{path}{suffix}")) != promised:
            found.append(f"{page}: a wrong or missing {path}{suffix}")


def _sha256(data: bytes | None) -> str:
    return "missing" if data is None else hashlib.sha256(data).hexdigest()
