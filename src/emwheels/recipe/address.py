"""Where a source comes from: which addresses `source.url` may be."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from packageurl import PackageURL
from packaging.version import Version

from emwheels.errors import visible, without_secrets
from emwheels.recipe.document import printable

if TYPE_CHECKING:
    from collections.abc import Callable

PURL_FORMS = {
    "pypi": "pkg:pypi/NAME@VERSION",
    "deb": "pkg:deb/debian/NAME@VERSION",
    "npm": "pkg:npm/NAME@VERSION or pkg:npm/%40SCOPE/NAME@VERSION",
}

GIT = "git+"
"""What the address of a git repository begins with."""
GIT_SCHEMES = ("https", "ssh", "file")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_LONGEST = 300

_PURL_NAMESPACES = {"pypi": re.compile(""), "deb": re.compile("debian"), "npm": re.compile(r"(@[a-z0-9][a-z0-9._-]*)?")}
_PURL_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*")
_PURL_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+~:-]*")


def parses(parse: Callable[[str], object], text: str) -> bool:
    """Tell whether ``parse`` takes ``text``, however hostile that is."""
    try:
        parse(text)
    except (ValueError, RecursionError):  # a number of 5,000 digits, a marker of 500 parentheses
        return False
    return True


def url_fault(url: str) -> str:
    """Return what is wrong with a `source.url`, empty if nothing is."""
    if url.startswith("pkg:"):
        return _purl_fault(url)
    if url.startswith(GIT):
        return _git_fault(url)
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        host = None
    if not host or parts.scheme not in {"http", "https"} or not url.isprintable() or " " in url:
        return (
            f"{printable(url)} is neither an http(s) address, nor git+https://…@COMMIT, nor a package URL such as "
            "pkg:pypi/NAME@VERSION"
        )
    if not unquote(parts.path).isprintable():
        return f"{printable(url)} has a control character in its path"
    if parts.username is not None or parts.password is not None:
        return _SHOWN_TO_EVERYBODY
    return _A_WHEEL if unquote(parts.path).endswith(".whl") else ""


_A_WHEEL = (
    "is a wheel, which is compiled already; give the source archive of this version. A wheel of pure Python needs no "
    "recipe: name it in requirements.run of what requires it, and lock that"
)
_SHOWN_TO_EVERYBODY = (
    "has a user or password in it, which a recipe shows to everybody; put them into ~/.netrc or pip's configuration"
)


def _git_fault(url: str) -> str:
    address, at, commit = url.removeprefix(GIT).rpartition("@")
    if not at or "/" in commit:  # there is none, or it is of a user: git+ssh://git@HOST/…
        address, commit = url.removeprefix(GIT), ""
    try:
        parts = urlsplit(address)
        right = (
            parts.scheme in GIT_SCHEMES and bool(parts.path.strip("/")) and (parts.scheme == "file" or parts.hostname)
        )
    except ValueError:
        right = False
    if not right or not url.isprintable() or " " in url:
        return f"{printable(url)} is no git repository; write git+https://HOST/PATH@COMMIT, or git+ssh, git+file"
    if parts.password is not None or (parts.username is not None and parts.scheme != "ssh"):
        return _SHOWN_TO_EVERYBODY
    if parts.query or parts.fragment or "#" in commit:
        return "has more behind the commit; write the folder of the project into source.extract_dir"
    if not _COMMIT.fullmatch(commit):
        what = f"{printable(commit)} can move" if commit else "no commit is named"
        command = f"git ls-remote {visible(address, lines=False)[:_LONGEST]} {printable(commit)}".rstrip()
        return f"{what}: write @ and the 40 digits of a commit, which this prints: {command}"
    return ""


def _purl_fault(url: str) -> str:
    if "://" in (plain := unquote(url)) and without_secrets(plain) != plain:
        return _SHOWN_TO_EVERYBODY
    try:
        purl = PackageURL.from_string(url)
    except ValueError as error:
        return f"{printable(url)} is not a package URL: {printable(str(error))}"
    if purl.type not in PURL_FORMS:
        return f"packages of the type {printable(purl.type)} cannot be fetched; the types are {', '.join(PURL_FORMS)}"
    if not purl.version:
        return f"{printable(url)} has no version; add @VERSION"
    if purl.type == "pypi" and not parses(Version, purl.version):
        return f"{printable(purl.version)} is not a version (PEP 440)"
    if not _PURL_NAME.fullmatch(purl.name) or not _PURL_VERSION.fullmatch(purl.version):
        return f"{printable(url)} has a character in its name or version that no package has"
    if not _PURL_NAMESPACES[purl.type].fullmatch(purl.namespace or ""):
        return f"{printable(url)} must read {PURL_FORMS[purl.type]}"
    return _A_WHEEL if str(purl.qualifiers.get("file_name", "")).endswith(".whl") else ""
