"""Reads ``extra.emwheels.downloads`` of meta.yaml: what a build would fetch by itself, each file with its hash.

The key is emwheels' own: pyodide-build takes no notice of it. A build has no network, so the host fetches these files.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from emwheels.errors import without_secrets
from emwheels.recipe.address import GIT, url_fault
from emwheels.recipe.document import did_you_mean, printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from emwheels.recipe.document import Findings

KEYS = ("name", "url", "sha256", "unpack")
"""What an entry may have."""
_KEY = "extra.emwheels.downloads"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]{0,100}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, kw_only=True)
class Download:
    """One file that a build finds instead of fetching it."""

    name: str
    """By which build files ask for it: of FetchContent, ExternalProject, CPM or a Meson subproject, in any case."""
    url: str
    sha256: str
    unpack: bool = True
    """False: the build gets the file as it is."""

    @property
    def address(self) -> str:
        """``url`` as it may be kept: without tokens and signatures."""
        return without_secrets(self.url)


def read_downloads(extra: Mapping[str, Any], findings: Findings) -> tuple[Download, ...]:
    """Return what ``extra`` of meta.yaml lists, and report what is wrong with it. What is reported may be left out."""
    match extra:
        case {"emwheels": {"downloads": entries}} if entries is not None:
            pass
        case _:
            return ()
    if not isinstance(entries, list):
        findings.report(_KEY, "must be a list of entries with name, url and sha256")
        return ()
    found: dict[str, Download] = {}
    for number, entry in enumerate(entries):
        where = f"{_KEY}[{number}]"
        if not isinstance(entry, dict):
            findings.report(where, "must be a mapping with name, url and sha256")
            continue
        faults = dict(_faults(entry))
        for key, fault in faults.items():
            findings.report(f"{where}.{key}", fault)
        if not faults and (folded := entry["name"].casefold()) in found:
            findings.report(f"{where}.name", f"{printable(entry['name'])} is there twice, whatever its case")
        elif not faults:
            found[folded] = Download(**entry)
    return tuple(found.values())


def _faults(entry: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Give what is wrong with an entry, by key."""
    for key in entry:
        if key not in KEYS:
            yield printable(key), f"unknown key{did_you_mean(key, KEYS)}"
    for key in ("name", "url", "sha256"):
        if key not in entry:
            yield key, "is missing; an entry needs name, url and sha256"
        elif not isinstance(entry[key], str):
            yield key, "must be text (put a number in quotes)"
        elif fault := _CHECKS[key](entry[key]):
            yield key, fault
    if not isinstance(entry.get("unpack", True), bool):
        yield "unpack", "must be true or false"


def _url_fault(url: str) -> str:
    return "is a repository, and a download is a file; give an archive" if url.startswith(GIT) else url_fault(url)


_CHECKS: dict[str, Callable[[str], str]] = {
    "name": lambda text: "" if _NAME.fullmatch(text) else f"{printable(text)} is no name that build files ask for",
    "url": _url_fault,
    "sha256": lambda text: "" if _SHA256.fullmatch(text) else "must be 64 hexadecimal digits in lower case",
}
